// At the side: the layer as a whole.

import { recipeOf } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { element, setText } from "../widgets/dom.js";
import { Figures, ofLayer, spread } from "../widgets/figures.js";
import { capital, nameOfStep, number, percent, plural } from "../words/format.js";

const MOST_CHIPS = 24;

/** @typedef {import("../state/state.js").State} State */

export class LayerPanel {
  /** @param {import("../state/actions.js").Actions} actions @param {() => void} showRecipe */
  constructor(actions, showRecipe) {
    this.actions = actions;
    const onGo = (/** @type {number} */ place) => actions.jump(Math.round(place * (actions.state.recording.steps.length - 1)));
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

  /** @param {State} state */
  render(state) {
    const { recording, index } = state;
    if (this.isOtherLayer(recording, recording.version, recipeOf(state))) this.showLayer(state);
    if (!this.isOtherMoment(recording, recording.version, index)) return;
    this.showStuck(state);
    this.showAlarms(state);
    const place = recording.steps.length > 1 ? index / (recording.steps.length - 1) : 0;
    this.usual.at(place, index);
    this.others.at(place, index);
  }

  /** @param {State} state */
  showLayer(state) {
    const { recording } = state;
    const { about } = recording;
    const [height, width] = about.tile;
    setText(this.title, about.name);
    setText(this.about, `Each tile is the input that maximizes ${about.description}`
      + `${about.receptive_field ? ", cut to its receptive field" : ""}: `
      + `${plural(about.filters, about.indices ? "chosen filter" : "filter")}, ${width} × ${height} px, ${about.channels}.`);
    this.recipe.hidden = !recipeOf(state);
    const usual = [recording.description("responsive"), recording.description("change"), recording.worth];
    this.usual.set(usual.filter((one) => one !== undefined).map((one) => this.figure(recording, one)));
    this.others.set(recording.shownOthers.map((one) => ({ ...this.figure(recording, one), title: capital(one.label) })));
  }

  /** @param {import("../data/recording.js").Recording} recording @param {import("../state/state.js").StatisticAbout} statistic */
  figure(recording, statistic) {
    const { label, description, unit } = statistic;
    const isFlag = unit === "flag";
    const title = isFlag ? `${capital(label)} filters` : `${capital(label)}, mean`;
    return { title, explanation: `${title}: ${description}`, label: `${title}, over time`,
      curves: [{ tone: "tone-own", points: spread(ofLayer(recording, statistic)) }],
      range: isFlag ? [0, recording.about.filters] : null, show: unit === "share" ? percent : number };
  }

  /** @param {State} state */
  showStuck({ index, recording }) {
    const { steps } = recording;
    const responsive = recording.row("responsive", index);
    this.headline.hidden = !responsive;
    const stuck = recording.filters.filter((filter) => recording.isStuck(filter, index));
    const all = recording.about.filters;
    const when = nameOfStep(steps[index], recording.unit);
    setText(this.count, String(all - stuck.length));
    setText(this.countOf, ` of ${all} ${recording.description("responsive")?.label} `
      + `${when === "before training" ? when : `at ${when}`}`);
    /** @type {Map<number, number[]>} */
    const bySince = new Map();
    for (const filter of stuck) {
      const since = recording.stuckFrom(filter, index) ?? steps[0];
      bySince.set(since, [...(bySince.get(since) ?? []), filter]);
    }
    this.showChips(this.stuck, all, [...bySince].sort(([one], [other]) => one - other).map(([since, filters]) =>
      [`Stuck since ${nameOfStep(since, recording.unit)}`, filters]));
  }

  // What examples tell: filters that none of them switches on, and those that are never off.
  /** @param {State} state */
  showAlarms({ index, recording }) {
    const of = (/** @type {string} */ name, /** @type {number} */ value) => {
      const row = recording.row(name, index);
      return row ? recording.filters.filter((_, place) => row[place] === value) : [];
    };
    this.showChips(this.alarms, recording.about.filters, [["Dead, on no example on", of("excited", 0)], ["Always on", of("on", 1)]]);
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
      const more = filters.length - shown.length;
      return [element("span", { class: "quiet" }, `${words}:`), ...shown.map((filter) => this.chip(filter, words)),
        ...(more ? [element("span", { class: "quiet" }, `${shown.length ? "and " : ""}${more}${shown.length ? " more" : ""}`)] : [])];
    }));
  }

  /** @param {number} filter @param {string} words */
  chip(filter, words) {
    return element("button", { type: "button", class: "chip", "aria-label": `Filter ${filter}, ${words.toLowerCase()}`,
      on: { click: () => this.actions.set({ filter }) } }, String(filter));
  }
}
