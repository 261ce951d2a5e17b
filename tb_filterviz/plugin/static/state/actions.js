// What can be done. Each makes a new state, out of what the server answers.

import { getJson } from "../data/api.js";
import { Examples } from "../data/examples.js";
import { Lens } from "../data/lens.js";
import { matchingOf } from "../data/matching.js";
import { openOverview } from "../data/overview.js";
import { Recordings } from "../data/recordings.js";
import { colourPatternOf, fetchRunNames, withNewRuns } from "../host/run_colours.js";
import { addressOf, readView, writeView } from "../host/tensorboard.js";
import { nearestIndex } from "../pictures/geometry.js";
import { capital, messageOf, nameOfStep } from "../words/format.js";
import { examplesFingerprint } from "../words/recipe.js";
import { Player } from "./player.js";
import { found } from "./found.js";
import { bestIndex, FRESH_S, hasKernels, hasLayer, hasMaps, isSameTraining, lastWallTime, layerLike, layersOf, shownFilters,
  shownView, stepOf } from "./selectors.js";
import { listRuns } from "./run_list.js";
import { changedIn, isElsewhere, START, viewOf } from "./view.js";

/**
 * @typedef {import("./state.js").About} About
 * @typedef {import("./state.js").Contender} Contender
 * @typedef {import("./state.js").Run} Run
 * @typedef {import("./state.js").State} State
 * @typedef {import("./view.js").View} View
 * @typedef {import("../data/api.js").Query} Query
 * @typedef {import("../data/matching.js").Matching} Matching
 * @typedef {import("../data/recording.js").Recording} Recording
 */

const MOST_RUNS = 24; // side by side
const SAVE_AFTER_MS = 200;
const ASK_AFTER_MS = 5000;
const SAY_AFTER_MS = 400; // what is announced faster than that, nobody hears

export class Actions {
  /** @param {import("./store.js").Store<State>} store */
  constructor(store) {
    this.store = store;
    this.recordings = new Recordings(() => this.arrived(), (error) => this.fail(error));
    /** @type {Map<string, Promise<Examples>>} */
    this.examples = new Map();
    this.player = new Player(store, (index) => this.goToIndex(index), () => this.announceStep());
    this.request = 0; // counts what was asked for
    /** @type {Partial<View>} what is not there yet */
    this.asked = {};
    /** @type {Promise<void>} how well trainings did: nothing but their order waits for it */
    this.results = Promise.resolve();
    this.isFollowing = false;
    this.hasFollowingFailed = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.saving = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.announcing = undefined;
    /** @type {View} */
    this.written = START;
    this.isAddressFollowed = true; // what was asked for came from the address, and adds no place to go back to
    /** @type {(text: string) => void} */
    this.announce = () => {};
  }

  get state() {
    return this.store.state;
  }

  async start() {
    const named = readView();
    this.store.update({ view: viewOf(named) });
    this.written = this.state.view;
    await this.reload();
    const { phase, view } = this.state;
    if (phase === "work" && shownView(this.state) === "grid" && view.step === null && !Object.keys(named).length) {
      this.player.showOnce();
    }
    setInterval(() => this.follow(), ASK_AFTER_MS);
  }

  /** @param {Record<string, string> | null} named what a changed address says; null if nothing */
  async followAddress(named) {
    if (!named) {
      this.saveView();
      return;
    }
    this.player.stop();
    this.isAddressFollowed = true;
    await this.set(viewOf(named));
  }

  saveView() {
    clearTimeout(this.saving);
    const isPlace = isElsewhere(this.state.view, this.written);
    const save = () => {
      const { view } = this.state;
      writeView(changedIn(view), isPlace && !this.isAddressFollowed);
      this.written = view;
      this.isAddressFollowed = false;
    };
    if (isPlace) save();
    else this.saving = setTimeout(save, SAVE_AFTER_MS);
  }

  /** From the server again: at the start, after TensorBoard's reload, on retry. */
  async reload() {
    try {
      this.results = this.readResults().catch(() => {}); // then runs are in the order of their names
      const { runs: listed, saved = null } = await getListing();
      const runs = listed.filter(({ layers }) => layers.length);
      const problems = listed.flatMap((run) => run.problems.map((problem) => `${run.run}: ${problem}`));
      this.store.update({ runs, problems, saved, warning: "" });
      this.readColours().catch(() => {}); // then runs have none
      if (!runs.length) {
        this.store.update({ phase: "empty" });
        return;
      }
      const before = this.state.recording;
      await this.set({}, { isQuiet: true });
      if (before && before === this.state.recording) { // a training may log an epoch's accuracy after its filters
        await before.readCurves();
        this.store.update({ readings: this.state.readings + 1 });
      }
    } catch (error) {
      this.fail(error);
    }
  }

