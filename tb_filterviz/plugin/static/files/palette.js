// Pure functions: few colours that stand for the many of a frame.

import { pixelsOf } from "./frames.js";

/** @typedef {import("./frames.js").Frame} Frame */
/** @typedef {import("./frames.js").Frames} Frames */
/** @typedef {import("./frames.js").OnProgress} OnProgress */
/**
 * `bytes` are red, green and blue of each colour; `places` says which of them stands for a pixel (see `pixelsOf`).
 * @typedef {{ size: number, bytes: Uint8Array<ArrayBuffer>, places: Map<number, number> }} Palette
 */
/** @typedef {{ colours: Uint32Array, counts: Uint32Array }} Histogram how often each colour occurs */
/** @typedef {{ from: number, to: number, mean: number[], spread: number[] }} Bin of colours [from, to), by channel */

/** A pixel that is transparent: in a frame there is none. */
export const CLEAR = 0;

const CHANNELS = [0, 8, 16]; // where red, green and blue begin in a pixel

/** @param {number} colour */
function brightness(colour) {
  return 299 * (colour & 255) + 587 * ((colour >>> 8) & 255) + 114 * ((colour >>> 16) & 255);
}

/**
 * How often each colour occurs in pixels; neighbours are mostly the same, so that these are not looked up one by one.
 * @param {Iterable<number>} pixels
 * @returns {Map<number, number>}
 */
export function countColours(pixels) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  let colour = -1;
  let run = 0;
  for (const pixel of pixels) {
    if (pixel === colour) {
      run += 1;
      continue;
    }
    if (run) counts.set(colour, (counts.get(colour) ?? 0) + run);
    colour = pixel;
    run = 1;
  }
  if (run) counts.set(colour, (counts.get(colour) ?? 0) + run);
  return counts;
}

/**
 * A palette of just these colours, the darkest first: then neighbours in a picture have neighbouring places.
 * @param {Iterable<number>} colours
 * @returns {Palette}
 */
export function paletteOf(colours) {
  const sorted = [...colours].sort((one, other) => brightness(one) - brightness(other) || one - other);
  return {
    size: sorted.length,
    bytes: Uint8Array.from(sorted.flatMap((colour) => CHANNELS.map((shift) => (colour >>> shift) & 255))),
    places: new Map(sorted.map((colour, place) => [colour, place])),
  };
}

/**
 * The palette of all colours of all frames; null if they are more than `most`.
 * @param {Frames} frames
 * @param {number} [most]
 * @param {OnProgress} [onProgress]
 * @returns {Promise<Palette | null>}
 */
export async function exactPalette(frames, most = 256, onProgress = () => {}) {
  /** @type {Set<number>} */
  const colours = new Set();
  for (let at = 0; at < frames.count; at += 1) {
    let before = -1;
    for (const pixel of pixelsOf(await frames.frame(at))) {
      if (pixel === before) continue;
      before = pixel;
      colours.add(pixel);
      if (colours.size > most) return null;
    }
    onProgress((at + 1) / frames.count);
  }
  return paletteOf(colours);
}

/**
 * @param {Histogram} histogram
 * @param {number} from
 * @param {number} to
 * @returns {Bin}
 */
function bin({ colours, counts }, from, to) {
  let [all, red, green, blue, redSquare, greenSquare, blueSquare] = [0, 0, 0, 0, 0, 0, 0];
  for (let at = from; at < to; at += 1) { // colours are many, so that this has no inner loop over channels
    const colour = colours[at];
    const count = counts[at];
    const r = colour & 255;
    const g = (colour >>> 8) & 255;
    const b = (colour >>> 16) & 255;
    all += count;
    red += count * r;
    green += count * g;
    blue += count * b;
    redSquare += count * r * r;
    greenSquare += count * g * g;
    blueSquare += count * b * b;
  }
  return { from, to, mean: [red / all, green / all, blue / all],
    spread: [redSquare - red ** 2 / all, greenSquare - green ** 2 / all, blueSquare - blue ** 2 / all] };
}

/**
 * Puts the colours of a bin that are below its mean, in the channel of the largest spread, before all others.
 * @param {Histogram} histogram
 * @param {Bin} whole
 * @returns {number} where the others begin
 */
function part({ colours, counts }, { from, to, mean, spread }) {
  const channel = spread.indexOf(Math.max(...spread));
  let middle = from;
  for (let at = from; at < to; at += 1) {
    const [colour, count] = [colours[at], counts[at]];
    if (((colour >>> CHANNELS[channel]) & 255) >= mean[channel]) continue;
    colours[at] = colours[middle];
    counts[at] = counts[middle];
    colours[middle] = colour;
    counts[middle] = count;
    middle += 1;
  }
  return middle;
}

/**
 * A palette of at most `most` colours that comes close to those counted. The bin whose colours differ most, as a sum of
 * squares over pixels, is parted at its mean until there are enough. After Wan, Prusinkiewicz, Wong (1990), "Variance-based
 * color image quantization for frame buffer display", doi 10.1002/col.5080150109.
 * @param {Map<number, number>} counts
 * @param {number} [most]
 * @returns {Palette}
 */
export function closePalette(counts, most = 256) {
  if (counts.size <= most) return paletteOf(counts.keys());
  const colours = Uint32Array.from(counts.keys());
  const histogram = { colours, counts: Uint32Array.from(counts.values()) };
  const bins = [bin(histogram, 0, colours.length)];
  while (bins.length < most) {
    const sizes = bins.map(({ spread }) => spread[0] + spread[1] + spread[2]);
    const at = sizes.indexOf(Math.max(...sizes));
    const { from, to } = bins[at];
    const middle = part(histogram, bins[at]);
    bins.splice(at, 1, bin(histogram, from, middle), bin(histogram, middle, to));
  }
  const means = bins.map(({ mean }) => mean.map(Math.round));
  /** @type {Map<number, number>} */
  const places = new Map();
  bins.forEach(({ from, to }, place) => {
    for (let at = from; at < to; at += 1) places.set(colours[at], place);
  });
  return { size: bins.length, bytes: Uint8Array.from(means.flat()), places };
}

/**
 * The place in a palette of every pixel, after all colours for `CLEAR`; it is an error if one has a colour that the
 * palette was not made from.
 * @param {Uint32Array} pixels
 * @param {Palette} palette
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function indices(pixels, { places, size }) {
  const found = new Uint8Array(pixels.length);
  let colour = CLEAR;
  let place = size;
  for (let at = 0; at < pixels.length; at += 1) {
    if (pixels[at] !== colour) {
      colour = pixels[at];
      const known = colour === CLEAR ? size : places.get(colour);
      if (known === undefined) throw new Error("a frame has changed while it was written");
      place = known;
    }
    found[at] = place;
  }
  return found;
}
