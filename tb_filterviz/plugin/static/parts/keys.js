// What keys do.

import { shownView } from "../state/selectors.js";

/**
 * @typedef {object} Tools
 * @property {(factor: number) => void} zoomBy
 * @property {() => void} showHelp
 * @property {() => void} showRecipe
 * @property {() => void} save
 * @property {() => void} toggleLoop
 * @property {() => void} focusGrid
 */

/**
 * @param {import("../state/actions.js").Actions} actions
 * @param {Tools} tools
 * @param {KeyboardEvent} event
 */
export function onKeyDown(actions, tools, event) {
  const { state } = actions;
  if (state.phase !== "work" || event.ctrlKey || event.metaKey || event.altKey) return;
  const dialog = document.querySelector("dialog[open]");
  if (dialog && !dialog.matches(".large")) return;
  const at = event.target instanceof Element ? event.target.closest("select, input, button, [role=listbox]") : null;
  const kind = at?.matches("[role=listbox]") ? "LISTBOX" : at?.tagName;
  if (kind === "SELECT" || at?.matches("input[type=search]")) return;
  const action = (shownView(state) === "overview" ? inOverview(actions, tools) : inLayer(actions, tools, kind))[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

/** @param {import("../state/actions.js").Actions} actions @param {Tools} tools @returns {Record<string, () => void>} */
function inOverview(actions, { showHelp }) {
  return { "?": showHelp, o: () => actions.switchView("overview"), r: () => actions.switchView("runs"),
    c: () => actions.switchView("compare") };
}

/**
 * @param {import("../state/actions.js").Actions} actions
 * @param {Tools} tools
 * @param {string | undefined} kind of element that has the focus
 * @returns {Record<string, () => void>}
 */
function inLayer(actions, tools, kind) {
  const { state } = actions;
  const isFree = !kind || kind === "BUTTON";
  const isLarge = state.view.large;
  const go = (/** @type {number} */ by) => () => actions.jump(state.index + by);
  return {
    ",": go(-1),
    ".": go(1),
    "[": () => actions.moveToFilter(-1),
    "]": () => actions.moveToFilter(1),
    b: () => actions.goToBest(),
    l: tools.toggleLoop,
    ...(!isLarge && {
      Escape: () => {
        if (state.view.filter === null) return;
        actions.closeFilter();
        tools.focusGrid();
      },
      PageUp: () => actions.moveToLayer(-1),
      PageDown: () => actions.moveToLayer(1),
      o: () => actions.switchView("overview"),
      c: () => actions.switchView("compare"),
      r: () => actions.switchView("runs"),
      s: tools.save,
      i: tools.showRecipe,
      m: () => actions.switchLens("maps"),
      k: () => actions.switchLens("kernels"),
      "+": () => tools.zoomBy(1.5),
      "-": () => tools.zoomBy(1 / 1.5),
      0: () => tools.zoomBy(0),
      "?": tools.showHelp,
    }),
    ...(!isLarge && !kind && state.view.filter !== null && { Enter: () => actions.set({ large: true }) }),
    ...(kind !== "BUTTON" && { " ": () => actions.player.toggle() }),
    ...(isFree && {
      ArrowLeft: go(-1),
      ArrowRight: go(1),
      Home: () => actions.jump(0),
      End: () => actions.jump(Infinity),
    }),
  };
}
