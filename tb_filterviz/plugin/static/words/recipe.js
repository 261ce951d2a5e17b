// Pure functions: how a run was drawn, in words. Nobody has checked what a recipe holds; what is odd is left out.

import { unitsOf } from "./format.js";

const WRITERS = {
  callback: "a callback, during the training",
  logger: "a logger, from a loop",
  checkpoints: "a logger, from saved weights",
};
const MOST_ROWS = 2000;

// What is found by going down the names; undefined where there is no such thing.
function at(value, ...names) {
  let found = value;
  for (const name of names) {
    if (found === null || typeof found !== "object" || !Object.hasOwn(found, name)) return undefined;
    found = found[name];
  }
  return found;
}

function list(value) {
  return Array.isArray(value) ? value.slice(0, MOST_ROWS) : [];
}

function text(value) {
  return ["string", "number", "boolean"].includes(typeof value) ? String(value) : "";
}

function entries(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? Object.entries(value) : [];
}

function partOf(part) {
  return [text(at(part, "label")) || text(at(part, "name")), text(at(part, "description"))].filter(Boolean).join(": ");
}

// "3 × 3 × 1 × 20" of the shape of weights or of a tile.
function shape(value) {
  return list(value).map(text).join(" × ");
}

// What was chosen for a layer, and where nothing was, for all.
function ofLayer(recipe, name, ...names) {
  const layer = list(at(recipe, "layers")).find((one) => at(one, "layer") === name);
  return at(layer, ...names) ?? at(recipe, "config", ...names);
}

// Parts of one kind, by names; where a recipe does not name a layer's, all that it holds.
function partsOf(recipe, kind, names) {
  const held = at(recipe, "parts", kind);
  const known = Array.isArray(held) ? list(held) : [held];
  return known.filter((part) => names === undefined || names.includes(text(at(part, "name")))).map(partOf);
}

function ascent(recipe, layer) {
  const steps = text(ofLayer(recipe, layer, "ascent", "steps"));
  const size = text(ofLayer(recipe, layer, "ascent", "step_size"));
  if (!steps) return "";
  return `${steps} steps${size ? `, each of ${size} / 255 of the input range` : ""}`;
}

function start(recipe, layer) {
  const [gray, noise, seed] = [["ascent", "gray"], ["ascent", "noise"], ["seed"]].map((names) => text(ofLayer(recipe, layer, ...names)));
  const starts = text(ofLayer(recipe, layer, "ascent", "starts"));
  return [gray && `gray ${gray} of 255`, noise && `noise ${noise}`, seed && `seed ${seed}`,
    Number(starts) > 1 && `${starts} of them: the mean of where they arrive`].filter(Boolean).join(", ");
}

function versions(recipe) {
  const found = entries(at(recipe, "versions")).filter(([name, version]) => name !== "backend" && text(version));
  const backend = text(at(recipe, "versions", "backend"));
  return [found.map(([name, version]) => `${name} ${version}`).join(", "), backend && `backend ${backend}`].filter(Boolean).join("; ");
}

// [what, how] of a layer of the run, `about` it as the server says.
export function factsOf(recipe, about) {
  const objective = `the inputs that maximize ${about.description}${about.receptive_field ? ", cut to its receptive field" : ""}`;
  const range = list(at(recipe, "input_range")).map(text).filter(Boolean);
  const tone = ofLayer(recipe, about.name, "tone");
  const parts = ofLayer(recipe, about.name, "ascent", "parts");
  const partNames = Array.isArray(parts) ? list(parts).map((part) => text(at(part, "name")) || text(part)) : undefined;
  return [
    [`Pictures of ${about.name}`, `${about.objective_label ? `${about.objective_label}: ` : ""}${objective}`],
    ["Tone", partsOf(recipe, "tone", typeof tone === "string" ? [tone] : undefined)[0] ?? ""],
    ["Ascent", ascent(recipe, about.name)],
    ...partsOf(recipe, "ascent", partNames).map((part) => ["In every step", part]),
    ["Start", start(recipe, about.name)],
    ["Input range", range.length === 2 ? range.join(" to ") : ""],
    ["Input channels", text(recipe.channel_order) === "bgr" ? "blue, green, red" : ""],
    ["Steps count", unitsOf(text(recipe.unit)) ?? ""],
    ["Written by", WRITERS[text(recipe.written_by)] ?? text(recipe.written_by)],
    ["Versions", versions(recipe)],
  ].filter(([, how]) => how);
}

// [layer, filters, tile, objective] of all that are drawn.
export function drawnLayers(recipe) {
  return list(recipe.layers).map((layer) => [text(at(layer, "layer")), text(at(layer, "filters")),
    shape(at(layer, "tile")), text(at(layer, "objective"))]);
}

// [path, class, weights] of all layers of the model.
export function modelLayers(recipe) {
  return list(at(recipe, "model", "layers")).map((layer) => [text(at(layer, "path")), text(at(layer, "class")),
    list(at(layer, "weights")).map(shape).join(", ")]);
}

export function modelName(recipe) {
  return text(at(recipe, "model", "name"));
}

// [setting, value] of the whole configuration, "ascent.steps" and the like.
export function settingsOf(recipe) {
  const flat = (value, prefix) => entries(value).flatMap(([name, inner]) => (entries(inner).length
    ? flat(inner, `${prefix}${name}.`) : [[`${prefix}${name}`, JSON.stringify(inner)]]));
  return flat(at(recipe, "config"), "").slice(0, MOST_ROWS);
}
