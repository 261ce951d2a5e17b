// The frame around the parts, and what stands there when there is nothing to see.

import { isManyRuns, isOverview, notices, shownView } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { element, setText } from "../widgets/dom.js";

/** @typedef {import("../state/state.js").State} State */
/** @typedef {{root: HTMLElement, render: (state: State) => void}} Part */

export class Page {
  /**
   * @param {import("../state/actions.js").Actions} actions
   * @param {Record<"toolbar" | "reading" | "overview" | "stage" | "runs" | "layerPanel" | "filterPanel" | "timeline" | "large", Part>} parts
   * @param {HTMLElement[]} dialogs
   */
  constructor(actions, parts, dialogs) {
    this.actions = actions;
    this.parts = parts;
    this.message = element("div", { class: "message" });
    this.side = element("aside", { class: "side", "aria-label": "Details" });
    this.notice = element("div", { class: "notice", role: "note" });
    this.live = element("div", { class: "sr", role: "status", "aria-live": "polite" });
    this.middle = element("div", { class: "middle" }, parts.overview.root, parts.stage.root, parts.runs.root, this.side);
    this.work = element("div", { class: "work" }, parts.reading.root, this.middle, parts.timeline.root);
    this.root = element("main", { class: "page" }, element("h1", { class: "sr" }, "Filters"),
      parts.toolbar.root, this.notice, this.message, this.work, parts.large.root, ...dialogs, this.live);
    this.isOtherPhase = changes();
    this.isOtherNotice = changes();
    this.isOtherPlace = changes();
  }

  /** @param {State} state */
  render(state) {
    const { phase, view, recording, overview } = state;
    this.root.setAttribute("aria-busy", String(state.isBusy));
    const isWork = phase === "work" && (isOverview(state) ? overview !== null : recording !== null);
    this.message.hidden = isWork;
    this.work.hidden = !isWork;
    if (!isWork && this.isOtherPhase(phase, state.error, state.problems)) this.say(state);
    if (isWork) this.isOtherPhase();
    this.showNotices(state);
    this.parts.toolbar.render(state);
    if (!isWork) return;
    const isLayer = !isOverview(state);
    const panel = view.filter === null ? this.parts.layerPanel : this.parts.filterPanel;
    if (this.side.firstChild !== panel.root) this.side.replaceChildren(panel.root);
    this.parts.overview.root.hidden = isLayer;
    this.parts.runs.root.hidden = !isManyRuns(state);
    this.parts.stage.root.hidden = !isLayer || isManyRuns(state);
    this.side.hidden = !isLayer || isManyRuns(state) || (shownView(state) === "compare" && view.filter === null);
    this.parts.timeline.root.hidden = !isLayer;
    if (this.isOtherPlace(view.layer, shownView(state))) this.work.scrollTop = 0;
    this.parts.reading.render(state);
    if (!isLayer) {
      this.parts.overview.render(state);
      return;
    }
    if (isManyRuns(state)) this.parts.runs.render(state);
    else this.parts.stage.render(state);
    if (!this.side.hidden) panel.render(state);
    this.parts.timeline.render(state);
    this.parts.large.render(state);
  }

  /** @param {State} state */
  showNotices(state) {
    const notes = state.phase === "work" ? notices(state) : [];
    if (!this.isOtherNotice(...notes, Boolean(state.warning))) return;
    this.notice.hidden = !notes.length;
    const close = element("button", { type: "button", class: "button small", on: { click: () =>
      this.actions.store.update({ broken: [] }) } }, "Close");
    const retry = element("button", { type: "button", class: "button small", on: { click: () => this.actions.reload() } }, "Try again");
    this.notice.replaceChildren(element("span", { role: state.warning ? "alert" : null }, notes.join(" ")),
      ...(state.warning ? [retry] : state.broken.length ? [close] : []));
  }

  // Instead of pictures.
  /** @param {State} state */
  say(state) {
    const title = { loading: "Loading …", empty: "No filters have been logged here yet", error: "This could not be shown",
      work: "Loading …" }[state.phase];
    const content = { loading: [], work: [], empty: emptyWords(state.problems), error: [
      element("p", { role: "alert" }, state.error),
      element("button", { type: "button", class: "button", on: { click: () => this.actions.reload() } }, "Try again")] }[state.phase];
    this.message.replaceChildren(element("h2", {}, title), ...content);
  }

  /** For those who do not see. @param {string} text */
  announce(text) {
    setText(this.live, text);
  }
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
