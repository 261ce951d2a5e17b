"""What the metadata of a series says, checked: one validator for each kind, of every format there has been."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from tb_filterviz.errors import SeriesError
from tb_filterviz.metadata import KernelKind, ResponseKind, decode_metadata
from tb_filterviz.parts.objectives import OBJECTIVES
from tb_filterviz.parts.statistics import STATISTICS, Sort, Unit
from tb_filterviz.reading.validation import (
    LARGEST_INDEX,
    LONGEST_TEXT,
    MOST_FILTERS,
    parse_indices,
    parse_int,
    parse_name,
    parse_numbers,
    parse_shape,
    parse_text,
    parse_whole_numbers,
    whole_characters,
)

LARGEST_VALUE_BYTES = 8 << 20  # sixty times what we write: a series of such is refused before it is read

Found = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """What every series of a layer says.

    Attributes:
        layer: the layer's path in the model.
        position: its place among the model's convolutional layers, from 0.
        unit: what steps count.
        filters: how many filters of the layer are drawn.
        shape: of each value.
    """

    layer: str
    position: int
    unit: Literal["epoch", "batch"]
    filters: int
    shape: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class TilesDescription(Description):
    """A part of the tiles of a layer: values are uint8 ``[n, h, w, c]``.

    Attributes:
        objective: the name of what was maximized.
        objective_label: what to call it.
        description: what was maximized, in words that complete "The inputs that maximize ...".
        receptive_field: True if tiles are cut to the centre unit's receptive field.
        channels: how the model's input channels are shown, in words.
        first_filter: place of the first of these filters among those that are drawn.
        indices: their numbers in the layer.
    """

    objective: str
    objective_label: str
    description: str
    receptive_field: bool
    channels: str
    first_filter: int
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StatisticDescription:
    """A statistic, as the tab shows it: see `tb_filterviz.Statistic`."""

    name: str
    label: str
    description: str
    unit: Unit
    sort: Sort | None

    def to_json(self) -> dict[str, Any]:
        """Answer as the route ``/layers`` does."""
        return {name: getattr(self, name) for name in ("name", "label", "description", "unit", "sort")}


@dataclass(frozen=True, kw_only=True, slots=True)
class StatisticsDescription(Description):
    """Statistics of a layer: values are float32, ``[n]`` of one of them or, in format 1, ``[rows, n]`` of several.

    Attributes:
        statistics: in the order of the rows.
    """

    statistics: tuple[StatisticDescription, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponsesDescription(Description):
    """A part of what the filters of a layer answer to examples.

    Values are float32 ``[n, k, 4]`` for ``patches``: example, row, column, value; ``[n, classes]`` for ``classes``;
    ``[n]`` for ``map_scales``; and uint8 ``[n, m, h, w]`` for ``maps``.

    Attributes:
        kind: which of these.
        first_filter: place of the first of these filters among those that are drawn.
        read_at: the path of the layer at whose output that is read.
        is_gated: whether an activation lies between.
        box: top, left, height and width of the pixels that the unit in the middle sees.
        middle: row and column of that unit.
        strides: by how many pixels the box moves from unit to unit.
    """

    kind: ResponseKind
    first_filter: int
    read_at: str
    is_gated: bool
    box: tuple[float, ...]
    middle: tuple[float, ...]
    strides: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Answer as the route ``/layers`` does."""
        return {name: getattr(self, name) for name in ("read_at", "is_gated", "box", "middle", "strides")}


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelsDescription(Description):
    """A part of the kernels of a layer.

    Values are float32 ``[n, k]`` for ``channels``, uint8 ``[n, k, kh, kw]`` for ``slices``, and uint8 ``[n, h, w, c]``
    for ``effective``.

    Attributes:
        kind: which of these.
        first_filter: place of the first of these filters among those that are drawn.
    """

    kind: KernelKind
    first_filter: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ExamplesDescription:
    """A part of a run's examples: a value is uint8, encoded pictures one after the other.

    Attributes:
        first: the place of the first of these among all.
        count: how many examples there are in all parts.
        image_shape: ``(height, width, channels)`` of the model's image.
        sides: height and width of the pictures.
        media_type: of each.
        sizes: of each, in bytes.
        labels: of each; empty without labels.
        class_names: of every class.
        mapped: places of the examples whose maps are logged.
        shape: of the value.
    """

    first: int
    count: int
    image_shape: tuple[int, ...]
    sides: tuple[int, ...]
    media_type: str
    sizes: tuple[int, ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...]
    mapped: tuple[int, ...]
    shape: tuple[int, ...]


