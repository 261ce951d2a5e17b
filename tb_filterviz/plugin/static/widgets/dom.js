// Elements by their properties. Text only ever becomes text: names of runs and layers are anybody's.

const SVG = "http://www.w3.org/2000/svg";

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value === true) {
      made.setAttribute(name, "");
    } else if (value !== false && value !== undefined && value !== null) {
      made.setAttribute(name, String(value));
    }
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null) made.append(child);
  }
  return made;
}

export function element(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

const ICONS = {
  first: "M6 6h2v12H6zM19 6v12l-9-6z",
  back: "M16 6v12l-9-6z",
  play: "M8 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  forward: "M8 6v12l9-6z",
  last: "M16 6h2v12h-2zM5 6v12l9-6z",
  close: "M6.4 5 5 6.4 10.6 12 5 17.6 6.4 19 12 13.4 17.6 19 19 17.6 13.4 12 19 6.4 17.6 5 12 10.6z",
  picture: "M4 4h16v16H4zM6 6v9l4-4 3 3 3-3 2 2V6z",
  film: "M3 5h18v14H3zM5 7v2h2V7zm0 4v2h2v-2zm0 4v2h2v-2zm12-8v2h2V7zm0 4v2h2v-2zm0 4v2h2v-2zM9 7v10h6V7z",
  plus: "M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z",
  minus: "M5 11h14v2H5z",
  fit: "M4 4h6v2H6v4H4zM14 4h6v6h-2V6h-4zM4 14h2v4h4v2H4zM18 14h2v6h-6v-2h4z",
  help: "M11 18h2v2.2h-2zM7 9a5 5 0 0 1 10 0c0 3.2-4 3.6-4 7h-2c0-4.6 4-4.8 4-7a3 3 0 0 0-6 0z",
};

export function icon(name) {
  return svg("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" },
    svg("path", { d: ICONS[name], "fill-rule": "evenodd" }));
}

export function iconButton(name, label, keys, onClick) {
  return element("button", { type: "button", class: "icon-button", "aria-label": label,
    title: keys ? `${label} (${keys})` : label, on: { click: onClick } }, icon(name));
}

export function setIcon(button, name, label, keys) {
  button.replaceChildren(icon(name));
  button.setAttribute("aria-label", label);
  button.title = `${label} (${keys})`;
}

// A labelled select; `options` are [value, text, tooltip].
export function choice(label, onChange) {
  const select = element("select", { on: { change: () => onChange(select.value) } });
  const wrapper = element("label", { class: "choice" }, element("span", { class: "choice-label" }, label), select);
  return {
    wrapper,
    select,
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

// Buttons of which one is pressed; `options` are [value, text, tooltip].
export function segments(label, onChange) {
  const group = element("div", { class: "segments", role: "group", "aria-label": label });
  return {
    wrapper: group,
    set(options, chosen) {
      const same = group.children.length === options.length
        && options.every(([value, text, title], at) => group.children[at].dataset.value === value
          && group.children[at].textContent === text && group.children[at].title === title);
      if (!same) {
        group.replaceChildren(...options.map(([value, text, title]) => {
          const button = element("button", { type: "button", title, on: { click: () => onChange(value) } }, text);
          button.dataset.value = value;
          return button;
        }));
      }
      for (const button of group.children) button.setAttribute("aria-pressed", String(button.dataset.value === chosen));
    },
  };
}
