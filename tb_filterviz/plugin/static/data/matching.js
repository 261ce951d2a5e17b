// Which filters of two layers go together, by what the server found.

import { getJson } from "./api.js";

/** @typedef {{other: number, similarity: number}} Pair */

export class Matching {
  /**
   * @param {{by: "pictures" | "responses", pairs: [number, number, number][], chance: number, threshold: number}} answer
   */
  constructor({ by, pairs, chance, threshold }) {
    this.by = by;
    this.chance = chance;
    this.threshold = threshold;
    /** @type {Map<number, Pair>} each with the best that is left for it */
    this.pairs = new Map(pairs.map(([filter, other, similarity]) => [filter, { other, similarity }]));
    /** @type {number} how many of them are more alike than filters of one layer are */
    this.matched = pairs.filter(([, , similarity]) => similarity >= threshold).length;
  }

  /** Whether a filter and its pair are more alike than chance would have them. @param {number} filter */
  isMatched(filter) {
    return (this.pairs.get(filter)?.similarity ?? -1) >= this.threshold;
  }

  /** The mean similarity of all pairs; null if there are none. */
  get similarity() {
    const all = [...this.pairs.values()];
    return all.length ? all.reduce((sum, pair) => sum + pair.similarity, 0) / all.length : null;
  }
}

/** @type {Map<string, Promise<Matching>>} */
const known = new Map();
const KEPT = 100;

/**
 * How the filters of one layer go with those of another, as both are at their last steps.
 *
 * @param {import("./recording.js").Recording} recording
 * @param {import("./recording.js").Recording} other
 * @returns {Promise<Matching>}
 */
export function matchingOf(recording, other) {
  const query = { ...recording.where, run2: other.where.run, layer2: other.where.layer };
  const key = JSON.stringify([query, recording.about.last_wall_time, other.about.last_wall_time]);
  const found = known.get(key) ?? getJson("match", query).then((answer) => new Matching(answer));
  found.catch(() => known.delete(key)); // so that it is tried again
  known.delete(key);
  known.set(key, found);
  if (known.size > KEPT) known.delete(/** @type {string} */ (known.keys().next().value));
  return found;
}

/**
 * The filters of the layer that are most like one of them.
 *
 * @param {import("./recording.js").Recording} recording
 * @param {number} filter
 * @param {number} step
 * @returns {Promise<[number, number][]>} filters and their similarities, the most alike first
 */
export async function similarTo(recording, filter, step) {
  return (await getJson("similar", { ...recording.where, filter, step })).similar;
}
