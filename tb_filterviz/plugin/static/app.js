// The state of the tab, and what follows from it.

import { getJson } from "./data/api.js";
import { formedWords } from "./words/formation.js";
import { capital, differenceWords, nameOfStep, shown } from "./words/format.js";
import { nearestIndex } from "./pictures/geometry.js";
import { onAddressChange, onReload, readView, writeView } from "./host/tensorboard.js";
import { orderKey, orderOf, sortedBy } from "./state/ordering.js";
import { Examples, Lens } from "./data/examples.js";
import { Recordings } from "./data/recordings.js";
import { changedIn, START, viewOf } from "./state/view.js";

function lastWallTime({ layers }) {
  return Math.max(...layers.map((layer) => layer.last_wall_time));
}

function hasFilter(about, filter) {
  return about.indices ? about.indices.includes(filter) : filter >= 0 && filter < about.filters;
}

export class App {
  constructor() {
    this.state = { ...START };
    this.runs = [];
    this.problems = [];
    this.examples = new Map(); // of runs
    this.maps = null;
    this.kernels = null;
    this.recordings = new Recordings(() => this.arrived(), (error) => this.fail(error));
    this.index = 0;
  }

  // Parts are made by index.js, which knows them all.
  attach({ toolbar, stage, timeline, layerPanel, filterPanel, page, help, recipeDialog }) {
    Object.assign(this, { toolbar, stage, timeline, layerPanel, filterPanel, page, help, recipeDialog });
    this.grid = stage.grid;
  }

  async start() {
    this.state = viewOf(readView());
    onReload(() => this.reload());
    onAddressChange((view) => (view ? this.set(viewOf(view)) : this.saveView()));
    await this.reload();
  }

  saveView() {
    clearTimeout(this.saving);
    this.saving = setTimeout(() => writeView(changedIn(this.state)), 200);
  }

  // From the server again: at the start, after TensorBoard's reload, on retry.
  async reload() {
    try {
      const { runs } = await getJson("layers");
      this.runs = runs.filter(({ layers }) => layers.length);
      this.problems = runs.flatMap(({ run, problems }) => problems.map((problem) => `${run}: ${problem}`));
      if (!this.runs.length) {
        this.page.showEmpty(this.problems);
        return;
      }
      const before = this.recording;
      await this.set({});
      if (before && before === this.recording) { // a training may log an epoch's accuracy after its filters
        await before.readCurves();
        this.timeline.updateCurves();
        this.update();
      }
    } catch (error) {
      this.fail(error);
    }
  }

  fail(error) {
    if (error.name === "AbortError") return;
    this.page.showError(error.message, this.runs.length > 0, () => this.reload());
    this.toolbar.update();
  }

  layersOf(run) {
    return this.runs.find((one) => one.run === run)?.layers ?? [];
  }

  // The run that was written last.
  get newestRun() {
    return this.runs.reduce((newest, run) => (lastWallTime(run) > lastWallTime(newest) ? run : newest)).run;
  }

  // How the run that is shown was drawn; null if it does not say.
  get recipe() {
    return this.runs.find(({ run }) => run === this.state.run)?.recipe ?? null;
  }

  showRecipe() {
    if (this.recipe) this.recipeDialog.show(this.recipe, this.recording.about);
  }

  // The layer at the same place of another run's model: names differ from process to process.
  matching(run, about) {
    const layers = this.layersOf(run);
    return layers.find((layer) => layer.position === about.position) ?? layers.find((layer) => layer.name === about.name);
  }

  chooseRun(run) {
    const about = this.recording && this.matching(run, this.recording.about);
    this.set({ run, layer: about?.id ?? null });
  }

  // To another view; of several asked for at once, to the last.
  async set(changes) {
    const request = {};
    this.request = request;
    this.page.busy(true);
    try {
      await this.open(changes, request);
    } catch (error) {
      if (this.request === request) this.fail(error);
    } finally {
      if (this.request === request) this.page.busy(false);
    }
  }

  async open(changes, request) {
    const state = { ...this.state, ...changes };
    if (!this.layersOf(state.run).length) state.run = this.newestRun;
    const layers = this.layersOf(state.run);
    const about = layers.find((layer) => layer.id === state.layer) ?? layers.at(-1);
    if (!about) return;
    state.layer = about.id;
    if (state.filter !== null && !hasFilter(about, state.filter)) state.filter = null;
    Object.assign(this.state, { run: state.run, layer: state.layer }); // what the pickers show if this fails
    if (!this.recordings.has(state.run, state.layer)) this.page.showLoading();
    const recording = await this.record(state.run, about);
    const match = state.view === "compare" ? this.matching(state.run2 ?? state.run, about) : undefined;
    const { other, otherError } = await this.reference(state.run2 ?? state.run, match);
    const nothing = () => null; // what cannot be read of these is no reason not to show the rest
    const [maps, kernels] = await Promise.all([this.mapsOf(recording, state).catch(nothing),
      this.kernelsOf(recording, state).catch(nothing)]);
    if (this.request !== request) return; // something else was asked for meanwhile
    if (!("step" in changes)) state.step = this.state.step; // one may have moved on meanwhile
    Object.assign(this, { state, recording, other, otherError, maps, kernels });
    this.steps = recording.steps;
    this.index = nearestIndex(state.step, this.steps);
    if (this.index === this.steps.length - 1) state.step = null; // the latest, whichever that will be
    this.show();
  }

