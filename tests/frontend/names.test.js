import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 as zlibCrc32 } from "node:zlib";

import { joined, letters } from "../../tb_filterviz/plugin/static/files/bytes.js";
import { crc32 } from "../../tb_filterviz/plugin/static/files/crc.js";
import { fileName } from "../../tb_filterviz/plugin/static/files/names.js";

test("names of files hold letters of every script, and nothing that leads elsewhere", () => {
  assert.equal(fileName("a/b", "conv2d_1", 3), "a_b-conv2d_1-3");
  assert.equal(fileName("../../etc/passwd"), "_.._etc_passwd");
  assert.equal(fileName("..", "x"), "-x");
  assert.equal(fileName("Größe 7", "学習", 'a"b\\c:d\n'), "Größe_7-学習-a_b_c_d_");
});

test("the checksum is that of PNG", () => {
  assert.equal(crc32(Uint8Array.from(letters("123456789"))), 0xcbf43926);
  assert.equal(crc32(new Uint8Array(0)), 0);
  const bytes = Uint8Array.from({ length: 1000 }, (_, at) => (at * at) >> 3);
  assert.equal(crc32(bytes), zlibCrc32(bytes));
});

test("parts are joined in their order", () => {
  assert.deepEqual(joined([1], Uint8Array.of(2, 3), [], [255]), Uint8Array.of(1, 2, 3, 255));
});
