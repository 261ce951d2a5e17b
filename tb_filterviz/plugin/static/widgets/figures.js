// Statistics over the steps: a chart each, under its name and its value of now.

import { Chart } from "./chart.js";
import { element } from "./dom.js";

// Points of one value for every step, as far apart as the stops of the slider.
export function spread(values) {
  const last = Math.max(1, values.length - 1);
  return values.map((value, at) => [at / last, value]);
}

function mean(row) {
  const finite = row.filter((value) => value !== null);
  return finite.length ? finite.reduce((sum, value) => sum + value, 0) / finite.length : null;
}

// A layer's value of a statistic at every step: the mean over its filters, of a flag how many have it.
export function ofLayer(recording, { name, unit }) {
  const summary = unit === "flag" ? (row) => row.filter((value) => value === 1).length : mean;
  return recording.steps.map((_, at) => {
    const row = recording.row(name, at);
    return row ? summary(row) : null;
  });
}

/** The mean change of its filters at every step; null where there is none. @param {import("../data/recording.js").Recording} recording */
export function meanChange(recording) {
  return recording.steps.map((_, at) => mean(recording.row("change", at) ?? []));
}

/** How many filters respond at every step; null where that is not known. @param {import("../data/recording.js").Recording} recording */
export function responsiveCounts(recording) {
  return recording.steps.map((_, at) => recording.row("responsive", at)?.filter((value) => value === 1).length ?? null);
}

class Figure {
  constructor(height, onGo) {
    this.chart = new Chart({ label: "", height, onGo });
    this.name = element("span", { class: "figure-name" });
    this.value = element("output", {});
    this.root = element("figure", { class: "figure" },
      element("figcaption", { class: "caption" }, this.name, this.value), this.chart.root);
  }

  set({ title, explanation, label, curves, range = null, show }) {
    this.name.textContent = title;
    this.name.title = explanation;
    this.chart.label(label);
    this.chart.set(curves, { range, show });
    this.show = show;
  }

  at(place, index) {
    const value = this.chart.curves.at(-1)?.points[index]?.[1];
    this.value.textContent = value === null || value === undefined ? "" : this.show(value);
    this.chart.at(place);
  }
}

// As many figures as there are statistics to show.
export class Figures {
  constructor({ height, className = "figures", onGo }) {
    this.height = height;
    this.onGo = onGo;
    this.shown = [];
    this.root = element("div", { class: className });
  }

  // `described`: of each figure {title, explanation, label, curves, range, show}; the last curve is the one of now.
  set(described) {
    while (this.shown.length < described.length) this.shown.push(new Figure(this.height, this.onGo));
    this.shown.length = described.length;
    const roots = this.shown.map(({ root }) => root);
    if (roots.length !== this.root.children.length) this.root.replaceChildren(...roots);
    this.root.hidden = !described.length;
    this.shown.forEach((figure, at) => figure.set(described[at]));
  }

  at(place, index) {
    for (const figure of this.shown) figure.at(place, index);
  }
}
