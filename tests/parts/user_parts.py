"""Parts as a user writes them, at the top of a module, so that they reach other processes."""

from typing import Any

import numpy as np
from keras import ops

from tb_filterviz import Objective, Statistic, ToneMapping


def _peak(maximized: Any) -> Any:
    return maximized.peaks


def _mean_square(response: Any) -> Any:
    return ops.mean(ops.square(response), axis=(1, 2))


def _stretched(images: Any, contrast: float) -> Any:  # noqa: ARG001
    low, high = (np.percentile(images, share, axis=(1, 2, 3), keepdims=True) for share in (2, 98))
    return (np.clip((images - low) / np.maximum(high - low, 1e-9), 0, 1) * 255).astype(np.uint8)


PEAK = Statistic(name="own_peak", label="peak", compute=_peak, description="the largest response of any unit")
ENERGY = Objective(
    name="energy", score=_mean_square, label="energy", description="the mean square of each filter's response"
)
STRETCH = ToneMapping(name="stretch", apply=_stretched, label="stretch", description="2 % to 98 % of the values")
