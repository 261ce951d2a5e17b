// Pictures of all filters of a layer at all steps beside the tiles: their maps on an example, or their kernels.

import { getPacked } from "./api.js";
import { Block } from "./film.js";

export class Lens {
  /**
   * @param {"maps" | "kernels"} route
   * @param {import("./api.js").Query} query
   * @param {string} key tells it from the same of another moment
   */
  constructor(route, query, key) {
    this.route = route;
    this.query = query;
    this.key = key;
    /** @type {Block | undefined} */
    this.block = undefined;
  }

  async open() {
    this.block = new Block(await getPacked(this.route, this.query), 0);
    return this;
  }

  /**
   * @param {number} step
   * @param {number | undefined} place of the filter among those that are drawn
   * @returns {import("../pictures/draw.js").Picture | undefined}
   */
  find(step, place) {
    return this.block?.find(step, place);
  }
}
