// TensorBoard around us: its theme, its address bar, its reload. Each may be out of reach, and then goes without.

const PLUGIN = "filterviz";
const PREFIX = `p.${PLUGIN}.`;

function parentDocument() {
  try {
    return window.parent === window ? null : window.parent.document;
  } catch {
    return null; // shown inside a page of another origin
  }
}

/** @param {(isDark: boolean) => void} onChange */
export function mirrorTheme(onChange) {
  const outer = parentDocument();
  const prefers = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const isDark = outer ? outer.body.classList.contains("dark-mode") : prefers.matches;
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    onChange(isDark);
  };
  if (outer) new MutationObserver(apply).observe(outer.body, { attributes: true, attributeFilter: ["class"] });
  else prefers.addEventListener("change", apply);
  apply();
}

/** The letters of TensorBoard's own page, which it serves itself. */
export function adoptFonts() {
  const outer = parentDocument();
  if (!outer?.defaultView) return;
  const { CSSFontFaceRule: FontFaceRule } = outer.defaultView; // its own: an object of another page is no instance of ours
  for (const sheet of outer.styleSheets) {
    try {
      for (const rule of sheet.cssRules) if (rule instanceof FontFaceRule) adopt(rule, sheet.href ?? outer.baseURI);
    } catch {
      // a sheet of another origin: without it, the system's letters are there
    }
  }
}

/** @param {CSSFontFaceRule} rule @param {string} base what its addresses are relative to */
function adopt({ style }, base) {
  const family = style.getPropertyValue("font-family").replaceAll(/["']/g, "");
  const source = style.getPropertyValue("src").replaceAll(/url\(["']?([^"')]+)["']?\)/g, (_, address) =>
    `url("${new URL(address, base)}")`);
  if (family !== "Roboto") return;
  const told = { weight: style.getPropertyValue("font-weight") || "400",
    style: style.getPropertyValue("font-style") || "normal",
    unicodeRange: style.getPropertyValue("unicode-range") || undefined };
  document.fonts.add(new FontFace(family, source, told));
}

/** @param {string} hash @returns {{isOurs: boolean, view: Record<string, string>}} */
function parse(hash) {
  const [plugin, ...pairs] = hash.replace(/^#/, "").split("&");
  /** @type {Record<string, string>} */
  const view = {};
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at < 0 || !pair.startsWith(PREFIX)) continue;
    try {
      view[pair.slice(PREFIX.length, at)] = decodeURIComponent(pair.slice(at + 1));
    } catch {
      // not ours: we write nothing that cannot be read
    }
  }
  return { isOurs: plugin === PLUGIN || window.parent === window, view }; // alone, the whole address is ours
}

/** Of TensorBoard's page; of ours, where that is out of reach. */
export function addressOf() {
  try {
    return { hash: window.parent.location.hash, search: window.parent.location.search };
  } catch {
    return { hash: "", search: "" };
  }
}

export function readView() {
  return parse(addressOf().hash).view;
}

/** @param {Record<string, unknown>} view @param {boolean} isPlace whether Back is to lead from it to the one before */
export function writeView(view, isPlace) {
  const pairs = Object.entries(view)
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([name, value]) => `&${PREFIX}${name}=${encodeURIComponent(String(value))}`);
  try {
    const { location, history } = window.parent;
    const hash = `#${PLUGIN}${pairs.join("")}`;
    if (!parse(location.hash).isOurs || location.hash === hash) return;
    const address = location.pathname + location.search + hash;
    if (isPlace) history.pushState(history.state, "", address);
    else history.replaceState(history.state, "", address);
  } catch {
    // the view still works, it just cannot be shared
  }
}

/**
 * Hears of an address that somebody else changed.
 *
 * @param {(view: Record<string, string> | null) => void} onView gets null where TensorBoard returned to the tab without one
 */
export function onAddressChange(onView) {
  try {
    window.parent.addEventListener("hashchange", () => {
      const { isOurs, view } = parse(window.parent.location.hash);
      if (isOurs) onView(Object.keys(view).length ? view : null);
    });
  } catch {
    // no address to follow
  }
}

/** So that keys work at once, unless somebody is at something of TensorBoard's. */
export function takeFocus() {
  const outer = parentDocument();
  if (outer && (outer.activeElement === outer.body || outer.activeElement === window.frameElement)) window.focus();
}

/** Hears of TensorBoard's reload. @param {() => void} callback */
export function onReload(callback) {
  if (window.parent === window) return;
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = (event) => {
    let message;
    try {
      message = JSON.parse(event.data);
    } catch {
      return;
    }
    if (message.isReply) return;
    port1.postMessage(JSON.stringify({ type: message.type, id: message.id, payload: null, error: null, isReply: true }));
    if (message.type === "experimental.DataReloaded") callback();
  };
  window.parent.postMessage("experimental.bootstrap", "*", [port2]);
}