AnyDescription = (
    TilesDescription | StatisticsDescription | ResponsesDescription | KernelsDescription | ExamplesDescription
)


def dtype_of(about: AnyDescription) -> type[np.uint8] | type[np.float32]:
    """Tell what type the values of a series have to be of."""
    is_float = (
        isinstance(about, StatisticsDescription)
        or (isinstance(about, ResponsesDescription) and about.kind != "maps")
        or (isinstance(about, KernelsDescription) and about.kind == "channels")
    )
    return np.float32 if is_float else np.uint8


def _of_layer(found: Found, shape: tuple[int, ...]) -> dict[str, Any]:
    return {
        "layer": parse_text(found, "layer"),
        "position": parse_int(found, "position", 0, MOST_FILTERS),
        "unit": "batch" if found.get("unit") == "batch" else "epoch",
        "filters": parse_int(found, "filters", 1, MOST_FILTERS),
        "shape": shape,
    }


def _tiles(found: Found) -> TilesDescription:
    shape = parse_shape(found, 4)
    if shape[3] not in (1, 3):
        raise SeriesError(f"tiles have 1 or 3 channels. Received: {shape[3]}")
    objective = parse_text(found, "objective")
    known = OBJECTIVES.get(objective)  # format 1 had only these, and only their names
    first = parse_int(found, "first_filter", 0, MOST_FILTERS)
    return TilesDescription(
        **_of_layer(found, shape),
        objective=objective,
        objective_label=parse_text(found, "objective_label") or (known.label if known else objective),
        description=parse_text(found, "description") or (known.description if known else objective),
        receptive_field=found.get("receptive_field") is True,
        channels=parse_text(found, "channels"),
        first_filter=first,
        indices=parse_indices(found, shape[0], first),
    )


def _statistic(found: Found) -> StatisticsDescription:
    of_layer = _of_layer(found, parse_shape(found, 1))
    if of_layer["shape"] != (of_layer["filters"],):
        raise SeriesError(f"its shape says {of_layer['shape'][0]} filters, `filters` says {of_layer['filters']}")
    name = parse_name(found.get("name"), "`name`")
    unit, sort = found.get("value_unit"), found.get("sort")
    statistic = StatisticDescription(
        name=name,
        label=parse_text(found, "label") or name,
        description=parse_text(found, "description"),
        unit=unit if unit in ("share", "flag") else "number",
        sort=sort if sort in ("ascending", "descending") else None,
    )
    return StatisticsDescription(**of_layer, statistics=(statistic,))


def _format_1_stats(found: Found) -> StatisticsDescription:
    shape = parse_shape(found, 2)
    of_layer = _of_layer(found, shape)
    rows = found.get("rows")
    if not isinstance(rows, list) or len(rows) != shape[0] or len(set(map(str, rows))) != len(rows):
        raise SeriesError(f"`rows` must be {shape[0]} different names.")
    if shape[1] != of_layer["filters"]:
        raise SeriesError(f"its shape says {shape[1]} filters, `filters` says {of_layer['filters']}")
    return StatisticsDescription(**of_layer, statistics=tuple(_format_1_statistic(row) for row in rows))


def _format_1_statistic(row: object) -> StatisticDescription:
    name = parse_name(row, "a name in `rows`")
    known = STATISTICS.get(name)
    if known is None:
        return StatisticDescription(name, name, "", "number", None)
    return StatisticDescription(name, known.label, known.description, known.unit, known.sort)


_RANKS: Mapping[ResponseKind, int] = {"patches": 3, "classes": 2, "map_scales": 1, "maps": 4}


