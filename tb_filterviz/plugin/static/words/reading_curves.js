// Pure functions: what the curves of a training say, in sentences.

import { capital, nameOfStep, number, unitsOf } from "./format.js";
import { alarm, atStep, note } from "./sentences.js";

/**
 * @typedef {import("./sentences.js").Sentence} Sentence
 * @typedef {{metric: string, of: string, points: (number | null)[][]}} Curve as `/curves` answers
 * @typedef {{optimizer?: unknown, learning_rate?: unknown}} Training as a recipe has it, which nobody has checked
 * @typedef {{unit: string, curves: Curve[], training?: Training | null}} Told
 * @typedef {[number, number]} Point step and value
 */

const ACCURACIES = ["accuracy", "acc", "sparse_categorical_accuracy", "categorical_accuracy", "binary_accuracy"];
const OF_CLASSES = ACCURACIES.filter((metric) => metric !== "binary_accuracy"); // which may count labels one by one
const NOTABLE_FALL = 0.005; // of an accuracy: 25 images of 5000
const NOTABLE_RISE = 0.05; // of a loss, as a share of it
const FEWEST_POINTS = 3;
const FEWEST_WORSE = 2; // at the end: one alone may be chance

/** That a loss is no finite number any more. @param {Told} told @returns {Sentence | null} */
export function diverged({ unit, curves, training }) {
  for (const { metric, of, points } of curves) {
    const from = points[points.findLastIndex(([, value]) => value !== null) + 1]?.[0];
    if (metric !== "loss" || !of || from === undefined || from === null) continue;
    const rate = rateWords({ curves, training }, from);
    return alarm(`The training diverged: from ${nameOfStep(from, unit)} on, its loss is infinite or not a number. `
      + `Usual cause: a learning rate that is too high${rate && ` (here ${rate})`}.`, { step: from });
  }
  return null;
}

/** @param {Told} told @param {number} step @param {number | null | undefined} classes @returns {Sentence | null} */
export function guessing({ curves }, step, classes) {
  if (!classes || classes < 2) return null;
  const curve = curveOf(curves, OF_CLASSES, "validation") ?? curveOf(curves, OF_CLASSES, "train");
  const value = valueAt(curve, step);
  if (!curve || value === undefined || value > chance(classes)) return null;
  return alarm(`${nameOf(curve)} is ${number(value)}, no better than guessing among ${classes} classes.`);
}

/**
 * What guessing may reach, with some luck, or where one class is somewhat more frequent than others.
 *
 * @param {number} classes
 */
function chance(classes) {
  return 1 / classes + Math.min(0.25 / classes, 0.05);
}

/** That the learning rate is another one than before. @param {Told} told @param {number} step @returns {Sentence | null} */
export function rateChanged({ unit, curves }, step) {
  const points = pointsOf(curves.find(({ metric }) => metric === "learning_rate"));
  const at = points.findIndex(([one]) => one === step);
  if (at < 1) return null;
  const [[, before], [, now]] = points.slice(at - 1);
  if (before <= 0 || now <= 0 || Math.max(before / now, now / before) < 2) return null;
  const went = now < before ? "fell" : "rose";
  return note(`The learning rate ${went} from ${number(before)} to ${number(now)} ${atStep(step, unit)}.`);
}

/**
 * That validation data were done better before: by accuracy, or else by loss.
 *
 * @param {Told} told
 * @returns {Sentence | null}
 */
export function pastBest(told) {
  return pastBestOf(told, ACCURACIES, { sign: 1, best: "best", moved: "fallen" })
    ?? pastBestOf(told, ["loss"], { sign: -1, best: "lowest", moved: "risen" });
}

/**
 * @param {Told} told
 * @param {string[]} metrics
 * @param {{sign: number, best: string, moved: string}} how
 * @returns {Sentence | null}
 */
function pastBestOf({ unit, curves }, metrics, { sign, best, moved }) {
  const curve = curveOf(curves, metrics, "validation");
  const points = pointsOf(curve);
  if (!curve || points.length < FEWEST_POINTS) return null;
  const [step, top] = bestOf(points, sign);
  const [lastStep, last] = points[points.length - 1];
  const notable = sign > 0 ? NOTABLE_FALL : NOTABLE_RISE * Math.abs(top);
  const [, lately] = bestOf(points.slice(-FEWEST_WORSE), sign);
  if (sign * (top - lately) < Math.max(notable, jitter(points))) return null;
  const was = `${best} at ${nameOfStep(step, unit)} (${number(top)})`;
  const train = curveOf(curves, metrics, "train");
  const [then, now] = [step, lastStep].map((one) => valueAt(train, one));
  const trainGoesOn = then !== undefined && now !== undefined && sign * (now - then) > 0;
  return note(`${nameOf(curve)} was ${was} and has ${moved} since (${number(last)})`
    + `${trainGoesOn ? `: later ${unitsOf(unit)} may be overfitting` : ""}.`, { step });
}

/** That validation data are done best at this step. @param {Told} told @param {number} step @returns {Sentence | null} */
export function bestHere({ unit, curves }, step) {
  const curve = curveOf(curves, ACCURACIES, "validation");
  const points = pointsOf(curve);
  if (!curve || points.length < FEWEST_POINTS) return null;
  const [bestStep, top] = bestOf(points, 1);
  return bestStep === step ? note(`${nameOf(curve)} is best at this ${unit}: ${number(top)}.`) : null;
}

/**
 * The learning rate at a step, as far as it was logged, or else that which the training began with; empty if nothing says.
 *
 * @param {{curves: Curve[], training?: Training | null}} told
 * @param {number} step
 */
export function rateWords({ curves, training }, step) {
  const logged = pointsOf(curves.find(({ metric }) => metric === "learning_rate"));
  const rate = logged.length ? logged.find(([one]) => one >= step)?.[1] : training?.learning_rate;
  if (typeof rate !== "number" || !Number.isFinite(rate) || rate <= 0) return "";
  const optimizer = training?.optimizer;
  return `${number(rate)}${typeof optimizer === "string" && optimizer ? ` with ${optimizer}` : ""}`;
}

/** @param {Curve[]} curves @param {string[]} metrics @param {string} of */
function curveOf(curves, metrics, of) {
  return curves.find((curve) => curve.of === of && metrics.includes(curve.metric));
}

/** Those that are finite numbers. @param {Curve | undefined} curve @returns {Point[]} */
function pointsOf(curve) {
  return /** @type {Point[]} */ ((curve?.points ?? []).filter(([, value]) => value !== null));
}

/** @param {Curve | undefined} curve @param {number} step @returns {number | undefined} */
function valueAt(curve, step) {
  return pointsOf(curve).find(([one]) => one === step)?.[1];
}

/** The first of the best. @param {Point[]} points @param {number} sign -1 where less is better */
function bestOf(points, sign) {
  return points.reduce((best, point) => (sign * (point[1] - best[1]) > 0 ? point : best));
}

/** By how much a curve goes up and down: half of its steps are larger. @param {Point[]} points */
function jitter(points) {
  const sizes = points.slice(1).map(([, value], at) => Math.abs(value - points[at][1])).sort((one, other) => one - other);
  return sizes[Math.floor((sizes.length - 1) / 2)];
}

/** @param {Curve} curve */
function nameOf({ metric, of }) {
  const name = ACCURACIES.includes(metric) ? "accuracy" : metric.replaceAll("_", " ");
  return `${capital(name)} on ${of === "train" ? "training" : of} data`;
}
