// The choice of a run, as TensorBoard shows runs: in their colours, searched, with how well they did.

import { listRuns, resultText } from "../state/run_list.js";
import { NOTHING } from "../state/state.js";
import { comparableRuns, lastWallTime, runColours } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { Picker } from "../widgets/picker.js";
import { cutMiddle, shortNames } from "../words/run_names.js";

/**
 * @typedef {import("../state/run_list.js").RunOrder} RunOrder
 * @typedef {import("../state/state.js").State} State
 */

/** @type {import("../widgets/dom.js").Option<RunOrder>[]} */
const ORDERS = [["newest", "Newest first"], ["best", "Best first"], ["name", "By name"]];
const MOST_SHOWN = 34; // characters

export class RunPicker {
  /** @param {string} label @param {(run: string) => void} onChoose */
  constructor(label, onChoose) {
    this.state = NOTHING;
    this.isComparable = false;
    this.picker = new Picker(label, onChoose, { orders: ORDERS,
      list: (search, order) => this.list(search, /** @type {RunOrder} */ (order)) });
    this.wrapper = this.picker.wrapper;
    this.isOther = changes();
  }

  /** @param {State} state @param {string} chosen @param {boolean} [isComparable] only runs with this layer */
  render(state, chosen, isComparable = false) {
    this.state = state;
    this.isComparable = isComparable;
    if (!this.isOther(state.runs, state.results, state.known, state.isDark, chosen, isComparable && state.recording)) return;
    this.picker.set(this.list("", "name").rows, chosen);
  }

  /** @param {string} search @param {RunOrder} order */
  list(search, order) {
    const { state } = this;
    const runs = this.isComparable ? comparableRuns(state) : state.runs.map(({ run }) => run);
    const names = shortNames(state.runs.map(({ run }) => run));
    const colours = runColours(state);
    const written = Object.fromEntries(state.runs.map((run) => [run.run, lastWallTime(run)]));
    const { rows, error } = listRuns(runs, { search, order, results: state.results, written });
    return { error, rows: rows.map(({ run, result }) => {
      const { text, title } = resultText(result);
      return { value: run, text: cutMiddle(names.get(run)?.text ?? run, MOST_SHOWN), title: run, extra: text,
        extraTitle: title, colour: colours.get(run) };
    }) };
  }
}
