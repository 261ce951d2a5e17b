// Small line charts over the steps, on the same scale as the slider.

import { element, svg } from "./dom.js";
import { number } from "../words/format.js";

const EDGE = 8; // half of the slider's thumb, so that a curve stands over the place of its step

// `curves`: [{points: [[place in 0..1, value or null]], tone, label}]; `onGo(place)` when clicked.
export class Chart {
  constructor({ label, height, onGo }) {
    this.height = height;
    this.curves = [];
    this.place = 0;
    this.lines = svg("g", {});
    this.cursor = svg("line", { class: "chart-cursor" });
    this.picture = svg("svg", { class: "chart-picture", role: "img", "aria-label": label, height,
      on: onGo ? { click: (event) => onGo(this.placeAt(event)) } : {} }, this.lines, this.cursor);
    this.high = element("span", { class: "chart-high" });
    this.low = element("span", { class: "chart-low" });
    this.root = element("div", { class: "chart" }, this.picture, this.high, this.low);
    new ResizeObserver(() => this.draw()).observe(this.root);
  }

  placeAt(event) {
    const bounds = this.picture.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - bounds.left - EDGE) / (bounds.width - 2 * EDGE)));
  }

  label(text) {
    this.picture.setAttribute("aria-label", text);
  }

  set(curves, { range = null, show = number } = {}) {
    this.curves = curves;
    this.range = range;
    this.show = show;
    this.draw();
  }

  at(place) {
    this.place = place;
    this.moveCursor();
  }

  moveCursor() {
    const x = EDGE + this.place * ((this.width ?? 0) - 2 * EDGE);
    for (const [name, value] of [["x1", x], ["x2", x], ["y1", 0], ["y2", this.height]]) {
      this.cursor.setAttribute(name, value);
    }
  }

  draw() {
    this.width = this.picture.clientWidth;
    if (!this.width) return;
    const values = this.curves.flatMap((curve) => curve.points.map(([, value]) => value)).filter((value) => value !== null);
    let [low, high] = this.range ?? [Math.min(...values), Math.max(...values)];
    if (!values.length) [low, high] = [0, 1];
    const span = high - low || 1;
    const toX = (place) => EDGE + place * (this.width - 2 * EDGE);
    const toY = (value) => 4 + (1 - (value - low) / span) * (this.height - 8);
    this.lines.replaceChildren(...this.curves.map((curve) => {
      let path = "";
      let isDown = false;
      for (const [place, value] of curve.points) {
        if (value !== null) path += `${isDown ? "L" : "M"}${toX(place).toFixed(1)} ${toY(value).toFixed(1)}`;
        isDown = value !== null;
      }
      const only = curve.points.filter(([, value]) => value !== null);
      if (only.length === 1) {
        return svg("circle", { class: `curve-dot ${curve.tone}`, cx: toX(only[0][0]), cy: toY(only[0][1]), r: 2.5 });
      }
      return svg("path", { class: `curve ${curve.tone}`, d: path });
    }));
    this.high.textContent = values.length ? this.show(high) : "";
    this.low.textContent = values.length && high !== low ? this.show(low) : "";
    this.moveCursor();
  }
}
