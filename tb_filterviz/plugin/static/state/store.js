// The state of the tab. It is never changed in place: whoever holds one holds a moment.

/** @template {object} S */
export class Store {
  /** @param {S} initial */
  constructor(initial) {
    /** @type {S} */
    this.state = initial;
    /** @type {Set<(state: S) => void>} */
    this.listeners = new Set();
  }

  /** @param {Partial<S>} changed */
  update(changed) {
    this.state = { ...this.state, ...changed };
    for (const listener of this.listeners) listener(this.state);
  }

  /** @param {(state: S) => void} listener */
  subscribe(listener) {
    this.listeners.add(listener);
  }
}

/**
 * A function that tells whether any of the values that it is given differs from the last time.
 *
 * @returns {(...values: unknown[]) => boolean}
 */
export function changes() {
  /** @type {unknown[] | undefined} */
  let before;
  return (...values) => {
    const isNew = !before || values.length !== before.length || values.some((value, at) => !Object.is(value, before?.[at]));
    before = values;
    return isNew;
  };
}
