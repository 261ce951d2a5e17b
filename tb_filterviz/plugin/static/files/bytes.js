// Pure functions: bytes out of their parts.

/**
 * @param {...(Uint8Array | number[])} parts
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function joined(...parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/**
 * The codes of letters, which are ASCII.
 * @param {string} text
 * @returns {number[]}
 */
export function letters(text) {
  return Array.from(text, (letter) => letter.charCodeAt(0));
}
