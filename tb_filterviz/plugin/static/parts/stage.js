// What is looked at: the grid of a layer, or two of them and their difference.

import { Differences } from "../pictures/differences.js";
import { canFollow, compareRemark, described, hasDifference, hasLayer, isComparing, lensOf, nowName, otherName, otherRun,
  otherStep, shownFilters, stepOf } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { choice, element, iconButton, setText } from "../widgets/dom.js";
import { TileGrid } from "../widgets/grid.js";
import { capital, differenceWords, nameOfStep, plural } from "../words/format.js";
import { RunPicker } from "./run_picker.js";
import { beforeSheet, changeSheet, nowSheet } from "./sheets.js";

const SHARPEN_AFTER_MS = 300;
const LENSES = { tiles: "", maps: "where each filter answers to the example, to its own scale",
  kernels: "each filter's weights on the image, with the layers below made linear: white adds, black takes away" };

/** @typedef {import("../state/state.js").LayerState} LayerState */

export class Stage {
  /** @param {import("../state/actions.js").Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.differences = new Differences();
    const grid = (/** @type {string} */ label) => new TileGrid({ label,
      nameOf: (filter) => `Filter ${filter}`,
      onPick: (filter) => actions.set({ filter }),
      onOpen: (filter) => actions.set({ filter, large: true }),
      onHover: (filter) => actions.hover(filter === null ? null : { filter, isReference: label === "Reference" }),
      onMarks: () => this.tellAgain() });
    this.grid = grid("Filters");
    this.before = grid("Reference");
    this.changed = grid("Difference");
    this.run = new RunPicker("Reference", (value) => actions.set({ run2: value, step2: undefined }));
    this.stepOf = choice("at", (value) => actions.set({ step2: value === "same" ? undefined : Number(value) }));
    this.nowTitle = element("h2", {});
    this.changeTitle = element("h2", {}, "Difference");
    this.recoloured = element("span", { class: "key tone-recoloured" }, "other colour");
    this.changeKey = element("span", { class: "legend" }, element("span", { class: "key tone-lower" }, "darker"),
      element("span", { class: "key tone-higher" }, "brighter"), this.recoloured);
    this.remark = element("p", { class: "remark", role: "note" });
    this.nothing = element("div", { class: "nothing" });
    this.beforePane = element("section", { class: "pane", "aria-label": "Reference" },
      element("header", {}, this.run.wrapper, this.stepOf.wrapper), this.before.root);
    this.nowHead = element("header", {}, this.nowTitle);
    this.nowPane = element("section", { class: "pane", "aria-label": "Filters" }, this.nowHead, this.grid.root,
      this.nothing);
    this.changePane = element("section", { class: "pane", "aria-label": "Difference" },
      element("header", {}, this.changeTitle, this.changeKey), this.changed.root);
    this.progress = element("div", { class: "progress", role: "progressbar", "aria-label": "Loading pictures",
      "aria-valuemin": 0, "aria-valuemax": 100 });
    this.hint = element("p", { class: "stage-hint" });
    const zoom = element("div", { class: "buttons zoom", role: "group", "aria-label": "Zoom" },
      iconButton("minus", "Smaller", "-", () => this.zoomBy(1 / 1.5)),
      iconButton("fit", "Whole layer", "0", () => this.zoomBy(0)),
      iconButton("plus", "Larger", "+", () => this.zoomBy(1.5)));
    this.root = element("div", { class: "stage" }, this.progress, this.remark,
      element("div", { class: "panes" }, this.beforePane, this.nowPane, this.changePane),
      element("div", { class: "stage-foot" }, this.hint, zoom));
    this.isOtherSaid = changes();
    this.isOtherPicture = changes();
    this.isOtherPlaying = changes();
    this.said = "";
    this.lastSaid = "";
    this.isMarked = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.sharpening = undefined;
    this.link();
    this.grid.onLayout = () => actions.store.update({}); // the panel says where a tile stands, and is never smaller
  }

  get all() {
    return [this.before, this.grid, this.changed];
  }

  /** Grids that show the same filters scroll as one. */
  link() {
    for (const one of this.all) {
      one.root.addEventListener("scroll", () => {
        if (!isComparing(this.actions.state)) return;
        for (const other of this.all) {
          if (other.root.scrollTop !== one.root.scrollTop) other.root.scrollTop = one.root.scrollTop;
          if (other.root.scrollLeft !== one.root.scrollLeft) other.root.scrollLeft = one.root.scrollLeft;
        }
      });
    }
  }

  /** @param {number} factor */
  zoomBy(factor) {
    for (const grid of this.all) grid.zoomBy(factor);
    const { state } = this.actions;
    if (hasLayer(state)) this.sharpenSoon(state);
  }

  /** @param {LayerState} state */
  render(state) {
    const { recording, view, other, matching, index, arrivals, maps, kernels, isDark } = state;
    const comparing = isComparing(state);
    const withDifference = hasDifference(state);
    this.beforePane.hidden = !comparing;
    this.changePane.hidden = !withDifference;
    this.nowHead.hidden = !comparing;
    this.root.classList.toggle("comparing", comparing);
    const isNew = this.isOtherPicture(recording, recording.version, other, matching, index, arrivals, maps, kernels,
      view.view, view.lens, view.sort, view.stuck, view.step2, view.example, isDark);
    if (isNew) this.showPictures(state);
    const grids = comparing ? (withDifference ? this.all : [this.before, this.grid]) : [this.grid];
    for (const grid of grids) {
      grid.select(view.filter);
      grid.point(state.hovered?.filter ?? null);
    }
    this.grid.label(`Filters of ${recording.about.name}, ${nameOfStep(stepOf(state), recording.unit)}`);
    if (comparing) this.showHeads(state, isNew);
    const remark = compareRemark(state);
    setText(this.remark, remark);
    this.remark.hidden = !remark;
    this.markFirstPicture(state);
    this.showProgress(state);
    this.tell(state);
    const hasStopped = this.isOtherPlaying(state.isPlaying);
    if (isNew || hasStopped) this.sharpenSoon(state);
  }

  /** @param {LayerState} state */
  showPictures(state) {
    const now = nowSheet(state);
    this.grid.set(now);
    if (isComparing(state)) this.before.set(beforeSheet(state));
    if (hasDifference(state)) this.changed.set(changeSheet(state, this.differences));
    this.showNothing(state, now.items);
  }

  /** What stands above grids that are compared. @param {LayerState} state @param {boolean} isNew */
  showHeads(state, isNew) {
    this.showChoices(state);
    this.before.label(`Reference: ${otherName(state)}`);
    setText(this.nowTitle, nowName(state));
    this.recoloured.hidden = state.recording.about.tile[2] === 1;
    if (!hasDifference(state) || !isNew) return;
    const mean = this.differences.mean(state, shownFilters(state));
    setText(this.changeTitle, mean ? `Difference ${differenceWords(mean)}` : "Difference");
  }

  /** What stands there instead of an empty grid. @param {LayerState} state @param {number[]} items */
  showNothing(state, items) {
    this.nothing.hidden = items.length > 0;
    this.grid.root.hidden = !items.length;
    if (items.length) return;
    this.nothing.replaceChildren(
      element("p", {}, `All ${plural(state.recording.filters.length, "filter")} of this layer are stuck at the end of the `
        + "training, and stuck ones are hidden."),
      element("button", { type: "button", class: "button", on: { click: () => this.actions.set({ stuck: "show" }) } },
        "Show them"));
  }

  /** @param {LayerState} state */
  showChoices(state) {
    this.run.render(state, otherRun(state) ?? "", true);
    const { other, view } = state;
    const step = otherStep(state);
    if (!other || step === undefined) {
      this.stepOf.set([], "");
      return;
    }
    /** @type {import("../widgets/dom.js").Option<string>[]} */
    const options = other.steps.map((one) => [String(one), nameOfStep(one, other.unit)]);
    const isFollowing = canFollow(state);
    if (isFollowing) {
      const isThere = step === stepOf(state) || view.step2 !== undefined;
      options.unshift(["same", isThere ? `the same ${other.unit}` : `nearest: ${nameOfStep(step, other.unit)}`]);
    }
    this.stepOf.set(options, isFollowing && view.step2 === undefined ? "same" : String(step));
  }

  /** After other marks have come into sight. */
  tellAgain() {
    const { state } = this.actions;
    if (hasLayer(state)) this.tell(state);
  }

  /**
   * Says below the grids which filter is at the cursor, what was said last, or what the marks mean that can be seen.
   *
   * @param {LayerState} state
   */
  tell(state) {
    if (this.isOtherSaid(state.hovered, state.view, state.index, state.recording)) this.said = "";
    if (state.said && state.said !== this.lastSaid) this.said = state.said;
    this.lastSaid = state.said;
    const { hovered } = state;
    setText(this.hint, hovered === null ? this.said || this.rest(state)
      : described(state, hovered.filter, hovered.isReference, this.differences.of(state, hovered.filter)));
  }

  /** @param {LayerState} state */
  rest(state) {
    const grids = isComparing(state) ? this.all : [this.grid];
    const seen = new Set(grids.flatMap(({ marks }) => [...marks]));
    const hidden = state.view.stuck === "hide" ? state.recording.filters.length - shownFilters(state).length : 0;
    const told = [LENSES[lensOf(state)], seen.has("stuck") ? "crossed out: stuck" : "",
      hidden ? `${hidden} stuck ${hidden === 1 ? "one is" : "ones are"} hidden` : "",
      seen.has("flat") ? "bar below: flat, the picture says nothing" : "",
      "point at a filter to read it, click to follow it, double click to see it large"];
    return capital(told.filter(Boolean).join(" · "));
  }

  /** @param {LayerState} state */
  showProgress(state) {
    const { recording, other } = state;
    const films = [recording.film, ...(isComparing(state) && other ? [other.film] : [])];
    const done = Math.min(...films.map((film) => film.progress));
    this.progress.hidden = done >= 1;
    this.progress.style.setProperty("--done", String(done));
    this.progress.setAttribute("aria-valuenow", String(Math.round(done * 100)));
  }

  /** For whoever measures: when the whole layer could first be seen. @param {LayerState} state */
  markFirstPicture(state) {
    if (this.isMarked || !shownFilters(state).every((filter) => state.recording.tile(stepOf(state), filter))) return;
    this.isMarked = true;
    requestAnimationFrame(() => performance.mark("filters-first-picture"));
  }

  /**
   * Where the film holds tiles smaller than they are shown, or than they have to be for an exact difference: fetches these
   * steps in full, once one has stopped at them.
   *
   * @param {LayerState} state
   */
  sharpenSoon(state) {
    clearTimeout(this.sharpening);
    const { recording } = state;
    const isEnough = recording.film.factor === 1
      || this.grid.shown.width * (window.devicePixelRatio || 1) <= recording.about.tile[1] / recording.film.factor;
    if ((isEnough && !hasDifference(state)) || state.isPlaying) return;
    this.sharpening = setTimeout(() => this.sharpen(state).catch(() => {}), SHARPEN_AFTER_MS);
  }

  /** @param {LayerState} state */
  async sharpen(state) {
    await state.recording.film.sharpen(stepOf(state));
    const before = otherStep(state);
    if (hasDifference(state) && before !== undefined) await state.other.film.sharpen(before);
  }
}
