// All layers of a run at once: which learns last, which died, where to look.

import { context2d, drawMark, drawPictures } from "../pictures/draw.js";
import { wholePixels } from "../pictures/geometry.js";
import { hasOverview, overviewRows } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { choice, element, setText, svg } from "../widgets/dom.js";
import { capital, nameOfStep, percent, plural } from "../words/format.js";
import { groupLayers } from "../words/layer_groups.js";
import { alarmOf } from "../words/reading.js";
import { searchFor } from "../words/search.js";

const SAMPLE_PX = 48;
const LARGE_PX = 90; // of few layers
const LARGE_COLUMNS = 6;
const GAP = 2;
const SPARK = { width: 120, height: 32 };

/**
 * @typedef {import("../state/state.js").OverviewState} OverviewState
 * @typedef {import("../state/selectors.js").OverviewRow} Row
 */

/** How rows are compared. @type {Record<string, (one: Row, other: Row) => number>} */
const COMPARISONS = {
  model: () => 0,
  last: (one, other) => (late(one) === late(other) ? 0 : late(other) - late(one)),
  change: (one, other) => lastChange(other) - lastChange(one),
  alarm: (one, other) => lost(other) - lost(one),
};

/** @type {import("../widgets/dom.js").Option<string>[]} */
const ORDERS = [["model", "In the model's order"], ["last", "Latest to settle first"], ["change", "Most change first"],
  ["alarm", "Most stuck or dead first"]];

/** By when half of its filters had settled. @param {Row} row */
function late(row) {
  return row.half_settled ?? Infinity;
}

/** The change at the last step that has one. @param {Row} row */
function lastChange(row) {
  return row.change.findLast((value) => value !== null) ?? -1;
}

/** The share of its filters that nothing can be said of, or that do nothing. @param {Row} row */
function lost({ problem, responsive, filters, dead }) {
  if (problem) return 2;
  const alive = responsive?.findLast((value) => value !== null) ?? filters;
  return Math.max(filters - alive, dead ?? 0) / filters;
}

export class OverviewPart {
  /** @param {import("../state/actions.js").Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.isOther = changes();
    this.search = element("input", { type: "search", class: "search", placeholder: "Search layers (regular expression)",
      "aria-label": "Search layers", on: { input: () => this.fillAgain() } });
    this.order = choice("Order", () => this.fillAgain());
    this.order.set(ORDERS, "model");
    this.count = element("span", { class: "quiet", role: "status" });
    this.list = element("div", { class: "layers" });
    this.root = element("section", { class: "overview", "aria-label": "Overview of all layers" },
      element("div", { class: "overview-head" }, this.search, this.order.wrapper, this.count), this.list);
  }

  /** @param {OverviewState} state */
  render(state) {
    if (!this.isOther(state.overview, state.isDark)) return;
    this.fill(state);
    requestAnimationFrame(() => performance.mark("filters-overview")); // for whoever measures
  }

  /** After another search or order. */
  fillAgain() {
    const { state } = this.actions;
    if (hasOverview(state)) this.fill(state);
  }

  /** @param {OverviewState} state */
  fill(state) {
    const { matches, error } = searchFor(this.search.value);
    const order = this.order.select.value;
    const every = overviewRows(state);
    const rows = every.filter(({ name }) => matches(name)).sort(COMPARISONS[order]);
    const names = rows.map(({ name }) => name);
    const groups = order === "model" ? groupLayers(names) : [{ title: null, names }];
    const most = every.flatMap(({ change }) => change.map((value) => value ?? 0))
      .reduce((largest, value) => Math.max(largest, value), 1e-9);
    const all = plural(every.length, "layer");
    setText(this.count, error || (rows.length === every.length ? all : `${rows.length} of ${all}`));
    this.showGroups(state, groups, rows, most, every.length <= 3);
  }

  /**
   * @param {OverviewState} state
   * @param {import("../words/layer_groups.js").LayerGroup[]} groups
   * @param {Row[]} rows of the groups, one after the other
   * @param {number} most the largest change
   * @param {boolean} isRoomy
   */
  showGroups(state, groups, rows, most, isRoomy) {
    let at = 0;
    this.list.classList.toggle("roomy", isRoomy);
    this.list.replaceChildren(this.headings(), ...groups.map(({ title, names }) => {
      const own = rows.slice(at, at + names.length);
      at += names.length;
      return element("section", { class: "layer-group", "aria-label": title ?? "Layers" },
        title === null ? null : element("h2", {}, title), ...own.map((row) => this.row(state, row, most, isRoomy)));
    }));
  }

