import assert from "node:assert/strict";
import { createServer } from "node:http";
import { test } from "node:test";

import { colourPatternOf, coloursOf, contrast, fetchRunNames, lineColour, withNewRuns }
  from "../../tb_filterviz/plugin/static/host/run_colours.js";
import { randomOf } from "./random.js";

const LIGHT = ["#425066", "#12b5cb", "#e52592", "#f9ab00", "#9334e6", "#7cb342", "#e8710a"];
const WHITE = "#ffffff";
const DARK = "#303030";

/** @param {number} count */
function runs(count) {
  return Array.from({ length: count }, (_, at) => `run_${at}`);
}

// As an angle in the plane of colours, which is another way than by hexagons.
/** @param {string} colour */
function hue(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return (Math.atan2(Math.sqrt(3) * (green - blue), 2 * red - green - blue) * 180) / Math.PI;
}

test("runs have the colours of TensorBoard's palette, in the order in which it lists them, and then again", () => {
  assert.deepEqual([...coloursOf(runs(9), false)],
    [...LIGHT, LIGHT[0], LIGHT[1]].map((colour, at) => [`run_${at}`, colour]));
});

test("in the dark only slate is another one", () => {
  assert.deepEqual([...coloursOf(runs(7), true).values()], ["#8e98a3", ...LIGHT.slice(1)]);
});

test("a run that appears later has the next colour, wherever it is listed; one that has gone keeps its own", () => {
  const known = withNewRuns(["a", "b", "c"], ["new", "a", "c"]);
  const colours = coloursOf(known, false);
  assert.deepEqual(["a", "b", "c", "new"].map((run) => colours.get(run)), LIGHT.slice(0, 4));
  assert.deepEqual(withNewRuns([], ["b", "a"]), ["b", "a"]);
});

test("groups that a pattern tells apart have one colour each, and what it does not find is gray", () => {
  const colours = coloursOf(["lr1/train", "lr2/train", "lr1/filters", "other"], false, "^(lr\\d)");
  assert.deepEqual([...colours.values()], [LIGHT[0], LIGHT[1], LIGHT[0], "#e0e0e0"]);
  assert.deepEqual([...coloursOf(["lr1", "other"], true, "lr").values()], ["#8e98a3", "#3b3b3b"]);
});

test("a pattern that is none leaves each run its own colour", () => {
  assert.deepEqual(coloursOf(runs(3), false, "(("), coloursOf(runs(3), false));
});

test("the address says by which pattern", () => {
  assert.equal(colourPatternOf("?runColorGroup=regex%3A%28lr%5Cd%29&smoothing=0.5"), "(lr\\d)");
  for (const search of ["", "?runColorGroup=run", "?runColorGroup=experiment", "?tagFilter=regex:a"]) {
    assert.equal(colourPatternOf(search), "");
  }
});

test("the list is asked of the TensorBoard that shows the tab, below whatever path it is served at", async (context) => {
  const listed = ["train", "validation", "filters"];
  const server = createServer((request, response) => {
    const isThere = request.url === "/some/path/data/runs";
    response.writeHead(isThere ? 200 : 404, { "content-type": "application/json" });
    response.end(isThere ? JSON.stringify(listed) : "");
  });
  await new Promise((resolve) => { server.listen(0, "127.0.0.1", () => resolve(null)); });
  context.after(() => server.close());
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  const { fetch } = globalThis;
  context.after(() => { globalThis.fetch = fetch; });
  const from = (/** @type {string} */ base) => { // as a browser does, by the frame's <base>
    globalThis.fetch = (address, options) => fetch(new URL(String(address), `http://127.0.0.1:${port}${base}`), options);
  };
  from("/some/path/data/plugin/filterviz/");
  assert.deepEqual(await fetchRunNames(), listed);
  from("/elsewhere/data/plugin/filterviz/");
  await assert.rejects(fetchRunNames(), /404/);
});

test("contrast is WCAG's", () => {
  assert.equal(contrast("#000000", WHITE), 21);
  assert.equal(contrast(WHITE, WHITE), 1);
  assert.equal(contrast("#777777", WHITE).toFixed(2), "4.48");
  assert.equal(contrast(WHITE, "#0000ff").toFixed(2), "8.59");
});

test("lines of every run can be told from the background, and keep the hue of its colour", () => {
  for (const [isDark, background] of /** @type {const} */ ([[false, WHITE], [true, DARK]])) {
    for (const colour of coloursOf(runs(7), isDark).values()) {
      const line = lineColour(colour, background);
      assert.match(line, /^#[0-9a-f]{6}$/);
      assert.ok(contrast(line, background) >= 3, `${colour} on ${background}`);
      assert.ok(Math.abs(hue(line) - hue(colour)) < 1.5, `${colour} on ${background}: ${line}`);
    }
  }
});

test("a colour that can be told stays as it is, and another changes no more than it has to", () => {
  assert.equal(lineColour("#425066", WHITE), "#425066");
  assert.notEqual(lineColour("#f9ab00", WHITE), "#f9ab00");
  const random = randomOf(5);
  let changed = 0;
  for (let trial = 0; trial < 500; trial += 1) {
    const [colour, background] = [0, 1].map(() => `#${random(2 ** 24).toString(16).padStart(6, "0")}`);
    const line = lineColour(colour, background);
    assert.ok(contrast(line, background) >= 3, `${colour} on ${background}`);
    if (contrast(colour, background) >= 3) assert.equal(line, colour);
    else {
      assert.ok(contrast(line, background) < 3.2, `${colour} on ${background}: ${line}`);
      changed += 1;
    }
  }
  assert.ok(changed > 100);
});
