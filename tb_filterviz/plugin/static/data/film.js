// The pictures of a layer, as many as there is room for. Filters are counted by their places among those that are drawn.

import { getTiles } from "./api.js";

const CHUNK_BYTES = 12 << 20;
const FILM_BYTES = 192 << 20;
const FRAME_PIXELS = 1200000; // more would not fit on a screen, nor be drawn sixty times a second
const AT_ONCE = 2;
const SHARP_STEPS = 2; // that of now, and the one that it is compared with

/**
 * @typedef {import("./api.js").Tiles} Tiles
 * @typedef {import("../state/state.js").About} About
 * @typedef {import("../pictures/draw.js").Picture} Picture
 * @typedef {{run: string, layer: string}} Where
 */

/** Some filters at some steps; finds the picture of one of them. */
export class Block {
  /** @param {Tiles} tiles @param {number} first the place of the first of these filters */
  constructor(tiles, first) {
    this.tiles = tiles;
    this.first = first;
    this.tileBytes = tiles.height * tiles.width * tiles.channels;
    this.index = new Map(tiles.steps.map((step, at) => [step, at]));
  }

  /** @param {number} step @param {number | undefined} place @returns {Picture | undefined} */
  find(step, place) {
    const { bytes, count, height, width, channels } = this.tiles;
    const at = this.index.get(step);
    const within = place === undefined ? -1 : place - this.first;
    if (at === undefined || within < 0 || within >= count) return undefined;
    return { bytes, offset: (at * count + within) * this.tileBytes, height, width, channels };
  }
}

/** @param {About} about @param {number} stepCount @param {number} factor */
function filterBytes({ tile: [height, width, channels] }, stepCount, factor) {
  return stepCount * Math.ceil(height / factor) * Math.ceil(width / factor) * channels;
}

/**
 * By how much tiles have to be reduced to leave room for all, and to be drawn fast.
 *
 * @param {About} about
 * @param {number} stepCount
 */
export function reduction(about, stepCount) {
  const [height, width, channels] = about.tile;
  const isTooMuch = (/** @type {number} */ factor) => about.filters * filterBytes(about, stepCount, factor) > FILM_BYTES
    || (about.filters * filterBytes(about, 1, factor)) / channels > FRAME_PIXELS;
  let factor = 1;
  while (isTooMuch(factor) && factor < Math.max(height, width)) factor += 1;
  return factor;
}

/** All pictures of a layer, reduced by a whole factor if they would not fit; the latest step comes first. */
export class Film {
  /** @param {Where} where @param {About} about @param {number} stepCount @param {() => void} onArrival */
  constructor(where, about, stepCount, onArrival) {
    this.factor = reduction(about, stepCount);
    this.where = where;
    this.about = about;
    this.query = { ...where, size: Math.ceil(Math.max(about.tile[0], about.tile[1]) / this.factor) };
    this.perChunk = Math.min(about.filters,
      Math.max(1, Math.floor(CHUNK_BYTES / filterBytes(about, stepCount, this.factor))));
    /** @type {Map<number, Block>[]} blocks by step */
    this.chunks = Array.from({ length: Math.ceil(about.filters / this.perChunk) }, () => new Map());
    this.bytes = 0;
    /** @type {Block | undefined} */
    this.latest = undefined;
    /** @type {Map<number, Block>} steps in full size; the most recently used is last */
    this.sharp = new Map();
    this.waiting = 0;
    this.onArrival = onArrival;
    this.abort = new AbortController();
  }

  get progress() {
    return 1 - this.waiting / this.chunks.length;
  }

  /** @param {number} step @param {number | undefined} place */
  find(step, place) {
    if (place === undefined) return undefined;
    const block = this.chunks[Math.floor(place / this.perChunk)]?.get(step) ?? this.latest;
    return block?.find(step, place);
  }

  /** As `find`, in full size where that has been fetched. @param {number} step @param {number | undefined} place */
  findSharp(step, place) {
    return this.sharp.get(step)?.find(step, place) ?? this.find(step, place);
  }

  async load() {
    this.waiting = this.chunks.length;
    if (this.chunks.length > 1 || this.about.filters * this.about.tile[0] * this.about.tile[1] > 20000) {
      this.latest = new Block(await getTiles({ ...this.query, steps: "latest" }, this.abort.signal), 0);
      this.onArrival();
    }
    await this.fetchChunks({});
  }

  /** @param {number} afterStep */
  async extend(afterStep) {
    this.waiting = this.chunks.length;
    await this.fetchChunks({ from: afterStep + 1 });
  }

  /** @param {{from?: number}} steps */
  async fetchChunks(steps) {
    const queue = this.chunks.map((_, chunk) => chunk);
    const work = async () => {
      for (let chunk = queue.shift(); chunk !== undefined; chunk = queue.shift()) {
        const first = chunk * this.perChunk;
        const last = Math.min(first + this.perChunk, this.about.filters) - 1;
        const tiles = await getTiles({ ...this.query, ...steps, filters: `${first}-${last}` }, this.abort.signal);
        const block = new Block(tiles, first);
        for (const step of tiles.steps) this.chunks[chunk].set(step, block);
        this.bytes += tiles.bytes.length;
        this.waiting -= 1;
        this.onArrival();
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  /** The layer at one step in full size, where the film has it reduced. @param {number} step */
  async sharpen(step) {
    if (this.factor === 1) return;
    const known = this.sharp.get(step);
    this.keepSharp(step, known ?? await this.fetchSharp(step));
    if (!known) this.onArrival();
  }

  /** @param {number} step */
  async fetchSharp(step) {
    const { run, layer } = this.where;
    /** @type {import("./api.js").Query} */
    const query = step === this.about.last_step ? { run, layer, steps: "latest" } : { run, layer, from: step, to: step };
    return new Block(await getTiles(query, this.abort.signal), 0);
  }

  /** @param {number} step @param {Block} block */
  keepSharp(step, block) {
    this.sharp.delete(step);
    this.sharp.set(step, block);
    if (this.sharp.size > SHARP_STEPS) this.sharp.delete(/** @type {number} */ (this.sharp.keys().next().value));
  }

  close() {
    this.abort.abort();
  }
}

/** One filter over all steps, in full size. @param {Where} where @param {number} place */
export async function getReel(where, place) {
  return new Block(await getTiles({ ...where, filters: place }), place);
}
