// At the side: one filter, and how it formed.

import { Differences } from "../pictures/differences.js";
import { context2d, drawAlone } from "../pictures/draw.js";
import { placeOf } from "../pictures/geometry.js";
import { rankOf } from "../state/ordering.js";
import { counterpart, isComparing, isOneTraining, markOf, nowName, otherIndex, otherName, otherPictureOf, otherStep,
  pairWords, shareOfWay, shownFilters, stepOf, tileSize } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { element, iconButton, setText } from "../widgets/dom.js";
import { Figures, spread } from "../widgets/figures.js";
import { TileGrid } from "../widgets/grid.js";
import { formedFact, stuckSince } from "../words/formation.js";
import { capital, differenceWords, nameOfStep, percent, shown } from "../words/format.js";
import { Card } from "./card.js";

const SMALL_PX = 72;
const LEAST_PX = 176;
const STRIP_PX = { least: 44, most: 64 };

/**
 * @typedef {import("../state/state.js").FilterState} FilterState
 * @typedef {import("../state/state.js").StatisticAbout} StatisticAbout
 * @typedef {import("../data/film.js").Block} Block
 * @typedef {import("../data/recording.js").Recording} Recording
 * @typedef {import("../pictures/draw.js").Picture} Picture
 *
 * @typedef {{root: HTMLElement, canvas: HTMLCanvasElement, caption: HTMLElement}} Slot for a picture
 * @typedef {{name: string, value: string, explanation: string, more?: string}} Fact
 */

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
    this.before = this.slot("picture", () => actions.jump(actions.state.index - 1), "");
    this.after = this.slot("picture", () => actions.jump(actions.state.index + 1), "");
    this.card = new Card(actions);
    this.facts = element("dl", { class: "facts" });
    const onGo = (/** @type {number} */ share) => actions.jumpToShare(share);
    this.usual = new Figures({ height: 38, className: "pair", onGo });
    this.others = new Figures({ height: 30, className: "pair", onGo });
    this.unit = "epoch"; // of the steps of the strip
    this.strip = new TileGrid({ label: "Filmstrip", className: "strip", nameOf: (step) => this.nameOf(step),
      onPick: (step) => actions.jumpToStep(step),
      onHover: (step) => setText(this.stripHint, step === null ? "" : this.nameOf(step)) });
    this.strip.fixedPx = STRIP_PX.least;
    this.stripHint = element("span", { class: "quiet" });
    this.root = element("div", { class: "panel-inside" },
      element("header", { class: "panel-head" },
        element("div", { class: "panel-title" },
          element("div", { class: "title-line" }, this.title, this.badges)),
        this.map,
        iconButton("large", "Large view", "Enter", () => actions.set({ large: true })),
        iconButton("close", "Close", "Escape", () => actions.closeFilter())),
      this.place,
      element("div", { class: "pictures" }, this.main.root,
        element("div", { class: "side-pictures" }, this.before.root, this.after.root)),
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
    /** @type {Block | undefined} */
    this.reel = undefined;
  }

  /** @param {number} step */
  nameOf(step) {
    return capital(nameOfStep(step, this.unit));
  }

  /** @param {string} name @param {() => void} onClick @param {string} title @returns {Slot} */
  slot(name, onClick, title) {
    const canvas = element("canvas", { role: "img" });
    const caption = element("figcaption", {});
    return { canvas, caption, root: element("figure", { class: name, title, on: { click: onClick, dblclick: () =>
      this.actions.set({ large: true }) } }, canvas, caption) };
  }

  /** @param {FilterState} state @param {number} step */
  pictureAt({ recording, view }, step) {
    return this.reel?.find(step, recording.places.get(view.filter)) ?? recording.tile(step, view.filter);
  }

  /** @param {FilterState} state */
  render(state) {
    const { recording, view, other, matching, arrivals, index, isDark } = state;
    const { version } = recording;
    if (this.isOtherFilter(recording, version, view.filter, isComparing(state) && other, matching)) this.showFilter(state);
    if (this.isOtherPlace(recording, view.filter, view.sort, view.stuck, this.grid.columns, isDark)) this.drawMap(state);
    this.card.render(state);
    if (this.isOtherStrip(recording, version, view.filter, arrivals, this.reel, isDark)) this.strip.draw();
    const isNew = this.isOtherMoment(recording, version, view, index, arrivals, other, matching, this.reel,
      this.root.clientWidth, this.grid.shown.width, isDark);
    if (isNew) this.showStep(state);
  }

  /** When the filter, the layer or its length changes. @param {FilterState} state */
  showFilter(state) {
    const { recording, view } = state;
    const tile = tileSize(recording.about);
    this.reel = undefined;
    this.unit = recording.unit;
    setText(this.title, `Filter ${view.filter}`);
    this.usual.set(usualStatistics(recording).map((statistic) => this.figure(state, statistic)));
    this.others.set(recording.shownOthers.map((statistic) => this.figure(state, statistic)));
    this.strip.fixedPx = Math.max(STRIP_PX.least, Math.min(STRIP_PX.most, tile.width));
    this.strip.label(`Filmstrip of filter ${view.filter}: its picture at every ${recording.unit}`);
    this.strip.set({ items: recording.steps, tile, pictureOf: (step) => this.pictureAt(state, step) });
    if (recording.film.factor > 1) this.fetchReel(recording, view.filter);
  }

  /** All pictures of a filter in full size. @param {Recording} recording @param {number} filter */
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

  /**
   * @param {FilterState} state
   * @param {StatisticAbout} statistic
   * @returns {import("../widgets/figures.js").FigureOf}
   */
  figure(state, { name, label, description, unit }) {
    const { recording, view, other } = state;
    /** @type {import("../widgets/chart.js").Curve[]} */
    const curves = [{ tone: "tone-own", points: spread(recording.history(name, view.filter)) }];
    const theirs = isComparing(state) ? counterpart(state, view.filter) : undefined;
    if (theirs !== undefined && other && other !== recording && other.unit === recording.unit && other.has(name)) {
      curves.unshift({ tone: "tone-quiet",
        points: other.history(name, theirs).map((value, at) => [placeOf(other.steps[at], recording.steps), value]) });
    }
    return { title: capital(label), explanation: description, label: `${capital(label)} over time`, curves,
      range: unit === "flag" ? [0, 1] : null, unit };
  }

  /** Where the filter stands in the grid. @param {FilterState} state */
  drawMap(state) {
    const { recording, view } = state;
    const order = shownFilters(state);
    const columns = Math.max(1, this.grid.columns);
    const rows = Math.ceil(order.length / columns);
    const cell = Math.max(2, Math.min(8, Math.floor(96 / columns), Math.floor(56 / rows)));
    this.map.width = columns * cell;
    this.map.height = Math.max(1, rows * cell);
    const context = context2d(this.map);
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

  /** @param {FilterState} state */
  showStep(state) {
    const { recording, index, view: { filter } } = state;
    const badge = stuckSince(recording, filter, index) || (recording.isFlat(filter, index) ? "flat" : "");
    setText(this.badges, badge);
    this.badges.hidden = !badge;
    if (isComparing(state)) this.showComparison(state);
    else this.showNeighbours(state);
    this.showFacts(state);
    this.strip.select(recording.steps[index]);
    this.strip.reveal(index);
    this.usual.at(shareOfWay(state), index);
    this.others.at(shareOfWay(state), index);
  }

  /** The side of the largest picture: it is at least as large as in the grid. */
  get mainPx() {
    const room = (this.root.clientWidth || 372) - 32 - SMALL_PX - 16;
    const { width, height } = this.grid.shown;
    return Math.max(SMALL_PX, Math.min(Math.max(LEAST_PX, Math.ceil(width), Math.ceil(height)), room));
  }

  /**
   * @param {Slot} slot
   * @param {Picture | undefined} picture
   * @param {string} caption
   * @param {number} boxPx
   * @param {import("../pictures/paint.js").Marking} [marking]
   */
  show({ canvas, caption: text, root }, picture, caption, boxPx, { mark } = {}) {
    drawAlone(canvas, picture, boxPx, mark);
    canvas.setAttribute("aria-label", `Filter ${this.actions.state.view.filter}, ${caption}`);
    setText(text, caption);
    root.style.width = `${boxPx}px`;
    root.hidden = !picture && !caption;
  }

  /** @param {FilterState} state @param {string} name */
  showMain(state, name) {
    const { recording, index, view: { filter } } = state;
    this.show(this.main, this.pictureAt(state, stepOf(state)), name, this.mainPx, markOf(state, recording, index, filter));
  }

  /** @param {FilterState} state */
  showNeighbours(state) {
    const { index } = state;
    this.showMain(state, this.nameOf(stepOf(state)));
    this.showNeighbour(this.before, state, index - 1);
    this.showNeighbour(this.after, state, index + 1);
  }

  /** @param {Slot} slot @param {FilterState} state @param {number} at */
  showNeighbour(slot, state, at) {
    const { steps, unit } = state.recording;
    const isThere = at >= 0 && at < steps.length;
    this.show(slot, isThere ? this.pictureAt(state, steps[at]) : undefined, isThere ? this.nameOf(steps[at]) : "", SMALL_PX);
    slot.root.title = isThere ? `To ${nameOfStep(steps[at], unit)}` : "";
  }

  /** @param {FilterState} state */
  showComparison(state) {
    const { other, matching, view: { filter } } = state;
    this.showMain(state, nowName(state));
    const said = matching ? `${capital(pairWords(filter, matching))}: ${otherName(state)}` : otherName(state);
    this.show(this.before, otherPictureOf(state, filter), said, SMALL_PX,
      other && otherStep(state) !== undefined ? markOf(state, other, otherIndex(state), counterpart(state, filter)) : {});
    this.before.root.title = "";
    const changed = this.differences.of(state, filter);
    const without = isOneTraining(state) ? "No difference to show" : "";
    this.show(this.after, changed, changed ? `Difference ${differenceWords(changed)}` : without, SMALL_PX);
    this.after.root.title = "";
  }

  /** @param {FilterState} state */
  showFacts(state) {
    const { recording, view } = state;
    const told = (/** @type {StatisticAbout[]} */ statistics) => statistics.map((statistic) => factOf(state, statistic));
    const formed = formedFact(recording, view.filter);
    /** @type {Fact[]} */
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

/** @param {Recording} recording */
function usualStatistics(recording) {
  return [recording.worth, recording.description("change")].filter((one) => one !== undefined);
}

/** @param {FilterState} state @param {StatisticAbout} statistic @returns {Fact} */
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
