// Many small pictures in rows: the filters of a layer, or the epochs of a filter. Draws only what is in sight.

import { context2d } from "../pictures/draw.js";
import { cornerOf, layoutOf, placeAt } from "../pictures/layout.js";
import { paint } from "../pictures/paint.js";
import { element } from "./dom.js";

let grids = 0;

/**
 * @typedef {import("../pictures/layout.js").Layout} Layout
 * @typedef {import("../pictures/paint.js").Sheet} Sheet
 *
 * @typedef {object} GridHow
 * @property {string} label
 * @property {string} [className]
 * @property {number} [largestPx]
 * @property {(item: number) => string} nameOf
 * @property {(item: number) => void} [onPick]
 * @property {(item: number) => void} [onOpen] twice, or Enter on what is picked
 * @property {(item: number | null) => void} [onHover]
 * @property {() => void} [onMarks] when other marks can be seen
 */

export class TileGrid {
  /** @param {GridHow} how */
  constructor({ label, className = "", largestPx = 200, nameOf, onPick, onOpen, onHover, onMarks }) {
    this.nameOf = nameOf;
    this.onPick = onPick;
    this.onOpen = onOpen;
    this.onHover = onHover;
    this.onMarks = onMarks;
    /** @type {(() => void) | undefined} when tiles have other places or sizes */
    this.onLayout = undefined;
    this.largestPx = largestPx;
    grids += 1;
    this.id = `grid-${grids}`;
    /** @type {Sheet} */
    this.sheet = { items: [], tile: { width: 1, height: 1 }, pictureOf: () => undefined };
    /** @type {Map<number, number>} */
    this.cell = new Map();
    this.zoom = 1;
    /** @type {number | null} width of tiles; null for as large as fits */
    this.fixedPx = null;
    /** @type {number | null} */
    this.selected = null;
    /** @type {number | null} at this grid's own cursor */
    this.pointed = null;
    /** @type {number | null} at the cursor of any grid beside it */
    this.hovered = null;
    /** @type {number | null} */
    this.active = null;
    this.hasFocus = false;
    /** @type {Set<import("../pictures/draw.js").Mark>} that can be seen */
    this.marks = new Set();
    /** @type {Layout | null} */
    this.layout = null;
    this.canvas = element("canvas", { class: "grid-canvas", "aria-hidden": "true" });
    this.options = element("div", { class: "grid-options", role: "presentation" });
    this.frames = { hovered: frame("hovered"), selected: frame("selected"), active: frame("active") };
    this.space = element("div", { class: "grid-space", role: "presentation" }, this.canvas, this.options,
      ...Object.values(this.frames));
    this.root = element("div", { class: `grid ${className}`, tabindex: "0", role: "listbox", "aria-label": label, on: {
      scroll: () => this.draw(),
      pointermove: (/** @type {PointerEvent} */ event) => this.hover(this.itemAt(event)),
      pointerleave: () => this.hover(null),
      click: (/** @type {MouseEvent} */ event) => this.pick(this.itemAt(event)),
      dblclick: (/** @type {MouseEvent} */ event) => this.openItem(this.itemAt(event)),
      keydown: (/** @type {KeyboardEvent} */ event) => this.onKeyDown(event),
      focus: () => this.focusChanged(true),
      blur: () => this.focusChanged(false),
    } }, this.space);
    new ResizeObserver(() => this.resize()).observe(this.root);
  }

  get items() {
    return this.sheet.items;
  }

  get columns() {
    return this.layout?.columns ?? 0;
  }

  get shown() {
    return this.layout?.shown ?? { width: 0, height: 0 };
  }

  /** Shows what a sheet holds, in its order. @param {Sheet} sheet */
  set(sheet) {
    const { items, tile } = sheet;
    const before = this.sheet;
    const isSame = items.length === before.items.length && items.every((item, at) => item === before.items[at]);
    const isSameTile = tile.width === before.tile.width && tile.height === before.tile.height;
    this.sheet = sheet;
    if (!isSame) {
      this.cell = new Map(items.map((item, at) => [item, at]));
      this.options.replaceChildren(...items.map((item) => element("div",
        { role: "option", id: `${this.id}-${item}`, "aria-selected": String(item === this.selected),
          "aria-label": this.nameOf(item) })));
    }
    if (!isSame || !isSameTile || !this.layout) this.resize();
    else this.draw();
  }

  /** @param {string} text */
  label(text) {
    if (this.root.getAttribute("aria-label") !== text) this.root.setAttribute("aria-label", text);
  }

  /** @param {number | null} item */
  select(item) {
    if (item === this.selected) return;
    document.getElementById(`${this.id}-${this.selected}`)?.setAttribute("aria-selected", "false");
    document.getElementById(`${this.id}-${item}`)?.setAttribute("aria-selected", "true");
    this.selected = item;
    this.placeFrames();
  }

  /** @param {number} factor 0 for as large as fits */
  zoomBy(factor) {
    this.zoom = factor === 0 ? 1 : Math.min(16, Math.max(1, this.zoom * factor));
    if (!this.layout) return; // not in sight
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = this.root;
    const before = this.layout.step.x;
    this.resize();
    const grown = this.layout.step.x / before;
    this.root.scrollTo((scrollLeft + clientWidth / 2) * grown - clientWidth / 2,
      (scrollTop + clientHeight / 2) * grown - clientHeight / 2);
  }

