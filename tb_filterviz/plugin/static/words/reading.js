// Pure functions for the line "Read this": what the data of a layer say, in sentences. What they do not support is not said.

import { isBeforeTraining, nameOfStep, percent, unitsOf } from "./format.js";
import { bestHere, diverged, guessing, pastBest, rateChanged, rateWords } from "./reading_curves.js";
import { alarmIfMany, atStep, mostImportant, note, share, STILL } from "./sentences.js";

export { alarmOf, readingOfRun } from "./reading_run.js";

/**
 * @typedef {import("./sentences.js").Sentence} Sentence
 * @typedef {import("./reading_curves.js").Curve} Curve
 * @typedef {import("./reading_curves.js").Training} Training
 *
 * @typedef {object} Formation of each filter, as `/statistics` answers; see formation.py
 * @property {(string | null)[]} outcome
 * @property {(number | null)[]} since
 * @property {number[][][]} stuck
 *
 * @typedef {object} LayerData
 * @property {string} unit
 * @property {number[]} steps
 * @property {number} filters how many are drawn
 * @property {number} index the place of the step that is shown
 * @property {(number | null | undefined)[] | null} [change] the mean over the filters at each step
 * @property {(number | null | undefined)[] | null} [responsive] how many are, at each step
 * @property {Formation | null} [formation]
 * @property {Curve[]} [curves]
 * @property {Training | null} [training]
 * @property {number[] | null} [dead] filters that no example switches on, at the step that is shown
 * @property {number[] | null} [alwaysOn] filters that no example switches off
 * @property {number | null} [classes] how many there are
 */

const MANY = 0.5; // of a layer's filters: enough to ask for one cause
const NEARLY_ALL = 0.95;
const FEWEST_TO_SETTLE = 5; // steps: the first has no change, one moves, three are still; see formation.py
const FEWEST_CHANGES = 4; // of two, one always makes up half

/**
 * What there is to know of a layer, seen from one of its steps: at most three sentences, the most important first.
 *
 * @param {LayerData} layer
 * @returns {Sentence[]}
 */
export function readingOf(layer) {
  const { unit, steps, filters, index, curves = [], training, classes } = layer;
  const step = steps[index];
  if (step === undefined || !filters) return [];
  const told = { unit, curves, training };
  return mostImportant([diverged(told), stuckNow(layer), dead(layer), guessing(told, step, classes), untrained(layer),
    stuckLater(layer), stuckInPassing(layer), rateChanged(told, step), pastBest(told), resting(layer), mostChange(layer),
    bestHere(told, step), alwaysOn(layer)]);
}

/** @param {LayerData} layer @returns {Sentence | null} */
function untrained({ unit, steps, index }) {
  if (!isBeforeTraining(steps[index], unit)) return null;
  return note("Before training: these pictures come from the starting weights, which are random unless they were loaded. "
    + "Nothing in them was learned here.");
}

/** @param {LayerData} layer @returns {Sentence | null} */
function stuckNow(layer) {
  const { unit, steps, filters, index, responsive, formation } = layer;
  const step = steps[index];
  if (!formation) {
    const count = filters - (responsive?.[index] ?? filters);
    const words = `${share(count, filters, "is", "are")} stuck ${atStep(step, unit)}.`;
    return count > 0 ? alarmIfMany(count, filters, words) : null;
  }
  const stuck = stuckSpans(formation).filter(({ since, last }) => since <= step && step <= last);
  if (!stuck.length) return null;
  const most = mostCommon(stuck.map(({ since }) => since));
  const text = [sinceWords(stuck.length, most, layer), againWords(stuck),
    causeWords(stuck.length, most.since, layer)].join("");
  return alarmIfMany(stuck.length, filters, text, most.since < step ? { step: most.since } : {});
}

/** When filters were stuck, and whether they stayed so. @param {Formation} formation */
function stuckSpans({ outcome, since, stuck }) {
  return stuck.flatMap((spans, place) => spans.map(([first, last]) => (
    { since: first, last, isForGood: outcome[place] === "stuck" && since[place] === first })));
}

