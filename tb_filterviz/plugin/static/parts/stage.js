// What is looked at: the grid of a layer, or two of them and their difference.

import { Differences } from "../pictures/differences.js";
import { canFollow, compareRemark, described, hasDifference, isComparing, lensOf, nowName, otherName, otherRun, otherStep,
  shownFilters, stepOf } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { choice, element, iconButton, setText } from "../widgets/dom.js";
import { TileGrid } from "../widgets/grid.js";
import { capital, differenceWords, nameOfStep, plural } from "../words/format.js";
import { RunPicker } from "./run_picker.js";
import { beforeSheet, changeSheet, nowSheet } from "./sheets.js";

const SHARPEN_AFTER_MS = 300;

/** @typedef {import("../state/state.js").State} State */

export class Stage {
  /** @param {import("../state/actions.js").Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.differences = new Differences();
    const grid = (/** @type {string} */ label) => new TileGrid({ label, pictureOf: () => undefined,
      nameOf: (filter) => `Filter ${filter}`,
      onPick: (filter) => actions.set({ filter }),
      onOpen: (filter) => actions.set({ filter, large: true }),
      onHover: (filter) => actions.hover(filter === null ? null : { filter, isReference: label === "Reference" }),
      onMarks: () => this.tell(actions.state) });
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
    this.nowPane = element("section", { class: "pane", "aria-label": "Filters" }, this.nowHead, this.grid.root, this.nothing);
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
    /** @type {string} */
    this.said = "";
    this.link();
    this.grid.onLayout = () => actions.store.update({}); // the panel says where a tile stands, and is never smaller
  }

  get all() {
    return [this.before, this.grid, this.changed];
  }

  // Grids that show the same filters scroll as one.
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
    this.sharpenSoon(this.actions.state);
  }

  /** @param {State} state */
  render(state) {
    const comparing = isComparing(state);
    const withDifference = hasDifference(state);
    const grids = comparing ? (withDifference ? this.all : [this.before, this.grid]) : [this.grid];
    const { recording, view } = state;
    this.beforePane.hidden = !comparing;
    this.changePane.hidden = !withDifference;
    this.nowHead.hidden = !comparing;
    this.root.classList.toggle("comparing", comparing);
    const isNew = this.isOtherPicture(recording, recording.version, state.other, state.matching, state.index, state.arrivals,
      state.maps, state.kernels, view.view, view.lens, view.sort, view.stuck, view.step2, view.example, state.isDark);
    if (isNew) {
      const now = nowSheet(state);
      this.show(this.grid, now);
      if (comparing) this.show(this.before, beforeSheet(state));
      if (withDifference) this.show(this.changed, changeSheet(state, this.differences));
      this.showNothing(state, now.items);
    }
    for (const grid of grids) {
      grid.select(view.filter);
      grid.point(state.hovered?.filter ?? null);
    }
    const { unit, name, tile } = recording.about;
    this.grid.label(`Filters of ${name}, ${nameOfStep(stepOf(state), unit)}`);
    if (comparing) {
      this.showChoices(state);
      this.before.label(`Reference: ${otherName(state)}`);
      setText(this.nowTitle, nowName(state));
      this.recoloured.hidden = tile[2] === 1;
      if (withDifference && isNew) {
        const mean = this.differences.mean(state, shownFilters(state));
        setText(this.changeTitle, mean ? `Difference ${differenceWords(mean)}` : "Difference");
      }
    }
    const remark = compareRemark(state);
    setText(this.remark, remark);
    this.remark.hidden = !remark;
    this.markFirstPicture(state);
    this.showProgress(state);
    this.tell(state);
    if (isNew) this.sharpenSoon(state);
  }

  /** @param {TileGrid} grid @param {any} sheet */
  show(grid, { items, tile, pictureOf, markOf }) {
    grid.pictureOf = pictureOf;
    grid.markOf = markOf;
    grid.set(items, tile);
  }

  // Instead of an empty grid.
  /** @param {State} state @param {number[]} items */
  showNothing(state, items) {
    this.nothing.hidden = items.length > 0;
    this.grid.root.hidden = !items.length;
    if (items.length) return;
    const { recording } = state;
    this.nothing.replaceChildren(element("p", {}, `All ${plural(recording.filters.length, "filter")} of this layer are stuck at `
      + "the end of the training, and stuck ones are hidden."),
      element("button", { type: "button", class: "button", on: { click: () => this.actions.set({ stuck: "show" }) } }, "Show them"));
  }

  /** @param {State} state */
  showChoices(state) {
    const { other } = state;
    this.run.render(state, otherRun(state) ?? "", true);
    const step = otherStep(state);
    const isThere = step === stepOf(state) || state.view.step2 !== undefined;
    this.stepOf.set([
      ...(canFollow(state) ? [/** @type {[string, string]} */ (["same", isThere ? `the same ${other.unit}`
        : `nearest: ${nameOfStep(step, other.unit)}`])] : []),
      ...(other?.steps ?? []).map((one) => /** @type {[string, string]} */ ([String(one), nameOfStep(one, other.unit)])),
    ], canFollow(state) && state.view.step2 === undefined ? "same" : String(step));
  }

  // Below the grids: the filter at the cursor, what was said last, or what the marks mean that can be seen.
  /** @param {State} state */
  tell(state) {
    if (!state.recording) return;
    if (this.isOtherSaid(state.hovered, state.view, state.index, state.recording)) this.said = "";
    if (state.said && state.said !== this.lastSaid) this.said = state.said;
    this.lastSaid = state.said;
    const { hovered } = state;
    setText(this.hint, hovered === null ? this.said || this.rest(state)
      : described(state, hovered.filter, hovered.isReference, this.differences.of(state, hovered.filter)));
  }

  /** @param {State} state */
  rest(state) {
    const grids = isComparing(state) ? this.all : [this.grid];
    const seen = new Set(grids.flatMap(({ marks }) => [...marks]));
    const hidden = state.view.stuck === "hide" ? state.recording.filters.length - shownFilters(state).length : 0;
    const lens = { maps: "where each filter answers to the example, to its own scale", tiles: "",
      kernels: "each filter's weights on the image, with the layers below made linear: white adds, black takes away" }[lensOf(state)];
    const told = [lens, seen.has("stuck") ? "crossed out: stuck" : "", hidden ? `${hidden} stuck ${hidden === 1 ? "one is" : "ones are"} hidden` : "",
      seen.has("flat") ? "bar below: flat, the picture says nothing" : "",
      "point at a filter to read it, click to follow it, double click to see it large"];
    return capital(told.filter(Boolean).join(" · "));
  }

  /** @param {State} state */
  showProgress({ recording, other, view }) {
    const films = [recording.film, ...(view.view === "compare" && other?.film ? [other.film] : [])];
    const done = Math.min(...films.map((film) => film.progress));
    this.progress.hidden = done >= 1;
    this.progress.style.setProperty("--done", String(done));
    this.progress.setAttribute("aria-valuenow", String(Math.round(done * 100)));
  }

  // For whoever measures: when the whole layer could first be seen.
  /** @param {State} state */
  markFirstPicture(state) {
    if (this.isMarked || !shownFilters(state).every((filter) => state.recording.tile(stepOf(state), filter))) return;
    this.isMarked = true;
    requestAnimationFrame(() => performance.mark("filters-first-picture"));
  }

  // Where the film holds tiles smaller than they are shown, or than they have to be for an exact difference: fetch these
  // steps in full, once one has stopped at them.
  /** @param {State} state */
  sharpenSoon(state) {
    clearTimeout(this.sharpening);
    const { recording } = state;
    const isEnough = recording.film.factor === 1
      || this.grid.shown.width * (window.devicePixelRatio || 1) <= recording.about.tile[1] / recording.film.factor;
    if ((isEnough && !hasDifference(state)) || state.isPlaying) return;
    this.sharpening = setTimeout(() => this.sharpen(state).catch(() => {}), SHARPEN_AFTER_MS);
  }

  /** @param {State} state */
  async sharpen(state) {
    await state.recording.film.sharpen(stepOf(state));
    if (hasDifference(state)) await state.other.film.sharpen(otherStep(state));
  }
}
