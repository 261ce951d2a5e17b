// Names of files.

/**
 * A name for a file; letters and digits of every script stay, all else becomes "_".
 * @param {...(string | number)} parts
 * @returns {string} without an extension
 */
export function fileName(...parts) {
  return parts.map((part) => String(part).replace(/[^\p{L}\p{N}_.-]+/gu, "_")).join("-").replace(/^[.]+/, "");
}
