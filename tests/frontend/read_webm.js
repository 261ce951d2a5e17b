// A WebM file as a tree of its elements, read without any code of ours: RFC 8794 and RFC 9559.

/** @typedef {{ id: number, start: number, data: Buffer, children: Element[] }} Element `start` is where its id begins */

const HOLDERS = [0x1a45dfa3, 0x18538067, 0x1549a966, 0x1654ae6b, 0xae, 0xe0, 0x1c53bb6b, 0xbb, 0xb7, 0x1f43b675, 0xa0];

/** @param {Buffer} bytes @param {number} at */
function lengthOfNumber(bytes, at) {
  return Math.clz32(bytes[at]) - 23;
}

/**
 * @param {Buffer} bytes
 * @param {number} [offset] of them in the file
 * @returns {Element[]}
 */
export function elements(bytes, offset = 0) {
  const found = [];
  for (let at = 0; at < bytes.length;) {
    const start = at;
    const idLength = lengthOfNumber(bytes, at);
    const id = bytes.readUIntBE(at, idLength);
    at += idLength;
    const sizeLength = lengthOfNumber(bytes, at);
    const size = bytes.readUIntBE(at, sizeLength) - 2 ** (7 * sizeLength);
    at += sizeLength;
    if (size === 2 ** (7 * sizeLength) - 1) throw new Error("a size that stands for none");
    if (at + size > bytes.length) throw new Error("cut off");
    const data = bytes.subarray(at, at + size);
    found.push({ id, start: offset + start, data, children: HOLDERS.includes(id) ? elements(data, offset + at) : [] });
    at += size;
  }
  return found;
}

/**
 * All elements with this id, wherever they are.
 * @param {Element[]} tree
 * @param {number} id
 * @returns {Element[]}
 */
export function all(tree, id) {
  return tree.flatMap((one) => [...(one.id === id ? [one] : []), ...all(one.children, id)]);
}

/** @param {Element[]} tree @param {number} id */
export function number(tree, id) {
  const [{ data }] = all(tree, id);
  return data.readUIntBE(data.length > 6 ? 2 : 0, Math.min(6, data.length));
}
