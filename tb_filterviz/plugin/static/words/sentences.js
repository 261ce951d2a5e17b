// What sentences about a training are made of.

import { isBeforeTraining, nameOfStep, plural } from "./format.js";

/**
 * A sentence. `step` is the one that it points at, `layer` the layer, where it is about one.
 *
 * @typedef {{text: string, kind: "alarm" | "note", step?: number, layer?: string}} Sentence
 */

const MOST_SENTENCES = 3;

export const STILL = 0.05; // as in statistics.py: a picture that changes no further rests

const SOME = 0.1; // of a layer's filters: what befalls fewer is no reason to be alarmed

/** @param {string} text @param {{step?: number, layer?: string}} [about] @returns {Sentence} */
export function note(text, about = {}) {
  return { text, kind: "note", ...about };
}

/** @param {string} text @param {{step?: number, layer?: string}} [about] @returns {Sentence} */
export function alarm(text, about = {}) {
  return { text, kind: "alarm", ...about };
}

/**
 * An alarm, or a note if it concerns few of a layer's filters.
 *
 * @param {number} count
 * @param {number} all
 * @param {string} text
 * @param {{step?: number, layer?: string}} [about]
 */
export function alarmIfMany(count, all, text, about) {
  return count >= SOME * all ? alarm(text, about) : note(text, about);
}

/** Alarms first, and no more than one reads. @param {(Sentence | null)[]} told @returns {Sentence[]} */
export function mostImportant(told) {
  const sentences = told.filter((one) => one !== null);
  const alarms = sentences.filter(({ kind }) => kind === "alarm");
  return [...alarms, ...sentences.filter(({ kind }) => kind !== "alarm")].slice(0, MOST_SENTENCES);
}

/**
 * "50 of 50 filters have", "1 of 50 filters has".
 *
 * @param {number} count
 * @param {number} all
 * @param {string} one verb of one
 * @param {string} [many] verb of many
 */
export function share(count, all, one, many = one) {
  return `${count} of ${plural(all, "filter")} ${count === 1 ? one : many}`;
}

/** "at epoch 3", "before training". @param {number} step @param {string} unit */
export function atStep(step, unit) {
  return isBeforeTraining(step, unit) ? nameOfStep(step, unit) : `at ${nameOfStep(step, unit)}`;
}

/** "conv1", "conv1 and conv2", "conv1, conv2 and 3 more". @param {string[]} names @param {number} [most] */
export function listed(names, most = 3) {
  const shown = names.length > most ? [...names.slice(0, most), `${names.length - most} more`] : names;
  return [shown.slice(0, -1).join(", "), ...shown.slice(-1)].filter(Boolean).join(" and ");
}
