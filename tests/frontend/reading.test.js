import assert from "node:assert/strict";
import { test } from "node:test";

import { alarmOf, readingOf, readingOfRun } from "../../tb_filterviz/plugin/static/words/reading.js";

/**
 * @typedef {import("../../tb_filterviz/plugin/static/words/reading.js").LayerData} LayerData
 * @typedef {import("../../tb_filterviz/plugin/static/words/reading_run.js").Summary} Summary
 */

const BEFORE = "Before training: these pictures come from the starting weights, which are random unless they were loaded. "
  + "Nothing in them was learned here.";

/** @param {number} last */
function epochs(last) {
  return Array.from({ length: last + 2 }, (_, at) => at - 1);
}

/** @param {string} metric @param {string} of @param {(number | null)[]} values from epoch 0 on */
function curve(metric, of, values) {
  return { metric, of, points: values.map((value, epoch) => [epoch, value]) };
}

/**
 * Filters of which so many came to each end.
 *
 * @param {[number, string | null, number | null][]} groups how many, their outcome, since when
 * @param {number} last step
 */
function formation(groups, last) {
  const each = groups.flatMap(([count, outcome, since]) => Array.from({ length: count }, () => ({ outcome, since })));
  return {
    outcome: each.map(({ outcome }) => outcome),
    since: each.map(({ since }) => since),
    stuck: each.map(({ outcome, since }) => (outcome === "stuck" ? [[Number(since), last]] : [])),
  };
}

/** @param {Partial<LayerData>} data @returns {LayerData} */
function layer(data) {
  const steps = data.steps ?? epochs(9);
  return { unit: "epoch", steps, filters: 50, index: steps.length - 1, ...data };
}

/** @param {Partial<LayerData>} data */
function texts(data) {
  return readingOf(layer(data)).map(({ text }) => text);
}

test("of nothing, nothing is said", () => {
  assert.deepEqual(texts({ steps: [], index: 0 }), []);
  assert.deepEqual(texts({}), []);
  assert.deepEqual(texts({ change: [], curves: [], formation: null, responsive: null, dead: null, alwaysOn: null }), []);
  assert.deepEqual(texts({ filters: 0 }), []);
  assert.deepEqual(texts({ formation: formation([[50, null, null]], 9), curves: [curve("accuracy", "validation", [])] }),
    []);
});

test("a layer of which all is well says nothing that it would have to make up", () => {
  const change = [null, 0.3, 0.25, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2];
  const curves = [curve("accuracy", "validation", [0.5, 0.6, 0.7, 0.8, 0.9, 0.92, 0.93, 0.94, 0.95, 0.96]),
    curve("loss", "validation", [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1])];
  assert.deepEqual(texts({ change, curves, responsive: change.map(() => 50), index: 5, dead: [], alwaysOn: [] }), []);
});

// Stuck.

test("a stuck layer is an alarm, with since when and what may be the cause", () => {
  const told = { formation: formation([[50, "stuck", 0]], 9), training: { optimizer: "SGD", learning_rate: 0.05 } };
  assert.deepEqual(readingOf(layer(told)),
    [{ kind: "alarm", step: 0, text: "50 of 50 filters have been stuck since epoch 0. "
    + "Usual causes: a learning rate that is too high (here 0.05 with SGD), or inputs of the wrong scale." }]);
  assert.deepEqual(texts({ ...told, training: undefined }), ["50 of 50 filters have been stuck since epoch 0. "
    + "Usual causes: a learning rate that is too high, or inputs of the wrong scale."]);
});

test("before it happened, it is told as what will, and at that epoch as what does", () => {
  const told = { formation: formation([[50, "stuck", 3]], 9), training: { learning_rate: 0.05 } };
  assert.deepEqual(readingOf(layer({ ...told, index: 2 })),
    [{ kind: "alarm", step: 3, text: "50 of 50 filters get stuck at epoch 3." }]);
  assert.match(texts({ ...told, index: 4 })[0], /^50 of 50 filters got stuck at epoch 3\. Usual causes: .*\(here 0\.05\)/);
  assert.deepEqual(texts({ ...told, index: 0 }), ["50 of 50 filters get stuck at epoch 3.", BEFORE]);
});

