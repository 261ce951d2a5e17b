// At the side: the layer as a whole, or one filter.

import { Chart } from "./chart.js";
import { element, iconButton } from "./dom.js";
import { difference, drawAlone } from "./draw.js";
import { getReel } from "./data.js";
import { TileGrid } from "./grid.js";
import { capital, nameOfStep, number, percent, placeOf, plural, settledAt } from "./model.js";

const OBJECTIVES = {
  channel_mean: "the mean of a filter's response over the image",
  center_unit: "the response of a filter's centre unit",
};

function spread(values) {
  const last = Math.max(1, values.length - 1);
  return values.map((value, at) => [at / last, value]);
}

function mean(row) {
  const finite = row.filter((value) => value !== null);
  return finite.length ? finite.reduce((sum, value) => sum + value, 0) / finite.length : null;
}

// A chart under its title and its value of now.
function titled(title, chart) {
  chart.value = element("output", {});
  return element("figure", { class: "figure" },
    element("figcaption", { class: "caption" }, title, chart.value), chart.root);
}

// The first step of a run has nothing before it to differ from.
function withoutFirst(changes) {
  return changes.map((change, at) => (at === 0 ? null : change));
}

export class LayerPanel {
  constructor(app) {
    this.app = app;
    const chart = (label) => new Chart({ label, height: 46, onGo: (place) => app.timeline.goTo(place) });
    this.charts = { responsive: chart("Responsive filters over time"), change: chart("Mean change over time"),
      score: chart("Mean score over time") };
    this.title = element("h2", {});
    this.about = element("p", { class: "quiet" });
    this.count = element("strong", { class: "big" });
    this.countOf = element("span", { class: "quiet" });
    this.stuck = element("div", { class: "chips" });
    this.root = element("div", { class: "panel-inside" },
      this.title, this.about,
      element("p", { class: "headline" }, this.count, this.countOf), this.stuck,
      titled("Responsive filters", this.charts.responsive),
      titled("Change since the step before, mean", this.charts.change),
      titled("Score, mean", this.charts.score),
      element("p", { class: "quiet hint" }, "Choose a filter to see how it formed."));
  }

  updateCurves() {
    const { rows, about } = this.app.recording;
    const curve = (values) => [{ tone: "tone-own", points: spread(values) }];
    const [height, width] = about.tile;
    this.title.textContent = about.name;
    this.about.textContent = `Each tile is the input that maximizes ${OBJECTIVES[about.objective] ?? about.objective}`
      + `${about.receptive_field ? ", cut to its receptive field" : ""}: ${plural(about.filters, "filter")}, `
      + `${width} × ${height} px, ${about.channels}.`;
    const counts = (rows.responsive ?? []).map((row) => row.filter((value) => value === 1).length);
    this.charts.responsive.set(curve(counts), { range: [0, about.filters] });
    this.charts.change.set(curve(withoutFirst((rows.change ?? []).map(mean))), { show: percent });
    this.charts.score.set(curve((rows.score ?? []).map(mean)));
  }

  update() {
    const { index, recording, steps } = this.app;
    const stuck = (recording.row("responsive", index) ?? []).flatMap((value, filter) => (value ? [] : [filter]));
    const all = recording.about.filters;
    this.count.textContent = recording.rows.responsive ? String(all - stuck.length) : "–";
    this.countOf.textContent = ` of ${all} responsive ${nameOfStep(steps[index], recording.about.unit) === "before training"
      ? "before training" : `at ${nameOfStep(steps[index], recording.about.unit)}`}`;
    const key = stuck.join();
    if (key !== this.stuckKey) {
      this.stuckKey = key;
      this.stuck.replaceChildren(...(stuck.length ? [element("span", { class: "quiet" }, "Stuck:")] : []),
        ...stuck.slice(0, 24).map((filter) => element("button", { type: "button", class: "chip",
          "aria-label": `Filter ${filter}, stuck`, on: { click: () => this.app.set({ filter }) } }, String(filter))),
        ...(stuck.length > 24 ? [element("span", { class: "quiet" }, `and ${stuck.length - 24} more`)] : []));
    }
    const place = steps.length > 1 ? index / (steps.length - 1) : 0;
    for (const [name, show] of [["responsive", number], ["change", percent], ["score", number]]) {
      const chart = this.charts[name];
      const value = chart.curves[0]?.points[index]?.[1];
      chart.value.textContent = value === null || value === undefined ? "" : show(value);
      chart.at(place);
    }
  }
}

