// What the tab knows at one moment.

import { START } from "./view.js";

/**
 * @typedef {import("./view.js").View} View
 * @typedef {import("../data/recording.js").Recording} Recording
 * @typedef {import("../data/matching.js").Matching} Matching
 * @typedef {import("../data/lens.js").Lens} Lens
 * @typedef {import("../data/overview.js").Overview} Overview
 * @typedef {import("./run_list.js").Result} Result
 */

/**
 * A layer of a run, as the server lists it; see http_api.md.
 *
 * @typedef {object} About
 * @property {string} id
 * @property {string} name
 * @property {number} position
 * @property {"epoch" | "batch"} unit
 * @property {string} objective
 * @property {string} objective_label
 * @property {string} description
 * @property {boolean} receptive_field
 * @property {string} channels
 * @property {number} filters
 * @property {number[] | null} indices
 * @property {[number, number, number]} tile
 * @property {number[]} parts
 * @property {StatisticAbout[]} statistics
 * @property {ResponsesAbout | null} responses
 * @property {KernelsAbout | null} kernels
 * @property {number} last_step
 * @property {number} last_wall_time
 */

/**
 * @typedef {object} StatisticAbout
 * @property {string} name
 * @property {string} label
 * @property {string} description
 * @property {"number" | "share" | "flag"} unit
 * @property {"ascending" | "descending" | null} sort
 */

/**
 * What filters of a layer answer to examples: where in the model it is read, and which part of an image a unit sees.
 *
 * @typedef {object} ResponsesAbout
 * @property {string} read_at
 * @property {boolean} is_gated
 * @property {[number, number, number, number]} box
 * @property {[number, number]} middle
 * @property {[number, number]} strides
 * @property {string[]} kinds
 * @property {[number, number, number] | null} map how many examples maps were logged of, and their height and width
 */

/**
 * Shapes of what there is of a filter's weights.
 *
 * @typedef {object} KernelsAbout
 * @property {[number, number, number]} slices
 * @property {[number, number, number] | null} effective null where the layers below cannot be made linear
 */

/**
 * A run, as the server lists it.
 *
 * @typedef {object} Run
 * @property {string} run
 * @property {string} training
 * @property {import("../words/recipe.js").Recipe | null} recipe
 * @property {number} examples
 * @property {About[]} layers
 * @property {string[]} problems
 */

/**
 * One of many runs that are seen side by side.
 *
 * @typedef {object} Contender
 * @property {string} run
 * @property {Recording} recording
 * @property {Matching | null} matching how its filters go with those of the run that was chosen; null for the same training
 */

/**
 * `phase` is what the page shows: pictures, or why there are none. `arrivals` counts the pictures that came, `readings` what
 * recordings read anew: both say that the same objects hold something else.
 *
 * @typedef {object} State
 * @property {View} view
 * @property {"loading" | "empty" | "error" | "work"} phase
 * @property {string} error
 * @property {string} warning what went wrong while the pictures stay
 * @property {string[]} broken what of an address could not be followed
 * @property {boolean} isBusy
 * @property {Run[]} runs
 * @property {string[]} problems
 * @property {string | null} saved of a page that was saved, when, and what it lacks; null in TensorBoard
 * @property {Record<string, Result | null>} results by run
 * @property {string[]} known all of TensorBoard's runs, in its order
 * @property {string} colourPattern by whose groups TensorBoard colours runs; empty where each has its own
 * @property {boolean} isDark
 * @property {Recording | null} recording
 * @property {number} index of the step that is shown
 * @property {Recording | null} other what is compared with
 * @property {string | null} otherError
 * @property {Matching | null} matching of `recording` with `other`, if they are of two trainings
 * @property {Lens | null} maps
 * @property {Lens | null} kernels
 * @property {Overview | null} overview
 * @property {Contender[]} contenders
 * @property {string[]} missing runs that cannot be shown beside others, and why
 * @property {{filter: number, isReference: boolean} | null} hovered
 * @property {boolean} isPlaying
 * @property {boolean} isLooping
 * @property {number} speed steps a second
 * @property {string} said
 * @property {number} arrivals
 * @property {number} readings
 */

/**
 * @typedef {State & {overview: Overview}} OverviewState where all layers of a run are shown
 * @typedef {State & {recording: Recording}} LayerState where a layer is shown
 * @typedef {LayerState & {view: View & {filter: number}}} FilterState where a filter of it is chosen
 */

/** @type {State} */
export const NOTHING = { view: START, phase: "loading", error: "", warning: "", broken: [], isBusy: false, runs: [],
  problems: [], saved: null, results: {}, known: [], colourPattern: "", isDark: false, recording: null, index: 0,
  other: null, otherError: null, matching: null, maps: null, kernels: null, overview: null, contenders: [], missing: [],
  hovered: null, isPlaying: false, isLooping: false, speed: 5, said: "", arrivals: 0, readings: 0 };
