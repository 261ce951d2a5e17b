import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import test from "node:test";

import { question, SavedPage, shrunk, unpack } from "../../tb_filterviz/plugin/static/data/saved_page.js";

/** @param {string | Uint8Array} content */
const stored = (content, isError = false) => ({ text: gzipSync(content).toString("base64"), isError });

/** @param {object} header @param {number[]} bytes */
function pack(header, bytes) {
  const head = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, head.length, true);
  return new Uint8Array([...length, ...head, ...bytes]);
}

const WHERE = { run: "filters", layer: "conv" };
const STEPS = [-1, 0, 5];
const HEADER = { steps: STEPS, wall_times: [1, 2, 3], shape: [3, 4, 1, 2, 1] };
/** Two pixels of a filter at a step. @param {number} at @param {number} filter */
const pixelsOf = (at, filter) => [10 * at + 2 * filter, 10 * at + 2 * filter + 1];
/** @param {number[]} filters */
const bytesOf = (filters) => STEPS.flatMap((_, at) => filters.flatMap((filter) => pixelsOf(at, filter)));

const page = new SavedPage(new Map([
  [question("tiles", WHERE), stored('["0-2", "3-3"]')],
  [question("tiles", { ...WHERE, filters: "0-2" }), stored(pack({ ...HEADER, shape: [3, 3, 1, 2, 1] }, bytesOf([0, 1, 2])))],
  [question("tiles", { ...WHERE, filters: "3-3" }), stored(pack({ ...HEADER, shape: [3, 1, 1, 2, 1] }, bytesOf([3])))],
  [question("layers", {}), stored('{"runs": []}')],
  [question("curves", WHERE), stored("its curves are damaged", true)],
  [question("similar", WHERE), stored(JSON.stringify({ steps: { 5: { by: "pictures", similar: { 2: [[1, 0.5]] } } } }))],
]));

/** @param {import("../../tb_filterviz/plugin/static/data/api.js").Query} query */
async function tiles(query) {
  const { header, bytes } = unpack(await (await page.answer("tiles", { ...WHERE, ...query })).arrayBuffer());
  return { ...header, bytes: [...bytes] };
}

test("questions are the same in any order", () => {
  assert.equal(question("tiles", { run: "a", layer: 3 }), '["tiles",["layer","3"],["run","a"]]');
  assert.equal(question("tiles", { layer: "3", run: "a" }), question("tiles", { run: "a", layer: 3 }));
});

test("some filters at some steps", async () => {
  assert.deepEqual(await tiles({}), { ...HEADER, bytes: bytesOf([0, 1, 2, 3]) });
  assert.deepEqual(await tiles({ filters: "1-2", from: 0, to: 0 }),
    { steps: [0], wall_times: [2], shape: [1, 2, 1, 2, 1], bytes: [...pixelsOf(1, 1), ...pixelsOf(1, 2)] });
  assert.deepEqual((await tiles({ filters: 3, steps: "latest" })).bytes, pixelsOf(2, 3));
  assert.deepEqual((await tiles({ filters: "2-3", from: 5 })).bytes, [...pixelsOf(2, 2), ...pixelsOf(2, 3)]);
  assert.deepEqual((await tiles({ from: 6 })).shape, [0, 4, 1, 2, 1]);
});

test("what is smaller is the mean, rounded, with the edge repeated", () => {
  const tile = new Uint8Array([0, 1, 10, 2, 4, 20, 100, 101, 103]);
  assert.deepEqual([...shrunk(tile, [3, 3, 1], 3)], [...tile]);
  assert.deepEqual([...shrunk(tile, [3, 3, 1], 2)], [2, 15, 101, 103]);
  assert.deepEqual([...shrunk(tile, [3, 3, 1], 1)], [38]);
});

test("what is missing is a sentence", async () => {
  await assert.rejects(page.answer("overview", { run: "filters" }), /This page was saved without that\./);
  await assert.rejects(page.answer("curves", WHERE), /its curves are damaged/);
  await assert.rejects(page.answer("similar", { ...WHERE, filter: 2, step: 0 }), /alike at step 5\./);
  assert.deepEqual(await (await page.answer("similar", { ...WHERE, filter: 2, step: 5 })).json(),
    { by: "pictures", similar: [[1, 0.5]] });
  assert.deepEqual(await (await page.answer("layers", {})).json(), { runs: [] });
});
