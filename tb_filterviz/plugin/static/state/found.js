// What an address names, as far as there is such a thing.

import { hasFilter, newestRun, viewNamed } from "./selectors.js";

/**
 * @typedef {import("./state.js").About} About
 * @typedef {import("./state.js").Run} Run
 * @typedef {import("./view.js").View} View
 *
 * @typedef {object} Found
 * @property {View} view
 * @property {Run} run
 * @property {About} about the layer
 * @property {string[]} broken sentences about what was named that is not there
 */

/**
 * The view of what there is that is nearest to the one that was asked for.
 *
 * @param {View} asked
 * @param {Run[]} runs at least one, each with layers
 * @returns {Found}
 */
export function found(asked, runs) {
  const broken = [];
  const run = runs.find((one) => one.run === asked.run) ?? runLike(asked, runs);
  if (asked.run !== null && asked.run !== run.run) broken.push(`Run ${asked.run} is not here: this is ${run.run}.`);
  const { layers } = run;
  const about = layers.find(({ id }) => id === asked.layer) ?? layers[layers.length - 1];
  if (asked.layer !== null && asked.layer !== about.id) {
    broken.push(`Layer ${asked.layer} is not in this run: this is ${about.name}.`);
  }
  const isThere = asked.filter !== null && hasFilter(about, asked.filter);
  if (asked.filter !== null && !isThere) {
    broken.push(`Filter ${asked.filter} is not among those that were drawn of ${about.name}.`);
  }
  const view = { ...asked, run: run.run, layer: about.id, view: viewNamed(asked, layers.length),
    filter: isThere ? asked.filter : null, large: isThere && asked.large };
  return { view, run, about, broken };
}

/** The newest run, of those with a layer that was asked for if there are any. @param {View} asked @param {Run[]} runs */
function runLike(asked, runs) {
  const withLayer = runs.filter(({ layers }) => layers.some(({ id }) => id === asked.layer));
  return newestRun(withLayer.length ? withLayer : runs);
}
