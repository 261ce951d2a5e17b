// All layers of a run at once: what became of each, and a few of its pictures.

import { getJson, getParts } from "./api.js";

/**
 * @typedef {object} LayerSummary
 * @property {string} id
 * @property {number[]} steps
 * @property {(number | null)[]} change the mean over its filters at every step
 * @property {(number | null)[] | null} responsive how many are
 * @property {number} filters
 * @property {number | null} half_settled the step by which half of them have, or never moved
 * @property {Record<string, number>} outcomes how many filters came to each
 * @property {[number, number][]} stuck_since steps, and how many are stuck since then
 * @property {number | null} dead
 * @property {number | null} always_on
 * @property {string | null} problem
 */

/** @typedef {{filters: number[], pictures: import("../pictures/draw.js").Picture[]}} Samples */

/**
 * @typedef {object} Overview
 * @property {string} run
 * @property {number} version when the run was written last, in seconds
 * @property {LayerSummary[]} layers
 * @property {Map<string, Samples>} samples by layer
 */

const SAMPLES = 12;
const SAMPLE_PX = 48;

/**
 * @param {string} run
 * @param {number} version
 * @returns {Promise<Overview>}
 */
export async function openOverview(run, version) {
  /** @type {[{layers: LayerSummary[]}, Awaited<ReturnType<typeof getParts>>]} */
  const [{ layers }, parts] = await Promise.all([getJson("overview", { run }),
    getParts("samples", { run, count: SAMPLES, size: SAMPLE_PX })]);
  const samples = new Map(parts.map(({ id, filters, shape: [count, height, width, channels], bytes }) => [id, {
    filters,
    pictures: Array.from({ length: count }, (_, at) => (
      { bytes, offset: at * height * width * channels, height, width, channels })),
  }]));
  return { run, version, layers, samples };
}
