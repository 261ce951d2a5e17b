// How each filter formed, in words: what it is at the end is decided on the server, see formation.py.

import { nameOfStep, number } from "./format.js";

/** @typedef {import("../data/recording.js").Recording} Recording */

/**
 * How a filter ended: "Stuck since" and "epoch 3", "Settled" and "epoch 5". Null where the statistics do not say.
 *
 * @param {Recording} recording
 * @param {number} filter
 * @returns {{name: string, value: string, explanation: string} | null}
 */
export function formedFact(recording, filter) {
  const { outcome, since } = recording.formed(filter);
  if (outcome === null) return null;
  if (outcome === "stuck") {
    return { name: "Stuck since", value: nameOfStep(since, recording.unit),
      explanation: "the ascent finds no way up, so that its picture says nothing" };
  }
  const value = outcome === "settled" ? nameOfStep(since, recording.unit)
    : { unmoved: "never moved", changing: "not yet" }[outcome];
  return { name: "Settled", value, explanation: settling(recording) };
}

/** What "settled" means here. @param {Recording} recording */
export function settling(recording) {
  const floor = `${number(100 * recording.still)} %`;
  return `the ${recording.unit} after which its picture stays the same: no change is above ${floor}, `
    + `and its change since start stays within ${floor}`;
}

/**
 * Since when a filter is stuck that is so at the step at this position; empty if it is not.
 *
 * @param {Recording} recording
 * @param {number} filter
 * @param {number} at
 */
export function stuckSince(recording, filter, at) {
  const since = recording.stuckFrom(filter, at);
  return since === undefined ? "" : `stuck since ${nameOfStep(since, recording.unit)}`;
}

/**
 * What becomes of a filter, seen from the step at this position; empty where the statistics do not say.
 *
 * @param {Recording} recording
 * @param {number} filter
 * @param {number} at
 */
export function formedWords(recording, filter, at) {
  const { outcome, since } = recording.formed(filter);
  const stuck = stuckSince(recording, filter, at);
  if (stuck || outcome === null) return stuck;
  if (outcome === "unmoved" || outcome === "changing") return { unmoved: "never moved", changing: "not settled" }[outcome];
  const [later, before] = { stuck: ["gets stuck at", "stuck since"], settled: ["settles at", "settled at"] }[outcome];
  return `${since > recording.steps[at] ? later : before} ${nameOfStep(since, recording.unit)}`;
}
