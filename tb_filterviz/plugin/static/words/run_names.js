// Pure functions: short names of runs, which leave out what all have in common.

const ELLIPSIS = "…";
const OUR_END = /^(.+)[/\\]filters$/s; // the folder that a callback writes into, below that of its training

/**
 * A short name for each run, and no two alike. A folder that all share is left out, and so is the folder `filters` at the
 * end, which says nothing; `filters_2`, another training of the same log directory, stays.
 *
 * @param {string[]} names
 * @returns {Map<string, {text: string, full: string}>} by name
 */
export function shortNames(names) {
  const full = [...new Set(names)];
  const texts = withoutFolder(withoutEnd(full));
  return new Map(full.map((name, at) => [name, { text: texts[at], full: name }]));
}

/** Without `filters` at the end, where names stay distinct. @param {string[]} names */
function withoutEnd(names) {
  const kept = new Set();
  for (;;) {
    const texts = names.map((name) => (kept.has(name) ? name : name.replace(OUR_END, "$1")));
    const counts = countsOf(texts);
    const clashing = names.filter((name, at) => texts[at] !== name && (counts.get(texts[at]) ?? 0) > 1);
    if (!clashing.length) return texts;
    for (const name of clashing) kept.add(name);
  }
}

/** Without the folders in which all of them lie; of one alone, without all of its folders. @param {string[]} names */
function withoutFolder(names) {
  const paths = names.map((name) => name.split(/(?<=[/\\])/));
  const deepest = names.length ? Math.min(...paths.map((path) => path.length - 1)) : 0;
  let shared = 0;
  while (shared < deepest && paths.every((path) => path[shared] === paths[0][shared])) shared += 1;
  return paths.map((path) => path.slice(shared).join(""));
}

/** @param {string[]} texts */
function countsOf(texts) {
  const counts = new Map();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

/**
 * A text of at most so many characters: what is too long loses its middle, since names differ at their ends.
 *
 * @param {string} text
 * @param {number} most
 */
export function cutMiddle(text, most) {
  const characters = [...text]; // whole ones: half of a pair is no character
  if (characters.length <= most) return text;
  if (most < 1) return "";
  const head = Math.ceil((most - 1) / 2);
  const tail = most - 1 - head;
  return [...characters.slice(0, head), ELLIPSIS, ...characters.slice(characters.length - tail)].join("");
}
