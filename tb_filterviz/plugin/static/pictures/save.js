// What is seen, as files: a PNG, and an animated PNG made of the layer at every step.

import { element } from "../widgets/dom.js";

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function chunk(name, ...parts) {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(12 + length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length);
  for (let at = 0; at < 4; at += 1) bytes[4 + at] = name.charCodeAt(at);
  let offset = 8;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  let check = 0xffffffff;
  for (let at = 4; at < offset; at += 1) check = CRC[(check ^ bytes[at]) & 255] ^ (check >>> 8);
  view.setUint32(offset, (check ^ 0xffffffff) >>> 0);
  return bytes;
}

function numbers(...fields) {
  const bytes = new Uint8Array(fields.reduce((sum, [size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const [size, value] of fields) {
    view[{ 1: "setUint8", 2: "setUint16", 4: "setUint32" }[size]](offset, value);
    offset += size;
  }
  return bytes;
}

// The pixels of a canvas as PNG stores them: rows of RGB, each after a filter byte of 0, deflated.
async function deflated(canvas) {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const rows = new Uint8Array(height * (1 + width * 3));
  let to = 0;
  for (let row = 0, from = 0; row < height; row += 1) {
    to += 1;
    for (let column = 0; column < width; column += 1, from += 4, to += 3) {
      rows[to] = data[from];
      rows[to + 1] = data[from + 1];
      rows[to + 2] = data[from + 2];
    }
  }
  const stream = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// `drawFrame(at)` gives a canvas; all are of one size. Format: PNG specification, third edition, "APNG".
export async function animatedPng(count, drawFrame, framesPerSecond, onProgress) {
  const parts = [Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10)];
  let sequence = 0;
  for (let at = 0; at < count; at += 1) {
    const canvas = drawFrame(at);
    const size = [[4, canvas.width], [4, canvas.height]];
    if (at === 0) {
      parts.push(chunk("IHDR", numbers(...size, [1, 8], [1, 2], [1, 0], [1, 0], [1, 0])));
      parts.push(chunk("acTL", numbers([4, count], [4, 0])));
    }
    const pause = at === count - 1 ? 1000 : Math.round(1000 / framesPerSecond); // stays on the last for a while
    parts.push(chunk("fcTL", numbers([4, sequence], ...size, [4, 0], [4, 0], [2, pause], [2, 1000], [1, 0], [1, 0])));
    sequence += 1;
    const pixels = await deflated(canvas);
    if (at === 0) {
      parts.push(chunk("IDAT", pixels));
    } else {
      parts.push(chunk("fdAT", numbers([4, sequence]), pixels));
      sequence += 1;
    }
    onProgress((at + 1) / count);
  }
  parts.push(chunk("IEND"));
  return new Blob(parts, { type: "image/png" });
}

export function canvasPng(canvas) {
  return new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
}

export function sideBySide(canvases) {
  const joined = element("canvas");
  joined.width = canvases.reduce((sum, canvas) => sum + canvas.width, 0);
  joined.height = Math.max(...canvases.map((canvas) => canvas.height));
  const context = joined.getContext("2d");
  let left = 0;
  for (const canvas of canvases) {
    context.drawImage(canvas, left, 0);
    left += canvas.width;
  }
  return joined;
}

export function fileName(...parts) {
  return parts.map((part) => String(part).replace(/[^\p{L}\p{N}_.-]+/gu, "_")).join("-").replace(/^[.]+/, "");
}

export function download(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = element("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}
