// What can be saved, and saving it.

import { encodeApng } from "../files/apng.js";
import { encodeGif } from "../files/gif.js";
import { fileName } from "../files/names.js";
import { canvasPng } from "../files/png.js";
import { canEncodeWebm, encodeWebm } from "../files/webm.js";
import { download } from "../host/download.js";
import { hasDifference, isComparing, isManyRuns, isOverview, lensOf } from "../state/selectors.js";
import { unitsOf } from "../words/format.js";
import { element, icon } from "../widgets/dom.js";
import { popover } from "../widgets/popover.js";
import { captionOf, drawn, drawnFilter, drawnStrip } from "./sheets.js";

const MOST_FRAMES = 300;
const FRAME_PX = 1000;
const ALONE_PX = 560;
const LAST_MS = 1000; // the last picture stays for a while

/** @type {Record<string, {name: string, ending: string, encode: typeof encodeApng}>} */
const FILMS = {
  apng: { name: "Animated PNG", ending: "png", encode: encodeApng },
  gif: { name: "GIF", ending: "gif", encode: encodeGif },
  webm: { name: "WebM video", ending: "webm", encode: encodeWebm },
};

/** @typedef {import("../state/state.js").State} State */

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
    this.button = element("button", { type: "button", class: "button", title: "Save what is seen (s)" }, icon("save"), this.text);
    this.popover = popover(this.button, this.items, { onOpen: () => this.fill() });
    this.root = element("div", { class: "save" }, this.button, this.popover.panel);
    this.isBusy = false;
    canEncodeWebm().then((can) => { this.canWebm = can; }, () => {});
  }

  get state() {
    return this.actions.state;
  }

  fill() {
    const { view, recording } = this.state;
    if (isOverview(this.state) || !recording) {
      this.items.replaceChildren(element("p", { class: "quiet" }, "Open a layer: its pictures can be saved."));
      return;
    }
    const item = (/** @type {string} */ text, /** @type {string} */ detail, /** @type {() => Promise<void>} */ save) =>
      element("button", { type: "button", class: "menu-item", on: { click: () => {
        this.popover.close();
        this.button.focus();
        save();
      } } }, element("span", {}, text), element("span", { class: "quiet" }, detail));
    const films = Object.entries(FILMS).filter(([kind]) => kind !== "webm" || this.canWebm);
    this.items.replaceChildren(
      item("Picture", "PNG, what is seen", () => this.savePicture()),
      ...(view.filter === null ? [] : [item(`Filter ${view.filter}`, "PNG", () => this.saveFilter()),
        item(`Filmstrip of filter ${view.filter}`, `PNG, all ${unitsOf(recording.unit)}`, () => this.saveStrip())]),
      ...(isManyRuns(this.state) || recording.steps.length < 2 ? []
        : films.map(([kind, { name }]) => item(name, `all ${unitsOf(recording.unit)}`, () => this.saveFilm(kind)))));
  }

  /** @param {Promise<Blob>} making @param {string} name @param {string} what */
  async save(making, name, what) {
    try {
      const isSure = download(await making, name);
      this.actions.say(isSure ? `${what} saved as ${name}.` : `${what} handed to the browser as ${name}. If it has not saved it, `
        + "open TensorBoard in a window of its own.");
    } catch (error) {
      this.actions.say(`${what} could not be saved: ${error instanceof Error ? error.message : error}`);
    }
  }

  async savePicture() {
    if (isOverview(this.state) || !this.state.recording) return;
    const name = `${fileName(...captionOf(this.state))}.png`;
    await this.save(canvasPng(drawn(this.state, this.shownSize())), name, "Picture");
  }

  async saveFilter() {
    const { filter } = this.state.view;
    const name = `${fileName(...captionOf(this.state), `filter ${filter}`)}.png`;
    await this.save(canvasPng(drawnFilter(this.state, ALONE_PX)), name, "Picture");
  }

  async saveStrip() {
    const { state } = this;
    const { filter } = state.view;
    const { recording } = state;
    const name = `${fileName(state.view.run, recording.about.name, `filter ${filter}`)}.png`;
    const making = recording.reel(filter).then((reel) => canvasPng(drawnStrip(state, (step) =>
      reel.find(step, recording.places.get(filter)))));
    await this.save(making, name, "Filmstrip");
  }

  // The layer at every step, in the order and with the marks of now; every second, third... step of a long training.
  /** @param {string} kind */
  async saveFilm(kind) {
    const { state } = this;
    const { recording, other } = state;
    if (this.isBusy) return;
    if ([recording.film, isComparing(state) && other?.film].some((film) => film && film.progress < 1)) {
      this.actions.say("Not all pictures have arrived yet: save the animation in a moment.");
      return;
    }
    const last = recording.steps.length - 1;
    const stride = Math.ceil(recording.steps.length / MOST_FRAMES);
    const frames = recording.steps.map((_, at) => at).filter((at) => (last - at) % stride === 0);
    const { columns, tilePx } = this.shownSize();
    const panes = hasDifference(state) ? 3 : isComparing(state) ? 2 : 1;
    const how = { columns, tilePx: Math.min(tilePx, FRAME_PX / columns / panes) };
    const { name, ending, encode } = FILMS[kind];
    this.actions.player.stop();
    this.isBusy = true;
    this.button.disabled = true;
    const delays = frames.map((_, at) => (at === frames.length - 1 ? LAST_MS : Math.round(1000 / state.speed)));
    const frame = (/** @type {number} */ at) => {
      const canvas = drawn({ ...state, index: frames[at] }, how);
      return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    };
    const { width, height } = frame(0);
    const making = encode({ count: frames.length, frame }, { width, height, delays_ms: delays },
      (done) => { this.text.textContent = `${Math.round(100 * done)} %`; });
    const lens = lensOf(state);
    await this.save(making, `${fileName(state.view.run, recording.about.name, ...(lens === "tiles" ? [] : [lens]))}.${ending}`,
      `${name} of ${frames.length} of ${recording.steps.length} pictures`);
    this.isBusy = false;
    this.button.disabled = false;
    this.text.textContent = "Save";
  }
}