  // The examples of a run.
  examplesOf(run) {
    const found = this.runs.find((one) => one.run === run);
    const version = found?.recipe?.examples?.fingerprint ?? "";
    const key = `${run}\n${version}\n${found?.examples}`;
    if (!this.examples.has(key)) {
      const opened = new Examples(run, version).open();
      opened.catch(() => this.examples.delete(key));
      this.examples.set(key, opened);
    }
    return this.examples.get(key);
  }

  get hasMaps() {
    return Boolean(this.recording?.about.responses?.map);
  }

  // Which of the examples that maps were logged of.
  get example() {
    return this.hasMaps ? Math.min(this.state.example, this.recording.about.responses.map[0] - 1) : 0;
  }

  get isShowingMaps() {
    return this.lens === "maps";
  }

  get hasKernels() {
    return Boolean(this.recording?.about.kernels?.effective);
  }

  // What tiles show, as far as there is any.
  get lens() {
    const { lens } = this.state;
    const isThere = (lens === "maps" && this.hasMaps) || (lens === "kernels" && this.hasKernels);
    return isThere && !this.isComparing ? lens : "tiles";
  }

  // Height and width of what tiles show.
  get lensSize() {
    const { responses, kernels, tile } = this.recording.about;
    const [height, width] = { maps: responses?.map?.slice(1), kernels: kernels?.effective, tiles: tile }[this.lens];
    return { height, width };
  }

  // The maps on the chosen example, if they are in sight.
  async mapsOf(recording, { run, layer, lens, view, filter, example }) {
    const shape = recording.about.responses?.map;
    if (!shape || (filter === null && (lens !== "maps" || view === "compare"))) return null;
    await this.examplesOf(run);
    const which = Math.min(example, shape[0] - 1);
    return this.opened(this.maps, "maps", { run, layer, example: which }, recording);
  }

  // The kernels, likewise.
  async kernelsOf(recording, { run, layer, lens, view, filter }) {
    if (!recording.about.kernels?.effective || (filter === null && (lens !== "kernels" || view === "compare"))) return null;
    return this.opened(this.kernels, "kernels", { run, layer }, recording);
  }

  // The same again, unless it has grown.
  async opened(known, route, query, recording) {
    const key = JSON.stringify([route, query, recording.about.last_wall_time]);
    return known?.key === key ? known : Object.assign(await new Lens(route, query).open(), { key });
  }

  // What the grid shows of a filter.
  shownOf(filter) {
    const { recording, step, lens } = this;
    if (lens === "tiles") return recording.sharpTile(step, filter);
    return (lens === "maps" ? this.maps : this.kernels)?.find(step, recording.places.get(filter));
  }

  // What is compared with; that it cannot be shown is no reason not to show the rest.
  async reference(run, about) {
    if (!about) return { other: null, otherError: null };
    try {
      return { other: await this.record(run, about), otherError: null };
    } catch (error) {
      return { other: null, otherError: error.message };
    }
  }

  record(run, about) {
    return this.recordings.open(run, about, () => [this.recording, this.other]);
  }

  get isComparing() {
    return this.state.view === "compare";
  }

  get step() {
    return this.steps[this.index];
  }

  get otherRun() {
    return this.state.run2 ?? this.state.run;
  }

  get isOtherRun() {
    return this.otherRun !== this.state.run;
  }

  // Whether the reference can be at the same step as what is shown: of another run that counts the same.
  get canFollow() {
    return this.isOtherRun && this.other?.unit === this.recording.unit;
  }

  get otherIndex() {
    const steps = this.other?.steps ?? [];
    if (this.state.step2 !== undefined) return nearestIndex(this.state.step2, steps);
    if (this.canFollow) return nearestIndex(this.step, steps);
    return this.isOtherRun ? steps.length - 1 : 0;
  }

  get otherStep() {
    return this.other?.steps[this.otherIndex];
  }

