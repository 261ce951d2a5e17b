// Small line charts over the steps, on the same scale as the slider.

import { number } from "../words/format.js";
import { element, svg } from "./dom.js";

const EDGE = 8; // half of the slider's thumb, so that a curve stands over the place of its step

/**
 * @typedef {object} Curve
 * @property {[number, number | null][]} points places from 0 to 1, and values
 * @property {string} [tone] a class of the style sheet
 * @property {string} [colour]
 * @property {boolean} [isDashed]
 */

/** @typedef {{place: number, kind: string, label: string}} Mark */

export class Chart {
  /**
   * @param {{label: string, height: number, onGo?: (place: number) => void, onPoint?: (place: number | null) => void}} how
   *   `onGo` hears of clicks, `onPoint` of the cursor
   */
  constructor({ label, height, onGo, onPoint }) {
    this.height = height;
    /** @type {Curve[]} */
    this.curves = [];
    /** @type {Mark[]} */
    this.marks = [];
    /** @type {[number, number] | null} */
    this.range = null;
    /** @type {(value: number) => string} */
    this.show = number;
    this.place = 0;
    this.width = 0;
    this.lines = svg("g", {});
    this.signs = svg("g", {});
    this.cursor = svg("line", { class: "chart-cursor" });
    this.pointed = svg("line", { class: "chart-pointed", visibility: "hidden" });
    this.picture = svg("svg", { class: "chart-picture", role: "img", "aria-label": label, height,
      on: {
        ...(onGo && { click: (/** @type {MouseEvent} */ event) => onGo(this.placeAt(event)) }),
        ...(onPoint && { pointermove: (/** @type {PointerEvent} */ event) => onPoint(this.placeAt(event)),
          pointerleave: () => onPoint(null) }),
      } }, this.lines, this.signs, this.pointed, this.cursor);
    this.high = element("span", { class: "chart-high" });
    this.low = element("span", { class: "chart-low" });
    this.root = element("div", { class: "chart" }, this.picture, this.high, this.low);
    new ResizeObserver(() => this.draw()).observe(this.root);
  }

  /** @param {MouseEvent} event */
  placeAt(event) {
    const bounds = this.picture.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - bounds.left - EDGE) / (bounds.width - 2 * EDGE)));
  }

  /** @param {string} text */
  label(text) {
    this.picture.setAttribute("aria-label", text);
  }

  /**
   * @param {Curve[]} curves
   * @param {{range?: [number, number] | null, show?: (value: number) => string, marks?: Mark[]}} [how]
   */
  set(curves, { range = null, show = number, marks = [] } = {}) {
    this.curves = curves;
    this.range = range;
    this.show = show;
    this.marks = marks;
    this.draw();
  }

  /** @param {number} place */
  at(place) {
    this.place = place;
    this.moveLine(this.cursor, place);
  }

  /** @param {number | null} place */
  pointAt(place) {
    this.pointed.setAttribute("visibility", place === null ? "hidden" : "visible");
    if (place !== null) this.moveLine(this.pointed, place);
  }

  /** @param {number} place */
  toX(place) {
    return EDGE + place * (this.width - 2 * EDGE);
  }

  /** @param {SVGLineElement} line @param {number} place */
  moveLine(line, place) {
    const x = this.toX(place);
    const ends = { x1: x, x2: x, y1: 0, y2: this.height };
    for (const [name, value] of Object.entries(ends)) line.setAttribute(name, String(value));
  }

  draw() {
    this.width = this.picture.clientWidth;
    if (!this.width) return;
    const values = this.curves.flatMap((curve) => curve.points.map(([, value]) => value)).filter((value) => value !== null);
    const [low, high] = values.length ? this.range ?? rangeOf(values) : [0, 1];
    const span = high - low || 1;
    const toY = (/** @type {number} */ value) => 4 + (1 - (value - low) / span) * (this.height - 8);
    this.lines.replaceChildren(...this.curves.map((curve) => this.line(curve, toY)));
    this.signs.replaceChildren(...this.marks.map(({ place, kind, label }) => svg("g", { class: `sign ${kind}` },
      svg("line", { x1: this.toX(place), x2: this.toX(place), y1: 0, y2: this.height }),
      svg("circle", { cx: this.toX(place), cy: kind === "alarm" ? this.height - 4 : 4, r: 3.5 }), svg("title", {}, label))));
    this.high.textContent = values.length ? this.show(high) : "";
    this.low.textContent = values.length && high !== low ? this.show(low) : "";
    this.at(this.place);
  }

  /** @param {Curve} curve @param {(value: number) => number} toY */
  line({ points, tone = "", colour, isDashed = false }, toY) {
    const known = points.flatMap(([place, value]) => (value === null ? [] : [{ place, value }]));
    if (known.length === 1) {
      const [{ place, value }] = known;
      return svg("circle", { class: `curve-dot ${tone}`, style: colour && `fill: ${colour}`, cx: this.toX(place),
        cy: toY(value), r: 2.5 });
    }
    let path = "";
    let isDown = false;
    for (const [place, value] of points) {
      if (value !== null) path += `${isDown ? "L" : "M"}${this.toX(place).toFixed(1)} ${toY(value).toFixed(1)}`;
      isDown = value !== null;
    }
    return svg("path", { class: `curve ${tone}${isDashed ? " dashed" : ""}`, style: colour && `stroke: ${colour}`,
      d: path });
  }
}

/**
 * The lowest and the highest of values, which may be more than a function takes.
 *
 * @param {number[]} values
 * @returns {[low: number, high: number]}
 */
function rangeOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}
