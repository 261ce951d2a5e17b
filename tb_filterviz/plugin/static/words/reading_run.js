// Pure functions: what the layers of a run say side by side, in sentences.

import { nameOfStep, percent, plural } from "./format.js";
import { alarm, alarmIfMany, listed, mostImportant, note, share, STILL } from "./sentences.js";

/**
 * @typedef {import("./sentences.js").Sentence} Sentence
 *
 * @typedef {import("../data/overview.js").LayerSummary} LayerSummary
 * @typedef {Omit<LayerSummary, "responsive" | "problem"> & {name?: string, unit?: string}} Summary of a layer, with what it
 *   is called and what its steps count, epochs if it does not say
 */

const MOST_OPEN = 3; // layers that are worth being named, of those that have not settled

/**
 * What there is to know of a run: at most three sentences, the most important first.
 *
 * @param {Summary[]} layers
 * @param {string} [unit]
 * @returns {Sentence[]}
 */
export function readingOfRun(layers, unit = layers[0]?.unit ?? "epoch") {
  const known = layers.filter(({ steps, filters }) => steps.length && filters);
  return mostImportant([whollyStuck(known, unit), partlyStuck(known), dead(known), unmoved(known), settling(known, unit),
    changesMost(known, unit)]);
}

/**
 * What is wrong with a layer, in a few words; empty if nothing is.
 *
 * @param {Summary} layer
 * @param {string} [unit]
 */
export function alarmOf(layer, unit = layer.unit ?? "epoch") {
  const { filters, dead: silent, always_on: never } = layer;
  const stuck = stuckIn(layer);
  if (stuck) return `${stuck} of ${filters} stuck${isSinceOneStep(layer) ? "" : ","} ${sinceWords(layer, unit)}`;
  if (silent) return `${silent} of ${filters} dead on the examples`;
  return never ? `${never} of ${filters} always on` : "";
}

/** @param {Summary} layer */
function nameOf({ id, name }) {
  return name ?? id;
}

/** @param {Summary} layer */
function stuckIn({ outcomes }) {
  return outcomes.stuck ?? 0;
}

/** @param {Summary} layer */
function isWhollyStuck(layer) {
  return stuckIn(layer) === layer.filters;
}

/** @param {Summary} layer */
function isSinceOneStep({ stuck_since: since }) {
  return since.length === 1;
}

/** "since epoch 0" if that goes for all of them, or else "40 since epoch 0". @param {Summary} layer @param {string} unit */
function sinceWords(layer, unit) {
  const [step, count] = most(layer.stuck_since, ([, each]) => each);
  return `${isSinceOneStep(layer) ? "" : `${count} `}since ${nameOfStep(step, unit)}`;
}

/** @param {Summary[]} layers @param {string} unit @returns {Sentence | null} */
function whollyStuck(layers, unit) {
  const found = layers.filter(isWhollyStuck);
  if (!found.length) return null;
  const names = found.map((layer) => `${nameOf(layer)} ${isSinceOneStep(layer) ? sinceWords(layer, unit)
    : `(${sinceWords(layer, unit)})`}`);
  if (found.length === 1) return alarm(`All filters are stuck in ${names[0]}.`, { layer: found[0].id });
  return alarm(`All filters are stuck in ${found.length} layers: ${listed(names)}.`, { layer: found[0].id });
}

/** @param {Summary[]} layers @returns {Sentence | null} */
function partlyStuck(layers) {
  const found = layers.filter((layer) => stuckIn(layer) && !isWhollyStuck(layer));
  if (!found.length) return null;
  const worst = most(found, (layer) => stuckIn(layer) / layer.filters);
  const inWorst = `${nameOf(worst)} (${stuckIn(worst)} of ${worst.filters})`;
  const text = found.length === 1 ? `${share(stuckIn(worst), worst.filters, "is", "are")} stuck in ${nameOf(worst)}.`
    : `${plural(sum(found, stuckIn), "filter")} are stuck in ${found.length} layers, the largest share in ${inWorst}.`;
  return alarmIfMany(stuckIn(worst), worst.filters, text, { layer: worst.id });
}

