// Pixels: tiles into canvases, differences into colours.

import { wholePixels } from "./geometry.js";

/**
 * @typedef {object} Picture some pixels, as they came from the server
 * @property {Uint8Array} bytes
 * @property {number} offset
 * @property {number} width
 * @property {number} height
 * @property {number} channels
 */

/**
 * @typedef {{x: number, y: number, width: number, height: number}} Box in pixels of a canvas
 * @typedef {Box & {picture: Picture, alpha?: number}} Placed a picture, and where it is drawn
 * @typedef {"stuck" | "flat"} Mark
 */

const scratch = document.createElement("canvas");
const enlarged = document.createElement("canvas");

/** @type {{image: ImageData, target: Uint32Array} | undefined} */
let buffer;

/** What draws into a canvas. @param {HTMLCanvasElement} canvas */
export function context2d(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser draws nothing into a canvas.");
  return context;
}

/** Memory for an image: playing draws many of one size, so it is taken once. @param {number} width @param {number} height */
function pixelBuffer(width, height) {
  if (buffer?.image.width !== width || buffer.image.height !== height) {
    const image = new ImageData(width, height);
    buffer = { image, target: new Uint32Array(image.data.buffer) };
  }
  return buffer;
}

/** @param {HTMLCanvasElement} canvas @param {number} width @param {number} height */
function atLeast(canvas, width, height) {
  if (canvas.width < width || canvas.height < height) {
    canvas.width = Math.max(canvas.width, width);
    canvas.height = Math.max(canvas.height, height);
  }
  return context2d(canvas);
}

/**
 * Writes a picture as opaque RGBA.
 *
 * @param {Picture} picture
 * @param {Uint32Array} target pixels of an image
 * @param {number} stride how wide that image is
 * @param {number} left
 * @param {number} top
 */
function expand(picture, target, stride, left, top) {
  const { bytes, height, width, channels } = picture;
  let from = picture.offset;
  for (let row = 0; row < height; row += 1) {
    let to = (top + row) * stride + left;
    for (let column = 0; column < width; column += 1) {
      if (channels === 1) {
        target[to] = 0xff000000 | (bytes[from] * 0x010101);
        from += 1;
      } else {
        target[to] = 0xff000000 | (bytes[from + 2] << 16) | (bytes[from + 1] << 8) | bytes[from];
        from += 3;
      }
      to += 1;
    }
  }
}

/**
 * Draws pictures, enlarged without blur, reduced smoothly.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Placed[]} shown
 */
export function drawPictures(context, shown) {
  if (!shown.length) return;
  const cellWidth = Math.max(...shown.map((one) => one.picture.width));
  const cellHeight = Math.max(...shown.map((one) => one.picture.height));
  const columns = Math.max(1, Math.min(shown.length, Math.floor(4096 / cellWidth)));
  const width = columns * cellWidth;
  const height = Math.ceil(shown.length / columns) * cellHeight;
  const { image, target } = pixelBuffer(width, height);
  shown.forEach((one, at) => {
    expand(one.picture, target, width, (at % columns) * cellWidth, Math.floor(at / columns) * cellHeight);
  });
  atLeast(scratch, width, height).putImageData(image, 0, 0);
  // At 1.5 pixels a pixel, say: doubled first, then reduced smoothly, so that all come out equally wide and sharp.
  const scale = Math.max(...shown.map((one) => one.width / one.picture.width));
  const factor = scale < 4 && scale > 1 && !Number.isInteger(scale) ? Math.ceil(scale) : 1;
  if (factor > 1) {
    const larger = atLeast(enlarged, width * factor, height * factor);
    larger.imageSmoothingEnabled = false;
    larger.drawImage(scratch, 0, 0, width, height, 0, 0, width * factor, height * factor);
  }
  context.imageSmoothingQuality = "high";
  shown.forEach((one, at) => {
    const { picture } = one;
    context.imageSmoothingEnabled = one.width < picture.width * factor;
    context.globalAlpha = one.alpha ?? 1;
    context.drawImage(factor > 1 ? enlarged : scratch,
      (at % columns) * cellWidth * factor, Math.floor(at / columns) * cellHeight * factor,
      picture.width * factor, picture.height * factor, one.x, one.y, one.width, one.height);
  });
  context.globalAlpha = 1;
}

const NEUTRAL = [54, 54, 56]; // apart from the stage in both themes
const LOWER = [64, 156, 255];
const HIGHER = [255, 146, 43];
const RECOLOURED = [235, 235, 235];
const FULL = 128; // from this difference on, a colour is at its strongest
const PARTS = 16; // in how many parts the share of brightness in a difference is told

/**
 * The colour of a difference.
 *
 * @param {number} size
 * @param {number} brighter how much of it is brightness: from -1, all of it darker, to 1
 */
function colourOf(size, brighter) {
  const hue = brighter < 0 ? LOWER : HIGHER;
  return NEUTRAL.map((neutral, channel) => {
    const strongest = RECOLOURED[channel] + Math.abs(brighter) * (hue[channel] - RECOLOURED[channel]);
    return neutral + Math.min(1, size / FULL) * (strongest - neutral);
  });
}

// Differences are many, so their colours are looked up. Of gray: at three times (255 + difference).
const GRAY = new Uint8Array(511 * 3);
// Of colour: at three times (size * (2 * PARTS + 1) + PARTS + part), where `part` / PARTS is brightness.
const COLOUR = new Uint8Array(256 * (2 * PARTS + 1) * 3);
for (let size = 0; size < 256; size += 1) {
  GRAY.set(colourOf(size, -1), (255 - size) * 3);
  GRAY.set(colourOf(size, 1), (255 + size) * 3);
  for (let part = -PARTS; part <= PARTS; part += 1) {
    COLOUR.set(colourOf(size, part / PARTS), (size * (2 * PARTS + 1) + PARTS + part) * 3);
  }
}
const SIZES = Uint8Array.from({ length: 3 * 255 * 255 + 1 }, (_, square) => Math.round(Math.sqrt(square / 3)));

