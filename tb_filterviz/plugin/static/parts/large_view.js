// One filter as large as fits: before and after by a slider, and the filters that are most like it.

import { similarTo } from "../data/matching.js";
import { drawAlone } from "../pictures/draw.js";
import { counterpart, hasChosenFilter, hasLayer, isComparing, isOverview, markOf, nowName, otherName, otherPictureOf,
  stepOf } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { element, iconButton, setText } from "../widgets/dom.js";
import { formedWords } from "../words/formation.js";
import { capital, messageOf, nameOfStep, shown } from "../words/format.js";

const LARGEST_PX = 600;
const LEAST_PX = 240;
const LIKE_PX = 64;

/**
 * @typedef {import("../state/state.js").State} State
 * @typedef {import("../state/state.js").FilterState} FilterState
 * @typedef {import("../data/recording.js").Recording} Recording
 */

export class LargeView {
  /** @param {import("../state/actions.js").Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.title = element("h2", { id: "large-title" });
    this.said = element("p", { class: "quiet" });
    this.now = element("canvas", { role: "img" });
    this.before = element("canvas", { role: "img", class: "before" });
    this.edge = element("div", { class: "edge", "aria-hidden": "true" });
    this.beforeName = element("span", { class: "side-name left" });
    this.nowName = element("span", { class: "side-name right" });
    this.share = element("input", { type: "range", min: 0, max: 100, value: 0, "aria-label": "Share of the picture before",
      on: { input: () => this.showShare() } });
    this.box = element("div", { class: "large-box", on: { pointermove: (/** @type {PointerEvent} */ event) => {
      if (event.buttons) this.pull(event);
    }, pointerdown: (/** @type {PointerEvent} */ event) => this.pull(event) } },
      this.now, this.before, this.edge, this.beforeName, this.nowName);
    this.step = element("input", { type: "range", min: 0, step: 1, "aria-label": "Epoch",
      on: { input: () => actions.jump(Number(this.step.value)) } });
    this.like = element("div", { class: "like" });
    this.likeTitle = element("h3", {}, "Most like it");
    this.root = element("dialog", { class: "dialog large", "aria-labelledby": "large-title", on: {
      close: () => { if (actions.state.view.large) actions.set({ large: false }); },
      cancel: (/** @type {Event} */ event) => { event.preventDefault(); actions.set({ large: false }); },
    } },
      element("header", { class: "panel-head" }, element("div", { class: "panel-title" }, this.title, this.said),
        iconButton("back", "The filter before", "[", () => actions.moveToFilter(-1)),
        iconButton("forward", "The filter after", "]", () => actions.moveToFilter(1)),
        iconButton("close", "Close", "Escape", () => actions.set({ large: false }))),
      element("div", { class: "large-columns" },
        element("div", { class: "large-main" }, this.box,
          element("label", { class: "large-slider" }, element("span", { class: "choice-label" }, "Before"), this.share),
          element("label", { class: "large-slider" }, element("span", { class: "choice-label" }, "Step"), this.step)),
        element("section", { class: "large-like", "aria-label": "Filters most like it" }, this.likeTitle, this.like)));
    this.isOther = changes();
    this.isOtherFilter = changes();
    window.addEventListener("resize", () => this.render(actions.state, true));
  }

  /** @param {State} state @param {boolean} [isResized] */
  render(state, isResized = false) {
    const isOpen = state.view.large && state.phase === "work" && !isOverview(state);
    if (!isOpen || !hasLayer(state) || !hasChosenFilter(state)) {
      if (this.root.open) this.root.close();
      return;
    }
    if (!this.root.open) {
      this.root.showModal();
      this.share.value = "0";
      this.step.focus();
    }
    const { recording, view, index, arrivals, other, isDark, matching } = state;
    if (this.isOtherFilter(recording, view.filter)) this.fetchLike(recording, view.filter);
    const isOther = this.isOther(recording, recording.version, view, index, arrivals, other, isDark, matching);
    if (isOther || isResized) this.show(state);
  }

  /** @param {FilterState} state */
  show(state) {
    const { recording, view, index } = state;
    const moment = nameOfStep(stepOf(state), recording.unit);
    setText(this.title, `Filter ${view.filter} of ${recording.about.name}`);
    const worth = [recording.worth, recording.description("change")].filter((one) => one !== undefined)
      .map(({ name, label, unit }) => `${label} ${shown(recording.value(name, index, view.filter), unit)}`);
    setText(this.said, capital([moment, ...worth, formedWords(recording, view.filter, index)].filter(Boolean).join(" · ")));
    this.step.max = String(recording.steps.length - 1);
    this.step.value = String(index);
    this.step.setAttribute("aria-valuetext", moment);
    this.draw(state);
    this.showShare();
  }

  /** @param {FilterState} state */
  draw(state) {
    const { recording, view, index } = state;
    const room = Math.min(window.innerWidth - 64, window.innerHeight - 230);
    const boxPx = Math.max(LEAST_PX, Math.min(LARGEST_PX, room));
    const first = recording.steps[0];
    const comparing = isComparing(state);
    const before = comparing ? otherPictureOf(state, view.filter) : recording.sharpTile(first, view.filter);
    const beforeName = comparing ? otherName(state) : capital(nameOfStep(first, recording.unit));
    const { mark } = markOf(state, recording, index, view.filter);
    drawAlone(this.now, recording.sharpTile(stepOf(state), view.filter), boxPx, mark);
    drawAlone(this.before, before, boxPx);
    this.box.style.width = `${boxPx}px`;
    this.box.style.height = `${boxPx}px`;
    this.now.setAttribute("aria-label", `Filter ${view.filter}, ${nowName(state)}`);
    this.before.setAttribute("aria-label",
      comparing ? `Filter ${counterpart(state, view.filter)}, ${beforeName}` : beforeName);
    setText(this.beforeName, beforeName);
    setText(this.nowName, nowName(state));
    this.share.disabled = !before;
  }

  /** @param {PointerEvent} event */
  pull(event) {
    const bounds = this.box.getBoundingClientRect();
    this.share.value = String(Math.round((100 * (event.clientX - bounds.left)) / bounds.width));
    this.showShare();
  }

  showShare() {
    const share = this.share.disabled ? 0 : Number(this.share.value);
    this.before.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    this.edge.style.left = `${share}%`;
    this.edge.hidden = share <= 0 || share >= 100;
    this.beforeName.hidden = share <= 0;
    this.nowName.hidden = share >= 100;
    this.share.setAttribute("aria-valuetext", `${share} %`);
  }

  /**
   * Filters that are alike by their last pictures: this does not hang on the step that is shown.
   *
   * @param {Recording} recording
   * @param {number} filter
   */
  async fetchLike(recording, filter) {
    this.like.replaceChildren();
    const isCurrent = () => this.actions.state.view.filter === filter && this.actions.state.recording === recording;
    try {
      const step = recording.steps[recording.steps.length - 1];
      const found = await similarTo(recording, filter, step);
      if (isCurrent()) this.showLike(recording, step, found);
    } catch (error) {
      if (isCurrent()) this.like.replaceChildren(element("p", { class: "quiet" }, messageOf(error)));
    }
  }

  /** @param {Recording} recording @param {number} step @param {[number, number][]} found */
  showLike(recording, step, found) {
    this.like.replaceChildren(...found.map(([filter, similarity]) => {
      const canvas = element("canvas", { "aria-hidden": "true" });
      drawAlone(canvas, recording.sharpTile(step, filter), LIKE_PX);
      return element("button", { type: "button", class: "like-one", on: { click: () => this.actions.set({ filter }) } },
        canvas, element("span", {}, `Filter ${filter}`), element("span", { class: "sr" }, "similarity"),
        element("span", { class: "quiet" }, similarity.toFixed(2)));
    }));
    if (!found.length) this.like.replaceChildren(element("p", { class: "quiet" }, "This layer has no other filter."));
  }
}
