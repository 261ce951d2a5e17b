// Saving a file that was made here.
//
// Firefox takes a link to a blob for a page to be shown in the link's own frame, even if it has `download`; what is around
// the frame forbids that by its policy (TensorBoard's `frame-src`), and nobody is told. So the link is the outermost page's.

const TAKEN_WITHIN_MS = 60000;

/** This page, or the outermost one around it that is of its origin: TensorBoard's, or that of what shows TensorBoard. */
function outermost() {
  /** @type {Window} */
  let page = window;
  try {
    while (page.parent !== page && page.parent.document) page = page.parent;
  } catch {
    // of another origin, as a notebook may be
  }
  return page;
}

/**
 * Hands a file to the browser, which saves it, or asks where to.
 *
 * @param {Blob} blob what the file holds
 * @param {string} name of the file
 * @returns {boolean} whether no page's policy can have forbidden it; false where one of another origin is around, which may
 */
export function download(blob, name) {
  const page = outermost();
  const link = page.document.createElement("a"); // left out of the page, which may act on clicks on its links
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), TAKEN_WITHIN_MS);
  return page === window.top;
}
