"""Series out of TensorBoard's data provider, decoded, kept as long as they are current and there is room."""

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from tensorboard import errors
from tensorboard.data.provider import RunTagFilter

from tb_filterviz.errors import SeriesError
from tb_filterviz.plugin.catalog import Layer, Series, layers
from tb_filterviz.records import PLUGIN_NAME

ALL = 1 << 30  # a data provider takes 0 to mean nothing
CACHE_BYTES = 256 << 20
ANSWER_BYTES = 128 << 20

Array = npt.NDArray[Any]


class Place(NamedTuple):
    """Whose data is asked for, and by whom."""

    context: Any
    experiment: str
    run: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """The values of one or several series at rising steps.

    Attributes:
        steps: int64 ``[s]``.
        wall_times: float64 ``[s]``, seconds.
        values: ``[s, ...]``.
    """

    steps: Array
    wall_times: Array
    values: Array

    def at(self, chosen: Array | slice) -> "Decoded":
        """Only some steps."""
        return Decoded(self.steps[chosen], self.wall_times[chosen], self.values[chosen])


def decode(data: Iterable[Any], series: Series) -> Decoded:
    """Stack the values of a series, without those that are not what its metadata says.

    A restarted training writes steps again: what the later file says counts, so that both of TensorBoard's loaders
    show the same.

    Raises:
        SeriesError: if no value is left.
    """
    dtype = np.uint8 if series.about.kind == "tiles" else np.float32
    kept: list[Any] = []
    for datum in data:
        value = datum.numpy
        if isinstance(value, np.ndarray) and value.dtype == dtype and value.shape == series.about.shape:
            while kept and kept[-1].step >= datum.step:
                kept.pop()
            kept.append(datum)
    if not kept:
        raise SeriesError(f"{series.tag} holds nothing of the type and shape that its metadata says.")
    return Decoded(
        np.array([datum.step for datum in kept], np.int64),
        np.array([datum.wall_time for datum in kept], np.float64),
        np.stack([datum.numpy for datum in kept]),
    )


