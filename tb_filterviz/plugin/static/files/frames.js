// Pure functions: the frames of an animation, and what changes from one to the next.

/**
 * Pixels as in ImageData, all of them opaque.
 * @typedef {{ width: number, height: number, data: Uint8ClampedArray<ArrayBufferLike> }} Frame
 */
/**
 * `frame(at)` gives the same pixels whenever it is asked, each time in memory of their own; all frames are of one size.
 * @typedef {{ count: number, frame: (at: number) => Frame | Promise<Frame> }} Frames
 */
/** @typedef {{ width: number, height: number, delays_ms: number[] }} Timing of every frame, one delay each */
/** @typedef {{ left: number, top: number, width: number, height: number }} Box */
/** @typedef {(done: number) => void} OnProgress given a fraction of all that is to be done */
/**
 * What is seen next: `frame`, which differs from `before` within `box` only, and is the one at `at`.
 * @typedef {{ at: number, before: Frame | null, frame: Frame, box: Box, delay_ms: number }} Change
 */

/**
 * The pixels of a frame, one number each: red is lowest, alpha highest.
 * @param {Frame} frame
 * @returns {Uint32Array<ArrayBufferLike>}
 */
export function pixelsOf({ width, height, data }) {
  return new Uint32Array(data.buffer, data.byteOffset, width * height);
}

/**
 * The pixels within a box.
 * @param {Frame} frame
 * @param {Box} box
 * @returns {Uint32Array<ArrayBuffer>}
 */
export function pixelsIn(frame, { left, top, width, height }) {
  const pixels = pixelsOf(frame);
  const found = new Uint32Array(width * height);
  for (let row = 0; row < height; row += 1) {
    const from = (top + row) * frame.width + left;
    found.set(pixels.subarray(from, from + width), row * width);
  }
  return found;
}

/**
 * The smallest box in which two frames of one size differ; null if they are the same.
 * @param {Frame} before
 * @param {Frame} after
 * @returns {Box | null}
 */
export function changedBox(before, after) {
  const [was, is] = [pixelsOf(before), pixelsOf(after)];
  const { width, height } = after;
  let [left, right, top, bottom] = [width, -1, -1, -1];
  for (let row = 0; row < height; row += 1) {
    const from = row * width;
    let first = 0;
    while (first < width && was[from + first] === is[from + first]) first += 1;
    if (first === width) continue;
    let last = width - 1;
    while (was[from + last] === is[from + last]) last -= 1;
    left = Math.min(left, first);
    right = Math.max(right, last);
    if (top < 0) top = row;
    bottom = row;
  }
  return right < 0 ? null : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/**
 * @param {Frames} frames
 * @param {Timing} timing
 * @param {number} at
 * @returns {Promise<Frame>}
 */
export async function sized(frames, { width, height }, at) {
  const frame = await frames.frame(at);
  if (frame.width === width && frame.height === height) return frame;
  throw new Error(`frame ${at} is ${frame.width} x ${frame.height}, not ${width} x ${height}`);
}

/**
 * @param {Frame} frame
 * @param {Timing} timing
 * @returns {Change}
 */
function firstChange(frame, { width, height, delays_ms }) {
  return { at: 0, before: null, frame, box: { left: 0, top: 0, width, height }, delay_ms: delays_ms[0] };
}

/**
 * Frames that differ from the one before, with what differs; one that does not makes the one before stay for longer.
 * @param {Frames} frames
 * @param {Timing} timing
 * @returns {AsyncGenerator<Change, void>}
 */
export async function* changes(frames, timing) {
  if (!frames.count) return;
  let shown = firstChange(await sized(frames, timing, 0), timing);
  for (let at = 1; at < frames.count; at += 1) {
    const frame = await sized(frames, timing, at);
    const box = changedBox(shown.frame, frame);
    if (box) {
      yield shown;
      shown = { at, before: shown.frame, frame, box, delay_ms: timing.delays_ms[at] };
    } else {
      shown.delay_ms += timing.delays_ms[at];
    }
  }
  yield shown;
}
