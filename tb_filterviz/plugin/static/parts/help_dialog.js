// What the pictures mean, and which keys there are.

import { drawAlone } from "../pictures/draw.js";
import { element } from "../widgets/dom.js";
import { GLOSSARY, QUESTIONS, synthetic } from "../words/glossary.js";

const EXAMPLE_PX = 56;
const SIDE = 28;

const KEYS = [
  ["← →", "step back, step forward (in a grid: move among its tiles)"],
  [", .", "step back, step forward, anywhere"],
  ["Space", "play, pause"],
  ["Home End", "first, last"],
  ["b", "the best on validation data"],
  ["l", "loop"],
  ["Enter", "open the filter at the cursor; again: the large view"],
  ["[ ]", "the filter before, the filter after"],
  ["Page up, down", "the layer before, the layer after"],
  ["Escape", "close the filter"],
  ["o", "overview of all layers"],
  ["c", "grid or compare"],
  ["r", "grid or all runs"],
  ["m", "pictures, or maps on an example"],
  ["k", "pictures, or kernels"],
  ["+ − 0", "larger, smaller, whole layer"],
  ["s", "save what is seen"],
  ["i", "how it was drawn"],
  ["?", "this"],
];

/**
 * @typedef {import("../state/state.js").State} State
 * @typedef {import("../words/glossary.js").Example} Example
 */

export class HelpDialog {
  constructor() {
    this.words = element("dl", { class: "rows words" });
    const close = element("button", { type: "button", class: "button", autofocus: true }, "Close");
    this.root = element("dialog", { class: "dialog wide", "aria-labelledby": "help-title" },
      element("h2", { id: "help-title" }, "What you see"), this.words,
      element("h3", {}, "Questions"), element("dl", { class: "questions" }, QUESTIONS.flatMap(({ question, answer }) =>
        [element("dt", {}, question), element("dd", {}, answer)])),
      element("h3", {}, "Keyboard"), element("dl", { class: "rows" }, KEYS.map(([term, what]) =>
        element("div", {}, element("dt", {}, term), element("dd", {}, what)))),
      element("div", { class: "dialog-end" }, element("span", { class: "space" }), close));
    close.addEventListener("click", () => this.root.close());
  }

  /** Each word with a tile of this layer that shows it, or one that was made up. @param {State} state */
  show(state) {
    this.words.replaceChildren(...GLOSSARY.map(({ word, text, example }) => element("div", {}, element("dt", {}, word),
      element("dd", {}, text), example ? exampleOf(state, example) : null)));
    this.root.showModal();
    this.root.scrollTop = 0;
  }
}

/** @param {State} state @param {Example} kind */
function exampleOf(state, kind) {
  const canvas = element("canvas", { role: "img", "aria-label": `For example: ${kind}` });
  const mark = kind === "stuck" || kind === "flat" ? kind : undefined;
  const picture = ownExample(state, kind)
    ?? { bytes: synthetic(kind, SIDE), offset: 0, width: SIDE, height: SIDE, channels: 1 };
  drawAlone(canvas, picture, EXAMPLE_PX, mark);
  return element("dd", { class: "example" }, canvas);
}

/** A tile of the layer that is shown, if one is of this kind. @param {State} state @param {Example} kind */
function ownExample({ recording, index }, kind) {
  const filter = recording?.filters.find((one) => kindOf(recording, one, index) === kind);
  return filter === undefined ? undefined : recording?.tile(recording.steps[index], filter);
}

/**
 * What a filter's tile is an example of at one step.
 *
 * @param {import("../data/recording.js").Recording} recording
 * @param {number} filter
 * @param {number} at
 * @returns {Example}
 */
function kindOf(recording, filter, at) {
  if (recording.isStuck(filter, at)) return "stuck";
  return recording.isFlat(filter, at) ? "flat" : "tile";
}