def shrink(tiles: Array, largest_px: int) -> Array:
    """Tiles uint8 ``[s, n, h, w, c]`` averaged down by a whole factor until no side is above `largest_px`."""
    height, width = tiles.shape[2:4]
    factor = -(-max(height, width) // largest_px)
    if factor == 1:
        return tiles
    edge = ((0, 0), (0, 0), (0, -height % factor), (0, -width % factor), (0, 0))
    if any(after for _, after in edge):
        tiles = np.pad(tiles, edge, mode="edge")
    total = np.full((*tiles.shape[:2], -(-height // factor), -(-width // factor), tiles.shape[4]), factor**2 // 2)
    total = total.astype(np.uint16 if factor**2 < 256 else np.uint32)
    for row in range(factor):  # adding slices is several times as fast as a mean over two axes
        for column in range(factor):
            total += tiles[:, :, row::factor, column::factor]
    return np.asarray(total // factor**2, np.uint8)


class Cache:
    """Decoded series, the least recently used dropped first, never more than `limit_bytes` of them."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._kept: OrderedDict[tuple[str, str, str], tuple[tuple[int, float], Decoded]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """What is kept now."""
        return sum(decoded.values.nbytes for _, decoded in self._kept.values())

    def get(self, place: Place, series: Series) -> Decoded | None:
        """The series, unless it has grown since."""
        key = (place.experiment, place.run, series.tag)
        with self._lock:
            found = self._kept.get(key)
            if found is None or found[0] != (series.last_step, series.last_wall_time):
                return None
            self._kept.move_to_end(key)
            return found[1]

    def put(self, place: Place, series: Series, decoded: Decoded) -> None:
        """Keep it, at the cost of others."""
        key = (place.experiment, place.run, series.tag)
        with self._lock:
            self._kept.pop(key, None)
            if decoded.values.nbytes <= self._limit:
                self._kept[key] = ((series.last_step, series.last_wall_time), decoded)
            while self.nbytes > self._limit:
                self._kept.popitem(last=False)


class Store:
    """Everything that the tab reads."""

    def __init__(self, data_provider: Any, cache_bytes: int = CACHE_BYTES) -> None:
        self._provider = data_provider
        self.cache = Cache(cache_bytes)
        self._reading = [threading.Lock() for _ in range(16)]

    def runs(self, context: Any, experiment: str) -> dict[str, tuple[list[Layer], list[str]]]:
        """Layers and problems of every run that holds anything of ours."""
        listed = self._provider.list_tensors(context, experiment_id=experiment, plugin_name=PLUGIN_NAME)
        return {run: layers(tags) for run, tags in listed.items()}

    def layer(self, place: Place, layer_id: str) -> Layer:
        """One layer of one run.

        Raises:
            NotFoundError: if there is none such.
        """
        listed: Mapping[str, Any] = self._provider.list_tensors(
            place.context,
            experiment_id=place.experiment,
            plugin_name=PLUGIN_NAME,
            run_tag_filter=RunTagFilter(runs=[place.run]),
        )
        found, _ = layers(listed.get(place.run, {}))
        for layer in found:
            if layer.id == layer_id:
                return layer
        names = ", ".join(layer.id for layer in found) or "none"
        raise errors.NotFoundError(f"run {place.run[:80]!r} has no layer {layer_id[:80]!r}. Its layers: {names[:200]}.")

    def series(self, place: Place, series: Series) -> Decoded:
        """All steps of one series."""
        with self._reading[hash((place.run, series.tag)) % len(self._reading)]:  # whoever comes second finds it read
            decoded = self.cache.get(place, series)
            if decoded is None:
                decoded = decode(self._read(place, [series.tag], ALL).get(series.tag, ()), series)
                self.cache.put(place, series, decoded)
            return decoded

    def tiles(
        self, place: Place, layer: Layer, filters: range, *, steps: tuple[int, int] | None, largest_px: int
    ) -> Decoded:
        """Tiles of some filters at some steps, no side above `largest_px`.

        Args:
            place: where.
            layer: of which layer.
            filters: a range within the layer.
            steps: the first and the last wanted; None for the latest alone, which costs one short read.
            largest_px: tiles above are averaged down by a whole factor.

        Returns:
            uint8 ``[s, n, h, w, c]``, at the steps at which all of these filters are known.
        """
        parts = [part for part in layer.parts if _overlap(part, filters)]
        found = []
        for part, decoded in zip(parts, self._parts(place, parts, steps), strict=True):
            if steps is not None:
                begin, end = np.searchsorted(decoded.steps, [steps[0], steps[1] + 1])
                decoded = decoded.at(slice(int(begin), int(end)))
            within = _overlap(part, filters)
            start = part.about.first_filter
            shown = decoded.values[:, within.start - start : within.stop - start]
            found.append(Decoded(decoded.steps, decoded.wall_times, shrink(shown, largest_px)))
            if sum(piece.values.nbytes for piece in found) > ANSWER_BYTES:
                raise errors.InvalidArgumentError(
                    f"more than {ANSWER_BYTES >> 20} MiB at once. Ask for fewer steps, fewer filters or a smaller size."
                )
        return _side_by_side(found)

    def _parts(self, place: Place, parts: Sequence[Series], steps: tuple[int, int] | None) -> Iterable[Decoded]:
        if steps is not None:  # one by one: two together might be above what TensorBoard can hand over
            return (self.series(place, part) for part in parts)
        kept = [self.cache.get(place, part) for part in parts]
        if all(decoded is not None for decoded in kept):
            return [decoded.at(slice(-1, None)) for decoded in kept if decoded is not None]
        read = self._read(place, [part.tag for part in parts], 1)
        return [decode(read.get(part.tag, ()), part) for part in parts]

    def _read(self, place: Place, tags: Sequence[str], steps: int) -> Mapping[str, Sequence[Any]]:
        try:
            read = self._provider.read_tensors(
                place.context,
                experiment_id=place.experiment,
                plugin_name=PLUGIN_NAME,
                downsample=steps,
                run_tag_filter=RunTagFilter(runs=[place.run], tags=tags),
            )
        except errors.PublicError:
            raise
        except Exception as error:  # providers decode what anybody may have written, and raise whatever that leads to
            reason = error.details() if hasattr(error, "details") else error  # of gRPC: too large, for example
            raise SeriesError(f"TensorBoard cannot read {tags[0]}: {str(reason)[:300]}") from error
        found: Mapping[str, Sequence[Any]] = read.get(place.run, {})
        return found


def _overlap(part: Series, filters: range) -> range:
    first = part.about.first_filter
    return range(max(first, filters.start), min(first + part.about.shape[0], filters.stop))


def _side_by_side(found: Sequence[Decoded]) -> Decoded:
    """Parts of a layer next to each other, at the steps that all of them have."""
    first = found[0]
    if all(np.array_equal(part.steps, first.steps) for part in found):
        return Decoded(first.steps, first.wall_times, np.concatenate([part.values for part in found], axis=1))
    common = first.steps
    for part in found:
        common = np.intersect1d(common, part.steps)
    same = [part.at(np.searchsorted(part.steps, common)) for part in found]
    return Decoded(common, same[0].wall_times, np.concatenate([part.values for part in same], axis=1))
