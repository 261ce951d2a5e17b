import assert from "node:assert/strict";
import { test } from "node:test";

import { isLoss, listRuns, resultText } from "../../tb_filterviz/plugin/static/state/run_list.js";
import { randomOf } from "./random.js";

/** @typedef {import("../../tb_filterviz/plugin/static/state/run_list.js").Result} Result */

/** @param {string} metric @param {number | null} last @param {Partial<Result>} [more] @returns {Result} */
function result(metric, last, more = {}) {
  return { metric, of: "validation", last, best: last, best_step: 4, ...more };
}

/** @param {string[]} runs @param {Parameters<typeof listRuns>[1]} choice */
function names(runs, choice) {
  return listRuns(runs, choice).rows.map(({ run }) => run);
}

test("runs are found by a regular expression, in any case of letters", () => {
  const runs = ["run_01_lr0.1/filters", "run_02_lr0.01/filters", "Other/filters"];
  assert.deepEqual(names(runs, { search: "RUN_0[12]_lr0\\.1", order: "name" }), ["run_01_lr0.1/filters"]);
  assert.deepEqual(names(runs, { search: "^o", order: "name" }), ["Other/filters"]);
  assert.deepEqual(names(runs, { search: "", order: "name" }).length, 3);
  assert.equal(listRuns(runs, { search: "^o" }).error, "");
});

test("what is no regular expression is found as it stands, and that is said", () => {
  const { rows, error } = listRuns(["a(b/filters", "ab/filters"], { search: "A(B" });
  assert.deepEqual(rows.map(({ run }) => run), ["a(b/filters"]);
  assert.match(error, /no regular expression/);
});

test("by name, numbers count by their size", () => {
  assert.deepEqual(names(["filters_10", "filters_2", "filters", "B", "a"], { order: "name" }),
    ["a", "B", "filters", "filters_2", "filters_10"]);
});

test("the newest comes first; what does not say when it was written, last, by name", () => {
  const results = { old: result("accuracy", 1, { newest: 5 }), late: result("accuracy", 0, { newest: 9 }) };
  assert.deepEqual(names(["b", "old", "a", "late"], { order: "newest", results }), ["late", "old", "a", "b"]);
  assert.deepEqual(names(["b", "old", "a", "late"], { order: "newest", results, written: { a: 7, old: 100 } }),
    ["late", "a", "old", "b"]);
});

test("the best accuracy is the highest, the best loss the lowest", () => {
  const by = (/** @type {string} */ metric) => names(["a", "b", "c"],
    { order: "best", results: { a: result(metric, 0.2), b: result(metric, 0.9), c: result(metric, 0.5) } });
  assert.deepEqual(by("accuracy"), ["b", "c", "a"]);
  assert.deepEqual(by("loss"), ["a", "c", "b"]);
});

test("of equal last values, the better best comes first", () => {
  const results = { a: result("accuracy", 0.9, { best: 0.91 }), b: result("accuracy", 0.9, { best: 0.95 }),
    c: result("loss", 0.3, { best: 0.2 }), d: result("loss", 0.3, { best: 0.1 }) };
  assert.deepEqual(names(["a", "b", "c", "d"], { order: "best", results }), ["b", "a", "d", "c"]);
});

test("accuracies come before losses, and runs without a number last", () => {
  const results = { nan: result("accuracy", null), loss: result("loss", 0.01), acc: result("accuracy", 0.1), none: null };
  assert.deepEqual(names(["nan", "loss", "none", "unknown", "acc"], { order: "best", results }),
    ["acc", "loss", "nan", "none", "unknown"]);
});

test("every order lists the same runs, whatever the order that they come in", () => {
  const random = randomOf(4);
  for (let trial = 0; trial < 200; trial += 1) {
    const runs = Array.from({ length: 1 + random(12) }, (_, at) => `run_${at}${random(3)}`);
    const results = Object.fromEntries(runs.flatMap((run) => (random(4) ? [[run,
      result(["accuracy", "loss", "mse"][random(3)], random(5) ? random(4) / 4 : null, { newest: random(3) })]] : [])));
    const shuffled = [...runs].sort(() => random(3) - 1);
    for (const order of /** @type {const} */ (["newest", "best", "name"])) {
      assert.deepEqual(names(shuffled, { order, results }), names(runs, { order, results }));
      assert.deepEqual(names(runs, { order, results }).toSorted(), runs.toSorted());
    }
  }
});

test("runs may be called like what every object has", () => {
  const { rows } = listRuns(["constructor", "__proto__"], { order: "best" });
  assert.deepEqual(rows, [{ run: "__proto__", result: null }, { run: "constructor", result: null }]);
});

test("a result is a number, and a sentence that says of what", () => {
  assert.deepEqual(resultText(result("accuracy", 0.9823, { best: 0.98512, best_step: 7 })),
    { text: "0.982", title: "validation accuracy 0.982 at the last epoch; best 0.985 at epoch 7" });
  assert.deepEqual(resultText(result("mean_io_u", 0.5, { of: "train" }), "batch"),
    { text: "0.5", title: "training mean io u 0.5 at the last batch" });
  assert.deepEqual(resultText(result("loss", null)),
    { text: "NaN", title: "validation loss: no finite number at the last epoch" });
  assert.deepEqual(resultText(null), { text: "", title: "" });
});

test("of losses and errors, less is better", () => {
  for (const metric of ["loss", "aux_loss", "mae", "rmse", "mean_squared_error", "kl_divergence", "binary_crossentropy"]) {
    assert.ok(isLoss(metric), metric);
  }
  for (const metric of ["accuracy", "auc", "f1_score", "top_k_categorical_accuracy", "precision", "mean_io_u"]) {
    assert.ok(!isLoss(metric), metric);
  }
});
