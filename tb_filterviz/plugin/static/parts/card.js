// What a filter does on real images: which excite it, which classes it serves, where it answers; and its kernel.

import { context2d, drawAlone, makeSquare } from "../pictures/draw.js";
import { exampleOf, hasChosenFilter, hasKernels, hasLayer, hasMaps, stepOf } from "../state/selectors.js";
import { changes } from "../state/store.js";
import { choice, element, segments } from "../widgets/dom.js";
import { capital, messageOf, number, percent } from "../words/format.js";

const MOST_CLASSES = 10;
const PATCH_PX = 60;
const MAP_PX = 78;
const SLICE_PX = 36;

/**
 * @typedef {import("../state/state.js").FilterState} FilterState
 * @typedef {import("../state/state.js").ResponsesAbout} ResponsesAbout
 * @typedef {import("../data/examples.js").Box} Box
 * @typedef {import("../data/examples.js").Examples} Examples
 * @typedef {import("../data/examples.js").Patch} Patch
 * @typedef {import("../data/examples.js").Responses} Responses
 * @typedef {import("../data/recording.js").Recording} Recording
 *
 * @typedef {{root: HTMLElement, canvas: HTMLCanvasElement, caption: HTMLElement}} Cell a picture with a word below
 * @typedef {{seen?: Box, isWhole: boolean, boxPx: number}} How a part of an image is drawn
 */

