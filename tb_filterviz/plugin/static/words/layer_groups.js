// Pure functions: the layers of a large network, grouped by its blocks as far as their names tell these.

// "conv2" of conv2_block1_1_conv, "block_1" of block_1_expand, "block2" of block2a_expand_conv, "layer1" of layer1.0.conv1:
// the first word that has a number, if more follows. conv2d, of Keras' own names, is a word without one.
const BLOCK = /^((?:[a-z]+[_.-])*?(?![a-z]*conv[123]d)[a-z]+[_.-]?\d+)[a-z]?[_.-]./i;
const MANY = 16; // layers of one folder that are worth being grouped further

/**
 * @typedef {{title: string | null, names: string[]}} LayerGroup
 * @typedef {{name: string, folders: string[], last: string}} Path
 */

/**
 * The layers in the order in which they come, grouped; those that belong to no block have no title. If names tell no
 * blocks, it is one group without a title.
 *
 * @param {string[]} names of layers, with the folders of nested models: `encoder/conv2d_1`
 * @returns {LayerGroup[]}
 */
export function groupLayers(names) {
  return divide(names.map((name) => {
    const folders = name.split("/");
    return { name, last: folders.pop() ?? "", folders };
  }));
}

/** @param {Path[]} paths @returns {LayerGroup[]} */
function divide(paths) {
  if (!paths.length) return [];
  const inside = withoutSharedFolders(paths);
  const groups = neighbours(inside).flatMap(named);
  const singles = groups.filter((group) => group.names.length === 1).length;
  if (groups.length > 1 && 2 * singles <= groups.length) return groups;
  return [{ title: null, names: paths.map(({ name }) => name) }];
}

/** @param {Path[]} paths @returns {Path[]} */
function withoutSharedFolders(paths) {
  const [first] = paths;
  let shared = 0;
  const isShared = (/** @type {number} */ at) => paths.every(({ folders }) => folders[at] === first.folders[at]);
  while (shared < first.folders.length && isShared(shared)) shared += 1;
  return paths.map((path) => ({ ...path, folders: path.folders.slice(shared) }));
}

/** Those side by side that belong to one folder, or to one block. @param {Path[]} paths */
function neighbours(paths) {
  /** @type {{folder: string | undefined, block: string | undefined, paths: Path[]}[]} */
  const found = [];
  for (const path of paths) {
    const [folder] = path.folders;
    const block = folder === undefined ? BLOCK.exec(path.last)?.[1] : undefined;
    const before = found.at(-1);
    if (before && before.folder === folder && before.block === block) before.paths.push(path);
    else found.push({ folder, block, paths: [path] });
  }
  return found;
}

/** @param {ReturnType<typeof neighbours>[number]} group @returns {LayerGroup[]} */
function named({ folder, block, paths }) {
  const whole = [{ title: folder || block || null, names: paths.map(({ name }) => name) }];
  if (folder === undefined || paths.length <= MANY) return whole;
  const parts = divide(paths);
  if (parts.length === 1) return whole;
  return parts.map(({ title, names }) => ({ title: title === null ? folder : `${folder}/${title}`, names }));
}
