// Many small pictures into a canvas: on the screen, and into a file.

import { colour, context2d, drawMark, drawPictures } from "./draw.js";
import { arranged, cornerOf, GAP } from "./layout.js";
import { wholePixels } from "./geometry.js";

const CAPTION_PX = 22;
const LABEL_PX = 16;
const FONT = "12px Roboto, system-ui, sans-serif";

/**
 * @typedef {import("./draw.js").Box} Box
 * @typedef {import("./draw.js").Mark} Mark
 * @typedef {import("./draw.js").Picture} Picture
 * @typedef {import("./draw.js").Placed} Placed
 * @typedef {import("./layout.js").Layout} Layout
 * @typedef {{mark?: Mark, alpha?: number}} Marking how a picture is drawn
 */

/**
 * What is painted: for every item, a picture and how it is drawn.
 *
 * @typedef {object} Sheet
 * @property {number[]} items
 * @property {import("./layout.js").Size} tile
 * @property {(item: number) => Picture | undefined} pictureOf
 * @property {(item: number) => Marking} [markOf]
 */

/**
 * Paints items [from, to), moved by `offset`.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Sheet} sheet
 * @param {Layout} layout
 * @param {[from: number, to: number]} range
 * @param {{x: number, y: number}} offset
 * @returns {Set<Mark>} marks that can be seen
 */
export function paint(context, { items, tile, pictureOf, markOf }, layout, [from, to], offset) {
  const { shown, ratio } = layout;
  /** @type {Placed[]} */
  const placed = [];
  /** @type {[Mark, Box][]} */
  const marks = [];
  for (let at = from; at < to; at += 1) {
    const item = items[at];
    const corner = cornerOf(layout, at);
    const box = { x: Math.round((corner.x + offset.x) * ratio), y: Math.round((corner.y + offset.y) * ratio),
      width: shown.width * ratio, height: shown.height * ratio };
    if (shown.width * ratio >= tile.width) {
      box.width = Math.round(box.width);
      box.height = Math.round(box.height);
    }
    const { mark, alpha } = markOf ? markOf(item) : {};
    const picture = pictureOf(item);
    if (picture) placed.push({ ...box, picture, alpha });
    if (!picture || alpha !== undefined) {
      context.fillStyle = colour(picture ? "--stage" : "--placeholder");
      context.fillRect(box.x, box.y, box.width, box.height);
    }
    if (mark && picture) marks.push([mark, box]);
  }
  drawPictures(context, placed);
  for (const [mark, box] of marks) drawMark(context, mark, box);
  return new Set(marks.map(([mark]) => mark));
}

/** An empty canvas, ready for text. @param {number} width @param {number} height */
function blank(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.ceil(width);
  canvas.height = Math.ceil(height);
  const context = context2d(canvas);
  context.fillStyle = colour("--stage");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.fillStyle = colour("--text");
  context.font = FONT;
  return { canvas, context };
}

/**
 * Every item on a canvas of its own, below a line of text; its pixels are whole, and `tilePx` wide at most.
 *
 * @param {Sheet} sheet
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
 * @param {Sheet} sheet
 * @param {{caption: string, tilePx: number, nameOf: (item: number) => string, mostPx?: number}} how
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

/** All of them on one canvas. @param {HTMLCanvasElement[]} canvases */
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
