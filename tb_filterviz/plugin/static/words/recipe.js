// Pure functions: how a run was drawn, in words. Nobody has checked what a recipe holds; what is odd is left out.

import { unitsOf } from "./format.js";

/**
 * @typedef {Record<string, unknown>} Recipe see recipe.py
 * @typedef {import("../state/state.js").About} About
 */

const WRITERS = new Map([
  ["callback", "a callback, during the training"],
  ["logger", "a logger, from a loop"],
  ["checkpoints", "a logger, from saved weights"],
]);
const MOST_ROWS = 2000;

/** Whether it has names, and what they name. @param {unknown} value @returns {value is Record<string, unknown>} */
function isRecord(value) {
  return value !== null && typeof value === "object";
}

/**
 * What is found by going down the names; undefined where there is no such thing.
 *
 * @param {unknown} value
 * @param {string[]} names
 * @returns {unknown}
 */
function at(value, ...names) {
  let found = value;
  for (const name of names) {
    if (!isRecord(found) || !Object.hasOwn(found, name)) return undefined;
    found = found[name];
  }
  return found;
}

/** @param {unknown} value @returns {unknown[]} */
function list(value) {
  return Array.isArray(value) ? value.slice(0, MOST_ROWS) : [];
}

/** @param {unknown} value */
function text(value) {
  return ["string", "number", "boolean"].includes(typeof value) ? String(value) : "";
}

/** @param {unknown} value @returns {[string, unknown][]} */
function entries(value) {
  return isRecord(value) && !Array.isArray(value) ? Object.entries(value) : [];
}

/** A part of the ascent, or a tone mapping. @param {unknown} part */
function partOf(part) {
  return [text(at(part, "label")) || text(at(part, "name")), text(at(part, "description"))].filter(Boolean).join(": ");
}

/** "3 × 3 × 1 × 20" of the shape of weights or of a tile. @param {unknown} value */
function shape(value) {
  return list(value).map(text).join(" × ");
}

/**
 * What was chosen for a layer, and where nothing was, for all.
 *
 * @param {Recipe} recipe
 * @param {string} layer
 * @param {string[]} names
 */
function ofLayer(recipe, layer, ...names) {
  const own = list(at(recipe, "layers")).find((one) => at(one, "layer") === layer);
  return at(own, ...names) ?? at(recipe, "config", ...names);
}

/**
 * Parts of one kind, by names; where a recipe does not name a layer's, all that it holds.
 *
 * @param {Recipe} recipe
 * @param {"tone" | "ascent"} kind
 * @param {string[] | undefined} names
 */
function partsOf(recipe, kind, names) {
  const held = at(recipe, "parts", kind);
  const known = Array.isArray(held) ? list(held) : [held];
  return known.filter((part) => names === undefined || names.includes(text(at(part, "name")))).map(partOf);
}

/** @param {Recipe} recipe @param {string} layer */
function ascent(recipe, layer) {
  const steps = text(ofLayer(recipe, layer, "ascent", "steps"));
  const size = text(ofLayer(recipe, layer, "ascent", "step_size"));
  if (!steps) return "";
  return `${steps} steps${size ? `, each of ${size} / 255 of the input range` : ""}`;
}

/** @param {Recipe} recipe @param {string} layer */
function start(recipe, layer) {
  const [gray, noise, seed, starts] = [["ascent", "gray"], ["ascent", "noise"], ["seed"], ["ascent", "starts"]]
    .map((names) => text(ofLayer(recipe, layer, ...names)));
  return [gray && `gray ${gray} of 255`, noise && `noise ${noise}`, seed && `seed ${seed}`,
    Number(starts) > 1 && `${starts} of them: the mean of where they arrive`].filter(Boolean).join(", ");
}

