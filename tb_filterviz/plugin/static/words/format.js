// Words and numbers.

const PLURALS = new Map([["epoch", "epochs"], ["batch", "batches"]]);

export function unitsOf(unit) {
  return PLURALS.get(unit);
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

// A difference; `isExact` is false of tiles that are here reduced only, whose averages differ less.
export function differenceWords({ rms, isExact }) {
  return `${isExact ? "" : "about "}${percent(rms)}`;
}

// A statistic's value of one filter; `undefined` is a step that lacks it.
export function shown(value, unit) {
  if (value === undefined) return "–";
  if (unit === "flag") return value === null ? "–" : value ? "yes" : "no";
  return unit === "share" ? percent(value) : number(value);
}

export function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** What Keras prints for an epoch: it counts them from 1. @param {number} step @param {string} unit */
export function kerasEpoch(step, unit) {
  return unit === "epoch" && step >= 0 ? `Keras prints Epoch ${step + 1}` : "";
}

/** How long ago something was. @param {number} seconds */
export function ageWords(seconds) {
  if (seconds < 1.5) return "now";
  if (seconds < 90) return `${Math.round(seconds)} s ago`;
  return `${Math.round(seconds / 60)} min ago`;
}
