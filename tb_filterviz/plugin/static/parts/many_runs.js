// One layer, or one filter, in many runs side by side: best first, at one step.

import { nearestIndex } from "../pictures/geometry.js";
import { boxes } from "../pictures/layout.js";
import { resultText } from "../state/run_list.js";
import { hasLayer, isManyRuns, pairWords, runColours, stepOf } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { element, setText } from "../widgets/dom.js";
import { TileGrid } from "../widgets/grid.js";
import { nameOfStep, number, plural } from "../words/format.js";
import { shortNames } from "../words/run_names.js";
import { searchFor } from "../words/search.js";
import { contenderSheet } from "./sheets.js";

/**
 * @typedef {import("../state/state.js").LayerState} LayerState
 * @typedef {import("../state/state.js").Contender} Contender
 */

export class ManyRuns {
  /** @param {import("../state/actions.js").Actions} actions */
  constructor(actions) {
    this.actions = actions;
    /** @type {Map<string, Card>} */
    this.cards = new Map();
    this.search = element("input", { type: "search", class: "search", placeholder: "Search runs (regular expression)",
      "aria-label": "Search runs", on: { input: () => this.renderAgain() } });
    this.words = element("p", { class: "quiet", role: "status" });
    this.whole = element("button", { type: "button", class: "button small",
      on: { click: () => actions.set({ filter: null }) } }, "Whole layers");
    this.list = element("div", { class: "runs" });
    this.head = element("div", { class: "overview-head" }, this.search, this.words, this.whole);
    this.root = element("section", { class: "many-runs", "aria-label": "The layer in all runs" }, this.head, this.list);
    new ResizeObserver(() => this.renderAgain()).observe(this.root);
    this.isOther = changes();
  }

  /** After another search, or in another size. */
  renderAgain() {
    const { state } = this.actions;
    if (isManyRuns(state) && hasLayer(state)) this.render(state);
  }

  /** @param {LayerState} state */
  render(state) {
    const { matches, error } = searchFor(this.search.value);
    const shown = state.contenders.filter(({ run }) => matches(run));
    const { filter } = state.view;
    this.whole.hidden = filter === null;
    const many = plural(shown.length, "run");
    const words = filter === null
      ? `${many}, best first. Filters of other trainings stand where the one most like them does.`
      : `Filter ${filter} of ${state.recording.run}, and what is most like it in each of ${many}.`;
    setText(this.words, error || words);
    for (const [run, card] of this.cards) if (!state.contenders.some((one) => one.run === run)) {
      card.root.remove();
      this.cards.delete(run);
    }
    const names = shortNames(state.runs.map(({ run }) => run));
    const colours = runColours(state);
    const roots = shown.map((one) => {
      const card = this.cards.get(one.run) ?? new Card(this.actions);
      this.cards.set(one.run, card);
      card.render(state, one, names.get(one.run)?.text ?? one.run, colours.get(one.run));
      return card.root;
    });
    if (this.isOther(...roots)) this.list.replaceChildren(...roots);
    this.arrange(shown.length, filter === null ? state.recording.filters.length : 1);
  }

  /** Makes cards as large as they can be for all to be seen. @param {number} count @param {number} tiles in each */
  arrange(count, tiles) {
    const area = { width: this.root.clientWidth - 32, height: this.root.clientHeight - this.head.offsetHeight };
    const { columns, height } = boxes(count, area, { gap: 12, head: 72, leastWidth: 250, leastHeight: 140,
      ratio: tiles > 2 ? 2 : 1.4 });
    this.list.style.setProperty("--columns", String(columns));
    this.list.style.setProperty("--grid-height", `${height}px`);
  }
}

class Card {
  /** @param {import("../state/actions.js").Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.swatch = element("span", { class: "swatch", "aria-hidden": "true" });
    this.name = element("h2", {});
    this.now = element("strong", {});
    this.final = element("span", { class: "quiet" });
    this.note = element("p", { class: "quiet run-note" });
    this.grid = new TileGrid({ label: "Filters", className: "run-grid", largestPx: 220,
      nameOf: (filter) => `Filter ${filter}`,
      onPick: (filter) => actions.set({ filter: actions.state.view.filter === filter ? null : filter }),
      onHover: (filter) => actions.hover(filter === null ? null : { filter, isReference: false }) });
    this.root = element("article", { class: "run-card" },
      element("header", {}, this.swatch, this.name, element("span", { class: "space" }), this.now, this.final),
      this.grid.root, this.note);
    this.isOther = changes();
  }

  /** @param {LayerState} state @param {Contender} contender @param {string} name @param {string | undefined} colour */
  render(state, contender, name, colour) {
    const { run, recording, matching } = contender;
    const { filter } = state.view;
    const step = recording.steps[nearestIndex(stepOf(state), recording.steps)];
    setText(this.name, name);
    this.name.title = run;
    this.swatch.style.background = colour ?? "";
    this.swatch.hidden = !colour;
    const result = state.results[run];
    const curve = recording.curves.find(({ metric, of }) => metric === result?.metric && of === result.of);
    const now = curve?.points.find(([at]) => at === step)?.[1];
    setText(this.now, now === undefined || now === null ? "" : number(now));
    this.now.title = result ? `${result.of} ${result.metric} at ${nameOfStep(step, recording.unit)}` : "";
    const told = resultText(result);
    setText(this.final, told.text ? `at the end ${told.text}` : "");
    this.final.title = told.title;
    this.root.classList.toggle("chosen", run === state.view.run);
    const isNew = this.isOther(recording, recording.version, matching, state.index, state.arrivals, state.view.sort,
      state.view.stuck, filter);
    if (isNew) this.grid.set(contenderSheet(state, contender));
    this.grid.point(state.hovered?.filter ?? null);
    this.grid.label(`Filters of ${run}, ${nameOfStep(step, recording.unit)}`);
    setText(this.note, this.noteOf(state, contender));
  }

  /** What stands below the pictures. @param {LayerState} state @param {Contender} contender */
  noteOf(state, { run, recording, matching }) {
    const filter = state.view.filter ?? state.hovered?.filter ?? null;
    if (filter === null) {
      if (run === state.view.run) return "this run";
      return matching ? `similarity ${(matching.similarity ?? 0).toFixed(2)}, ${matching.matched} of `
        + `${state.recording.filters.length} the same filter` : "the same training";
    }
    if (!matching) return recording.places.has(filter) ? `filter ${filter}` : `filter ${filter} was not drawn here`;
    return pairWords(filter, matching);
  }
}
