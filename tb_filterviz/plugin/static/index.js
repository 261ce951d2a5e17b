// TensorBoard calls `render` in a frame of our own.

import { App } from "./app.js";
import { element } from "./widgets/dom.js";
import { FilterPanel } from "./parts/filter_panel.js";
import { helpDialog } from "./parts/help_dialog.js";
import { mirrorTheme, takeFocus } from "./host/tensorboard.js";
import { LayerPanel } from "./parts/layer_panel.js";
import { RecipeDialog } from "./parts/recipe_dialog.js";
import { Stage } from "./parts/stage.js";
import { Timeline } from "./parts/timeline.js";
import { Toolbar } from "./parts/toolbar.js";

// The frame around the parts, and what stands there when there is nothing to see.
class Page {
  constructor(parts) {
    this.message = element("div", { class: "message" });
    this.side = element("aside", { class: "side", "aria-label": "Details" });
    this.notice = element("p", { class: "notice", role: "note" });
    this.live = element("div", { class: "sr", role: "status", "aria-live": "polite" });
    this.parts = parts;
    this.work = element("div", { class: "work" },
      element("div", { class: "middle" }, parts.stage.root, this.side),
      parts.timeline.root);
    this.root = element("main", { class: "page" }, element("h1", { class: "sr" }, "Filters"),
      parts.toolbar.root, this.notice, this.message, this.work, parts.help, parts.recipeDialog.root, this.live);
    this.notice.hidden = true;
    parts.toolbar.show({ isWorking: false, hasRuns: false });
    this.only(this.message);
  }

  only(shown) {
    for (const one of [this.message, this.work]) one.hidden = one !== shown;
  }

  get isWorking() {
    return !this.work.hidden;
  }

  // Instead of pictures; which run and layer can still be chosen, if there are any.
  say(hasRuns, title, ...content) {
    this.message.replaceChildren(element("h2", {}, title), ...content);
    this.parts.toolbar.show({ isWorking: false, hasRuns });
    this.only(this.message);
  }

  showLoading() {
    if (!this.isWorking) this.say(false, "Loading …");
  }

  showEmpty(problems) {
    this.say(false, "No filters have been logged here yet",
      element("p", {}, "Train a model with the callback; this tab fills after its first epoch and TensorBoard's next reload:"),
      element("pre", {}, element("code", {}, "from tb_filterviz import FilterVisualizer\n\n"
        + "model.fit(x, y, epochs=5, callbacks=[FilterVisualizer(\"logs\")])")),
      element("p", {}, "Or see it at work on real digits:"),
      element("pre", {}, element("code", {}, "tb-filterviz demo")),
      ...(problems.length ? [element("p", {}, "What was found cannot be shown:"), this.listed(problems)] : []));
  }

  listed(problems) {
    return element("ul", {}, problems.slice(0, 20).map((problem) => element("li", {}, problem)));
  }

  showError(text, hasRuns, onRetry) {
    const retry = element("button", { type: "button", class: "button", on: { click: onRetry } }, "Try again");
    this.say(hasRuns, "This could not be shown", element("p", { role: "alert" }, text), retry);
  }

  showWork(app) {
    this.only(this.work);
    this.parts.toolbar.show({ isWorking: true, hasRuns: true });
    const { recording, state } = app;
    const kept = recording.steps.length;
    const notes = [];
    if (recording.loggedSteps > kept) {
      notes.push(`${kept} of ${recording.loggedSteps} ${recording.about.unit === "epoch" ? "epochs" : "steps"} are here: `
        + "TensorBoard kept a sample. Restart it with --samples_per_plugin filterviz=0 to see all.");
    }
    const unread = recording.unread.map(({ label }) => label);
    if (unread.length) notes.push(`Statistics that cannot be read: ${unread.join(", ")}.`);
    if (app.problems.length) {
      const more = app.problems.length - 1;
      notes.push(`Not everything can be shown. ${app.problems[0]}${more ? ` (and ${more} more)` : ""}`);
    }
    this.notice.textContent = notes.join(" ");
    this.notice.hidden = !notes.length;
    const panel = state.filter === null ? this.parts.layerPanel : this.parts.filterPanel;
    if (this.side.firstChild !== panel.root) this.side.replaceChildren(panel.root);
    this.side.hidden = app.isComparing && state.filter === null;
  }

  busy(isBusy) {
    this.root.setAttribute("aria-busy", String(isBusy));
  }

  announce(text) {
    this.live.textContent = text;
  }
}

function onKeyDown(app, event) {
  if (!app.page.isWorking || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const at = event.target.closest?.("select, input, button, [role=listbox]");
  const kind = at?.matches("[role=listbox]") ? "LISTBOX" : at?.tagName;
  if (kind === "SELECT") return;
  const { timeline, stage, toolbar } = app;
  const isFree = !kind || kind === "BUTTON";
  const neighbour = (by) => {
    const next = app.order[app.order.indexOf(app.state.filter) + by];
    if (next !== undefined) app.set({ filter: next });
  };
  const actions = {
    ",": () => timeline.jump(app.index - 1),
    ".": () => timeline.jump(app.index + 1),
    Escape: () => app.closeFilter(),
    "[": () => neighbour(-1),
    "]": () => neighbour(1),
    c: () => app.set({ view: app.isComparing ? "grid" : "compare" }),
    s: () => toolbar.saveAsPicture(),
    i: () => app.showRecipe(),
    m: () => app.hasMaps && app.set({ view: "grid", lens: app.isShowingMaps ? "tiles" : "maps" }),
    k: () => app.hasKernels && app.set({ view: "grid", lens: app.lens === "kernels" ? "tiles" : "kernels" }),
    "+": () => stage.zoomBy(1.5),
    "-": () => stage.zoomBy(1 / 1.5),
    0: () => stage.zoomBy(0),
    "?": () => app.help.showModal(),
    ...(kind !== "BUTTON" && { " ": () => timeline.toggle() }),
    ...(isFree && {
      ArrowLeft: () => timeline.jump(app.index - 1),
      ArrowRight: () => timeline.jump(app.index + 1),
      Home: () => timeline.jump(0),
      End: () => timeline.jump(Infinity),
    }),
  };
  if (!(event.key in actions)) return;
  event.preventDefault();
  actions[event.key]();
}

export async function render() {
  document.documentElement.lang = "en";
  document.title = "Filters";
  document.head.append(element("link", { rel: "stylesheet", href: "./static/style.css" }));
  const app = new App();
  const parts = { help: helpDialog(), recipeDialog: new RecipeDialog(), timeline: new Timeline(app), stage: new Stage(app),
    layerPanel: new LayerPanel(app) };
  parts.toolbar = new Toolbar(app);
  app.grid = parts.stage.grid;
  parts.filterPanel = new FilterPanel(app);
  const page = new Page(parts);
  app.attach({ ...parts, page });
  document.body.append(page.root);
  document.addEventListener("keydown", (event) => onKeyDown(app, event));
  mirrorTheme(() => app.recording && app.schedule());
  page.showLoading();
  await app.start();
  takeFocus();
}