/** @param {Summary[]} layers @returns {Sentence | null} */
function dead(layers) {
  const count = (/** @type {Summary} */ layer) => layer.dead ?? 0;
  const found = layers.filter((layer) => count(layer) && !isWhollyStuck(layer));
  if (!found.length) return null;
  const worst = most(found, (layer) => count(layer) / layer.filters);
  const text = found.length === 1 ? `${share(count(worst), worst.filters, "is", "are")} dead in ${nameOf(worst)}`
    : `${plural(sum(found, count), "filter")} are dead in ${found.length} layers, the largest share in `
      + `${nameOf(worst)} (${count(worst)} of ${worst.filters})`;
  return alarmIfMany(count(worst), worst.filters,
    `${text}: no example switches ${sum(found, count) === 1 ? "it" : "them"} on.`,
    { layer: worst.id });
}

/** @param {Summary[]} layers @returns {Sentence | null} */
function unmoved(layers) {
  const found = layers.filter((layer) => layer.steps.length > 1 && layer.outcomes.unmoved === layer.filters);
  if (!found.length) return null;
  const names = listed(found.map(nameOf));
  const which = found.length === 1 ? `${names} look as they did at the beginning: it`
    : `${found.length} layers look as they did at the beginning: ${names}`;
  return note(`The pictures of ${which} may be frozen, or the learning rate very small.`, { layer: found[0].id });
}

/**
 * Which layer settles first and last, or that all do at once. Where half never moved, or is stuck, nothing is to be told.
 *
 * @param {Summary[]} layers
 * @param {string} unit
 * @returns {Sentence | null}
 */
function settling(layers, unit) {
  const forming = layers.filter(({ outcomes, filters, half_settled: by, steps }) => (
    by === null ? (outcomes.stuck ?? 0) + (outcomes.unmoved ?? 0) < filters / 2 : by > steps[0]));
  const settled = forming.flatMap((layer) => (layer.half_settled === null ? [] : [{ name: nameOf(layer),
    by: layer.half_settled }]));
  if (!settled.length || forming.length < 2) return null;
  const dates = settled.map(({ by }) => by);
  const [first, last] = [Math.min(...dates), Math.max(...dates)];
  const at = (/** @type {number} */ date) => settled.filter(({ by }) => by === date).map(({ name }) => name);
  const begins = `${listed(at(first))} ${at(first).length === 1 ? "settles" : "settle"} first (half of the filters by `
    + `${nameOfStep(first, unit)})`;
  const open = forming.filter((layer) => layer.half_settled === null).map(nameOf);
  const others = open.length > MOST_OPEN ? `${open.length} layers` : listed(open);
  if (open.length) return note(`${begins}; ${others} ${open.length === 1 ? "is" : "are"} still forming.`);
  if (first < last) return note(`${begins}, ${listed(at(last))} last (${nameOfStep(last, unit)}).`);
  const where = forming.length === layers.length ? "every layer" : `${forming.length} layers`;
  return note(`In ${where}, half of the filters had settled by ${nameOfStep(last, unit)}.`, { step: last });
}

/** @param {Summary[]} layers @param {string} unit @returns {Sentence | null} */
function changesMost(layers, unit) {
  const changeOf = (/** @type {Summary} */ { change }) => change[change.length - 1] ?? 0;
  const found = layers.filter((layer) => layer.steps.length > 2 && changeOf(layer) > STILL);
  if (!found.length || layers.length < 2) return null;
  const largest = most(found, changeOf);
  return note(`${nameOf(largest)} still changes most at the last ${unit} (${percent(changeOf(largest))}).`,
    { layer: largest.id });
}

/** @template T @param {T[]} items @param {(item: T) => number} value */
function most(items, value) {
  return items.reduce((best, one) => (value(one) > value(best) ? one : best));
}

/** @template T @param {T[]} items @param {(item: T) => number} value */
function sum(items, value) {
  return items.reduce((total, one) => total + value(one), 0);
}
