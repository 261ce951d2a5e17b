import assert from "node:assert/strict";
import { test } from "node:test";

import { orderKey, orderOf, ordersOf, rankOf, sortedBy } from "../../tb_filterviz/plugin/static/state/ordering.js";

const GAIN = { name: "gain", label: "gain", description: "how far", sort: "descending" };
const LOSS = { name: "loss", label: "loss", description: "how bad", sort: "ascending" };
const NOTES = { name: "notes", label: "notes", description: "sorts nothing", sort: null };
const TAKEN = { name: "stuck", label: "stuck", description: "has the name of an order", sort: "descending" };
const CHANGE = { name: "change_since_start", label: "change since start", description: "since then", sort: "descending" };

const FORMED = new Map([
  [10, { outcome: "settled", since: 5 }],
  [20, { outcome: "stuck", since: 1 }],
  [30, { outcome: "changing", since: null }],
  [40, { outcome: "settled", since: 2 }],
  [50, { outcome: "unmoved", since: null }],
]);

/** A recording as far as orders read it. @param {{ descriptions?: object[], rows?: Record<string, unknown[]> }} held */
function recordingOf({ descriptions = [GAIN, LOSS, NOTES, TAKEN, CHANGE], rows = {} }) {
  return {
    unit: "epoch", still: 0.01, steps: [0, 1], filters: [...FORMED.keys()], descriptions,
    statistics: new Map(Object.entries({ gain: [[1, 2, 3, 4, 5], [3, null, 5, 3, 1]], loss: [[3, 1, 5, 3, 2], null],
      stuck: [[0, 0, 1, 0, 0]], change_since_start: [[null, null, null, null, null]], ...rows })),
    has: (/** @type {string} */ name) => name === "change",
    formed: (/** @type {number} */ filter) => FORMED.get(filter),
  };
}

const RECORDING = /** @type {any} */ (recordingOf({}));

test("filters stand by the last values that there are, best first, ties and none as they were drawn", () => {
  assert.deepEqual(orderOf(RECORDING, "gain"), [30, 10, 40, 50, 20]);
  assert.deepEqual(orderOf(RECORDING, "loss"), [20, 50, 10, 40, 30]);
  assert.deepEqual(orderOf(RECORDING, "change_since_start"), [10, 20, 30, 40, 50]);
  assert.deepEqual(orderOf(RECORDING, "index"), [10, 20, 30, 40, 50]);
});

test("the settled come by when they did, then changing, unmoved and stuck", () => {
  assert.deepEqual(orderOf(RECORDING, "settled"), [40, 10, 30, 50, 20]);
  assert.deepEqual(orderOf(RECORDING, "stuck"), [20, 10, 30, 40, 50]);
});

test("a statistic that has the name of an order gets another key", () => {
  assert.deepEqual(ordersOf(RECORDING).map((/** @type {string[]} */ [key]) => key),
    ["index", "gain", "loss", "statistic.stuck", "change_since_start", "settled", "stuck"]);
  assert.equal(sortedBy(RECORDING, "statistic.stuck")?.name, "stuck");
  assert.equal(sortedBy(RECORDING, "stuck"), undefined);
  assert.deepEqual(orderOf(RECORDING, "statistic.stuck"), [30, 10, 20, 40, 50]);
});

test("an order that means nothing here is that of the index; an old one's name still holds", () => {
  assert.deepEqual(["gain", "notes", "nonsense", "change"].map((key) => orderKey(RECORDING, key)),
    ["gain", "index", "index", "change_since_start"]);
});

test("there is an order of the stuck only where any is", () => {
  const none = /** @type {any} */ ({ ...recordingOf({}), formed: () => ({ outcome: "changing", since: null }) });
  assert.ok(!ordersOf(none).some((/** @type {string[]} */ [key]) => key === "stuck"));
});

test("a rank counts those that come first, and none has none", () => {
  assert.equal(rankOf([3, null, 5, 1], 3, "descending"), 1);
  assert.equal(rankOf([3, null, 5, 1], 5, "ascending"), 2);
  assert.equal(rankOf([3, null], null, "ascending"), null);
  assert.equal(rankOf([3, 1], 3, null), null);
});
