// What a page that was saved holds in place of a server: each answer in an element of its own, as compressed text.

const KEPT_ANSWERS = 12; // decompressed; tiles of a layer are the largest of them

/** @typedef {import("./api.js").Query} Query */

/** A question, written as the page writes it. @param {string} route @param {Query} query */
export function question(route, query) {
  const entries = Object.entries(query).map(([name, value]) => [name, String(value)]);
  entries.sort(([one], [other]) => (one < other ? -1 : 1));
  return JSON.stringify([route, ...entries]);
}

/** @param {string} text base64 */
async function decompressed(text) {
  const binary = atob(text);
  const bytes = Uint8Array.from({ length: binary.length }, (_, at) => binary.charCodeAt(at));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** A header and the bytes that it describes. @param {ArrayBuffer} buffer @returns {{header: any, bytes: Uint8Array}} */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { header, bytes: new Uint8Array(buffer, 4 + length) };
}

/** The reverse of `unpack`. @param {object} header @param {Uint8Array<ArrayBuffer>[]} parts */
function packed(header, parts) {
  const head = new TextEncoder().encode(JSON.stringify(header));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, head.length, true);
  return new Response(new Blob([length, head, ...parts]));
}

/** @param {string} filters one, or a range @returns {[number, number]} the first and the last */
function rangeOf(filters) {
  const [first, last = first] = filters.split("-").map(Number);
  return [first, last];
}

/** Some filters of a layer, at all steps. */
class Chunk {
  /** @param {number} begin the first of them @param {ArrayBuffer} answer */
  constructor(begin, answer) {
    const { header, bytes } = unpack(answer);
    this.begin = begin;
    this.header = header;
    this.bytes = bytes;
  }

  /** Those of a range of filters that are here. @param {number} at which step @param {number} first @param {number} last */
  tiles(at, first, last) {
    const [, count, height, width, channels] = this.header.shape;
    const tile = height * width * channels;
    const begin = Math.max(first - this.begin, 0);
    const end = Math.min(last - this.begin + 1, count);
    return this.bytes.subarray((at * count + begin) * tile, (at * count + end) * tile);
  }
}

export class SavedPage {
  /** @param {Map<string, {text: string, isError: boolean}>} stored base64 of what was compressed, by question */
  constructor(stored) {
    this.stored = stored;
    /** @type {Map<string, Promise<ArrayBuffer>>} the most recently used is last */
    this.read = new Map();
  }

  /**
   * What the server would have answered.
   *
   * @param {string} route
   * @param {Query} query
   * @returns {Promise<Response>}
   */
  async answer(route, query) {
    if (route === "tiles") return this.tiles(query);
    if (route === "responses") return this.responses(query);
    if (route === "similar") return this.similar(query);
    if (route === "example") return this.example(query);
    return new Response(await this.find(question(route, query)));
  }

  /** @param {string} key */
  async find(key) {
    const stored = this.stored.get(key);
    if (!stored) throw new Error("This page was saved without that.");
    const known = this.read.get(key) ?? decompressed(stored.text);
    this.read.delete(key);
    this.read.set(key, known);
    if (this.read.size > KEPT_ANSWERS) this.read.delete(/** @type {string} */ (this.read.keys().next().value));
    const buffer = await known;
    if (stored.isError) throw new Error(new TextDecoder().decode(buffer));
    return buffer;
  }

  /** @param {string} route @param {Query} query @returns {Promise<any>} */
  async json(route, { run, layer }) {
    return JSON.parse(new TextDecoder().decode(await this.find(question(route, { run, layer }))));
  }

