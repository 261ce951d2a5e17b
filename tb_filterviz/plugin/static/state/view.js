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

/** @type {Record<string, string[]>} */
const CHOICES = { view: ["overview", "grid", "compare", "runs"], stuck: ["show", "dim", "hide"],
  lens: ["tiles", "maps", "kernels"] };

// Where one goes to, and comes back from by the browser's Back; all else is a turn of a knob.
/** @type {(keyof View)[]} */
const PLACES = ["run", "layer", "filter", "view", "run2", "lens", "large"];

/** @param {string | undefined} text */
function parseInteger(text) {
  return /^-?\d{1,15}$/.test(text ?? "") ? Number(text) : undefined;
}

/**
 * The view that an address names; what it does not name, or names wrongly, is as at the start.
 *
 * @param {Record<string, string | undefined>} named
 * @returns {View}
 */
export function viewOf(named) {
  /** @type {Record<string, any>} */
  const view = { ...START, run: named.run ?? null, layer: named.layer ?? null, step: parseInteger(named.step) ?? null,
    filter: parseInteger(named.filter) ?? null, run2: named.run2, step2: parseInteger(named.step2), metric: named.metric,
    example: Math.max(0, parseInteger(named.example) ?? 0), large: named.large === "true" };
  if (/^[a-z][a-z0-9_.]{0,60}$/.test(named.sort ?? "")) view.sort = named.sort; // which there are, the layer says
  for (const [name, known] of Object.entries(CHOICES)) {
    const given = named[name];
    if (given !== undefined && known.includes(given)) view[name] = given;
  }
  return /** @type {View} */ (view);
}

/**
 * What an address has to say of a view.
 *
 * @param {View} view
 * @returns {Partial<View>}
 */
export function changedIn(view) {
  return Object.fromEntries(Object.entries(view).filter(([name, value]) => value !== START[/** @type {keyof View} */ (name)]));
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
