// What can be saved, and saving it.

import { encodeApng } from "../files/apng.js";
import { encodeGif } from "../files/gif.js";
import { fileName } from "../files/names.js";
import { canvasPng } from "../files/png.js";
import { canEncodeWebm, encodeWebm } from "../files/webm.js";
import { download } from "../host/download.js";
import { context2d } from "../pictures/draw.js";
import { hasChosenFilter, hasDifference, hasLayer, isComparing, isManyRuns, isOverview,
  lensOf } from "../state/selectors.js";
import { element, icon } from "../widgets/dom.js";
import { popover } from "../widgets/popover.js";
import { messageOf, unitsOf } from "../words/format.js";
import { captionOf, drawn, drawnFilter, drawnStrip } from "./sheets.js";

const MOST_FRAMES = 300;
const FRAME_PX = 1000;
const ALONE_PX = 560;
const LAST_MS = 1000; // the last picture stays for a while

/**
 * @typedef {import("../state/state.js").LayerState} LayerState
 * @typedef {{name: string, ending: string, encode: typeof encodeApng}} Format of an animation
 */

/** @type {Format} */
const APNG = { name: "Animated PNG", ending: "png", encode: encodeApng };
/** @type {Format} */
const GIF = { name: "GIF", ending: "gif", encode: encodeGif };
/** @type {Format} */
const WEBM = { name: "WebM video", ending: "webm", encode: encodeWebm };

export class Saving {
  /**
   * @param {import("../state/actions.js").Actions} actions
   * @param {() => {tilePx: number, columns: number}} shownSize of the grid, as it stands on the screen
   */
  constructor(actions, shownSize) {
    this.actions = actions;
    this.shownSize = shownSize;
    this.items = element("div", { class: "menu", role: "group", "aria-label": "Save" });
    this.text = element("span", {}, "Save");
    this.button = element("button", { type: "button", class: "button", title: "Save what is seen (s)" }, icon("save"),
      this.text);
    this.popover = popover(this.button, this.items, { onOpen: () => this.fill() });
    this.root = element("div", { class: "save" }, this.button, this.popover.panel);
    this.isBusy = false;
    this.canWebm = false;
    canEncodeWebm().then((can) => { this.canWebm = can; }, () => {});
  }

  get state() {
    return this.actions.state;
  }

  fill() {
    const { state } = this;
    if (isOverview(state) || !hasLayer(state)) {
      this.items.replaceChildren(element("p", { class: "quiet" }, "Open a layer: its pictures can be saved."));
      return;
    }
    const all = `all ${unitsOf(state.recording.unit)}`;
    this.items.replaceChildren(this.item("Picture", "PNG, what is seen", () => this.savePicture()));
    if (hasChosenFilter(state)) {
      const { filter } = state.view;
      this.items.append(this.item(`Filter ${filter}`, "PNG", () => this.saveFilter()),
        this.item(`Filmstrip of filter ${filter}`, `PNG, ${all}`, () => this.saveStrip()));
    }
    if (isManyRuns(state) || state.recording.steps.length < 2) return;
    for (const format of [APNG, GIF, ...(this.canWebm ? [WEBM] : [])]) {
      this.items.append(this.item(format.name, all, () => this.saveFilm(format)));
    }
  }

  /** @param {string} text @param {string} detail @param {() => void} save */
  item(text, detail, save) {
    return element("button", { type: "button", class: "menu-item", on: { click: () => {
      this.popover.close();
      this.button.focus();
      save();
    } } }, element("span", {}, text), element("span", { class: "quiet" }, detail));
  }

  /** @param {() => Promise<Blob>} make @param {string} name @param {string} what */
  async save(make, name, what) {
    try {
      const isSure = download(await make(), name);
      this.actions.say(isSure ? `${what} saved as ${name}.`
        : `${what} handed to the browser as ${name}. If it has not saved it, open TensorBoard in a window of its own.`);
    } catch (error) {
      this.actions.say(`${what} could not be saved: ${messageOf(error)}`);
    }
  }

  async savePicture() {
    const { state } = this;
    if (isOverview(state) || !hasLayer(state)) return;
    const name = `${fileName(...captionOf(state))}.png`;
    await this.save(async () => canvasPng(drawn(state, this.shownSize())), name, "Picture");
  }

  async saveFilter() {
    const { state } = this;
    if (!hasLayer(state) || !hasChosenFilter(state)) return;
    const name = `${fileName(...captionOf(state), `filter ${state.view.filter}`)}.png`;
    await this.save(async () => canvasPng(drawnFilter(state, ALONE_PX)), name, "Picture");
  }

  async saveStrip() {
    const { state } = this;
    if (!hasLayer(state) || !hasChosenFilter(state)) return;
    const { recording, view: { filter } } = state;
    const name = `${fileName(recording.run, recording.about.name, `filter ${filter}`)}.png`;
    await this.save(async () => {
      const reel = await recording.reel(filter);
      return canvasPng(drawnStrip(state, (step) => reel.find(step, recording.places.get(filter))));
    }, name, "Filmstrip");
  }

  /** @param {Format} format */
  async saveFilm(format) {
    const { state } = this;
    if (this.isBusy || !hasLayer(state)) return;
    const { recording, other } = state;
    const films = [recording.film, ...(isComparing(state) && other ? [other.film] : [])];
    if (films.some((film) => film.progress < 1)) {
      this.actions.say("Not all pictures have arrived yet: save the animation in a moment.");
      return;
    }
    this.actions.player.stop();
    this.isBusy = true;
    this.button.disabled = true;
    const steps = stepsOfFilm(recording.steps.length);
    const lens = lensOf(state);
    const name = `${fileName(recording.run, recording.about.name, ...(lens === "tiles" ? [] : [lens]))}.${format.ending}`;
    await this.save(async () => this.encode(state, format, steps), name,
      `${format.name} of ${steps.length} of ${recording.steps.length} pictures`);
    this.isBusy = false;
    this.button.disabled = false;
    this.text.textContent = "Save";
  }

  /**
   * The layer at some steps, in the order and with the marks of now.
   *
   * @param {LayerState} state
   * @param {Format} format
   * @param {number[]} steps their positions
   */
  encode(state, { encode }, steps) {
    const { columns, tilePx } = this.shownSize();
    const panes = hasDifference(state) ? 3 : isComparing(state) ? 2 : 1;
    const how = { columns, tilePx: Math.min(tilePx, FRAME_PX / columns / panes) };
    const delays = steps.map((_, at) => (at === steps.length - 1 ? LAST_MS : Math.round(1000 / state.speed)));
    const frame = (/** @type {number} */ at) => {
      const canvas = drawn({ ...state, index: steps[at] }, how);
      return context2d(canvas).getImageData(0, 0, canvas.width, canvas.height);
    };
    const { width, height } = frame(0);
    return encode({ count: steps.length, frame }, { width, height, delays_ms: delays },
      (done) => { this.text.textContent = `${Math.round(100 * done)} %`; });
  }
}

/** Positions of the steps in an animation: of many, every second, third... one. @param {number} count of all steps */
function stepsOfFilm(count) {
  const stride = Math.ceil(count / MOST_FRAMES);
  return Array.from({ length: count }, (_, at) => at).filter((at) => (count - 1 - at) % stride === 0);
}
