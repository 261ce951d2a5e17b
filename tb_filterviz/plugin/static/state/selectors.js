// Pure functions: what follows from the state.

import { coloursOf } from "../host/run_colours.js";
import { nearestIndex } from "../pictures/geometry.js";
import { capital, differenceWords, nameOfStep, plural, shown } from "../words/format.js";
import { formedWords } from "../words/formation.js";
import { orderKey, orderOf, sortedBy } from "./ordering.js";

/**
 * @typedef {import("./state.js").State} State
 * @typedef {import("./state.js").OverviewState} OverviewState
 * @typedef {import("./state.js").LayerState} LayerState
 * @typedef {import("./state.js").FilterState} FilterState
 * @typedef {import("./state.js").About} About
 * @typedef {import("./state.js").Run} Run
 * @typedef {import("../data/matching.js").Matching} Matching
 * @typedef {import("../data/recording.js").Recording} Recording
 * @typedef {import("../pictures/draw.js").Picture} Picture
 * @typedef {import("../pictures/layout.js").Size} Size
 *
 * @typedef {LayerState & {other: Recording}} ComparedState of which there is something to compare with
 * @typedef {import("../data/overview.js").LayerSummary & Pick<About, "name" | "unit" | "tile">} OverviewRow
 */

export const FRESH_S = 600; // how old the latest step of a training may be that goes on

/** Whether there is a layer to show. @param {State} state @returns {state is LayerState} */
export function hasLayer(state) {
  return state.recording !== null;
}

/** Whether there is an overview to show. @param {State} state @returns {state is OverviewState} */
export function hasOverview(state) {
  return state.overview !== null;
}

/** Whether a filter of the layer is chosen. @param {LayerState} state @returns {state is FilterState} */
export function hasChosenFilter(state) {
  return state.view.filter !== null;
}

/** @param {Run[]} runs @param {string | null} run @returns {About[]} */
export function layersOf(runs, run) {
  return runs.find((one) => one.run === run)?.layers ?? [];
}

/** @param {Run} run */
export function lastWallTime({ layers }) {
  return Math.max(...layers.map((layer) => layer.last_wall_time));
}

/** The run that was written last, of some. @param {Run[]} runs */
export function newestRun(runs) {
  return runs.reduce((newest, run) => (lastWallTime(run) > lastWallTime(newest) ? run : newest));
}

/**
 * The layer at the same place of another run's model: names differ from process to process.
 *
 * @param {Run[]} runs
 * @param {string} run
 * @param {About} about
 * @returns {About | undefined}
 */
export function layerLike(runs, run, about) {
  const layers = layersOf(runs, run);
  return layers.find((layer) => layer.position === about.position) ?? layers.find((layer) => layer.name === about.name);
}

/** @param {About} about @param {number} filter */
export function hasFilter(about, filter) {
  return about.indices ? about.indices.includes(filter) : filter >= 0 && filter < about.filters;
}

/**
 * Which view is meant.
 *
 * @param {State["view"]} view
 * @param {number} layerCount
 * @returns {"overview" | "grid" | "compare" | "runs"}
 */
export function viewNamed({ view, layer, filter }, layerCount) {
  return view ?? (layerCount > 1 && layer === null && filter === null ? "overview" : "grid");
}

/** @param {State} state */
export function shownView({ view }) {
  return view.view ?? "grid";
}

/** @param {State} state */
export function isOverview(state) {
  return shownView(state) === "overview";
}

/** @param {State} state */
export function isComparing(state) {
  return shownView(state) === "compare";
}

/** @param {State} state */
export function isManyRuns(state) {
  return shownView(state) === "runs";
}

/** @param {State} state */
export function currentRun({ runs, view }) {
  return runs.find(({ run }) => run === view.run) ?? null;
}

/** How the run that is shown was drawn; null if it does not say. @param {State} state */
export function recipeOf(state) {
  return currentRun(state)?.recipe ?? null;
}

/** Layers of the overview, with what is listed of them. @param {OverviewState} state @returns {OverviewRow[]} */
export function overviewRows({ runs, view, overview }) {
  const listed = layersOf(runs, view.run);
  return overview.layers.flatMap((summary) => {
    const about = listed.find(({ id }) => id === summary.id);
    return about ? [{ ...summary, name: about.name, unit: about.unit, tile: about.tile }] : [];
  });
}