  resize() {
    const area = { width: this.root.clientWidth, height: this.root.clientHeight };
    if (!area.width || !area.height) return;
    const ratio = window.devicePixelRatio || 1;
    const { fixedPx, largestPx, zoom } = this;
    this.layout = layoutOf(this.items.length, this.sheet.tile, area, { fixedPx, largestPx, zoom, ratio });
    const { full } = this.layout;
    this.space.style.width = `${Math.max(full.width, area.width)}px`;
    this.space.style.height = `${Math.max(full.height, area.height)}px`;
    this.canvas.width = Math.round(area.width * ratio);
    this.canvas.height = Math.round(area.height * ratio);
    this.canvas.style.width = `${area.width}px`;
    this.canvas.style.height = `${area.height}px`;
    this.placeOptions();
    this.placeFrames();
    this.draw();
    this.onLayout?.();
  }

  /** What a screen reader finds lies where the picture is. */
  placeOptions() {
    [...this.options.children].forEach((option, at) => {
      if (option instanceof HTMLElement) place(option, this.layout, at);
    });
  }

  /** Frames move by themselves, so that pictures need not be drawn again. */
  placeFrames() {
    const { frames, hovered, selected, active } = this;
    this.placeFrame(frames.hovered, hovered);
    this.placeFrame(frames.selected, selected);
    this.placeFrame(frames.active, this.hasFocus ? active : null);
  }

  /** @param {HTMLElement} made @param {number | null} item */
  placeFrame(made, item) {
    const at = item === null ? undefined : this.cell.get(item);
    made.hidden = at === undefined || !this.layout;
    if (at !== undefined) place(made, this.layout, at);
  }

  draw() {
    const { layout } = this;
    if (!layout) return;
    const { scrollLeft, scrollTop, clientHeight } = this.root;
    const firstRow = Math.max(0, Math.floor((scrollTop - layout.origin.y) / layout.step.y));
    const lastRow = Math.min(layout.rows, Math.ceil((scrollTop + clientHeight - layout.origin.y) / layout.step.y));
    const context = context2d(this.canvas);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const end = Math.min(this.items.length, lastRow * layout.columns);
    const seen = paint(context, this.sheet, layout, [firstRow * layout.columns, end], { x: -scrollLeft, y: -scrollTop });
    if (seen.size !== this.marks.size || [...seen].some((mark) => !this.marks.has(mark))) {
      this.marks = seen;
      this.onMarks?.();
    }
  }

  /** @param {MouseEvent} event @returns {number | null} */
  itemAt(event) {
    if (!this.layout) return null;
    const bounds = this.root.getBoundingClientRect();
    const x = event.clientX - bounds.left - this.root.clientLeft + this.root.scrollLeft;
    const y = event.clientY - bounds.top - this.root.clientTop + this.root.scrollTop;
    return this.items[placeAt(this.layout, x, y)] ?? null;
  }

  /** @param {number | null} item */
  hover(item) {
    if (item === this.pointed) return;
    this.pointed = item;
    this.point(item);
    this.onHover?.(item);
  }

  /** Shows another grid's cursor on this one. @param {number | null} item */
  point(item) {
    if (item === this.hovered) return;
    this.hovered = item;
    this.placeFrames();
  }

  /** @param {number | null} item */
  pick(item) {
    if (item === null) return;
    this.activate(item);
    this.onPick?.(item);
  }

  /** @param {number | null} item */
  openItem(item) {
    if (item === null) return;
    this.activate(item);
    (this.onOpen ?? this.onPick)?.(item);
  }

  /** @param {number} item */
  activate(item) {
    this.active = item;
    this.root.setAttribute("aria-activedescendant", `${this.id}-${item}`);
    this.placeFrames();
  }

  /** @param {boolean} hasFocus */
  focusChanged(hasFocus) {
    this.hasFocus = hasFocus && this.root.matches(":focus-visible");
    if (this.hasFocus && (this.active === null || !this.cell.has(this.active))) {
      this.moveTo(this.cell.get(this.selected ?? -1) ?? 0);
    } else {
      this.placeFrames();
    }
  }

  /** @param {number} at */
  moveTo(at) {
    if (!this.items.length) return;
    const bounded = Math.min(this.items.length - 1, Math.max(0, at));
    this.hasFocus = true;
    this.activate(this.items[bounded]);
    this.reveal(bounded);
    this.onHover?.(this.items[bounded]);
  }

  /** @param {number | undefined} at */
  reveal(at) {
    if (!this.layout || at === undefined) return;
    const { x, y } = cornerOf(this.layout, at);
    const { step, origin } = this.layout;
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = this.root;
    const left = Math.min(x - origin.x, Math.max(scrollLeft, x + step.x - clientWidth));
    const top = Math.min(y - origin.y, Math.max(scrollTop, y + step.y - clientHeight));
    if (left !== scrollLeft || top !== scrollTop) this.root.scrollTo(left, top);
  }

  /** @param {KeyboardEvent} event */
  onKeyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const at = this.cell.get(this.active ?? -1) ?? -1;
    /** @type {Record<string, number>} */
    const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns };
    if (event.key in moves) this.moveTo(at < 0 ? 0 : at + moves[event.key]);
    else if (event.key === "Home") this.moveTo(0);
    else if (event.key === "End") this.moveTo(this.items.length - 1);
    else if (event.key === "Enter" && this.active !== null && this.active === this.selected) this.openItem(this.active);
    else if (event.key === "Enter" && this.active !== null) this.pick(this.active);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** @param {string} name */
function frame(name) {
  const made = element("div", { class: `frame ${name}`, "aria-hidden": "true" });
  made.hidden = true;
  return made;
}

/** @param {HTMLElement} made @param {Layout | null} layout @param {number} at */
function place(made, layout, at) {
  if (!layout) return;
  const { x, y } = cornerOf(layout, at);
  made.style.transform = `translate(${x}px, ${y}px)`;
  made.style.width = `${layout.shown.width}px`;
  made.style.height = `${layout.shown.height}px`;
}
