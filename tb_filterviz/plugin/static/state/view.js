// What is being looked at, and how: all that an address has to hold.

/**
 * A `view` of null is the overview where there are several layers and none is named, else the grid. A `step` of null is the
 * latest, a `filter` of null the whole layer; `run2` and `step2` are what is compared with; a `lens` of "maps" shows what
 * filters answer to an `example`, counted among those that maps were logged of, of "kernels" their weights; `large` is one
 * filter alone, as large as fits.
 *
 * @typedef {object} View
 * @property {string | null} run
 * @property {string | null} layer
 * @property {number | null} step
 * @property {number | null} filter
 * @property {"overview" | "grid" | "compare" | "runs" | null} view
 * @property {string} sort
 * @property {"show" | "dim" | "hide"} stuck
 * @property {string | undefined} run2
 * @property {number | undefined} step2
 * @property {string | undefined} metric
 * @property {"tiles" | "maps" | "kernels"} lens
 * @property {number} example
 * @property {boolean} large
 */

/** @type {View} */
export const START = { run: null, layer: null, step: null, filter: null, view: null, sort: "index", stuck: "show",
  run2: undefined, step2: undefined, metric: undefined, lens: "tiles", example: 0, large: false };

const VIEWS = /** @type {const} */ (["overview", "grid", "compare", "runs"]);
const STUCK = /** @type {const} */ (["show", "dim", "hide"]);
const LENSES = /** @type {const} */ (["tiles", "maps", "kernels"]);

// Where one goes to, and comes back from by the browser's Back; all else is a turn of a knob.
/** @type {(keyof View)[]} */
const PLACES = ["run", "layer", "filter", "view", "run2", "lens", "large"];

/** @param {string | undefined} text */
function parseInteger(text) {
  return /^-?\d{1,15}$/.test(text ?? "") ? Number(text) : undefined;
}

/**
 * The word that a text is, if it is one that is known.
 *
 * @template {string} W
 * @param {string | undefined} text
 * @param {readonly W[]} known
 */
function parseWord(text, known) {
  return known.find((word) => word === text);
}

/** The key of an order: which there are, the layer says. @param {string | undefined} text */
function parseSort(text) {
  return text !== undefined && /^[a-z][a-z0-9_.]{0,60}$/.test(text) ? text : undefined;
}

/**
 * The view that an address names; what it does not name, or names wrongly, is as at the start.
 *
 * @param {Record<string, string | undefined>} named
 * @returns {View}
 */
export function viewOf(named) {
  return {
    run: named.run ?? null,
    layer: named.layer ?? null,
    step: parseInteger(named.step) ?? null,
    filter: parseInteger(named.filter) ?? null,
    view: parseWord(named.view, VIEWS) ?? START.view,
    sort: parseSort(named.sort) ?? START.sort,
    stuck: parseWord(named.stuck, STUCK) ?? START.stuck,
    run2: named.run2,
    step2: parseInteger(named.step2),
    metric: named.metric,
    lens: parseWord(named.lens, LENSES) ?? START.lens,
    example: Math.max(0, parseInteger(named.example) ?? 0),
    large: named.large === "true",
  };
}

/**
 * What an address has to say of a view.
 *
 * @param {View} view
 * @returns {Partial<View>}
 */
export function changedIn(view) {
  /** @type {Record<string, unknown>} */
  const start = START;
  return Object.fromEntries(Object.entries(view).filter(([name, value]) => value !== start[name]));
}

/**
 * Whether these are two places, so that Back leads from one to the other.
 *
 * @param {View} one
 * @param {View} other
 */
export function isElsewhere(one, other) {
  return PLACES.some((name) => one[name] !== other[name]);
}
