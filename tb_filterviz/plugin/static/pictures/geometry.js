// Pure functions: sizes and places.

/**
 * From two screen pixels on, a scale at which every pixel of a tile covers equally many; below, that costs too much room.
 *
 * @param {number} scale
 * @param {number} pixelRatio
 */
export function wholePixels(scale, pixelRatio) {
  const onScreen = scale * pixelRatio;
  return onScreen < 2 ? scale : Math.floor(onScreen + 1e-6) / pixelRatio;
}

/**
 * Where a step lies among `steps`, as a fraction of the way; curves and slider share it.
 *
 * @param {number} step
 * @param {number[]} steps
 */
export function placeOf(step, steps) {
  const last = steps.length - 1;
  if (last < 1) return 0;
  if (step <= steps[0]) return 0;
  if (step >= steps[last]) return 1;
  let low = 0;
  let high = last;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (steps[middle] <= step) low = middle;
    else high = middle;
  }
  return (low + (step - steps[low]) / (steps[high] - steps[low])) / last;
}

/**
 * The position of the step that is nearest; of the last for null.
 *
 * @param {number | null | undefined} step
 * @param {number[]} steps
 */
export function nearestIndex(step, steps) {
  if (step === undefined || step === null || Number.isNaN(Number(step))) return steps.length - 1;
  let best = 0;
  steps.forEach((other, at) => {
    if (Math.abs(other - step) < Math.abs(steps[best] - step)) best = at;
  });
  return best;
}