test("a few that got stuck have no usual cause, but a learning rate", () => {
  const told = { formation: formation([[38, null, null], [12, "stuck", 3]], 9), training: { learning_rate: 0.05 } };
  assert.deepEqual(texts({ ...told, index: 4 }), ["12 of 50 filters got stuck at epoch 3. The learning rate was 0.05."]);
  assert.deepEqual(texts({ ...told, training: null }), ["12 of 50 filters have been stuck since epoch 3."]);
});

test("one filter is one", () => {
  assert.deepEqual(texts({ formation: formation([[49, null, null], [1, "stuck", 3]], 9) }),
    ["1 of 50 filters has been stuck since epoch 3."]);
  assert.deepEqual(texts({ filters: 1, formation: formation([[1, "stuck", 3]], 9), index: 2 }),
    ["1 of 1 filter gets stuck at epoch 3."]);
});

test("where they got stuck one after the other, the largest part is told", () => {
  const told = { formation: formation([[4, null, null], [6, "stuck", 1], [40, "stuck", 0]], 9) };
  assert.match(texts(told)[0], /^46 of 50 filters are stuck, 40 of them since epoch 0\. Usual causes/);
  assert.equal(texts({ ...told, index: 0 })[0], "46 of 50 filters get stuck later, 40 of them at epoch 0.");
  const each = { formation: formation([[48, null, null], [1, "stuck", 5], [1, "stuck", 3]], 9) };
  assert.equal(texts(each)[0], "2 of 50 filters are stuck, the first since epoch 3.");
  assert.ok(texts({ ...each, index: 0 }).includes("2 of 50 filters get stuck later, the first at epoch 3."));
});

test("what was stuck before the training is not laid to the learning rate", () => {
  const told = { formation: formation([[30, "stuck", -1], [20, null, null]], 9), training: { learning_rate: 0.05 } };
  assert.deepEqual(texts(told), ["30 of 50 filters have been stuck since before training. "
    + "Check the initial weights, and the scale of the inputs."]);
  assert.equal(texts({ ...told, index: 0 })[0], "30 of 50 filters are stuck before training. "
    + "Check the initial weights, and the scale of the inputs.");
});

test("a tenth of the filters is an alarm, fewer are not", () => {
  const kinds = (/** @type {Partial<LayerData>} */ data) => readingOf(layer(data)).map(({ kind }) => kind);
  assert.deepEqual([4,
    5].map((count) => kinds({ formation: formation([[50 - count, null, null], [count, "stuck", 0]], 9) })),
    [["note"], ["alarm"]]);
  assert.deepEqual([4, 5].map((count) => kinds({ dead: Array.from({ length: count }, (_, filter) => filter) })),
    [["note"], ["alarm"]]);
});

test("that a whole layer is stuck is an alarm even if it passes", () => { // as of a LeNet at a learning rate of 0.05
  const passing = formation([[50, null, null]], 9);
  passing.stuck = passing.stuck.map(() => [[2, 3]]);
  const told = { formation: passing, training: { learning_rate: 0.05 } };
  const text = " All of them respond again later. "
    + "Usual causes: a learning rate that is too high (here 0.05), or inputs of the wrong scale.";
  assert.deepEqual(readingOf(layer({ ...told, index: 3 })),
    [{ kind: "alarm", text: `50 of 50 filters got stuck at epoch 2.${text}` }]);
  assert.deepEqual(readingOf(layer({ ...told, index: 4 })),
    [{ kind: "alarm", step: 2, text: `50 of 50 filters have been stuck since epoch 2.${text}` }]);
  assert.deepEqual(readingOf(layer({ ...told, index: 5 })),
    [{ kind: "note", step: 2, text: "50 of 50 filters were stuck for a while, at epoch 2." }]);
  assert.deepEqual(texts({ ...told, index: 2 }), ["50 of 50 filters get stuck for a while, at epoch 2."]);
});

