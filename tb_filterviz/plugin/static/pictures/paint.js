// Many small pictures into a canvas: on the screen, and into a file.

import { colour, drawMark, drawPictures } from "./draw.js";
import { arranged, cornerOf, GAP } from "./layout.js";
import { wholePixels } from "./geometry.js";

const CAPTION_PX = 22;
const LABEL_PX = 16;
const FONT = "12px Roboto, system-ui, sans-serif";

/**
 * What is painted: a picture and a mark for every item.
 *
 * @template T
 * @typedef {object} Sheet
 * @property {T[]} items
 * @property {{width: number, height: number}} tile
 * @property {(item: T) => import("./draw.js").Picture | undefined} pictureOf
 * @property {(item: T) => {mark?: "stuck" | "flat", alpha?: number, isHidden?: boolean}} [markOf]
 */

/**
 * Items [from, to), moved by `offset`. Returns which marks it drew.
 *
 * @template T
 * @param {CanvasRenderingContext2D} context
 * @param {Sheet<T>} sheet
 * @param {import("./layout.js").Layout} layout
 * @param {[number, number]} range
 * @param {{x: number, y: number}} offset
 */
export function paint(context, { items, tile, pictureOf, markOf }, layout, [from, to], offset) {
  const { shown, ratio } = layout;
  const placed = [];
  /** @type {["stuck" | "flat", {x: number, y: number, width: number, height: number}][]} */
  const marks = [];
  const seen = new Set();
  for (let at = from; at < to; at += 1) {
    const item = items[at];
    const corner = cornerOf(layout, at);
    const box = { x: Math.round((corner.x + offset.x) * ratio), y: Math.round((corner.y + offset.y) * ratio),
      width: shown.width * ratio, height: shown.height * ratio };
    if (shown.width * ratio >= tile.width) {
      box.width = Math.round(box.width);
      box.height = Math.round(box.height);
    }
    const { mark, alpha, isHidden } = markOf ? markOf(item) : {};
    if (isHidden) continue;
    const picture = pictureOf(item);
    placed.push({ ...box, picture, alpha });
    if (!picture || alpha !== undefined) {
      context.fillStyle = colour(picture ? "--stage" : "--placeholder");
      context.fillRect(box.x, box.y, box.width, box.height);
    }
    if (mark && picture) {
      seen.add(mark);
      marks.push([mark, box]);
    }
  }
  drawPictures(context, placed);
  for (const [mark, box] of marks) drawMark(context, mark, box.x, box.y, box.width, box.height);
  return seen;
}

/** @param {number} width @param {number} height */
function blank(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width);
  canvas.height = Math.ceil(height);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = colour("--stage");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = colour("--text");
  context.font = FONT;
  return { canvas, context };
}

/**
 * Every item on a canvas of its own, below a line of text; its pixels are whole, and `tilePx` wide at most.
 *
 * @template T
 * @param {Sheet<T>} sheet
 * @param {{caption: string, columns: number, tilePx: number, mostPx?: number}} how
 */
export function sheetCanvas(sheet, { caption, columns, tilePx, mostPx = 8000 }) {
  const { items, tile } = sheet;
  const rows = Math.ceil(items.length / columns);
  const largest = (mostPx / Math.max(columns, rows) - GAP) / tile.width;
  const scale = Math.max(wholePixels(Math.min(tilePx / tile.width, largest), 1), 1 / tile.width);
  const layout = arranged(items.length, tile, columns, scale, 1);
  const { canvas, context } = blank(layout.full.width, layout.full.height + CAPTION_PX);
  context.fillText(caption, GAP + 2, CAPTION_PX - 6, canvas.width - 2 * GAP);
  paint(context, sheet, layout, [0, items.length], { x: 0, y: CAPTION_PX });
  return canvas;
}

/**
 * One row of pictures, each with its name below, beneath a line of text.
 *
 * @template T
 * @param {Sheet<T>} sheet
 * @param {{caption: string, tilePx: number, nameOf: (item: T) => string, mostPx?: number}} how
 */
export function stripCanvas(sheet, { caption, tilePx, nameOf, mostPx = 8000 }) {
  const { items, tile } = sheet;
  const columns = Math.max(1, Math.min(items.length, Math.floor(mostPx / (tilePx + GAP))));
  const scale = Math.max(1, wholePixels(tilePx / tile.width, 1));
  const layout = arranged(items.length, tile, columns, scale, 1);
  layout.step = { x: layout.step.x, y: layout.step.y + LABEL_PX };
  const { canvas, context } = blank(layout.full.width, CAPTION_PX + layout.rows * layout.step.y + GAP);
  context.fillText(caption, GAP + 2, CAPTION_PX - 6, canvas.width - 2 * GAP);
  paint(context, sheet, layout, [0, items.length], { x: 0, y: CAPTION_PX });
  context.fillStyle = colour("--text");
  context.font = "11px Roboto, system-ui, sans-serif";
  items.forEach((item, at) => {
    const { x, y } = cornerOf(layout, at);
    context.fillText(nameOf(item), x, y + CAPTION_PX + layout.shown.height + 12, layout.shown.width);
  });
  return canvas;
}

/** @param {HTMLCanvasElement[]} canvases */
export function sideBySide(canvases) {
  const { canvas, context } = blank(canvases.reduce((sum, one) => sum + one.width, 0),
    Math.max(...canvases.map((one) => one.height)));
  let left = 0;
  for (const one of canvases) {
    context.drawImage(one, left, 0);
    left += one.width;
  }
  return canvas;
}
