import assert from "node:assert/strict";
import { test } from "node:test";

import { drawnLayers, examplesFingerprint, factsOf, modelLayers, settingsOf,
  trainingOf } from "../../tb_filterviz/plugin/static/words/recipe.js";

/** @type {import("../../tb_filterviz/plugin/static/state/state.js").About} */
const ABOUT = { id: "conv", name: "conv", position: 0, unit: "epoch", objective: "channel_mean",
  objective_label: "channel mean", description: "the mean of each filter's response", receptive_field: true,
  channels: "gray", filters: 4, indices: null, tile: [5, 5, 1], parts: [0], statistics: [], responses: null, kernels: null,
  last_step: 1, last_wall_time: 1 };

const RECIPE = {
  written_by: "callback", unit: "epoch", input_range: [0, 1], channel_order: "bgr",
  config: { seed: 5, ascent: { steps: 20, step_size: 4, gray: 128, noise: 2 } },
  layers: [{ layer: "conv", filters: 4, tile: [5, 5, 1], objective: "channel_mean", ascent: { steps: 40 } }],
  model: { layers: [{ path: "conv", class: "Conv2D", weights: [[3, 3, 1, 4], [4]] }] },
  versions: { backend: "torch", keras: "3.0", numpy: "2.0" },
  training: { optimizer: "Adam", learning_rate: 0.1 }, examples: { fingerprint: "abc" },
};

/** @param {Record<string, unknown>} recipe */
function facts(recipe) {
  return Object.fromEntries(factsOf(recipe, ABOUT));
}

test("what a layer was drawn with goes before what all were drawn with", () => {
  assert.deepEqual(facts(RECIPE), {
    "Pictures of conv": "channel mean: the inputs that maximize the mean of each filter's response, "
      + "cut to its receptive field",
    "Ascent": "40 steps, each of 4 / 255 of the input range", "Start": "gray 128 of 255, noise 2, seed 5",
    "Input range": "0 to 1", "Input channels": "blue, green, red", "Steps count": "epochs",
    "Written by": "a callback, during the training", "Versions": "keras 3.0, numpy 2.0; backend torch",
  });
});

test("layers and settings come as rows of texts", () => {
  assert.deepEqual(drawnLayers(RECIPE), [["conv", "4", "5 × 5 × 1", "channel_mean"]]);
  assert.deepEqual(modelLayers(RECIPE), [["conv", "Conv2D", "3 × 3 × 1 × 4, 4"]]);
  assert.deepEqual(settingsOf(RECIPE), [["seed", "5"], ["ascent.steps", "20"], ["ascent.step_size", "4"],
    ["ascent.gray", "128"], ["ascent.noise", "2"]]);
});

test("what others ask of a recipe is found, or nothing", () => {
  assert.deepEqual(trainingOf(RECIPE), { optimizer: "Adam", learning_rate: 0.1 });
  assert.equal(examplesFingerprint(RECIPE), "abc");
  assert.deepEqual([trainingOf(null), examplesFingerprint(null)], [{ optimizer: undefined, learning_rate: undefined }, ""]);
});

test("a recipe of anything is read, and what is odd is left out", () => {
  const title = "Pictures of conv";
  for (const odd of [null, 7, "text", [], {}, [[null]], { name: {} }]) {
    const recipe = Object.fromEntries(Object.keys(RECIPE).map((name) => [name, odd]));
    const told = factsOf(recipe, ABOUT).map(([what]) => what);
    assert.equal(told[0], title);
    assert.ok(told.slice(1).every((what) => what === "Written by"), JSON.stringify([odd, told]));
    for (const rows of [drawnLayers(recipe), modelLayers(recipe), settingsOf(recipe)]) {
      assert.ok(rows.flat().every((cell) => typeof cell === "string"));
    }
  }
});

test("a writer of a name that every object has is told by that name", () => {
  assert.equal(facts({ written_by: "constructor" })["Written by"], "constructor");
});
