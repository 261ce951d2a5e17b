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

function ascent(recipe) {
  const steps = text(at(recipe, "config", "ascent", "steps"));
  const size = text(at(recipe, "config", "ascent", "step_size"));
  if (!steps) return "";
  return `${steps} steps${size ? `, each of ${size} / 255 of the input range` : ""}`;
}

function start(recipe) {
  const [gray, noise, seed] = [["ascent", "gray"], ["ascent", "noise"], ["seed"]].map((names) => text(at(recipe, "config", ...names)));
  return [gray && `gray ${gray} of 255`, noise && `noise ${noise}`, seed && `seed ${seed}`].filter(Boolean).join(", ");
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
  return [
    [`Pictures of ${about.name}`, `${about.objective_label ? `${about.objective_label}: ` : ""}${objective}`],
    ["Tone", partOf(at(recipe, "parts", "tone"))],
    ["Ascent", ascent(recipe)],
    ...list(at(recipe, "parts", "ascent")).map((part) => ["In every step", partOf(part)]),
    ["Start", start(recipe)],
    ["Input range", range.length === 2 ? range.join(" to ") : ""],
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
