// What is seen of a state, as sheets of pictures: for the screen, and for files.

import { Differences } from "../pictures/differences.js";
import { sheetCanvas, sideBySide, stripCanvas } from "../pictures/paint.js";
import { counterpart, currentRun, hasDifference, isComparing, isManyRuns, lensSize, markOf, otherIndex, otherName, otherPictureOf,
  pictureOf, shownFilters, stepOf } from "../state/selectors.js";
import { capital, nameOfStep } from "../words/format.js";
import { nearestIndex } from "../pictures/geometry.js";

const FAINT = 0.6; // the nearest there is, but no match

/** @typedef {import("../state/state.js").State} State */

/** @param {State} state */
function sizeOf({ other, recording }) {
  const [height, width] = (other ?? recording).about.tile;
  return { height, width };
}

/** The filters of the layer that is shown. @param {State} state */
export function nowSheet(state) {
  const { recording, index } = state;
  return { items: shownFilters(state), tile: lensSize(state), pictureOf: (/** @type {number} */ filter) => pictureOf(state, filter),
    markOf: (/** @type {number} */ filter) => markOf(state, recording, index, filter) };
}

// The exceptions, where most are matched: where hardly any are, words say so.
/** @param {import("../data/matching.js").Matching | null} matching @param {number} filter */
function faint(matching, filter) {
  return matching && 2 * matching.matched >= matching.pairs.size && !matching.isMatched(filter) ? { alpha: FAINT } : {};
}

/** What each of them is compared with. @param {State} state */
export function beforeSheet(state) {
  const { other } = state;
  return { items: other ? shownFilters(state) : [], tile: sizeOf(state),
    pictureOf: (/** @type {number} */ filter) => otherPictureOf(state, filter),
    markOf: (/** @type {number} */ filter) => (other ? { ...markOf(state, other, otherIndex(state), counterpart(state, filter)),
      ...faint(state.matching, filter) } : {}) };
}

/** How they differ. @param {State} state @param {Differences} differences */
export function changeSheet(state, differences) {
  const { recording, other } = state;
  return { items: hasDifference(state) ? shownFilters(state).filter((filter) => other.places.has(filter)) : [],
    tile: sizeOf({ ...state, other: recording }), pictureOf: (/** @type {number} */ filter) => differences.of(state, filter) };
}

/** The same layer of another run, in the order of the one that was chosen. @param {State} state @param {import("../state/state.js").Contender} contender */
export function contenderSheet(state, { recording, matching }) {
  const at = nearestIndex(stepOf(state), recording.steps);
  const [height, width] = recording.about.tile;
  const theirs = (/** @type {number} */ filter) => (matching ? matching.pairs.get(filter)?.other
    : recording.places.has(filter) ? filter : undefined);
  const { filter: chosen } = state.view;
  const items = shownFilters(state);
  return { items: chosen === null ? items : items.filter((filter) => filter === chosen), tile: { height, width },
    pictureOf: (/** @type {number} */ filter) => {
      const other = theirs(filter);
      return other === undefined ? undefined : recording.sharpTile(recording.steps[at], other);
    },
    markOf: (/** @type {number} */ filter) => ({ ...markOf(state, recording, at, theirs(filter)), ...faint(matching, filter) }) };
}

/** What is seen, in words that can name a file. @param {State} state */
export function captionOf(state) {
  const { recording } = state;
  return [state.view.run ?? "", recording.about.name, nameOfStep(stepOf(state), recording.unit)];
}

/**
 * All that is seen, on one canvas.
 *
 * @param {State} state
 * @param {{tilePx: number, columns: number, mostPx?: number}} how
 */
export function drawn(state, { tilePx, columns, mostPx }) {
  const caption = captionOf(state).join("   ");
  const sheet = (/** @type {any} */ content, /** @type {string} */ text) =>
    sheetCanvas(content, { caption: text, columns, tilePx, mostPx });
  if (isManyRuns(state)) {
    return sideBySide(state.contenders.map((one) => sheet(contenderSheet(state, one), one.run)));
  }
  if (!isComparing(state)) return sheet(nowSheet(state), caption);
  return sideBySide([sheet(beforeSheet(state), otherName(state)), sheet(nowSheet(state), caption),
    ...(hasDifference(state) ? [sheet(changeSheet(state, new Differences()), "difference")] : [])]);
}

/** One filter at this step, alone. @param {State} state @param {number} tilePx */
export function drawnFilter(state, tilePx) {
  const { filter } = state.view;
  return sheetCanvas({ ...nowSheet(state), items: [filter] }, { columns: 1, tilePx,
    caption: `Filter ${filter} of ${state.recording.about.name}, ${nameOfStep(stepOf(state), state.recording.unit)}` });
}

/** One filter at every step. @param {State} state @param {(step: number) => import("../pictures/draw.js").Picture | undefined} pictureAt */
export function drawnStrip(state, pictureAt) {
  const { recording, view } = state;
  const [height, width] = recording.about.tile;
  return stripCanvas({ items: recording.steps, tile: { height, width }, pictureOf: pictureAt }, { tilePx: Math.max(56, width * 2),
    caption: `Filter ${view.filter} of ${recording.about.name}, ${currentRun(state)?.run}`,
    nameOf: (step) => capital(nameOfStep(step, recording.unit)) });
}