test("who finds a way again is told so", () => {
  const away = formation([[50, null, null]], 9);
  away.stuck.splice(0, 2, [[0, 2]], [[0, 1], [5, 6]]);
  assert.deepEqual(readingOf(layer({ formation: away, index: 2 })), [{ kind: "note", step: 0,
    text: "2 of 50 filters have been stuck since epoch 0. All of them respond again later." }]);
  assert.deepEqual(texts({ formation: away, index: 6 }), ["1 of 50 filters got stuck at epoch 5. It responds again later."]);
  assert.deepEqual(texts({ formation: away, index: 4 }), []);
  const one = formation([[48, null, null], [2, "stuck", 0]], 9);
  one.stuck[0] = [[0, 2]];
  assert.equal(texts({ formation: one, index: 2 })[0],
    "3 of 50 filters have been stuck since epoch 0. Later, 1 of them responds again.");
});

test("without their formation, there is still how many respond", () => {
  assert.deepEqual(texts({ steps: [3], index: 0, responsive: [38] }), ["12 of 50 filters are stuck at epoch 3."]);
  assert.deepEqual(texts({ steps: [3], index: 0, responsive: [null] }), []);
});

test("the learning rate is the one that was logged at that step, if any was", () => {
  const curves = [curve("learning_rate", "train", [0.1, 0.1, 0.01, 0.01])];
  const told = { formation: formation([[50, "stuck", 2]], 9), training: { optimizer: "Adam", learning_rate: 0.5 }, curves };
  assert.match(texts(told)[0], /\(here 0\.01 with Adam\)/);
});

test("what a recipe says wrongly of its training is not repeated", () => {
  for (const training of [{ learning_rate: "0.05" }, { learning_rate: NaN }, { learning_rate: null }, { optimizer: 3 }, {},
    { learning_rate: -1 }, { learning_rate: { rate: 1 } }]) {
    const [text] = texts({ formation: formation([[50, "stuck", 0]], 9), training });
    assert.match(text, /a learning rate that is too high, or/);
  }
});

// What examples say.

test("dead is what examples say, and stuck what the ascent says", () => {
  assert.deepEqual(readingOf(layer({ dead: [3, 4, 8, 9, 11] })),
    [{ kind: "alarm", text: "5 of 50 filters are dead: none of the examples switches them on." }]);
  assert.deepEqual(texts({ dead: [3] }), ["1 of 50 filters is dead: none of the examples switches it on."]);
  assert.ok(!texts({ formation: formation([[50, "stuck", 0]], 9) }).join().includes("dead"));
  assert.ok(!texts({ dead: [3] }).join().includes("stuck"));
});

test("always on is worth a note", () => {
  assert.deepEqual(readingOf(layer({ alwaysOn: [1, 2] })), [{ kind: "note",
    text: "2 of 50 filters are always on: on the examples, their activations cut off nothing." }]);
  assert.deepEqual(texts({ alwaysOn: [1] }),
    ["1 of 50 filters is always on: on the examples, its activation cuts off nothing."]);
});

// Settled.

test("a layer that rests says since when nothing is new", () => {
  const told = { steps: epochs(59), formation: formation([[30, "settled", 10], [20, "settled", 16]], 59) };
  assert.deepEqual(readingOf(layer(told)), [{ kind: "note", step: 16,
    text: "Nothing new in the last 43 epochs: 50 of 50 filters had settled by epoch 16." }]);
});

test("a few late ones do not move that date", () => {
  const groups = /** @type {[number, string, number][]} */ ([[30, "settled", 10], [18, "settled", 16], [2, "settled", 50]]);
  assert.deepEqual(texts({ steps: epochs(59), formation: formation(groups, 59) }),
    ["Little new in the last 43 epochs: 48 of 50 filters had settled by epoch 16."]);
});

