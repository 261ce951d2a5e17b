// A pure function: encoded pictures into a WebM file. Format: RFC 8794 (EBML), RFC 9559 (Matroska), and WebM's part of it.

import { joined, letters } from "./bytes.js";

/** @typedef {Uint8Array<ArrayBuffer>} Bytes */
/** @typedef {{ bytes: Bytes, time_ms: number, isKey: boolean }} Chunk */
/**
 * @typedef {object} Film
 * @property {"V_VP8" | "V_VP9"} codec
 * @property {number} width
 * @property {number} height
 * @property {number} duration_ms to the end of the last picture
 * @property {Chunk[]} chunks by time, the first a key
 */

const ID = {
  header: 0x1a45dfa3, version: 0x4286, readVersion: 0x42f7, longestId: 0x42f2, longestSize: 0x42f3, type: 0x4282,
  typeVersion: 0x4287, typeReadVersion: 0x4285,
  segment: 0x18538067,
  info: 0x1549a966, scale: 0x2ad7b1, duration: 0x4489, muxer: 0x4d80, writer: 0x5741,
  tracks: 0x1654ae6b, track: 0xae, number: 0xd7, uid: 0x73c5, kind: 0x83, lacing: 0x9c, codec: 0x86,
  video: 0xe0, width: 0xb0, height: 0xba,
  cues: 0x1c53bb6b, cue: 0xbb, cueTime: 0xb3, cuePlaces: 0xb7, cueTrack: 0xf7, cueCluster: 0xf1,
  cluster: 0x1f43b675, time: 0xe7, block: 0xa3, group: 0xa0, groupBlock: 0xa1, groupDuration: 0x9b, reference: 0xfb,
};
const NAME = "tb_filterviz";
const VIDEO = 1;
const TRACK = 1;
const KEY = 0x80;
const NS_PER_MS = 1e6;
const FARTHEST_MS = 32767; // from a cluster to its blocks: a signed number of two bytes

/** The highest byte first, in as few as can hold it, or in `size`. @param {number} value @param {number} [size] */
function bigEndian(value, size) {
  const bytes = [];
  for (let rest = value; rest > 0 || bytes.length < (size ?? 1); rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return bytes;
}

/** How long an element is, in a number that tells its own length. @param {number} size */
function sized(size) {
  const length = [1, 2, 3, 4, 5, 6, 7].find((bytes) => size < 2 ** (7 * bytes) - 1) ?? 8;
  const bytes = bigEndian(size, length);
  bytes[0] |= 0x80 >> (length - 1);
  return bytes;
}

/**
 * @param {number} id
 * @param {...(Bytes | number[])} parts
 */
function element(id, ...parts) {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  return joined(bigEndian(id), sized(size), ...parts);
}

/** @param {number} id @param {number} value @param {number} [size] */
function unsigned(id, value, size) {
  return element(id, bigEndian(value, size));
}

/** @param {number} id @param {string} value */
function text(id, value) {
  return element(id, letters(value));
}

/** @param {number} value */
function float64(value) {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return bytes;
}

/** @param {number} value */
function int16(value) {
  return [(value >> 8) & 255, value & 255];
}

/** @param {Film} film */
function track({ codec, width, height }) {
  const video = element(ID.video, unsigned(ID.width, width), unsigned(ID.height, height));
  return element(ID.track, unsigned(ID.number, TRACK), unsigned(ID.uid, TRACK), unsigned(ID.kind, VIDEO),
    unsigned(ID.lacing, 0), text(ID.codec, codec), video);
}

/** Pictures up to the next key. @param {Chunk[]} chunks @returns {Chunk[][]} */
function clustered(chunks) {
  /** @type {Chunk[][]} */
  const clusters = [];
  for (const chunk of chunks) {
    const last = clusters.at(-1);
    if (!last || chunk.isKey || chunk.time_ms - last[0].time_ms > FARTHEST_MS) clusters.push([chunk]);
    else last.push(chunk);
  }
  return clusters;
}

/**
 * @param {Chunk[]} chunks
 * @param {Chunk[]} all in which the last is told how long it stays; for all others, the next one tells
 * @param {number} duration_ms
 */
function cluster(chunks, all, duration_ms) {
  const [{ time_ms: start_ms }] = chunks;
  const blocks = chunks.map((chunk) => {
    const { bytes, time_ms, isKey } = chunk;
    const head = [0x80 | TRACK, ...int16(time_ms - start_ms)];
    if (chunk !== all.at(-1)) return element(ID.block, head, [isKey ? KEY : 0], bytes);
    const before_ms = all.at(-2)?.time_ms ?? 0;
    return element(ID.group, element(ID.groupBlock, head, [0], bytes), unsigned(ID.groupDuration, duration_ms - time_ms),
      ...(isKey ? [] : [element(ID.reference, int16(before_ms - time_ms))]));
  });
  return element(ID.cluster, unsigned(ID.time, start_ms), ...blocks);
}

/** Where keys are, so that a player can go there. @param {{ time_ms: number, offset: number }[]} places */
function cues(places) {
  return element(ID.cues, ...places.map(({ time_ms, offset }) => element(ID.cue, unsigned(ID.cueTime, time_ms),
    element(ID.cuePlaces, unsigned(ID.cueTrack, TRACK), unsigned(ID.cueCluster, offset, 8)))));
}

/**
 * @param {Film} film
 * @returns {Bytes}
 */
export function toWebm(film) {
  const { chunks, duration_ms } = film;
  const header = element(ID.header, unsigned(ID.version, 1), unsigned(ID.readVersion, 1), unsigned(ID.longestId, 4),
    unsigned(ID.longestSize, 8), text(ID.type, "webm"), unsigned(ID.typeVersion, 4), unsigned(ID.typeReadVersion, 2));
  const info = element(ID.info, unsigned(ID.scale, NS_PER_MS), element(ID.duration, float64(duration_ms)),
    text(ID.muxer, NAME), text(ID.writer, NAME));
  const tracks = element(ID.tracks, track(film));
  const groups = clustered(chunks);
  const clusters = groups.map((group) => cluster(group, chunks, duration_ms));
  const keys = groups.map(([first], at) => ({ first, at })).filter(({ first }) => first.isKey);
  // Offsets take 8 bytes whatever they are, so that the cues are as long as they will be before these are known.
  let offset = info.length + tracks.length + cues(keys.map(({ first }) => ({ time_ms: first.time_ms, offset: 0 }))).length;
  const offsets = clusters.map(({ length }) => {
    offset += length;
    return offset - length;
  });
  const places = keys.map(({ first, at }) => ({ time_ms: first.time_ms, offset: offsets[at] }));
  return joined(header, element(ID.segment, info, tracks, cues(places), ...clusters));
}