/** @param {number} all @param {{since: number, count: number}} most since one step @param {LayerData} layer */
function sinceWords(all, { since, count }, { unit, steps, filters, index }) {
  const name = nameOfStep(since, unit);
  if (count < all) return `${share(all, filters, "is", "are")} stuck, ${partWords(count)} since ${name}.`;
  if (since < steps[index]) return `${share(all, filters, "has", "have")} been stuck since ${name}.`;
  return isBeforeTraining(since, unit) ? `${share(all, filters, "is", "are")} stuck before training.`
    : `${share(all, filters, "got")} stuck at ${name}.`;
}

/** That a filter is stuck need not last. @param {{isForGood: boolean}[]} stuck */
function againWords(stuck) {
  const back = stuck.filter(({ isForGood }) => !isForGood).length;
  if (!back) return "";
  if (back < stuck.length) return ` Later, ${back} of them ${back === 1 ? "responds" : "respond"} again.`;
  return back === 1 ? " It responds again later." : " All of them respond again later.";
}

/**
 * Why, as far as one can tell: a few may have no common cause, and what was so before the training is none of its doing.
 *
 * @param {number} count
 * @param {number} since
 * @param {LayerData} layer
 */
function causeWords(count, since, { unit, filters, curves = [], training }) {
  const isMany = count >= MANY * filters;
  if (isBeforeTraining(since, unit)) return isMany ? " Check the initial weights, and the scale of the inputs." : "";
  const rate = rateWords({ curves, training }, since);
  if (!isMany) return rate && ` The learning rate was ${rate}.`;
  return ` Usual causes: a learning rate that is too high${rate && ` (here ${rate})`}, or inputs of the wrong scale.`;
}

/** @param {LayerData} layer @returns {Sentence | null} */
function stuckLater({ unit, steps, filters, index, formation }) {
  if (!formation) return null;
  const ahead = formation.since.flatMap((since, place) => (
    formation.outcome[place] === "stuck" && since !== null && since > steps[index] ? [since] : []));
  if (!ahead.length) return null;
  const { since, count } = mostCommon(ahead);
  const when = count < ahead.length ? `later, ${partWords(count)} ${atStep(since, unit)}` : atStep(since, unit);
  return alarmIfMany(ahead.length, filters, `${share(ahead.length, filters, "gets", "get")} stuck ${when}.`,
    { step: since });
}

/**
 * That much of the layer is stuck at another step, and responds again after it.
 *
 * @param {LayerData} layer
 * @returns {Sentence | null}
 */
function stuckInPassing({ unit, steps, filters, index, formation }) {
  if (!formation) return null;
  const counts = countsOf(stuckSpans(formation).filter(({ isForGood }) => !isForGood), steps);
  const most = Math.max(...counts);
  const step = steps[counts.indexOf(most)];
  if (most < MANY * filters || counts[index] >= MANY * filters) return null;
  const verbs = step < steps[index] ? ["was", "were"] : ["gets", "get"];
  return note(`${share(most, filters, verbs[0], verbs[1])} stuck for a while, ${atStep(step, unit)}.`, { step });
}

/**
 * How many spans go on at each step: this is asked of every frame that is played, so each span is looked at once.
 *
 * @param {{since: number, last: number}[]} spans
 * @param {number[]} steps
 */
function countsOf(spans, steps) {
  const places = new Map(steps.map((step, at) => [step, at]));
  const begun = Array.from({ length: steps.length + 1 }, () => 0);
  for (const { since, last } of spans) {
    begun[places.get(since) ?? 0] += 1;
    begun[(places.get(last) ?? steps.length - 1) + 1] -= 1;
  }
  let count = 0;
  return steps.map((_, at) => (count += begun[at]));
}

/** If no step is more common than others, it is the earliest. @param {number} count */
function partWords(count) {
  return count === 1 ? "the first" : `${count} of them`;
}

