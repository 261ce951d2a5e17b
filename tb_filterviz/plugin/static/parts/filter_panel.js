// At the side: one filter, and how it formed.

import { Card } from "./card.js";
import { element, iconButton } from "../widgets/dom.js";
import { drawAlone } from "../pictures/draw.js";
import { Figures, spread } from "../widgets/figures.js";
import { formedFact, stuckSince } from "../words/formation.js";
import { capital, differenceWords, nameOfStep, number, percent, shown } from "../words/format.js";
import { placeOf } from "../pictures/geometry.js";
import { TileGrid } from "../widgets/grid.js";
import { rankOf } from "../state/ordering.js";

export class FilterPanel {
  constructor(app) {
    this.app = app;
    this.title = element("h2", { tabindex: "-1" });
    this.badges = element("span", { class: "badges" });
    this.map = element("canvas", { class: "map", role: "img" });
    this.place = element("p", { class: "quiet" });
    this.pictures = ["", "", ""].map(() => {
      const canvas = element("canvas", { role: "img" });
      const caption = element("figcaption", {});
      return { canvas, caption, root: element("figure", { class: "picture" }, canvas, caption) };
    });
    this.card = new Card(app);
    this.facts = element("dl", { class: "facts" });
    const onGo = (place) => app.timeline.goTo(place);
    this.usual = new Figures({ height: 38, className: "pair", onGo });
    this.others = new Figures({ height: 30, className: "pair", onGo });
    this.strip = new TileGrid({ label: "Filmstrip", className: "strip",
      pictureOf: (step) => this.pictureAt(step),
      nameOf: (step) => capital(nameOfStep(step, app.recording.about.unit)),
      onPick: (step) => { app.timeline.stop(); app.set({ step }); },
      onHover: (step) => { this.stripHint.textContent = step === null ? "" : capital(nameOfStep(step, app.recording.about.unit)); } });
    this.strip.fixedPx = 44;
    this.stripHint = element("span", { class: "quiet" });
    this.root = element("div", { class: "panel-inside" },
      element("header", { class: "panel-head" },
        element("div", { class: "panel-title" },
          element("div", { class: "title-line" }, this.title, this.badges), this.place),
        this.map,
        iconButton("close", "Close", "Escape", () => app.closeFilter())),
      element("div", { class: "pictures" }, this.pictures.map(({ root }) => root)),
      this.card.root, this.facts, this.usual.root,
      element("figure", { class: "figure strip-figure" },
        element("figcaption", {}, "Filmstrip ", this.stripHint), this.strip.root),
      this.others.root);
  }

  pictureAt(step) {
    const { recording, state } = this.app;
    return this.reel?.find(step, recording.places.get(state.filter)) ?? recording.tile(step, state.filter);
  }

  get usualStatistics() {
    const { recording } = this.app;
    return [recording.worth, recording.description("change")].filter(Boolean);
  }

  // When the filter, the layer or its length changes.
  async updateFilter() {
    const { recording, state } = this.app;
    const { filter } = state;
    const [height, width] = recording.about.tile;
    this.reel = undefined;
    this.title.textContent = `Filter ${filter}`;
    this.usual.set(this.usualStatistics.map((statistic) => this.figure(statistic)));
    this.others.set(recording.shownOthers.map((statistic) => this.figure(statistic)));
    this.strip.fixedPx = Math.max(44, Math.min(64, width));
    this.strip.label(`Filmstrip of filter ${filter}: its picture at every ${recording.about.unit}`);
    this.strip.set(recording.steps, { width, height });
    this.drawMap();
    this.card.updateFilter();
    if (recording.film.factor > 1) {
      const reel = await recording.reel(filter);
      if (this.app.state.filter !== filter || this.app.recording !== recording) return;
      this.reel = reel;
      this.app.schedule();
    }
  }

  figure({ name, label, description, unit }) {
    const { recording, state, other } = this.app;
    const curves = [{ tone: "tone-own", points: spread(recording.history(name, state.filter)) }];
    if (this.hasOther && other.has(name)) {
      curves.unshift({ tone: "tone-quiet",
        points: other.history(name, state.filter).map((value, at) => [placeOf(other.steps[at], recording.steps), value]) });
    }
    return { title: capital(label), explanation: description, label: `${capital(label)} over time`, curves,
      range: unit === "flag" ? [0, 1] : null, show: unit === "share" ? percent : number };
  }