test("stuck filters do not count as settled, nor as changing", () => {
  const groups = /** @type {[number, string, number][]} */ ([[10, "stuck", 0], [40, "settled", 16]]);
  assert.equal(texts({ steps: epochs(59), formation: formation(groups, 59) })[1],
    "Nothing new in the last 43 epochs: 40 of 50 filters had settled by epoch 16.");
});

test("a layer that does not rest says how many filters change still", () => {
  assert.deepEqual(texts({ formation: formation([[19, "settled", 4], [31, "changing", null]], 9) }),
    ["Still changing: 31 of 50 filters had not settled at the last epoch."]);
});

test("whether filters settle cannot be told of few epochs", () => {
  assert.deepEqual(texts({ steps: epochs(2), formation: formation([[50, "changing", null]], 2) }), []);
});

test("a layer that never moved may be frozen", () => {
  assert.deepEqual(texts({ formation: formation([[50, "unmoved", null]], 9) }),
    ["50 of 50 filters look as they did at the beginning: the layer may be frozen, or the learning rate very small."]);
  assert.deepEqual(texts({ steps: [-1], formation: formation([[50, "unmoved", null]], 9) }), [BEFORE]);
});

test("the epoch with most of the change is named, with its share", () => {
  const change = [null, 0.2, 0.6, 0.1, 0.1, 0, 0, 0, 0, 0, 0];
  assert.deepEqual(readingOf(layer({ change })),
    [{ kind: "note", step: 1, text: "Most of the change (60 %) happened in epoch 1." }]);
  assert.deepEqual(texts({ change: [null, 0.2, 0.2, 0.2, 0.2, 0, 0, 0, 0, 0, 0] }), []);
});

test("where epochs were left out, it lies between two", () => {
  const change = [null, 0.1, 0.9, 0.1, 0.1];
  assert.deepEqual(texts({ steps: [-1, 4, 9, 14, 19], change }),
    ["Most of the change (75 %) happened between epoch 4 and epoch 9."]);
  assert.deepEqual(texts({ steps: [-1, 4, 9, 14, 19], change: [null, 0.9, 0.1, 0.1, 0.1] }),
    ["Most of the change (75 %) happened up to epoch 4."]);
  assert.deepEqual(texts({ unit: "batch", steps: [100, 200, 300, 400, 500], change }),
    ["Most of the change (75 %) happened between batch 200 and batch 300."]);
});

test("how the pictures of stuck filters change is not told", () => {
  const change = [null, 0.9, 0.1, 0.1, 0.1, 0.1, 0, 0, 0, 0, 0];
  const told = (/** @type {number} */ stuck) => texts({ change,
    formation: formation([[stuck, "stuck", 0], [50 - stuck, null, null]], 9) });
  assert.ok(told(24).some((text) => text.startsWith("Most of the change")));
  assert.ok(!told(25).some((text) => text.startsWith("Most of the change")));
});

test("of two or three changes, or of hardly any, none is made much of", () => {
  assert.deepEqual(texts({ steps: epochs(2), change: [null, 0.9, 0.1, 0.1] }), []);
  assert.deepEqual(texts({ steps: epochs(4), change: [null, 0.02, 0.001, 0.001, 0.001, 0.001] }), []);
  assert.deepEqual(texts({ steps: epochs(4), change: [null, 0.9, null, null, 0.1, 0.1] }), []);
});

// The training.

test("before training, nothing was learned yet", () => {
  assert.deepEqual(readingOf(layer({ index: 0 })), [{ kind: "note", text: BEFORE }]);
  assert.deepEqual(texts({ unit: "batch", steps: [-1, 100], index: 0 }), []);
});

