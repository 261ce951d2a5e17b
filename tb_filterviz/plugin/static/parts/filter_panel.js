// At the side: one filter, and how it formed.

import { Differences } from "../pictures/differences.js";
import { drawAlone, drawMark } from "../pictures/draw.js";
import { placeOf } from "../pictures/geometry.js";
import { counterpart, isComparing, isOneTraining, markOf, nowName, otherIndex, otherName, otherPictureOf, otherStep, pairWords,
  shownFilters, stepOf } from "../state/selectors.js";
import { rankOf } from "../state/ordering.js";
import { changes } from "../state/store.js";
import { element, iconButton, setText } from "../widgets/dom.js";
import { Figures, spread } from "../widgets/figures.js";
import { TileGrid } from "../widgets/grid.js";
import { formedFact, stuckSince } from "../words/formation.js";
import { capital, differenceWords, nameOfStep, number, percent, shown } from "../words/format.js";
import { Card } from "./card.js";

const SMALL_PX = 72;
const LEAST_PX = 176;

/** @typedef {import("../state/state.js").State} State */

export class FilterPanel {
  /** @param {import("../state/actions.js").Actions} actions @param {TileGrid} grid whose filter it is */
  constructor(actions, grid) {
    this.actions = actions;
    this.grid = grid;
    this.differences = new Differences();
    this.title = element("h2", { tabindex: "-1" });
    this.badges = element("span", { class: "badges" });
    this.map = element("canvas", { class: "map", role: "img" });
    this.place = element("p", { class: "quiet" });
    this.main = this.slot("main-picture", () => actions.set({ large: true }), "Enlarge");
    this.sides = [-1, 1].map((by) => this.slot("picture", () => actions.jump(actions.state.index + by), ""));
    this.card = new Card(actions);
    this.facts = element("dl", { class: "facts" });
    const onGo = (/** @type {number} */ place) => actions.jump(Math.round(place * (actions.state.recording.steps.length - 1)));
    this.usual = new Figures({ height: 38, className: "pair", onGo });
    this.others = new Figures({ height: 30, className: "pair", onGo });
    const named = (/** @type {number} */ step) => capital(nameOfStep(step, actions.state.recording.unit));
    this.strip = new TileGrid({ label: "Filmstrip", className: "strip", pictureOf: (step) => this.pictureAt(actions.state, step),
      nameOf: named, onPick: (step) => actions.jump(actions.state.recording.steps.indexOf(step)),
      onHover: (step) => setText(this.stripHint, step === null ? "" : named(step)) });
    this.strip.fixedPx = 44;
    this.stripHint = element("span", { class: "quiet" });
    this.root = element("div", { class: "panel-inside" },
      element("header", { class: "panel-head" },
        element("div", { class: "panel-title" },
          element("div", { class: "title-line" }, this.title, this.badges)),
        this.map,
        iconButton("large", "Large view", "Enter", () => actions.set({ large: true })),
        iconButton("close", "Close", "Escape", () => actions.closeFilter())),
      this.place,
      element("div", { class: "pictures" }, this.main.root, element("div", { class: "side-pictures" }, this.sides.map(({ root }) => root))),
      this.card.root, this.facts, this.usual.root,
      element("figure", { class: "figure strip-figure" },
        element("figcaption", {}, "Filmstrip ", this.stripHint), this.strip.root),
      this.others.root);
    this.isOtherFilter = changes();
    this.isOtherMoment = changes();
    this.isOtherStrip = changes();
    this.isOtherPlace = changes();
    /** @type {{root: HTMLElement, name: HTMLElement, value: HTMLElement, more: HTMLElement}[]} */
    this.factRows = [];
    /** @type {{find: (step: number, place: number) => import("../pictures/draw.js").Picture | undefined} | undefined} */
    this.reel = undefined;
  }

  /** @param {string} name @param {() => void} onClick @param {string} title */
  slot(name, onClick, title) {
    const canvas = element("canvas", { role: "img" });
    const caption = element("figcaption", {});
    return { canvas, caption, root: element("figure", { class: name, title, on: { click: onClick, dblclick: () =>
      this.actions.set({ large: true }) } }, canvas, caption) };
  }

  /** @param {State} state @param {number} step */
  pictureAt({ recording, view }, step) {
    return this.reel?.find(step, recording.places.get(view.filter)) ?? recording.tile(step, view.filter);
  }