export class Card {
  /** @param {import("../state/actions.js").Actions} actions */
  constructor(actions) {
    this.actions = actions;
    this.state = element("p", { class: "card-state" });
    this.isWhole = false;
    this.cut = segments("Show", (/** @type {"patch" | "whole"} */ value) => {
      this.isWhole = value === "whole";
      this.showNow();
    });
    this.patches = element("ul", { class: "patches", "aria-label": "Examples that excite the filter most" });
    /** @type {Cell[]} */
    this.patchCells = [];
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
      element("header", { class: "card-head" }, this.example.wrapper),
      element("div", { class: "map-row" }, this.shown, this.map), this.mapText);
    this.effective = element("canvas", { class: "map-picture", role: "img" });
    this.slices = element("ul", { class: "slices", "aria-label": "The kernel in its strongest input channels" });
    /** @type {Cell[]} */
    this.sliceCells = [];
    this.kernelPart = element("section", { class: "card-part" }, element("h3", {}, "Kernel"),
      element("div", { class: "map-row" }, this.effective, this.slices));
    this.root = element("section", { class: "card", "aria-label": "Examples and kernel" }, this.state,
      element("div", { class: "card-columns" }, this.patchesPart, this.classesPart),
      element("div", { class: "card-columns" }, this.mapPart, this.kernelPart));
    this.request = 0;
    /** @type {Examples | undefined} */
    this.examples = undefined;
    /** @type {Responses | undefined} of the filter that is shown */
    this.found = undefined;
    /** @type {number | undefined} */
    this.shownFilter = undefined;
    /** @type {Recording | undefined} */
    this.shownRecording = undefined;
    this.isOtherFilter = changes();
    this.isOtherMoment = changes();
  }

  /** @param {FilterState} state */
  render(state) {
    const { recording, view, index, maps, kernels } = state;
    if (this.isOtherFilter(recording, recording.about.last_wall_time, view.filter)) this.open(state);
    if (this.isOtherMoment(recording, recording.version, view.filter, index, view.example, maps, kernels, this.found)) {
      this.show(state);
    }
  }

  get parts() {
    return [this.state, this.patchesPart, this.classesPart, this.mapPart, this.kernelPart];
  }

  /** When the filter, the layer or its length changes. @param {FilterState} state */
  async open({ recording, view }) {
    const { responses, kernels } = recording.about;
    this.root.hidden = !responses && !kernels;
    const { filter } = view;
    if (this.shownFilter !== filter || this.shownRecording !== recording) { // not under the title of another
      this.found = undefined;
      for (const part of this.parts) part.hidden = true;
    }
    this.request += 1;
    const { request } = this;
    if (this.root.hidden) return;
    try {
      const examples = responses ? this.actions.examplesOf(recording.run).catch(() => undefined) : undefined;
      const [opened, found] = await Promise.all([examples, recording.responses(filter)]);
      const now = this.actions.state;
      if (this.request !== request || now.view.filter !== filter || now.recording !== recording) return;
      this.examples = opened;
      this.found = found;
      this.shownFilter = filter;
      this.shownRecording = recording;
    } catch (error) {
      if (this.request !== request) return;
      this.state.hidden = false;
      this.state.textContent = `This could not be read: ${messageOf(error)}`;
      return;
    }
    this.showNow();
  }

  /** After something was read or chosen that is not of the state. */
  showNow() {
    const { state } = this.actions;
    if (hasLayer(state) && hasChosenFilter(state)) this.show(state);
  }

  /** After a step. @param {FilterState} state */
  show(state) {
    const { examples, found } = this;
    if (!found || this.root.hidden) return;
    this.showKernel(state, found);
    for (const part of [this.state, this.patchesPart, this.classesPart, this.mapPart]) part.hidden = !examples;
    const about = state.recording.about.responses;
    if (!examples || !about) return;
    this.state.textContent = wordsOf(state, about, examples);
    this.cut.set([["patch", "Patch", "What the strongest unit sees"],
      ["whole", "Image", "The whole image, with what that unit sees"]], this.isWhole ? "whole" : "patch");
    this.showPatches(found.patches(stepOf(state)), about, examples);
    this.showClasses(found.classes(stepOf(state)) ?? [], examples);
    this.showMap(state, about, examples, found);
  }

  /** @param {Patch[]} patches @param {ResponsesAbout} about @param {Examples} examples */
  showPatches(patches, about, examples) {
    const { isWhole } = this;
    this.patchesPart.hidden = !patches.length;
    keepCells(this.patches, this.patchCells, patches.length);
    patches.forEach(({ example, row, column, value }, at) => {
      const { canvas, caption } = this.patchCells[at];
      const seen = examples.seenBy(about, row, column);
      const text = `${capital(examples.nameOf(example))}, ${number(value)}: example ${example}, `
        + `row ${Math.max(0, seen.top)}, column ${Math.max(0, seen.left)}`;
      caption.textContent = examples.classOf(example) ?? number(value);
      canvas.setAttribute("aria-label", text);
      canvas.title = text;
      drawExample(canvas, examples, example, { seen, isWhole, boxPx: PATCH_PX });
    });
  }

  /** @param {(number | null)[]} means of all classes @param {Examples} examples */
  showClasses(means, examples) {
    const known = means.flatMap((value, at) => (
      value === null ? [] : [{ value, name: examples.class_names[at] ?? String(at) }]));
    this.classesPart.hidden = !known.length;
    if (!known.length) return;
    const most = Math.max(...known.map(({ value }) => value), 1e-30);
    const isLong = known.length > MOST_CLASSES;
    const listed = isLong ? [...known].sort((one, other) => other.value - one.value).slice(0, MOST_CLASSES) : known;
    this.classesTitle.textContent = isLong ? `The first ${MOST_CLASSES} of ${known.length} classes` : "Classes";
    this.classes.replaceChildren(...listed.map(({ value, name }) => element("div",
      { class: value === most ? "best" : "", title: `${name}: ${number(value)}` },
      element("dt", { title: name }, name),
      element("dd", {}, element("span", { class: "bar", style: `width: ${(100 * value) / most}%` }),
        element("span", { class: "sr" }, number(value))))));
  }

  /** @param {FilterState} state @param {Responses} found */
  showKernel(state, found) {
    const { recording, kernels, view: { filter } } = state;
    const step = stepOf(state);
    const slices = found.slices(step);
    this.kernelPart.hidden = !slices.length;
    this.effective.hidden = !hasKernels(state);
    if (hasKernels(state)) {
      drawAlone(this.effective, kernels?.find(step, recording.places.get(filter)), MAP_PX);
      this.effective.setAttribute("aria-label", `Kernel of filter ${filter} on the image, the layers below made linear`);
      this.effective.title = "On the image, as if activations let all pass and max-pooling took the mean";
    }
    keepCells(this.slices, this.sliceCells, slices.length);
    slices.forEach(({ channel, picture }, at) => {
      const { canvas, caption } = this.sliceCells[at];
      drawAlone(canvas, picture, SLICE_PX);
      canvas.setAttribute("aria-label", `Kernel in input channel ${channel}`);
      caption.textContent = String(channel);
    });
  }

  /** @param {FilterState} state @param {ResponsesAbout} about @param {Examples} examples @param {Responses} found */
  showMap(state, about, examples, found) {
    const { recording, maps, view: { filter } } = state;
    const step = stepOf(state);
    this.mapPart.hidden = !hasMaps(state) || !maps;
    if (this.mapPart.hidden) return;
    const example = examples.mapped[exampleOf(state)];
    this.example.set(examples.choices, String(exampleOf(state)));
    this.shown.setAttribute("aria-label", `Example ${example}, ${examples.nameOf(example)}`);
    drawExample(this.shown, examples, example, { isWhole: true, boxPx: MAP_PX });
    drawAlone(this.map, maps?.find(step, recording.places.get(filter)), MAP_PX);
    this.map.setAttribute("aria-label", `Map of filter ${filter} on example ${example}`);
    this.mapText.textContent = scaleWords(found.mapScale(step), about);
  }
}