/**
 * The most common of some steps, the earliest of these.
 *
 * @param {number[]} steps
 * @returns {{since: number, count: number}}
 */
function mostCommon(steps) {
  const counts = new Map();
  for (const step of [...steps].sort((one, other) => one - other)) counts.set(step, (counts.get(step) ?? 0) + 1);
  const [since, count] = [...counts].reduce((most, one) => (one[1] > most[1] ? one : most));
  return { since, count };
}

/** @param {LayerData} layer @returns {Sentence | null} */
function dead({ filters, dead: found }) {
  if (!found?.length) return null;
  const them = found.length === 1 ? "it" : "them";
  return alarmIfMany(found.length, filters,
    `${share(found.length, filters, "is", "are")} dead: none of the examples switches ${them} on.`);
}

/** @param {LayerData} layer @returns {Sentence | null} */
function alwaysOn({ filters, alwaysOn: found }) {
  if (!found?.length) return null;
  const whose = found.length === 1 ? "its activation cuts" : "their activations cut";
  return note(`${share(found.length, filters, "is", "are")} always on: on the examples, ${whose} off nothing.`);
}

/**
 * Whether there is anything new to expect, or has been for long. Stuck filters do not count.
 *
 * @param {LayerData} layer
 * @returns {Sentence | null}
 */
function resting({ unit, steps, filters, formation }) {
  if (!formation || steps.length < 2) return null;
  const counted = (/** @type {string} */ outcome) => formation.outcome.filter((one) => one === outcome).length;
  const [settled, unmoved, changing] = ["settled", "unmoved", "changing"].map(counted);
  const moving = settled + unmoved + changing;
  if (!moving) return null;
  if (unmoved === moving) {
    return note(`${share(unmoved, filters, "looks as it", "look as they")} did at the beginning: the layer may be frozen, `
      + "or the learning rate very small.");
  }
  if (settled && settled + unmoved >= NEARLY_ALL * moving) {
    const dates = formation.since.filter((_, place) => formation.outcome[place] === "settled").map(Number);
    dates.sort((one, other) => one - other);
    const by = dates[Math.max(1, Math.ceil(NEARLY_ALL * moving) - unmoved) - 1];
    const then = unmoved + dates.filter((date) => date <= by).length;
    const how = then === moving ? "Nothing" : "Little";
    const since = `${steps[steps.length - 1] - by} ${unitsOf(unit)}`;
    return note(`${how} new in the last ${since}: ${share(then, filters, "had")} settled by ${nameOfStep(by, unit)}.`,
      { step: by });
  }
  if (steps.length < FEWEST_TO_SETTLE) return null;
  return note(`Still changing: ${share(changing, filters, "had")} not settled at the last ${unit}.`);
}

/**
 * When the layer formed, if most of it did at once. Pictures of stuck filters say nothing, nor does how they change.
 *
 * @param {LayerData} layer
 * @returns {Sentence | null}
 */
function mostChange({ unit, steps, filters, change, formation }) {
  if (formation && formation.outcome.filter((one) => one === "stuck").length >= MANY * filters) return null;
  const sizes = steps.map((_, at) => (at && change?.[at]) || 0);
  const known = steps.filter((_, at) => at && Number.isFinite(change?.[at])).length;
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const at = sizes.indexOf(Math.max(...sizes));
  if (known < FEWEST_CHANGES || total <= STILL || sizes[at] < total / 2) return null;
  const when = sinceStepBefore(steps[at - 1], steps[at], unit);
  return note(`Most of the change (${percent(sizes[at] / total)}) happened ${when}.`, { step: steps[at] });
}

/** "in epoch 3", where every epoch was logged. @param {number} before @param {number} step @param {string} unit */
function sinceStepBefore(before, step, unit) {
  const name = nameOfStep(step, unit);
  if (step === before + 1) return `in ${name}`;
  return isBeforeTraining(before, unit) ? `up to ${name}` : `between ${nameOfStep(before, unit)} and ${name}`;
}