def _responses(kind: ResponseKind, found: Found) -> ResponsesDescription:
    shape = parse_shape(found, _RANKS[kind])
    if kind == "patches" and shape[2] != 4:
        raise SeriesError(f"patches have 4 numbers each. Received: {shape[2]}")
    footprint = found.get("footprint")
    if not isinstance(footprint, dict):
        raise SeriesError("`footprint` must say which pixels a unit sees.")
    return ResponsesDescription(
        **_of_layer(found, shape),
        kind=kind,
        first_filter=parse_int(found, "first_filter", 0, MOST_FILTERS),
        read_at=parse_text(found, "read_at"),
        is_gated=found.get("is_gated") is True,
        box=parse_numbers(footprint, "box", 4),
        middle=parse_numbers(footprint, "unit", 2),
        strides=parse_numbers(footprint, "strides", 2),
    )


_KERNEL_RANKS: Mapping[KernelKind, int] = {"channels": 2, "slices": 4, "effective": 4}


def _kernels(kind: KernelKind, found: Found) -> KernelsDescription:
    shape = parse_shape(found, _KERNEL_RANKS[kind])
    if kind == "effective" and shape[3] not in (1, 3):
        raise SeriesError(f"kernels on the image have 1 or 3 channels. Received: {shape[3]}")
    first = parse_int(found, "first_filter", 0, MOST_FILTERS)
    return KernelsDescription(**_of_layer(found, shape), kind=kind, first_filter=first)


MEDIA_TYPES = ("image/png", "image/jpeg")


def _examples(found: Found) -> ExamplesDescription:
    sizes = parse_whole_numbers(found, "sizes", LARGEST_VALUE_BYTES)
    shape = found.get("shape")
    if not sizes or shape != [sum(sizes)]:
        raise SeriesError("`shape` must be the sum of `sizes`.")
    media_type = found.get("media_type")
    if media_type not in MEDIA_TYPES:
        raise SeriesError(f"`media_type` must be one of {', '.join(MEDIA_TYPES)}. Received: {str(media_type)[:40]}")
    labels = parse_whole_numbers(found, "labels", MOST_FILTERS)
    if labels and len(labels) != len(sizes):
        raise SeriesError(f"`labels` must be one for each of {len(sizes)} pictures.")
    names = found.get("class_names")
    if not isinstance(names, list) or not all(isinstance(name, str) and len(name) <= LONGEST_TEXT for name in names):
        raise SeriesError("`class_names` must be a list of names.")
    return ExamplesDescription(
        first=parse_int(found, "first", 0, LARGEST_INDEX),
        count=parse_int(found, "count", 1, LARGEST_INDEX),
        image_shape=parse_shape({"shape": found.get("image_shape")}, 3),
        sides=parse_shape({"shape": found.get("sides")}, 2),
        media_type=media_type,
        sizes=sizes,
        labels=labels,
        class_names=tuple(whole_characters(name) for name in names[:MOST_FILTERS]),
        mapped=parse_whole_numbers(found, "mapped", LARGEST_INDEX)[:_MOST_MAPPED],
        shape=(sum(sizes),),
    )


_MOST_MAPPED = 64

_VALIDATORS: Mapping[str, Callable[[Found], AnyDescription]] = {
    "tiles": _tiles,
    "statistic": _statistic,
    "stats": _format_1_stats,
    "examples": _examples,
    **{kind: partial(_responses, kind) for kind in _RANKS},
    **{kind: partial(_kernels, kind) for kind in _KERNEL_RANKS},
}


def decode(content: bytes) -> dict[str, Any]:
    """Read metadata of any format up to ours.

    Raises:
        SeriesError: if it is none, or of a newer format.
    """
    try:
        return decode_metadata(content)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SeriesError("its metadata is not JSON") from error
    except ValueError as error:
        reason = str(error)[:160]
        raise SeriesError(reason[:1].lower() + reason[1:]) from error


def describe(content: bytes) -> AnyDescription:
    """Read the metadata of a series of a layer, or of examples.

    Raises:
        SeriesError: whatever else `content` is.
    """
    found = decode(content)
    kind = found.get("kind")
    if not isinstance(kind, str) or kind not in _VALIDATORS:
        raise SeriesError(f"`kind` must be one of {', '.join(_VALIDATORS)}. Received: {str(kind)[:40]}")
    about = _VALIDATORS[kind](found)
    value_bytes = math.prod(about.shape) * np.dtype(dtype_of(about)).itemsize
    if value_bytes > LARGEST_VALUE_BYTES:
        raise SeriesError(f"a value of shape {about.shape} is too large")
    return about