/** The step that is shown. @param {LayerState} state */
export function stepOf({ recording, index }) {
  return recording.steps[index];
}

/** How far it lies on the way from the first step to the last, 0 to 1. @param {LayerState} state */
export function shareOfWay({ recording, index }) {
  return recording.steps.length > 1 ? index / (recording.steps.length - 1) : 0;
}

/** @param {State} state */
export function otherRun({ view }) {
  return view.run2 ?? view.run;
}

/** @param {State} state */
export function isOtherRun(state) {
  return otherRun(state) !== state.view.run;
}

/**
 * Whether the reference can be at the same step as what is shown: of another run that counts the same.
 *
 * @param {LayerState} state
 * @returns {state is ComparedState}
 */
export function canFollow(state) {
  return isOtherRun(state) && state.other !== null && state.other.unit === state.recording.unit;
}

/** @param {LayerState} state */
export function otherIndex(state) {
  const steps = state.other?.steps ?? [];
  if (state.view.step2 !== undefined) return nearestIndex(state.view.step2, steps);
  if (canFollow(state)) return nearestIndex(stepOf(state), steps);
  return isOtherRun(state) ? steps.length - 1 : 0;
}

/** @param {LayerState} state */
export function otherStep(state) {
  return state.other?.steps[otherIndex(state)];
}

/**
 * Whether filters of one number are the same filter in the run that is shown and in another one.
 *
 * @param {State} state
 * @param {string | null} other
 */
export function isSameTraining({ runs, view }, other) {
  const [one, two] = [view.run, other].map((name) => runs.find(({ run }) => run === name)?.training);
  return one === two;
}

/** @param {State} state */
export function isOneTraining(state) {
  return isSameTraining(state, otherRun(state));
}

/** @param {State} state @returns {state is ComparedState} */
function isSameTile(state) {
  const { recording, other } = state;
  return recording !== null && other !== null && String(other.about.tile) === String(recording.about.tile);
}

/** Whether pictures can be taken from one another. @param {State} state @returns {state is ComparedState} */
export function hasDifference(state) {
  return isComparing(state) && isSameTile(state) && isOneTraining(state);
}

/**
 * The filter of the reference that goes with one of what is shown; undefined if none does.
 *
 * @param {State} state
 * @param {number} filter
 */
export function counterpart(state, filter) {
  const { other, matching } = state;
  if (!other) return undefined;
  if (isOneTraining(state)) return other.places.has(filter) ? filter : undefined;
  return matching?.pairs.get(filter)?.other;
}

/** What one has to know of the two that are compared. @param {LayerState} state */
export function compareRemark(state) {
  const { other, otherError, matching, recording } = state;
  if (!isComparing(state)) return "";
  if (otherError) return otherError;
  if (!other) return `Run ${otherRun(state)} has no layer at this place. Choose another reference.`;
  if (!isOneTraining(state)) return matching ? matchedWords(recording, matching) : "";
  if (!isSameTile(state)) {
    return "The tiles of these two layers differ in size or colour: they can be seen side by side only.";
  }
  if (isOtherRun(state)) return "These runs draw one training in two ways: what differs may be due to that.";
  return "";
}

const MOST_NAMED = 12;

/** @param {Recording} recording @param {Matching} matching */
function matchedWords(recording, matching) {
  const how = matching.by === "responses" ? "in what it answers to the same examples" : "in its picture";
  const words = [`Two trainings: beside each filter stands the one most like it ${how}.`];
  if (matching.similarity === null) return words[0];
  const same = recording.filters.filter((filter) => matching.isMatched(filter));
  const others = recording.filters.filter((filter) => !matching.isMatched(filter));
  const bar = `(similarity ${matching.similarity.toFixed(2)} on average; of one layer's filters to each other `
    + `${matching.chance.toFixed(2)})`;
  if (!same.length) words.push(`None is the same filter: they are no more alike than filters of one layer are ${bar}.`);
  else words.push(`${same.length} of ${recording.filters.length} can be called the same filter ${bar}.`);
  if (same.length && others.length) {
    const isFewer = same.length <= others.length;
    const named = isFewer ? same : others;
    words.push(`${isFewer ? "The same" : "Faint, without a match"}: ${named.slice(0, MOST_NAMED).join(", ")}`
      + `${named.length > MOST_NAMED ? ` and ${named.length - MOST_NAMED} more` : ""}.`);
  }
  return words.join(" ");
}