test("overfitting: validation falls while training goes on", () => {
  const validation = curve("accuracy", "validation", [0.9, 0.95, 0.982, 0.98, 0.975, 0.975]);
  const train = curve("accuracy", "train", [0.9, 0.95, 0.97, 0.98, 0.99, 0.999]);
  assert.deepEqual(readingOf(layer({ curves: [train, validation] })), [{ kind: "note", step: 2,
    text: "Accuracy on validation data was best at epoch 2 (0.982) and has fallen since (0.975): later epochs may be "
      + "overfitting." }]);
  const worse = "Accuracy on validation data was best at epoch 2 (0.982) and has fallen since (0.975).";
  assert.deepEqual(texts({ curves: [validation] }), [worse]);
  assert.deepEqual(texts({ curves: [validation, curve("accuracy", "train", [0.9, 0.95, 0.99, 0.98, 0.9, 0.8])] }), [worse]);
});

test("a loss says it where no accuracy does", () => {
  const curves = [curve("loss", "validation", [1, 0.5, 0.4, 0.5, 0.6]), curve("loss", "train", [1, 0.5, 0.4, 0.3, 0.2]),
    curve("sparse_categorical_accuracy", "validation", [0.5, 0.6, 0.7, 0.71, 0.72])];
  assert.equal(texts({ curves, index: 3 })[0],
    "Loss on validation data was lowest at epoch 2 (0.4) and has risen since (0.6): later epochs may be overfitting.");
});

test("what a curve does from epoch to epoch is no fall", () => {
  assert.deepEqual(texts({ index: 3, curves: [curve("accuracy", "validation", [0.8, 0.82, 0.79, 0.83, 0.8, 0.82])] }), []);
  assert.deepEqual(texts({ index: 1, curves: [curve("accuracy", "validation", [0.8, 0.9, 0.951, 0.95, 0.949])] }), []);
  assert.deepEqual(texts({ index: 3, curves: [curve("accuracy", "validation", [0.9, 0.8])] }), []);
  assert.deepEqual(texts({ index: 3, curves: [curve("accuracy", "validation", [0.8, 0.85, 0.9, 0.95, 0.8])] }), []);
});

test("at the best epoch, that is said", () => {
  const curves = [curve("accuracy", "validation", [0.9, 0.95, 0.953, 0.952, 0.951])];
  assert.deepEqual(texts({ curves, index: 3 }), ["Accuracy on validation data is best at this epoch: 0.953."]);
  assert.deepEqual(texts({ curves, index: 4 }), []);
});

test("no better than guessing is said where classes are known", () => {
  const curves = [curve("sparse_categorical_accuracy", "train", [0.1, 0.114, 0.13])];
  assert.deepEqual(readingOf(layer({ curves, classes: 10, index: 2 })),
    [{ kind: "alarm", text: "Accuracy on training data is 0.114, no better than guessing among 10 classes." }]);
  assert.deepEqual(texts({ curves, classes: 10, index: 3 }), []);
  assert.deepEqual(texts({ curves, index: 2 }), []);
  assert.deepEqual(texts({ curves: [curve("accuracy", "validation", [0.6])], classes: 2, index: 1 }), []);
});

test("a training that diverged is the first thing to know", () => {
  const curves = [curve("loss", "train", [2.3, 40, null, null]), curve("accuracy", "train", [0.1, 0.1, 0.1, 0.1])];
  const told = readingOf(layer({ curves, classes: 10, index: 4, training: { learning_rate: 5 },
    formation: formation([[50, "stuck", 2]], 9) }));
  assert.deepEqual(told[0],
    { kind: "alarm", step: 2, text: "The training diverged: from epoch 2 on, its loss is infinite or not a "
    + "number. Usual cause: a learning rate that is too high (here 5)." });
  assert.deepEqual(told.map(({ kind }) => kind), ["alarm", "alarm", "alarm"]);
  assert.deepEqual(texts({ curves: [curve("loss", "train", [2.3, null, 1])], index: 2 }), []);
});

