// Where one is in the training: transport, slider, and the curve above it as a map.

import { lineColour } from "../host/run_colours.js";
import { placeOf } from "../pictures/geometry.js";
import { bestIndex, isComparing, isOtherRun, isOverview, runColours } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { Chart } from "../widgets/chart.js";
import { choice, element, iconButton, setIcon, setText } from "../widgets/dom.js";
import { popover } from "../widgets/popover.js";
import { ageWords, capital, kerasEpoch, nameOfStep, number, percent, plural, unitsOf } from "../words/format.js";
import { shortNames } from "../words/run_names.js";

const SPEEDS = /** @type {[string, string][]} */ ([["2", "2 / s"], ["5", "5 / s"], ["10", "10 / s"], ["30", "30 / s"],
  ["60", "60 / s"]]);
const PREFERRED = ["accuracy", "loss", "mean change"];
const FRESH_S = 600;
const BACKGROUNDS = { light: "#ffffff", dark: "#303030" };

/** @typedef {import("../state/state.js").State} State */

export class Timeline {
  /** @param {import("../state/actions.js").Actions} actions */
  constructor(actions) {
    this.actions = actions;
    const { player } = actions;
    this.readout = element("output", { class: "readout" });
    this.total = element("span", { class: "readout-total" });
    this.playButton = iconButton("play", "Play", "space", () => player.toggle());
    this.loopButton = iconButton("loop", "Loop", "l", () => this.toggleLoop());
    this.speedChoice = choice("Speed", (value) => actions.store.update({ speed: Number(value) }));
    this.metric = choice("Curve", (value) => actions.set({ metric: value }));
    this.legend = element("span", { class: "legend" });
    this.hovered = element("span", { class: "chart-hint quiet" });
    this.chart = new Chart({ label: "Curve of the training", height: 56, onGo: (place) => this.goTo(place),
      onPoint: (place) => this.pointAt(place) });
    this.slider = element("input", { type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": "Epoch",
      on: { input: () => actions.jump(Number(this.slider.value)) } });
    this.live = element("button", { type: "button", class: "live" });
    this.livePopover = popover(this.live, element("div", { class: "live-text" },
      element("p", {}, "This training still writes. New steps are fetched every few seconds while this tab is looked at; at the "
        + "latest step, the pictures follow."),
      element("p", {}, "For TensorBoard's other tabs: the gear at the top right, then “Reload data”, has it reload by itself "
        + "(every 30 seconds, unless you set less).")));
    const go = (/** @type {number} */ by) => actions.jump(actions.state.index + by);
    this.root = element("section", { class: "timeline", "aria-label": "Timeline" },
      element("div", { class: "transport" },
        element("div", { class: "readout-line" }, this.readout, this.total),
        element("div", { class: "buttons" },
          iconButton("first", "First", "Home", () => actions.jump(0)),
          iconButton("back", "Step back", ", or ←", () => go(-1)),
          this.playButton,
          iconButton("forward", "Step forward", ". or →", () => go(1)),
          iconButton("last", "Last", "End", () => actions.jump(Infinity)),
          this.loopButton,
          this.speedChoice.wrapper)),
      element("div", { class: "track" },
        element("div", { class: "track-head" }, this.metric.wrapper, this.legend, this.hovered, element("span", { class: "space" }),
          this.live, this.livePopover.panel),
        this.chart.root, this.slider));
    this.isOtherCurve = changes();
    this.isOtherStep = changes();
    /** @type {{values: Map<number, number | null>, value: HTMLElement}[]} */
    this.keys = [];
    setInterval(() => this.showLive(actions.state), 1000);
  }

  toggleLoop() {
    this.actions.store.update({ isLooping: !this.actions.state.isLooping });
  }

  /** @param {number} place */
  goTo(place) {
    this.actions.jump(Math.round(place * (this.actions.state.recording.steps.length - 1)));
  }

  // Epoch and values below the cursor.
  /** @param {number | null} place */
  pointAt(place) {
    const { recording } = this.actions.state;
    if (place === null || !recording) {
      this.chart.pointAt(null);
      setText(this.hovered, "");
      return;
    }
    const last = recording.steps.length - 1;
    const at = Math.round(place * last);
    const step = recording.steps[at];
    this.chart.pointAt(last ? at / last : 0);
    const values = this.keys.map(({ values: known, name }) => [name, known.get(step)]).filter(([, value]) => typeof value === "number");
    const marks = this.chart.marks.filter((mark) => Math.round(mark.place * last) === at).map(({ label }) => label);
    setText(this.hovered, [capital(nameOfStep(step, recording.unit)),
      ...values.map(([name, value]) => `${name} ${number(Number(value))}`), ...marks].join(" · "));
  }

  /** @param {State} state */
  render(state) {
    if (!state.recording || isOverview(state)) return;
    const { recording, other, view, isDark, known } = state;
    if (this.isOtherCurve(recording, recording.version, isComparing(state) && other, other?.version, view.metric, isDark, known)) {
      this.showCurves(state);
    }
    if (this.isOtherStep(recording, recording.version, state.index, state.isPlaying, state.isLooping, state.speed)) this.showStep(state);
    this.showLive(state);
  }

