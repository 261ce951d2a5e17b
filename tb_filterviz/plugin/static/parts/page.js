// The frame around the parts, and what stands there when there is nothing to see.

import { hasChosenFilter, hasLayer, hasOverview, isComparing, isManyRuns, isOverview, notices,
  shownView } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { element, setText } from "../widgets/dom.js";

/**
 * @typedef {import("../state/state.js").State} State
 * @typedef {import("../state/state.js").OverviewState} OverviewState
 * @typedef {import("../state/state.js").LayerState} LayerState
 * @typedef {import("../state/state.js").FilterState} FilterState
 */

/**
 * A part of the page, which shows states of one kind only.
 *
 * @template {State} S
 * @typedef {{root: HTMLElement, render: (state: S) => void}} Part
 */

/**
 * @typedef {object} Parts
 * @property {Part<State>} toolbar
 * @property {Part<State>} reading
 * @property {Part<OverviewState>} overview
 * @property {Part<LayerState>} stage
 * @property {Part<LayerState>} runs
 * @property {Part<LayerState>} layerPanel
 * @property {Part<FilterState>} filterPanel
 * @property {Part<LayerState>} timeline
 * @property {Part<State>} large
 */

export class Page {
  /**
   * @param {import("../state/actions.js").Actions} actions
   * @param {Parts} parts
   * @param {HTMLElement[]} dialogs
   */
  constructor(actions, parts, dialogs) {
    this.actions = actions;
    this.parts = parts;
    this.message = element("div", { class: "message" });
    this.side = element("aside", { class: "side", "aria-label": "Details" });
    this.notice = element("div", { class: "notice", role: "note" });
    this.saved = element("p", { class: "saved quiet" });
    this.live = element("div", { class: "sr", role: "status", "aria-live": "polite" });
    this.middle = element("div", { class: "middle" }, parts.overview.root, parts.stage.root, parts.runs.root, this.side);
    this.work = element("div", { class: "work" }, parts.reading.root, this.middle, parts.timeline.root);
    this.root = element("main", { class: "page" }, element("h1", { class: "sr" }, "Filters"),
      parts.toolbar.root, this.saved, this.notice, this.message, this.work, parts.large.root, ...dialogs, this.live);
    this.isOtherPhase = changes();
    this.isOtherNotice = changes();
    this.isOtherPlace = changes();
  }

  /** Decides which parts are shown, and hands them the state; what a part is for is there. @param {State} state */
  render(state) {
    this.root.setAttribute("aria-busy", String(state.isBusy));
    const isWork = state.phase === "work" && (isOverview(state) ? hasOverview(state) : hasLayer(state));
    this.message.hidden = isWork;
    this.work.hidden = !isWork;
    if (!isWork && this.isOtherPhase(state.phase, state.error, state.problems)) this.say(state);
    if (isWork) this.isOtherPhase();
    this.saved.hidden = state.saved === null;
    setText(this.saved, state.saved ?? "");
    this.showNotices(state);
    this.parts.toolbar.render(state);
    if (isWork) this.renderWork(state);
    this.parts.large.render(state);
  }

  /** @param {State} state */
  renderWork(state) {
    this.place(state);
    this.parts.reading.render(state);
    if (!isOverview(state)) {
      if (hasLayer(state)) this.renderLayer(state);
    } else if (hasOverview(state)) {
      this.parts.overview.render(state);
    }
  }

  /** Shows the parts that a view consists of, and hides all others. @param {State} state */
  place(state) {
    const isLayer = !isOverview(state);
    const isWhole = state.view.filter === null;
    const panel = isWhole ? this.parts.layerPanel : this.parts.filterPanel;
    if (this.side.firstChild !== panel.root) this.side.replaceChildren(panel.root);
    this.parts.overview.root.hidden = isLayer;
    this.parts.runs.root.hidden = !isManyRuns(state);
    this.parts.stage.root.hidden = !isLayer || isManyRuns(state);
    this.side.hidden = !isLayer || isManyRuns(state) || (isComparing(state) && isWhole);
    this.parts.timeline.root.hidden = !isLayer;
    if (this.isOtherPlace(state.view.layer, shownView(state))) this.work.scrollTop = 0;
  }

  /** @param {LayerState} state */
  renderLayer(state) {
    if (isManyRuns(state)) this.parts.runs.render(state);
    else this.parts.stage.render(state);
    if (!this.side.hidden) {
      if (hasChosenFilter(state)) this.parts.filterPanel.render(state);
      else this.parts.layerPanel.render(state);
    }
    this.parts.timeline.render(state);
  }

  /** @param {State} state */
  showNotices(state) {
    const notes = state.phase === "work" ? notices(state) : [];
    if (!this.isOtherNotice(...notes, Boolean(state.warning))) return;
    this.notice.hidden = !notes.length;
    const close = button("Close", "button small", () => this.actions.store.update({ broken: [] }));
    const retry = button("Try again", "button small", () => this.actions.reload());
    this.notice.replaceChildren(element("span", { role: state.warning ? "alert" : null }, notes.join(" ")),
      ...(state.warning ? [retry] : state.broken.length ? [close] : []));
  }

  /** What stands there instead of pictures. @param {State} state */
  say(state) {
    const title = { loading: "Loading …", empty: "No filters have been logged here yet", error: "This could not be shown",
      work: "Loading …" }[state.phase];
    const retry = button("Try again", "button", () => this.actions.reload());
    const content = { loading: [], work: [], empty: emptyWords(state.problems),
      error: [element("p", { role: "alert" }, state.error), retry] }[state.phase];
    this.message.replaceChildren(element("h2", {}, title), ...content);
  }

  /** Says it to those who do not see. @param {string} text */
  announce(text) {
    setText(this.live, text);
  }
}

/** @param {string} text @param {string} className @param {() => void} onClick */
function button(text, className, onClick) {
  return element("button", { type: "button", class: className, on: { click: onClick } }, text);
}

/** @param {string[]} problems */
function emptyWords(problems) {
  return [
    element("p", {}, "Train a model with the callback; this tab fills after its first epoch and TensorBoard's next reload:"),
    element("pre", {}, element("code", {}, "from tb_filterviz import FilterVisualizer\n\n"
      + "model.fit(x, y, epochs=5, callbacks=[FilterVisualizer(\"logs\")])")),
    element("p", {}, "Or see it at work on real digits:"),
    element("pre", {}, element("code", {}, "tb-filterviz demo")),
    ...(problems.length ? [element("p", {}, "What was found cannot be shown:"),
      element("ul", {}, problems.slice(0, 20).map((problem) => element("li", {}, problem)))] : []),
  ];
}