export class FilterPanel {
  constructor(app) {
    this.app = app;
    this.title = element("h2", { tabindex: "-1" });
    this.badges = element("span", { class: "badges" });
    this.map = element("canvas", { class: "map", role: "img" });
    this.place = element("p", { class: "quiet" });
    this.pictures = ["", "", ""].map(() => {
      const canvas = element("canvas", { role: "img" });
      const caption = element("figcaption", {});
      return { canvas, caption, root: element("figure", { class: "picture" }, canvas, caption) };
    });
    this.facts = element("dl", { class: "facts" });
    const chart = (label) => new Chart({ label, height: 38, onGo: (place) => app.timeline.goTo(place) });
    this.charts = { score: chart("Score over time"), change: chart("Change over time") };
    this.strip = new TileGrid({ label: "Filmstrip", className: "strip",
      pictureOf: (step) => this.pictureAt(step),
      nameOf: (step) => capital(nameOfStep(step, app.recording.about.unit)),
      onPick: (step) => { app.timeline.stop(); app.set({ step }); },
      onHover: (step) => { this.stripHint.textContent = step === null ? "" : capital(nameOfStep(step, app.recording.about.unit)); } });
    this.strip.fixedPx = 44;
    this.stripHint = element("span", { class: "quiet" });
    this.root = element("div", { class: "panel-inside" },
      element("header", { class: "panel-head" },
        element("div", { class: "panel-title" },
          element("div", { class: "title-line" }, this.title, this.badges), this.place),
        this.map,
        iconButton("close", "Close", "Escape", () => app.closeFilter())),
      element("div", { class: "pictures" }, this.pictures.map(({ root }) => root)),
      this.facts,
      element("div", { class: "pair" }, titled("Score", this.charts.score), titled("Change", this.charts.change)),
      element("figure", { class: "figure strip-figure" },
        element("figcaption", {}, "Filmstrip ", this.stripHint), this.strip.root));
  }

  pictureAt(step) {
    const { recording, state } = this.app;
    return this.reel?.find(step, state.filter) ?? recording.film.find(step, state.filter);
  }

  // When the filter, the layer or its length changes.
  async updateFilter() {
    const { recording, state, other, isComparing } = this.app;
    const { filter } = state;
    const [height, width] = recording.about.tile;
    this.reel = undefined;
    this.title.textContent = `Filter ${filter}`;
    const historyOf = (one, name) => (name === "change" ? withoutFirst(one.history(name, filter)) : one.history(name, filter));
    const curves = (name) => [
      ...(isComparing && other && other !== recording
        ? [{ tone: "tone-quiet", points: historyOf(other, name)
          .map((value, at) => [placeOf(other.steps[at], recording.steps), value]) }] : []),
      { tone: "tone-own", points: spread(historyOf(recording, name)) }];
    this.charts.score.set(curves("score"));
    this.charts.change.set(curves("change"), { show: percent });
    this.strip.fixedPx = Math.max(44, Math.min(64, width));
    this.strip.label(`Filmstrip of filter ${filter}: its picture at every ${recording.about.unit}`);
    this.strip.set(recording.steps, { width, height });
    this.drawMap();
    if (recording.film.factor > 1) {
      const reel = await getReel(recording.where, filter);
      if (this.app.state.filter !== filter || this.app.recording !== recording) return;
      this.reel = reel;
      this.app.schedule();
    }
  }