  // Whether filters of one number are the same filter in both runs.
  get isOneTraining() {
    const [one, other] = [this.state.run, this.otherRun].map((name) => this.runs.find(({ run }) => run === name)?.training);
    return one === other;
  }

  get isSameTile() {
    return Boolean(this.other) && String(this.other.about.tile) === String(this.recording.about.tile);
  }

  get hasDifference() {
    return this.isComparing && this.isSameTile && this.isOneTraining;
  }

  // What one has to know of the two that are compared.
  get compareRemark() {
    if (!this.isComparing) return null;
    if (this.otherError) return this.otherError;
    if (!this.other) return `Run ${this.otherRun} has no layer at this place. Choose another reference.`;
    if (!this.isOneTraining) {
      return "No difference is shown: nothing says that these runs are of one training. "
        + "In another training, a filter of the same number may be a quite different one.";
    }
    if (!this.isSameTile) return "The tiles of these two layers differ in size or colour: they can be seen side by side only.";
    if (this.isOtherRun) return "These runs draw one training in two ways: what differs may be due to that.";
    return null;
  }

  nameIn(recording, step) {
    const name = nameOfStep(step, recording.unit);
    return this.isOtherRun ? `${recording.run}, ${name}` : capital(name);
  }

  get nowName() {
    return this.nameIn(this.recording, this.step);
  }

  get otherName() {
    return this.other ? this.nameIn(this.other, this.otherStep) : this.otherRun;
  }

  comparableRuns() {
    return this.runs.map(({ run }) => run).filter((run) => this.matching(run, this.recording.about));
  }

  // Marks are of pictures: maps and kernels have none.
  markOf(recording, at, filter) {
    const { stuck } = this.state;
    if (recording.isStuck(filter, at) && stuck === "hide") return { isHidden: true };
    if (this.lens !== "tiles") return {};
    if (recording.isStuck(filter, at)) {
      return { mark: "stuck", alpha: stuck === "dim" ? 0.25 : 1 };
    }
    return recording.isFlat(filter, at) ? { mark: "flat" } : {};
  }

  // A filter at this step, in a line: what everybody knows of it, and what is sorted by. In the reference, as it is there.
  describe(filter, isPointedAtThere = false) {
    const isReference = isPointedAtThere && this.isComparing && Boolean(this.other);
    const [recording, index] = isReference ? [this.other, this.otherIndex] : [this.recording, this.index];
    const told = new Set([recording.worth, recording.description("change"),
      sortedBy(recording, orderKey(recording, this.state.sort))].filter(Boolean));
    const words = [`Filter ${filter}`, ...(isReference ? [this.otherName] : []), ...[...told].map(({ name, label, unit }) =>
      `${label} ${shown(recording.value(name, index, filter), unit)}`)];
    words.push(formedWords(recording, filter, index));
    if (recording.isFlat(filter, index)) words.push("flat");
    const changed = this.stage.differenceOf(filter);
    if (changed) words.push(`differs by ${differenceWords(changed)}`);
    return words.filter(Boolean).join(" · ");
  }

  goToIndex(index) {
    const bounded = Math.min(this.steps.length - 1, Math.max(0, index));
    if (bounded === this.index) return;
    this.index = bounded;
    this.state.step = bounded === this.steps.length - 1 ? null : this.step;
    this.schedule();
    this.saveView();
    if (!this.timeline.playing) this.announceStep();
  }

  closeFilter() {
    if (this.state.filter === null) return;
    this.set({ filter: null });
    this.grid.root.focus();
  }

  arrived() {
    this.stage.forgetDifferences();
    this.schedule();
  }

  schedule() {
    if (this.scheduled) return;
    this.scheduled = requestAnimationFrame(() => {
      this.scheduled = null;
      this.update();
    });
  }

  // After the state has changed: everything.
  show() {
    this.order = orderOf(this.recording, orderKey(this.recording, this.state.sort));
    this.page.showWork(this);
    this.toolbar.update();
    this.stage.updateItems();
    this.timeline.updateCurves();
    this.layerPanel.updateCurves();
    if (this.state.filter !== null) this.filterPanel.updateFilter().catch((error) => this.fail(error));
    this.update();
    this.saveView();
  }

  // After a step: what depends on it.
  update() {
    if (!this.recording?.film) return;
    this.stage.update();
    this.timeline.update();
    if (this.state.filter === null) this.layerPanel.update();
    else this.filterPanel.update();
  }

  announceStep() {
    clearTimeout(this.announcing);
    this.announcing = setTimeout(() => this.announce(capital(nameOfStep(this.step, this.recording.about.unit))), 400);
  }

  // For those who do not see.
  announce(text) {
    this.page.announce(text);
  }

  // For all.
  say(text) {
    this.stage.hint.textContent = text;
    this.announce(text);
  }
}

