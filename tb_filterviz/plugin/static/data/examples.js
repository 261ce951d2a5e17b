// What there is of a filter beside its picture: the real images on which it was measured, what it answers, its kernel.

import { getJson } from "./api.js";

const KEPT_PICTURES = 400;

/** @typedef {{example: number, row: number, column: number, value: number}} Patch */
/** @typedef {{top: number, left: number, height: number, width: number}} Box in pixels of the model's image */

export class Examples {
  /** @param {string} run @param {string} version tells these from another log's at the same address, which a browser may have kept */
  constructor(run, version) {
    this.run = run;
    this.version = version;
    this.count = 0;
    /** @type {[number, number, number]} */
    this.image_shape = [0, 0, 0];
    /** @type {number[]} */
    this.labels = [];
    /** @type {string[]} */
    this.class_names = [];
    /** @type {number[]} */
    this.mapped = [];
    /** @type {Map<number, Promise<HTMLImageElement>>} the most recently used is last */
    this.pictures = new Map();
  }

  async open() {
    const { count, image_shape: shape, labels, class_names: names, mapped } = await getJson("examples", { run: this.run });
    Object.assign(this, { count, image_shape: shape, labels, class_names: names, mapped });
    return this;
  }

  /** What to call one: its class, if that is known. @param {number} index */
  nameOf(index) {
    return this.classOf(index) ?? `example ${index}`;
  }

  /** @param {number} index */
  classOf(index) {
    return this.labels.length ? this.class_names[this.labels[index]] ?? `class ${this.labels[index]}` : undefined;
  }

  /** @param {number} index */
  picture(index) {
    const known = this.pictures.get(index);
    this.pictures.delete(index);
    const picture = known ?? this.fetchPicture(index);
    picture.catch(() => this.pictures.delete(index)); // so that it is tried again
    this.pictures.set(index, picture);
    if (this.pictures.size > KEPT_PICTURES) this.pictures.delete(/** @type {number} */ (this.pictures.keys().next().value));
    return picture;
  }

  /** @param {number} index */
  async fetchPicture(index) {
    const image = new Image();
    image.src = `./example?${new URLSearchParams({ run: this.run, index: String(index), version: this.version })}`;
    await image.decode();
    return image;
  }

  /**
   * Which part of the image a unit sees.
   *
   * @param {{box: number[], middle: number[], strides: number[]}} about
   * @param {number} row
   * @param {number} column
   * @returns {Box}
   */
  seenBy({ box: [top, left, height, width], middle, strides }, row, column) {
    return { top: top + Math.round((row - middle[0]) * strides[0]), left: left + Math.round((column - middle[1]) * strides[1]),
      height, width };
  }
}

/**
 * What one filter answers, at all steps.
 *
 * @param {{run: string, layer: string}} where
 * @param {number} place
 */
export async function getResponses(where, place) {
  const answer = await getJson("responses", { ...where, filter: place });
  /** @type {Map<number, number>} */
  const index = new Map(answer.steps.map((/** @type {number} */ step, /** @type {number} */ position) => [step, position]));
  const at = (/** @type {any[] | undefined} */ rows, /** @type {number} */ step) => rows?.[index.get(step) ?? -1] ?? undefined;
  return {
    /** The strongest first. @param {number} step @returns {Patch[]} */
    patches: (step) => (at(answer.patches, step) ?? []).map((/** @type {number[]} */ [example, row, column], /** @type {number} */ rank) =>
      ({ example, row, column, value: at(answer.values, step)?.[rank] })).filter((/** @type {Patch} */ { example }) => example >= 0),
    /** @param {number} step @returns {(number | null)[] | undefined} */
    classes: (step) => at(answer.classes, step),
    /** @param {number} step @returns {number | null | undefined} */
    mapScale: (step) => at(answer.map_scales, step),
    /** The strongest first. @param {number} step @returns {{channel: number, picture: import("../pictures/draw.js").Picture}[]} */
    slices: (step) => (at(answer.slices, step) ?? []).map((/** @type {number[][]} */ rows, /** @type {number} */ rank) => (
      { channel: at(answer.channels, step)?.[rank],
        picture: { bytes: Uint8Array.from(rows.flat()), offset: 0, height: rows.length, width: rows[0].length, channels: 1 } })),
  };
}
