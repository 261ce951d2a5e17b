"""What the card of a filter shows, as the tab asks for it: the examples of a run, and all steps of one filter."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tb_filterviz.metadata import KernelKind, ResponseKind
from tb_filterviz.reading.catalog import ExamplesPart, Layer
from tb_filterviz.reading.decoded import Decoded, Place
from tb_filterviz.reading.statistics import rounded
from tb_filterviz.reading.store import Store

_LISTED: tuple[ResponseKind | KernelKind, ...] = ("patches", "classes", "map_scales", "channels", "slices")


def examples_to_json(parts: Sequence[ExamplesPart]) -> dict[str, Any]:
    """Answer as the route ``/examples`` does."""
    first = parts[0].about
    return {
        "count": first.count,
        "image_shape": first.image_shape,
        "sides": first.sides,
        "labels": [label for part in parts for label in part.about.labels],
        "class_names": first.class_names,
        "mapped": first.mapped,
    }


def responses_to_json(store: Store, place: Place, layer: Layer, filter_: int) -> dict[str, Any]:
    """Answer as the route ``/responses`` does: what one filter answers, and its kernel, at all steps.

    Args:
        store: to read from.
        place: where.
        layer: of which layer.
        filter_: its place among those that are drawn.
    """
    found = {kind: store.of_filter(place, layer, kind, filter_) for kind in _LISTED if layer.parts_of(kind)}
    every = [decoded.steps for decoded in found.values()]
    steps = np.unique(np.concatenate(every)) if every else np.array([], np.int64)
    answer: dict[str, Any] = {"steps": steps.tolist()}
    for kind, own in found.items():
        if kind == "patches":  # places are whole numbers, values may be small: not rounded together
            answer["patches"] = _rows(steps, replace(own, values=own.values[..., :3].astype(np.int64)))
            answer["values"] = _rows(steps, replace(own, values=own.values[..., 3]))
        elif kind in ("channels", "slices"):
            answer[kind] = _rows(steps, replace(own, values=own.values.astype(np.int64)))
        else:
            answer[kind] = _rows(steps, own)
    return answer


def _rows(steps: Any, decoded: Decoded) -> list[Any]:
    """List the values of a filter at all steps, with None where there are none."""
    rows: list[Any] = [None] * len(steps)
    values = decoded.values.tolist() if decoded.values.dtype == np.int64 else rounded(decoded.values)
    for place, row in zip(np.searchsorted(steps, decoded.steps).tolist(), values, strict=True):
        rows[place] = row
    return rows
