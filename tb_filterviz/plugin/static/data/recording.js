// A layer of a run: when it was logged, its statistics, its curves, its film.

import { getJson } from "./api.js";
import { getResponses } from "./examples.js";
import { Film, getReel, reduction } from "./film.js";

const STANDARD = ["gain", "score", "responsive", "flat", "change", "change_since_start"];

/**
 * @typedef {import("../state/state.js").About} About
 * @typedef {import("../state/state.js").StatisticAbout} StatisticAbout
 * @typedef {(number | null)[]} Row values of one statistic at one step, of all filters; null is a number that is not finite
 * @typedef {"settled" | "stuck" | "changing" | "unmoved" | null} Outcome
 * @typedef {{still: number, outcome: Outcome[], since: (number | null)[], stuck: [number, number][][]}} Formation
 * @typedef {{metric: string, of: string, run: string, tag: string, points: [number, number | null][]}} TrainingCurve
 */

/**
 * @typedef {object} StatisticsAnswer
 * @property {number[]} steps
 * @property {number[]} wall_times
 * @property {Record<string, (Row | null)[]>} statistics
 * @property {Formation} formation
 */

/**
 * How one filter formed: only of what is settled or stuck it is known since when.
 *
 * @typedef {{outcome: "settled" | "stuck", since: number} | {outcome: "changing", since: null}
 *   | {outcome: "unmoved", since: null} | {outcome: null, since: null}} Formed
 */

/** Filters go by their numbers in the layer; a run may hold some of them only, in any order. */
export class Recording {
  /** @param {string} run @param {About} about @param {() => void} onArrival @param {(error: unknown) => void} onError */
  constructor(run, about, onArrival, onError) {
    this.run = run;
    this.where = { run, layer: about.id };
    /** @type {number[]} */
    this.steps = [];
    /** @type {number[]} */
    this.wallTimes = [];
    /** @type {Map<string, (Row | null)[]>} */
    this.statistics = new Map();
    /** @type {Formation} */
    this.formation = { still: 0, outcome: [], since: [], stuck: [] };
    /** @type {TrainingCurve[]} */
    this.curves = [];
    this.loggedSteps = 0;
    this.version = 0; // counts what was read of it
    /** @type {{key: string, answer: Promise<import("./examples.js").Responses>} | undefined} */
    this.keptResponses = undefined;
    this.onArrival = onArrival;
    this.onError = onError;
    this.about = about;
    /** @type {number[]} */
    this.filters = [];
    /** @type {Map<number, number>} */
    this.places = new Map();
    this.describe(about);
    this.film = new Film(this.where, about, 0, onArrival);
  }

