// Pure functions: which runs are listed, in which order, and how well each did.

import { nameOfStep, number } from "../words/format.js";
import { searchFor } from "../words/search.js";

/**
 * How well a training did, as the server says; what it does not know is null.
 *
 * @typedef {object} Result
 * @property {string} metric
 * @property {string} of
 * @property {number | null} last
 * @property {number | null} best
 * @property {number | null} best_step
 * @property {number | null} [newest] when it was written last, in seconds
 *
 * @typedef {"newest" | "best" | "name"} RunOrder
 * @typedef {{run: string, result: Result | null}} RunRow
 */

const LOSS = /loss|error|crossentropy|divergence|perplexity|^(?:mse|mae|mape|msle|rmse)$/;
const DATA = new Map([["validation", "validation"], ["train", "training"]]);
const naturally = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Whether less of a metric is better. @param {string} metric */
export function isLoss(metric) {
  return LOSS.test(metric);
}

/**
 * Those whose name a pattern finds, in order. A pattern that is no regular expression is looked for as it stands, and
 * `error` says so.
 *
 * @param {string[]} runs
 * @param {object} [choice]
 * @param {string} [choice.search] in any case of letters
 * @param {RunOrder} [choice.order]
 * @param {Record<string, Result | null | undefined>} [choice.results] by run
 * @param {Record<string, number>} [choice.written] when each run was written last, in seconds, where its result does not say
 * @returns {{rows: RunRow[], error: string}}
 */
export function listRuns(runs, { search = "", order = "newest", results = {}, written = {} } = {}) {
  const { matches, error } = searchFor(search);
  const rows = runs.filter(matches).map((run) => ({ run, result: own(results, run) ?? null }));
  const when = (/** @type {RunRow} */ { run, result }) => result?.newest ?? own(written, run) ?? -Infinity;
  const compare = {
    newest: (/** @type {RunRow} */ one, /** @type {RunRow} */ other) => descending(when(one), when(other)),
    best: byResult,
    name: () => 0,
  }[order];
  rows.sort((one, other) => compare(one, other) || byName(one.run, other.run));
  return { rows, error };
}

/**
 * What is held under a name that anybody may have chosen, "constructor" for example.
 *
 * @template T
 * @param {Record<string, T>} held
 * @param {string} name
 * @returns {T | undefined}
 */
function own(held, name) {
  return Object.hasOwn(held, name) ? held[name] : undefined;
}

/** @param {number} one @param {number} other */
function descending(one, other) {
  return one === other ? 0 : other - one;
}

/** Names that a collator takes for the same are still two names. @param {string} one @param {string} other */
function byName(one, other) {
  return naturally.compare(one, other) || (one < other ? -1 : Number(one > other));
}

/**
 * The best first, by what is shown beside a run: its last value. Metrics that cannot be compared stay among themselves,
 * accuracies before losses, and runs without a result come last.
 *
 * @param {RunRow} one
 * @param {RunRow} other
 */
function byResult({ result: one }, { result: other }) {
  if (!hasValue(one) || !hasValue(other)) return Number(hasValue(other)) - Number(hasValue(one));
  const isLess = isLoss(one.metric);
  if (one.metric !== other.metric) return Number(isLess) - Number(isLoss(other.metric)) || byName(one.metric, other.metric);
  const sign = isLess ? -1 : 1;
  return descending(sign * one.last, sign * other.last)
    || descending(sign * (one.best ?? one.last), sign * (other.best ?? other.last));
}

/** @param {Result | null} result @returns {result is Result & {last: number}} */
function hasValue(result) {
  return result !== null && Number.isFinite(result.last);
}

/**
 * What stands beside a run, and what it means, in a sentence. Empty where nothing is known.
 *
 * @param {Result | null | undefined} result
 * @param {string} [unit] what its steps count
 * @returns {{text: string, title: string}}
 */
export function resultText(result, unit = "epoch") {
  if (!result) return { text: "", title: "" };
  const { metric, of, best, best_step: bestStep } = result;
  const name = [DATA.get(of) ?? of, metric.replaceAll("_", " ")].filter(Boolean).join(" ");
  if (!hasValue(result)) return { text: "NaN", title: `${name}: no finite number at the last ${unit}` };
  const { last } = result;
  const title = `${name} ${number(last)} at the last ${unit}`;
  if (best === null || bestStep === null || best === last) return { text: number(last), title };
  return { text: number(last), title: `${title}; best ${number(best)} at ${nameOfStep(bestStep, unit)}` };
}
