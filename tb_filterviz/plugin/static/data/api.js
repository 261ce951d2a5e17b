// Questions to the server, or to the page that was saved in its place; http_api.md says what it answers.

import { savedPage, unpack } from "./saved_page.js";

/**
 * @typedef {object} Tiles
 * @property {number[]} steps
 * @property {number} count
 * @property {number} height
 * @property {number} width
 * @property {number} channels
 * @property {Uint8Array} bytes
 */

/**
 * @typedef {Record<string, string | number>} Query
 * @typedef {{id: string, step: number, filters: number[], shape: number[]}} LayerTiles of one layer among several
 */

/** @param {string} route @param {Query} query */
function addressOf(route, query) {
  return `./${route}?${new URLSearchParams(Object.entries(query).map(([name, value]) => [name, String(value)]))}`;
}

/** An address at which a browser finds a picture. @param {string} route @param {Query} query */
export async function pictureAddress(route, query) {
  return savedPage ? URL.createObjectURL(await (await savedPage.answer(route, query)).blob()) : addressOf(route, query);
}

/**
 * @param {string} route
 * @param {Query} query
 * @param {AbortSignal | undefined} [signal]
 */
async function get(route, query, signal) {
  if (savedPage) return savedPage.answer(route, query);
  const address = addressOf(route, query);
  let answer;
  try {
    answer = await fetch(address, { signal });
  } catch (error) {
    if (error instanceof Error && error.name === "AbortError") throw error;
    throw new Error("TensorBoard does not answer. Is it still running?", { cause: error });
  }
  if (!answer.ok) throw new Error((await answer.text()).slice(0, 500) || `TensorBoard answers ${answer.status}.`);
  return answer;
}

/**
 * What a route answers in JSON; whoever asks knows what that is.
 *
 * @param {string} route
 * @param {Query} [query]
 * @returns {Promise<any>}
 */
export async function getJson(route, query = {}) {
  return (await get(route, query)).json();
}

/** @param {Query} query @param {AbortSignal} [signal] */
export function getTiles(query, signal = undefined) {
  return getPacked("tiles", query, signal);
}

/**
 * @param {string} route
 * @param {Query} query
 * @param {AbortSignal} [signal]
 * @returns {Promise<Tiles>}
 */
export async function getPacked(route, query, signal = undefined) {
  /** @type {{header: {steps: number[], shape: number[]}, bytes: Uint8Array}} */
  const { header, bytes } = unpack(await (await get(route, query, signal)).arrayBuffer());
  const [, count, height, width, channels] = header.shape;
  return { steps: header.steps, count, height, width, channels, bytes };
}

/**
 * Tiles of several layers in one answer.
 *
 * @param {string} route
 * @param {Query} query
 * @returns {Promise<(LayerTiles & {bytes: Uint8Array})[]>}
 */
export async function getParts(route, query) {
  /** @type {{header: {layers: LayerTiles[]}, bytes: Uint8Array}} */
  const { header, bytes } = unpack(await (await get(route, query)).arrayBuffer());
  let offset = 0;
  return header.layers.map((layer) => {
    const length = layer.shape.reduce((product, side) => product * side, 1);
    const part = { ...layer, bytes: bytes.subarray(offset, offset + length) };
    offset += length;
    return part;
  });
}
