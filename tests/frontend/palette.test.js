import assert from "node:assert/strict";
import { test } from "node:test";

import { CLEAR, closePalette, countColours, exactPalette, indices,
  paletteOf } from "../../tb_filterviz/plugin/static/files/palette.js";
import { framesOf, painted } from "./planted.js";
import { randomOf } from "./random.js";

/** @param {number} r @param {number} g @param {number} b */
function pixel(r, g, b) {
  return (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
}

/** @param {number} colour */
function channels(colour) {
  return [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
}

/** @param {Uint32Array} pixels @param {import("../../tb_filterviz/plugin/static/files/palette.js").Palette} palette */
function squareError(pixels, palette) {
  return indices(pixels, palette).reduce((sum, place, at) => sum + channels(pixels[at]).reduce((all, value, channel) =>
    all + (value - palette.bytes[3 * place + channel]) ** 2, 0), 0) / pixels.length;
}

const random = randomOf(3);
const NOISE = Uint32Array.from({ length: 20000 }, () => pixel(random(256), random(random(256) + 1), random(90)));

test("colours are counted, neighbours or not", () => {
  const [red, green] = [pixel(255, 0, 0), pixel(0, 255, 0)];
  assert.deepEqual([...countColours([red, red, green, red, green, green, green])], [[red, 3], [green, 4]]);
  assert.deepEqual([...countColours([])], []);
});

test("few colours stay what they are, the darkest first", () => {
  const colours = [pixel(255, 255, 255), pixel(0, 0, 255), pixel(1, 2, 3)];
  const palette = closePalette(countColours(colours), 3);
  assert.deepEqual([...palette.bytes], [1, 2, 3, 0, 0, 255, 255, 255, 255]);
  assert.deepEqual([...indices(Uint32Array.from(colours), palette)], [2, 1, 0]);
});

test("many colours become as many as there may be, and come closer than even steps do", () => {
  const palette = closePalette(countColours(NOISE), 256);
  assert.equal(palette.size, 256);
  assert.equal(palette.bytes.length, 3 * 256);
  const steps = NOISE.map((colour) => { // three bits of red and of green, two of blue; each step's middle
    const [r, g, b] = channels(colour);
    return pixel((r & 0xe0) + 16, (g & 0xe0) + 16, (b & 0xc0) + 32);
  });
  const ofSteps = NOISE.reduce((sum, colour, at) => sum + channels(colour).reduce((all, value, channel) =>
    all + (value - channels(steps[at])[channel]) ** 2, 0), 0) / NOISE.length;
  assert.ok(squareError(NOISE, palette) < ofSteps / 2, `${squareError(NOISE, palette)}, ${ofSteps}`);
  assert.ok(squareError(NOISE, closePalette(countColours(NOISE), 128)) > squareError(NOISE, palette));
});

test("a palette does not depend on where colours were met first", () => {
  const one = closePalette(countColours(NOISE), 64);
  const other = closePalette(countColours(NOISE.toReversed()), 64);
  assert.deepEqual(one.bytes, other.bytes);
  assert.deepEqual(indices(NOISE, one), indices(NOISE, other));
});

test("a colour that is everywhere is hit exactly", () => {
  const pixels = Uint32Array.from({ length: 40000 }, (_, at) => (at % 2 ? pixel(38, 38, 38) : NOISE[at >> 1]));
  const palette = closePalette(countColours(pixels), 256);
  const [, place] = indices(pixels, palette);
  assert.deepEqual([...palette.bytes.subarray(3 * place, 3 * place + 3)], [38, 38, 38]);
});

test("an exact palette is that of all frames, or none", async () => {
  const frames = framesOf([0, 1].map((blue) => painted(3, 1, (x) => [x, 0, blue])));
  assert.equal((await exactPalette(frames, 6))?.size, 6);
  assert.equal(await exactPalette(frames, 5), null);
});

test("what is clear has the place after all colours, and a colour unheard of has none", () => {
  const palette = paletteOf([pixel(1, 1, 1), pixel(2, 2, 2)]);
  assert.deepEqual([...indices(Uint32Array.of(CLEAR, pixel(2, 2, 2), CLEAR), palette)], [2, 1, 2]);
  assert.throws(() => indices(Uint32Array.of(pixel(3, 3, 3)), palette), /has changed/);
});
