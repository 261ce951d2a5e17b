// "Read this": what the data say, in a line.

import { currentRun, isOverview, recipeOf } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { element, setText } from "../widgets/dom.js";
import { meanChange, responsiveCounts } from "../widgets/figures.js";
import { readingOf, readingOfRun } from "../words/reading.js";

/** @typedef {import("../state/state.js").State} State */

export class ReadingLine {
  /** @param {import("../state/actions.js").Actions} actions @param {() => void} showHelp */
  constructor(actions, showHelp) {
    this.actions = actions;
    this.list = element("ul", { "aria-label": "What the data say" });
    this.root = element("section", { class: "reading", "aria-label": "Read this" }, this.list,
      element("button", { type: "button", class: "link", on: { click: showHelp } }, "What do the pictures mean?"));
    this.isOther = changes();
  }

  /** @param {State} state */
  render(state) {
    const { recording, overview, index } = state;
    const isWhole = isOverview(state);
    if (!this.isOther(isWhole, overview, recording, recording?.version, isWhole ? 0 : index, currentRun(state))) return;
    const sentences = isWhole ? readingOfRun(rowsOf(state)) : recording ? readingOf(dataOf(state)) : [];
    this.root.hidden = !sentences.length;
    while (this.list.children.length > sentences.length) this.list.lastElementChild.remove();
    while (this.list.children.length < sentences.length) this.list.append(element("li"));
    sentences.forEach(({ text, kind }, at) => {
      const row = this.list.children[at];
      row.className = kind;
      setText(row, text);
    });
    this.root.classList.toggle("alarmed", sentences.some(({ kind }) => kind === "alarm"));
  }
}

/** @param {State} state */
function rowsOf(state) {
  const about = new Map(currentRun(state)?.layers.map((layer) => [layer.id, layer]));
  return (state.overview?.layers ?? []).flatMap((layer) => {
    const { name, unit } = about.get(layer.id) ?? {};
    return name === undefined ? [] : [{ ...layer, name, unit }];
  });
}

/** @param {State} state */
function dataOf(state) {
  const { recording, index } = state;
  const named = (/** @type {string} */ name, /** @type {number} */ value) => {
    const row = recording.row(name, index);
    return row ? recording.filters.filter((_, place) => row[place] === value) : null;
  };
  return { unit: recording.unit, steps: recording.steps, filters: recording.filters.length, change: meanChange(recording),
    responsive: responsiveCounts(recording), formation: recording.formation, curves: recording.curves,
    training: recipeOf(state)?.training, dead: named("excited", 0), alwaysOn: named("on", 1), index };
}
