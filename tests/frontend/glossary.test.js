import assert from "node:assert/strict";
import { test } from "node:test";

import { GLOSSARY, QUESTIONS, synthetic } from "../../tb_filterviz/plugin/static/words/glossary.js";

const KINDS = /** @type {const} */ (["tile", "stuck", "flat", "kernel", "noise"]);

/** @param {ArrayLike<number>} values */
function deviation(values) {
  const all = Array.from(values);
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
  return Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length);
}

// How alike pixels and those to their right are, -1 to 1: near 0 for noise.
/** @param {Uint8Array} pixels @param {number} side */
function likeness(pixels, side) {
  const pairs = Array.from(pixels).flatMap((value, at) => ((at + 1) % side ? [[value - 128, pixels[at + 1] - 128]] : []));
  const sum = (/** @type {(pair: number[]) => number} */ value) => pairs.reduce((total, pair) => total + value(pair), 0);
  return sum(([one, other]) => one * other) / Math.sqrt(sum(([one]) => one * one) * sum(([, other]) => other * other));
}

test("each word is explained once, in one or two sentences", () => {
  const words = GLOSSARY.map(({ word }) => word);
  assert.equal(new Set(words).size, words.length);
  for (const { word, text, example } of GLOSSARY) {
    assert.match(text, /^[A-Z].*\.$/, word);
    assert.ok((text.match(/[.](?: |$)/g) ?? []).length <= 2, word);
    assert.ok(example === null || KINDS.includes(example), word);
  }
});

test("the words of the tab are there", () => {
  const words = GLOSSARY.map(({ word }) => word.toLowerCase()).join(", ");
  for (const word of ["tile", "score", "gain", "change", "settled", "stuck", "dead", "flat", "kept score", "always on",
    "kernel", "map",
    "examples", "stripes", "textures", "small tiles", "noise"]) assert.ok(words.includes(word), word);
});

test("questions are questions, and have answers", () => {
  for (const { question, answer } of QUESTIONS) {
    assert.match(question, /^[A-Z].*\?$/);
    assert.match(answer, /^[A-Z].*\.$/);
  }
});

test("pictures have the side that is asked for, and are the same each time", () => {
  for (const kind of KINDS) {
    for (const side of [1, 5, 28, 33]) {
      assert.equal(synthetic(kind, side).length, side * side);
      assert.deepEqual(synthetic(kind, side), synthetic(kind, side));
    }
  }
});

test("a tile has dark and bright stripes", () => {
  const tile = synthetic("tile", 28);
  assert.ok(deviation(tile) > 25);
  assert.ok(Math.min(...tile) < 70 && Math.max(...tile) > 200);
  assert.ok(likeness(tile, 28) > 0.5);
});

test("noise is noise, and a stuck filter shows faint noise", () => {
  for (const kind of /** @type {const} */ (["noise", "stuck"])) assert.ok(Math.abs(likeness(synthetic(kind, 28),
    28)) < 0.1, kind);
  assert.ok(deviation(synthetic("noise", 28)) > 3 * deviation(synthetic("stuck", 28)));
  assert.ok(deviation(synthetic("stuck", 28)) > 3);
});

test("a flat one is alike inside, and not at its border", () => {
  const side = 28;
  const pixels = synthetic("flat", side);
  const inside = Array.from(pixels).filter((_, at) => [Math.floor(at / side),
    at % side].every((one) => one >= 7 && one < 21));
  assert.equal(deviation(inside), 0);
  assert.notEqual(pixels[0], inside[0]);
});

test("a kernel has five by five weights, of both signs", () => {
  const side = 30;
  const pixels = synthetic("kernel", side);
  const weight = (/** @type {number} */ row, /** @type {number} */ column) => pixels[(6 * row + 2) * side + 6 * column + 2];
  for (let at = 0; at < pixels.length; at += 1) {
    assert.equal(pixels[at], weight(Math.floor(Math.floor(at / side) / 6), Math.floor((at % side) / 6)));
  }
  const weights = Array.from({ length: 25 }, (_, at) => weight(Math.floor(at / 5), at % 5));
  assert.ok(Math.min(...weights) < 90 && Math.max(...weights) > 166);
  assert.ok(new Set(weights).size > 9);
});
