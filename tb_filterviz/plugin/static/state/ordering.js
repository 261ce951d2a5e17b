// Pure functions: in which order the filters of a layer are shown.

import { settling } from "../words/formation.js";
import { capital } from "../words/format.js";

const INDEX = ["index", "Index", "the order in which they were drawn"];
const SETTLED = "settled";
const STUCK = "stuck";
const BUILT_IN = [INDEX[0], SETTLED, STUCK];
const UNSETTLED = { changing: 1e300, unmoved: 1e301, stuck: 1e302 }; // after every step, in this order

// The key that an order has in an address: the statistic's name, unless that is taken.
function keyOf(name) {
  return BUILT_IN.includes(name) ? `statistic.${name}` : name;
}

// The orders that a layer can be shown in: [key, label, explanation].
export function ordersOf(recording) {
  const sortable = recording.descriptions.filter(({ sort }) => sort);
  const outcomes = recording.filters.map((filter) => recording.formed(filter).outcome);
  return [INDEX, ...sortable.map(({ name, label, description }) => [keyOf(name), capital(label), description]),
    ...(recording.has("change") ? [[SETTLED, "Settled", `${settling(recording)}; then those that change still, `
      + "those that never moved, and those that are stuck"]] : []),
    ...(outcomes.includes("stuck") ? [[STUCK, "Stuck since", `the ${recording.unit} since which a filter is stuck; then all others`]] : [])];
}

// The order that a key stands for; another layer's or an older address' may mean nothing here.
export function orderKey(recording, key) {
  const keys = ordersOf(recording).map(([one]) => one);
  return [key, key === "change" ? "change_since_start" : key].find((one) => keys.includes(one)) ?? "index";
}

// The statistic by which an order sorts.
export function sortedBy(recording, key) {
  return recording.descriptions.find(({ name, sort }) => sort && keyOf(name) === key);
}

// The settled ones by when they did; then those that change still, those that never moved, and those that are stuck.
function settledRank({ outcome, since }) {
  return outcome === "settled" ? since : UNSETTLED[outcome] ?? Infinity;
}

// What is sorted by, lowest first: values of the last step that has any, in the order of `recording.filters`.
function ranks(recording, key) {
  const formed = recording.filters.map((filter) => recording.formed(filter));
  if (key === SETTLED) return formed.map(settledRank);
  if (key === STUCK) return formed.map(({ outcome, since }) => (outcome === "stuck" ? since : Infinity));
  const statistic = sortedBy(recording, key);
  if (!statistic) return null;
  const row = recording.statistics.get(statistic.name).findLast((one) => one !== null) ?? [];
  const sign = statistic.sort === "ascending" ? 1 : -1;
  return row.map((value) => (value === null ? Infinity : sign * value));
}

// Filters in the order in which they are shown. It holds for the whole run, so that each keeps its place.
export function orderOf(recording, key) {
  const values = ranks(recording, key);
  if (!values?.length) return [...recording.filters];
  const places = recording.filters.map((_, place) => place);
  places.sort((one, other) => (values[one] === values[other] ? 0 : values[one] - values[other]) || one - other);
  return places.map((place) => recording.filters[place]);
}

// How many of a row's values come first where filters are sorted by a statistic; null if `value` is none.
export function rankOf(row, value, sort) {
  if (value === null || value === undefined || !sort) return null;
  return row.filter((other) => other !== null && (sort === "ascending" ? other < value : other > value)).length;
}
