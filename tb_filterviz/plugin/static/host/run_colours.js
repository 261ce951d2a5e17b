// The colours that TensorBoard gives to runs, so that a run has one colour in all of its tabs.
//
// TensorBoard's client numbers runs in the order in which it hears of them, and a run's colour is that of its number in a
// palette of seven. It first hears of all that `data/runs` lists, by when they began; a run that appears later has the next
// number, wherever it comes in the list. If colours go by groups that a regular expression tells apart, which the address
// says, groups are numbered likewise. A colour that somebody chose for one run is in that client's memory only.

import { savedPage } from "../data/saved_page.js";

const PALETTE = [
  { light: "#425066", dark: "#8e98a3" }, // slate
  { light: "#12b5cb", dark: "#12b5cb" }, // cyan
  { light: "#e52592", dark: "#e52592" }, // pink
  { light: "#f9ab00", dark: "#f9ab00" }, // yellow
  { light: "#9334e6", dark: "#9334e6" }, // purple
  { light: "#7cb342", dark: "#7cb342" }, // light green
  { light: "#e8710a", dark: "#e8710a" }, // orange
];
const NO_GROUP = { light: "#e0e0e0", dark: "#3b3b3b" };
const BY_PATTERN = "regex:";
const LINE_CONTRAST = 3; // of lines and marks to what they are on: WCAG 2.2, 1.4.11

/**
 * All runs of the log directory, in TensorBoard's order.
 *
 * @param {AbortSignal} [signal]
 * @returns {Promise<string[]>}
 */
export async function fetchRunNames(signal) {
  if (savedPage) return (await savedPage.answer("runs", {})).json();
  const answer = await fetch("../../runs", { signal }); // beside data/plugin/filterviz/, our base address
  if (!answer.ok) throw new Error(`TensorBoard answers ${answer.status}.`);
  return answer.json();
}

/**
 * Runs in the order in which TensorBoard heard of them: known ones keep their places, new ones come after them.
 *
 * @param {string[]} known
 * @param {string[]} listed by `fetchRunNames`, later
 * @returns {string[]}
 */
export function withNewRuns(known, listed) {
  return [...new Set([...known, ...listed])];
}

/**
 * The regular expression by whose groups runs are coloured, as the address of TensorBoard's page says; empty where each run
 * has a colour of its own.
 *
 * @param {string} search `location.search` of that page
 * @returns {string}
 */
export function colourPatternOf(search) {
  const value = new URLSearchParams(search).get("runColorGroup") ?? "";
  return value.startsWith(BY_PATTERN) ? value.slice(BY_PATTERN.length) : "";
}

/**
 * The colour of each run.
 *
 * @param {string[]} runs all of TensorBoard's, in the order in which it heard of them
 * @param {boolean} isDark
 * @param {string} [pattern] by whose groups they are coloured
 * @returns {Map<string, string>} `#rrggbb` by run
 */
export function coloursOf(runs, isDark, pattern = "") {
  const theme = isDark ? "dark" : "light";
  const expression = parsed(pattern);
  const numbers = new Map();
  return new Map(runs.map((run) => {
    const group = groupOf(run, expression);
    if (group === null) return [run, NO_GROUP[theme]];
    if (!numbers.has(group)) numbers.set(group, numbers.size);
    return [run, PALETTE[numbers.get(group) % PALETTE.length][theme]];
  }));
}

/**
 * Null of a run that belongs to no group: it is gray.
 *
 * @param {string} run
 * @param {RegExp | null} expression
 * @returns {string | null}
 */
function groupOf(run, expression) {
  if (!expression) return run;
  const found = expression.exec(run);
  return found ? JSON.stringify(found.slice(1)) : null;
}

/** @param {string} pattern */
function parsed(pattern) {
  try {
    return pattern ? new RegExp(pattern) : null;
  } catch {
    return null;
  }
}

/**
 * A colour for lines and marks: made darker or lighter just enough to be told from its background, the hue kept.
 *
 * @param {string} colour `#rrggbb`
 * @param {string} background `#rrggbb`
 * @returns {string} `#rrggbb`
 */
export function lineColour(colour, background) {
  if (contrast(colour, background) >= LINE_CONTRAST) return colour;
  const { hue, saturation, lightness } = toHsl(colour);
  const isLighter = contrast("#ffffff", background) > contrast("#000000", background);
  let [short, enough] = [lightness, isLighter ? 1 : 0];
  for (let round = 0; round < 12; round += 1) { // finer than a gray level
    const middle = (short + enough) / 2;
    if (contrast(fromHsl(hue, saturation, middle), background) >= LINE_CONTRAST) enough = middle;
    else short = middle;
  }
  return fromHsl(hue, saturation, enough);
}

/**
 * The contrast of two colours, 1 to 21, as WCAG 2.2 defines it.
 *
 * @param {string} one `#rrggbb`
 * @param {string} other `#rrggbb`
 */
export function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((first, second) => first - second);
  return (high + 0.05) / (low + 0.05);
}

/** @param {string} colour */
function luminance(colour) {
  const linear = (/** @type {number} */ value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const [red, green, blue] = channels(colour).map(linear);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Red, green and blue, 0 to 1. @param {string} colour */
function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255);
}

/** @param {string} colour */
function toHsl(colour) {
  const [red, green, blue] = channels(colour);
  const [low, high] = [Math.min(red, green, blue), Math.max(red, green, blue)];
  const lightness = (low + high) / 2;
  const range = high - low;
  if (range === 0) return { hue: 0, saturation: 0, lightness };
  let sixth = (red - green) / range + 4;
  if (high === red) sixth = (green - blue) / range;
  else if (high === green) sixth = (blue - red) / range + 2;
  return { hue: (60 * sixth + 360) % 360, saturation: range / (1 - Math.abs(2 * lightness - 1)), lightness };
}

/** @param {number} hue @param {number} saturation @param {number} lightness */
function fromHsl(hue, saturation, lightness) {
  const reach = saturation * Math.min(lightness, 1 - lightness);
  const hex = [0, 8, 4].map((offset) => {
    const at = (offset + hue / 30) % 12;
    const value = lightness - reach * Math.max(-1, Math.min(at - 3, 9 - at, 1));
    return Math.round(255 * value).toString(16).padStart(2, "0");
  });
  return `#${hex.join("")}`;
}
