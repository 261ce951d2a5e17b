// A pure function: the compression of GIF. Format: GIF89a, appendix F.

const MOST_CODES = 4096;

/**
 * @param {Uint8Array} values each below 2 ** bits
 * @param {number} bits from 2 to 8
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function lzw(values, bits) {
  const clear = 1 << bits;
  const children = new Uint16Array(MOST_CODES << bits); // the code of a code's values and one more; 0 for none yet
  const bytes = new Uint8Array(Math.ceil(values.length * 1.51) + 16);
  let length = 0;
  let pending = 0;
  let pendingBits = 0;
  let width = bits + 1;
  let next = clear + 2;

  /** @param {number} code */
  const write = (code) => {
    pending |= code << pendingBits;
    pendingBits += width;
    while (pendingBits >= 8) {
      bytes[length] = pending;
      length += 1;
      pending >>>= 8;
      pendingBits -= 8;
    }
  };

  write(clear);
  let code = values[0];
  for (let at = 1; at < values.length; at += 1) {
    const value = values[at];
    const child = (code << bits) | value;
    if (children[child]) {
      code = children[child];
      continue;
    }
    write(code);
    if (next < MOST_CODES) {
      children[child] = next;
      if (next === 1 << width) width += 1;
      next += 1;
    } else {
      write(clear);
      children.fill(0);
      width = bits + 1;
      next = clear + 2;
    }
    code = value;
  }
  write(code);
  if (next === 1 << width && width < 12) width += 1;
  write(clear + 1); // the end
  bytes[length] = pending;
  return bytes.slice(0, length + (pendingBits > 0 ? 1 : 0));
}