/**
 * The square of the difference of a gray pixel, whose colour it writes.
 *
 * @param {Uint8Array} before
 * @param {number} was where it is in `before`
 * @param {Uint8Array} after
 * @param {number} is where it is in `after`
 * @param {Uint8Array} bytes of the picture of the difference
 * @param {number} to where its colour goes
 */
function grayDifference(before, was, after, is, bytes, to) {
  const change = after[is] - before[was];
  const from = (255 + change) * 3;
  bytes[to] = GRAY[from];
  bytes[to + 1] = GRAY[from + 1];
  bytes[to + 2] = GRAY[from + 2];
  return change * change;
}

/**
 * As `grayDifference` of a pixel in colour: the sum over the three channels.
 *
 * @param {Uint8Array} before
 * @param {number} was
 * @param {Uint8Array} after
 * @param {number} is
 * @param {Uint8Array} bytes
 * @param {number} to
 */
function colourDifference(before, was, after, is, bytes, to) {
  const red = after[is] - before[was];
  const green = after[is + 1] - before[was + 1];
  const blue = after[is + 2] - before[was + 2];
  const square = red * red + green * green + blue * blue;
  const size = SIZES[square];
  const part = size === 0 ? 0 : ((PARTS * (red + green + blue)) / (3 * size)) | 0;
  const from = (size * (2 * PARTS + 1) + PARTS + Math.max(-PARTS, Math.min(PARTS, part))) * 3;
  bytes[to] = COLOUR[from];
  bytes[to + 1] = COLOUR[from + 1];
  bytes[to + 2] = COLOUR[from + 2];
  return square;
}

/**
 * How a picture differs from another one: blue where it is darker, orange where it is brighter, pale where only the colour
 * differs, dark where it is the same. Both show the same pixels, but one may have been reduced more than the other.
 *
 * @param {Picture | undefined} before
 * @param {Picture | undefined} after
 * @returns {Picture & {rms: number} | undefined} `rms` is over pixels and channels, of 1
 */
export function difference(before, after) {
  if (!before || !after) return undefined;
  const { width, height, channels } = after;
  const bytes = new Uint8Array(width * height * 3);
  let sum = 0;
  let to = 0;
  for (let row = 0; row < height; row += 1) {
    const rowBefore = Math.floor((row * before.height) / height) * before.width;
    for (let column = 0; column < width; column += 1) {
      const columnBefore = before.width === width ? column : Math.floor((column * before.width) / width);
      const was = before.offset + (rowBefore + columnBefore) * channels;
      const is = after.offset + (row * width + column) * channels;
      sum += channels === 1 ? grayDifference(before.bytes, was, after.bytes, is, bytes, to)
        : colourDifference(before.bytes, was, after.bytes, is, bytes, to);
      to += 3;
    }
  }
  const rms = Math.sqrt(sum / (width * height * channels)) / 255;
  return { bytes, offset: 0, width, height, channels: 3, rms };
}

/** A colour of the style sheet. @param {string} name */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/**
 * Makes a canvas a square.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} boxPx its side on the page
 * @returns {number} its side in pixels of the screen
 */
export function makeSquare(canvas, boxPx) {
  const box = Math.round(boxPx * (window.devicePixelRatio || 1));
  if (canvas.width !== box || canvas.height !== box) {
    canvas.width = box;
    canvas.height = box;
    canvas.style.width = `${boxPx}px`;
    canvas.style.height = `${boxPx}px`;
  }
  return box;
}

/**
 * Draws one picture into a canvas of its own, as large as whole pixels allow.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Picture | undefined} picture
 * @param {number} boxPx the side of the canvas on the page
 * @param {Mark} [mark] over it
 */
export function drawAlone(canvas, picture, boxPx, mark) {
  const box = makeSquare(canvas, boxPx);
  const context = context2d(canvas);
  context.clearRect(0, 0, box, box);
  if (!picture) return;
  const fitting = box / Math.max(picture.width, picture.height);
  const scale = wholePixels(fitting, 1);
  const width = picture.width * scale;
  const height = picture.height * scale;
  const placed = { x: Math.floor((box - width) / 2), y: Math.floor((box - height) / 2), width, height };
  drawPictures(context, [{ picture, ...placed }]);
  if (mark) drawMark(context, mark, placed);
}

/**
 * Draws a cross over what is stuck, a bar along the lower edge of what is flat: with a dark rim, so that they stand out from
 * any picture.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Mark} mark
 * @param {Box} box
 */
export function drawMark(context, mark, { x, y, width, height }) {
  const bright = colour("--mark");
  const dark = colour("--mark-rim");
  if (mark === "stuck") {
    const line = Math.max(1, width / 32);
    const rim = Math.max(1, width / 64);
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    for (const [style, wide] of /** @type {[string, number][]} */ ([[dark, line + 2 * rim], [bright, line]])) {
      context.strokeStyle = style;
      context.lineWidth = wide;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + width, y + height);
      context.moveTo(x + width, y);
      context.lineTo(x, y + height);
      context.stroke();
    }
    context.restore();
  } else {
    const bar = Math.max(2, Math.round(height / 16));
    context.fillStyle = dark;
    context.fillRect(x, y + height - bar - 1, width, 1);
    context.fillStyle = bright;
    context.fillRect(x, y + height - bar, width, bar);
  }
}
