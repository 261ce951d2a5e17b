// What is looked at: the grid of a layer, or two of them and their difference.

import { choice, element } from "../widgets/dom.js";
import { difference } from "../pictures/draw.js";
import { TileGrid } from "../widgets/grid.js";
import { capital, differenceWords, nameOfStep } from "../words/format.js";

const SHARPEN_AFTER_MS = 300;

export class Stage {
  constructor(app) {
    this.app = app;
    this.differences = new Map();
    const grid = (label, pictureOf, markOf) => new TileGrid({ label, pictureOf, markOf,
      nameOf: (filter) => `Filter ${filter}`,
      onPick: (filter) => app.set({ filter }),
      onHover: (filter) => this.hover(filter, label),
      onMarks: () => this.tell() });
    this.grid = grid("Filters", (filter) => app.shownOf(filter),
      (filter) => app.markOf(app.recording, app.index, filter));
    this.before = grid("Reference", (filter) => app.other?.sharpTile(app.otherStep, filter),
      (filter) => (app.other ? app.markOf(app.other, app.otherIndex, filter) : {}));
    this.changed = grid("Difference", (filter) => this.differenceOf(filter), (filter) => ({ isHidden: this.isHidden(filter) }));
    this.run = choice("Reference", (value) => app.set({ run2: value, step2: undefined }));
    this.stepOf = choice("at", (value) => app.set({ step2: value === "same" ? undefined : Number(value) }));
    this.nowTitle = element("h2", {});
    this.changeTitle = element("h2", {}, "Difference");
    this.recoloured = element("span", { class: "key tone-recoloured" }, "other colour");
    this.changeKey = element("span", { class: "legend" }, element("span", { class: "key tone-lower" }, "darker"),
      element("span", { class: "key tone-higher" }, "brighter"), this.recoloured);
    this.remark = element("p", { class: "notice", role: "note" });
    this.beforePane = element("section", { class: "pane", "aria-label": "Reference" },
      element("header", {}, this.run.wrapper, this.stepOf.wrapper), this.before.root);
    this.nowHead = element("header", {}, this.nowTitle);
    this.nowPane = element("section", { class: "pane", "aria-label": "Filters" }, this.nowHead, this.grid.root);
    this.changePane = element("section", { class: "pane", "aria-label": "Difference" },
      element("header", {}, this.changeTitle, this.changeKey), this.changed.root);
    this.progress = element("div", { class: "progress", role: "progressbar", "aria-label": "Loading pictures",
      "aria-valuemin": 0, "aria-valuemax": 100 });
    this.hint = element("p", { class: "stage-hint" });
    this.root = element("div", { class: "stage" }, this.progress, this.remark,
      element("div", { class: "panes" }, this.beforePane, this.nowPane, this.changePane), this.hint);
    this.link();
  }

  get grids() {
    if (!this.app.isComparing) return [this.grid];
    return this.app.hasDifference ? [this.before, this.grid, this.changed] : [this.before, this.grid];
  }

  // Grids that show the same filters scroll as one.
  link() {
    const all = [this.before, this.grid, this.changed];
    for (const one of all) {
      one.root.addEventListener("scroll", () => {
        if (!this.app.isComparing) return;
        for (const other of all) {
          if (other.root.scrollTop !== one.root.scrollTop) other.root.scrollTop = one.root.scrollTop;
          if (other.root.scrollLeft !== one.root.scrollLeft) other.root.scrollLeft = one.root.scrollLeft;
        }
      });
    }
  }

  zoomBy(factor) {
    for (const grid of [this.before, this.grid, this.changed]) grid.zoomBy(factor);
    this.sharpenSoon();
  }

  hover(filter, label) {
    this.hoveredIn = label;
    for (const grid of this.grids) grid.point(filter);
    this.tell();
  }

  // Below the grids: the filter at the cursor, or what the marks mean that can be seen.
  tell() {
    const { app } = this;
    const { hovered } = this.grid;
    this.hint.textContent = hovered === null ? this.rest() : app.describe(hovered, this.hoveredIn === "Reference");
  }

  rest() {
    const seen = new Set(this.grids.flatMap(({ marks }) => [...marks]));
    const meanings = [["stuck", "crossed out: stuck"], ["hidden", "stuck ones are hidden"],
      ["flat", "bar below: flat, the picture says nothing"]];
    const lens = { maps: "where each filter answers to the example, to its own scale",
      kernels: "each filter's weights on the image, with the layers below made linear: white adds, black takes away" }[this.app.lens];
    const told = [...(lens ? [lens] : []), ...meanings.filter(([mark]) => seen.has(mark)).map(([, meaning]) => meaning),
      "point at a filter to read it, click to follow it through the training"];
    return capital(told.join(" · "));
  }

