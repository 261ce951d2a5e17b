// What the server has: layers, numbers, curves; and the pictures of a layer, as many as there is room for.

const CHUNK_BYTES = 12 << 20;
const FILM_BYTES = 192 << 20;
const FRAME_PIXELS = 1200000; // more would not fit on a screen, nor be drawn sixty times a second
const AT_ONCE = 2;

async function get(route, query, signal) {
  const address = `./${route}?${new URLSearchParams(query)}`;
  let answer;
  try {
    answer = await fetch(address, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("TensorBoard does not answer. Is it still running?");
  }
  if (!answer.ok) throw new Error((await answer.text()).slice(0, 500) || `TensorBoard answers ${answer.status}.`);
  return answer;
}

export async function getJson(route, query = {}, signal = undefined) {
  return (await get(route, query, signal)).json();
}

export async function getTiles(query, signal = undefined) {
  const buffer = await (await get("tiles", query, signal)).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const [, count, height, width, channels] = header.shape;
  return { steps: header.steps, count, height, width, channels, bytes: new Uint8Array(buffer, 4 + length) };
}

// Some filters at some steps; finds the picture of one of them.
class Block {
  constructor(tiles, first) {
    Object.assign(this, tiles);
    this.first = first;
    this.tileBytes = tiles.height * tiles.width * tiles.channels;
    this.index = new Map(tiles.steps.map((step, at) => [step, at]));
  }

  find(step, filter) {
    const at = this.index.get(step);
    const within = filter - this.first;
    if (at === undefined || within < 0 || within >= this.count) return undefined;
    const offset = (at * this.count + within) * this.tileBytes;
    return { bytes: this.bytes, offset, height: this.height, width: this.width, channels: this.channels };
  }
}

function filterBytes({ tile: [height, width, channels] }, stepCount, factor) {
  return stepCount * Math.ceil(height / factor) * Math.ceil(width / factor) * channels;
}

// By how much tiles have to be reduced to leave room for all, and to be drawn fast.
function reduction(about, stepCount) {
  const [height, width, channels] = about.tile;
  const isTooMuch = (factor) => about.filters * filterBytes(about, stepCount, factor) > FILM_BYTES
    || (about.filters * filterBytes(about, 1, factor)) / channels > FRAME_PIXELS;
  let factor = 1;
  while (isTooMuch(factor) && factor < Math.max(height, width)) factor += 1;
  return factor;
}

// All pictures of a layer, reduced by a whole factor if they would not fit; the latest step comes first.
export class Film {
  constructor(where, about, stepCount, onArrival) {
    this.factor = reduction(about, stepCount);
    this.where = where;
    this.about = about;
    this.query = { ...where, size: Math.ceil(Math.max(about.tile[0], about.tile[1]) / this.factor) };
    this.perChunk = Math.min(about.filters,
      Math.max(1, Math.floor(CHUNK_BYTES / filterBytes(about, stepCount, this.factor))));
    this.chunks = Array.from({ length: Math.ceil(about.filters / this.perChunk) }, () => new Map()); // blocks by step
    this.bytes = 0;
    this.latest = undefined;
    this.sharp = undefined;
    this.waiting = 0;
    this.onArrival = onArrival;
    this.abort = new AbortController();
  }

  get progress() {
    return 1 - this.waiting / this.chunks.length;
  }

  find(step, filter) {
    const block = this.chunks[Math.floor(filter / this.perChunk)]?.get(step) ?? this.latest;
    return block?.find(step, filter);
  }

  // As `find`, in full size where that has been fetched.
  findSharp(step, filter) {
    return this.sharp?.find(step, filter) ?? this.find(step, filter);
  }

  async load() {
    this.waiting = this.chunks.length;
    if (this.chunks.length > 1 || this.about.filters * this.about.tile[0] * this.about.tile[1] > 20000) {
      this.latest = new Block(await getTiles({ ...this.query, steps: "latest" }, this.abort.signal), 0);
      this.onArrival();
    }
    await this.fetchChunks({});
  }

  async extend(afterStep) {
    this.waiting = this.chunks.length;
    await this.fetchChunks({ from: afterStep + 1 });
  }

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

  // The layer at one step in full size, where the film has it reduced.
  async sharpen(step) {
    if (this.factor === 1 || (this.sharp && this.sharp.index.has(step))) return;
    const { run, layer } = this.where;
    const steps = step === this.about.last_step ? { steps: "latest" } : { from: step, to: step };
    this.sharp = new Block(await getTiles({ run, layer, ...steps }, this.abort.signal), 0);
    this.onArrival();
  }

  close() {
    this.abort.abort();
  }
}

// One filter over all steps, in full size.
export async function getReel(where, filter) {
  return new Block(await getTiles({ ...where, filters: filter }), filter);
}

// A layer of a run: when it was logged, its numbers, its curves, its film.
export class Recording {
  constructor(run, about, onArrival, onError) {
    this.run = run;
    this.about = about;
    this.where = { run, layer: about.id };
    this.steps = [];
    this.rows = {};
    this.curves = [];
    this.loggedSteps = 0;
    this.film = undefined;
    this.onArrival = onArrival;
    this.onError = onError;
  }

  async open() {
    await this.readNumbers();
    this.startFilm();
    return this;
  }

  async readNumbers() {
    const [stats] = await Promise.all([getJson("stats", this.where), this.readCurves()]);
    this.steps = stats.steps;
    this.rows = stats.rows;
    this.wallTimes = stats.wall_times;
  }

  async readCurves() {
    const answer = await getJson("curves", this.where);
    this.curves = answer.curves;
    this.loggedSteps = answer.logged_steps;
  }

  startFilm() {
    this.film?.close();
    this.film = new Film(this.where, this.about, this.steps.length, this.onArrival);
    this.watch(this.film.load());
  }

  watch(loading) {
    loading.catch((error) => {
      if (error.name !== "AbortError") this.onError(error);
    });
  }

  // After TensorBoard's reload: only what is new, unless a restarted training wrote steps again.
  async refresh(about) {
    if (about.last_step === this.about.last_step && about.last_wall_time === this.about.last_wall_time) return;
    const { steps, wallTimes } = this;
    this.about = about;
    await this.readNumbers();
    const goesOn = steps.every((step, at) => step === this.steps[at] && wallTimes[at] === this.wallTimes[at]);
    const { film } = this;
    const fits = film.about.filters === about.filters && String(film.about.tile) === String(about.tile)
      && reduction(about, this.steps.length) === film.factor;
    if (goesOn && fits && film.waiting === 0) this.watch(film.extend(steps.at(-1) ?? -Infinity));
    else this.startFilm();
  }

  // Values of one measure, for every filter at one step.
  row(name, at) {
    return this.rows[name]?.[at];
  }

  // Values of one measure, for one filter over the steps.
  history(name, filter) {
    return (this.rows[name] ?? []).map((row) => row[filter]);
  }

  isStuck(filter, at) {
    return this.row("responsive", at)?.[filter] === 0;
  }

  isFlat(filter, at) {
    return this.row("flat", at)?.[filter] === 1;
  }

  close() {
    this.film?.close();
  }
}
