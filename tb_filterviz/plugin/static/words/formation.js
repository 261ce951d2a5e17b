// How each filter formed, in words: what it is at the end is decided on the server, see formation.py.

import { nameOfStep, number } from "./format.js";

// "Stuck since": "epoch 3"; "Settled": "epoch 5". Null where the statistics do not say.
export function formedFact(recording, filter) {
  const { outcome, since } = recording.formed(filter);
  if (outcome === "stuck") {
    return { name: "Stuck since", value: nameOfStep(since, recording.unit),
      explanation: "the ascent finds no way up, so that its picture says nothing" };
  }
  const value = { unmoved: "never moved", changing: "not yet", settled: nameOfStep(since, recording.unit) }[outcome];
  return value ? { name: "Settled", value, explanation: settling(recording) } : null;
}

// What "settled" means here.
export function settling(recording) {
  const floor = `${number(100 * recording.still)} %`;
  return `the ${recording.unit} after which its picture stays the same: no change is above ${floor}, `
    + `and its change since start stays within ${floor}`;
}

// Of a filter that is stuck at the step at this position.
export function stuckSince(recording, filter, at) {
  return `stuck since ${nameOfStep(recording.stuckFrom(filter, at), recording.unit)}`;
}

// What becomes of a filter, seen from the step at this position.
export function formedWords(recording, filter, at) {
  const { outcome, since } = recording.formed(filter);
  const isAhead = since > recording.steps[at];
  if (recording.isStuck(filter, at)) return stuckSince(recording, filter, at);
  return { stuck: `${isAhead ? "gets stuck at" : "stuck since"} ${nameOfStep(since, recording.unit)}`, unmoved: "never moved",
    changing: "not settled", settled: `${isAhead ? "settles" : "settled"} at ${nameOfStep(since, recording.unit)}` }[outcome];
}
