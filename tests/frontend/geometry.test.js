import assert from "node:assert/strict";
import { test } from "node:test";

import { nearestIndex, placeOf, wholePixels } from "../../tb_filterviz/plugin/static/pictures/geometry.js";

test("a step's place is a fraction of the way, steps standing at even distances", () => {
  assert.deepEqual([0, 5, 9, 10, 99, -3].map((step) => placeOf(step, [0, 10, 20])), [0, 0.25, 0.45, 0.5, 1, 0]);
  assert.deepEqual([-1, 0, 1, 50, 100].map((step) => placeOf(step, [-1, 0, 100])), [0, 0.5, 0.505, 0.75, 1]);
  assert.equal(placeOf(3, [3]), 0);
});

test("the nearest step is found, the first of two, the last for none", () => {
  assert.deepEqual([nearestIndex(7, [1, 5, 9]), nearestIndex(8, [1, 5, 9]), nearestIndex(-9, [1, 5])], [1, 2, 0]);
  assert.deepEqual([null, undefined, NaN].map((none) => nearestIndex(none, [1, 5])), [1, 1, 1]);
});

test("enlarged tiles get as many whole pixels as fit, reduced ones keep their scale", () => {
  for (const ratio of [1, 1.25, 1.5, 2, 3]) {
    for (let scale = 0.1; scale < 20; scale += 0.13) {
      const whole = wholePixels(scale, ratio);
      const onScreen = whole * ratio;
      assert.ok(whole <= scale + 1e-6 && scale - whole < 1 / ratio, `${scale} at ${ratio}: ${whole}`);
      if (scale * ratio < 1) assert.equal(whole, scale);
      if (scale * ratio >= 4) assert.ok(Math.abs(onScreen - Math.round(onScreen)) < 1e-9, `${scale} at ${ratio}: ${whole}`);
    }
  }
  assert.equal(wholePixels(3 * (1 / 3) * 7, 1), 7);
});
