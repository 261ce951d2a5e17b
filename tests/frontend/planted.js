// Frames with known pixels.

import { randomOf } from "./random.js";

/** @typedef {import("../../tb_filterviz/plugin/static/files/frames.js").Frame} Frame */
/** @typedef {import("../../tb_filterviz/plugin/static/files/frames.js").Frames} Frames */

/**
 * @param {number} width
 * @param {number} height
 * @param {(x: number, y: number) => number[]} rgbAt
 * @returns {Frame}
 */
export function painted(width, height, rgbAt) {
  const data = new Uint8ClampedArray(width * height * 4);
  for (let at = 0; at < width * height; at += 1) data.set([...rgbAt(at % width, Math.floor(at / width)), 255], at * 4);
  return { width, height, data };
}

/**
 * Frames in memory of their own each time they are asked for.
 * @param {Frame[]} made
 * @returns {Frames}
 */
export function framesOf(made) {
  return { count: made.length, frame: (at) => ({ ...made[at], data: made[at].data.slice() }) };
}

/** What is to be seen of a frame. @param {Frame} frame */
export function rgbOf({ data }) {
  return data.filter((_, at) => at % 4 !== 3);
}

const [WIDTH, HEIGHT] = [45, 31];
const ORANGE = [255, 140, 0];

/** A stripe that moves over stripes that stay, below a line of gray and beside an orange mark. @param {number} at */
export function few(at) {
  return painted(WIDTH, HEIGHT, (x, y) => {
    if (y < 4) return Array(3).fill((x * 37 + y * 11) % 256 & 0xf8);
    if (x === y) return ORANGE;
    if (y === 8 + at) return [250, 250, 250];
    return Array(3).fill(y % 3 ? 38 : 90);
  });
}

/** Noise in every colour that fades into a smooth picture; a margin stays. @param {number} at */
export function many(at) {
  const random = randomOf(7);
  return painted(WIDTH, HEIGHT, (x, y) => {
    const noise = [random(256), random(256), random(256)];
    if (x < 5 || y < 2) return [38, 38, 38];
    return noise.map((value, channel) => (value * (5 - at) + (x + y + channel * 40) * 2 * at) / 5);
  });
}

/** @param {number} count @param {(at: number) => Frame} frameAt */
export function planted(count, frameAt) {
  const made = Array.from({ length: count }, (_, at) => frameAt(at));
  return { made, frames: framesOf(made), size: { width: made[0].width, height: made[0].height } };
}

/** @param {Blob} blob */
export async function bytesOf(blob) {
  return Buffer.from(await blob.arrayBuffer());
}
