// What is seen of a state, as sheets of pictures: for the screen, and for files.

import { Differences } from "../pictures/differences.js";
import { nearestIndex } from "../pictures/geometry.js";
import { sheetCanvas, sideBySide, stripCanvas } from "../pictures/paint.js";
import { counterpart, hasDifference, isComparing, isManyRuns, lensSize, markOf, otherIndex, otherName, otherPictureOf,
  pictureOf, shownFilters, stepOf, tileSize } from "../state/selectors.js";
import { capital, nameOfStep } from "../words/format.js";

const FAINT = 0.6; // the nearest there is, but no match
const LEAST_STRIP_PX = 56;

/**
 * @typedef {import("../state/state.js").Contender} Contender
 * @typedef {import("../state/state.js").LayerState} LayerState
 * @typedef {import("../state/state.js").FilterState} FilterState
 * @typedef {import("../data/matching.js").Matching} Matching
 * @typedef {import("../pictures/draw.js").Picture} Picture
 * @typedef {import("../pictures/paint.js").Sheet} Sheet
 */

/** The filters of the layer that is shown. @param {LayerState} state @returns {Sheet} */
export function nowSheet(state) {
  const { recording, index } = state;
  return { items: shownFilters(state), tile: lensSize(state), pictureOf: (filter) => pictureOf(state, filter),
    markOf: (filter) => markOf(state, recording, index, filter) };
}

/**
 * How the exceptions are drawn, where most are matched: where hardly any are, words say so.
 *
 * @param {Matching | null} matching
 * @param {number} filter
 */
function faint(matching, filter) {
  return matching && 2 * matching.matched >= matching.pairs.size && !matching.isMatched(filter) ? { alpha: FAINT } : {};
}

/** What each of them is compared with. @param {LayerState} state @returns {Sheet} */
export function beforeSheet(state) {
  const { other, recording, matching } = state;
  if (!other) return { items: [], tile: tileSize(recording.about), pictureOf: () => undefined };
  return { items: shownFilters(state), tile: tileSize(other.about), pictureOf: (filter) => otherPictureOf(state, filter),
    markOf: (filter) => ({ ...markOf(state, other, otherIndex(state), counterpart(state, filter)),
      ...faint(matching, filter) }) };
}

/** How they differ. @param {LayerState} state @param {Differences} differences @returns {Sheet} */
export function changeSheet(state, differences) {
  const items = hasDifference(state) ? shownFilters(state).filter((filter) => state.other.places.has(filter)) : [];
  return { items, tile: tileSize(state.recording.about), pictureOf: (filter) => differences.of(state, filter) };
}

/**
 * The same layer of another run, in the order of the one that was chosen.
 *
 * @param {LayerState} state
 * @param {Contender} contender
 * @returns {Sheet}
 */
export function contenderSheet(state, { recording, matching }) {
  const at = nearestIndex(stepOf(state), recording.steps);
  const theirs = (/** @type {number} */ filter) => (matching ? matching.pairs.get(filter)?.other
    : recording.places.has(filter) ? filter : undefined);
  const { filter: chosen } = state.view;
  const items = shownFilters(state);
  return { items: chosen === null ? items : items.filter((filter) => filter === chosen), tile: tileSize(recording.about),
    pictureOf: (filter) => {
      const other = theirs(filter);
      return other === undefined ? undefined : recording.sharpTile(recording.steps[at], other);
    },
    markOf: (filter) => ({ ...markOf(state, recording, at, theirs(filter)), ...faint(matching, filter) }) };
}

/** What is seen, in words that can name a file. @param {LayerState} state */
export function captionOf(state) {
  const { recording } = state;
  return [recording.run, recording.about.name, nameOfStep(stepOf(state), recording.unit)];
}

/**
 * All that is seen, on one canvas.
 *
 * @param {LayerState} state
 * @param {{tilePx: number, columns: number, mostPx?: number}} how
 */
export function drawn(state, { tilePx, columns, mostPx }) {
  const caption = captionOf(state).join("   ");
  const sheet = (/** @type {Sheet} */ content, /** @type {string} */ text) =>
    sheetCanvas(content, { caption: text, columns, tilePx, mostPx });
  if (isManyRuns(state)) {
    return sideBySide(state.contenders.map((one) => sheet(contenderSheet(state, one), one.run)));
  }
  if (!isComparing(state)) return sheet(nowSheet(state), caption);
  return sideBySide([sheet(beforeSheet(state), otherName(state)), sheet(nowSheet(state), caption),
    ...(hasDifference(state) ? [sheet(changeSheet(state, new Differences()), "difference")] : [])]);
}

/** One filter at this step, alone. @param {FilterState} state @param {number} tilePx */
export function drawnFilter(state, tilePx) {
  const { recording, view } = state;
  return sheetCanvas({ ...nowSheet(state), items: [view.filter] }, { columns: 1, tilePx,
    caption: `Filter ${view.filter} of ${recording.about.name}, ${nameOfStep(stepOf(state), recording.unit)}` });
}

/** One filter at every step. @param {FilterState} state @param {(step: number) => Picture | undefined} pictureAt */
export function drawnStrip(state, pictureAt) {
  const { recording, view } = state;
  const tile = tileSize(recording.about);
  return stripCanvas({ items: recording.steps, tile, pictureOf: pictureAt }, {
    tilePx: Math.max(LEAST_STRIP_PX, tile.width * 2),
    caption: `Filter ${view.filter} of ${recording.about.name}, ${recording.run}`,
    nameOf: (step) => capital(nameOfStep(step, recording.unit)) });
}