  /** How well each training did. */
  async readResults() {
    this.store.update({ results: (await getJson("results")).runs });
  }

  /** What TensorBoard's colours of runs hang on. */
  async readColours() {
    const names = await fetchRunNames();
    this.store.update({ known: withNewRuns(this.state.known, names), colourPattern: colourPatternOf(addressOf().search) });
  }

  /** Of a training that goes on, what is new, without TensorBoard's reload. */
  async follow() {
    const { runs, phase, isBusy, isPlaying, warning, saved } = this.state;
    if (saved !== null) return;
    if (document.hidden || phase !== "work" || isBusy || isPlaying || !runs.length || this.isFollowing) return;
    if (this.hasFollowingFailed && warning) return; // nobody is there to be asked, until somebody tries again
    if (Date.now() / 1000 - Math.max(...runs.map(lastWallTime)) > FRESH_S) return;
    this.isFollowing = true;
    await this.reload(); // which says what goes wrong
    this.isFollowing = false;
    this.hasFollowingFailed = Boolean(this.state.warning);
  }

  /** Something went wrong: what has been loaded stays. @param {unknown} error */
  fail(error) {
    if (error instanceof Error && error.name === "AbortError") return;
    const text = messageOf(error);
    if (this.state.phase === "work") this.store.update({ warning: text, isBusy: false });
    else this.store.update({ phase: "error", error: text, isBusy: false });
  }

  /** Another run, at the same layer if it has it. @param {string} run */
  chooseRun(run) {
    const { recording, runs } = this.state;
    const about = recording ? layerLike(runs, run, recording.about) : undefined;
    this.set({ run, layer: about?.id ?? null, view: shownView(this.state) });
  }

  /** Another layer, as one layer. @param {string} layer */
  chooseLayer(layer) {
    const { view } = this.state;
    this.set({ layer, filter: null, view: view.view === "overview" ? "grid" : view.view });
  }

  /** The layer before or after. @param {number} by */
  moveToLayer(by) {
    const { runs, view } = this.state;
    const layers = layersOf(runs, view.run);
    const next = layers[layers.findIndex(({ id }) => id === view.layer) + by];
    if (next) this.chooseLayer(next.id);
  }

  /** The filter before or after. @param {number} by */
  moveToFilter(by) {
    const { state } = this;
    if (!hasLayer(state)) return;
    const order = shownFilters(state);
    const next = order[order.findIndex((filter) => filter === state.view.filter) + by];
    if (next !== undefined) this.set({ filter: next });
  }

  /** The large view, or else the filter. */
  closeFilter() {
    const { view } = this.state;
    if (view.large) this.set({ large: false });
    else if (view.filter !== null) this.set({ filter: null });
  }

  /** To maps or kernels, or from these back to the tiles. @param {"maps" | "kernels"} lens */
  switchLens(lens) {
    const { state } = this;
    const isThere = { maps: hasMaps(state), kernels: hasKernels(state) }[lens];
    const isShown = state.view.lens === lens && shownView(state) === "grid";
    if (isThere) this.set({ view: "grid", lens: isShown ? "tiles" : lens });
  }

  /** To a view, or from it back to the grid. @param {"overview" | "compare" | "runs"} name */
  switchView(name) {
    this.set({ view: shownView(this.state) === name ? "grid" : name });
  }

  /**
   * To another view. What was asked for and is not there yet is still asked for: nobody's click is lost to another one, nor
   * to a reload; of two that exclude each other, the later one counts.
   *
   * @param {Partial<View>} asked
   * @param {{isQuiet?: boolean}} [how]
   */
  async set(asked, { isQuiet = false } = {}) {
    this.request += 1;
    const { request } = this;
    const isAlone = !Object.keys(this.asked).length;
    this.asked = { ...this.asked, ...asked };
    this.store.update({ isBusy: true });
    try {
      await this.open(this.asked, request, isQuiet && isAlone);
    } catch (error) {
      if (this.request === request) this.fail(error);
    } finally {
      if (this.request === request) {
        this.asked = {};
        this.store.update({ isBusy: false });
      }
    }
  }

