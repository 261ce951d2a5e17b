// The layers that have been looked at, as many as there is room for.

import { Recording } from "./recording.js";

const KEPT_BYTES = 300 << 20;

export class Recordings {
  /** @param {() => void} onArrival @param {(error: unknown) => void} onError */
  constructor(onArrival, onError) {
    /** @type {Map<string, Recording>} the most recently used is last */
    this.kept = new Map();
    this.onArrival = onArrival;
    this.onError = onError;
  }

  /** @param {string | null} run @param {string | null} layer */
  has(run, layer) {
    return this.kept.has(`${run}\n${layer}`);
  }

  /**
   * The layer as it is now.
   *
   * @param {string} run
   * @param {import("../state/state.js").About} about
   * @param {(Recording | null)[]} inUse those that stay in any case
   */
  async open(run, about, inUse) {
    const key = `${run}\n${about.id}`;
    let recording = this.kept.get(key);
    if (!recording) {
      recording = new Recording(run, about, this.onArrival, this.onError);
      await recording.open();
    } else {
      await recording.refresh(about);
    }
    this.kept.delete(key);
    this.kept.set(key, recording);
    this.forget([recording, ...inUse]);
    return recording;
  }

  /** @param {(Recording | null)[]} inUse */
  forget(inUse) {
    let total = [...this.kept.values()].reduce((sum, one) => sum + one.film.bytes, 0);
    for (const [key, one] of [...this.kept]) {
      if (total <= KEPT_BYTES) break;
      if (inUse.includes(one)) continue;
      total -= one.film.bytes;
      one.close();
      this.kept.delete(key);
    }
  }
}
