// A choice among many: a button that says what is chosen, and opens a list that can be searched.

import { searchFor } from "../words/search.js";
import { element, icon, setText } from "./dom.js";
import { popover } from "./popover.js";

const SEARCHED_FROM = 8; // fewer are seen at once

let pickers = 0;

/**
 * @typedef {object} PickerOption
 * @property {string} value
 * @property {string} text
 * @property {string} [title] all of it, where `text` is cut
 * @property {string} [extra] beside it
 * @property {string} [extraTitle]
 * @property {string} [colour]
 * @property {string | null} [group] a heading above the first of them
 *
 * @typedef {(search: string, order: string) => {rows: PickerOption[], error: string}} List
 */

export class Picker {
  /**
   * @param {string} label
   * @param {(value: string) => void} onChoose
   * @param {{orders?: import("./dom.js").Option<string>[], list?: List}} [how] `list` searches and orders; without it, texts
   *   that hold what is searched are left
   */
  constructor(label, onChoose, { orders = [], list } = {}) {
    pickers += 1;
    this.id = `picker-${pickers}`;
    this.onChoose = onChoose;
    /** @type {List} */
    this.list = list ?? ((search) => {
      const { matches, error } = searchFor(search);
      return { rows: this.options.filter(({ text, title = text }) => matches(title)), error };
    });
    /** @type {PickerOption[]} */
    this.options = [];
    /** @type {PickerOption[]} */
    this.rows = [];
    this.chosen = "";
    this.active = 0;
    this.swatch = element("span", { class: "swatch", "aria-hidden": "true" });
    this.text = element("span", { class: "picker-text", id: `${this.id}-text` });
    this.button = element("button", { type: "button", class: "picker-button", "aria-haspopup": "listbox",
      "aria-labelledby": `${this.id}-label ${this.id}-text`,
      on: { keydown: (/** @type {KeyboardEvent} */ event) => {
        if (!["ArrowDown", "ArrowUp"].includes(event.key)) return;
        event.preventDefault();
        event.stopPropagation();
        this.popover.panel.showPopover();
      } } }, this.swatch, this.text, icon("down"));
    this.search = element("input", { type: "search", class: "picker-search", placeholder: "Search (regular expression)",
      "aria-label": `Search: ${label.toLowerCase()}`, role: "combobox", "aria-expanded": "true",
      "aria-controls": `${this.id}-list`, "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false",
      on: { input: () => this.fill(true) } });
    this.order = element("select", { "aria-label": `Order of ${label.toLowerCase()}s`,
      on: { change: () => this.fill(true) } }, orders.map(([value, text]) => element("option", { value }, text)));
    this.order.hidden = !orders.length;
    this.note = element("p", { class: "picker-note", role: "status" });
    this.box = element("ul", { class: "picker-list", role: "listbox", id: `${this.id}-list`, "aria-label": label,
      tabindex: "-1" });
    this.head = element("div", { class: "picker-head" }, this.search, this.order);
    const content = element("div", { class: "picker-content", on: { keydown: (/** @type {KeyboardEvent} */ event) =>
      this.onKeyDown(event) } }, this.head, this.note, this.box);
    this.popover = popover(this.button, content, { onOpen: () => this.opened() });
    this.popover.panel.addEventListener("toggle", (event) => {
      if (event.newState === "open") (this.search.offsetParent ? this.search : this.box).focus();
    });
    this.wrapper = element("div", { class: "picker" },
      element("span", { class: "choice-label", id: `${this.id}-label` }, label), this.button, this.popover.panel);
  }

  /** @param {PickerOption[]} options @param {string} chosen */
  set(options, chosen) {
    this.options = options;
    this.chosen = chosen;
    const found = options.find(({ value }) => value === chosen);
    setText(this.text, found?.text ?? chosen);
    this.button.title = found?.title ?? found?.text ?? chosen;
    this.swatch.hidden = !found?.colour;
    this.swatch.style.background = found?.colour ?? "";
  }

  opened() {
    this.search.value = "";
    this.search.hidden = this.options.length < SEARCHED_FROM;
    this.head.hidden = this.search.hidden && this.order.hidden;
    this.fill(false);
  }

  /** @param {boolean} isSearched */
  fill(isSearched) {
    const { rows, error } = this.list(this.search.value, this.order.value);
    this.rows = rows;
    setText(this.note, error || (rows.length ? "" : "Nothing is called like that."));
    this.note.hidden = !this.note.textContent;
    const chosen = rows.findIndex(({ value }) => value === this.chosen);
    this.active = isSearched ? 0 : Math.max(0, chosen);
    /** @type {string | null | undefined} */
    let group;
    this.box.replaceChildren(...rows.flatMap((row, at) => {
      const heading = row.group && row.group !== group
        ? [element("li", { class: "picker-group", role: "presentation" }, row.group)] : [];
      group = row.group;
      return [...heading, this.rowOf(row, at)];
    }));
    this.showActive();
  }

  /** @param {PickerOption} row @param {number} at */
  rowOf({ value, text, title, extra, extraTitle, colour }, at) {
    const style = `background: ${colour}`;
    const swatch = colour ? element("span", { class: "swatch", "aria-hidden": "true", style }) : null;
    return element("li", { class: "picker-row", role: "option", id: `${this.id}-${at}`, title: title ?? text,
      "data-value": value, "aria-selected": String(value === this.chosen),
      on: { click: () => this.choose(value), pointermove: () => {
        if (this.active === at) return;
        this.active = at;
        this.showActive();
      } } },
      swatch, element("span", { class: "picker-name" }, text),
      extra ? element("span", { class: "picker-extra", title: extraTitle }, extra) : null);
  }

  showActive() {
    for (const row of this.box.querySelectorAll(".picker-row")) {
      const isActive = row.id === `${this.id}-${this.active}`;
      row.classList.toggle("active", isActive);
      if (isActive) row.scrollIntoView({ block: "nearest" });
    }
    const id = this.rows.length ? `${this.id}-${this.active}` : "";
    this.search.setAttribute("aria-activedescendant", id);
    this.box.setAttribute("aria-activedescendant", id);
  }

  /** @param {string} value */
  choose(value) {
    this.popover.close();
    this.button.focus();
    if (value !== this.chosen) this.onChoose(value);
  }

  /** @param {KeyboardEvent} event */
  onKeyDown(event) {
    /** @type {Record<string, number>} */
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
    if (event.key in moves && this.rows.length && event.target !== this.order) {
      this.active = Math.min(this.rows.length - 1, Math.max(0, this.active + moves[event.key]));
      this.showActive();
    } else if (event.key === "Enter" && this.rows[this.active]) {
      this.choose(this.rows[this.active].value);
    } else {
      return;
    }
    event.preventDefault();
  }
}