  differenceOf(filter) {
    if (!this.app.hasDifference) return undefined;
    const key = `${this.app.otherStep} ${this.app.step}`;
    if (key !== this.differencesKey) {
      this.differences.clear();
      this.differencesKey = key;
    }
    if (!this.differences.has(filter)) {
      const { app } = this;
      const [height, width] = app.recording.about.tile;
      const before = app.other.sharpTile(app.otherStep, filter);
      const after = app.recording.sharpTile(app.step, filter);
      const found = difference(before, after);
      if (!found) return undefined;
      const isExact = [before, after].every((picture) => picture.width === width && picture.height === height);
      this.differences.set(filter, { ...found, isExact });
    }
    return this.differences.get(filter);
  }

  isHidden(filter) {
    return Boolean(this.app.markOf(this.app.recording, this.app.index, filter).isHidden);
  }

  forgetDifferences() {
    this.differencesKey = undefined;
  }

  updateItems() {
    const { app } = this;
    const [height, width, channels] = app.recording.about.tile;
    this.beforePane.hidden = !app.isComparing;
    this.changePane.hidden = !app.hasDifference;
    this.nowHead.hidden = !app.isComparing;
    this.root.classList.toggle("comparing", app.isComparing);
    this.forgetDifferences();
    this.grid.set(app.order, app.lensSize);
    if (app.isComparing) {
      const shared = app.other ? app.order.filter((filter) => app.other.places.has(filter)) : [];
      const size = app.other?.about.tile ?? [height, width];
      this.before.set(shared, { height: size[0], width: size[1] });
      this.changed.set(app.hasDifference ? shared : [], { height, width });
      this.recoloured.hidden = channels === 1;
    }
  }

  updateChoices() {
    const { app } = this;
    this.run.set(app.comparableRuns().map((run) => [run, run]), app.otherRun);
    const isThere = app.otherStep === app.step || app.state.step2 !== undefined;
    this.stepOf.set([
      ...(app.canFollow ? [["same", isThere ? `the same ${app.other.unit}`
        : `nearest: ${nameOfStep(app.otherStep, app.other.unit)}`]] : []),
      ...(app.other?.steps ?? []).map((step) => [String(step), nameOfStep(step, app.other.unit)]),
    ], app.canFollow && app.state.step2 === undefined ? "same" : String(app.otherStep));
  }

  update() {
    const { app } = this;
    for (const grid of this.grids) {
      grid.select(app.state.filter);
      grid.draw();
    }
    const { unit, name } = app.recording.about;
    this.grid.label(`Filters of ${name}, ${nameOfStep(app.step, unit)}`);
    if (app.isComparing) {
      this.updateChoices();
      this.before.label(`Reference: ${app.otherName}`);
      this.changed.label("Difference");
      this.nowTitle.textContent = app.nowName;
      const shown = app.order.filter((filter) => !this.isHidden(filter));
      const found = shown.map((filter) => this.differenceOf(filter)).filter(Boolean);
      const rms = found.reduce((sum, one) => sum + one.rms, 0) / (found.length || 1);
      const isExact = found.every((one) => one.isExact);
      this.changeTitle.textContent = found.length ? `Difference ${differenceWords({ rms, isExact })}` : "Difference";
    }
    this.remark.textContent = app.compareRemark ?? "";
    this.remark.hidden = !app.compareRemark;
    this.markFirstPicture();
    const films = [app.recording.film, ...(app.isComparing && app.other?.film ? [app.other.film] : [])];
    const done = Math.min(...films.map((film) => film.progress));
    this.progress.hidden = done >= 1;
    this.progress.style.setProperty("--done", done);
    this.progress.setAttribute("aria-valuenow", Math.round(done * 100));
    this.tell();
    this.sharpenSoon();
  }

  // For whoever measures: when the whole layer could first be seen.
  markFirstPicture() {
    if (this.isMarked || !this.app.order.every((filter) => this.app.recording.tile(this.app.step, filter))) return;
    this.isMarked = true;
    requestAnimationFrame(() => performance.mark("filters-first-picture"));
  }

  // Where the film holds tiles smaller than they are shown, or than they have to be for an exact difference: fetch these
  // steps in full, once one has stopped at them.
  sharpenSoon() {
    clearTimeout(this.sharpening);
    const { app } = this;
    const { film } = app.recording;
    const isEnough = film.factor === 1
      || (this.grid.shown?.width ?? 0) * (window.devicePixelRatio || 1) <= app.recording.about.tile[1] / film.factor;
    if ((isEnough && !app.hasDifference) || app.timeline.playing) return;
    this.sharpening = setTimeout(() => this.sharpen().catch(() => {}), SHARPEN_AFTER_MS);
  }

  async sharpen() {
    const { app } = this;
    const { otherStep } = app;
    await app.recording.film.sharpen(app.step);
    if (app.hasDifference) await app.other.film.sharpen(otherStep);
  }
}