/** What stands beside a filter. @param {number} filter @param {Matching} matching */
export function pairWords(filter, matching) {
  const pair = matching.pairs.get(filter);
  if (!pair) return "no match";
  const remark = matching.isMatched(filter) ? "" : ", no more than others of its layer";
  return `filter ${pair.other}, similarity ${pair.similarity.toFixed(2)}${remark}`;
}

/** @param {State} state @param {Recording} recording @param {number} step */
function nameIn(state, recording, step) {
  const name = nameOfStep(step, recording.unit);
  return isOtherRun(state) ? `${recording.run}, ${name}` : capital(name);
}

/** What the step that is shown is called. @param {LayerState} state */
export function nowName(state) {
  return nameIn(state, state.recording, stepOf(state));
}

/** What the reference is called. @param {LayerState} state */
export function otherName(state) {
  const step = otherStep(state);
  return state.other && step !== undefined ? nameIn(state, state.other, step) : otherRun(state) ?? "";
}

/** @param {State} state */
export function comparableRuns({ runs, recording }) {
  if (!recording) return [];
  return runs.map(({ run }) => run).filter((run) => layerLike(runs, run, recording.about));
}

/** @param {State} state */
export function hasMaps({ recording }) {
  return Boolean(recording?.about.responses?.map);
}

/** @param {State} state */
export function hasKernels({ recording }) {
  return Boolean(recording?.about.kernels?.effective);
}

/** Which of the examples that maps were logged of. @param {LayerState} state */
export function exampleOf({ recording, view }) {
  const shape = recording.about.responses?.map;
  return shape ? Math.min(view.example, shape[0] - 1) : 0;
}

/** What tiles show, as far as there is any. @param {State} state @returns {"tiles" | "maps" | "kernels"} */
export function lensOf(state) {
  const { lens } = state.view;
  const isThere = (lens === "maps" && hasMaps(state)) || (lens === "kernels" && hasKernels(state));
  return isThere && shownView(state) === "grid" ? lens : "tiles";
}

/** How large the tiles of a layer are. @param {About} about @returns {Size} */
export function tileSize({ tile: [height, width] }) {
  return { height, width };
}

/** How large what tiles show is. @param {LayerState} state @returns {Size} */
export function lensSize(state) {
  const { responses, kernels, tile } = state.recording.about;
  const lens = lensOf(state);
  if (lens === "maps" && responses?.map) return { height: responses.map[1], width: responses.map[2] };
  const [height, width] = (lens === "kernels" && kernels?.effective) || tile;
  return { height, width };
}

/** What the grid shows of a filter. @param {LayerState} state @param {number} filter @returns {Picture | undefined} */
export function pictureOf(state, filter) {
  const { recording, maps, kernels } = state;
  const step = stepOf(state);
  const lens = lensOf(state);
  if (lens === "tiles") return recording.sharpTile(step, filter);
  return (lens === "maps" ? maps : kernels)?.find(step, recording.places.get(filter));
}

/**
 * What the reference shows beside a filter.
 *
 * @param {LayerState} state
 * @param {number} filter
 * @returns {Picture | undefined}
 */
export function otherPictureOf(state, filter) {
  const other = counterpart(state, filter);
  const step = otherStep(state);
  return other === undefined || step === undefined ? undefined : state.other?.sharpTile(step, other);
}

/**
 * How a filter is marked: marks are of pictures, maps and kernels have none.
 *
 * @param {State} state
 * @param {Recording} recording
 * @param {number} at
 * @param {number | undefined} filter
 * @returns {{mark?: "stuck" | "flat", alpha?: number}}
 */
export function markOf(state, recording, at, filter) {
  if (lensOf(state) !== "tiles" || filter === undefined) return {};
  if (recording.isStuck(filter, at)) return { mark: "stuck", ...(state.view.stuck === "dim" && { alpha: 0.25 }) };
  return recording.isFlat(filter, at) ? { mark: "flat" } : {};
}

/** The order in which filters are shown. @param {LayerState} state */
export function sortKey({ recording, view, matching }) {
  return view.sort === "similarity" && matching ? "similarity" : orderKey(recording, view.sort);
}

