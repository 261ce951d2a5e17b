// Above: which run and layer, which view, in which order, how the stuck are shown, and what can be saved.

import { exampleOf, hasKernels, hasMaps, isOverview, layersOf, lensOf, shownView, sortKey } from "../state/selectors.js";
import { ordersOf } from "../state/ordering.js";
import { changes } from "../state/store.js";
import { choice, element, iconButton, segments } from "../widgets/dom.js";
import { Picker } from "../widgets/picker.js";
import { unitsOf } from "../words/format.js";
import { groupLayers } from "../words/layer_groups.js";
import { RunPicker } from "./run_picker.js";

const STUCK = /** @type {[string, string, string][]} */ ([["show", "Show", "Crossed out"], ["dim", "Dim", "Faint"],
  ["hide", "Hide", "Those that are stuck at the end are left out"]]);

/** @typedef {import("../state/state.js").State} State */

export class Toolbar {
  /**
   * @param {import("../state/actions.js").Actions} actions
   * @param {{saving: HTMLElement, showHelp: () => void}} tools
   */
  constructor(actions, { saving, showHelp }) {
    this.actions = actions;
    this.run = new RunPicker("Run", (value) => actions.chooseRun(value));
    this.layer = new Picker("Layer", (value) => actions.set({ layer: value, filter: null,
      view: shownView(actions.state) === "overview" ? "grid" : actions.state.view.view }));
    this.view = segments("View", (value) => this.choose(value));
    this.example = choice("On", (value) => actions.set({ example: Number(value) }));
    this.sort = choice("Sort", (value) => actions.set({ sort: value }));
    this.stuck = choice("Stuck", (value) => actions.set({ stuck: /** @type {any} */ (value) }));
    this.stuck.set(STUCK, "show");
    this.tools = element("div", { class: "tools" }, this.view.wrapper, this.example.wrapper, element("span", { class: "space" }),
      this.sort.wrapper, this.stuck.wrapper, saving, iconButton("help", "What you see, and keys", "?", showHelp));
    this.root = element("header", { class: "toolbar" }, this.run.wrapper, this.layer.wrapper, this.tools);
    this.saving = saving;
    this.isOther = changes();
  }

  /** @param {string} value */
  choose(value) {
    if (value === "grid" || value === "maps" || value === "kernels") {
      this.actions.set({ view: "grid", lens: value === "grid" ? "tiles" : value });
    } else {
      this.actions.set({ view: /** @type {any} */ (value) });
    }
  }

  /** @param {State} state */
  render(state) {
    const { recording, runs, view } = state;
    this.root.hidden = !runs.length;
    this.tools.hidden = state.phase !== "work";
    this.run.render(state, view.run ?? "");
    if (!this.isOther(runs, view, recording, recording?.version, state.phase, state.matching)) return;
    const layers = layersOf(runs, view.run);
    const groups = groupLayers(layers.map(({ name }) => name));
    const groupAt = groups.flatMap(({ title, names }) => names.map(() => title));
    this.layer.set(layers.map((layer, at) => ({ value: layer.id, text: layer.name, group: groupAt[at],
      extra: `${layer.filters}`, extraTitle: `${layer.filters} filters` })), view.layer ?? "");
    this.layer.wrapper.hidden = isOverview(state);
    if (state.phase !== "work") return;
    const unit = recording?.unit ?? layers[0]?.unit ?? "epoch";
    const options = /** @type {[string, string, string][]} */ ([
      ...(layers.length > 1 ? [["overview", "Overview", "All layers of the run (o)"]] : []),
      ["grid", "Grid", `One ${unit} (c switches)`],
      ...(hasMaps(state) ? [["maps", "Maps", "Where filters answer on an example (m switches)"]] : []),
      ...(hasKernels(state) ? [["kernels", "Kernels", "The filters' weights on the image (k switches)"]] : []),
      ["compare", "Compare", `Two ${unitsOf(unit)} or two runs (c switches)`],
      ...(runs.length > 1 ? [["runs", "Runs", "This layer in all runs (r switches)"]] : [])]);
    const lens = lensOf(state);
    this.view.set(options, shownView(state) === "grid" && lens !== "tiles" ? lens : shownView(state));
    for (const one of [this.sort.wrapper, this.stuck.wrapper, this.saving]) one.hidden = isOverview(state);
    this.stuck.set(STUCK, view.stuck);
    this.showExamples(state);
    this.showOrders(state);
  }

  /** The examples whose maps can be seen. @param {State} state */
  showExamples(state) {
    this.example.wrapper.hidden = lensOf(state) !== "maps";
    if (this.example.wrapper.hidden) return;
    const { run } = state.view;
    this.actions.examplesOf(run).then((examples) => {
      if (this.actions.state.view.run !== run) return;
      this.example.set(examples.mapped.map((example, at) => [String(at), `${examples.nameOf(example)} (${example})`]),
        String(exampleOf(state)));
    }).catch(() => {});
  }

  /** @param {State} state */
  showOrders(state) {
    const { recording, matching } = state;
    if (!recording) return;
    const orders = [...ordersOf(recording), ...(matching && shownView(state) === "compare"
      ? [/** @type {[string, string, string]} */ (["similarity", "Similarity", "how alike it and its match are"])] : [])];
    const chosen = sortKey(state);
    const explanation = orders.find(([key]) => key === chosen)?.[2] ?? "";
    this.sort.set(orders, orders.some(([key]) => key === chosen) ? chosen : "index");
    this.sort.select.title = `By ${explanation}. The order is that of the last step, so that filters keep their places.`;
  }
}
