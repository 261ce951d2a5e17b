// How the pictures of a run were drawn, to read and to copy.

import { element } from "../widgets/dom.js";
import { capital } from "../words/format.js";
import { drawnLayers, factsOf, modelLayers, modelName, settingsOf } from "../words/recipe.js";

/**
 * @typedef {import("../state/state.js").About} About
 * @typedef {import("../words/recipe.js").Recipe} Recipe
 */

/** @param {[what: string, how: string][]} rows */
function facts(rows) {
  return element("dl", { class: "rows" }, rows.map(([what, how]) =>
    element("div", {}, element("dt", {}, what), element("dd", {}, how))));
}

/** @param {string} title @param {HTMLElement} content */
function section(title, content) {
  return element("section", {}, element("h3", {}, title), content);
}

/**
 * A table that scrolls by itself, by mouse and by keyboard.
 *
 * @param {string} label
 * @param {string[]} names of its columns
 * @param {string[][]} rows
 */
function table(label, names, rows) {
  return element("div", { class: "scrolling", tabindex: "0", role: "region", "aria-label": label },
    element("table", {},
      element("thead", {}, element("tr", {}, names.map((name) => element("th", { scope: "col" }, name)))),
      element("tbody", {}, rows.map((cells) => element("tr", {}, cells.map((cell) => element("td", {}, cell)))))));
}

export class RecipeDialog {
  constructor() {
    /** @type {Recipe} */
    this.recipe = {};
    this.title = element("h2", { id: "recipe-title" }, "How it was drawn");
    this.content = element("div", { class: "recipe" });
    this.said = element("span", { role: "status" });
    this.root = element("dialog", { class: "dialog wide", "aria-labelledby": "recipe-title" }, this.title, this.content,
      element("div", { class: "dialog-end" },
        element("button", { type: "button", class: "button", on: { click: () => this.copy() } }, "Copy as JSON"), this.said,
        element("span", { class: "space" }),
        element("button", { type: "button", class: "button", autofocus: true,
          on: { click: () => this.root.close() } }, "Close")));
  }

  /** The recipe of a run, with what is known of the layer that is looked at. @param {Recipe} recipe @param {About} about */
  show(recipe, about) {
    this.recipe = recipe;
    this.said.textContent = "";
    const drawn = drawnLayers(recipe);
    const model = modelLayers(recipe);
    const settings = settingsOf(recipe);
    this.content.replaceChildren(
      facts(factsOf(recipe, about)),
      ...(about.statistics.length ? [section("Statistics",
        facts(about.statistics.map(({ label, description }) => [capital(label), description])))] : []),
      ...(drawn.length ? [section("Layers drawn",
        table("Layers drawn", ["Layer", "Filters", "Tile", "Objective"], drawn))] : []),
      ...(model.length ? [section(`Model${modelName(recipe) ? ` ${modelName(recipe)}` : ""}`,
        table("Layers of the model", ["Layer", "Class", "Weights"], model))] : []),
      ...(settings.length ? [element("details", {}, element("summary", {}, "All settings"), facts(settings))] : []));
    this.root.showModal();
    this.root.scrollTop = 0;
  }

  async copy() {
    const text = JSON.stringify(this.recipe, null, 2);
    try {
      await navigator.clipboard.writeText(text);
      this.said.textContent = "Copied.";
    } catch { // not offered to pages without https, nor to every frame
      this.said.textContent = this.copyOldWay(text) ? "Copied." : "This browser does not let the tab copy.";
    }
  }

  /** Whether it could be copied, out of an element that is there for a moment. @param {string} text */
  copyOldWay(text) {
    const area = element("textarea", { class: "sr", "aria-label": "Recipe" });
    area.value = text;
    const { activeElement } = document;
    this.root.append(area); // all else is out of reach while the dialog is open
    area.select();
    const isCopied = document.execCommand("copy");
    area.remove();
    if (activeElement instanceof HTMLElement) activeElement.focus();
    return isCopied;
  }
}
