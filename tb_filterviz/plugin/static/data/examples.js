// What there is of a filter beside its picture: the real images on which it was measured, what it answers, its kernel.

import { getJson, getPacked } from "./api.js";

const KEPT_PICTURES = 400;

export class Examples {
  // `version` tells these from the examples of another log at the same address, which a browser may have kept.
  constructor(run, version) {
    Object.assign(this, { run, version });
    this.pictures = new Map(); // the most recently used is last
  }

  async open() {
    Object.assign(this, await getJson("examples", { run: this.run }));
    return this;
  }

  // What to call one: its class, if that is known.
  nameOf(index) {
    return this.classOf(index) ?? `example ${index}`;
  }

  classOf(index) {
    return this.labels.length ? this.class_names[this.labels[index]] ?? `class ${this.labels[index]}` : undefined;
  }

  picture(index) {
    const known = this.pictures.get(index);
    this.pictures.delete(index);
    const picture = known ?? this.fetchPicture(index);
    picture.catch(() => this.pictures.delete(index)); // so that it is tried again
    this.pictures.set(index, picture);
    if (this.pictures.size > KEPT_PICTURES) this.pictures.delete(this.pictures.keys().next().value);
    return picture;
  }

  async fetchPicture(index) {
    const image = new Image();
    image.src = `./example?${new URLSearchParams({ run: this.run, index, version: this.version })}`;
    await image.decode();
    return image;
  }

  // Which part of the image a unit sees: {top, left, height, width} in pixels of the model's image.
  seenBy({ box: [top, left, height, width], middle, strides }, row, column) {
    return { top: top + Math.round((row - middle[0]) * strides[0]), left: left + Math.round((column - middle[1]) * strides[1]),
      height, width };
  }
}

// What one filter answers, at all steps.
export async function getResponses(where, place) {
  const answer = await getJson("responses", { ...where, filter: place });
  const index = new Map(answer.steps.map((step, at) => [step, at]));
  const at = (rows, step) => (index.has(step) ? rows?.[index.get(step)] ?? undefined : undefined);
  return {
    // [{example, row, column, value}], the strongest first
    patches: (step) => (at(answer.patches, step) ?? []).map(([example, row, column], place_) => ({ example, row, column,
      value: at(answer.values, step)?.[place_] })).filter(({ example }) => example >= 0),
    classes: (step) => at(answer.classes, step),
    mapScale: (step) => at(answer.map_scales, step),
    // [{channel, picture}], the strongest first
    slices: (step) => (at(answer.slices, step) ?? []).map((rows, place_) => ({ channel: at(answer.channels, step)?.[place_],
      picture: { bytes: Uint8Array.from(rows.flat()), offset: 0, height: rows.length, width: rows[0].length, channels: 1 } })),
  };
}

// Pictures of all filters of a layer at all steps beside the tiles: their maps on an example, or their kernels.
export class Lens {
  constructor(route, query) {
    Object.assign(this, { route, query });
  }

  async open() {
    const tiles = await getPacked(this.route, this.query);
    this.index = new Map(tiles.steps.map((step, at) => [step, at]));
    this.tiles = tiles;
    return this;
  }

  find(step, place) {
    const at = this.index?.get(step);
    if (at === undefined) return undefined;
    const { bytes, height, width, channels, count } = this.tiles;
    return { bytes, offset: (at * count + place) * height * width * channels, height, width, channels };
  }
}
