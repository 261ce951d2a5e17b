// Pure functions: the filters of PNG, which turn rows of pixels into ones that deflate better. PNG, third edition, clause 9.

/** @typedef {(row: Uint8Array, above: Uint8Array, step: number, to: Uint8Array) => void} RowFilter */

/** @type {RowFilter} */
function none(row, _above, _step, to) {
  to.set(row);
}

/** @type {RowFilter} */
function sub(row, _above, step, to) {
  for (let at = 0; at < step; at += 1) to[at] = row[at];
  for (let at = step; at < row.length; at += 1) to[at] = row[at] - row[at - step];
}

/** @type {RowFilter} */
function up(row, above, _step, to) {
  for (let at = 0; at < row.length; at += 1) to[at] = row[at] - above[at];
}

/** @type {RowFilter} */
function paeth(row, above, step, to) {
  for (let at = 0; at < step; at += 1) to[at] = row[at] - above[at];
  for (let at = step; at < row.length; at += 1) {
    const left = row[at - step];
    const over = above[at];
    const corner = above[at - step];
    const byLeft = Math.abs(over - corner);
    const byOver = Math.abs(left - corner);
    const byCorner = Math.abs(left + over - 2 * corner);
    to[at] = row[at] - (byLeft <= byOver && byLeft <= byCorner ? left : byOver <= byCorner ? over : corner);
  }
}

/** @type {RowFilter[]} */
const FILTERS = [none, sub, up]; // the numbers that PNG gives them
FILTERS[4] = paeth;

/** @typedef {(bytes: Uint8Array) => number} Cost a guess at how large bytes will be once they are deflated */

/** How far bytes are from 0, read as signed: what PNG itself advises, clause 12.7. @type {Cost} */
export function magnitude(bytes) {
  let sum = 0;
  for (const byte of bytes) sum += byte < 128 ? byte : 256 - byte;
  return sum;
}

/** How often bytes differ from the one before: better where pixels have been enlarged. @type {Cost} */
export function turns(bytes) {
  let sum = 0;
  for (let at = 1; at < bytes.length; at += 1) sum += bytes[at] === bytes[at - 1] ? 0 : 1;
  return sum;
}

/**
 * Rows of bytes, each after the number of its filter: the one that makes it cheapest.
 * @param {Uint8Array} bytes rows, one after the other
 * @param {number} stride bytes of a row
 * @param {number} step bytes of a pixel
 * @param {Cost | null} cost null to leave all rows as they are
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function filtered(bytes, stride, step, cost) {
  const height = bytes.length / stride;
  const rows = new Uint8Array(height * (1 + stride));
  const trial = new Uint8Array(stride);
  const tried = cost ? FILTERS : [none];
  let above = new Uint8Array(stride);
  for (let row = 0; row < height; row += 1) {
    const pixels = bytes.slice(row * stride, (row + 1) * stride);
    const from = row * (1 + stride);
    let least = Infinity;
    tried.forEach((filter, type) => {
      filter(pixels, above, step, trial);
      const costs = cost ? cost(trial) : 0;
      if (costs >= least) return;
      least = costs;
      rows[from] = type;
      rows.set(trial, from + 1);
    });
    above = pixels;
  }
  return rows;
}
