// Many small pictures in rows: the filters of a layer, or the epochs of a filter. Draws only what is in sight.

import { element } from "./dom.js";
import { colour, drawMark, drawPictures } from "../pictures/draw.js";
import { fit, wholePixels } from "../pictures/geometry.js";

const GAP = 4;
const CAPTION_PX = 22;
let grids = 0;

export class TileGrid {
  // pictureOf(item), markOf(item) -> {mark, alpha}, nameOf(item); onPick(item), onHover(item or null),
  // onMarks() when other marks can be seen
  constructor({ label, className = "", largestPx = 200, pictureOf, markOf, nameOf, onPick, onHover, onMarks }) {
    Object.assign(this, { pictureOf, markOf, nameOf, onPick, onHover, onMarks, largestPx });
    grids += 1;
    this.id = `grid-${grids}`;
    this.items = [];
    this.cell = new Map();
    this.tile = { width: 1, height: 1 };
    this.zoom = 1;
    this.fixedPx = null; // width of tiles; null for as large as fits
    this.selected = null;
    this.hovered = null;
    this.active = null;
    this.hasFocus = false;
    this.marks = new Set(); // that can be seen, "hidden" among them
    this.canvas = element("canvas", { class: "grid-canvas", "aria-hidden": "true" });
    this.options = element("div", { class: "grid-options", role: "presentation" });
    this.space = element("div", { class: "grid-space", role: "presentation" }, this.canvas, this.options);
    this.root = element("div", { class: `grid ${className}`, tabindex: "0", role: "listbox", "aria-label": label, on: {
      scroll: () => this.draw(),
      pointermove: (event) => this.hoverAt(event),
      pointerleave: () => this.hover(null),
      click: (event) => this.pick(this.itemAt(event)),
      keydown: (event) => this.onKeyDown(event),
      focus: () => this.focusChanged(true),
      blur: () => this.focusChanged(false),
    } }, this.space);
    new ResizeObserver(() => this.layout()).observe(this.root);
  }

  // `items` in order, each `tile` pixels large.
  set(items, tile) {
    const isSame = items.length === this.items.length && items.every((item, at) => item === this.items[at]);
    const isSameTile = tile.width === this.tile.width && tile.height === this.tile.height;
    this.tile = tile;
    if (!isSame) {
      this.items = items;
      this.cell = new Map(items.map((item, at) => [item, at]));
      this.options.replaceChildren(...items.map((item) => element("div",
        { role: "option", id: `${this.id}-${item}`, "aria-selected": String(item === this.selected),
          "aria-label": this.nameOf(item) })));
    }
    if (!isSame || !isSameTile || !this.columns) this.layout();
    else this.draw();
  }

  label(text) {
    if (this.root.getAttribute("aria-label") !== text) this.root.setAttribute("aria-label", text);
  }

  select(item) {
    if (item === this.selected) return;
    for (const [one, isSelected] of [[this.selected, "false"], [item, "true"]]) {
      document.getElementById(`${this.id}-${one}`)?.setAttribute("aria-selected", isSelected);
    }
    this.selected = item;
    this.draw();
  }

  zoomBy(factor) {
    this.zoom = factor === 0 ? 1 : Math.min(16, Math.max(1, this.zoom * factor));
    if (!this.step) return; // not in sight
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = this.root;
    const before = this.step.x;
    this.layout();
    const grown = this.step.x / before;
    this.root.scrollTo((scrollLeft + clientWidth / 2) * grown - clientWidth / 2,
      (scrollTop + clientHeight / 2) * grown - clientHeight / 2);
  }

