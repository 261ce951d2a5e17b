import assert from "node:assert/strict";
import { test } from "node:test";

import { ageWords, capital, differenceWords, kerasEpoch, nameOfStep, number, percent, plural, shown,
  unitsOf } from "../../tb_filterviz/plugin/static/words/format.js";

test("numbers have three digits, and a power where they are tiny or huge", () => {
  assert.deepEqual([0.00012, -1.23456, 123456, null, undefined, 0, 0.001, 99999].map(number),
    ["1.20e-4", "-1.23", "1.23e+5", "not finite", "not finite", "0", "0.001", "100000"]);
});

test("a share has more digits the smaller it is", () => {
  assert.deepEqual([0, 1, 0.5, 0.0995, 0.0994, 0.00995, 0.00994, null, undefined].map(percent),
    ["0 %", "100 %", "50 %", "10 %", "9.9 %", "1.0 %", "0.99 %", "–", "–"]);
});

test("a value is shown in its unit, and none as a dash", () => {
  const values = /** @type {const} */ ([[0.5, "share"], [1, "flag"], [0, "flag"], [null, "flag"], [2, "number"],
    [undefined, "number"], [null, "number"]]);
  assert.deepEqual(values.map(([value, unit]) => shown(value, unit)), ["50 %", "yes", "no", "–", "2", "–", "not finite"]);
});

test("steps are called by what they count, and only epochs begin before training", () => {
  assert.deepEqual([nameOfStep(-1, "epoch"), nameOfStep(0, "epoch"), nameOfStep(-1, "batch"), nameOfStep(700, "batch")],
    ["before training", "epoch 0", "batch -1", "batch 700"]);
  assert.deepEqual(["epoch", "batch"].map(unitsOf), ["epochs", "batches"]);
});

test("Keras counts epochs from 1, and none before training", () => {
  assert.deepEqual([kerasEpoch(0, "epoch"), kerasEpoch(41, "epoch"), kerasEpoch(-1, "epoch"), kerasEpoch(3, "batch")],
    ["Keras prints Epoch 1", "Keras prints Epoch 42", "", ""]);
});

test("nouns agree with their number", () => {
  assert.deepEqual([0, 1, 2].map((count) => plural(count, "filter")), ["0 filters", "1 filter", "2 filters"]);
  assert.equal(capital("gain"), "Gain");
});

test("a difference that is not exact says so", () => {
  assert.deepEqual([true, false].map((isExact) => differenceWords({ rms: 0.25, isExact })), ["25 %", "about 25 %"]);
});

test("an age is now, in seconds, or in minutes", () => {
  assert.deepEqual([0, 1.4, 2, 89, 90, 3600].map(ageWords),
    ["now", "now", "2 s ago", "89 s ago", "2 min ago", "60 min ago"]);
});