test("a jump of the learning rate is told where it happens", () => {
  const curves = [curve("learning_rate", "train", [0.01, 0.01, 0.001, 0.0009])];
  assert.deepEqual(texts({ curves, index: 3 }), ["The learning rate fell from 0.01 to 0.001 at epoch 2."]);
  assert.deepEqual(texts({ curves, index: 4 }), []);
  assert.deepEqual(texts({ curves: [curve("learning_rate", "train", [0.001, 0.1])], index: 2 }),
    ["The learning rate rose from 0.001 to 0.1 at epoch 1."]);
});

test("no more than three sentences are said, alarms first", () => {
  const told = readingOf(layer({ index: 0, dead: [1, 2, 3, 4, 5], alwaysOn: [2],
    change: [null, 0.9, 0.1, 0.1, 0.1, 0, 0, 0, 0, 0, 0],
    formation: formation([[10, "stuck", 2], [40, "changing", null]], 9) }));
  assert.deepEqual(told.map(({ kind }) => kind), ["alarm", "alarm", "note"]);
  assert.deepEqual(told.map(({ text }) => text), ["5 of 50 filters are dead: none of the examples switches them on.",
    "10 of 50 filters get stuck at epoch 2.", BEFORE]);
});

// A run.

/** @param {Partial<Summary>} [data] @returns {Summary} */
function summary(data) {
  return { id: "conv", steps: epochs(9), change: epochs(9).map((step) => (step < 0 ? null : 0.01)), filters: 50,
    half_settled: null,
    outcomes: {}, stuck_since: [], dead: null, always_on: null, ...data };
}

/** @param {string} id @param {Partial<Summary>} [data] */
function stuckLayer(id, data) {
  return summary({ id, outcomes: { stuck: 50 }, stuck_since: [[0, 50]], ...data });
}

/** @param {Summary[]} layers */
function runTexts(layers) {
  return readingOfRun(layers).map(({ text }) => text);
}

test("of no layers, and of layers of which nothing is known, nothing is said", () => {
  assert.deepEqual(readingOfRun([]), []);
  assert.deepEqual(readingOfRun([summary(), summary({ steps: [], change: [], filters: 5 })]), []);
});

test("layers that are stuck as a whole are named", () => {
  assert.deepEqual(readingOfRun([summary(), stuckLayer("a", { name: "conv2d_2" })]),
    [{ kind: "alarm", layer: "a", text: "All filters are stuck in conv2d_2 since epoch 0." }]);
  assert.deepEqual(runTexts([stuckLayer("a"), stuckLayer("b", { stuck_since: [[1, 20], [2, 30]] })]),
    ["All filters are stuck in 2 layers: a since epoch 0 and b (30 since epoch 2)."]);
  assert.deepEqual(runTexts(["a", "b", "c", "d", "e"].map((id) => stuckLayer(id))),
    ["All filters are stuck in 5 layers: a since epoch 0, b since epoch 0, c since epoch 0 and 2 more."]);
});

test("of layers that are stuck in part, the worst is named; a filter of fifty is no alarm", () => {
  const some = (/** @type {string} */ id,
    /** @type {number} */ stuck) => summary({ id, outcomes: { stuck }, stuck_since: [[0, stuck]] });
  assert.deepEqual(readingOfRun([some("a", 1), summary()]),
    [{ kind: "note", layer: "a", text: "1 of 50 filters is stuck in a." }]);
  assert.deepEqual(readingOfRun([some("a", 1), some("b", 7)]),
    [{ kind: "alarm", layer: "b", text: "8 filters are stuck in 2 layers, the largest share in b (7 of 50)." }]);
});

test("dead filters of layers are counted, but for those of layers that are stuck as a whole", () => {
  assert.deepEqual(readingOfRun([summary({ id: "a", dead: 3 }), summary({ id: "b", dead: 0 })]),
    [{ kind: "note", layer: "a", text: "3 of 50 filters are dead in a: no example switches them on." }]);
  assert.deepEqual(runTexts([summary({ id: "a", dead: 3 }), summary({ id: "b", dead: 1 })]),
    ["4 filters are dead in 2 layers, the largest share in a (3 of 50): no example switches them on."]);
  assert.deepEqual(runTexts([stuckLayer("a", { dead: 50 })]), ["All filters are stuck in a since epoch 0."]);
});

