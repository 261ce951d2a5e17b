// Words and numbers.

/** @typedef {import("../state/state.js").StatisticAbout["unit"]} Unit */

const PLURALS = new Map([["epoch", "epochs"], ["batch", "batches"]]);

/** What steps count, of many; empty if that is unknown. @param {string} unit */
export function unitsOf(unit) {
  return PLURALS.get(unit) ?? "";
}

/** Whether a step is that of the starting weights: only epochs have one. @param {number} step @param {string} unit */
export function isBeforeTraining(step, unit) {
  return unit === "epoch" && step === -1;
}

/** What to call a step: "epoch 3", "before training". @param {number} step @param {string} unit */
export function nameOfStep(step, unit) {
  return isBeforeTraining(step, unit) ? "before training" : `${unit} ${step}`;
}

/** A text with a capital at its beginning. @param {string} text */
export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A number in three digits; where there is none, it was not finite. @param {number | null | undefined} value */
export function number(value) {
  if (value === null || value === undefined) return "not finite";
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 100000)) return value.toExponential(2);
  return String(Number(value.toPrecision(3)));
}

/** A share of 1, in percent. @param {number | null | undefined} share */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  const digits = share === 0 || share >= 0.0995 ? 0 : share >= 0.00995 ? 1 : 2;
  return `${(100 * share).toFixed(digits)} %`;
}

/**
 * How far two pictures differ; `isExact` is false of tiles that are here reduced only, whose averages differ less.
 *
 * @param {{rms: number, isExact: boolean}} difference
 */
export function differenceWords({ rms, isExact }) {
  return `${isExact ? "" : "about "}${percent(rms)}`;
}

/**
 * A statistic's value of one filter; `undefined` is a step that lacks it.
 *
 * @param {number | null | undefined} value
 * @param {Unit} unit
 */
export function shown(value, unit) {
  if (value === undefined) return "–";
  if (unit === "flag") return value === null ? "–" : value ? "yes" : "no";
  return unit === "share" ? percent(value) : number(value);
}

/** How a figure names values of a statistic. @param {Unit} unit @returns {(value: number) => string} */
export function wordsFor(unit) {
  return unit === "share" ? percent : number;
}

/** A noun and how many. @param {number} count @param {string} noun */
export function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** What Keras prints for an epoch: it counts them from 1. @param {number} step @param {string} unit */
export function kerasEpoch(step, unit) {
  return unit === "epoch" && step >= 0 ? `Keras prints Epoch ${step + 1}` : "";
}

/** How long ago something was. @param {number} seconds */
export function ageWords(seconds) {
  if (seconds < 1.5) return "now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  return `${Math.round(seconds / 60)} min ago`;
}

/** What went wrong, in words. @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
