// An animated PNG, read without any code of ours: PNG, third edition.

import { crc32, inflateSync } from "node:zlib";

const CHANNELS = /** @type {Record<number, number>} */ ({ 2: 3, 3: 1 });

/**
 * @typedef {object} Shown
 * @property {number} delay_ms
 * @property {{ left: number, top: number, width: number, height: number }} box
 * @property {Uint8Array} rgb of the whole picture, as it is seen
 */

/** @param {Buffer} bytes */
function chunksOf(bytes) {
  if (bytes.readBigUInt64BE(0) !== 0x89504e470d0a1a0an) throw new Error("no PNG");
  const chunks = [];
  for (let at = 8; at < bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const body = bytes.subarray(at + 4, at + 8 + length);
    if (crc32(body) !== bytes.readUInt32BE(at + 8 + length)) throw new Error("wrong checksum");
    chunks.push({ name: body.toString("latin1", 0, 4), data: body.subarray(4) });
    at += 12 + length;
  }
  return chunks;
}

/** @param {number} left @param {number} up @param {number} corner */
function paeth(left, up, corner) {
  const guess = left + up - corner;
  const distances = [left, up, corner].map((value) => Math.abs(guess - value));
  return [left, up, corner][distances.indexOf(Math.min(...distances))];
}

/**
 * @param {Uint8Array} rows each after the number of its filter
 * @param {number} stride bytes of a row
 * @param {number} step bytes of a pixel
 */
export function unfiltered(rows, stride, step) {
  const height = rows.length / (stride + 1);
  const pixels = new Uint8Array(height * stride);
  const types = [];
  for (let row = 0; row < height; row += 1) {
    const type = rows[row * (stride + 1)];
    types.push(type);
    for (let at = 0; at < stride; at += 1) {
      const to = row * stride + at;
      const left = at < step ? 0 : pixels[to - step];
      const up = row === 0 ? 0 : pixels[to - stride];
      const corner = at < step || row === 0 ? 0 : pixels[to - stride - step];
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][type];
      pixels[to] = rows[row * (stride + 1) + 1 + at] + guess;
    }
  }
  return { pixels, types };
}

/** @param {Buffer} bytes */
export function readApng(bytes) {
  const chunks = chunksOf(bytes);
  const names = chunks.map(({ name }) => name);
  const [header, animation, palette] = ["IHDR", "acTL", "PLTE"].map((name) => chunks.find((one) => one.name === name)?.data);
  if (!header || !animation || names[0] !== "IHDR" || names.at(-1) !== "IEND") throw new Error(`chunks ${names}`);
  const [width, height, depth, type] = [header.readUInt32BE(0), header.readUInt32BE(4), header[8], header[9]];
  if (depth !== 8) throw new Error(`depth ${depth}`);
  const step = CHANNELS[type];
  const seen = new Uint8Array(width * height * 3);
  /** @type {Shown[]} */
  const frames = [];
  let sequence = 0;
  /** @type {Buffer | null} */
  let control = null;
  for (const { name, data } of chunks) {
    if (name === "fcTL" || name === "fdAT") {
      if (data.readUInt32BE(0) !== sequence) throw new Error("wrong sequence");
      sequence += 1;
    }
    if (name === "fcTL") control = data;
    if (name !== "IDAT" && name !== "fdAT") continue;
    if (!control) throw new Error("a frame without its control");
    const [boxWidth, boxHeight, left, top] = [4, 8, 12, 16].map((at) => control?.readUInt32BE(at) ?? 0);
    if (control[24] !== 0 || control[25] !== 0) throw new Error("another way to dispose or to blend");
    const { pixels } = unfiltered(inflateSync(name === "IDAT" ? data : data.subarray(4)), boxWidth * step, step);
    if (pixels.length !== boxWidth * boxHeight * step) throw new Error("another size");
    for (let at = 0; at < boxWidth * boxHeight; at += 1) {
      const to = ((top + Math.floor(at / boxWidth)) * width + left + (at % boxWidth)) * 3;
      for (let channel = 0; channel < 3; channel += 1) {
        seen[to + channel] = palette ? palette[pixels[at] * 3 + channel] : pixels[at * 3 + channel];
      }
    }
    frames.push({ delay_ms: 1000 * control.readUInt16BE(20) / control.readUInt16BE(22),
      box: { left, top, width: boxWidth, height: boxHeight }, rgb: seen.slice() });
  }
  if (animation.readUInt32BE(0) !== frames.length) throw new Error("another number of frames");
  return { width, height, isIndexed: type === 3, plays: animation.readUInt32BE(4), frames };
}
