import assert from "node:assert/strict";
import { test } from "node:test";

import { toWebm } from "../../tb_filterviz/plugin/static/files/matroska.js";
import { canEncodeWebm, encodeWebm, evened } from "../../tb_filterviz/plugin/static/files/webm.js";
import { few, painted, planted } from "./planted.js";
import { all, elements, number } from "./read_webm.js";

/** @param {number} time_ms @param {boolean} isKey @param {number} [size] */
function chunk(time_ms, isKey, size = 3) {
  return { bytes: new Uint8Array(size).fill(1 + time_ms % 250), time_ms, isKey };
}

const CHUNKS = [chunk(0, true), chunk(125, false, 200), chunk(250, false, 20000), chunk(40000, false), chunk(40100, true),
  chunk(40200, false)];

/** @param {import("../../tb_filterviz/plugin/static/files/matroska.js").Chunk[]} chunks @param {number} duration_ms */
function tree(chunks, duration_ms) {
  return elements(Buffer.from(toWebm({ codec: "V_VP9", width: 300, height: 2, duration_ms, chunks })));
}

test("a file says what it holds", () => {
  const found = tree(CHUNKS, 41200);
  assert.deepEqual(found.map(({ id }) => id), [0x1a45dfa3, 0x18538067]);
  assert.deepEqual([0x4282, 0x86].map((id) => all(found, id)[0].data.toString()), ["webm", "V_VP9"]);
  assert.deepEqual([0xb0, 0xba, 0x83, 0x2ad7b1].map((id) => number(found, id)), [300, 2, 1, 1e6]);
  assert.equal(all(found, 0x4489)[0].data.readDoubleBE(), 41200);
});

test("every picture is there, at its time, and keys are told apart", () => {
  const seen = all(tree(CHUNKS, 41200), 0x1f43b675).flatMap(({ children }) => {
    const start_ms = number(children, 0xe7);
    return children.slice(1).map((one) => {
      const block = one.id === 0xa3 ? one : one.children[0];
      assert.equal(block.data[0], 0x81);
      const isKey = one.id === 0xa3 ? block.data[3] === 0x80 : !all(one.children, 0xfb).length;
      return { time_ms: start_ms + block.data.readInt16BE(1), isKey, bytes: Uint8Array.from(block.data.subarray(4)) };
    });
  });
  assert.deepEqual(seen, CHUNKS.map(({ bytes, time_ms, isKey }) => ({ time_ms, isKey, bytes })));
});

test("sizes are told whatever they are", () => {
  for (const size of [1, 122, 123, 124, 16378, 16379, 16380, 2 ** 21 - 6, 2 ** 21 - 5, 2 ** 21 - 4]) { // with 4 bytes before
    const [block] = all(tree([chunk(0, true, size), chunk(1, false)], 2), 0xa3);
    assert.equal(block.data.length, size + 4);
  }
});

test("the last picture stays to the end", () => {
  const [group, ...others] = all(tree(CHUNKS, 41200), 0xa0);
  assert.equal(others.length, 0);
  assert.equal(number(group.children, 0x9b), 1000);
  assert.equal(all(group.children, 0xfb)[0].data.readInt16BE(), -100);
  assert.deepEqual(all(tree([chunk(0, true)], 70000), 0xfb), []);
});

test("cues lead to the clusters that begin with a key", () => {
  const found = tree(CHUNKS, 41200);
  const segment = found[1];
  const clusters = all(found, 0x1f43b675);
  assert.deepEqual(clusters.map(({ children }) => number(children, 0xe7)), [0, 40000, 40100]);
  const start = segment.children[0].start;
  assert.deepEqual(all(found, 0xbb).map(({ children }) => [number(children, 0xb3), start + number(children, 0xf1)]),
    [[0, clusters[0].start], [40100, clusters[2].start]]);
});

test("odd sides are made even by what is at the edge", () => {
  const from = painted(3, 5, (x, y) => [x, y, 9]);
  assert.deepEqual(evened(from), painted(4, 6, (x, y) => [Math.min(2, x), Math.min(4, y), 9]));
  assert.deepEqual(evened(painted(4, 5, (x, y) => [x, y, 0])), painted(4, 6, (x, y) => [x, Math.min(4, y), 0]));
  const even = painted(2, 2, () => [1, 2, 3]);
  assert.equal(evened(even), even);
});

test("where nothing encodes video, that is said", async () => {
  const { frames, size } = planted(1, few);
  assert.equal(await canEncodeWebm(), false);
  await assert.rejects(encodeWebm(frames, { ...size, delays_ms: [100] }), /neither VP9 nor VP8/);
});