  // Once per recording, or when it has grown: curves and the length of the slider.
  /** @param {State} state */
  showCurves(state) {
    const { recording, other, view, isDark } = state;
    const { steps, unit } = recording;
    const metrics = [...new Set(recording.curves.map((curve) => curve.metric))];
    const rank = (/** @type {string} */ metric) => (PREFERRED.indexOf(metric) + PREFERRED.length + 1) % (PREFERRED.length + 1);
    metrics.sort((one, two) => rank(one) - rank(two));
    const chosen = metrics.includes(view.metric) ? view.metric : metrics[0];
    this.metric.set(metrics.map((name) => [name, capital(name.replaceAll("_", " "))]), chosen);
    this.metric.wrapper.hidden = !metrics.length;
    const isTwo = isComparing(state) && isOtherRun(state) && other !== null;
    const names = shortNames(isTwo ? [recording.run, other.run] : [recording.run]);
    const own = recording.curves.filter((curve) => curve.metric === chosen);
    const theirs = isTwo && other.unit === unit ? other.curves.filter((curve) => curve.metric === chosen
      && !own.some((one) => one.run === curve.run && one.tag === curve.tag)) : [];
    const colours = runColours(state);
    const background = BACKGROUNDS[isDark ? "dark" : "light"];
    const curves = [...theirs.map((curve) => ({ curve, of: other })), ...own.map((curve) => ({ curve, of: recording }))]
      .map(({ curve, of }) => ({ curve, name: [isTwo ? names.get(of.run)?.text : "", curve.of].filter(Boolean).join(" "),
        colour: colours.has(curve.run) ? lineColour(colours.get(curve.run), background) : undefined,
        tone: { validation: "tone-accent", train: "tone-quiet" }[curve.of] ?? "tone-own",
        isDashed: of !== recording, values: new Map(curve.points) }));
    this.chart.set(curves.map(({ curve, colour, tone, isDashed }) => ({ tone: colour ? "" : tone, colour, isDashed,
      points: curve.points.map(([step, value]) => [placeOf(step, steps), value]) })), { marks: marksOf(state) });
    this.chart.label(chosen ? `${chosen} over the ${unitsOf(unit)}; the line stands at the one that is shown`
      : "No curve was logged in this run");
    this.keys = curves.map(({ name, values, colour, tone, isDashed }) => ({ name, values, value: element("strong", {}), colour, tone, isDashed }));
    this.legend.replaceChildren(...this.keys.map(({ name, value, colour, tone, isDashed }) =>
      element("span", { class: `key ${colour ? "" : tone}${isDashed ? " dashed" : ""}`, style: colour && `--key: ${colour}` },
        name ? `${name} ` : "", value)));
    this.slider.max = String(Math.max(0, steps.length - 1));
    this.slider.setAttribute("aria-label", capital(unit));
    this.isOtherStep();
  }

  /** @param {State} state */
  showStep({ recording, index, isPlaying, isLooping, speed }) {
    const { steps, unit } = recording;
    const name = nameOfStep(steps[index], unit);
    setText(this.readout, capital(name));
    const keras = kerasEpoch(steps[index], unit);
    setText(this.total, [`${index + 1} of ${plural(steps.length, "picture")}`, keras].filter(Boolean).join(" · "));
    for (const { values, value } of this.keys) {
      const now = values.get(steps[index]);
      setText(value, now === undefined ? "" : number(now));
    }
    this.slider.value = String(index);
    this.slider.setAttribute("aria-valuetext", name);
    this.chart.at(steps.length > 1 ? index / (steps.length - 1) : 0);
    setIcon(this.playButton, isPlaying ? "pause" : "play", isPlaying ? "Pause" : "Play", "space");
    this.loopButton.setAttribute("aria-pressed", String(isLooping));
    this.speedChoice.set(SPEEDS, String(speed));
  }

  // How old the latest step is, of a training that goes on.
  /** @param {State} state */
  showLive({ recording }) {
    const age = recording ? Date.now() / 1000 - recording.about.last_wall_time : Infinity;
    this.live.hidden = age > FRESH_S;
    if (this.live.hidden || !recording) return;
    setText(this.live, `Live: ${nameOfStep(recording.steps.at(-1), recording.unit)}, ${ageWords(age)}`);
  }
}

/** What stands out in a training. @param {State} state @returns {import("../widgets/chart.js").Mark[]} */
function marksOf(state) {
  const { recording } = state;
  const { steps, unit } = recording;
  const last = steps.length - 1;
  if (last < 1) return [];
  const marks = [];
  const best = bestIndex(state);
  if (best >= 0) marks.push({ place: best / last, kind: "best", label: `best on validation data (b): ${nameOfStep(steps[best], unit)}` });
  const means = steps.map((_, at) => {
    const row = (recording.row("change", at) ?? []).filter((/** @type {number | null} */ value) => value !== null);
    return row.length ? row.reduce((/** @type {number} */ sum, /** @type {number} */ value) => sum + value, 0) / row.length : 0;
  });
  const most = Math.max(...means);
  if (most > 0) {
    const at = means.indexOf(most);
    marks.push({ place: at / last, kind: "change", label: `largest change: ${nameOfStep(steps[at], unit)}, ${percent(most)}` });
  }
  const deaths = new Map();
  for (const filter of recording.filters) {
    const { outcome, since } = recording.formed(filter);
    if (outcome === "stuck" && since !== steps[0]) deaths.set(since, (deaths.get(since) ?? 0) + 1);
  }
  for (const [step, count] of deaths) {
    marks.push({ place: steps.indexOf(step) / last, kind: "alarm", label: `${plural(count, "filter")} got stuck for good` });
  }
  return marks;
}


