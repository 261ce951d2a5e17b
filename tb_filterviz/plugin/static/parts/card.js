// What a filter does on real images: which excite it, which classes it serves, where it answers; and its kernel.

import { drawAlone } from "../pictures/draw.js";
import { exampleOf, hasKernels, hasMaps, stepOf } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { choice, element, segments } from "../widgets/dom.js";
import { capital, number, percent } from "../words/format.js";

const MOST_CLASSES = 10;
const PATCH_PX = 60;
const MAP_PX = 78;
const SLICE_PX = 36;

/** @typedef {import("../state/state.js").State} State */

export class Card {
  /** @param {import("../state/actions.js").Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.state = element("p", { class: "card-state" });
    this.isWhole = false;
    this.cut = segments("Show", (value) => { this.isWhole = value === "whole"; this.show(actions.state); });
    this.patches = element("ul", { class: "patches", "aria-label": "Examples that excite the filter most" });
    this.classes = element("dl", { class: "classes", "aria-label": "Mean response to each class" });
    this.classesTitle = element("h3", {}, "Classes");
    this.classesPart = element("section", { class: "card-part" }, this.classesTitle, this.classes);
    this.patchesPart = element("section", { class: "card-part" },
      element("header", { class: "card-head" }, element("h3", {}, "Excited most by"), this.cut.wrapper), this.patches);
    this.example = choice("Map on", (value) => actions.set({ example: Number(value) }));
    this.shown = element("canvas", { class: "map-picture", role: "img" });
    this.map = element("canvas", { class: "map-picture", role: "img" });
    this.mapText = element("p", { class: "quiet" });
    this.mapPart = element("section", { class: "card-part" },
      element("header", { class: "card-head" }, this.example.wrapper), element("div", { class: "map-row" }, this.shown, this.map),
      this.mapText);
    this.effective = element("canvas", { class: "map-picture", role: "img" });
    this.slices = element("ul", { class: "slices", "aria-label": "The kernel in its strongest input channels" });
    this.kernelPart = element("section", { class: "card-part" }, element("h3", {}, "Kernel"),
      element("div", { class: "map-row" }, this.effective, this.slices));
    this.root = element("section", { class: "card", "aria-label": "Examples and kernel" }, this.state,
      element("div", { class: "card-columns" }, this.patchesPart, this.classesPart),
      element("div", { class: "card-columns" }, this.mapPart, this.kernelPart));
    this.isOtherFilter = changes();
    this.isOtherMoment = changes();
  }

  /** @param {State} state */
  render(state) {
    const { recording, view } = state;
    if (this.isOtherFilter(recording, recording.about.last_wall_time, view.filter)) this.open(state);
    if (this.isOtherMoment(recording, recording.version, view.filter, state.index, view.example, state.maps, state.kernels, this.found)) {
      this.show(state);
    }
  }

  get parts() {
    return [this.state, this.patchesPart, this.classesPart, this.mapPart, this.kernelPart];
  }

  // When the filter, the layer or its length changes.
  /** @param {State} state */
  async open({ recording, view }) {
    const { responses, kernels } = recording.about;
    this.root.hidden = !responses && !kernels;
    const { filter, run } = view;
    if (this.shownFilter !== filter || this.shownRecording !== recording) { // not under the title of another
      this.found = undefined;
      for (const part of this.parts) part.hidden = true;
    }
    if (this.root.hidden) return;
    const request = {};
    this.request = request;
    try {
      const [examples, found] = await Promise.all([
        responses && this.actions.examplesOf(run).catch(() => undefined), recording.responses(filter)]);
      const now = this.actions.state;
      if (this.request !== request || now.view.filter !== filter || now.recording !== recording) return;
      Object.assign(this, { examples, found, shownFilter: filter, shownRecording: recording });
    } catch (error) {
      if (this.request !== request) return;
      this.state.hidden = false;
      this.state.textContent = `This could not be read: ${error.message}`;
      return;
    }
    this.show(this.actions.state);
  }

