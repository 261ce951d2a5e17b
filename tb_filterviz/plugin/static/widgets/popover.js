// A button, and what it opens below itself.

import { element } from "./dom.js";

/**
 * What a button opens, and how to close it.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} content
 * @param {{onOpen?: () => void}} [listeners]
 */
export function popover(button, content, { onOpen } = {}) {
  const panel = element("div", { class: "popover", popover: "auto" }, content);
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => panel.togglePopover());
  panel.addEventListener("beforetoggle", (event) => {
    if (event.newState === "open") onOpen?.();
  });
  panel.addEventListener("toggle", (event) => {
    const isOpen = event.newState === "open";
    button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) placeBelow(panel, button);
  });
  panel.addEventListener("keydown", (event) => {
    event.stopPropagation(); // keys of the tab are not at work in here
    if (event.key !== "Escape") return;
    event.preventDefault();
    panel.hidePopover();
    button.focus();
  });
  return {
    panel,
    close: () => {
      if (panel.matches(":popover-open")) panel.hidePopover();
    },
  };
}

/** @param {HTMLElement} panel @param {HTMLElement} button */
function placeBelow(panel, button) {
  const at = button.getBoundingClientRect();
  const room = { width: document.documentElement.clientWidth, height: document.documentElement.clientHeight };
  const isAbove = at.bottom > room.height * 0.7;
  panel.style.maxHeight = `${Math.max(120, (isAbove ? at.top : room.height - at.bottom) - 16)}px`;
  const { width, height } = panel.getBoundingClientRect();
  panel.style.left = `${Math.max(8, Math.min(at.left, room.width - width - 8))}px`;
  panel.style.top = `${isAbove ? Math.max(8, at.top - height - 4) : at.bottom + 4}px`;
}
