// "Read this": what the data say, in a line.

import { currentRun, hasLayer, hasOverview, isOverview, overviewRows, recipeOf } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { element, setText } from "../widgets/dom.js";
import { meanChange, responsiveCounts } from "../widgets/figures.js";
import { readingOf, readingOfRun } from "../words/reading.js";
import { trainingOf } from "../words/recipe.js";

/**
 * @typedef {import("../state/state.js").State} State
 * @typedef {import("../state/state.js").LayerState} LayerState
 * @typedef {import("../words/reading.js").LayerData} LayerData
 */

export class ReadingLine {
  /** @param {import("../state/actions.js").Actions} actions @param {() => void} showHelp */
  constructor(actions, showHelp) {
    this.actions = actions;
    this.list = element("ul", { "aria-label": "What the data say" });
    this.root = element("section", { class: "reading", "aria-label": "Read this" }, this.list,
      element("button", { type: "button", class: "link", on: { click: showHelp } }, "What do the pictures mean?"));
    /** @type {HTMLElement[]} */
    this.rows = [];
    this.isOther = changes();
    this.isOtherLayer = changes();
    /** @type {Pick<LayerData, "change" | "responsive">} what does not hang on the step that is shown */
    this.overSteps = {};
  }

  /** @param {State} state */
  render(state) {
    const { recording, overview, index } = state;
    const isWhole = isOverview(state);
    if (!this.isOther(isWhole, overview, recording, recording?.version, isWhole ? 0 : index, currentRun(state))) return;
    const sentences = this.sentencesOf(state);
    this.root.hidden = !sentences.length;
    while (this.rows.length > sentences.length) this.rows.pop()?.remove();
    while (this.rows.length < sentences.length) {
      const row = element("li");
      this.rows.push(row);
      this.list.append(row);
    }
    sentences.forEach(({ text, kind }, at) => {
      this.rows[at].className = kind;
      setText(this.rows[at], text);
    });
    this.root.classList.toggle("alarmed", sentences.some(({ kind }) => kind === "alarm"));
  }

  /** @param {State} state */
  sentencesOf(state) {
    if (isOverview(state)) return hasOverview(state) ? readingOfRun(overviewRows(state)) : [];
    if (!hasLayer(state)) return [];
    const { recording } = state;
    if (this.isOtherLayer(recording, recording.version)) {
      this.overSteps = { change: meanChange(recording), responsive: responsiveCounts(recording) };
    }
    return readingOf({ ...dataOf(state), ...this.overSteps });
  }
}

/** @param {LayerState} state @returns {LayerData} */
function dataOf(state) {
  const { recording, index } = state;
  return { unit: recording.unit, steps: recording.steps, filters: recording.filters.length, index,
    formation: recording.formation, curves: recording.curves, training: trainingOf(recipeOf(state)),
    dead: recording.filtersWith("excited", index, 0), alwaysOn: recording.filtersWith("on", index, 1) };
}
