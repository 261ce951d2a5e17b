import assert from "node:assert/strict";
import { test } from "node:test";

import { cutMiddle, shortNames } from "../../tb_filterviz/plugin/static/words/run_names.js";
import { randomOf } from "./random.js";

/** @param {string[]} names */
function texts(names) {
  const short = shortNames(names);
  return names.map((name) => short.get(name)?.text);
}

test("a sweep's names lose the end that all have", () => {
  assert.deepEqual(texts(["run_03_lr0.001_bs32/filters", "run_11_lr0.01_bs128/filters"]),
    ["run_03_lr0.001_bs32", "run_11_lr0.01_bs128"]);
});

test("they lose the folders that all lie in, and no part of a folder's name", () => {
  assert.deepEqual(texts(["out/sweep/run_03/filters", "out/sweep/run_04/filters"]), ["run_03", "run_04"]);
  assert.deepEqual(texts(["out\\sweep\\run_03\\filters", "out\\sweep\\run_04\\filters"]), ["run_03", "run_04"]);
  assert.deepEqual(texts(["a/one/filters", "b/one/filters"]), ["a/one", "b/one"]);
});

test("a second training in one folder stays recognizable", () => {
  assert.deepEqual(texts(["filters", "filters_2", "filters_10"]), ["filters", "filters_2", "filters_10"]);
  assert.deepEqual(texts(["lenet/filters", "lenet/filters_2"]), ["lenet", "lenet/filters_2"]);
  assert.deepEqual(texts(["out/lenet/filters", "out/lenet/filters_2", "out/vgg/filters"]),
    ["lenet", "lenet/filters_2", "vgg"]);
});

test("a run alone keeps the name of its own folder", () => {
  assert.deepEqual(texts(["filters"]), ["filters"]);
  assert.deepEqual(texts(["out/sweep/run_03/filters"]), ["run_03"]);
  assert.deepEqual(texts(["out/from_loop"]), ["from_loop"]);
  assert.deepEqual(texts(["."]), ["."]);
});

test("the end stays where names would be alike without it", () => {
  assert.deepEqual(texts(["a", "a/filters", "b/filters"]), ["a", "a/filters", "b"]);
  assert.deepEqual(texts(["a", "a/filters", "a/filters/filters"]), ["a", "a/filters", "a/filters/filters"]);
});

test("the whole name stays at hand", () => {
  assert.deepEqual(shortNames(["x/a/filters", "x/b/filters"]).get("x/a/filters"), { text: "a", full: "x/a/filters" });
  assert.equal(shortNames([]).size, 0);
});

test("names that differ have short names that differ, and none is empty", () => {
  const random = randomOf(1);
  const parts = ["a", "b", "run", "/", "/", "\\", "filters", "filters", "filters_2", "_", "é", "𝒳", " ", "\n", "$1"];
  let shortened = 0;
  for (let trial = 0; trial < 3000; trial += 1) {
    const nameOf = () => Array.from({ length: 1 + random(7) }, () => parts[random(parts.length)]).join("");
    const names = [...new Set(Array.from({ length: 1 + random(6) }, nameOf))];
    const short = texts(names);
    assert.equal(new Set(short).size, names.length, JSON.stringify(names));
    assert.ok(short.every((text, at) => text && names[at].includes(text)), JSON.stringify(names));
    shortened += Number(short.join("").length < names.join("").length);
  }
  assert.ok(shortened > 300, "many can be shortened");
});

test("a text that fits is not cut, and a longer one loses its middle", () => {
  assert.equal(cutMiddle("run_03_lr0.001", 14), "run_03_lr0.001");
  assert.equal(cutMiddle("run_03_lr0.001", 9), "run_….001");
  assert.equal(cutMiddle("abcdef", 2), "a…");
  assert.equal(cutMiddle("abcdef", 1), "…");
  assert.equal(cutMiddle("abcdef", 0), "");
});

test("characters stay whole, beginning and end are those of the text, and no more is cut than has to be", () => {
  const random = randomOf(2);
  const characters = [..."abc/_é𝒳😀"];
  for (let trial = 0; trial < 1000; trial += 1) {
    const whole = Array.from({ length: random(30) }, () => characters[random(characters.length)]);
    const most = 1 + random(30);
    const cut = [...cutMiddle(whole.join(""), most)];
    assert.equal(cut.length, Math.min(whole.length, most));
    if (whole.length <= most) continue;
    const at = cut.indexOf("…");
    assert.deepEqual(cut.slice(0, at), whole.slice(0, at));
    assert.deepEqual(cut.slice(at + 1), whole.slice(whole.length - (cut.length - at - 1)));
    assert.ok(Math.abs(at - (cut.length - 1 - at)) <= 1, "as much of the end as of the beginning");
  }
});
