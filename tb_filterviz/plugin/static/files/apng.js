// An animated PNG: in a palette where there are few colours, and of each frame no more than what changed.

import { joined, letters } from "./bytes.js";
import { crc32 } from "./crc.js";
import { changes, pixelsIn } from "./frames.js";
import { exactPalette, indices } from "./palette.js";
import { filtered, magnitude, turns } from "./row_filters.js";

/** @typedef {import("./frames.js").Box} Box */
/** @typedef {import("./frames.js").Frames} Frames */
/** @typedef {import("./frames.js").OnProgress} OnProgress */
/** @typedef {import("./frames.js").Timing} Timing */
/** @typedef {import("./palette.js").Palette} Palette */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {import("./row_filters.js").Cost | null} Guess at which filter suits a row; null for no filter at all */
/** @typedef {{ box: Box, delay_ms: number, deflated: Bytes }} Picture */

const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const RGB = 2;
const INDEXED = 3;
/** @type {Guess[]} */
const GUESSES = [null, magnitude, turns];
const ALL_EVERY = 10; // frames are much alike: which guess is best is found out anew only now and then

/**
 * Numbers as bytes, the highest first: [how many bytes, value].
 * @param {...[1 | 2 | 4, number]} fields
 */
function numbers(...fields) {
  return fields.flatMap(([size, value]) =>
    Array.from({ length: size }, (_, at) => Math.floor(value / 256 ** (size - 1 - at)) % 256));
}

/**
 * @param {string} name
 * @param {...(Bytes | number[])} parts
 */
function chunk(name, ...parts) {
  const body = joined(letters(name), ...parts);
  return joined(numbers([4, body.length - 4]), body, numbers([4, crc32(body)]));
}

/**
 * @param {Bytes} bytes
 * @returns {Promise<Bytes>}
 */
async function deflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * @param {Uint32Array} pixels
 * @returns {Bytes}
 */
function rgb(pixels) {
  const bytes = new Uint8Array(pixels.length * 3);
  let to = 0;
  for (const pixel of pixels) {
    bytes[to] = pixel;
    bytes[to + 1] = pixel >>> 8;
    bytes[to + 2] = pixel >>> 16;
    to += 3;
  }
  return bytes;
}

/**
 * @param {Bytes} bytes rows of pixels
 * @param {number} stride bytes of a row
 * @param {number} step bytes of a pixel
 * @param {Guess[]} guesses
 * @returns {Promise<{ deflated: Bytes, guess: Guess }>} the smallest, and which guess led to it
 */
async function smallest(bytes, stride, step, guesses) {
  const tried = [];
  for (const guess of guesses) tried.push({ guess, deflated: await deflate(filtered(bytes, stride, step, guess)) });
  return tried.reduce((best, one) => (one.deflated.length < best.deflated.length ? one : best));
}

/**
 * A delay as a fraction of a second in two numbers below 65536.
 * @param {number} delay_ms
 * @returns {[[2, number], [2, number]]}
 */
function fraction(delay_ms) {
  for (const perSecond of [1000, 100, 10]) {
    const count = Math.round(delay_ms * perSecond / 1000);
    if (count < 65536) return [[2, count], [2, perSecond]];
  }
  return [[2, 65535], [2, 1]];
}

/**
 * @param {Picture[]} pictures
 * @param {Timing} timing
 * @param {Palette | null} palette
 * @returns {Bytes[]}
 */
function chunks(pictures, { width, height }, palette) {
  const parts = [SIGNATURE,
    chunk("IHDR", numbers([4, width], [4, height], [1, 8], [1, palette ? INDEXED : RGB], [1, 0], [1, 0], [1, 0])),
    chunk("acTL", numbers([4, pictures.length], [4, 0]))];
  if (palette) parts.push(chunk("PLTE", palette.bytes));
  let sequence = 0;
  for (const { box, delay_ms, deflated } of pictures) {
    const place = numbers([4, box.width], [4, box.height], [4, box.left], [4, box.top]);
    parts.push(chunk("fcTL", numbers([4, sequence]), place, numbers(...fraction(delay_ms), [1, 0], [1, 0])));
    if (sequence === 0) {
      parts.push(chunk("IDAT", deflated));
      sequence += 1;
    } else {
      parts.push(chunk("fdAT", numbers([4, sequence + 1]), deflated));
      sequence += 2;
    }
  }
  return [...parts, chunk("IEND")];
}

/**
 * An animation that loops for ever, exact to the pixel. Format: PNG, third edition, "APNG".
 * @param {Frames} frames each of which is asked for twice
 * @param {Timing} timing
 * @param {OnProgress} [onProgress]
 * @returns {Promise<Blob>}
 */
export async function encodeApng(frames, timing, onProgress = () => {}) {
  const palette = await exactPalette(frames, 256, (done) => onProgress(done / 4));
  const step = palette ? 1 : 3;
  /** @type {Picture[]} */
  const pictures = [];
  let guesses = GUESSES;
  for await (const { at, frame, box, delay_ms } of changes(frames, timing)) {
    const pixels = pixelsIn(frame, box);
    const bytes = palette ? indices(pixels, palette) : rgb(pixels);
    if (pictures.length % ALL_EVERY === 0) guesses = GUESSES;
    const { deflated, guess } = await smallest(bytes, box.width * step, step, guesses);
    guesses = [guess];
    pictures.push({ box, delay_ms, deflated });
    onProgress((1 + 3 * (at + 1) / frames.count) / 4);
  }
  onProgress(1);
  return new Blob(chunks(pictures, timing, palette), { type: "image/png" });
}
