// Pictures of all filters of a layer at all steps beside the tiles: their maps on an example, or their kernels.

import { getPacked } from "./api.js";

/** @typedef {import("../pictures/draw.js").Picture} Picture */

export class Lens {
  /**
   * @param {"maps" | "kernels"} route
   * @param {Record<string, string | number>} query
   * @param {string} key tells it from the same of another moment
   */
  constructor(route, query, key) {
    this.route = route;
    this.query = query;
    this.key = key;
    /** @type {Map<number, number>} */
    this.index = new Map();
    /** @type {import("./api.js").Tiles | undefined} */
    this.tiles = undefined;
  }

  async open() {
    this.tiles = await getPacked(this.route, this.query);
    this.index = new Map(this.tiles.steps.map((step, at) => [step, at]));
    return this;
  }

  /**
   * @param {number} step
   * @param {number | undefined} place of the filter among those that are drawn
   * @returns {Picture | undefined}
   */
  find(step, place) {
    const at = this.index.get(step);
    if (at === undefined || place === undefined || !this.tiles) return undefined;
    const { bytes, height, width, channels, count } = this.tiles;
    return { bytes, offset: (at * count + place) * height * width * channels, height, width, channels };
  }
}
