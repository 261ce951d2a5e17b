// What an address names, as far as there is such a thing.

import { hasFilter, layersOf, newestRun, viewNamed } from "./selectors.js";

/**
 * A view of what there is, and sentences about what it named that is not.
 *
 * @param {import("./view.js").View} asked
 * @param {import("./state.js").Run[]} runs
 * @returns {{view: import("./view.js").View, broken: string[]}}
 */
export function found(asked, runs) {
  const view = { ...asked };
  const broken = [];
  if (!layersOf(runs, view.run).length) {
    const wanted = view.run;
    const withLayer = runs.filter(({ layers }) => layers.some(({ id }) => id === view.layer));
    view.run = newestRun(withLayer.length ? withLayer : runs);
    if (wanted !== null) broken.push(`Run ${wanted} is not here: this is ${view.run}.`);
  }
  const layers = layersOf(runs, view.run);
  view.view = viewNamed(view, layers.length);
  if (!layers.some(({ id }) => id === view.layer)) {
    const chosen = layers[layers.length - 1];
    if (view.layer !== null) broken.push(`Layer ${view.layer} is not in this run: this is ${chosen?.name}.`);
    view.layer = chosen?.id ?? null;
  }
  const about = layers.find(({ id }) => id === view.layer);
  if (about && view.filter !== null && !hasFilter(about, view.filter)) {
    broken.push(`Filter ${view.filter} is not among those that were drawn of ${about.name}.`);
    view.filter = null;
  }
  if (view.filter === null) view.large = false;
  return { view, broken };
}
