import assert from "node:assert/strict";
import { test } from "node:test";

import { filtered, magnitude, turns } from "../../tb_filterviz/plugin/static/files/row_filters.js";
import { randomOf } from "./random.js";
import { unfiltered } from "./read_png.js";

const random = randomOf(1);
const NOISE = Uint8Array.from({ length: 30 * 7 }, () => random(256));

for (const [which, type] of [0, 1, 2, 4].entries()) {
  for (const step of [1, 3]) {
    test(`rows by filter ${type} come back, ${step} bytes a pixel`, () => {
      let asked = -1;
      const rows = filtered(NOISE, 30, step, () => {
        asked += 1;
        return asked % 4 === which ? 0 : 1;
      });
      const { pixels, types } = unfiltered(rows, 30, step);
      assert.deepEqual(types, Array(7).fill(type));
      assert.deepEqual(pixels, NOISE);
    });
  }
}

test("without a guess, rows stay as they are", () => {
  assert.deepEqual(unfiltered(filtered(NOISE, 30, 3, null), 30, 3), { pixels: NOISE, types: Array(7).fill(0) });
});

test("each kind of row takes the filter that was made for it", () => {
  const rising = Uint8Array.from({ length: 60 }, (_, at) => at * 9);
  const rows = Uint8Array.of(...rising, ...NOISE.subarray(0, 60), ...NOISE.subarray(0, 60));
  assert.deepEqual(unfiltered(filtered(rows, 60, 1, magnitude), 60, 1).types.filter((_, row) => row !== 1), [1, 2]);
  const enlarged = NOISE.map((_, at) => NOISE[Math.floor(at / 6)]);
  assert.equal(unfiltered(filtered(enlarged, 210, 1, turns), 210, 1).types[0], 0);
});

test("magnitude reads bytes as signed, and turns counts changes", () => {
  assert.equal(magnitude(Uint8Array.of(0, 1, 255, 128, 127)), 257);
  assert.equal(turns(Uint8Array.of(3, 3, 3, 4, 4, 3)), 2);
});
