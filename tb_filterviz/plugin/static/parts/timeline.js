// Where one is in the training: transport, slider, and the curve above it as a map.

import { Chart } from "../widgets/chart.js";
import { choice, element, iconButton, setIcon } from "../widgets/dom.js";
import { capital, nameOfStep, number, plural, unitsOf } from "../words/format.js";
import { placeOf } from "../pictures/geometry.js";

const SPEEDS = [["2", "2 / s"], ["5", "5 / s"], ["10", "10 / s"], ["30", "30 / s"], ["60", "60 / s"]];
const PREFERRED = ["accuracy", "loss", "mean change"];

export class Timeline {
  constructor(app) {
    this.app = app;
    this.playing = null;
    this.speed = 5;
    this.readout = element("output", { class: "readout" });
    this.total = element("span", { class: "readout-total" });
    this.playButton = iconButton("play", "Play", "space", () => this.toggle());
    this.speedChoice = choice("Speed", (value) => { this.speed = Number(value); });
    this.speedChoice.set(SPEEDS, "5");
    this.metric = choice("Curve", (value) => app.set({ metric: value }));
    this.legend = element("span", { class: "legend" });
    this.chart = new Chart({ label: "Curve of the training", height: 56, onGo: (place) => this.goTo(place) });
    this.slider = element("input", { type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": "Epoch",
      on: { input: () => { this.stop(); app.goToIndex(Number(this.slider.value)); } } });
    this.root = element("section", { class: "timeline", "aria-label": "Timeline" },
      element("div", { class: "transport" },
        element("div", { class: "readout-line" }, this.readout, this.total),
        element("div", { class: "buttons" },
          iconButton("first", "First", "Home", () => this.jump(0)),
          iconButton("back", "Step back", ", or ←", () => this.jump(app.index - 1)),
          this.playButton,
          iconButton("forward", "Step forward", ". or →", () => this.jump(app.index + 1)),
          iconButton("last", "Last", "End", () => this.jump(Infinity)),
          this.speedChoice.wrapper)),
      element("div", { class: "track" },
        element("div", { class: "track-head" }, this.metric.wrapper, this.legend),
        this.chart.root, this.slider));
  }

  goTo(place) {
    this.jump(Math.round(place * (this.app.steps.length - 1)));
  }

  jump(index) {
    this.stop();
    this.app.goToIndex(index);
  }

  toggle() {
    if (this.playing) this.stop();
    else this.play();
  }

  play() {
    const { app } = this;
    if (app.steps.length < 2) return;
    if (app.index === app.steps.length - 1) app.goToIndex(0);
    let due = performance.now() + 1000 / this.speed;
    const frame = (now) => {
      if (!this.playing) return;
      if (document.hidden || app.index >= app.steps.length - 1) {
        this.stop();
        return;
      }
      if (now >= due) {
        const passed = Math.max(1, Math.floor(((now - due) * this.speed) / 1000) + 1);
        due += (passed * 1000) / this.speed;
        app.goToIndex(app.index + passed);
      }
      this.playing = requestAnimationFrame(frame);
    };
    this.playing = requestAnimationFrame(frame);
    setIcon(this.playButton, "pause", "Pause", "space");
  }

  stop() {
    if (!this.playing) return;
    cancelAnimationFrame(this.playing);
    this.playing = null;
    setIcon(this.playButton, "play", "Play", "space");
    this.app.announceStep();
  }

  // Once per recording, or when it has grown: curves and the length of the slider.
  updateCurves() {
    const { curves, steps, about } = this.app.recording;
    const metrics = [...new Set(curves.map((curve) => curve.metric))];
    const rank = (metric) => (PREFERRED.indexOf(metric) + PREFERRED.length + 1) % (PREFERRED.length + 1);
    metrics.sort((one, other) => rank(one) - rank(other));
    const { metric } = this.app.state;
    const chosen = metrics.includes(metric) ? metric : metrics[0];
    this.metric.set(metrics.map((name) => [name, capital(name.replaceAll("_", " "))]), chosen);
    this.metric.wrapper.hidden = !metrics.length;
    const shown = curves.filter((curve) => curve.metric === chosen);
    const tone = (curve) => ({ validation: "tone-accent", train: "tone-quiet" }[curve.of] ?? "tone-own");
    this.chart.set(shown.map((curve) => ({ tone: tone(curve),
      points: curve.points.map(([step, value]) => [placeOf(step, steps), value]) })));
    this.chart.label(chosen ? `${chosen} over the ${unitsOf(about.unit)}; the line stands at the one that is shown`
      : "No curve was logged in this run");
    this.keys = shown.map((curve) => ({ values: new Map(curve.points), value: element("strong", {}), curve }));
    this.legend.replaceChildren(...this.keys.map(({ value, curve }) =>
      element("span", { class: `key ${tone(curve)}` }, curve.of ? `${curve.of} ` : "", value)));
    this.slider.max = Math.max(0, steps.length - 1);
    this.slider.setAttribute("aria-label", capital(about.unit));
  }

  update() {
    const { index, steps, recording } = this.app;
    const name = nameOfStep(steps[index], recording.about.unit);
    this.readout.textContent = capital(name);
    this.total.textContent = `${index + 1} of ${plural(steps.length, "picture")}`;
    for (const { values, value } of this.keys) {
      const now = values.get(steps[index]);
      value.textContent = now === undefined ? "" : number(now);
    }
    this.slider.value = index;
    this.slider.setAttribute("aria-valuetext", name);
    this.chart.at(steps.length > 1 ? index / (steps.length - 1) : 0);
  }
}
