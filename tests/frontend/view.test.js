import assert from "node:assert/strict";
import { test } from "node:test";

import { START, changedIn, isElsewhere, viewOf } from "../../tb_filterviz/plugin/static/state/view.js";

/** @typedef {import("../../tb_filterviz/plugin/static/state/view.js").View} View */

/** What an address holds of a view: nothing but text. @param {View} view */
function named(view) {
  return Object.fromEntries(Object.entries(changedIn(view)).map(([name, value]) => [name, String(value)]));
}

/** @type {View} */
const ALL = { run: "a/b", layer: "conv2d_1", step: -1, filter: 0, view: "compare", sort: "kernel_change", stuck: "dim",
  run2: "b", step2: 12, metric: "val_loss", lens: "maps", example: 3, large: true };

test("the start has nothing to say", () => {
  assert.deepEqual(changedIn(START), {});
  assert.deepEqual(viewOf({}), START);
});

test("a view comes back from its address, whole or in any one part", () => {
  assert.deepEqual(Object.keys(ALL).sort(), Object.keys(START).sort());
  assert.deepEqual(viewOf(named(ALL)), ALL);
  for (const name of /** @type {(keyof View)[]} */ (Object.keys(ALL))) {
    const view = { ...START, [name]: ALL[name] };
    assert.deepEqual(Object.keys(named(view)), [name]);
    assert.deepEqual(viewOf(named(view)), view);
  }
});

test("what an address names wrongly is as at the start", () => {
  for (const wrong of [{ step: "x" }, { step: "1.5" }, { step: "" }, { step: "9".repeat(16) }, { filter: "NaN" },
    { view: "constructor" }, { stuck: "Hide" }, { lens: "__proto__" }, { sort: "<img>" }, { sort: "x".repeat(62) },
    { example: "-1" }, { example: "a" }, { large: "1" }, { unheard: "of" }]) {
    assert.deepEqual(viewOf(wrong), START, JSON.stringify(wrong));
  }
});

test("another run, layer, filter or view is elsewhere; another step, order or example is not", () => {
  const names = /** @type {(keyof View)[]} */ (Object.keys(ALL));
  assert.deepEqual(names.filter((name) => isElsewhere(START, { ...START, [name]: ALL[name] })).sort(),
    ["filter", "large", "layer", "lens", "run", "run2", "view"]);
  assert.equal(isElsewhere(ALL, { ...ALL }), false);
});
