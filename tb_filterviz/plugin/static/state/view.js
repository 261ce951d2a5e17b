// What is being looked at, and how: all that an address has to hold.

// A `step` of null is the latest, a `filter` of null the whole layer; `run2` and `step2` are what is compared with; a `lens` of
// "maps" shows what filters answer to an `example`, counted among those that maps were logged of, of "kernels" their weights.
export const START = { run: null, layer: null, step: null, filter: null, view: "grid", sort: "index", stuck: "show",
  run2: undefined, step2: undefined, metric: undefined, lens: "tiles", example: 0 };

const CHOICES = { view: ["grid", "compare"], stuck: ["show", "dim", "hide"], lens: ["tiles", "maps", "kernels"] };

function parseInteger(text) {
  return /^-?\d{1,15}$/.test(text ?? "") ? Number(text) : undefined;
}

// The view that an address names; what it does not name, or names wrongly, is as at the start.
export function viewOf(named) {
  const view = { ...START, run: named.run ?? null, layer: named.layer ?? null, step: parseInteger(named.step) ?? null,
    filter: parseInteger(named.filter) ?? null, run2: named.run2, step2: parseInteger(named.step2), metric: named.metric,
    example: Math.max(0, parseInteger(named.example) ?? 0) };
  if (/^[a-z][a-z0-9_.]{0,60}$/.test(named.sort ?? "")) view.sort = named.sort; // which there are, the layer says
  for (const [name, known] of Object.entries(CHOICES)) {
    if (known.includes(named[name])) view[name] = named[name];
  }
  return view;
}

export function changedIn(view) {
  return Object.fromEntries(Object.entries(view).filter(([name, value]) => value !== START[name]));
}
