// Pure functions: orders, places, words.

export const ORDERS = [
  ["index", "Index"],
  ["score", "Score"],
  ["change", "Change"],
  ["settled", "Settling"],
];

// The position in `changes` (one filter's change at every step) after which it stays below a quarter of its largest.
export function settledAt(changes) {
  const largest = Math.max(0, ...changes.filter((change) => change !== null));
  let at = 0;
  changes.forEach((change, position) => {
    if (change !== null && change > largest / 4) at = position;
  });
  return at;
}

function transposed(rows, filters) {
  return Array.from({ length: filters }, (_, filter) => rows.map((row) => row[filter]));
}

export function settledSteps(rows, filters) {
  return transposed(rows ?? [], filters).map(settledAt);
}

// Filters in the order in which they are shown. It holds for the whole run, so that each keeps its place.
export function orderOf(recording, key) {
  const filters = Array.from({ length: recording.about.filters }, (_, filter) => filter);
  const last = recording.steps.length - 1;
  const values = {
    score: () => (recording.row("score", last) ?? []).map((score) => -(score ?? -Infinity)),
    change: () => (recording.row("change_since_start", last) ?? []).map((change) => -(change ?? 0)),
    settled: () => settledSteps(recording.rows.change, filters.length),
  }[key]?.();
  if (values?.length) filters.sort((one, other) => values[one] - values[other] || one - other);
  return filters;
}

// How many columns make tiles largest within an area, and how large that makes them.
export function fit(count, tile, area, gap, largestPx, pixelRatio) {
  let best = { columns: 1, scale: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const rows = Math.ceil(count / columns);
    const scale = Math.min(
      (area.width - gap * (columns + 1)) / columns / tile.width,
      (area.height - gap * (rows + 1)) / rows / tile.height,
      largestPx / Math.max(tile.width, tile.height),
    );
    if (scale > best.scale * 1.001) best = { columns, scale };
  }
  return { columns: best.columns, scale: wholePixels(Math.max(best.scale, 2 / tile.width), pixelRatio) };
}

// From four screen pixels on, a scale at which every pixel of a tile covers equally many; below, that costs too much room.
export function wholePixels(scale, pixelRatio) {
  const onScreen = scale * pixelRatio;
  return onScreen < 4 ? scale : Math.floor(onScreen + 1e-6) / pixelRatio;
}

// Where a step lies among `steps`, as a fraction of the way; curves and slider share it.
export function placeOf(step, steps) {
  const last = steps.length - 1;
  if (last < 1) return 0;
  if (step <= steps[0]) return 0;
  if (step >= steps[last]) return 1;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle;
    else high = middle;
  }
  return (low + (step - steps[low]) / (steps[high] - steps[low])) / last;
}

export function nearestIndex(step, steps) {
  if (step === undefined || step === null || Number.isNaN(Number(step))) return steps.length - 1;
  let best = 0;
  steps.forEach((other, at) => {
    if (Math.abs(other - step) < Math.abs(steps[best] - step)) best = at;
  });
  return best;
}

export function nameOfStep(step, unit) {
  if (unit === "epoch" && step === -1) return "before training";
  return `${unit} ${step}`;
}

export function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function number(value) {
  if (value === null || value === undefined) return "not finite";
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 100000)) return value.toExponential(2);
  return String(Number(value.toPrecision(3)));
}

export function percent(share) {
  if (share === null || share === undefined) return "–";
  const digits = share === 0 || share >= 0.0995 ? 0 : share >= 0.00995 ? 1 : 2;
  return `${(100 * share).toFixed(digits)} %`;
}

export function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
