// At the side: the layer as a whole.

import { element } from "../widgets/dom.js";
import { Figures, ofLayer, spread } from "../widgets/figures.js";
import { capital, nameOfStep, number, percent, plural } from "../words/format.js";

const MOST_CHIPS = 24;

export class LayerPanel {
  constructor(app) {
    this.app = app;
    const onGo = (place) => app.timeline.goTo(place);
    this.usual = new Figures({ height: 46, onGo });
    this.others = new Figures({ height: 30, className: "pair", onGo });
    this.title = element("h2", {});
    this.about = element("p", { class: "quiet" });
    this.recipe = element("button", { type: "button", class: "button small", title: "How it was drawn (i)",
      on: { click: () => app.showRecipe() } }, "How it was drawn");
    this.count = element("strong", { class: "big" });
    this.countOf = element("span", { class: "quiet" });
    this.headline = element("p", { class: "headline" }, this.count, this.countOf);
    this.stuck = element("div", { class: "chips" });
    this.alarms = element("div", { class: "chips" });
    this.root = element("div", { class: "panel-inside" },
      element("header", { class: "panel-head" }, element("div", { class: "panel-title" }, this.title), this.recipe),
      this.about, this.headline, this.stuck, this.alarms, this.usual.root, this.others.root,
      element("p", { class: "quiet hint" }, "Choose a filter to see how it formed."));
  }

  updateCurves() {
    const { app } = this;
    const { recording } = app;
    const { about } = recording;
    const [height, width] = about.tile;
    this.title.textContent = about.name;
    this.about.textContent = `Each tile is the input that maximizes ${about.description}`
      + `${about.receptive_field ? ", cut to its receptive field" : ""}: `
      + `${plural(about.filters, about.indices ? "chosen filter" : "filter")}, ${width} × ${height} px, ${about.channels}.`;
    this.recipe.hidden = !app.recipe;
    const usual = [recording.description("responsive"), recording.description("change"), recording.worth];
    this.usual.set(usual.filter(Boolean).map((one) => this.figure(one)));
    this.others.set(recording.shownOthers.map((one) => ({ ...this.figure(one), title: capital(one.label) })));
  }

  figure(statistic) {
    const { label, description, unit } = statistic;
    const { recording } = this.app;
    const isFlag = unit === "flag";
    const title = isFlag ? `${capital(label)} filters` : `${capital(label)}, mean`;
    return { title, explanation: `${title}: ${description}`, label: `${title}, over time`,
      curves: [{ tone: "tone-own", points: spread(ofLayer(recording, statistic)) }],
      range: isFlag ? [0, recording.about.filters] : null, show: unit === "share" ? percent : number };
  }

  update() {
    const { index, recording, steps } = this.app;
    this.updateStuck();
    this.updateAlarms();
    const place = steps.length > 1 ? index / (steps.length - 1) : 0;
    this.usual.at(place, index);
    this.others.at(place, index);
  }

  updateStuck() {
    const { index, recording, steps } = this.app;
    const responsive = recording.row("responsive", index);
    this.headline.hidden = !responsive;
    const stuck = recording.filters.filter((filter) => recording.isStuck(filter, index));
    const all = recording.about.filters;
    const when = nameOfStep(steps[index], recording.about.unit);
    this.count.textContent = String(all - stuck.length);
    this.countOf.textContent = ` of ${all} ${recording.description("responsive")?.label} `
      + `${when === "before training" ? when : `at ${when}`}`;
    const bySince = new Map();
    for (const filter of stuck) {
      const since = recording.stuckFrom(filter, index);
      bySince.set(since, [...(bySince.get(since) ?? []), filter]);
    }
    const key = [...bySince].join();
    if (key === this.stuckKey) return;
    this.stuckKey = key;
    let room = MOST_CHIPS;
    const chips = [...bySince].sort(([one], [other]) => one - other).flatMap(([since, filters]) => {
      const words = `stuck since ${nameOfStep(since, recording.unit)}`;
      const shown = filters.slice(0, room);
      room -= shown.length;
      return shown.length ? [element("span", { class: "quiet" }, `${capital(words)}:`),
        ...shown.map((filter) => this.chip(filter, words))] : [];
    });
    const more = stuck.length > MOST_CHIPS ? [element("span", { class: "quiet" }, `and ${stuck.length - MOST_CHIPS} more`)] : [];
    this.stuck.replaceChildren(...chips, ...more);
  }

  // What examples tell: filters that none of them switches on, and those that are never off.
  updateAlarms() {
    const { index, recording } = this.app;
    const [excited, on] = ["excited", "on"].map((name) => recording.row(name, index));
    const of = (row, value) => (row ? recording.filters.filter((_, place) => row[place] === value) : []);
    const found = [["Dead, on no example on", of(excited, 0)], ["Always on", of(on, 1)]];
    const key = JSON.stringify(found);
    if (key === this.alarmsKey) return;
    this.alarmsKey = key;
    this.alarms.hidden = found.every(([, filters]) => !filters.length);
    this.alarms.replaceChildren(...found.flatMap(([words, filters]) => (filters.length ? [
      element("span", { class: "quiet" }, `${words}:`),
      ...filters.slice(0, MOST_CHIPS).map((filter) => this.chip(filter, words.toLowerCase())),
      ...(filters.length > MOST_CHIPS ? [element("span", { class: "quiet" }, `and ${filters.length - MOST_CHIPS} more`)] : []),
    ] : [])));
  }

  chip(filter, words) {
    return element("button", { type: "button", class: "chip", "aria-label": `Filter ${filter}, ${words}`,
      on: { click: () => this.app.set({ filter }) } }, String(filter));
  }
}
