// Pure functions: where each of many small pictures stands.

import { wholePixels } from "./geometry.js";

export const GAP = 4;

/**
 * @typedef {object} Layout
 * @property {number} columns
 * @property {number} rows
 * @property {Size} shown a picture, in pixels of the page
 * @property {{x: number, y: number}} step from one to the next
 * @property {{x: number, y: number}} origin the first one's corner
 * @property {Size} full all of them, with gaps around
 * @property {number} ratio pixels of the screen for one of the page
 */

/** @typedef {{width: number, height: number}} Size */

/**
 * How many columns make tiles largest within an area, and how large that makes them.
 *
 * @param {number} count
 * @param {Size} tile
 * @param {Size} area
 * @param {number} largestPx
 * @param {number} ratio
 */
export function fit(count, tile, area, largestPx, ratio) {
  let best = { columns: 1, scale: 0 };
  let most = 0;
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const rows = Math.ceil(count / columns);
    const wanted = Math.min(
      (area.width - GAP * (columns + 1)) / columns / tile.width,
      (area.height - GAP * (rows + 1)) / rows / tile.height,
      Math.max(1, largestPx / Math.max(tile.width, tile.height)),
    );
    const scale = wholePixels(wanted, ratio);
    // among those of one whole scale, the one with most room around
    if (scale > best.scale * 1.001 || (scale > best.scale * 0.999 && wanted > most * 1.001)) {
      best = { columns, scale };
      most = wanted;
    }
  }
  return { columns: best.columns, scale: Math.max(best.scale, 2 / tile.width) };
}

/**
 * As large as all of them fit into an area, times `zoom`; or as many columns of `fixedPx` as fit.
 *
 * @param {number} count
 * @param {Size} tile
 * @param {Size} area
 * @param {{fixedPx?: number | null, largestPx?: number, zoom?: number, ratio?: number}} how
 * @returns {Layout}
 */
export function layoutOf(count, tile, area, { fixedPx = null, largestPx = 200, zoom = 1, ratio = 1 }) {
  let columns;
  let scale;
  if (fixedPx !== null) {
    columns = Math.max(1, Math.floor((area.width - GAP) / (fixedPx + GAP)));
    scale = wholePixels(Math.min((area.width - GAP) / columns - GAP, fixedPx * 1.5) / tile.width, ratio);
  } else {
    ({ columns, scale } = fit(count, tile, area, largestPx, ratio));
    if (zoom !== 1) scale = wholePixels(scale * zoom, ratio);
  }
  const layout = arranged(count, tile, columns, scale, ratio);
  const room = (/** @type {number} */ free) => (fixedPx !== null ? 0 : Math.max(0, Math.floor(free / 2)));
  layout.origin = { x: GAP + room(area.width - layout.full.width), y: GAP + room(area.height - layout.full.height) };
  return layout;
}

/**
 * In a number of columns, each pixel of a tile as large as `scale`.
 *
 * @param {number} count
 * @param {Size} tile
 * @param {number} columns
 * @param {number} scale
 * @param {number} ratio
 * @returns {Layout}
 */
export function arranged(count, tile, columns, scale, ratio) {
  const onScreen = (/** @type {number} */ size) => Math.max(1, Math.floor(size * scale * ratio + 1e-6)) / ratio;
  const shown = { width: onScreen(tile.width), height: onScreen(tile.height) };
  const step = { x: shown.width + GAP, y: shown.height + GAP };
  const rows = Math.ceil(count / columns);
  const full = { width: Math.min(columns, count) * step.x + GAP, height: rows * step.y + GAP };
  return { columns, rows, shown, step, origin: { x: GAP, y: GAP }, full, ratio };
}

/**
 * Top left corner of a place.
 *
 * @param {Layout} layout
 * @param {number} at
 */
export function cornerOf({ columns, step, origin }, at) {
  return { x: origin.x + (at % columns) * step.x, y: origin.y + Math.floor(at / columns) * step.y };
}

/**
 * The place at a point; -1 where there is none.
 *
 * @param {Layout} layout
 * @param {number} x
 * @param {number} y
 */
export function placeAt({ columns, step, origin }, x, y) {
  const column = Math.floor((x - origin.x) / step.x);
  const row = Math.floor((y - origin.y) / step.y);
  return x < origin.x || y < origin.y || column >= columns ? -1 : row * columns + column;
}

/**
 * In how many columns boxes stand side by side so that what is in them comes out largest, and how high they are.
 *
 * @param {number} count
 * @param {Size} area
 * @param {{gap: number, head: number, leastWidth: number, leastHeight: number, ratio: number}} how `head` is what a box
 *   needs beside its content, whose width is `ratio` times its height
 */
export function boxes(count, area, { gap, head, leastWidth, leastHeight, ratio }) {
  let best = { columns: 1, height: leastHeight };
  let most = 0;
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const width = (area.width - gap * (columns - 1)) / columns;
    if (columns > 1 && width < leastWidth) break;
    const rows = Math.ceil(count / columns);
    const height = Math.max(leastHeight, Math.floor((area.height - gap * rows) / rows) - head);
    const size = Math.min(width, height * ratio);
    if (size >= most * 0.999) { // of equal ones, that of which more are seen at once
      most = size;
      best = { columns, height: Math.min(height, Math.ceil(width / ratio) + gap) };
    }
  }
  return best;
}
