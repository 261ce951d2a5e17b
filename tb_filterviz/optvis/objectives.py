"""Objectives: from responses to one score per image. Scores rise."""

import math
from collections.abc import Callable
from typing import Any

from keras import ops

Score = Callable[[Any], Any]


def channel_mean(response: Any) -> Any:
    """Mean over height and width: ``[n, h, w, ...]`` to ``[n, ...]``. Source: Erhan et al. (2009); Chollet (2016)."""
    return ops.mean(response, axis=(1, 2))


def center_unit(response: Any) -> Any:
    """The unit in the middle: ``[n, h, w, ...]`` to ``[n, ...]``; its picture is a receptive field."""
    return response[:, response.shape[1] // 2, response.shape[2] // 2]


SCORES: dict[str, Score] = {"channel_mean": channel_mean, "center_unit": center_unit}


def gain(objective: str, height: int, width: int) -> float:
    """A power of 2 that makes up for how little one unit of a response ``[n, height, width]`` moves the score."""
    return 2.0 ** round(math.log2(height * width)) if objective == "channel_mean" else 1.0
