import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeGif } from "../../tb_filterviz/plugin/static/files/gif.js";
import { lzw } from "../../tb_filterviz/plugin/static/files/lzw.js";
import { bytesOf, few, framesOf, many, painted, planted, rgbOf } from "./planted.js";
import { randomOf } from "./random.js";
import { readGif, unpacked } from "./read_gif.js";

/** @param {number} count @param {(at: number) => import("./planted.js").Frame} frameAt @param {number[]} [delays_ms] */
async function written(count, frameAt, delays_ms = Array(count).fill(120)) {
  const { made, frames, size } = planted(count, frameAt);
  return { made, read: readGif(await bytesOf(await encodeGif(frames, { ...size, delays_ms }))) };
}

/** @param {ArrayLike<number>} one @param {ArrayLike<number>} other */
function meanError(one, other) {
  return Array.from(one, (value, at) => Math.abs(value - other[at])).reduce((sum, error) => sum + error) / one.length;
}

test("every frame in few colours comes back, pixel for pixel", async () => {
  const { made, read } = await written(6, few);
  assert.deepEqual(read.frames.map(({ rgb }) => [...rgb]), made.map((frame) => [...rgbOf(frame)]));
  assert.deepEqual([read.width, read.height, read.plays, read.hasGlobalTable], [45, 31, 0, true]);
});

test("many colours come back closely, and what stays keeps its place", async () => {
  const { made, read } = await written(6, many);
  assert.equal(read.hasGlobalTable, false);
  read.frames.forEach(({ rgb, box }, at) => {
    assert.ok(meanError(rgb, rgbOf(made[at])) < 8, `frame ${at}: ${meanError(rgb, rgbOf(made[at]))}`);
    if (at) assert.deepEqual(box, { left: 5, top: 2, width: 40, height: 29 });
  });
});

test("up to 256 colours are exact, with a place to spare or without", async () => {
  for (const count of [1, 2, 3, 4, 5, 128, 255, 256]) {
    const colour = (/** @type {number} */ place) => [place % count, 255 - place % count, 7];
    const { made, read } = await written(3, (at) => painted(count + 1, 2, (x, y) => colour(y ? x + at : x)));
    assert.equal(read.hasGlobalTable, true);
    assert.deepEqual([...(read.frames.at(-1)?.rgb ?? [])], [...rgbOf(made[2])], `${count} colours`);
  }
});

test("with all 256 places taken, a few new pixels of the darkest are seen", async () => {
  const { made, read } = await written(2, (at) => painted(256, 3, (x, y) => {
    const gray = at && y && (x + y) % 64 === 1 ? 0 : x;
    return [gray, gray, gray];
  }));
  assert.deepEqual(read.frames.map(({ rgb }) => [...rgb]), made.map((frame) => [...rgbOf(frame)]));
});

test("a frame whose new colours are 255 is exact, whatever all others are", async () => {
  const { made, read } = await written(4, (at) => painted(256, 1, (x) => (x === 100 ? [9, 9, 9] : [x, at, 0])));
  assert.equal(read.hasGlobalTable, false);
  assert.deepEqual(read.frames.slice(1).map(({ rgb }) => [...rgb]), made.slice(1).map((frame) => [...rgbOf(frame)]));
});

test("hundredths of a second that are rounded off are made up for", async () => {
  const { read } = await written(7, few, [83.3, 83.3, 83.3, 83.3, 83.3, 83.3, 1000]);
  assert.deepEqual(read.frames.map(({ delay_ms }) => delay_ms), [80, 90, 80, 80, 90, 80, 1000]);
});

test("no frame is shorter than what programs heed, nor longer than fits", async () => {
  const { read } = await written(2, few, [1, 1e6]);
  assert.deepEqual(read.frames.map(({ delay_ms }) => delay_ms), [20, 655350]);
});

test("a frame that is like the one before makes that one stay", async () => {
  const { read } = await written(4, (at) => few(at >> 1));
  assert.deepEqual(read.frames.map(({ delay_ms }) => delay_ms), [240, 240]);
});

test("frames of two sizes are refused, by number", async () => {
  const frames = framesOf([few(0), few(0), painted(5, 5, () => [0, 0, 0])]);
  await assert.rejects(encodeGif(frames, { width: 45, height: 31, delays_ms: [1, 1, 1] }), /frame 2 is 5 x 5/);
});

// Around where codes become longer, and where the table is full.
const LENGTHS = [...Array.from({ length: 80 }, (_, at) => at + 1), 255, 256, 257, 3837, 3838, 3839, 4093, 4094, 4095, 4096,
  9000];

for (const bits of [2, 3, 5, 8]) {
  test(`values of ${bits} bits are packed and unpacked, whatever their number`, () => {
    const random = randomOf(bits);
    const noise = Uint8Array.from({ length: 9000 }, () => random(2 ** bits));
    const runs = noise.map((_, at) => noise[at >> 4]);
    const flat = new Uint8Array(9000);
    for (const values of [noise, runs, flat]) {
      for (const length of LENGTHS) {
        const some = values.subarray(0, length);
        assert.deepEqual(unpacked(lzw(some, bits), bits), [...some]);
      }
    }
  });
}
