// What the words of the tab mean, for somebody who has never seen it, with a small picture where that says more.

/**
 * @typedef {"tile" | "stuck" | "flat" | "kernel" | "noise"} Example
 * @typedef {{word: string, text: string, example: Example | null}} Meaning
 */

/** @type {Meaning[]} */
export const GLOSSARY = [
  { word: "Tile", example: "tile",
    text: "The picture that excites its filter most: white where the filter wants light, black where it wants dark. It "
      + "is made by the computer, from gray, and is no piece of your data." },
  { word: "Stripes, textures", example: "tile",
    text: "A bright stripe beside a dark one is an edge or a stroke of that direction, which the filter looks for. It "
      + "fills the whole tile where the filter was asked for it everywhere in the image: such a tile is a texture." },
  { word: "Noise", example: "noise",
    text: "A tile without a form that one could name: the filter asks for nothing clear, or for something very fine. "
      + "Before training, that is normal." },
  { word: "Small tiles", example: "kernel",
    text: "A tile shows as much of the image as its filter sees: a few pixels in the first layer, more in deeper ones, "
      + "which look at the image through those before them. In the first layer, a tile is the filter's kernel itself." },
  { word: "Examples", example: null,
    text: "Real images that were given to the training's log. A filter's card shows the nine that excite it most, and "
      + "how strongly it answers to each class." },
  { word: "Map", example: null,
    text: "Where on one example a filter answers, and how strongly: white is its strongest answer to any of the "
      + "examples with maps." },
  { word: "Kernel", example: "kernel",
    text: "The filter's weights: white adds to its response, black takes from it, gray does nothing. In deeper layers "
      + "it is shown as if the layers before were linear, which is an approximation." },
  { word: "Stuck", example: "stuck",
    text: "No picture could be found that excites the filter, so its tile says nothing and is crossed out. It may "
      + "still answer to real images: only examples can tell whether it is dead." },
  { word: "Dead", example: null,
    text: "None of the examples switches the filter on, anywhere: on these images, it adds nothing to what the network "
      + "does." },
  { word: "Always on", example: null,
    text: "No example switches the filter off, anywhere: on these images its activation cuts off nothing, and the "
      + "filter is linear." },
  { word: "Flat", example: "flat",
    text: "The inside of the tile became lighter or darker as a whole, so it shows no pattern that the filter looks "
      + "for." },
  { word: "Change", example: null,
    text: "How far a picture moved since the step before: 0 % not at all, 100 % as far as to another filter's picture." },
  { word: "Settled", example: null,
    text: "From then on the picture stays the same, to within a few per cent, for at least three steps of the log. A "
      + "stuck filter has not settled." },
  { word: "Gain", example: null,
    text: "How far the tile's score is above that of noise images, in standard deviations of the filter's answers to "
      + "these. It can be compared between layers and runs." },
  { word: "Score", example: null,
    text: "How strongly the filter answers to its tile, in units of its own layer. It may be negative even for a clear "
      + "tile, so compare gains instead." },
  { word: "Kept score", example: null,
    text: "How much of the score's rise is left after the picture was smoothed. Low means that the filter also asks "
      + "for fine noise, which the tile hides, as in an untrained network." },
];

/**
 * What people ask in their first minute.
 *
 * @type {{question: string, answer: string}[]}
 */
export const QUESTIONS = [
  { question: "Are stripes good?",
    answer: "They are what one hopes for in the first layers: the filter looks for strokes or edges of one direction. "
      + "Deeper filters combine these to bends, corners and textures." },
  { question: "Is noise bad?",
    answer: "Before training it is normal. Later it means that the filter asks for no clear pattern, or for a very "
      + "fine one; a network can still be accurate. Look at the filter's gain, and at the examples that excite it." },
  { question: "Does a smooth, pretty tile mean that the filter has learned something?",
    answer: "Not by itself: tiles are smoothed, so even untrained filters show soft shapes. Compare it with the "
      + "picture before training, and look at its kept score." },
  { question: "Why do some tiles have a bright or dark frame?",
    answer: "At its border the image ends, and the network pads it with zeros. Filters answer differently there, so "
      + "the picture differs there. It is no mark and no fault." },
  { question: "Why are tiles 5 × 5 pixels here, and larger there?",
    answer: "A tile shows what its filter sees. Filters of the first layer see a few pixels, deeper ones much more; "
      + "those that see most of the image are shown as a texture." },
  { question: "What should I do about a crossed tile?",
    answer: "About one or two, nothing. If many filters of a layer are crossed, train again with a lower learning "
      + "rate, and check that the inputs are scaled as the model expects. The epoch at which they got stuck says where "
      + "to look." },
];

const GRAY = 128;
const SIDE_OF_KERNEL = 5;

/**
 * An example picture, for where the log has none: gray pixels, row by row. Marks are drawn over it.
 *
 * @param {Example} kind
 * @param {number} side in pixels
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function synthetic(kind, side) {
  const paint = { tile: stripes, stuck: grain(12), noise: grain(60), flat: framed, kernel }[kind];
  const pixels = new Uint8Array(side * side);
  for (let at = 0; at < pixels.length; at += 1) {
    pixels[at] = Math.round(paint(Math.floor(at / side), at % side, side));
  }
  return pixels;
}

/**
 * Slanted stripes that fade towards the border, where a filter looks less closely.
 *
 * @param {number} row
 * @param {number} column
 * @param {number} side
 */
function stripes(row, column, side) {
  const [y, x] = [row, column].map((at) => (at + 0.5) / side - 0.5);
  return GRAY + 120 * Math.cos(2 * Math.PI * 2.5 * (x + 0.4 * y)) * Math.exp(-6 * (x * x + y * y));
}

/** Gray with noise of this size: the same at every call, so that pictures do not flicker. @param {number} size */
function grain(size) {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator
    return GRAY + size * (state / 2 ** 31 - 1);
  };
}

/** Light inside, with the darker frame of the padding. @param {number} row @param {number} column @param {number} side */
function framed(row, column, side) {
  const inset = Math.min(row, column, side - 1 - row, side - 1 - column);
  return inset < side / 10 ? 90 : 170;
}

/** Five by five weights of an edge. @param {number} row @param {number} column @param {number} side */
function kernel(row, column, side) {
  const [y, x] = [row, column].map((at) => Math.floor((at * SIDE_OF_KERNEL) / side) - 2);
  const edge = x + 0.5 * y;
  return GRAY + 120 * Math.sin(edge) * Math.exp(-0.12 * (x * x + y * y));
}
