// Pure functions: in which order the filters of a layer are shown.

import { capital } from "./format.js";

const INDEX = ["index", "Index", "the order in which they were drawn"];
const SETTLING = ["settled", "Settling", "how early a filter's change stays below a quarter of its largest"];
const BUILT_IN = [INDEX[0], SETTLING[0]];

// The key that an order has in an address: the statistic's name, unless that is taken.
function keyOf(name) {
  return BUILT_IN.includes(name) ? `statistic.${name}` : name;
}

// The orders that a layer can be shown in: [key, label, explanation].
export function ordersOf(recording) {
  const sortable = recording.descriptions.filter(({ sort }) => sort);
  return [INDEX, ...sortable.map(({ name, label, description }) => [keyOf(name), capital(label), description]),
    ...(recording.has("change") ? [SETTLING] : [])];
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

// The position in `changes` (one filter's change at every step) after which it stays below a quarter of its largest.
export function settledAt(changes) {
  const largest = Math.max(0, ...changes.filter((change) => change !== null));
  let at = 0;
  changes.forEach((change, position) => {
    if (change !== null && change > largest / 4) at = position;
  });
  return at;
}

// What is sorted by, lowest first: values of the last step that has any, in the order of `recording.filters`.
function ranks(recording, key) {
  if (key === SETTLING[0]) return recording.filters.map((filter) => settledAt(recording.history("change", filter)));
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
