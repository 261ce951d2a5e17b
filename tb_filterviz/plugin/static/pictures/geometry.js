// Pure functions: sizes and places.

// How many columns make tiles largest within an area, and how large that makes them.
export function fit(count, tile, area, gap, largestPx, pixelRatio) {
  let best = { columns: 1, scale: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns += 1) {
    const rows = Math.ceil(count / columns);
    const scale = Math.min(
      (area.width - gap * (columns + 1)) / columns / tile.width,
      (area.height - gap * (rows + 1)) / rows / tile.height,
      largestPx / Math.max(tile.width, tile.height),
    );
    if (scale > best.scale * 1.001) best = { columns, scale };
  }
  return { columns: best.columns, scale: wholePixels(Math.max(best.scale, 2 / tile.width), pixelRatio) };
}

// From four screen pixels on, a scale at which every pixel of a tile covers equally many; below, that costs too much room.
export function wholePixels(scale, pixelRatio) {
  const onScreen = scale * pixelRatio;
  return onScreen < 4 ? scale : Math.floor(onScreen + 1e-6) / pixelRatio;
}

// Where a step lies among `steps`, as a fraction of the way; curves and slider share it.
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

export function nearestIndex(step, steps) {
  if (step === undefined || step === null || Number.isNaN(Number(step))) return steps.length - 1;
  let best = 0;
  steps.forEach((other, at) => {
    if (Math.abs(other - step) < Math.abs(steps[best] - step)) best = at;
  });
  return best;
}
