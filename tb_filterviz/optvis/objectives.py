"""Objectives: from responses to one score per image. Scores rise."""

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
