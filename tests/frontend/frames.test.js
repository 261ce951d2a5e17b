import assert from "node:assert/strict";
import { test } from "node:test";

import { changedBox, changes, pixelsIn } from "../../tb_filterviz/plugin/static/files/frames.js";
import { few, painted, planted } from "./planted.js";
import { randomOf } from "./random.js";

test("the changed box holds all that differs, and its edges do", () => {
  const random = randomOf(5);
  for (let trial = 0; trial < 200; trial += 1) {
    const dots = Array.from({ length: 1 + random(3) }, () => [random(12), random(7)]);
    const after = painted(12, 7, (x, y) => (dots.some(([left, top]) => left === x && top === y) ? [0, 0, 1] : [0, 0, 0]));
    const [columns, rows] = [0, 1].map((side) => dots.map((dot) => dot[side]));
    const [left, top] = [Math.min(...columns), Math.min(...rows)];
    assert.deepEqual(changedBox(painted(12, 7, () => [0, 0, 0]), after),
      { left, top, width: Math.max(...columns) - left + 1, height: Math.max(...rows) - top + 1 });
  }
});

test("frames that are the same have no changed box", () => {
  assert.equal(changedBox(few(1), few(1)), null);
});

test("pixels within a box are those of its rows", () => {
  const frame = painted(5, 4, (x, y) => [x, y, 0]);
  assert.deepEqual(Array.from(pixelsIn(frame, { left: 3, top: 1, width: 2, height: 2 }), (pixel) => pixel & 0xffff),
    [0x103, 0x104, 0x203, 0x204]);
});

test("changes keep the time of all frames", async () => {
  const { frames, size } = planted(5, (at) => few([0, 1, 1, 1, 0][at]));
  const seen = [];
  for await (const change of changes(frames, { ...size, delays_ms: [1, 20, 300, 4000, 50000] })) seen.push(change);
  assert.deepEqual(seen.map(({ at, delay_ms }) => [at, delay_ms]), [[0, 1], [1, 4320], [4, 50000]]);
  assert.deepEqual(seen.map(({ before }) => before), [null, few(0), few(1)]);
});

test("no frames, no changes", async () => {
  const none = changes({ count: 0, frame: few }, { width: 45, height: 31, delays_ms: [] });
  assert.deepEqual(await none.next(), { done: true, value: undefined });
});
