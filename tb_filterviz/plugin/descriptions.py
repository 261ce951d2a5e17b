"""What the metadata of a series says, checked: one validator for each kind, of every format there has been."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tb_filterviz.errors import SeriesError
from tb_filterviz.metadata import decode_metadata
from tb_filterviz.parts.objectives import OBJECTIVES
from tb_filterviz.parts.statistics import STATISTICS, Sort, Unit
from tb_filterviz.plugin.validation import MOST_FILTERS, parse_indices, parse_int, parse_name, parse_shape, parse_text

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


_VALIDATORS: Mapping[str, Callable[[Found], TilesDescription | StatisticsDescription]] = {
    "tiles": _tiles,
    "statistic": _statistic,
    "stats": _format_1_stats,
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


def describe(content: bytes) -> TilesDescription | StatisticsDescription:
    """Read the metadata of a series of a layer.

    Raises:
        SeriesError: whatever else `content` is.
    """
    found = decode(content)
    kind = found.get("kind")
    if not isinstance(kind, str) or kind not in _VALIDATORS:
        raise SeriesError(f"`kind` must be one of {', '.join(_VALIDATORS)}. Received: {str(kind)[:40]}")
    about = _VALIDATORS[kind](found)
    value_bytes = math.prod(about.shape) * (1 if isinstance(about, TilesDescription) else 4)
    if value_bytes > LARGEST_VALUE_BYTES:
        raise SeriesError(f"a value of shape {about.shape} is too large")
    return about
