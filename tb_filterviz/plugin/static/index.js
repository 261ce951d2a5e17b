// TensorBoard calls `render` in a frame of our own.

import { adoptFonts, mirrorTheme, onAddressChange, onReload, takeFocus } from "./host/tensorboard.js";
import { onKeyDown } from "./parts/keys.js";
import { FilterPanel } from "./parts/filter_panel.js";
import { HelpDialog } from "./parts/help_dialog.js";
import { LargeView } from "./parts/large_view.js";
import { LayerPanel } from "./parts/layer_panel.js";
import { ManyRuns } from "./parts/many_runs.js";
import { OverviewPart } from "./parts/overview.js";
import { Page } from "./parts/page.js";
import { ReadingLine } from "./parts/reading_line.js";
import { RecipeDialog } from "./parts/recipe_dialog.js";
import { Saving } from "./parts/saving.js";
import { Stage } from "./parts/stage.js";
import { Timeline } from "./parts/timeline.js";
import { Toolbar } from "./parts/toolbar.js";
import { Actions } from "./state/actions.js";
import { recipeOf } from "./state/selectors.js";
import { NOTHING } from "./state/state.js";
import { Store } from "./state/store.js";
import { element } from "./widgets/dom.js";

/** Call it in the next frame, however often it is asked. @param {() => void} draw */
function onceAFrame(draw) {
  let isAsked = false;
  return () => {
    if (isAsked) return;
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      draw();
    });
  };
}

/** Shows the tab. @param {string} [style] where its style sheet is */
export async function render(style = new URL("./style.css", import.meta.url).href) {
  document.documentElement.lang = "en";
  document.title = "Filters";
  document.head.append(element("link", { rel: "stylesheet", href: style }));
  const store = new Store(NOTHING);
  const actions = new Actions(store);
  const help = new HelpDialog();
  const recipe = new RecipeDialog();
  const showHelp = () => help.show(store.state);
  const showRecipe = () => {
    const { state } = store;
    const told = recipeOf(state);
    if (told && state.recording) recipe.show(told, state.recording.about);
  };
  const stage = new Stage(actions);
  const saving = new Saving(actions, () => ({ tilePx: stage.grid.shown.width || 64, columns: stage.grid.columns || 10 }));
  const parts = {
    toolbar: new Toolbar(actions, { saving: saving.root, showHelp }),
    reading: new ReadingLine(actions, showHelp), overview: new OverviewPart(actions), stage, runs: new ManyRuns(actions),
    layerPanel: new LayerPanel(actions, showRecipe), filterPanel: new FilterPanel(actions, stage.grid),
    timeline: new Timeline(actions), large: new LargeView(actions),
  };
  const page = new Page(actions, parts, [help.root, recipe.root]);
  actions.announce = (text) => page.announce(text);
  document.body.append(page.root);
  const draw = onceAFrame(() => page.render(store.state));
  store.subscribe(draw);
  page.render(store.state);
  const tools = { zoomBy: (/** @type {number} */ factor) => stage.zoomBy(factor), showHelp, showRecipe,
    save: () => saving.savePicture(), toggleLoop: () => parts.timeline.toggleLoop(),
    focusGrid: () => stage.grid.root.focus() };
  document.addEventListener("keydown", (event) => onKeyDown(actions, tools, event));
  // A button that was pressed with the mouse does not keep the keyboard: Space plays, it does not press it again.
  document.addEventListener("pointerup", () => setTimeout(() => {
    const { activeElement } = document;
    if (activeElement instanceof HTMLButtonElement && !activeElement.matches(":focus-visible")) activeElement.blur();
  }));
  mirrorTheme((isDark) => store.update({ isDark }));
  adoptFonts();
  onReload(() => actions.reload());
  onAddressChange((named) => actions.followAddress(named));
  await actions.start();
  takeFocus();
}