  layout() {
    const area = { width: this.root.clientWidth, height: this.root.clientHeight };
    if (!area.width || !area.height) return;
    const ratio = window.devicePixelRatio || 1;
    let columns;
    let scale;
    if (this.fixedPx) {
      columns = Math.max(1, Math.floor((area.width - GAP) / (this.fixedPx + GAP)));
      scale = wholePixels(Math.min((area.width - GAP) / columns - GAP, this.fixedPx * 1.5) / this.tile.width, ratio);
    } else {
      ({ columns, scale } = fit(this.items.length, this.tile, area, GAP, this.largestPx, ratio));
      scale = wholePixels(scale * this.zoom, ratio);
    }
    this.columns = columns;
    const onScreen = (size) => Math.max(1, Math.floor(size * scale * ratio + 1e-6)) / ratio;
    this.shown = { width: onScreen(this.tile.width), height: onScreen(this.tile.height) };
    this.step = { x: this.shown.width + GAP, y: this.shown.height + GAP };
    this.rows = Math.ceil(this.items.length / columns);
    const full = { width: Math.min(columns, this.items.length) * this.step.x + GAP, height: this.rows * this.step.y + GAP };
    this.origin = {
      x: GAP + (this.fixedPx ? 0 : Math.max(0, Math.floor((area.width - full.width) / 2))),
      y: GAP + (this.fixedPx ? 0 : Math.max(0, Math.floor((area.height - full.height) / 2))),
    };
    this.space.style.width = `${Math.max(full.width, area.width)}px`;
    this.space.style.height = `${Math.max(full.height, area.height)}px`;
    this.canvas.width = Math.round(area.width * ratio);
    this.canvas.height = Math.round(area.height * ratio);
    this.canvas.style.width = `${area.width}px`;
    this.canvas.style.height = `${area.height}px`;
    this.ratio = ratio;
    this.placeOptions();
    this.draw();
  }

  // What a screen reader finds lies where the picture is.
  placeOptions() {
    [...this.options.children].forEach((option, at) => {
      const { x, y } = this.place(at);
      option.style.transform = `translate(${x}px, ${y}px)`;
      option.style.width = `${this.shown.width}px`;
      option.style.height = `${this.shown.height}px`;
    });
  }

  // Top left corner of an item, in pixels of the page, from the corner of the space.
  place(at) {
    return { x: this.origin.x + (at % this.columns) * this.step.x,
      y: this.origin.y + Math.floor(at / this.columns) * this.step.y };
  }

  draw() {
    if (!this.columns) return;
    const { scrollLeft, scrollTop, clientHeight } = this.root;
    const firstRow = Math.max(0, Math.floor((scrollTop - this.origin.y) / this.step.y));
    const lastRow = Math.min(this.rows, Math.ceil((scrollTop + clientHeight - this.origin.y) / this.step.y));
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const range = [firstRow * this.columns, Math.min(this.items.length, lastRow * this.columns)];
    this.showMarks(this.paint(context, range, { x: -scrollLeft, y: -scrollTop }, this.ratio));
    for (const [item, width, name] of [[this.hovered, 2, "--text"], [this.selected, 3, "--accent"],
      [this.hasFocus ? this.active : null, 3, "--focus"]]) {
      if (item === null || !this.cell.has(item)) continue;
      const { x, y } = this.place(this.cell.get(item));
      context.strokeStyle = colour(name);
      context.lineWidth = width * this.ratio;
      const out = width / 2;
      context.strokeRect((x - scrollLeft - out) * this.ratio, (y - scrollTop - out) * this.ratio,
        (this.shown.width + 2 * out) * this.ratio, (this.shown.height + 2 * out) * this.ratio);
    }
  }

  showMarks(marks) {
    if (marks.size === this.marks.size && [...marks].every((mark) => this.marks.has(mark))) return;
    this.marks = marks;
    this.onMarks?.();
  }

  // Items [from, to) into a context, moved by `offset`; also what is saved as a picture. Returns which
  // marks it drew, and whether it hid any.
  paint(context, [from, to], offset, ratio) {
    const placed = [];
    const marks = [];
    const seen = new Set();
    for (let at = from; at < to; at += 1) {
      const item = this.items[at];
      const corner = this.place(at);
      const box = { x: Math.round((corner.x + offset.x) * ratio), y: Math.round((corner.y + offset.y) * ratio),
        width: this.shown.width * ratio, height: this.shown.height * ratio };
      if (this.shown.width * ratio >= this.tile.width) {
        box.width = Math.round(box.width);
        box.height = Math.round(box.height);
      }
      const { mark, alpha, isHidden } = this.markOf ? this.markOf(item) : {};
      if (isHidden) {
        seen.add("hidden");
        continue;
      }
      const picture = this.pictureOf(item);
      placed.push({ ...box, picture, alpha });
      if (!picture) {
        context.fillStyle = colour("--placeholder");
        context.fillRect(box.x, box.y, box.width, box.height);
      }
      if (mark) {
        seen.add(mark);
        marks.push([mark, box]);
      }
    }
    drawPictures(context, placed);
    for (const [mark, box] of marks) drawMark(context, mark, box.x, box.y, box.width, box.height);
    return seen;
  }

