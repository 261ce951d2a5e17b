// What is looked for by what somebody types.

const NO_PATTERN = "This is no regular expression: it is looked for as plain text.";

/**
 * Whether a name is meant: a regular expression finds something in it, in any case of letters. What is no regular
 * expression is looked for as it stands, and `error` says so.
 *
 * @param {string} search
 * @returns {{matches: (name: string) => boolean, error: string}}
 */
export function searchFor(search) {
  try {
    const pattern = new RegExp(search, "i");
    return { matches: (name) => pattern.test(name), error: "" };
  } catch {
    const text = search.toLowerCase();
    return { matches: (name) => name.toLowerCase().includes(text), error: NO_PATTERN };
  }
}