test("the order in which layers settle is told", () => {
  const settled = (/** @type {string} */ id,
    /** @type {number} */ by) => summary({ id, half_settled: by, outcomes: { settled: 50 } });
  assert.deepEqual(runTexts([settled("conv1", 2), settled("conv2", 5), settled("conv3", 17)]),
    ["conv1 settles first (half of the filters by epoch 2), conv3 last (epoch 17)."]);
  assert.deepEqual(runTexts([settled("a", 2), settled("b", 2), settled("c", 9)]),
    ["a and b settle first (half of the filters by epoch 2), c last (epoch 9)."]);
  assert.deepEqual(runTexts([settled("a", 4), settled("b", 4)]),
    ["In every layer, half of the filters had settled by epoch 4."]);
  assert.equal(runTexts([settled("a", 4), settled("b", 4), stuckLayer("c")])[1],
    "In 2 layers, half of the filters had settled by epoch 4.");
  assert.deepEqual(runTexts([settled("a", 4)]), []);
  assert.deepEqual(runTexts([settled("conv1", 2), summary({ id: "conv2", outcomes: { changing: 50 } })]),
    ["conv1 settles first (half of the filters by epoch 2); conv2 is still forming."]);
  const open = Array.from({ length: 4 }, (_, at) => summary({ id: `open_${at}`, outcomes: { changing: 50 } }));
  assert.deepEqual(runTexts([settled("conv1", 2), ...open]),
    ["conv1 settles first (half of the filters by epoch 2); 4 layers are still forming."]);
});

test("a layer that is stuck or never moved takes no part in that", () => {
  const layers = [summary({ id: "a", half_settled: 2, outcomes: { settled: 50 } }), stuckLayer("b"),
    summary({ id: "c", half_settled: -1, outcomes: { unmoved: 50 } })];
  assert.deepEqual(runTexts(layers), ["All filters are stuck in b since epoch 0.",
    "The pictures of c look as they did at the beginning: it may be frozen, or the learning rate very small."]);
  const frozen = ["a", "b", "c", "d"].map((id) => summary({ id, half_settled: -1, outcomes: { unmoved: 50 } }));
  assert.deepEqual(runTexts(frozen),
    ["The pictures of 4 layers look as they did at the beginning: a, b, c and 1 more may be "
    + "frozen, or the learning rate very small."]);
});

test("the layer that changes most at the end is named", () => {
  const change = epochs(9).map((step) => (step < 0 ? null : 0.12));
  assert.deepEqual(readingOfRun([summary({ id: "a" }), summary({ id: "b", name: "conv4_block2_2_conv", change })]),
    [{ kind: "note", layer: "b", text: "conv4_block2_2_conv still changes most at the last epoch (12 %)." }]);
  assert.deepEqual(runTexts([summary({ id: "a", unit: "batch", change }), summary({ id: "b", unit: "batch" })]),
    ["a still changes most at the last batch (12 %)."]);
});

test("what is wrong with a layer, in a few words", () => {
  assert.equal(alarmOf(summary()), "");
  assert.equal(alarmOf(summary({ dead: 0, always_on: 0, outcomes: { stuck: 0, settled: 50 } })), "");
  assert.equal(alarmOf(stuckLayer("a", { dead: 50 })), "50 of 50 stuck since epoch 0");
  assert.equal(alarmOf(stuckLayer("a", { stuck_since: [[-1, 4], [0, 46]] })), "50 of 50 stuck, 46 since epoch 0");
  assert.equal(alarmOf(stuckLayer("a", { stuck_since: [[300, 50]] }), "batch"), "50 of 50 stuck since batch 300");
  assert.equal(alarmOf(summary({ dead: 3, always_on: 1 })), "3 of 50 dead on the examples");
  assert.equal(alarmOf(summary({ dead: 0, always_on: 12 })), "12 of 50 always on");
});