  // Every item on a canvas of its own, tiles as large as now or as `tilePx`, below a line of text.
  toCanvas(caption, { tilePx = this.shown.width, mostPx = 8000 } = {}) {
    const now = { shown: this.shown, step: this.step, origin: this.origin };
    const largest = (mostPx / Math.max(this.columns, this.rows) - GAP) / this.tile.width;
    const scale = wholePixels(Math.min(tilePx / this.tile.width, largest), 1);
    this.shown = { width: this.tile.width * scale, height: this.tile.height * scale };
    this.step = { x: this.shown.width + GAP, y: this.shown.height + GAP };
    this.origin = { x: GAP, y: GAP + CAPTION_PX };
    const canvas = element("canvas");
    canvas.width = Math.ceil(Math.min(this.columns, this.items.length) * this.step.x + GAP);
    canvas.height = Math.ceil(this.rows * this.step.y + GAP + CAPTION_PX);
    const context = canvas.getContext("2d");
    context.fillStyle = colour("--stage");
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.fillStyle = colour("--text");
    context.font = "12px Roboto, system-ui, sans-serif";
    context.fillText(caption, GAP + 2, CAPTION_PX - 6, canvas.width - 2 * GAP);
    this.paint(context, [0, this.items.length], { x: 0, y: 0 }, 1);
    Object.assign(this, now);
    return canvas;
  }

  itemAt(event) {
    const bounds = this.root.getBoundingClientRect();
    const x = event.clientX - bounds.left - this.root.clientLeft + this.root.scrollLeft - this.origin.x;
    const y = event.clientY - bounds.top - this.root.clientTop + this.root.scrollTop - this.origin.y;
    const column = Math.floor(x / this.step.x);
    const row = Math.floor(y / this.step.y);
    if (x < 0 || y < 0 || column >= this.columns) return null;
    return this.items[row * this.columns + column] ?? null;
  }

  hoverAt(event) {
    this.hover(this.itemAt(event));
  }

  hover(item) {
    if (item === this.hovered) return;
    this.hovered = item;
    this.draw();
    this.onHover?.(item);
  }

  // Shows another grid's cursor on this one.
  point(item) {
    if (item === this.hovered) return;
    this.hovered = item;
    this.draw();
  }

  pick(item) {
    if (item === null) return;
    this.active = item;
    this.root.setAttribute("aria-activedescendant", `${this.id}-${item}`);
    this.onPick?.(item);
    this.draw();
  }

  focusChanged(hasFocus) {
    this.hasFocus = hasFocus && this.root.matches(":focus-visible");
    if (this.hasFocus && (this.active === null || !this.cell.has(this.active))) {
      this.moveTo(this.cell.get(this.selected) ?? 0);
    } else {
      this.draw();
    }
  }

  moveTo(at) {
    if (!this.items.length) return;
    const bounded = Math.min(this.items.length - 1, Math.max(0, at));
    this.active = this.items[bounded];
    this.hasFocus = true;
    this.root.setAttribute("aria-activedescendant", `${this.id}-${this.active}`);
    this.reveal(bounded);
    this.onHover?.(this.active);
    this.draw();
  }

  reveal(at) {
    if (!this.columns || at === undefined) return;
    const { x, y } = this.place(at);
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = this.root;
    const left = Math.min(x - GAP, Math.max(scrollLeft, x + this.step.x - clientWidth));
    const top = Math.min(y - GAP, Math.max(scrollTop, y + this.step.y - clientHeight));
    if (left !== scrollLeft || top !== scrollTop) this.root.scrollTo(left, top);
  }

  onKeyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const at = this.cell.get(this.active) ?? -1;
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    if (event.key in moves) this.moveTo(at < 0 ? 0 : at + moves[event.key]);
    else if (event.key === "Home") this.moveTo(0);
    else if (event.key === "End") this.moveTo(this.items.length - 1);
    else if (event.key === "Enter" && this.active !== null) this.pick(this.active);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
