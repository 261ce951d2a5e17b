// How tiles of two moments differ, kept as long as the two moments are looked at.

import { counterpart, hasDifference, otherStep, stepOf } from "../state/selectors.js";
import { difference } from "./draw.js";

/** @typedef {import("../state/state.js").State} State */
/** @typedef {import("./draw.js").Picture & {rms: number, isExact: boolean}} Difference */

export class Differences {
  constructor() {
    /** @type {Map<number, Difference>} */
    this.kept = new Map();
    /** @type {unknown[]} */
    this.key = [];
  }

  /** @param {State} state @param {number} filter @returns {Difference | undefined} */
  of(state, filter) {
    const { recording, other, arrivals } = state;
    const [step, before] = [stepOf(state), otherStep(state)];
    if (!hasDifference(state) || !recording || !other || step === undefined || before === undefined) return undefined;
    const key = [recording, other, step, before, arrivals];
    if (key.some((value, at) => value !== this.key[at])) {
      this.kept.clear();
      this.key = key;
    }
    const known = this.kept.get(filter);
    if (known) return known;
    const [height, width] = recording.about.tile;
    const pair = [other.sharpTile(before, counterpart(state, filter)), recording.sharpTile(step, filter)];
    const found = difference(pair[0], pair[1]);
    if (!found) return undefined;
    const isExact = pair.every((picture) => picture.width === width && picture.height === height);
    this.kept.set(filter, { ...found, isExact });
    return this.kept.get(filter);
  }

  /** The mean over filters; null where nothing differs that is known. @param {State} state @param {number[]} filters */
  mean(state, filters) {
    const found = filters.map((filter) => this.of(state, filter)).filter((one) => one !== undefined);
    if (!found.length) return null;
    return { rms: found.reduce((sum, one) => sum + one.rms, 0) / found.length, isExact: found.every((one) => one.isExact) };
  }
}
