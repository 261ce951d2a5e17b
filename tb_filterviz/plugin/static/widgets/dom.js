// Elements by their properties. Text only ever becomes text: names of runs and layers are anybody's.

const SVG = "http://www.w3.org/2000/svg";

/** @typedef {string | Node | null | undefined | (string | Node | null | undefined)[]} Child */

/**
 * Attributes by their names, of which those that are false, null or undefined are left out; `on` holds listeners by event.
 *
 * @typedef {Record<string, unknown> & {on?: Record<string, (event: never) => void>}} Attributes
 */

/**
 * @param {Element} made
 * @param {Attributes} attributes
 * @param {Child[]} children
 */
function fill(made, { on = {}, ...attributes }, children) {
  for (const [event, listener] of Object.entries(on)) {
    made.addEventListener(event, /** @type {(event: Event) => void} */ (listener));
  }
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) {
      made.setAttribute(name, "");
    } else if (value !== false && value !== undefined && value !== null) {
      made.setAttribute(name, String(value));
    }
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null) made.append(child);
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  fill(made, attributes, children);
  return made;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} [attributes]
 * @param {Child[]} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  fill(made, attributes, children);
  return made;
}

/** @type {Record<string, string>} */
const ICONS = {
  first: "M6 6h2v12H6zM19 6v12l-9-6z",
  back: "M16 6v12l-9-6z",
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  forward: "M8 6v12l9-6z",
  last: "M16 6h2v12h-2zM5 6v12l9-6z",
  loop: "M7 7h9V4l5 4-5 4V9H9v4H7zM17 17H8v3l-5-4 5-4v3h7v-4h2z",
  close: "M6.4 5 5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12 19 6.4 17.6 5 12 10.6z",
  save: "M11 3h2v9l3.5-3.5L18 10l-6 6-6-6 1.5-1.5L11 12zM4 18h16v2H4z",
  plus: "M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z",
  minus: "M5 11h14v2H5z",
  fit: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
  large: "M14 4h6v6h-2V7.4l-4.3 4.3-1.4-1.4L16.6 6H14zM4 14h2v2.6l4.3-4.3 1.4 1.4L7.4 18H10v2H4z",
  help: "M11 18h2v2.2h-2zM7 9a5 5 0 0 1 10 0c0 3.2-4 3.6-4 7h-2c0-4.6 4-4.8 4-7a3 3 0 0 0-6 0z",
  down: "M7 9.5 12 14.5 17 9.5z",
};

/** @param {string} name */
export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" },
    svg("path", { d: ICONS[name], "fill-rule": "evenodd" }));
}

/**
 * @param {string} name
 * @param {string} label
 * @param {string} keys that do the same
 * @param {(event: MouseEvent) => void} onClick
 */
export function iconButton(name, label, keys, onClick) {
  return element("button", { type: "button", class: "icon-button", "aria-label": label,
    title: keys ? `${label} (${keys})` : label, on: { click: onClick } }, icon(name));
}

/** @param {HTMLElement} button @param {string} name @param {string} label @param {string} keys */
export function setIcon(button, name, label, keys) {
  button.replaceChildren(icon(name));
  button.setAttribute("aria-label", label);
  button.title = `${label} (${keys})`;
}

/** Only if it differs: a screen reader reads what is written again. @param {Node} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * @template {string} V
 * @typedef {[value: V, text: string, tooltip?: string]} Option
 */

/**
 * A labelled select.
 *
 * @template {string} V
 * @param {string} label
 * @param {(value: V) => void} onChange
 */
export function choice(label, onChange) {
  const select = element("select", { on: { change: () => onChange(/** @type {V} */ (select.value)) } });
  const wrapper = element("label", { class: "choice" }, element("span", { class: "choice-label" }, label), select);
  return {
    wrapper,
    select,
    /** @param {Option<V>[]} options @param {string} chosen */
    set(options, chosen) {
      const same = select.options.length === options.length
        && options.every(([value, text], at) => select.options[at].value === value && select.options[at].text === text);
      if (!same) {
        select.replaceChildren(...options.map(([value, text, title]) => element("option", { value, title }, text)));
      }
      if (select.value !== chosen) select.value = chosen;
    },
  };
}

/**
 * Buttons of which one is pressed.
 *
 * @template {string} V
 * @param {string} label
 * @param {(value: V) => void} onChange
 */
export function segments(label, onChange) {
  const group = element("div", { class: "segments", role: "group", "aria-label": label });
  /** @type {HTMLButtonElement[]} */
  let buttons = [];
  return {
    wrapper: group,
    /** @param {Option<V>[]} options @param {string} chosen */
    set(options, chosen) {
      const same = buttons.length === options.length && options.every(([value, text, title = ""], at) =>
        buttons[at].dataset.value === value && buttons[at].textContent === text && buttons[at].title === title);
      if (!same) {
        buttons = options.map(([value, text, title]) => element("button",
          { type: "button", title, "data-value": value, on: { click: () => onChange(value) } }, text));
        group.replaceChildren(...buttons);
      }
      for (const button of buttons) {
        button.setAttribute("aria-pressed", String(button.dataset.value === chosen));
      }
    },
  };
}
