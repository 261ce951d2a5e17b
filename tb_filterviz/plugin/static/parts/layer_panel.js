// At the side: the layer as a whole.

import { recipeOf, shareOfWay, sizeWords } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { element, setText } from "../widgets/dom.js";
import { Figures, ofLayer, spread } from "../widgets/figures.js";
import { capital, nameOfStep } from "../words/format.js";
import { atStep } from "../words/sentences.js";

const MOST_CHIPS = 24;

/**
 * @typedef {import("../state/state.js").LayerState} LayerState
 * @typedef {import("../state/state.js").StatisticAbout} StatisticAbout
 * @typedef {import("../data/recording.js").Recording} Recording
 */

export class LayerPanel {
  /** @param {import("../state/actions.js").Actions} actions @param {() => void} showRecipe */
  constructor(actions, showRecipe) {
    this.actions = actions;
    const onGo = (/** @type {number} */ share) => actions.jumpToShare(share);
    this.usual = new Figures({ height: 46, onGo });
    this.others = new Figures({ height: 30, className: "pair", onGo });
    this.title = element("h2", {});
    this.about = element("p", { class: "quiet" });
    this.recipe = element("button", { type: "button", class: "button small", title: "How it was drawn (i)",
      on: { click: showRecipe } }, "How it was drawn");
    this.count = element("strong", { class: "big" });
    this.countOf = element("span", { class: "quiet" });
    this.headline = element("p", { class: "headline" }, this.count, this.countOf);
    this.stuck = element("div", { class: "chips" });
    this.alarms = element("div", { class: "chips" });
    this.root = element("div", { class: "panel-inside" },
      element("header", { class: "panel-head" }, element("div", { class: "panel-title" }, this.title), this.recipe),
      this.about, this.headline, this.stuck, this.alarms, this.usual.root, this.others.root,
      element("p", { class: "quiet hint" }, "Choose a filter to see how it formed."));
    this.isOtherLayer = changes();
    this.isOtherMoment = changes();
  }

  /** @param {LayerState} state */
  render(state) {
    const { recording, index } = state;
    if (this.isOtherLayer(recording, recording.version, recipeOf(state))) this.showLayer(state);
    if (!this.isOtherMoment(recording, recording.version, index)) return;
    this.showStuck(state);
    this.showAlarms(state);
    this.usual.at(shareOfWay(state), index);
    this.others.at(shareOfWay(state), index);
  }

  /** @param {LayerState} state */
  showLayer(state) {
    const { recording } = state;
    const { about } = recording;
    setText(this.title, about.name);
    setText(this.about, `Each tile is the input that maximizes ${about.description}`
      + `${about.receptive_field ? ", cut to its receptive field" : ""}: ${sizeWords(about)}.`);
    this.recipe.hidden = !recipeOf(state);
    const usual = [recording.description("responsive"), recording.description("change"), recording.worth];
    this.usual.set(usual.filter((one) => one !== undefined).map((one) => this.figure(recording, one)));
    this.others.set(recording.shownOthers.map((one) => ({ ...this.figure(recording, one), title: capital(one.label) })));
  }

  /**
   * @param {Recording} recording
   * @param {StatisticAbout} statistic
   * @returns {import("../widgets/figures.js").FigureOf}
   */
  figure(recording, statistic) {
    const { label, description, unit } = statistic;
    const isFlag = unit === "flag";
    const title = isFlag ? `${capital(label)} filters` : `${capital(label)}, mean`;
    return { title, explanation: `${title}: ${description}`, label: `${title}, over time`,
      curves: [{ tone: "tone-own", points: spread(ofLayer(recording, statistic)) }],
      range: isFlag ? [0, recording.about.filters] : null, unit };
  }

  /** @param {LayerState} state */
  showStuck({ index, recording }) {
    const { steps, unit, filters } = recording;
    /** @type {Map<number, number[]>} */
    const bySince = new Map();
    for (const filter of filters) {
      const since = recording.stuckFrom(filter, index);
      if (since !== undefined) bySince.set(since, [...(bySince.get(since) ?? []), filter]);
    }
    const all = recording.about.filters;
    const stuck = [...bySince.values()].flat().length;
    this.headline.hidden = !recording.row("responsive", index);
    setText(this.count, String(all - stuck));
    setText(this.countOf, ` of ${all} ${recording.description("responsive")?.label} ${atStep(steps[index], unit)}`);
    this.showChips(this.stuck, all, [...bySince].sort(([one], [other]) => one - other).map(([since, found]) =>
      [`Stuck since ${nameOfStep(since, unit)}`, found]));
  }

  /** What examples tell: filters that none of them switches on, and those that are never off. @param {LayerState} state */
  showAlarms({ index, recording }) {
    this.showChips(this.alarms, recording.about.filters, [
      ["Dead, on no example on", recording.filtersWith("excited", index, 0) ?? []],
      ["Always on", recording.filtersWith("on", index, 1) ?? []],
    ]);
  }

  /**
   * Filters that something holds for, as buttons; of all of them, only that it is so.
   *
   * @param {HTMLElement} box
   * @param {number} all how many filters there are
   * @param {[string, number[]][]} listed
   */
  showChips(box, all, listed) {
    const told = listed.filter(([, filters]) => filters.length);
    const key = JSON.stringify(told);
    if (key === box.dataset.key) return;
    box.dataset.key = key;
    box.hidden = !told.length;
    let room = MOST_CHIPS;
    box.replaceChildren(...told.flatMap(([words, filters]) => {
      if (filters.length === all && all > 1) return [element("span", {}, `${words}: all ${all}`)];
      const shown = filters.slice(0, room);
      room -= shown.length;
      const left = filters.length - shown.length;
      const more = shown.length ? `and ${left} more` : String(left);
      return [element("span", { class: "quiet" }, `${words}:`), ...shown.map((filter) => this.chip(filter, words)),
        ...(left ? [element("span", { class: "quiet" }, more)] : [])];
    }));
  }

  /** @param {number} filter @param {string} words */
  chip(filter, words) {
    return element("button", { type: "button", class: "chip", "aria-label": `Filter ${filter}, ${words.toLowerCase()}`,
      on: { click: () => this.actions.set({ filter }) } }, String(filter));
  }
}