  /** @param {State} state */
  render(state) {
    const { recording, view, other } = state;
    if (this.isOtherFilter(recording, recording.version, view.filter, isComparing(state) && other, state.matching)) this.showFilter(state);
    if (this.isOtherPlace(recording, view.filter, view.sort, view.stuck, this.grid.columns, state.isDark)) this.drawMap(state);
    this.card.render(state);
    if (this.isOtherStrip(recording, recording.version, view.filter, state.arrivals, this.reel, state.isDark)) this.strip.draw();
    const width = this.root.clientWidth;
    if (!this.isOtherMoment(recording, recording.version, view, state.index, state.arrivals, other, state.matching, this.reel, width,
      this.grid.shown.width, state.isDark)) return;
    this.showStep(state);
  }

  // When the filter, the layer or its length changes.
  /** @param {State} state */
  showFilter(state) {
    const { recording, view } = state;
    const [height, width] = recording.about.tile;
    this.reel = undefined;
    setText(this.title, `Filter ${view.filter}`);
    this.usual.set(usualStatistics(recording).map((statistic) => this.figure(state, statistic)));
    this.others.set(recording.shownOthers.map((statistic) => this.figure(state, statistic)));
    this.strip.fixedPx = Math.max(44, Math.min(64, width));
    this.strip.label(`Filmstrip of filter ${view.filter}: its picture at every ${recording.unit}`);
    this.strip.set(recording.steps, { width, height });
    if (recording.film.factor > 1) this.fetchReel(recording, view.filter);
  }

  /** @param {import("../data/recording.js").Recording} recording @param {number} filter */
  async fetchReel(recording, filter) {
    try {
      const reel = await recording.reel(filter);
      const { state } = this.actions;
      if (state.view.filter !== filter || state.recording !== recording) return;
      this.reel = reel;
      this.actions.arrived();
    } catch (error) {
      this.actions.fail(error);
    }
  }

  /** @param {State} state @param {import("../state/state.js").StatisticAbout} statistic */
  figure(state, { name, label, description, unit }) {
    const { recording, view, other } = state;
    /** @type {import("../widgets/chart.js").Curve[]} */
    const curves = [{ tone: "tone-own", points: spread(recording.history(name, view.filter)) }];
    const theirs = isComparing(state) && other && other !== recording && other.unit === recording.unit
      ? counterpart(state, view.filter) : undefined;
    if (theirs !== undefined && other.has(name)) {
      curves.unshift({ tone: "tone-quiet",
        points: other.history(name, theirs).map((value, at) => [placeOf(other.steps[at], recording.steps), value]) });
    }
    return { title: capital(label), explanation: description, label: `${capital(label)} over time`, curves,
      range: /** @type {[number, number] | null} */ (unit === "flag" ? [0, 1] : null), show: unit === "share" ? percent : number };
  }

  /** @param {State} state */
  drawMap(state) {
    const { recording, view } = state;
    const order = shownFilters(state);
    const columns = Math.max(1, this.grid.columns);
    const rows = Math.ceil(order.length / columns);
    const cell = Math.max(2, Math.min(8, Math.floor(96 / columns), Math.floor(56 / rows)));
    this.map.width = columns * cell;
    this.map.height = Math.max(1, rows * cell);
    const context = this.map.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    order.forEach((filter, at) => {
      context.fillStyle = style.getPropertyValue(filter === view.filter ? "--accent" : "--line");
      context.fillRect((at % columns) * cell, Math.floor(at / columns) * cell, cell - 1, cell - 1);
    });
    const at = order.indexOf(view.filter);
    const where = at < 0 ? "not in the grid, where stuck ones are hidden"
      : `row ${Math.floor(at / columns) + 1}, column ${(at % columns) + 1} of the grid`;
    this.map.setAttribute("aria-label", `Its place: ${where}`);
    setText(this.place, `${recording.about.name}, filter ${view.filter} (counted from 0); ${where}`);
  }

  /** @param {State} state */
  showStep(state) {
    const { recording, index, view } = state;
    const { filter } = view;
    const badge = recording.isStuck(filter, index) ? stuckSince(recording, filter, index)
      : recording.isFlat(filter, index) ? "flat" : "";
    setText(this.badges, badge);
    this.badges.hidden = !badge;
    if (isComparing(state)) this.showComparison(state);
    else this.showNeighbours(state);
    this.showFacts(state);
    this.strip.select(recording.steps[index]);
    this.strip.reveal(index);
    const place = recording.steps.length > 1 ? index / (recording.steps.length - 1) : 0;
    this.usual.at(place, index);
    this.others.at(place, index);
  }

