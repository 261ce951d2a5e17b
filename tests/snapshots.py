"""Drawings and snapshots made by hand."""

from typing import Any

import numpy as np
import numpy.typing as npt

from tb_filterviz.parts.objectives import channel_mean
from tb_filterviz.parts.tones import describe_channels
from tb_filterviz.snapshots import LayerDrawing, LayerSnapshot, StepUnit


def _fields(
    tiles: npt.NDArray[np.uint8], layer: str, position: int, filters: npt.ArrayLike | None, more: dict[str, Any]
) -> dict[str, Any]:
    count = len(tiles)
    statistics = {
        "gain": np.arange(count),
        "score": np.arange(count),
        "responsive": np.ones(count),
        "flat": np.zeros(count),
        **more,
    }
    return {
        "layer": layer,
        "position": position,
        "filters": np.asarray(range(count) if filters is None else filters, np.int32),
        "objective": channel_mean.name,
        "objective_label": channel_mean.label,
        "description": channel_mean.description,
        "receptive_field": False,
        "channels": describe_channels(tiles.shape[-1]),
        "tiles": tiles,
        "statistics": {name: np.asarray(values, np.float32) for name, values in statistics.items()},
    }


def drawing(
    tiles: npt.NDArray[np.uint8],
    layer: str = "conv",
    *,
    position: int = 0,
    filters: npt.ArrayLike | None = None,
    **statistics: npt.ArrayLike,
) -> LayerDrawing:
    """Make a drawing of tiles uint8 ``[n, h, w, c]``, all responsive, none flat, with rising scores.

    Args:
        tiles: of filters 0, 1, ...
        layer: its path.
        position: among the layers.
        filters: which they are, if others.
        statistics: of the filters, in place of what is said above, or beside it.
    """
    return LayerDrawing(**_fields(tiles, layer, position, filters, statistics))


def snapshot(
    tiles: npt.NDArray[np.uint8],
    step: int = 0,
    layer: str = "conv",
    *,
    position: int = 0,
    filters: npt.ArrayLike | None = None,
    unit: StepUnit = "epoch",
    is_first: bool = False,
    **statistics: npt.ArrayLike,
) -> LayerSnapshot:
    """Make a snapshot as `drawing` makes a drawing; nothing has changed."""
    unchanged = {"change": np.zeros(len(tiles)), "change_since_start": np.zeros(len(tiles))}
    given = _fields(tiles, layer, position, filters, {**unchanged, **statistics})
    return LayerSnapshot(**given, step=step, unit=unit, is_first=is_first)
