// Pure functions: in which order the filters of a layer are shown.

import { settling } from "../words/formation.js";
import { capital } from "../words/format.js";

/**
 * @typedef {import("../data/recording.js").Formed} Formed
 * @typedef {import("../data/recording.js").Recording} Recording
 * @typedef {import("../data/recording.js").Row} Row
 * @typedef {import("./state.js").StatisticAbout} StatisticAbout
 * @typedef {[key: string, label: string, explanation: string]} Order
 */

/** @type {Order} */
const INDEX = ["index", "Index", "the order in which they were drawn"];
const SETTLED = "settled";
const STUCK = "stuck";
const BUILT_IN = [INDEX[0], SETTLED, STUCK];
const UNSETTLED = { changing: 1e300, unmoved: 1e301, stuck: 1e302 }; // after every step, in this order

/** The key that an order has in an address: the statistic's name, unless that is taken. @param {string} name */
function keyOf(name) {
  return BUILT_IN.includes(name) ? `statistic.${name}` : name;
}

/** The orders that a layer can be shown in. @param {Recording} recording @returns {Order[]} */
export function ordersOf(recording) {
  const orders = [INDEX];
  for (const { name, label, description, sort } of recording.descriptions) {
    if (sort) orders.push([keyOf(name), capital(label), description]);
  }
  if (recording.has("change")) {
    orders.push([SETTLED, "Settled", `${settling(recording)}; then those that change still, those that never moved, and `
      + "those that are stuck"]);
  }
  if (recording.filters.some((filter) => recording.formed(filter).outcome === "stuck")) {
    orders.push([STUCK, "Stuck since", `the ${recording.unit} since which a filter is stuck; then all others`]);
  }
  return orders;
}

/**
 * The order that a key stands for; another layer's or an older address' may mean nothing here.
 *
 * @param {Recording} recording
 * @param {string} key
 */
export function orderKey(recording, key) {
  const keys = ordersOf(recording).map(([one]) => one);
  return [key, key === "change" ? "change_since_start" : key].find((one) => keys.includes(one)) ?? "index";
}

/** The statistic by which an order sorts. @param {Recording} recording @param {string} key */
export function sortedBy(recording, key) {
  return recording.descriptions.find(({ name, sort }) => sort && keyOf(name) === key);
}

/**
 * The settled ones by when they did; then those that change still, those that never moved, and those that are stuck.
 *
 * @param {Formed} formed
 */
function settledRank({ outcome, since }) {
  if (outcome === null) return Infinity;
  return outcome === "settled" ? since : UNSETTLED[outcome];
}

/**
 * What is sorted by, lowest first: values of the last step that has any, in the order of `recording.filters`.
 *
 * @param {Recording} recording
 * @param {string} key
 * @returns {number[] | null}
 */
function ranks(recording, key) {
  const formed = recording.filters.map((filter) => recording.formed(filter));
  if (key === SETTLED) return formed.map(settledRank);
  if (key === STUCK) return formed.map(({ outcome, since }) => (outcome === "stuck" ? since : Infinity));
  const statistic = sortedBy(recording, key);
  if (!statistic) return null;
  const row = recording.statistics.get(statistic.name)?.findLast((one) => one !== null) ?? [];
  const sign = statistic.sort === "ascending" ? 1 : -1;
  return row.map((value) => (value === null ? Infinity : sign * value));
}

/**
 * Filters in the order in which they are shown. It holds for the whole run, so that each keeps its place.
 *
 * @param {Recording} recording
 * @param {string} key
 */
export function orderOf(recording, key) {
  const values = ranks(recording, key);
  if (!values?.length) return [...recording.filters];
  const places = recording.filters.map((_, place) => place);
  places.sort((one, other) => (values[one] === values[other] ? 0 : values[one] - values[other]) || one - other);
  return places.map((place) => recording.filters[place]);
}

/**
 * How many of a row's values come first where filters are sorted by a statistic; null if `value` is none.
 *
 * @param {Row} row
 * @param {number | null | undefined} value
 * @param {StatisticAbout["sort"]} sort
 */
export function rankOf(row, value, sort) {
  if (value === null || value === undefined || !sort) return null;
  return row.filter((other) => other !== null && (sort === "ascending" ? other < value : other > value)).length;
}