  /** @param {Partial<View>} asked @param {number} request @param {boolean} isQuiet */
  async open(asked, request, isQuiet) {
    const { runs } = this.state;
    const wanted = { ...this.state.view, ...asked };
    if (!runs.length) { // nothing has been logged yet: it is for when something is
      this.store.update({ view: wanted });
      return;
    }
    const { view, run, about, broken } = found(wanted, runs);
    if (!this.state.recording || !this.recordings.has(run.run, about.id)) {
      const pickers = { run: run.run, layer: about.id }; // what the pickers show if this fails
      if (this.state.phase !== "work") this.store.update({ phase: "loading", view: { ...this.state.view, ...pickers } });
    }
    const opened = await (view.view === "overview" ? this.openOverview(run) : this.openLayer(view, run.run, about));
    if (this.request !== request) return; // something else was asked for meanwhile
    if (!("step" in asked)) view.step = this.state.view.step; // one may have moved on meanwhile
    const recording = opened.recording ?? null;
    const steps = recording?.steps ?? [];
    const index = nearestIndex(view.step, steps);
    const isAsked = this.isAddressFollowed || ("step" in asked && !isQuiet);
    const isKnown = view.step === null || steps.includes(view.step) || !isAsked;
    if (!isKnown && recording) {
      broken.push(`Step ${view.step} is not here: this is ${nameOfStep(steps[index], recording.unit)}, the nearest.`);
    }
    if (recording && index === steps.length - 1) view.step = null; // the latest, whichever that will be
    this.store.update({ ...opened, view, index, phase: "work", warning: "",
      broken: isQuiet && this.state.phase === "work" ? this.state.broken : broken });
    this.saveView();
    if (view.view === "runs" && opened.recording) this.openContenders(opened.recording, request);
  }

  /** @param {Run} run @returns {Promise<Partial<State>>} */
  async openOverview(run) {
    const version = lastWallTime(run);
    const { overview, recording } = this.state;
    const isKnown = overview?.run === run.run && overview.version === version;
    return { overview: isKnown ? overview : await openOverview(run.run, version),
      recording: recording?.run === run.run ? recording : null }; // what is said of a layer is not of another run's
  }

  /** @param {View} view @param {string} run @param {About} about @returns {Promise<Partial<State>>} */
  async openLayer(view, run, about) {
    const recording = await this.record(run, about);
    const reference = view.run2 ?? run;
    const match = view.view === "compare" ? layerLike(this.state.runs, reference, about) : undefined;
    const { other, otherError } = await this.reference(reference, match);
    const isOther = other !== null && !isSameTraining({ ...this.state, view }, reference);
    const nothing = () => null; // what cannot be read of these is no reason not to show the rest
    const [maps, kernels, { matching, error }] = await Promise.all([this.mapsOf(recording, view).catch(nothing),
      this.kernelsOf(recording, view).catch(nothing),
      isOther ? this.matched(recording, other) : { matching: null, error: null }]);
    return { recording, other, otherError: otherError ?? error, matching, maps, kernels };
  }

  /**
   * How the filters of two trainings go together, or why that is not known.
   *
   * @param {Recording} recording
   * @param {Recording} other
   * @returns {Promise<{matching: Matching | null, error: string | null}>}
   */
  async matched(recording, other) {
    try {
      return { matching: await matchingOf(recording, other), error: null };
    } catch (error) {
      const why = messageOf(error);
      return { matching: null, error: `Filters of two trainings have to be matched, and these could not be: ${why}` };
    }
  }

  /**
   * What is compared with; that it cannot be shown is no reason not to show the rest.
   *
   * @param {string} run
   * @param {About | undefined} about
   * @returns {Promise<{other: Recording | null, otherError: string | null}>}
   */
  async reference(run, about) {
    if (!about) return { other: null, otherError: null };
    try {
      return { other: await this.record(run, about), otherError: null };
    } catch (error) {
      return { other: null, otherError: messageOf(error) };
    }
  }

  /** @param {string} run @param {About} about */
  record(run, about) {
    const { recording, other, contenders } = this.state;
    return this.recordings.open(run, about, [recording, other, ...contenders.map((one) => one.recording)]);
  }

