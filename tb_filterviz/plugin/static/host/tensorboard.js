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

export function mirrorTheme(onChange) {
  const outer = parentDocument();
  const prefers = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const isDark = outer ? outer.body.classList.contains("dark-mode") : prefers.matches;
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
    onChange();
  };
  if (outer) new MutationObserver(apply).observe(outer.body, { attributes: true, attributeFilter: ["class"] });
  else prefers.addEventListener("change", apply);
  apply();
}

function parse(hash) {
  const [plugin, ...pairs] = hash.replace(/^#/, "").split("&");
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
  return { isOurs: plugin === PLUGIN, view };
}

export function readView() {
  try {
    return parse(window.parent.location.hash).view;
  } catch {
    return {};
  }
}

export function writeView(view) {
  const pairs = Object.entries(view)
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([name, value]) => `&${PREFIX}${name}=${encodeURIComponent(value)}`);
  try {
    const { location, history } = window.parent;
    const hash = `#${PLUGIN}${pairs.join("")}`;
    if (parse(location.hash).isOurs && location.hash !== hash) {
      history.replaceState(history.state, "", location.pathname + location.search + hash);
    }
  } catch {
    // the view still works, it just cannot be shared
  }
}

// `onView` gets what a changed address says; null where TensorBoard returned to the tab without a view.
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

// So that keys work at once, unless somebody is at something of TensorBoard's.
export function takeFocus() {
  const outer = parentDocument();
  if (outer && (outer.activeElement === outer.body || outer.activeElement === window.frameElement)) window.focus();
}

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
