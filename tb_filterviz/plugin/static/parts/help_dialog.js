// What the pictures mean, and which keys there are.

import { element } from "../widgets/dom.js";

const MEANINGS = [
  ["Tile", "The input that excites its filter most, made by gradient ascent from gray: no piece of your data. Each is brought "
    + "to the same mean gray and contrast by itself, so tiles say what a filter responds to, not how strongly."],
  ["Small tiles", "A tile shows as much of the image as its filter sees, in the first layer 5 × 5 pixels for example. There, "
    + "what excites a filter most is its kernel, so the tile is its weights."],
  ["Stripes", "A bright stripe beside a dark one is an edge or a stroke of that direction, which the filter looks for at that "
    + "place. In a texture they fill the tile, since the mean over the image asks for them everywhere."],
  ["Marks", "Crossed out is a stuck filter; a bar along the lower edge is below a flat one, whose inside says nothing about it. "
    + "Bright or dark edges of a texture are no marks: there, padding takes the place of the image."],
  ["Stuck", "The ascent found no way up, so the picture says nothing. A dead unit is another thing: one that no data excite, "
    + "which only data can tell."],
  ["Examples", "Where real images were given, a filter's card shows the nine that excite it most, cut to what its strongest unit "
    + "sees, the mean response to each class, and where on an image it answers. Dead is a filter that none of them switches on, "
    + "always on one that none ever switches off."],
  ["Kernels", "A filter's weights, each filter to its own scale: white adds to the response, black takes from it, gray is 0. On the "
    + "image, as if every activation below let all pass and max-pooling took the mean; beside it, the kernel in the input channels "
    + "in which it is strongest."],
  ["Kept score", "How much of the score's rise the smoothing of the picture left. A smooth picture looks like something even if "
    + "its filter has learnt nothing, so compare it with the one before training."],
  ["Change", "How far a picture moved since the step before: 0 % not at all, 100 % as far as to another filter's picture. A "
    + "filter has settled when neither this nor its change since start moves by more than a few per cent any more."],
];

const KEYS = [
  ["← →", "step back, step forward (in a grid: move among its tiles)"],
  [", .", "step back, step forward, anywhere"],
  ["Space", "play, pause"],
  ["Home End", "first, last"],
  ["Enter", "open the filter at the cursor"],
  ["[ ]", "the filter before, the filter after"],
  ["Escape", "close the filter"],
  ["c", "grid or compare"],
  ["m", "pictures, or maps on an example"],
  ["k", "pictures, or kernels"],
  ["+ − 0", "larger, smaller, whole layer"],
  ["s", "save what is seen"],
  ["i", "how it was drawn"],
  ["?", "this"],
];

function rows(pairs) {
  return element("dl", { class: "rows" }, pairs.map(([term, what]) =>
    element("div", {}, element("dt", {}, term), element("dd", {}, what))));
}

export function helpDialog() {
  const close = element("button", { type: "button", class: "button", autofocus: true }, "Close");
  const dialog = element("dialog", { class: "dialog wide", "aria-labelledby": "help-title" },
    element("h2", { id: "help-title" }, "What you see"), rows(MEANINGS),
    element("h3", {}, "Keyboard"), rows(KEYS),
    element("div", { class: "dialog-end" }, element("span", { class: "space" }), close));
  close.addEventListener("click", () => dialog.close());
  return dialog;
}
