import assert from "node:assert/strict";
import { test } from "node:test";

import { GAP, arranged, cornerOf, fit, layoutOf, placeAt } from "../../tb_filterviz/plugin/static/pictures/layout.js";
import { randomOf } from "./random.js";

const AREA = { width: 900, height: 470 };

test("fifty square tiles stand in ten columns of a wide area, and one is no larger than it may be", () => {
  assert.equal(fit(50, { width: 28, height: 28 }, AREA, 200, 1).columns, 10);
  assert.equal(fit(1, { width: 5, height: 5 }, AREA, 200, 1).scale, 40);
});

test("all tiles fit into the area, unless that made them smaller than two pixels", () => {
  const random = randomOf(11);
  for (let trial = 0; trial < 300; trial += 1) {
    const count = 1 + random(300);
    const tile = { width: 1 + random(60), height: 1 + random(60) };
    const area = { width: 200 + random(1500), height: 150 + random(900) };
    const { columns, rows, full, shown } = layoutOf(count, tile, area, {});
    assert.ok(columns * rows >= count && columns * (rows - 1) < count);
    if (shown.width > 2) {
      assert.ok(full.width <= area.width && full.height <= area.height, JSON.stringify({ count, tile, area, full }));
    }
  }
});

test("no number of columns makes tiles larger", () => {
  const random = randomOf(12);
  for (let trial = 0; trial < 100; trial += 1) {
    const count = 1 + random(80);
    const tile = { width: 5 + random(30), height: 5 + random(30) };
    const { shown } = layoutOf(count, tile, AREA, { largestPx: 1e6 });
    for (let columns = 1; columns <= count; columns += 1) {
      const larger = arranged(count, tile, columns, shown.width / tile.width + 1, 1);
      const fits = larger.full.width <= AREA.width && larger.full.height <= AREA.height;
      assert.ok(!fits, JSON.stringify({ count, tile, columns }));
    }
  }
});

test("each place is found at its corner and at its far end, and none between two", () => {
  const layout = layoutOf(23, { width: 14, height: 9 }, AREA, {});
  for (let at = 0; at < 23; at += 1) {
    const { x, y } = cornerOf(layout, at);
    assert.equal(placeAt(layout, x, y), at);
    assert.equal(placeAt(layout, x + layout.shown.width - 1, y + layout.shown.height - 1), at);
  }
  assert.equal(placeAt(layout, layout.origin.x - 1, layout.origin.y), -1);
  assert.equal(placeAt(layout, layout.origin.x + layout.columns * layout.step.x, layout.origin.y), -1);
});

test("places stand in rows, a gap apart", () => {
  const layout = arranged(5, { width: 10, height: 7 }, 3, 2, 1);
  assert.deepEqual([0, 1, 3].map((at) => cornerOf(layout, at)),
    [{ x: GAP, y: GAP }, { x: 2 * GAP + 20, y: GAP }, { x: GAP, y: 2 * GAP + 14 }]);
  assert.deepEqual(layout.full, { width: 3 * 20 + 4 * GAP, height: 2 * 14 + 3 * GAP });
});