  // After a step.
  /** @param {State} state */
  show(state) {
    if (!this.found || this.root.hidden) return;
    this.showKernel(state);
    for (const part of [this.state, this.patchesPart, this.classesPart, this.mapPart]) part.hidden = !this.examples;
    if (!this.examples) return;
    this.state.textContent = this.words(state);
    this.cut.set([["patch", "Patch", "What the strongest unit sees"], ["whole", "Image", "The whole image, with what that unit sees"]],
      this.isWhole ? "whole" : "patch");
    this.showPatches(state, this.found.patches(stepOf(state)));
    this.showClasses(this.found.classes(stepOf(state)));
    this.showMap(state);
  }

  // Whether it is dead, always on, or selective, in a sentence.
  /** @param {State} state */
  words({ recording, index, view }) {
    const excited = recording.value("excited", index, view.filter);
    const on = recording.value("on", index, view.filter);
    const { count } = this.examples;
    const { is_gated: isGated, read_at: at } = recording.about.responses;
    if (!isGated) return `Read at ${at}, where no activation has been seen: whether it is on or off is not told.`;
    if (excited === undefined || excited === null) return "";
    if (excited === 0) return `Dead: none of ${count} examples switches it on.`;
    if (on === 1) return "Always on: its activation cuts off nothing, on any example.";
    return `On somewhere in ${percent(excited)} of ${count} examples; ${percent(on)} of its units are.`;
  }

  /** @param {State} state @param {any[]} patches */
  showPatches({ recording }, patches) {
    const { examples } = this;
    const whole = examples.image_shape;
    const about = recording.about.responses;
    this.patchesPart.hidden = !patches.length;
    while (this.patches.children.length > patches.length) this.patches.lastChild.remove();
    while (this.patches.children.length < patches.length) {
      const canvas = element("canvas", { role: "img" });
      this.patches.append(element("li", {}, canvas, element("span", { class: "quiet" })));
    }
    patches.forEach(({ example, row, column, value }, at) => {
      const [canvas, caption] = this.patches.children[at].children;
      const seen = examples.seenBy(about, row, column);
      const name = examples.nameOf(example);
      const text = `${capital(name)}, ${number(value)}: example ${example}, row ${Math.max(0, seen.top)}, column ${Math.max(0, seen.left)}`;
      caption.textContent = examples.classOf(example) ?? number(value);
      canvas.setAttribute("aria-label", text);
      canvas.title = text;
      const key = JSON.stringify([examples.run, examples.version, example, seen, this.isWhole]);
      if (canvas.dataset.key === key) return;
      canvas.dataset.key = key;
      examples.picture(example).then((picture) => {
        if (canvas.dataset.key === key) drawPart(canvas, picture, whole, seen, this.isWhole, PATCH_PX);
      }).catch(() => { canvas.dataset.key = ""; });
    });
  }

  showClasses(means) {
    const known = (means ?? []).map((value, at) => ({ value, name: this.examples.class_names[at] ?? String(at) }))
      .filter(({ value }) => value !== null);
    this.classesPart.hidden = !known.length;
    if (!known.length) return;
    const most = Math.max(...known.map(({ value }) => value), 1e-30);
    const isLong = known.length > MOST_CLASSES;
    const listed = isLong ? [...known].sort((one, other) => other.value - one.value).slice(0, MOST_CLASSES) : known;
    this.classesTitle.textContent = isLong ? `The first ${MOST_CLASSES} of ${known.length} classes` : "Classes";
    this.classes.replaceChildren(...listed.map(({ value, name }) => element("div", { class: value === most ? "best" : "" },
      element("dt", { title: name }, name),
      element("dd", {}, element("span", { class: "bar", style: `width: ${(100 * value) / most}%` }),
        element("span", { class: "sr" }, number(value))))));
    for (const row of this.classes.children) row.title = `${row.firstChild.textContent}: ${row.lastChild.textContent}`;
  }

