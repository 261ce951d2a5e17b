// A layer of a run: when it was logged, its statistics, its curves, its film.

import { getJson } from "./api.js";
import { getResponses } from "./examples.js";
import { Film, getReel, reduction } from "./film.js";

const STANDARD = ["gain", "score", "responsive", "flat", "change", "change_since_start"];

// Filters go by their numbers in the layer; a run may hold some of them only, in any order.
export class Recording {
  constructor(run, about, onArrival, onError) {
    this.run = run;
    this.where = { run, layer: about.id };
    this.steps = [];
    this.statistics = new Map();
    this.formation = null;
    this.curves = [];
    this.loggedSteps = 0;
    this.film = undefined;
    this.onArrival = onArrival;
    this.onError = onError;
    this.describe(about);
  }

  describe(about) {
    this.about = about;
    this.filters = about.indices ?? Array.from({ length: about.filters }, (_, filter) => filter);
    this.places = new Map(this.filters.map((filter, place) => [filter, place]));
  }

  async open() {
    await this.readStatistics();
    this.startFilm();
    return this;
  }

  async readStatistics() {
    const [answer] = await Promise.all([getJson("statistics", this.where), this.readCurves()]);
    this.steps = answer.steps;
    this.statistics = new Map(Object.entries(answer.statistics));
    this.formation = answer.formation;
    this.wallTimes = answer.wall_times;
  }

  async readCurves() {
    const answer = await getJson("curves", this.where);
    this.curves = answer.curves;
    this.loggedSteps = answer.logged_steps;
  }

  startFilm() {
    this.film?.close();
    this.film = new Film(this.where, this.about, this.steps.length, this.onArrival);
    this.watch(this.film.load());
  }

  watch(loading) {
    loading.catch((error) => {
      if (error.name !== "AbortError") this.onError(error);
    });
  }

  // After TensorBoard's reload: only what is new, unless a restarted training wrote steps again.
  async refresh(about) {
    if (about.last_step === this.about.last_step && about.last_wall_time === this.about.last_wall_time) return;
    const { steps, wallTimes } = this;
    this.describe(about);
    await this.readStatistics();
    const goesOn = steps.every((step, at) => step === this.steps[at] && wallTimes[at] === this.wallTimes[at]);
    const { film } = this;
    const fits = film.about.filters === about.filters && String(film.about.tile) === String(about.tile)
      && reduction(about, this.steps.length) === film.factor;
    if (goesOn && fits && film.waiting === 0) this.watch(film.extend(steps.at(-1) ?? -Infinity));
    else this.startFilm();
  }

  has(name) {
    return this.statistics.has(name);
  }

  // What the metadata says of the statistics that there are; standard ones come first.
  get descriptions() {
    return this.about.statistics.filter(({ name }) => this.has(name));
  }

  description(name) {
    return this.descriptions.find((one) => one.name === name);
  }

  // What says how much a picture is worth. Runs of before version 2 have only the score, in the unit of its layer.
  get worth() {
    return this.description("gain") ?? this.description("score");
  }

  // Those beside the standard ones.
  get others() {
    return this.descriptions.filter(({ name }) => !STANDARD.includes(name));
  }

  // Of these, those that are told by a number; what a filter serves most is told by its class.
  get shownOthers() {
    return this.others.filter(({ name }) => name !== "best_class");
  }

  // Those that could not be read.
  get unread() {
    return this.about.statistics.filter(({ name }) => !this.has(name));
  }

  // What its steps count.
  get unit() {
    return this.about.unit;
  }

  // Values of one statistic at one step, in the order of `filters`; undefined where it lacks the step.
  // The first step of a run has nothing before it to differ from.
  row(name, at) {
    if (name === "change" && at === 0) return undefined;
    return this.statistics.get(name)?.[at] ?? undefined;
  }

  // As `row`, of one filter; null is a number that is not finite.
  value(name, at, filter) {
    return this.row(name, at)?.[this.places.get(filter)];
  }

  // Values of one statistic for one filter over the steps, null where there is none.
  history(name, filter) {
    return this.steps.map((_, at) => this.value(name, at, filter) ?? null);
  }

  // The step since which a filter has been stuck, if it is so at this position.
  stuckFrom(filter, at) {
    const step = this.steps[at];
    return this.formed(filter).stuck.find(([first, last]) => first <= step && step <= last)?.[0];
  }

  isStuck(filter, at) {
    return this.stuckFrom(filter, at) !== undefined;
  }

  isFlat(filter, at) {
    return this.value("flat", at, filter) === 1;
  }

  // How a filter formed: {outcome, since, stuck}, see http_api.md.
  formed(filter) {
    const place = this.places.get(filter);
    const { outcome, since, stuck } = this.formation;
    return { outcome: outcome[place] ?? null, since: since[place] ?? null, stuck: stuck[place] ?? [] };
  }

  // Up to which change a picture counts as resting.
  get still() {
    return this.formation.still;
  }

  tile(step, filter) {
    return this.film.find(step, this.places.get(filter));
  }

  // As `tile`, in full size where that has been fetched.
  sharpTile(step, filter) {
    return this.film.findSharp(step, this.places.get(filter));
  }

  // What a filter answers to examples, at all steps.
  responses(filter) {
    const key = `${filter} ${this.about.last_wall_time}`;
    if (this.responsesKey !== key) {
      this.responsesKey = key;
      this.responsesKept = getResponses(this.where, this.places.get(filter));
      this.responsesKept.catch(() => { this.responsesKey = undefined; }); // so that it is tried again
    }
    return this.responsesKept;
  }

  reel(filter) {
    return getReel(this.where, this.places.get(filter));
  }

  close() {
    this.film?.close();
  }
}
