// How tiles of two moments differ, kept as long as the two moments are looked at.

import { counterpart, hasDifference, otherStep, stepOf } from "../state/selectors.js";
import { difference } from "./draw.js";

/**
 * @typedef {import("../state/state.js").LayerState} LayerState
 * @typedef {import("./draw.js").Picture & {rms: number, isExact: boolean}} Difference
 */

export class Differences {
  constructor() {
    /** @type {Map<number, Difference>} */
    this.kept = new Map();
    /** @type {unknown[]} */
    this.key = [];
  }

  /** Of one filter; undefined where there is nothing to compare. @param {LayerState} state @param {number} filter */
  of(state, filter) {
    const [step, before] = [stepOf(state), otherStep(state)];
    if (!hasDifference(state) || before === undefined) return undefined;
    const { recording, other, arrivals } = state;
    const key = [recording, other, step, before, arrivals];
    if (key.some((value, at) => value !== this.key[at])) {
      this.kept.clear();
      this.key = key;
    }
    const known = this.kept.get(filter);
    if (known) return known;
    const theirs = counterpart(state, filter);
    if (theirs === undefined) return undefined;
    const [was, is] = [other.sharpTile(before, theirs), recording.sharpTile(step, filter)];
    const found = difference(was, is);
    if (!found) return undefined;
    const [height, width] = recording.about.tile;
    const isExact = [was, is].every((picture) => picture?.width === width && picture.height === height);
    const made = { ...found, isExact };
    this.kept.set(filter, made);
    return made;
  }

  /** The mean over filters; null where nothing differs that is known. @param {LayerState} state @param {number[]} filters */
  mean(state, filters) {
    const found = filters.map((filter) => this.of(state, filter)).filter((one) => one !== undefined);
    if (!found.length) return null;
    return { rms: found.reduce((sum, one) => sum + one.rms, 0) / found.length, isExact: found.every((one) => one.isExact) };
  }
}
