import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateSync } from "node:zlib";

import { encodeApng } from "../../tb_filterviz/plugin/static/files/apng.js";
import { bytesOf, few, framesOf, many, painted, planted, rgbOf } from "./planted.js";
import { randomOf } from "./random.js";
import { readApng } from "./read_png.js";

/** @param {number} count @param {(at: number) => import("./planted.js").Frame} frameAt @param {number[]} [delays_ms] */
async function written(count, frameAt, delays_ms = Array(count).fill(125)) {
  const { made, frames, size } = planted(count, frameAt);
  return { made, read: readApng(await bytesOf(await encodeApng(frames, { ...size, delays_ms }))) };
}

for (const [name, frameAt, isIndexed] of /** @type {const} */ ([["few", few, true], ["many", many, false]])) {
  test(`every frame in ${name} colours comes back, pixel for pixel`, async () => {
    const { made, read } = await written(6, frameAt, [100, 100, 100, 83, 83.4, 1000]);
    assert.deepEqual(read.frames.map(({ rgb }) => [...rgb]), made.map((frame) => [...rgbOf(frame)]));
    assert.deepEqual(read.frames.map(({ delay_ms }) => delay_ms), [100, 100, 100, 83, 83, 1000]);
    assert.deepEqual([read.width, read.height, read.isIndexed, read.plays], [45, 31, isIndexed, 0]);
  });
}

test("a palette holds 256 colours, and no more", async () => {
  const gray = (/** @type {number} */ count) => () => painted(257, 1, (x) => (x < count ? [x, x, x] : [255, 0, 0]));
  for (const [count, isIndexed] of /** @type {const} */ ([[255, true], [256, false]])) {
    const { made, read } = await written(1, gray(count));
    assert.equal(read.isIndexed, isIndexed);
    assert.deepEqual([...read.frames[0].rgb], [...rgbOf(made[0])]);
  }
});

test("colours are counted over all frames", async () => {
  const half = (/** @type {number} */ at) => painted(200, 1, (x) => [x, at, 0]);
  assert.equal((await written(1, half)).read.isIndexed, true);
  assert.equal((await written(2, half)).read.isIndexed, false);
});

test("of each frame only the box that changed is written", async () => {
  const dots = [[0, 0], [44, 30], [7, 20]];
  const { made, read } = await written(3, (at) => painted(45, 31, (x, y) =>
    (dots.slice(1, at + 1).some(([left, top]) => left === x && top === y) ? [255, 255, 255] : [0, 0, 0])));
  assert.deepEqual(read.frames.map(({ box }) => box), [{ left: 0, top: 0, width: 45, height: 31 },
    { left: 44, top: 30, width: 1, height: 1 }, { left: 7, top: 20, width: 1, height: 1 }]);
  assert.deepEqual([...read.frames[2].rgb], [...rgbOf(made[2])]);
});

test("a frame that is like the one before makes that one stay", async () => {
  const { made, read } = await written(6, (at) => few([0, 0, 0, 1, 2, 2][at]), [10, 20, 30, 40, 50, 60000]);
  assert.deepEqual(read.frames.map(({ delay_ms }) => delay_ms), [60, 40, 60050]);
  assert.deepEqual([...read.frames[2].rgb], [...rgbOf(made[5])]);
});

test("a frame stays for minutes, if it has to", async () => {
  const { read } = await written(2, few, [65536, 700000]);
  assert.deepEqual(read.frames.map(({ delay_ms }) => delay_ms), [65540, 700000]);
});

test("a picture of one pixel and a single frame are animations", async () => {
  const { read } = await written(1, () => painted(1, 1, () => [1, 2, 3]));
  assert.deepEqual(read.frames, [{ delay_ms: 125, box: { left: 0, top: 0, width: 1, height: 1 },
    rgb: Uint8Array.of(1, 2, 3) }]);
});

test("it is smaller than whole frames without filters", async () => {
  const smooth = (/** @type {number} */ at) => {
    const random = randomOf(at);
    return painted(90, 60, (x, y) => [2 * x + random(3), 4 * y + random(3), x + y + 10 * at + random(3)]);
  };
  for (const [frameAt, most] of /** @type {const} */ ([[few, 0.5], [smooth, 0.6]])) {
    const { made, frames, size } = planted(5, frameAt);
    const blob = await encodeApng(frames, { ...size, delays_ms: Array(5).fill(100) });
    const plain = made.map((frame) => {
      const rgb = rgbOf(frame);
      const stride = frame.width * 3;
      const rows = Array.from({ length: frame.height }, (_, row) => [0, ...rgb.subarray(row * stride, (row + 1) * stride)]);
      return deflateSync(Uint8Array.from(rows.flat())).length;
    });
    const sum = plain.reduce((all, one) => all + one, 0);
    assert.ok(blob.size < most * sum, `${blob.size} of ${sum}`);
  }
});

test("progress rises to all of it", async () => {
  for (const frameAt of [few, many]) {
    const { frames, size } = planted(4, frameAt);
    /** @type {number[]} */
    const seen = [];
    await encodeApng(frames, { ...size, delays_ms: [1, 1, 1, 1] }, (done) => seen.push(done));
    assert.deepEqual(seen, seen.toSorted((one, other) => one - other));
    assert.ok(seen[0] > 0);
    assert.equal(seen.at(-1), 1);
  }
});

test("frames of two sizes are refused, by number", async () => {
  const frames = framesOf([few(0), painted(5, 5, () => [0, 0, 0])]);
  await assert.rejects(encodeApng(frames, { width: 45, height: 31, delays_ms: [1, 1] }), /frame 1 is 5 x 5, not 45 x 31/);
});

test("frames that change while they are written are refused", async () => {
  let asked = 0;
  const frame = () => painted(9, 9, () => [asked++, 0, 0]);
  await assert.rejects(encodeApng({ count: 1, frame }, { width: 9, height: 9, delays_ms: [1] }), /has changed/);
});
