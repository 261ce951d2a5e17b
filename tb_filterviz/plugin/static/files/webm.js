// A WebM video, encoded by the browser: small, but not exact.

import { sized } from "./frames.js";
import { toWebm } from "./matroska.js";

/** @typedef {import("./frames.js").Frame} Frame */
/** @typedef {import("./frames.js").Frames} Frames */
/** @typedef {import("./frames.js").OnProgress} OnProgress */
/** @typedef {import("./frames.js").Timing} Timing */
/** @typedef {import("./matroska.js").Chunk} Chunk */
/** @typedef {{ codec: "V_VP8" | "V_VP9", config: VideoEncoderConfig, quantizer?: number }} Encoding */

const SAMPLE = { width: 1000, height: 600, delays_ms: [100] };
const QUANTIZER = 30; // of 0 to 63, the finest first: here pixels differ by 1 of 255 on average, and letters stay sharp
const BITS_PER_PIXEL = 0.5; // where no quantizer can be set, or where it is not heeded, as by Firefox
const KEY_EVERY_MS = 5000; // what a player decodes at most to go somewhere
const MOST_WAITING = 4; // frames, each as large as a canvas

/** @param {number} size */
function even(size) {
  return size + (size % 2);
}

/** @param {number[]} delays_ms */
function total(delays_ms) {
  return delays_ms.reduce((sum, delay_ms) => sum + delay_ms, 0);
}

/**
 * Ways to encode, the best first.
 * @param {Timing} timing
 * @returns {Encoding[]}
 */
function encodings({ width, height, delays_ms }) {
  const [evenWidth, evenHeight] = [even(width), even(height)];
  const framerate = 1000 * delays_ms.length / total(delays_ms);
  const bitrate = Math.ceil(BITS_PER_PIXEL * evenWidth * evenHeight * framerate);
  const size = { width: evenWidth, height: evenHeight, framerate, bitrate, latencyMode: /** @type {const} */ ("quality") };
  const vp9 = "vp09.00.51.08"; // profile 0, level 5.1, 8 bits
  return [
    { codec: "V_VP9", config: { ...size, codec: vp9, bitrateMode: "quantizer" }, quantizer: QUANTIZER },
    { codec: "V_VP9", config: { ...size, codec: vp9 } },
    { codec: "V_VP8", config: { ...size, codec: "vp8" } },
  ];
}

/**
 * @param {Timing} timing
 * @returns {Promise<Encoding | undefined>}
 */
async function supported(timing) {
  if (typeof VideoEncoder === "undefined") return undefined;
  for (const encoding of encodings(timing)) {
    const known = await VideoEncoder.isConfigSupported(encoding.config).catch(() => null); // which has not heard of a mode
    if (known?.supported) return encoding;
  }
  return undefined;
}

/**
 * Whether this browser encodes video that a WebM file can hold.
 * @returns {Promise<boolean>}
 */
export async function canEncodeWebm() {
  return (await supported(SAMPLE)) !== undefined;
}

/**
 * A frame with the last column and row doubled where a side is odd, which the codecs do not take.
 * @param {Frame} frame
 * @returns {Frame}
 */
export function evened(frame) {
  const [width, height] = [even(frame.width), even(frame.height)];
  if (width === frame.width && height === frame.height) return frame;
  const data = new Uint8ClampedArray(width * height * 4);
  for (let row = 0; row < height; row += 1) {
    const from = Math.min(row, frame.height - 1) * frame.width * 4;
    const end = from + frame.width * 4;
    data.set(frame.data.subarray(from, end), row * width * 4);
    if (width > frame.width) data.set(frame.data.subarray(end - 4, end), (row * width + width - 1) * 4);
  }
  return { width, height, data };
}

/**
 * @param {Frame} frame
 * @param {number} time_ms
 * @returns {VideoFrame}
 */
function videoFrame({ width, height, data }, time_ms) {
  const buffer = /** @type {Uint8ClampedArray<ArrayBuffer>} */ (data);
  return new VideoFrame(buffer, { format: "RGBX", codedWidth: width, codedHeight: height, timestamp: time_ms * 1000 });
}

/**
 * Until few frames wait to be encoded; an encoder that has failed calls no one, so that it is looked at now and then.
 * @param {VideoEncoder} encoder
 */
async function hasRoom(encoder) {
  while (encoder.state === "configured" && encoder.encodeQueueSize > MOST_WAITING) {
    await new Promise((resolve) => {
      encoder.addEventListener("dequeue", resolve, { once: true });
      setTimeout(resolve, 100);
    });
  }
}

/**
 * @param {Frames} frames
 * @param {Timing} timing
 * @param {Encoding} encoding
 * @param {OnProgress} onProgress
 * @returns {Promise<Chunk[]>}
 */
async function encoded(frames, timing, { config, quantizer }, onProgress) {
  /** @type {Chunk[]} */
  const chunks = [];
  /** @type {Error | null} */
  let failure = null;
  const encoder = new VideoEncoder({
    output: (chunk) => {
      const bytes = new Uint8Array(chunk.byteLength);
      chunk.copyTo(bytes);
      chunks.push({ bytes, time_ms: Math.round(chunk.timestamp / 1000), isKey: chunk.type === "key" });
      onProgress(chunks.length / frames.count);
    },
    error: (error) => { failure = error; },
  });
  try {
    encoder.configure(config);
    let time_ms = 0;
    let nextKey_ms = 0;
    for (let at = 0; at < frames.count && !failure; at += 1) {
      const picture = videoFrame(evened(await sized(frames, timing, at)), Math.round(time_ms));
      const options = { keyFrame: time_ms >= nextKey_ms, ...(quantizer === undefined ? {} : { vp9: { quantizer } }) };
      encoder.encode(picture, options);
      picture.close();
      if (options.keyFrame) nextKey_ms = time_ms + KEY_EVERY_MS;
      time_ms += timing.delays_ms[at];
      await hasRoom(encoder);
    }
    await encoder.flush();
  } catch (error) {
    throw failure ?? error;
  } finally {
    if (encoder.state !== "closed") encoder.close();
  }
  return chunks;
}

/**
 * A video of frames, the last of which stays as long as its delay says.
 * @param {Frames} frames
 * @param {Timing} timing
 * @param {OnProgress} [onProgress]
 * @returns {Promise<Blob>}
 */
export async function encodeWebm(frames, timing, onProgress = () => {}) {
  const encoding = await supported(timing);
  if (!encoding) throw new Error("this browser encodes neither VP9 nor VP8");
  const chunks = await encoded(frames, timing, encoding, onProgress);
  const film = { codec: encoding.codec, width: even(timing.width), height: even(timing.height),
    duration_ms: Math.round(total(timing.delays_ms)), chunks };
  return new Blob([toWebm(film)], { type: "video/webm" });
}
