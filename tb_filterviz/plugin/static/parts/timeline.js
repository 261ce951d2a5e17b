// Where one is in the training: transport, slider, and the curve above it as a map.

import { lineColour } from "../host/run_colours.js";
import { placeOf } from "../pictures/geometry.js";
import { bestIndex, FRESH_S, isComparing, isOtherRun, runColours, shareOfWay } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { Chart } from "../widgets/chart.js";
import { choice, element, iconButton, setIcon, setText } from "../widgets/dom.js";
import { meanChange } from "../widgets/figures.js";
import { popover } from "../widgets/popover.js";
import { ageWords, capital, kerasEpoch, nameOfStep, number, percent, plural, unitsOf } from "../words/format.js";
import { cutMiddle, shortNames } from "../words/run_names.js";

/**
 * @typedef {import("../state/state.js").State} State
 * @typedef {import("../state/state.js").LayerState} LayerState
 * @typedef {import("../data/recording.js").Recording} Recording
 * @typedef {import("../data/recording.js").TrainingCurve} TrainingCurve
 *
 * @typedef {object} Line a curve of the training, as it is drawn
 * @property {TrainingCurve} curve
 * @property {string} name
 * @property {string | undefined} colour of its run
 * @property {string} tone without a colour
 * @property {boolean} isDashed of what is compared with
 *
 * @typedef {{name: string, values: Map<number, number | null>, value: HTMLElement}} Key of a line, with its value of now
 */

/** @type {import("../widgets/dom.js").Option<string>[]} */
const SPEEDS = [["2", "2 / s"], ["5", "5 / s"], ["10", "10 / s"], ["30", "30 / s"], ["60", "60 / s"]];
const LONGEST_NAME = 12; // of a run in the legend, where there are two
const PREFERRED = ["accuracy", "loss", "mean change"];
const BACKGROUNDS = { light: "#ffffff", dark: "#303030" };
const TONES = new Map([["validation", "tone-accent"], ["train", "tone-quiet"]]);

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
    this.chart = new Chart({ label: "Curve of the training", height: 56, onGo: (share) => actions.jumpToShare(share),
      onPoint: (place) => this.pointAt(place) });
    this.slider = element("input", { type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": "Epoch",
      on: { input: () => actions.jump(Number(this.slider.value)) } });
    this.live = element("button", { type: "button", class: "live" });
    this.livePopover = popover(this.live, element("div", { class: "live-text" },
      element("p", {}, "This training still writes. New steps are fetched every few seconds while this tab is looked at; "
        + "at the latest step, the pictures follow."),
      element("p", {}, "For TensorBoard's other tabs: the gear at the top right, then “Reload data”, has it reload by "
        + "itself (every 30 seconds, unless you set less).")));
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
        element("div", { class: "track-head" }, this.metric.wrapper, this.legend, this.hovered,
          element("span", { class: "space" }), this.live, this.livePopover.panel),
        this.chart.root, this.slider));
    this.isOtherCurve = changes();
    this.isOtherStep = changes();
    /** @type {Key[]} */
    this.keys = [];
    setInterval(() => this.showLive(actions.state), 1000);
  }

  toggleLoop() {
    this.actions.store.update({ isLooping: !this.actions.state.isLooping });
  }

  /** Shows the step and the values below the cursor. @param {number | null} place */
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
    const values = this.keys.flatMap(({ values: known, name }) => {
      const value = known.get(step);
      return value === undefined || value === null ? [] : [`${name} ${number(value)}`];
    });
    const marks = this.chart.marks.filter((mark) => Math.round(mark.place * last) === at).map(({ label }) => label);
    setText(this.hovered, [capital(nameOfStep(step, recording.unit)), ...values, ...marks].join(" · "));
  }

  /** @param {LayerState} state */
  render(state) {
    const { recording, other, view, isDark, known, index, isPlaying, isLooping, speed } = state;
    const { version } = recording;
    if (this.isOtherCurve(recording, version, isComparing(state) && other, other?.version, view.metric, isDark, known)) {
      this.showCurves(state);
    }
    if (this.isOtherStep(recording, version, index, isPlaying, isLooping, speed)) this.showStep(state);
    this.showLive(state);
  }

  /** Once per recording, or when it has grown: curves and the length of the slider. @param {LayerState} state */
  showCurves(state) {
    const { recording, view } = state;
    const { steps, unit } = recording;
    const metrics = metricsOf(recording);
    const chosen = metrics.find((metric) => metric === view.metric) ?? metrics[0] ?? "";
    this.metric.set(metrics.map((name) => [name, capital(name.replaceAll("_", " "))]), chosen);
    this.metric.wrapper.hidden = !metrics.length;
    const lines = linesOf(state, chosen);
    this.chart.set(lines.map(({ curve, colour, tone, isDashed }) => ({ tone: colour ? "" : tone, colour, isDashed,
      points: curve.points.map(([step, value]) => [placeOf(step, steps), value]) })), { marks: marksOf(state) });
    this.chart.label(chosen ? `${chosen} over the ${unitsOf(unit)}; the line stands at the one that is shown`
      : "No curve was logged in this run");
    this.keys = lines.map(({ name, curve }) => ({ name, values: new Map(curve.points), value: element("strong", {}) }));
    this.legend.replaceChildren(...lines.map(({ name, colour, tone, isDashed }, at) => element("span",
      { class: `key ${colour ? "" : tone}${isDashed ? " dashed" : ""}`, style: colour && `--key: ${colour}` },
      name ? `${name} ` : "", this.keys[at].value)));
    this.slider.max = String(Math.max(0, steps.length - 1));
    this.slider.setAttribute("aria-label", capital(unit));
    this.isOtherStep();
  }

  /** @param {LayerState} state */
  showStep(state) {
    const { recording, index, isPlaying, isLooping, speed } = state;
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
    this.chart.at(shareOfWay(state));
    setIcon(this.playButton, isPlaying ? "pause" : "play", isPlaying ? "Pause" : "Play", "space");
    this.loopButton.setAttribute("aria-pressed", String(isLooping));
    this.speedChoice.set(SPEEDS, String(speed));
  }

  /** How old the latest step is, of a training that goes on. @param {State} state */
  showLive({ recording, saved }) {
    const age = recording ? Date.now() / 1000 - recording.about.last_wall_time : Infinity;
    this.live.hidden = age > FRESH_S || saved !== null;
    const step = recording?.steps.at(-1);
    if (this.live.hidden || !recording || step === undefined) return;
    setText(this.live, `Live: ${nameOfStep(step, recording.unit)}, ${ageWords(age)}`);
  }
}