  /** @param {State} state */
  showKernel(state) {
    const { recording, view } = state;
    const step = stepOf(state);
    const slices = this.found.slices(step);
    this.kernelPart.hidden = !slices.length;
    this.effective.hidden = !hasKernels(state);
    if (hasKernels(state)) {
      drawAlone(this.effective, state.kernels?.find(step, recording.places.get(view.filter)), MAP_PX);
      this.effective.setAttribute("aria-label", `Kernel of filter ${view.filter} on the image, the layers below made linear`);
      this.effective.title = "On the image, as if activations let all pass and max-pooling took the mean";
    }
    while (this.slices.children.length > slices.length) this.slices.lastChild.remove();
    while (this.slices.children.length < slices.length) {
      this.slices.append(element("li", {}, element("canvas", { role: "img" }), element("span", { class: "quiet" })));
    }
    slices.forEach(({ channel, picture }, at) => {
      const [canvas, caption] = this.slices.children[at].children;
      drawAlone(canvas, picture, SLICE_PX);
      canvas.setAttribute("aria-label", `Kernel in input channel ${channel}`);
      caption.textContent = String(channel);
    });
  }

  /** @param {State} state */
  showMap(state) {
    const { examples } = this;
    const { recording, view } = state;
    const step = stepOf(state);
    this.mapPart.hidden = !hasMaps(state) || !state.maps;
    if (this.mapPart.hidden) return;
    const example = examples.mapped[exampleOf(state)];
    this.example.set(examples.mapped.map((one, at) => [String(at), `${examples.nameOf(one)} (${one})`]), String(exampleOf(state)));
    const key = `${examples.run} ${examples.version} ${example}`;
    if (this.shown.dataset.key !== key) {
      this.shown.dataset.key = key;
      this.shown.setAttribute("aria-label", `Example ${example}, ${examples.nameOf(example)}`);
      examples.picture(example).then((picture) => {
        if (this.shown.dataset.key === key) drawPart(this.shown, picture, examples.image_shape, undefined, true, MAP_PX);
      }).catch(() => { this.shown.dataset.key = ""; });
    }
    const scale = this.found.mapScale(step);
    drawAlone(this.map, state.maps?.find(step, recording.places.get(view.filter)), MAP_PX);
    this.map.setAttribute("aria-label", `Map of filter ${view.filter} on example ${example}`);
    this.mapText.textContent = scale === undefined || scale === null ? "" : recording.about.responses.is_gated
      ? `White is ${number(scale)}, black 0.` : `White is ${number(scale)}, gray 0, black ${number(-scale)}.`;
  }
}

// A part of a picture, or all of it with the part framed; what lies outside of the picture is gray.
function drawPart(canvas, picture, [height, width], seen, isWhole, boxPx) {
  const ratio = window.devicePixelRatio || 1;
  const box = Math.round(boxPx * ratio);
  canvas.width = box;
  canvas.height = box;
  canvas.style.width = `${boxPx}px`;
  canvas.style.height = `${boxPx}px`;
  const part = isWhole || !seen ? { top: 0, left: 0, height, width } : seen;
  const isSignal = height === 1;
  const scale = box / Math.max(part.width, isSignal ? 0 : part.height);
  const context = canvas.getContext("2d");
  context.fillStyle = "#808080";
  context.fillRect(0, 0, box, box);
  context.imageSmoothingEnabled = scale * (width / picture.naturalWidth) < 2;
  context.imageSmoothingQuality = "high";
  const tall = isSignal ? box / 2 : height * scale;
  const left = (box - part.width * scale) / 2 - part.left * scale;
  const top = isSignal ? box / 4 : (box - part.height * scale) / 2 - part.top * scale;
  context.save();
  context.beginPath();
  context.rect((box - part.width * scale) / 2, isSignal ? box / 4 : (box - part.height * scale) / 2, part.width * scale,
    isSignal ? box / 2 : part.height * scale);
  context.clip();
  context.drawImage(picture, left, top, width * scale, tall);
  context.restore();
  if (isWhole && seen) {
    context.strokeStyle = "#ff8c00";
    context.lineWidth = Math.max(1, 1.5 * ratio);
    context.strokeRect(left + seen.left * scale, isSignal ? top : top + seen.top * scale, seen.width * scale,
      isSignal ? tall : seen.height * scale);
  }
}