  // Whether the other run has the same filter, at steps that count the same.
  get hasOther() {
    const { recording, other, isComparing, isOneTraining } = this.app;
    return isComparing && isOneTraining && Boolean(other) && other !== recording && other.unit === recording.unit;
  }

  drawMap() {
    const { order, state, grid } = this.app;
    const columns = Math.max(1, grid.columns ?? 1);
    const rows = Math.ceil(order.length / columns);
    const cell = Math.max(2, Math.min(8, Math.floor(96 / columns), Math.floor(56 / rows)));
    this.map.width = columns * cell;
    this.map.height = rows * cell;
    const context = this.map.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    order.forEach((filter, at) => {
      context.fillStyle = style.getPropertyValue(filter === state.filter ? "--accent" : "--line");
      context.fillRect((at % columns) * cell, Math.floor(at / columns) * cell, cell - 1, cell - 1);
    });
    const at = order.indexOf(state.filter);
    const where = `row ${Math.floor(at / columns) + 1}, column ${(at % columns) + 1}`;
    this.map.setAttribute("aria-label", `Its place: ${where} of the grid`);
    this.place.textContent = `Convolution ${this.app.recording.about.position + 1} of the model; ${where} of the grid`;
  }

  update() {
    const { recording, index, steps, state, isComparing } = this.app;
    const { filter } = state;
    const badge = recording.isStuck(filter, index) ? stuckSince(recording, filter, index)
      : recording.isFlat(filter, index) ? "flat" : "";
    this.badges.textContent = badge;
    this.badges.hidden = !badge;
    if (isComparing) this.showComparison();
    else this.showNeighbours();
    this.showFacts();
    this.card.update();
    this.strip.select(steps[index]);
    this.strip.reveal(index);
    this.strip.draw();
    const place = steps.length > 1 ? index / (steps.length - 1) : 0;
    this.usual.at(place);
    this.others.at(place);
  }

  show(slot, picture, caption, isCurrent) {
    const { canvas, caption: text, root } = this.pictures[slot];
    drawAlone(canvas, picture, canvas.parentElement.clientWidth || 104);
    canvas.setAttribute("aria-label", `Filter ${this.app.state.filter}, ${caption}`);
    text.textContent = caption;
    root.classList.toggle("current", isCurrent);
  }

  showNeighbours() {
    const { index, steps, recording } = this.app;
    [index - 1, index, index + 1].forEach((at, slot) => {
      const step = steps[at];
      const caption = step === undefined ? "–" : capital(nameOfStep(step, recording.about.unit));
      this.show(slot, step === undefined ? undefined : this.pictureAt(step), caption, slot === 1);
    });
  }

  showComparison() {
    const { app } = this;
    const changed = app.stage.differenceOf(app.state.filter);
    this.show(0, app.other?.sharpTile(app.otherStep, app.state.filter), app.otherName, false);
    this.show(1, this.pictureAt(app.steps[app.index]), app.nowName, true);
    this.show(2, changed, changed ? `Difference ${differenceWords(changed)}` : "No difference to show", false);
  }

  showFacts() {
    const told = (statistics) => statistics.map((statistic) => this.fact(statistic));
    const { recording, state } = this.app;
    const formed = formedFact(recording, state.filter);
    const facts = [...told(this.usualStatistics), formed, ...told(recording.shownOthers)].filter(Boolean);
    this.facts.replaceChildren(...facts.map(({ name, explanation, value, more }) => element("div", {},
      element("dt", { title: explanation }, name), element("dd", {}, value), element("dd", { class: "quiet" }, more))));
  }

  fact({ name, label, description, unit, sort }) {
    const { recording, index, state } = this.app;
    const value = recording.value(name, index, state.filter);
    const row = recording.row(name, index) ?? [];
    const rank = rankOf(row, value, sort);
    let more = rank === null ? "" : `rank ${rank + 1} of ${row.length}`;
    if (name === "change" && index > 0 && recording.has("change_since_start")) {
      more = `${percent(recording.value("change_since_start", index, state.filter))} since start`;
    }
    return { name: capital(label), explanation: description, value: shown(value, unit), more };
  }
}