  headings() {
    const words = ["Layer", "Some of its filters", "Change", "Responsive", "Half settled"];
    return element("div", { class: "layer-headings", "aria-hidden": "true" },
      words.map((word) => element("span", {}, word)));
  }

  /** @param {OverviewState} state @param {Row} row @param {number} most @param {boolean} isRoomy */
  row(state, row, most, isRoomy) {
    const alarm = row.problem ?? alarmOf(row, row.unit);
    const samples = state.overview.samples.get(row.id);
    const canvas = element("canvas", { "aria-hidden": "true" });
    drawSamples(canvas, samples, { boxPx: isRoomy ? LARGE_PX : SAMPLE_PX, most: isRoomy ? LARGE_COLUMNS : Infinity,
      isStuck: row.responsive?.at(-1) === 0 });
    const alive = row.responsive?.findLast((value) => value !== null);
    const settled = row.half_settled === null ? "not yet" : nameOfStep(row.half_settled, row.unit);
    const share = alive === undefined || alive === null ? null : alive / row.filters;
    const [height, width] = row.tile;
    return element("button", { type: "button", class: `layer-row${alarm ? " alarmed" : ""}`, "data-layer": row.id,
      on: { click: () => this.actions.set({ layer: row.id, view: "grid", filter: null }) } },
      element("span", { class: "layer-name" }, element("strong", {}, row.name),
        element("span", { class: "quiet" }, `${plural(row.filters, "filter")}, ${width} × ${height} px`),
        alarm ? element("span", { class: "alarm" }, capital(alarm)) : null),
      element("span", { class: "layer-samples" }, canvas),
      element("span", { class: "layer-change" }, spark(row, most), element("span", { class: "sr" }, "Change: "),
        element("span", { class: "quiet" }, changeWords(row))),
      element("span", { class: "layer-alive" }, share === null ? "–" : meter(share), element("span", { class: "quiet" },
        share === null ? "" : `${alive} of ${row.filters}`), element("span", { class: "sr" }, " responsive")),
      element("span", { class: "layer-settled" }, element("span", { class: "sr" }, "Half settled: "), capital(settled)));
  }
}

/** @param {Row} row */
function changeWords(row) {
  const last = lastChange(row);
  return last < 0 ? "" : `${percent(last)} at the last`;
}

/** @param {number} share */
function meter(share) {
  return element("span", { class: `meter${share === 0 ? " none" : ""}` },
    element("span", { style: `width: ${100 * share}%` }));
}

/** Its change over the steps, on one scale for all layers. @param {Row} row @param {number} most */
function spark(row, most) {
  const { width, height } = SPARK;
  const last = Math.max(1, row.steps.length - 1);
  let path = "";
  let isDown = false;
  row.change.forEach((value, at) => {
    if (value !== null) {
      const y = 2 + (1 - Math.sqrt(value / most)) * (height - 4); // small changes are to be seen beside the first large ones
      path += `${isDown ? "L" : "M"}${(2 + (at / last) * (width - 4)).toFixed(1)} ${y.toFixed(1)}`;
    }
    isDown = value !== null;
  });
  return svg("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" },
    svg("path", { class: "curve tone-own", d: path }));
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("../data/overview.js").Samples | undefined} samples
 * @param {{boxPx: number, most: number, isStuck: boolean}} how `most` in a row; all of them may be stuck
 */
function drawSamples(canvas, samples, { boxPx, most, isStuck }) {
  const ratio = window.devicePixelRatio || 1;
  const pictures = samples?.pictures ?? [];
  if (!pictures.length) return;
  const { width, height } = pictures[0];
  const scale = wholePixels((boxPx * ratio) / Math.max(width, height), 1);
  const leastHeight = height === 1 ? Math.round(8 * ratio) : 1; // a signal's one row is to be seen
  const cell = { width: Math.round(width * scale), height: Math.max(Math.round(height * scale), leastHeight) };
  const columns = Math.min(most, pictures.length);
  const gap = Math.round(GAP * ratio);
  canvas.width = columns * (cell.width + gap) - gap;
  canvas.height = Math.ceil(pictures.length / columns) * (cell.height + gap) - gap;
  canvas.style.width = `${canvas.width / ratio}px`;
  canvas.style.height = `${canvas.height / ratio}px`;
  const context = context2d(canvas);
  const placed = pictures.map((picture, at) => ({ picture, ...cell, x: (at % columns) * (cell.width + gap),
    y: Math.floor(at / columns) * (cell.height + gap) }));
  drawPictures(context, placed);
  if (isStuck) for (const one of placed) drawMark(context, "stuck", one);
}
