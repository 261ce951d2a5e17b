"""How alike filters are: by their pictures, wherever in them something is, or by what they answer to the same images.

Pictures are compared as correlations, the largest over small shifts: which of its own pixels a filter shows something
in is up to the start noise. Pure NumPy, by matrix products; only pairing needs SciPy.
"""

import math
from itertools import product

import numpy as np
import numpy.typing as npt

from tb_filterviz.errors import SeriesError

LONGEST_PX = (32, 24, 16, 12, 8)  # of pictures as they are compared: the first that is no more work than this
MOST_WORK = 5e10  # multiplications and additions: a second or two
SHIFTED_PART = 8  # pictures are shifted by up to one of so many pixels
FLAT_LEVELS = 1.0  # standard deviation, in gray levels of 256: below is what rounding makes
FLAT_SHARE = 0.25  # of the whole picture's standard deviation: below, an overlap has lost what the picture shows

Tiles = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


def picture_similarity(one: Tiles, other: Tiles) -> Floats:
    """Compute how alike pictures are, -1 to 1, float32 ``[n, m]``: the largest correlation over small shifts.

    At each shift, only what both pictures show counts, each centred and normalized on that part. A flat picture is like
    no other: 0. Pictures of other sizes are compared on the smaller one, gray ones with coloured ones by brightness.

    Args:
        one: uint8 ``[n, h, w, c]``, ``c`` 1 or 3.
        other: uint8 ``[m, h2, w2, c2]``; `one` itself costs half.
    """
    is_symmetric = other is one  # then one of two opposite shifts tells of both
    these, those = _comparable(one, other)
    faintest = [np.maximum(FLAT_LEVELS, FLAT_SHARE * _rows(pictures).std(axis=1)) for pictures in (these, those)]
    height, width = these.shape[1:3]
    largest = np.full((len(one), len(other)), -1, np.float32)
    for down, right in product(_shifts(height), _shifts(width)):
        if is_symmetric and (down, right) > (0, 0):
            break
        shown = _unit(_rows(_shown(these, down, right)), faintest[0])
        behind = _unit(_rows(_shown(those, -down, -right)), faintest[1])
        np.maximum(largest, shown @ behind.T, out=largest)
    if is_symmetric:
        largest = np.maximum(largest, largest.T)
    return np.asarray(np.minimum(largest, 1))


def response_similarity(one: Tiles, other: Tiles) -> Floats:
    """Compute how alike maps on the same examples are, -1 to 1, float32 ``[n, m]``: their correlation.

    Args:
        one: uint8 ``[n, examples, h, w]``.
        other: uint8 ``[m, examples, h, w]``.
    """
    these, those = (_unit(_rows(maps), np.full(len(maps), FLAT_LEVELS, np.float32)) for maps in (one, other))
    return np.asarray(np.minimum(these @ those.T, 1))


def is_flat(values: Tiles) -> npt.NDArray[np.bool_]:
    """Tell which pictures, or maps, ``[n, ...]``, show nothing, bool ``[n]``."""
    return np.asarray(_rows(values).std(axis=1) < FLAT_LEVELS)


def best_pairs(similarity: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Pair rows with columns, one to one, so that the sum of similarities is the largest.

    Raises:
        SeriesError: without SciPy.
    """
    try:
        from scipy.optimize import linear_sum_assignment  # only this needs it, and it takes a while
    except ImportError as error:
        raise SeriesError("Pairing filters takes SciPy, which is not installed here: pip install scipy") from error

    rows, columns = linear_sum_assignment(similarity, maximize=True)
    return rows, columns


def _comparable(one: Tiles, other: Tiles) -> tuple[Floats, Floats]:
    """Bring pictures to one size and one number of channels, float32 ``[n, h, w, c]``."""
    has_colour = one.shape[3] == other.shape[3]
    channels = min(one.shape[3], other.shape[3])
    for longest in LONGEST_PX:
        sides = [_fitting(tiles.shape[1:3], longest) for tiles in (one, other)]
        height, width = min(side[0] for side in sides), min(side[1] for side in sides)
        shifts = len(_shifts(height)) * len(_shifts(width))
        if 2 * len(one) * len(other) * height * width * channels * shifts <= MOST_WORK:
            break
    these, those = (
        _resized(tiles if has_colour else tiles.mean(axis=3, keepdims=True), height, width) for tiles in (one, other)
    )
    return these, those


def _fitting(sides: tuple[int, ...], longest: int) -> tuple[int, int]:
    scale = min(1.0, longest / max(sides))
    height, width = (max(1, round(side * scale)) for side in sides)
    return height, width


def _resized(tiles: npt.NDArray[np.number], height: int, width: int) -> Floats:
    """Average pictures down to a size."""
    down, across = _averaging(tiles.shape[1], height), _averaging(tiles.shape[2], width)
    rows = np.einsum("ij,njwc->niwc", down, tiles.astype(np.float32), optimize=True)
    return np.asarray(np.einsum("kw,niwc->nikc", across, rows, optimize=True))


def _averaging(before: int, after: int) -> Floats:
    """Say how much of each of `before` pixels goes into each of `after`, float32 ``[after, before]``."""
    edges = np.arange(after + 1) * (before / after)
    pixels = np.arange(before)
    common = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.asarray(np.maximum(common, 0) * (after / before), np.float32)


def _shifts(side: int) -> range:
    furthest = max(side // SHIFTED_PART, int(side >= 5))
    return range(-furthest, furthest + 1)


def _shown(pictures: Floats, down: int, right: int) -> Floats:
    """Cut out what stays in sight of pictures that are moved, ``[n, h - |down|, w - |right|, c]``."""
    height, width = pictures.shape[1:3]
    return pictures[:, max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]


def _rows(values: npt.NDArray[np.number]) -> Floats:
    return values.reshape(len(values), math.prod(values.shape[1:])).astype(np.float32)


def _unit(rows: Floats, faintest: Floats) -> Floats:
    """Center rows and bring them to length 1; those that vary by less than `faintest` become 0."""
    centered = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.sqrt(np.einsum("ij,ij->i", centered, centered))
    is_faint = lengths < faintest * np.sqrt(rows.shape[1])
    return np.asarray(centered / np.where(is_faint, np.inf, lengths)[:, None])
