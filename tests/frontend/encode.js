// Writes frames as an animated PNG and as a GIF, for tests that read these with programs of others:
// node encode.js FRAMES FOLDER, where FRAMES.json holds {width, height, delays_ms}, and FRAMES.rgba their pixels.

import { readFileSync, writeFileSync } from "node:fs";

import { encodeApng } from "../../tb_filterviz/plugin/static/files/apng.js";
import { encodeGif } from "../../tb_filterviz/plugin/static/files/gif.js";

const [name, folder] = process.argv.slice(2);
const timing = JSON.parse(readFileSync(`${name}.json`, "utf8"));
const pixels = Uint8ClampedArray.from(readFileSync(`${name}.rgba`));
const size = timing.width * timing.height * 4;
const frames = {
  count: timing.delays_ms.length,
  frame: (/** @type {number} */ at) => ({ ...timing, data: pixels.slice(at * size, (at + 1) * size) }),
};
for (const [ending, encode] of /** @type {const} */ ([["png", encodeApng], ["gif", encodeGif]])) {
  const blob = await encode(frames, timing);
  writeFileSync(`${folder}/film.${ending}`, Buffer.from(await blob.arrayBuffer()));
}
