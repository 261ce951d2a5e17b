import assert from "node:assert/strict";
import { test } from "node:test";

import { found } from "../../tb_filterviz/plugin/static/state/found.js";
import { START } from "../../tb_filterviz/plugin/static/state/view.js";

/**
 * @typedef {import("../../tb_filterviz/plugin/static/state/state.js").About} About
 * @typedef {import("../../tb_filterviz/plugin/static/state/state.js").Run} Run
 * @typedef {import("../../tb_filterviz/plugin/static/state/view.js").View} View
 */

/** @param {string} id @param {number} written @param {Partial<About>} [told] @returns {About} */
function layer(id, written, told = {}) {
  return { id, name: id, position: 0, unit: "epoch", objective: "channel_mean", objective_label: "", description: "",
    receptive_field: false, channels: "gray", filters: 4, indices: null, tile: [5, 5, 1], parts: [0], statistics: [],
    responses: null, kernels: null, last_step: 1, last_wall_time: written, ...told };
}

/** @param {string} run @param {About[]} layers @returns {Run} */
function runOf(run, ...layers) {
  return { run, training: run, recipe: null, examples: 0, layers, problems: [] };
}

const OLD = runOf("old", layer("conv_a", 1), layer("conv_old", 2));
const NEW = runOf("new", layer("conv_a", 3), layer("conv_b", 4, { filters: 2, indices: [7, 9] }));
const RUNS = [OLD, NEW];

/** @param {Partial<View>} asked */
function ask(asked) {
  return found({ ...START, ...asked }, RUNS);
}

test("what is there is found as it was asked for, and nothing is broken", () => {
  const asked = { run: "old", layer: "conv_a", filter: 3, large: true };
  const { view, run, about, broken } = ask(asked);
  assert.deepEqual(view, { ...START, ...asked, view: "grid" });
  assert.deepEqual([run, about], [OLD, OLD.layers[0]]);
  assert.deepEqual(broken, []);
});

test("who asks for nothing sees all layers of the newest run, and hears of nothing broken", () => {
  const { view, about, broken } = ask({});
  assert.deepEqual([view.run, view.view, about.id, broken], ["new", "overview", "conv_b", []]);
});

test("a run that has gone is replaced by one that has the layer, and that is said", () => {
  const { view, broken } = ask({ run: "gone", layer: "conv_old" });
  assert.deepEqual([view.run, view.layer], ["old", "conv_old"]);
  assert.deepEqual(broken, ["Run gone is not here: this is old."]);
});

test("a layer that is not of the run is replaced by its last, and that is said", () => {
  const { view, broken } = ask({ run: "new", layer: "conv_old" });
  assert.deepEqual([view.run, view.layer, view.view], ["new", "conv_b", "grid"]);
  assert.deepEqual(broken, ["Layer conv_old is not in this run: this is conv_b."]);
});

test("a filter that was not drawn is left, with its large view, and that is said", () => {
  const { view, broken } = ask({ run: "new", layer: "conv_b", filter: 8, large: true });
  assert.deepEqual([view.filter, view.large], [null, false]);
  assert.deepEqual(broken, ["Filter 8 is not among those that were drawn of conv_b."]);
  assert.equal(ask({ run: "new", layer: "conv_b", filter: 9, large: true }).view.large, true);
});

test("without a filter there is no large view", () => {
  assert.equal(ask({ large: true }).view.large, false);
});
