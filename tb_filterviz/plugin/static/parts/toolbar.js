// Above: which run and layer, which view, in which order, how the stuck are shown, and what can be saved.

import { exampleOf, hasKernels, hasLayer, hasMaps, isComparing, isOverview, layersOf, lensOf, shownView,
  sortKey } from "../state/selectors.js";
import { ordersOf } from "../state/ordering.js";
import { changes } from "../state/store.js";
import { choice, element, iconButton, segments } from "../widgets/dom.js";
import { Picker } from "../widgets/picker.js";
import { unitsOf } from "../words/format.js";
import { groupLayers } from "../words/layer_groups.js";
import { RunPicker } from "./run_picker.js";

/**
 * @typedef {import("../state/state.js").State} State
 * @typedef {import("../state/state.js").LayerState} LayerState
 * @typedef {import("../state/view.js").View} View
 * @typedef {"overview" | "grid" | "maps" | "kernels" | "compare" | "runs"} Shown views, and lenses of the grid
 */

/** @type {import("../widgets/dom.js").Option<View["stuck"]>[]} */
const STUCK = [["show", "Show", "Crossed out"], ["dim", "Dim", "Faint"],
  ["hide", "Hide", "Those that are stuck at the end are left out"]];

export class Toolbar {
  /**
   * @param {import("../state/actions.js").Actions} actions
   * @param {{saving: HTMLElement, showHelp: () => void}} tools
   */
  constructor(actions, { saving, showHelp }) {
    this.actions = actions;
    this.run = new RunPicker("Run", (value) => actions.chooseRun(value));
    this.layer = new Picker("Layer", (value) => actions.chooseLayer(value));
    this.view = segments("View", (/** @type {Shown} */ value) => this.choose(value));
    this.example = choice("On", (value) => actions.set({ example: Number(value) }));
    this.sort = choice("Sort", (value) => actions.set({ sort: value }));
    this.stuck = choice("Stuck", (/** @type {View["stuck"]} */ value) => actions.set({ stuck: value }));
    this.stuck.set(STUCK, "show");
    this.tools = element("div", { class: "tools" }, this.view.wrapper, this.example.wrapper,
      element("span", { class: "space" }), this.sort.wrapper, this.stuck.wrapper, saving,
      iconButton("help", "What you see, and keys", "?", showHelp));
    this.root = element("header", { class: "toolbar" }, this.run.wrapper, this.layer.wrapper, this.tools);
    this.saving = saving;
    this.isOther = changes();
  }

  /** @param {Shown} value */
  choose(value) {
    if (value === "grid") this.actions.set({ view: "grid", lens: "tiles" });
    else if (value === "maps" || value === "kernels") this.actions.set({ view: "grid", lens: value });
    else this.actions.set({ view: value });
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
    /** @type {[isThere: boolean, ...option: [Shown, string, string]][]} */
    const views = [
      [layers.length > 1, "overview", "Overview", "All layers of the run (o)"],
      [true, "grid", "Grid", `One ${unit} (c switches)`],
      [hasMaps(state), "maps", "Maps", "Where filters answer on an example (m switches)"],
      [hasKernels(state), "kernels", "Kernels", "The filters' weights on the image (k switches)"],
      [true, "compare", "Compare", `Two ${unitsOf(unit)} or two runs (c switches)`],
      [runs.length > 1, "runs", "Runs", "This layer in all runs (r switches)"],
    ];
    const lens = lensOf(state);
    this.view.set(views.flatMap(([isThere, ...option]) => (isThere ? [option] : [])),
      lens === "tiles" ? shownView(state) : lens);
    for (const one of [this.sort.wrapper, this.stuck.wrapper, this.saving]) one.hidden = isOverview(state);
    this.stuck.set(STUCK, view.stuck);
    this.example.wrapper.hidden = lensOf(state) !== "maps";
    if (!hasLayer(state)) return;
    if (!this.example.wrapper.hidden) this.showExamples(state);
    this.showOrders(state);
  }

  /** The examples whose maps can be seen. @param {LayerState} state */
  showExamples(state) {
    const { run } = state.recording;
    this.actions.examplesOf(run).then((examples) => {
      if (this.actions.state.view.run !== run) return;
      this.example.set(examples.choices, String(exampleOf(state)));
    }).catch(() => {});
  }

  /** @param {LayerState} state */
  showOrders(state) {
    const orders = ordersOf(state.recording);
    if (state.matching && isComparing(state)) {
      orders.push(["similarity", "Similarity", "how alike it and its match are"]);
    }
    const chosen = sortKey(state);
    const explanation = orders.find(([key]) => key === chosen)?.[2] ?? "";
    this.sort.set(orders, orders.some(([key]) => key === chosen) ? chosen : "index");
    this.sort.select.title = `By ${explanation}. The order is that of the last step, so that filters keep their places.`;
  }
}
