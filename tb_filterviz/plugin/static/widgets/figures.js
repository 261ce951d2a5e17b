// Statistics over the steps: a chart each, under its name and its value of now.

import { wordsFor } from "../words/format.js";
import { Chart } from "./chart.js";
import { element } from "./dom.js";

/**
 * @typedef {import("../data/recording.js").Recording} Recording
 * @typedef {import("../data/recording.js").Row} Row
 * @typedef {import("../state/state.js").StatisticAbout} StatisticAbout
 * @typedef {import("./chart.js").Curve} Curve
 *
 * @typedef {object} FigureOf what a figure shows
 * @property {string} title
 * @property {string} explanation
 * @property {string} label for those who do not see
 * @property {Curve[]} curves the last one is that whose value of now is told
 * @property {[number, number] | null} range of values; null for as far as they go
 * @property {StatisticAbout["unit"]} unit
 */

/**
 * Points of one value for every step, as far apart as the stops of the slider.
 *
 * @param {Row} values
 * @returns {Curve["points"]}
 */
export function spread(values) {
  const last = Math.max(1, values.length - 1);
  return values.map((value, at) => [at / last, value]);
}

/** The mean of those that are finite; null where none is. @param {Row} row */
function mean(row) {
  const finite = row.filter((value) => value !== null);
  return finite.length ? finite.reduce((sum, value) => sum + value, 0) / finite.length : null;
}

/** How many filters have a flag. @param {Row} row */
function count(row) {
  return row.filter((value) => value === 1).length;
}

/**
 * What a layer's values of a statistic come to at every step; null where there are none.
 *
 * @param {Recording} recording
 * @param {string} name
 * @param {(row: Row) => number | null} summary
 */
function summaries(recording, name, summary) {
  return recording.steps.map((_, at) => {
    const row = recording.row(name, at);
    return row ? summary(row) : null;
  });
}

/**
 * A layer's value of a statistic at every step: the mean over its filters, of a flag how many have it.
 *
 * @param {Recording} recording
 * @param {StatisticAbout} statistic
 */
export function ofLayer(recording, { name, unit }) {
  return summaries(recording, name, unit === "flag" ? count : mean);
}

/** The mean change of its filters at every step; null where there is none. @param {Recording} recording */
export function meanChange(recording) {
  return summaries(recording, "change", mean);
}

/** How many filters respond at every step; null where that is not known. @param {Recording} recording */
export function responsiveCounts(recording) {
  return summaries(recording, "responsive", count);
}

class Figure {
  /** @param {number} height @param {(place: number) => void} onGo */
  constructor(height, onGo) {
    this.chart = new Chart({ label: "", height, onGo });
    this.name = element("span", { class: "figure-name" });
    this.value = element("output", {});
    this.root = element("figure", { class: "figure" },
      element("figcaption", { class: "caption" }, this.name, this.value), this.chart.root);
  }

  /** @param {FigureOf} shown */
  set({ title, explanation, label, curves, range, unit }) {
    this.name.textContent = title;
    this.name.title = explanation;
    this.chart.label(label);
    this.chart.set(curves, { range, show: wordsFor(unit) });
  }

  /** @param {number} place from 0 to 1 @param {number} index of its step */
  at(place, index) {
    const value = this.chart.curves.at(-1)?.points[index]?.[1];
    this.value.textContent = value === null || value === undefined ? "" : this.chart.show(value);
    this.chart.at(place);
  }
}

/** As many figures as there are statistics to show. */
export class Figures {
  /** @param {{height: number, className?: string, onGo: (place: number) => void}} how `onGo` hears of clicks */
  constructor({ height, className = "figures", onGo }) {
    this.height = height;
    this.onGo = onGo;
    /** @type {Figure[]} */
    this.shown = [];
    this.root = element("div", { class: className });
  }

  /** @param {FigureOf[]} figures */
  set(figures) {
    while (this.shown.length < figures.length) this.shown.push(new Figure(this.height, this.onGo));
    this.shown.length = figures.length;
    const roots = this.shown.map(({ root }) => root);
    if (roots.length !== this.root.children.length) this.root.replaceChildren(...roots);
    this.root.hidden = !figures.length;
    this.shown.forEach((figure, at) => figure.set(figures[at]));
  }

  /** @param {number} place from 0 to 1 @param {number} index of its step */
  at(place, index) {
    for (const figure of this.shown) figure.at(place, index);
  }
}