/** @param {Recipe} recipe */
function versions(recipe) {
  const found = entries(at(recipe, "versions")).filter(([name, version]) => name !== "backend" && text(version));
  const backend = text(at(recipe, "versions", "backend"));
  return [found.map(([name, version]) => `${name} ${text(version)}`).join(", "), backend && `backend ${backend}`]
    .filter(Boolean).join("; ");
}

/**
 * What and how, of a layer of the run.
 *
 * @param {Recipe} recipe
 * @param {About} about the layer, as the server says
 * @returns {[what: string, how: string][]}
 */
export function factsOf(recipe, about) {
  const objective = `the inputs that maximize ${about.description}`
    + `${about.receptive_field ? ", cut to its receptive field" : ""}`;
  const range = list(at(recipe, "input_range")).map(text).filter(Boolean);
  const tone = ofLayer(recipe, about.name, "tone");
  const parts = ofLayer(recipe, about.name, "ascent", "parts");
  const partNames = Array.isArray(parts) ? list(parts).map((part) => text(at(part, "name")) || text(part)) : undefined;
  const writer = text(at(recipe, "written_by"));
  /** @type {[string, string][]} */
  const facts = [
    [`Pictures of ${about.name}`, `${about.objective_label ? `${about.objective_label}: ` : ""}${objective}`],
    ["Tone", partsOf(recipe, "tone", typeof tone === "string" ? [tone] : undefined)[0] ?? ""],
    ["Ascent", ascent(recipe, about.name)],
    ...partsOf(recipe, "ascent", partNames).map((part) => fact("In every step", part)),
    ["Start", start(recipe, about.name)],
    ["Input range", range.length === 2 ? range.join(" to ") : ""],
    ["Input channels", text(at(recipe, "channel_order")) === "bgr" ? "blue, green, red" : ""],
    ["Steps count", unitsOf(text(at(recipe, "unit")))],
    ["Written by", WRITERS.get(writer) ?? writer],
    ["Versions", versions(recipe)],
  ];
  return facts.filter(([, how]) => how);
}

/** Layer, filters, tile and objective, of all that are drawn. @param {Recipe} recipe @returns {string[][]} */
export function drawnLayers(recipe) {
  return list(at(recipe, "layers")).map((layer) => [text(at(layer, "layer")), text(at(layer, "filters")),
    shape(at(layer, "tile")), text(at(layer, "objective"))]);
}

/** Path, class and weights, of all layers of the model. @param {Recipe} recipe @returns {string[][]} */
export function modelLayers(recipe) {
  return list(at(recipe, "model", "layers")).map((layer) => [text(at(layer, "path")), text(at(layer, "class")),
    list(at(layer, "weights")).map(shape).join(", ")]);
}

/** @param {Recipe} recipe */
export function modelName(recipe) {
  return text(at(recipe, "model", "name"));
}

/**
 * All settings and their values: "ascent.steps" and the like.
 *
 * @param {Recipe} recipe
 * @returns {[name: string, value: string][]}
 */
export function settingsOf(recipe) {
  return flat(at(recipe, "config"), "").slice(0, MOST_ROWS);
}

/** @param {unknown} value @param {string} prefix @returns {[string, string][]} */
function flat(value, prefix) {
  return entries(value).flatMap(([name, inner]) => (entries(inner).length ? flat(inner, `${prefix}${name}.`)
    : [fact(`${prefix}${name}`, JSON.stringify(inner))]));
}

/** @param {string} what @param {string} how @returns {[what: string, how: string]} */
function fact(what, how) {
  return [what, how];
}

/**
 * What is known of how the training went about it; empty if nothing is.
 *
 * @param {Recipe | null} recipe
 * @returns {{optimizer?: unknown, learning_rate?: unknown}}
 */
export function trainingOf(recipe) {
  return { optimizer: at(recipe, "training", "optimizer"), learning_rate: at(recipe, "training", "learning_rate") };
}

/** What tells a run's examples from others; empty if it does not say. @param {Recipe | null} recipe */
export function examplesFingerprint(recipe) {
  return text(at(recipe, "examples", "fingerprint"));
}