  /** Some filters at some steps, out of all, which stand in chunks of filters. @param {Query} query */
  async tiles({ run, layer, filters, steps, from, to, size = Infinity }) {
    /** @type {string[]} */
    const chunks = await this.json("tiles", { run, layer });
    const ranges = chunks.map(rangeOf);
    const [first, last] = filters === undefined ? [0, ranges[ranges.length - 1][1]] : rangeOf(String(filters));
    const some = await Promise.all(chunks.map(async (chunk, at) => {
      const [begin, end] = ranges[at];
      if (begin > last || end < first) return [];
      return [new Chunk(begin, await this.find(question("tiles", { run, layer, filters: chunk })))];
    }));
    const held = some.flat();
    const { header } = held[0];
    const [low, high] = steps === "latest" ? [header.steps.at(-1), Infinity]
      : [Number(from ?? -Infinity), Number(to ?? Infinity)];
    const wanted = header.steps.flatMap((/** @type {number} */ step, /** @type {number} */ at) => (
      step >= low && step <= high ? [at] : []));
    const shape = header.shape.slice(2);
    const parts = wanted.flatMap((/** @type {number} */ at) => held.map((chunk) => (
      shrunk(chunk.tiles(at, first, last), shape, Number(size)))));
    return packed({ steps: wanted.map((/** @type {number} */ at) => header.steps[at]),
      wall_times: wanted.map((/** @type {number} */ at) => header.wall_times[at]),
      shape: [wanted.length, last - first + 1, ...shrunkSides(shape, Number(size)), shape[2]] }, parts);
  }

  /** What one filter answers, out of all of its layer. @param {Query} query */
  async responses({ run, layer, filter }) {
    return Response.json((await this.json("responses", { run, layer }))[Number(filter)]);
  }

  /** @param {Query} query */
  async similar({ run, layer, filter, step }) {
    const { steps } = await this.json("similar", { run, layer });
    const found = steps[String(step)];
    if (!found) {
      const known = Object.keys(steps).map(Number);
      throw new Error(known.length ? `This page was saved with what is alike at step ${Math.max(...known)}.`
        : "This page was saved without that.");
    }
    return Response.json({ by: found.by, similar: found.similar[String(filter)] ?? [] });
  }

  /** @param {Query} query */
  async example({ run, index }) {
    const { header, bytes } = unpack(await this.find(question("example", { run })));
    const first = sumOf(header.sizes.slice(0, Number(index)));
    const picture = bytes.subarray(first, first + header.sizes[Number(index)]);
    return new Response(picture.slice(), { headers: { "Content-Type": header.media_type } });
  }
}

/** @param {number[]} values */
function sumOf(values) {
  return values.reduce((sum, value) => sum + value, 0);
}

/**
 * By which whole factor tiles are averaged down, so that no side is above a size.
 *
 * @param {number[]} shape
 * @param {number} size
 */
function factorOf([height, width], size) {
  return Number.isFinite(size) ? Math.ceil(Math.max(height, width) / size) : 1;
}

/** @param {number[]} shape @param {number} size */
function shrunkSides(shape, size) {
  const factor = factorOf(shape, size);
  return [Math.ceil(shape[0] / factor), Math.ceil(shape[1] / factor)];
}

/**
 * Tiles averaged down as the server does it, rounded alike; what is missing at an edge is its last row or column again.
 *
 * @param {Uint8Array} tiles
 * @param {number[]} shape height, width and channels of each
 * @param {number} size
 */
export function shrunk(tiles, shape, size) {
  const factor = factorOf(shape, size);
  if (factor === 1) return tiles.slice();
  const [height, width, channels] = shape;
  const [rows, columns] = shrunkSides(shape, size);
  const count = tiles.length / (height * width * channels);
  const small = new Uint8Array(count * rows * columns * channels);
  const half = Math.floor(factor ** 2 / 2);
  let at = 0;
  for (let tile = 0; tile < count; tile += 1) {
    for (let row = 0; row < rows; row += 1) {
      for (let column = 0; column < columns; column += 1) {
        for (let channel = 0; channel < channels; channel += 1) {
          let sum = half;
          for (let down = 0; down < factor; down += 1) {
            const y = Math.min(height - 1, row * factor + down);
            for (let right = 0; right < factor; right += 1) {
              const x = Math.min(width - 1, column * factor + right);
              sum += tiles[((tile * height + y) * width + x) * channels + channel];
            }
          }
          small[at] = Math.floor(sum / factor ** 2);
          at += 1;
        }
      }
    }
  }
  return small;
}

/** The page around us, if it was saved; null in TensorBoard. @returns {SavedPage | null} */
function openSavedPage() {
  const stored = new Map();
  for (const element of globalThis.document?.querySelectorAll("script[data-answer]") ?? []) {
    const { answer, error } = /** @type {HTMLElement} */ (element).dataset;
    stored.set(answer, { get text() { return element.textContent ?? ""; }, isError: error !== undefined });
  }
  return stored.size ? new SavedPage(stored) : null;
}

export const savedPage = openSavedPage();