/**
 * Whether a filter is dead, always on, or selective, in a sentence.
 *
 * @param {FilterState} state
 * @param {ResponsesAbout} about
 * @param {Examples} examples
 */
function wordsOf({ recording, index, view }, { is_gated: isGated, read_at: place }, { count }) {
  const excited = recording.value("excited", index, view.filter);
  const on = recording.value("on", index, view.filter);
  if (!isGated) return `Read at ${place}, where no activation has been seen: whether it is on or off is not told.`;
  if (excited === undefined || excited === null) return "";
  if (excited === 0) return `Dead: none of ${count} examples switches it on.`;
  if (on === 1) return "Always on: its activation cuts off nothing, on any example.";
  return `On somewhere in ${percent(excited)} of ${count} examples; ${percent(on)} of its units are.`;
}

/** What the grays of a map stand for. @param {number | null | undefined} scale @param {ResponsesAbout} about */
function scaleWords(scale, { is_gated: isGated }) {
  if (scale === undefined || scale === null) return "";
  return isGated ? `White is ${number(scale)}, black 0.` : `White is ${number(scale)}, gray 0, black ${number(-scale)}.`;
}

/**
 * Makes a list as long as there are pictures.
 *
 * @param {HTMLElement} list
 * @param {Cell[]} cells that it has
 * @param {number} count
 */
function keepCells(list, cells, count) {
  while (cells.length > count) cells.pop()?.root.remove();
  while (cells.length < count) {
    const canvas = element("canvas", { role: "img" });
    const caption = element("span", { class: "quiet" });
    const root = element("li", {}, canvas, caption);
    cells.push({ root, canvas, caption });
    list.append(root);
  }
}

/**
 * Draws an example, or a part of it, as soon as it is here; what the canvas shows already is not drawn again.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Examples} examples
 * @param {number} example
 * @param {How} how
 */
function drawExample(canvas, examples, example, how) {
  const key = JSON.stringify([examples.run, examples.version, example, how]);
  if (canvas.dataset.key === key) return;
  canvas.dataset.key = key;
  const [height, width] = examples.image_shape;
  examples.picture(example).then((picture) => {
    if (canvas.dataset.key === key) drawPart(canvas, picture, { height, width }, how);
  }).catch(() => { canvas.dataset.key = ""; }); // so that it is tried again
}

/**
 * Draws a part of a picture, or all of it with the part framed; what lies outside of the picture is gray.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLImageElement} picture
 * @param {import("../pictures/layout.js").Size} whole the model's image, in its pixels
 * @param {How} how
 */
function drawPart(canvas, picture, { height, width }, { seen, isWhole, boxPx }) {
  const box = makeSquare(canvas, boxPx);
  const part = isWhole || !seen ? { top: 0, left: 0, height, width } : seen;
  const isSignal = height === 1;
  const scale = box / Math.max(part.width, isSignal ? 0 : part.height);
  const context = context2d(canvas);
  context.fillStyle = "#808080";
  context.fillRect(0, 0, box, box);
  context.imageSmoothingEnabled = scale * (width / picture.naturalWidth) < 2;
  context.imageSmoothingQuality = "high";
  const tall = isSignal ? box / 2 : height * scale; // a signal's one row is to be seen
  const shown = { x: (box - part.width * scale) / 2, y: isSignal ? box / 4 : (box - part.height * scale) / 2,
    width: part.width * scale, height: isSignal ? tall : part.height * scale };
  const left = shown.x - part.left * scale;
  const top = isSignal ? shown.y : shown.y - part.top * scale;
  context.save();
  context.beginPath();
  context.rect(shown.x, shown.y, shown.width, shown.height);
  context.clip();
  context.drawImage(picture, left, top, width * scale, tall);
  context.restore();
  if (isWhole && seen) {
    context.strokeStyle = "#ff8c00";
    context.lineWidth = Math.max(1, 1.5 * (window.devicePixelRatio || 1));
    context.strokeRect(left + seen.left * scale, isSignal ? top : top + seen.top * scale, seen.width * scale,
      isSignal ? tall : seen.height * scale);
  }
}
