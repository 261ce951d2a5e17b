"""What there is to see: layers, put together from the tags of a run. Trusts nothing that an event file says."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tb_filterviz.errors import SeriesError
from tb_filterviz.records import PLUGIN_NAME, decode_metadata

LONGEST_NAME = 1000
MOST_FILTERS = 1 << 16
LARGEST_VALUE_BYTES = 8 << 20  # sixty times what we write: a series of such is refused before it is read

_TAG = re.compile(rf"{PLUGIN_NAME}/(?P<layer>.+)/(?P<series>tiles(?:_\d{{1,6}})?|stats)", re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Description:
    """The metadata of one series, checked.

    Attributes:
        kind: ``"tiles"``, uint8 ``[n, h, w, c]``, or ``"stats"``, float32 ``[rows, n]``.
        layer: the layer's path in the model.
        position: its place among the model's convolutional layers, from 0.
        unit: what steps count, ``"epoch"`` or ``"batch"``.
        objective: what was maximized.
        receptive_field: True if tiles are cut to the centre unit's receptive field.
        channels: how the model's input channels are shown, in words.
        filters: how many filters the whole layer has.
        shape: of each value.
        first_filter: of this part of the tiles.
        rows: names of the rows of stats.
    """

    kind: str
    layer: str
    position: int
    unit: str
    objective: str
    receptive_field: bool
    channels: str
    filters: int
    shape: tuple[int, ...]
    first_filter: int
    rows: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One tag of one run, and what `list_tensors` says of its end."""

    tag: str
    about: Description
    last_step: int
    last_wall_time: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A layer of a run: tiles in one or several parts, in filter order, and perhaps stats."""

    id: str
    parts: tuple[Series, ...]
    stats: Series | None

    @property
    def about(self) -> Description:
        """What holds for all parts."""
        return self.parts[0].about

    def to_json(self) -> dict[str, Any]:
        """As the route ``/layers`` answers."""
        about = self.about
        every = [*self.parts, *([self.stats] if self.stats else [])]
        return {
            "id": self.id,
            "name": about.layer,
            "position": about.position,
            "unit": about.unit,
            "objective": about.objective,
            "receptive_field": about.receptive_field,
            "channels": about.channels,
            "filters": about.filters,
            "tile": list(about.shape[1:]),
            "parts": [part.about.first_filter for part in self.parts],
            "last_step": max(series.last_step for series in every),
            "last_wall_time": max(series.last_wall_time for series in every),
        }


def _whole(found: Mapping[str, Any], name: str, low: int, high: int) -> int:
    value = found.get(name, low)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise SeriesError(f"`{name}` must be a whole number from {low} to {high}. Received: {str(value)[:40]}")
    return value


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name, "")
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise SeriesError(f"`{name}` must be a string of at most {LONGEST_NAME} characters.")
    return value.encode("utf-8", "replace").decode()  # JSON can hold half a character, which no answer can


def _shape(found: Mapping[str, Any], rank: int) -> tuple[int, ...]:
    value = found.get("shape")
    if not isinstance(value, list) or len(value) != rank:
        raise SeriesError(f"`shape` must be a list of {rank} sizes. Received: {str(value)[:40]}")
    return tuple(_whole({"size": size}, "size", 1, MOST_FILTERS) for size in value)


def describe(content: bytes) -> Description:
    """The metadata of a series.

    Raises:
        SeriesError: whatever else `content` is.
    """
    try:
        found = decode_metadata(content)
    except ValueError as error:
        raise SeriesError(f"its metadata is not of this version ({str(error)[:80]})") from error
    kind = found.get("kind")
    if kind not in ("tiles", "stats"):
        raise SeriesError(f"`kind` must be tiles or stats. Received: {str(kind)[:40]}")
    shape = _shape(found, 4 if kind == "tiles" else 2)
    filters = _whole(found, "filters", 1, MOST_FILTERS)
    rows = found.get("rows", [])
    if kind == "stats" and (
        not isinstance(rows, list)
        or len(rows) != shape[0]
        or not all(isinstance(name, str) and re.fullmatch(r"[a-z_]{1,40}", name) for name in rows)
    ):
        raise SeriesError(f"`rows` must be {shape[0]} names.")
    if kind == "stats" and shape[1] != filters:
        raise SeriesError(f"its shape says {shape[1]} filters, `filters` says {filters}")
    if kind == "tiles" and shape[3] not in (1, 3):
        raise SeriesError(f"tiles have 1 or 3 channels. Received: {shape[3]}")
    if math.prod(shape) * (1 if kind == "tiles" else 4) > LARGEST_VALUE_BYTES:
        raise SeriesError(f"a value of shape {shape} is too large")
    return Description(
        kind=kind,
        layer=_text(found, "layer"),
        position=_whole(found, "position", 0, MOST_FILTERS),
        unit="batch" if found.get("unit") == "batch" else "epoch",
        objective=_text(found, "objective"),
        receptive_field=found.get("receptive_field") is True,
        channels=_text(found, "channels"),
        filters=filters,
        shape=shape,
        first_filter=_whole(found, "first_filter", 0, MOST_FILTERS),
        rows=tuple(rows) if kind == "stats" else (),
    )


def _series(tag: str, listed: Any, kind: str) -> Series:
    about = describe(listed.plugin_content)
    if about.kind != kind:
        raise SeriesError(f"its metadata says it holds {about.kind}")
    return Series(tag=tag, about=about, last_step=listed.max_step, last_wall_time=listed.max_wall_time)


def _assemble(layer_id: str, parts: list[Series], stats: Series | None) -> Layer:
    parts = sorted(parts, key=lambda part: part.about.first_filter)
    if not parts:
        raise SeriesError("it has no tiles")
    first, filters = parts[0].about, 0
    for part in parts:
        if part.about.first_filter != filters or part.about.shape[1:] != first.shape[1:]:
            raise SeriesError(f"its tiles do not go on after filter {filters - 1}")
        filters += part.about.shape[0]
    if filters != first.filters:
        raise SeriesError(f"it holds {filters} of {first.filters} filters so far")
    if stats is not None and stats.about.filters != filters:
        raise SeriesError(f"its stats are of {stats.about.filters} filters, its tiles of {filters}")
    return Layer(id=layer_id, parts=tuple(parts), stats=stats)


def layers(listed: Mapping[str, Any]) -> tuple[list[Layer], list[str]]:
    """The layers of a run, in the model's order, and a sentence for everything that is not one.

    Args:
        listed: time series by tag, as a data provider's `list_tensors` has them.
    """
    parts: dict[str, list[Series]] = {}
    stats: dict[str, Series] = {}
    problems = []
    for tag, series in listed.items():
        found = _TAG.fullmatch(tag)
        try:
            if not found:
                raise SeriesError("this version knows no such tag")
            kind = "stats" if found["series"] == "stats" else "tiles"
            decoded = _series(tag, series, kind)
        except SeriesError as error:
            problems.append(f"{tag[:LONGEST_NAME]}: {error}")
            continue
        if kind == "stats":
            stats[found["layer"]] = decoded
        else:
            parts.setdefault(found["layer"], []).append(decoded)
    complete = []
    for layer_id in {**parts, **stats}:
        try:
            complete.append(_assemble(layer_id, parts.get(layer_id, []), stats.get(layer_id)))
        except SeriesError as error:
            problems.append(f"{PLUGIN_NAME}/{layer_id}: {error}")
    return sorted(complete, key=lambda layer: (layer.about.position, layer.id)), problems