/**
 * The filters that are shown, in order. It holds for the whole run, so that each keeps its place: those that are left out
 * are those that are stuck at its end.
 *
 * @param {LayerState} state
 * @returns {number[]}
 */
export function shownFilters(state) {
  const { recording, view, matching } = state;
  let filters = orderOf(recording, sortKey(state));
  if (sortKey(state) === "similarity" && matching) {
    const rank = (/** @type {number} */ filter) => -(matching.pairs.get(filter)?.similarity ?? -1);
    filters = [...filters].sort((one, other) => rank(one) - rank(other) || one - other);
  }
  if (view.stuck !== "hide") return filters;
  return filters.filter((filter) => recording.formed(filter).outcome !== "stuck");
}

/**
 * A filter at this step, in a line: what everybody knows of it, and what is sorted by. In the reference, as it is there.
 *
 * @param {LayerState} state
 * @param {number} filter
 * @param {boolean} isAskedThere
 * @param {{rms: number, isExact: boolean} | undefined} changed
 */
export function described(state, filter, isAskedThere, changed) {
  const { other, matching } = state;
  const theirs = isComparing(state) ? counterpart(state, filter) : undefined;
  const isReference = isAskedThere && other !== null && theirs !== undefined;
  const recording = isReference ? other : state.recording;
  const index = isReference ? otherIndex(state) : state.index;
  const one = isReference ? theirs : filter;
  const told = new Set([recording.worth, recording.description("change"),
    sortedBy(recording, orderKey(recording, state.view.sort))].filter((each) => each !== undefined));
  const words = [`Filter ${one}`, ...(isReference ? [otherName(state)] : []), ...[...told].map(({ name, label, unit }) =>
    `${label} ${shown(recording.value(name, index, one), unit)}`)];
  words.push(formedWords(recording, one, index));
  if (recording.isFlat(one, index)) words.push("flat");
  if (changed) words.push(`differs by ${differenceWords(changed)}`);
  if (isComparing(state) && matching) {
    words.push(isReference ? `beside filter ${filter}` : `beside it ${pairWords(filter, matching)}`);
  }
  return words.filter(Boolean).join(" · ");
}

/** What one has to know of all that is shown. @param {State} state @returns {string[]} */
export function notices(state) {
  const { recording, problems, broken, warning, missing } = state;
  const notes = [...(warning ? [warning] : []), ...broken];
  if (recording) {
    const kept = recording.steps.length;
    if (recording.loggedSteps > kept) {
      notes.push(`${kept} of ${recording.loggedSteps} ${recording.unit === "epoch" ? "epochs" : "steps"} are here: `
        + "TensorBoard kept a sample. Restart it with --samples_per_plugin filterviz=0 to see all.");
    }
    const unread = recording.unread.map(({ label }) => label);
    if (unread.length) notes.push(`Statistics that cannot be read: ${unread.join(", ")}.`);
  }
  if (isManyRuns(state)) notes.push(...missing);
  if (problems.length) {
    const more = problems.length - 1;
    notes.push(`Not everything can be shown. ${problems[0]}${more ? ` (and ${more} more)` : ""}`);
  }
  return notes;
}

/** The step of best validation result, as a position; -1 if nothing says. @param {LayerState} state */
export function bestIndex({ recording }) {
  const validated = recording.curves.filter(({ of }) => of === "validation");
  const accuracy = validated.find(({ metric }) => /acc(uracy)?$/.test(metric));
  const curve = accuracy ?? validated.find(({ metric }) => metric === "loss");
  const sign = accuracy ? 1 : -1;
  let best = -1;
  let most = -Infinity;
  for (const [step, value] of curve?.points ?? []) {
    const at = recording.steps.indexOf(step);
    if (at >= 0 && value !== null && sign * value > most) {
      most = sign * value;
      best = at;
    }
  }
  return best;
}

/** What is said of a layer's size. @param {About} about */
export function sizeWords({ filters, indices, tile: [height, width], channels }) {
  return `${plural(filters, indices ? "chosen filter" : "filter")}, ${width} × ${height} px, ${channels}`;
}

/** The colours of runs, as TensorBoard has them. @param {State} state */
export function runColours({ known, isDark, colourPattern }) {
  return coloursOf(known, isDark, colourPattern);
}