  drawMap() {
    const { order, state, grid } = this.app;
    const columns = Math.max(1, grid.columns ?? 1);
    const rows = Math.ceil(order.length / columns);
    const cell = Math.max(2, Math.min(8, Math.floor(96 / columns), Math.floor(56 / rows)));
    this.map.width = columns * cell;
    this.map.height = rows * cell;
    const context = this.map.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    order.forEach((filter, at) => {
      context.fillStyle = style.getPropertyValue(filter === state.filter ? "--accent" : "--line");
      context.fillRect((at % columns) * cell, Math.floor(at / columns) * cell, cell - 1, cell - 1);
    });
    const at = order.indexOf(state.filter);
    const where = `row ${Math.floor(at / columns) + 1}, column ${(at % columns) + 1} of the grid`;
    this.map.setAttribute("aria-label", `Its place: ${where}`);
    const { about } = this.app.recording;
    this.place.textContent = `Kernel ${state.filter + 1} of ${about.filters}, convolution ${about.position + 1} of the model, `
      + `row ${Math.floor(at / columns) + 1}, column ${(at % columns) + 1}`;
  }

  update() {
    const { recording, index, steps, state, isComparing } = this.app;
    const { filter } = state;
    const badge = recording.isStuck(filter, index) ? "stuck" : recording.isFlat(filter, index) ? "flat" : "";
    this.badges.textContent = badge;
    this.badges.hidden = !badge;
    if (isComparing) this.showComparison();
    else this.showNeighbours();
    this.showFacts();
    this.strip.select(steps[index]);
    this.strip.reveal(index);
    this.strip.draw();
    const place = steps.length > 1 ? index / (steps.length - 1) : 0;
    for (const chart of Object.values(this.charts)) chart.at(place);
  }

  show(slot, picture, caption, isCurrent) {
    const { canvas, caption: text, root } = this.pictures[slot];
    drawAlone(canvas, picture, canvas.parentElement.clientWidth || 104);
    canvas.setAttribute("aria-label", `Filter ${this.app.state.filter}, ${caption}`);
    text.textContent = caption;
    root.classList.toggle("current", isCurrent);
  }

  showNeighbours() {
    const { index, steps, recording } = this.app;
    [index - 1, index, index + 1].forEach((at, slot) => {
      const step = steps[at];
      const caption = step === undefined ? "–" : capital(nameOfStep(step, recording.about.unit));
      this.show(slot, step === undefined ? undefined : this.pictureAt(step), caption, slot === 1);
    });
  }

  showComparison() {
    const { app } = this;
    const before = app.other?.film?.find(app.otherStep, app.state.filter);
    const after = this.pictureAt(app.steps[app.index]);
    const changed = difference(before, after);
    this.show(0, before, app.otherName, false);
    this.show(1, after, app.nowName, true);
    this.show(2, changed, changed ? `Difference ${percent(changed.rms)}` : "No difference", false);
  }

  showFacts() {
    const { recording, index, steps, state } = this.app;
    const { filter } = state;
    const { unit } = recording.about;
    const scores = recording.row("score", index) ?? [];
    const better = scores.filter((score) => score > scores[filter]).length;
    const settled = settledAt(recording.history("change", filter));
    const facts = recording.rows.score ? [
      ["Score", number(scores[filter]), `rank ${better + 1} of ${scores.length}`],
      ["Change", percent(recording.row("change", index)?.[filter]), `${percent(recording.row("change_since_start", index)?.[filter])} since start`],
      ["Settled", settled >= steps.length - 1 ? "not yet" : nameOfStep(steps[settled], unit), ""],
    ] : [];
    this.facts.replaceChildren(...facts.map(([name, value, more]) => element("div", {},
      element("dt", {}, name), element("dd", {}, value), element("dd", { class: "quiet" }, more))));
  }
}