  // At least as large as in the grid.
  get mainPx() {
    const room = (this.root.clientWidth || 372) - 32 - SMALL_PX - 16;
    return Math.max(SMALL_PX, Math.min(Math.max(LEAST_PX, Math.ceil(this.grid.shown.width), Math.ceil(this.grid.shown.height)), room));
  }

  /**
   * @param {{canvas: HTMLCanvasElement, caption: HTMLElement, root: HTMLElement}} slot
   * @param {import("../pictures/draw.js").Picture | undefined} picture
   * @param {string} caption
   * @param {number} boxPx
   * @param {{mark?: "stuck" | "flat"}} [mark]
   */
  show({ canvas, caption: text, root }, picture, caption, boxPx, { mark } = {}) {
    const box = drawAlone(canvas, picture, boxPx);
    if (mark && picture) drawMark(canvas.getContext("2d"), mark, box.x, box.y, box.width, box.height);
    canvas.setAttribute("aria-label", `Filter ${this.actions.state.view.filter}, ${caption}`);
    setText(text, caption);
    root.style.width = `${boxPx}px`;
    root.hidden = !picture && !caption;
  }

  /** @param {State} state */
  showNeighbours(state) {
    const { index, recording, view } = state;
    const { steps, unit } = recording;
    const nameAt = (/** @type {number} */ at) => capital(nameOfStep(steps[at], unit));
    this.show(this.main, this.pictureAt(state, steps[index]), nameAt(index), this.mainPx, markOf(state, recording, index, view.filter));
    [index - 1, index + 1].forEach((at, slot) => {
      const isThere = steps[at] !== undefined;
      this.show(this.sides[slot], isThere ? this.pictureAt(state, steps[at]) : undefined, isThere ? nameAt(at) : "", SMALL_PX);
      this.sides[slot].root.title = isThere ? `To ${nameOfStep(steps[at], unit)}` : "";
    });
  }

  /** @param {State} state */
  showComparison(state) {
    const { recording, other, index, view } = state;
    const changed = this.differences.of(state, view.filter);
    const theirs = counterpart(state, view.filter);
    this.show(this.main, this.pictureAt(state, stepOf(state)), nowName(state), this.mainPx, markOf(state, recording, index, view.filter));
    const said = state.matching ? `${capital(pairWords(view.filter, state.matching))}: ${otherName(state)}` : otherName(state);
    this.show(this.sides[0], otherPictureOf(state, view.filter), said, SMALL_PX,
      other && otherStep(state) !== undefined ? markOf(state, other, otherIndex(state), theirs) : {});
    this.sides[0].root.title = "";
    this.show(this.sides[1], changed, changed ? `Difference ${differenceWords(changed)}` : isOneTraining(state) ? "No difference to show" : "",
      SMALL_PX);
    this.sides[1].root.title = "";
  }

  /** @param {State} state */
  showFacts(state) {
    const { recording, view } = state;
    const told = (/** @type {import("../state/state.js").StatisticAbout[]} */ statistics) =>
      statistics.map((statistic) => factOf(state, statistic));
    const formed = formedFact(recording, view.filter);
    const facts = [...told(usualStatistics(recording)), ...(formed ? [formed] : []), ...told(recording.shownOthers)];
    while (this.factRows.length < facts.length) {
      const [name, value, more] = [element("dt"), element("dd"), element("dd", { class: "quiet" })];
      const root = element("div", {}, name, value, more);
      this.factRows.push({ root, name, value, more });
      this.facts.append(root);
    }
    this.factRows.forEach(({ root, name, value, more }, at) => {
      const fact = facts[at];
      root.hidden = !fact;
      if (!fact) return;
      name.title = fact.explanation;
      setText(name, fact.name);
      setText(value, fact.value);
      setText(more, fact.more ?? "");
    });
  }
}

/** @param {import("../data/recording.js").Recording} recording */
function usualStatistics(recording) {
  return [recording.worth, recording.description("change")].filter((one) => one !== undefined);
}

/** @param {State} state @param {import("../state/state.js").StatisticAbout} statistic */
function factOf({ recording, index, view }, { name, label, description, unit, sort }) {
  const value = recording.value(name, index, view.filter);
  const row = recording.row(name, index) ?? [];
  const rank = rankOf(row, value, sort);
  let more = rank === null ? "" : `rank ${rank + 1} of ${row.length}`;
  if (name === "change" && index > 0 && recording.has("change_since_start")) {
    more = `${percent(recording.value("change_since_start", index, view.filter))} since start`;
  }
  return { name: capital(label), explanation: description, value: shown(value, unit), more };
}
