"""Is a filter responsive or stuck, is its picture flat, how much did it change."""

import numpy as np
import numpy.typing as npt

from tb_filterviz.optvis.ascent import Climbed


def is_responsive(climbed: Climbed, *, stays_positive: bool) -> npt.NDArray[np.bool_]:
    """Which filters are not stuck, bool ``[n]``.

    A filter is stuck when its score did not rise, or is not finite, or when no unit of it is above 0 even on the
    picture made for it; with `stays_positive`, as in the article, when its score was not above 0 at any step.
    """
    scores = climbed.scores
    finite = np.isfinite(scores).all(axis=0) & np.isfinite(climbed.images).all(axis=(1, 2, 3))
    if stays_positive:
        return np.asarray(finite & (scores > 0).all(axis=0))
    return np.asarray(finite & (climbed.peaks > 0) & (scores[-1] > scores[0]))


def is_flat(start: npt.NDArray[np.float32], images: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Where the ascent changed all inner pixels alike, bool ``[n]``: the picture says nothing about the filter.

    Inner is the middle half; alike means a standard deviation below 2 % of the largest change.
    """
    change = images - start
    height, width = change.shape[1:3]
    inner = change[:, height // 4 : height - height // 4, width // 4 : width - width // 4]
    return np.asarray(inner.std(axis=(1, 2)).max(axis=-1) < 0.02 * np.abs(change).max(axis=(1, 2, 3)))


def rms_change(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Root mean square difference of tiles uint8 ``[n, h, w, c]``, in [0, 1], float32 ``[n]``."""
    difference = (after.astype(np.float32) - before.astype(np.float32)) / 255
    return np.asarray(np.sqrt(np.square(difference).mean(axis=(1, 2, 3))), np.float32)
