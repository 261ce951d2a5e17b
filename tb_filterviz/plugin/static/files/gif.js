// An animated GIF: what every program shows, in at most 256 colours a frame. Format: GIF89a.

import { letters } from "./bytes.js";
import { changes, pixelsIn } from "./frames.js";
import { lzw } from "./lzw.js";
import { CLEAR, closePalette, countColours, exactPalette, indices } from "./palette.js";

/** @typedef {import("./frames.js").Box} Box */
/** @typedef {import("./frames.js").Change} Change */
/** @typedef {import("./frames.js").Frames} Frames */
/** @typedef {import("./frames.js").OnProgress} OnProgress */
/** @typedef {import("./frames.js").Timing} Timing */
/** @typedef {import("./palette.js").Palette} Palette */
/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/**
 * Where a frame is drawn and for how long, its places in a palette, which of them leaves a pixel as it was, and the
 * palette where it is the frame's own.
 * @typedef {{ box: Box, delay_cs: number, places: Bytes, bits: number, clear?: number, local?: Palette }} Picture
 */

const MOST = 256;
const SHORTEST_CS = 2; // many programs take a shorter delay for a tenth of a second
const LONGEST_CS = 65535;
const TABLE = 0x80;
const KEEP = 1 << 2; // what a frame has drawn stays
const FOR_EVER = Uint8Array.of(0x21, 0xff, 11, ...letters("NETSCAPE2.0"), 3, 1, 0, 0, 0);

/** Two bytes each, the lower first. @param {...number} values */
function words(...values) {
  return values.flatMap((value) => [value & 255, value >>> 8]);
}

/** How many bits tell so many places apart. @param {number} places */
function bitsFor(places) {
  return Math.max(1, Math.ceil(Math.log2(places)));
}

/**
 * @param {Palette} palette
 * @param {number} bits
 */
function table({ bytes }, bits) {
  const all = new Uint8Array(3 << bits);
  all.set(bytes);
  return all;
}

/** In blocks of at most 255 bytes, each after its length; 0 ends them. @param {Bytes} bytes */
function blocks(bytes) {
  const all = new Uint8Array(bytes.length + Math.ceil(bytes.length / 255) + 1);
  for (let from = 0, to = 0; from < bytes.length; from += 255, to += 256) {
    const block = bytes.subarray(from, from + 255);
    all[to] = block.length;
    all.set(block, to + 1);
  }
  return all;
}

/**
 * @param {Picture} picture
 * @returns {Bytes[]}
 */
function image({ box, delay_cs, places, bits, clear, local }) {
  const depth = Math.max(2, bits);
  return [
    Uint8Array.of(0x21, 0xf9, 4, KEEP | (clear === undefined ? 0 : 1), ...words(delay_cs), clear ?? 0, 0),
    Uint8Array.of(0x2c, ...words(box.left, box.top, box.width, box.height), local ? TABLE | (bits - 1) : 0),
    ...(local ? [table(local, bits)] : []),
    Uint8Array.of(depth),
    blocks(lzw(places, depth)),
  ];
}

/** The pixels of a change; where they are as they were, `CLEAR`. @param {Change} change */
function newPixels({ before, frame, box }) {
  const pixels = pixelsIn(frame, box);
  if (!before) return pixels;
  const was = pixelsIn(before, box);
  return pixels.map((pixel, at) => (pixel === was[at] ? CLEAR : pixel));
}

/** @param {Bytes[]} parts */
function sizeOf(parts) {
  return parts.reduce((sum, part) => sum + part.length, 0);
}

/**
 * A frame in the palette of all of them: with all its pixels or, where there is a place left, the new ones only.
 * @param {Change} change
 * @param {number} delay_cs
 * @param {Palette} palette
 * @returns {Bytes[]} the smaller
 */
function exactImage(change, delay_cs, palette) {
  const { before, frame, box } = change;
  const bits = bitsFor(Math.min(MOST, palette.size + 1));
  const whole = image({ box, delay_cs, bits, places: indices(pixelsIn(frame, box), palette) });
  if (!before || palette.size === MOST) return whole;
  const sparse = image({ box, delay_cs, bits, places: indices(newPixels(change), palette), clear: palette.size });
  return sizeOf(sparse) < sizeOf(whole) ? sparse : whole;
}

/**
 * A frame in a palette of its own, made for its new pixels.
 * @param {Change} change
 * @param {number} delay_cs
 * @returns {Bytes[]}
 */
function closeImage(change, delay_cs) {
  const pixels = newPixels(change);
  const counts = countColours(pixels);
  counts.delete(CLEAR);
  const local = closePalette(counts, MOST - 1);
  return image({ box: change.box, delay_cs, bits: bitsFor(local.size + 1), places: indices(pixels, local),
    clear: local.size, local });
}

/**
 * An animation that loops for ever: exact to the pixel if all frames together have no more than 256 colours, else close.
 * @param {Frames} frames each of which is asked for twice
 * @param {Timing} timing
 * @param {OnProgress} [onProgress]
 * @returns {Promise<Blob>}
 */
export async function encodeGif(frames, timing, onProgress = () => {}) {
  const palette = await exactPalette(frames, MOST, (done) => onProgress(done / 4));
  const bits = palette ? bitsFor(Math.min(MOST, palette.size + 1)) : 1;
  const parts = [
    Uint8Array.of(...letters("GIF89a"), ...words(timing.width, timing.height)),
    Uint8Array.of(palette ? TABLE | (7 << 4) | (bits - 1) : 0, 0, 0),
    ...(palette ? [table(palette, bits)] : []),
    FOR_EVER,
  ];
  let elapsed_ms = 0;
  let shown_cs = 0; // what has been rounded off is made up for later
  for await (const change of changes(frames, timing)) {
    elapsed_ms += change.delay_ms;
    const delay_cs = Math.min(LONGEST_CS, Math.max(SHORTEST_CS, Math.round(elapsed_ms / 10) - shown_cs));
    shown_cs += delay_cs;
    parts.push(...(palette ? exactImage(change, delay_cs, palette) : closeImage(change, delay_cs)));
    onProgress((1 + 3 * (change.at + 1) / frames.count) / 4);
  }
  onProgress(1);
  return new Blob([...parts, Uint8Array.of(0x3b)], { type: "image/gif" });
}
