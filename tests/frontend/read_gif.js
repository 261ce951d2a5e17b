// An animated GIF, read without any code of ours: GIF89a.

/** @typedef {import("./read_png.js").Shown} Shown */

/**
 * What a stream of codes stands for: appendix F.
 * @param {Uint8Array} bytes
 * @param {number} bits
 */
export function unpacked(bytes, bits) {
  const clear = 2 ** bits;
  const fresh = () => Array.from({ length: clear + 2 }, (_, value) => (value < clear ? [value] : []));
  let table = fresh();
  let width = bits + 1;
  /** @type {number[]} */
  let before = []; // none since the table was cleared
  const values = [];
  for (let at = 0; ;) {
    if (at + width > bytes.length * 8) throw new Error("no end");
    let code = 0;
    for (let bit = 0; bit < width; bit += 1, at += 1) code += ((bytes[at >> 3] >> (at & 7)) & 1) * 2 ** bit;
    if (code === clear) {
      table = fresh();
      width = bits + 1;
      before = [];
      continue;
    }
    if (code === clear + 1) {
      if (bytes.length !== Math.ceil(at / 8)) throw new Error("more after the end");
      return values;
    }
    if (code > table.length || (code === table.length && !before.length)) throw new Error(`code ${code} too soon`);
    const found = table[code] ?? [...before, before[0]];
    for (const value of found) values.push(value);
    if (before.length && table.length < 4096) table.push([...before, found[0]]);
    if (table.length === 2 ** width && width < 12) width += 1;
    before = found;
  }
}

/** @param {Buffer} bytes */
export function readGif(bytes) {
  let at = 0;
  const take = (/** @type {number} */ count) => {
    at += count;
    if (at > bytes.length) throw new Error("cut off");
    return bytes.subarray(at - count, at);
  };
  const byte = () => take(1)[0];
  const word = () => take(2).readUInt16LE();
  const blocks = () => {
    const parts = [];
    for (let size = byte(); size; size = byte()) parts.push(take(size));
    return Buffer.concat(parts);
  };
  const table = (/** @type {number} */ flags) => (flags & 0x80 ? take(3 * 2 ** ((flags & 7) + 1)) : null);
  if (take(6).toString("latin1") !== "GIF89a") throw new Error("no GIF");
  const [width, height, flags] = [word(), word(), byte()];
  take(2);
  const global = table(flags);
  const seen = new Uint8Array(width * height * 3);
  /** @type {Shown[]} */
  const frames = [];
  let plays = 1;
  let control = Buffer.alloc(0);
  for (let kind = byte(); kind !== 0x3b; kind = byte()) {
    if (kind === 0x21) {
      const label = byte();
      const data = blocks();
      if (label === 0xf9) control = data;
      if (label === 0xff && data.toString("latin1", 0, 11) === "NETSCAPE2.0") plays = data.readUInt16LE(12);
      continue;
    }
    if (kind !== 0x2c) throw new Error(`block ${kind}`);
    const [left, top, boxWidth, boxHeight, boxFlags] = [word(), word(), word(), word(), byte()];
    const colours = table(boxFlags) ?? global;
    const bits = byte();
    const places = unpacked(blocks(), bits);
    if (places.length !== boxWidth * boxHeight || !colours) throw new Error("another size, or no colours");
    if (((control[0] >> 2) & 7) !== 1) throw new Error("another way to dispose");
    const clear = control[0] & 1 ? control[3] : -1;
    places.forEach((place, pixel) => {
      if (place === clear) return;
      const to = ((top + Math.floor(pixel / boxWidth)) * width + left + (pixel % boxWidth)) * 3;
      seen.set(colours.subarray(3 * place, 3 * place + 3), to);
    });
    frames.push({ delay_ms: 10 * control.readUInt16LE(1), box: { left, top, width: boxWidth, height: boxHeight },
      rgb: seen.slice() });
  }
  return { width, height, plays, hasGlobalTable: global !== null, frames };
}