  /** @param {About} about */
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
    /** @type {[StatisticsAnswer, void]} */
    const [answer] = await Promise.all([getJson("statistics", this.where), this.readCurves()]);
    this.steps = answer.steps;
    this.statistics = new Map(Object.entries(answer.statistics));
    this.formation = answer.formation;
    this.wallTimes = answer.wall_times;
    this.version += 1;
  }

  async readCurves() {
    /** @type {{curves: TrainingCurve[], logged_steps: number}} */
    const answer = await getJson("curves", this.where);
    this.curves = answer.curves;
    this.loggedSteps = answer.logged_steps;
    this.version += 1;
  }

  startFilm() {
    this.film.close();
    this.film = new Film(this.where, this.about, this.steps.length, this.onArrival);
    this.watch(this.film.load());
  }

  /** @param {Promise<void>} loading */
  watch(loading) {
    loading.catch((error) => {
      if (error.name !== "AbortError") this.onError(error);
    });
  }

  /** After TensorBoard's reload: only what is new, unless a restarted training wrote steps again. @param {About} about */
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

  /** @param {string} name */
  has(name) {
    return this.statistics.has(name);
  }

  /** What the metadata says of the statistics that there are; standard ones come first. */
  get descriptions() {
    return this.about.statistics.filter(({ name }) => this.has(name));
  }

  /** @param {string} name @returns {StatisticAbout | undefined} */
  description(name) {
    return this.descriptions.find((one) => one.name === name);
  }

  /** What says how much a picture is worth. Runs of before version 2 have only the score, in the unit of its layer. */
  get worth() {
    return this.description("gain") ?? this.description("score");
  }

  /** Those beside the standard ones. */
  get others() {
    return this.descriptions.filter(({ name }) => !STANDARD.includes(name));
  }

  /** Of these, those that are told by a number; what a filter serves most is told by its class. */
  get shownOthers() {
    return this.others.filter(({ name }) => name !== "best_class");
  }

  /** Those that could not be read. */
  get unread() {
    return this.about.statistics.filter(({ name }) => !this.has(name));
  }

  /** What its steps count. */
  get unit() {
    return this.about.unit;
  }

  /**
   * Values of one statistic at one step, in the order of `filters`; undefined where it lacks the step. The first step of a
   * run has nothing before it to differ from.
   *
   * @param {string} name
   * @param {number} at
   * @returns {Row | undefined}
   */
  row(name, at) {
    if (name === "change" && at === 0) return undefined;
    return this.statistics.get(name)?.[at] ?? undefined;
  }

  /** As `row`, of one filter. @param {string} name @param {number} at @param {number} filter */
  value(name, at, filter) {
    return this.row(name, at)?.[this.places.get(filter) ?? -1];
  }

  /**
   * Filters of which a statistic has this value at one step; undefined where it lacks the step.
   *
   * @param {string} name
   * @param {number} at
   * @param {number} value
   */
  filtersWith(name, at, value) {
    const row = this.row(name, at);
    return row && this.filters.filter((_, place) => row[place] === value);
  }

  /**
   * Values of one statistic for one filter over the steps, null where there is none.
   *
   * @param {string} name
   * @param {number} filter
   */
  history(name, filter) {
    return this.steps.map((_, at) => this.value(name, at, filter) ?? null);
  }

  /** The step since which a filter is stuck that is so at this position. @param {number} filter @param {number} at */
  stuckFrom(filter, at) {
    const step = this.steps[at];
    const spans = this.formation.stuck[this.places.get(filter) ?? -1] ?? [];
    return spans.find(([first, last]) => first <= step && step <= last)?.[0];
  }

  /** @param {number} filter @param {number} at */
  isStuck(filter, at) {
    return this.stuckFrom(filter, at) !== undefined;
  }

  /** @param {number} filter @param {number} at */
  isFlat(filter, at) {
    return this.value("flat", at, filter) === 1;
  }

  /** How a filter formed, see http_api.md. @param {number} filter */
  formed(filter) {
    const place = this.places.get(filter) ?? -1;
    const { outcome, since } = this.formation;
    return /** @type {Formed} */ ({ outcome: outcome[place] ?? null, since: since[place] ?? null });
  }

  /** Up to which change a picture counts as resting. */
  get still() {
    return this.formation.still;
  }

  /** @param {number} step @param {number} filter */
  tile(step, filter) {
    return this.film.find(step, this.places.get(filter));
  }

  /** As `tile`, in full size where that has been fetched. @param {number} step @param {number} filter */
  sharpTile(step, filter) {
    return this.film.findSharp(step, this.places.get(filter));
  }

  /** What a filter answers to examples, at all steps. @param {number} filter */
  responses(filter) {
    const key = `${filter} ${this.about.last_wall_time}`;
    if (this.keptResponses?.key === key) return this.keptResponses.answer;
    const answer = getResponses(this.where, this.places.get(filter) ?? -1);
    answer.catch(() => { this.keptResponses = undefined; }); // so that it is tried again
    this.keptResponses = { key, answer };
    return answer;
  }

  /** One filter at all steps, in full size. @param {number} filter */
  reel(filter) {
    return getReel(this.where, this.places.get(filter) ?? -1);
  }

  close() {
    this.film.close();
  }
}
