// What there is of a filter beside its picture: the real images on which it was measured, what it answers, its kernel.

import { getJson, pictureAddress } from "./api.js";

const KEPT_PICTURES = 400;

/** @typedef {{example: number, row: number, column: number, value: number | null | undefined}} Patch */
/** @typedef {{channel: number, picture: import("../pictures/draw.js").Picture}} Slice */
/** @typedef {{top: number, left: number, height: number, width: number}} Box in pixels of the model's image */

/**
 * @typedef {object} ExamplesAnswer
 * @property {number} count
 * @property {[number, number, number]} image_shape
 * @property {number[]} labels empty without classes
 * @property {string[]} class_names
 * @property {number[]} mapped those that maps were logged of
 */

/** The real images on which a run's filters were measured. */
export class Examples {
  /**
   * @param {string} run
   * @param {string} version tells these from another log's at the same address, which a browser may have kept
   */
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
    /** @type {ExamplesAnswer} */
    const answer = await getJson("examples", { run: this.run });
    this.count = answer.count;
    this.image_shape = answer.image_shape;
    this.labels = answer.labels;
    this.class_names = answer.class_names;
    this.mapped = answer.mapped;
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

  /** Those that maps were logged of, to choose from: each by its place among these. @returns {[string, string][]} */
  get choices() {
    return this.mapped.map((index, at) => [String(at), `${this.nameOf(index)} (${index})`]);
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
    image.src = await pictureAddress("example", { run: this.run, index, version: this.version });
    await image.decode();
    URL.revokeObjectURL(image.src); // of a saved page; of others, nothing happens
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
    return { top: top + Math.round((row - middle[0]) * strides[0]),
      left: left + Math.round((column - middle[1]) * strides[1]), height, width };
  }
}

/**
 * Of every step, what one filter answers there; null where the step lacks it, missing what was not logged.
 *
 * @typedef {object} ResponsesAnswer
 * @property {number[]} steps
 * @property {([example: number, row: number, column: number][] | null)[]} [patches]
 * @property {((number | null)[] | null)[]} [values]
 * @property {((number | null)[] | null)[]} [classes]
 * @property {(number | null)[]} [map_scales]
 * @property {(number[] | null)[]} [channels]
 * @property {(number[][][] | null)[]} [slices]
 */

/** What one filter answers, at all steps. */
export class Responses {
  /** @param {ResponsesAnswer} answer */
  constructor(answer) {
    this.answer = answer;
    this.index = new Map(answer.steps.map((step, at) => [step, at]));
  }

  /**
   * What there is of one kind at a step.
   *
   * @template T
   * @param {(T | null)[] | undefined} rows
   * @param {number} step
   * @returns {T | undefined}
   */
  at(rows, step) {
    return rows?.[this.index.get(step) ?? -1] ?? undefined;
  }

  /** What excites it most, the strongest first. @param {number} step @returns {Patch[]} */
  patches(step) {
    const values = this.at(this.answer.values, step);
    return (this.at(this.answer.patches, step) ?? [])
      .map(([example, row, column], rank) => ({ example, row, column, value: values?.[rank] }))
      .filter(({ example }) => example >= 0);
  }

  /** The mean response to each class. @param {number} step */
  classes(step) {
    return this.at(this.answer.classes, step);
  }

  /** What 255 stands for in its maps. @param {number} step */
  mapScale(step) {
    return this.at(this.answer.map_scales, step);
  }

  /** Its kernel in the input channels that say most, the strongest first. @param {number} step @returns {Slice[]} */
  slices(step) {
    const channels = this.at(this.answer.channels, step) ?? [];
    return (this.at(this.answer.slices, step) ?? []).map((rows, rank) => {
      const [height, width] = [rows.length, rows[0].length];
      const picture = { bytes: Uint8Array.from(rows.flat()), offset: 0, height, width, channels: 1 };
      return { channel: channels[rank], picture };
    });
  }
}

/** @param {{run: string, layer: string}} where @param {number} place @returns {Promise<Responses>} */
export async function getResponses(where, place) {
  return new Responses(await getJson("responses", { ...where, filter: place }));
}