/** The metrics that were logged, those that one looks for first. @param {Recording} recording */
function metricsOf({ curves }) {
  const rank = (/** @type {string} */ metric) => (PREFERRED.indexOf(metric) + PREFERRED.length + 1) % (PREFERRED.length + 1);
  return [...new Set(curves.map(({ metric }) => metric))].sort((one, two) => rank(one) - rank(two));
}

/**
 * The curves of a metric: those of what is compared with, then one's own.
 *
 * @param {LayerState} state
 * @param {string} metric
 * @returns {Line[]}
 */
function linesOf(state, metric) {
  const { recording, other } = state;
  const compared = isComparing(state) && isOtherRun(state) ? other : null;
  const names = shortNames(compared ? [recording.run, compared.run] : []);
  const colours = runColours(state);
  const background = BACKGROUNDS[state.isDark ? "dark" : "light"];
  const toLine = (/** @type {TrainingCurve} */ curve, /** @type {Recording} */ of) => {
    const colour = colours.get(curve.run);
    const name = [cutMiddle(names.get(of.run)?.text ?? "", LONGEST_NAME), curve.of].filter(Boolean).join(" ");
    return { curve, name, colour: colour && lineColour(colour, background), tone: TONES.get(curve.of) ?? "tone-own",
      isDashed: of !== recording };
  };
  const own = recording.curves.filter((curve) => curve.metric === metric);
  const lines = own.map((curve) => toLine(curve, recording));
  if (compared?.unit !== recording.unit) return lines;
  const theirs = compared.curves.filter((curve) => curve.metric === metric
    && !own.some((one) => one.run === curve.run && one.tag === curve.tag));
  return [...theirs.map((curve) => toLine(curve, compared)), ...lines];
}

/** What stands out in a training. @param {LayerState} state @returns {import("../widgets/chart.js").Mark[]} */
function marksOf(state) {
  const { recording } = state;
  const { steps, unit } = recording;
  const last = steps.length - 1;
  if (last < 1) return [];
  const marks = [];
  const best = bestIndex(state);
  if (best >= 0) {
    marks.push({ place: best / last, kind: "best", label: `best on validation data (b): ${nameOfStep(steps[best], unit)}` });
  }
  const means = meanChange(recording).map((mean) => mean ?? 0);
  const most = Math.max(...means);
  if (most > 0) {
    const at = means.indexOf(most);
    const label = `largest change: ${nameOfStep(steps[at], unit)}, ${percent(most)}`;
    marks.push({ place: at / last, kind: "change", label });
  }
  /** @type {Map<number, number>} how many filters got stuck at a step and stayed so */
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