  /**
   * The same layer of all other runs, best first, as they come; of the same layer, those that are there stay until then.
   *
   * @param {Recording} recording
   * @param {number} request
   */
  async openContenders(recording, request) {
    await this.results;
    const { runs, results, view } = this.state;
    const ordered = listRuns(runs.map(({ run }) => run), { order: "best", results }).rows.map(({ run }) => run);
    const shown = ordered.slice(0, MOST_RUNS);
    if (view.run !== null && !shown.includes(view.run)) shown[shown.length - 1] = view.run;
    const missing = ordered.length > shown.length ? [`The best ${shown.length} of ${ordered.length} runs are shown.`] : [];
    const before = this.state.contenders.some((one) => one.recording === recording) ? this.state.contenders : [];
    /** @type {Contender[]} */
    const contenders = [];
    for (const [at, run] of shown.entries()) {
      const about = layerLike(runs, run, recording.about);
      if (!about) {
        missing.push(`Run ${run} has no layer at this place.`);
        continue;
      }
      try {
        const own = run === view.run ? recording : await this.record(run, about);
        const isSame = isSameTraining(this.state, run);
        const { matching, error } = isSame ? { matching: null, error: null } : await this.matched(recording, own);
        if (this.request !== request) return;
        if (error) missing.push(`${run}: ${error}`);
        else contenders.push({ run, recording: own, matching });
      } catch (error) {
        missing.push(`${run}: ${messageOf(error)}`);
      }
      if (this.request !== request) return;
      const toCome = shown.slice(at + 1);
      this.store.update({ contenders: [...contenders, ...before.filter((one) => toCome.includes(one.run))],
        missing: [...missing] });
    }
  }

  /** The examples of a run. @param {string} run @returns {Promise<Examples>} */
  examplesOf(run) {
    const known = this.state.runs.find((one) => one.run === run);
    const version = examplesFingerprint(known?.recipe ?? null);
    const key = `${run}\n${version}\n${known?.examples}`;
    const opened = this.examples.get(key) ?? new Examples(run, version).open();
    opened.catch(() => this.examples.delete(key));
    this.examples.set(key, opened);
    return opened;
  }

  /** The maps on the chosen example, if they are in sight. @param {Recording} recording @param {View} view */
  async mapsOf(recording, { lens, view, filter, example }) {
    const shape = recording.about.responses?.map;
    if (!shape || (filter === null && (lens !== "maps" || view !== "grid"))) return null;
    await this.examplesOf(recording.run);
    const which = Math.min(example, shape[0] - 1);
    return this.lens(this.state.maps, "maps", { ...recording.where, example: which }, recording);
  }

  /** The kernels, likewise. @param {Recording} recording @param {View} view */
  async kernelsOf(recording, { lens, view, filter }) {
    if (!recording.about.kernels?.effective || (filter === null && (lens !== "kernels" || view !== "grid"))) return null;
    return this.lens(this.state.kernels, "kernels", recording.where, recording);
  }

  /**
   * The same again, unless it has grown.
   *
   * @param {Lens | null} known
   * @param {"maps" | "kernels"} route
   * @param {Query} query
   * @param {Recording} recording
   */
  async lens(known, route, query, recording) {
    const key = JSON.stringify([route, query, recording.about.last_wall_time]);
    return known?.key === key ? known : new Lens(route, query, key).open();
  }

  /** @param {number} index */
  goToIndex(index) {
    const { recording, view, isPlaying } = this.state;
    if (!recording) return;
    const last = recording.steps.length - 1;
    const bounded = Math.min(last, Math.max(0, index));
    if (bounded === this.state.index) return;
    this.store.update({ index: bounded, view: { ...view, step: bounded === last ? null : recording.steps[bounded] } });
    this.saveView();
    if (!isPlaying) this.announceStep();
  }

  /** As one who takes it in hand. @param {number} index */
  jump(index) {
    this.player.stop();
    this.goToIndex(index);
  }

  /** To the place on the way from the first step to the last, 0 to 1. @param {number} share */
  jumpToShare(share) {
    const { state } = this;
    if (hasLayer(state)) this.jump(Math.round(share * (state.recording.steps.length - 1)));
  }

  /** @param {number} step */
  jumpToStep(step) {
    const { recording } = this.state;
    if (recording) this.jump(recording.steps.indexOf(step));
  }

  goToBest() {
    const { state } = this;
    const best = hasLayer(state) ? bestIndex(state) : -1;
    if (best >= 0) this.jump(best);
  }

  arrived() {
    this.store.update({ arrivals: this.state.arrivals + 1 });
  }

  /** @param {{filter: number, isReference: boolean} | null} hovered */
  hover(hovered) {
    this.store.update({ hovered });
  }

  announceStep() {
    clearTimeout(this.announcing);
    this.announcing = setTimeout(() => {
      const { state } = this;
      if (hasLayer(state)) this.announce(capital(nameOfStep(stepOf(state), state.recording.unit)));
    }, SAY_AFTER_MS);
  }

  /** For all. @param {string} text */
  say(text) {
    this.store.update({ said: text });
    this.announce(text);
  }
}

/**
 * All runs, as the server lists them; of a page that was saved, when that was.
 *
 * @returns {Promise<{runs: Run[], saved?: string}>}
 */
async function getListing() {
  return getJson("layers");
}
