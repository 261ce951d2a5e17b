// Above: which run and layer, in which order, how the stuck are shown, which view, and what can be saved.

import { choice, element, icon, iconButton, segments } from "../widgets/dom.js";
import { animatedPng, canvasPng, download, fileName, sideBySide } from "../pictures/save.js";
import { nameOfStep, unitsOf } from "../words/format.js";
import { orderKey, ordersOf } from "../state/ordering.js";

const STUCK = [["show", "Show"], ["dim", "Dim"], ["hide", "Hide"]];
const MOST_FRAMES = 300;
const FRAME_PX = 1000;

export class Toolbar {
  constructor(app) {
    this.app = app;
    this.run = choice("Run", (value) => app.chooseRun(value));
    this.layer = choice("Layer", (value) => app.set({ layer: value, filter: null }));
    this.view = segments("View", (value) => app.set(value === "compare" ? { view: value }
      : { view: "grid", lens: value === "grid" ? "tiles" : value }));
    this.example = choice("On", (value) => app.set({ example: Number(value) }));
    this.sort = choice("Sort", (value) => app.set({ sort: value }));
    this.stuck = choice("Stuck", (value) => app.set({ stuck: value }));
    this.savePicture = element("button", { type: "button", class: "button", title: "Save what is seen (s)",
      on: { click: () => this.saveAsPicture() } }, icon("picture"), "PNG");
    this.saveFilm = element("button", { type: "button", class: "button", on: { click: () => this.saveAsFilm() } }, icon("film"), "Animation");
    this.tools = element("div", { class: "tools" },
      this.view.wrapper, this.example.wrapper, element("span", { class: "space" }), this.sort.wrapper, this.stuck.wrapper,
      element("div", { class: "buttons", role: "group", "aria-label": "Zoom" },
        iconButton("minus", "Smaller", "-", () => app.stage.zoomBy(1 / 1.5)),
        iconButton("fit", "Whole layer", "0", () => app.stage.zoomBy(0)),
        iconButton("plus", "Larger", "+", () => app.stage.zoomBy(1.5))),
      element("div", { class: "buttons", role: "group", "aria-label": "Save" }, this.savePicture, this.saveFilm),
      iconButton("help", "What you see, and keys", "?", () => app.help.showModal()));
    this.root = element("header", { class: "toolbar" }, this.run.wrapper, this.layer.wrapper, this.tools);
  }

  show({ isWorking, hasRuns }) {
    this.root.hidden = !hasRuns;
    this.tools.hidden = !isWorking;
  }

  update() {
    const { app } = this;
    const { state } = app;
    this.run.set(app.runs.map(({ run }) => [run, run]), state.run);
    this.layer.set(app.layersOf(state.run).map((layer) => [layer.id, layer.name]), state.layer);
    const unit = app.recording?.unit ?? "epoch";
    this.view.set([["grid", "Grid", `One ${unit} (c switches)`],
      ...(app.hasMaps ? [["maps", "Maps", "Where filters answer on an example (m switches)"]] : []),
      ...(app.hasKernels ? [["kernels", "Kernels", "The filters' weights on the image (k switches)"]] : []),
      ["compare", "Compare", `Two ${unitsOf(unit)} or two runs (c switches)`]],
    state.view === "grid" && app.lens !== "tiles" ? app.lens : state.view);
    this.saveFilm.title = `Save every ${unit} as an animated PNG`;
    this.updateExamples();
    this.updateOrders();
    this.stuck.set(STUCK, state.stuck);
  }

  // The examples whose maps can be seen.
  updateExamples() {
    const { app } = this;
    this.example.wrapper.hidden = !app.isShowingMaps;
    if (this.example.wrapper.hidden) return;
    const { run } = app.state;
    app.examplesOf(run).then((examples) => {
      if (app.state.run !== run) return;
      this.example.set(examples.mapped.map((example, at) => [String(at), `${examples.nameOf(example)} (${example})`]),
        String(app.example));
    }).catch(() => {});
  }

  updateOrders() {
    const { recording, state } = this.app;
    if (!recording) return;
    const orders = ordersOf(recording);
    const chosen = orderKey(recording, state.sort);
    const [, , explanation] = orders.find(([key]) => key === chosen);
    this.sort.set(orders, chosen);
    this.sort.select.title = `By ${explanation}. The order is that of the last step, so that filters keep their places.`;
  }

  caption() {
    const { app } = this;
    return [app.state.run, app.recording.about.name, nameOfStep(app.step, app.recording.about.unit)];
  }

  drawn(options) {
    const { app } = this;
    const caption = this.caption().join("   ");
    if (!app.isComparing) return app.stage.grid.toCanvas(caption, options);
    return sideBySide([app.stage.before.toCanvas(app.otherName, options), app.stage.grid.toCanvas(caption, options),
      ...(app.hasDifference ? [app.stage.changed.toCanvas("difference", options)] : [])]);
  }

  async saveAsPicture() {
    const blob = await canvasPng(this.drawn({}));
    download(blob, `${fileName(...this.caption())}.png`);
    this.app.say("Picture saved.");
  }

  // The layer at every step, in the order and with the marks of now; every second, third... step of a long training.
  async saveAsFilm() {
    const { app } = this;
    const { index } = app;
    const films = [app.recording.film, app.isComparing && app.other?.film].filter(Boolean);
    if (films.some((film) => film.progress < 1)) {
      app.say("Not all pictures have arrived yet: save the animation in a moment.");
      return;
    }
    const stride = Math.ceil(app.steps.length / MOST_FRAMES);
    const last = app.steps.length - 1;
    const frames = app.steps.map((_, at) => at).filter((at) => (last - at) % stride === 0);
    const { columns, shown } = app.stage.grid;
    const tilePx = Math.min(shown.width, FRAME_PX / columns / (app.hasDifference ? 3 : app.isComparing ? 2 : 1));
    app.timeline.stop();
    this.saveFilm.disabled = true;
    try {
      const blob = await animatedPng(frames.length, (at) => {
        const now = app.index;
        app.index = frames[at];
        const canvas = this.drawn({ tilePx });
        app.index = now;
        return canvas;
      }, app.timeline.speed, (done) => { this.saveFilm.lastChild.textContent = `${Math.round(100 * done)} %`; });
      download(blob, `${fileName(app.state.run, app.recording.about.name)}.png`);
      app.say(`Animation of ${frames.length} of ${app.steps.length} pictures saved.`);
    } catch (error) {
      app.say(`The animation could not be made: ${error.message}`);
    } finally {
      app.index = index;
      this.saveFilm.disabled = false;
      this.saveFilm.lastChild.textContent = "Animation";
    }
  }
}
