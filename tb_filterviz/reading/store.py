"""Series out of TensorBoard's data provider: read together where they are asked for together, decoded, cached."""

import math
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from tensorboard import errors
from tensorboard.data.provider import RunTagFilter

from tb_filterviz.errors import SeriesError
from tb_filterviz.imaging.layout import shrink
from tb_filterviz.metadata import PLUGIN_NAME, KernelKind, ResponseKind
from tb_filterviz.reading.cache import Cache
from tb_filterviz.reading.catalog import (
    AnySeries,
    ExamplesPart,
    Kernels,
    Layer,
    Responses,
    Run,
    Statistics,
    Tiles,
    read_run,
)
from tb_filterviz.reading.decoded import Decoded, Place, decode, side_by_side
from tb_filterviz.reading.descriptions import dtype_of
from tb_filterviz.reading.statistics import Table, tabulate

ALL = 1 << 30  # a data provider takes 0 to mean nothing
CACHE_BYTES = 256 << 20
ANSWER_BYTES = 128 << 20
READ_BYTES = 64 << 20  # of many series at once; of series that are read whole, each is taken to have 1024 steps

OneSeries = TypeVar("OneSeries", Tiles, Statistics, Responses, Kernels)


class Store:
    """Everything that the tab reads.

    Args:
        data_provider: hands out series, as TensorBoard's do.
        cache_bytes: how much of what was read is kept.
        answer_bytes: how much may be read for one answer; None for any amount.
    """

    def __init__(
        self, data_provider: Any, cache_bytes: int = CACHE_BYTES, answer_bytes: int | None = ANSWER_BYTES
    ) -> None:
        self._provider = data_provider
        self._answer_bytes = answer_bytes
        self.cache = Cache(cache_bytes)
        self._reading = [threading.Lock() for _ in range(16)]

    def runs(self, context: Any, experiment: str) -> dict[str, Run]:
        """Find every run that holds anything of ours."""
        listed = self._provider.list_tensors(context, experiment_id=experiment, plugin_name=PLUGIN_NAME)
        return {run: read_run(tags) for run, tags in listed.items()}

    def run(self, place: Place) -> Run:
        """Find what one run holds; nothing, where there is none such."""
        listed: Mapping[str, Any] = self._provider.list_tensors(
            place.context,
            experiment_id=place.experiment,
            plugin_name=PLUGIN_NAME,
            run_tag_filter=RunTagFilter(runs=[place.run]),
        )
        return read_run(listed.get(place.run, {}))

    def layer(self, place: Place, layer_id: str) -> Layer:
        """Find one layer of one run.

        Raises:
            NotFoundError: if there is none such.
        """
        return layer_of(self.run(place), place.run, layer_id)

    def layers(self, place: Place) -> list[Layer]:
        """Find all layers of a run, in the model's order.

        Raises:
            NotFoundError: if it has none.
        """
        found = self.run(place).layers
        if not found:
            raise errors.NotFoundError(f"run {place.run[:80]!r} has no layers.")
        return found

    def examples(self, place: Place) -> tuple[ExamplesPart, ...]:
        """Find the examples of a run.

        Raises:
            NotFoundError: if it has none.
        """
        found = self.run(place).examples
        if not found:
            raise errors.NotFoundError(f"run {place.run[:80]!r} has no examples.")
        return found

    def example(self, place: Place, index: int) -> tuple[bytes, str]:
        """Read one example: an encoded picture, and its media type.

        Raises:
            NotFoundError: if there is none such.
            SeriesError: if it cannot be read.
        """
        for part in self.examples(place):
            within = index - part.about.first
            if 0 <= within < len(part.about.sizes):
                stored = self.series(place, part).values[-1]
                first = sum(part.about.sizes[:within])
                return stored[first : first + part.about.sizes[within]].tobytes(), part.about.media_type
        raise errors.NotFoundError(f"there is no example {index}.")

    def of_filter(self, place: Place, layer: Layer, kind: ResponseKind | KernelKind, filter_: int) -> Decoded:
        """Read what one filter answers to examples, or its kernel, ``[s, ...]``.

        Args:
            place: where.
            layer: of which layer.
            kind: of what.
            filter_: its place among those that are drawn.

        Raises:
            NotFoundError: if that was not logged.
            SeriesError: if it cannot be read.
        """
        for part in layer.parts_of(kind):
            within = filter_ - part.about.first_filter
            if 0 <= within < part.about.shape[0]:
                found = self.series(place, part)
                return Decoded(found.steps, found.wall_times, found.values[:, within])
        raise errors.NotFoundError(f"layer {layer.id[:80]!r} has no {kind} of filter {filter_}.")

    def of_filters(self, place: Place, layer: Layer, kind: ResponseKind | KernelKind) -> Decoded:
        """Read what all filters of a layer answer to examples, or their kernels, of one kind, ``[s, n, ...]``.

        Raises:
            NotFoundError: if that was not logged.
            SeriesError: if it cannot be read.
        """
        parts = layer.parts_of(kind)
        if not parts:
            raise errors.NotFoundError(f"layer {layer.id[:80]!r} has no {kind}.")
        found = side_by_side([self.series(place, part) for part in parts])
        self._check_size([found])
        return found

    def series(self, place: Place, series: AnySeries) -> Decoded:
        """Read all steps of one series.

        Raises:
            SeriesError: if it cannot be read.
        """
        with self._alone(place, series.tag):  # whoever comes second finds it read
            decoded = self.cache.get(place, series)
            if decoded is None:
                decoded = decode(self._read(place, [series.tag], ALL).get(series.tag, ()), series)
                self.cache.put(place, series, decoded)
            return decoded

    def statistics(self, place: Place, layer: Layer) -> Table:
        """Read the statistics of a layer; those that cannot be read are left out, as long as there are others.

        Without statistics, the steps are those of the tiles.

        Raises:
            SeriesError: if none can be read.
            InvalidArgumentError: if they are too many for one answer.
        """
        if not layer.statistics:
            tiles = self.series(place, layer.parts[0])
            return Table(tiles.steps, tiles.wall_times, {}, layer.about.filters)
        found: list[tuple[Statistics, Decoded]] = []
        failure: SeriesError | None = None
        with self._alone(place, layer.id):
            for series, result in self._attempts(place, layer.statistics, ALL):
                if isinstance(result, SeriesError):
                    failure = result
                else:
                    found.append((series, result))
        if failure is not None and not found:
            raise failure
        self._check_size(decoded for _, decoded in found)
        return tabulate(found)

    def many(
        self, place: Place, wanted: Sequence[OneSeries], *, is_latest: bool = False
    ) -> Iterator[tuple[OneSeries, Decoded | SeriesError]]:
        """Read series of many layers in few calls, in any order; of one that cannot be read, why.

        Args:
            place: where.
            wanted: which.
            is_latest: read the last step of each alone.
        """
        steps, whole_steps = (1, 1) if is_latest else (ALL, 1024)
        some: list[OneSeries] = []
        nbytes = 0
        for series in wanted:
            own = whole_steps * math.prod(series.about.shape) * np.dtype(dtype_of(series.about)).itemsize
            if some and nbytes + own > READ_BYTES:
                yield from self._attempts(place, some, steps)
                some, nbytes = [], 0
            some.append(series)
            nbytes += own
        yield from self._attempts(place, some, steps)

    def _attempts(
        self, place: Place, wanted: Sequence[OneSeries], steps: int
    ) -> Iterator[tuple[OneSeries, Decoded | SeriesError]]:
        """Read what is not in the cache, in one call: each costs 44 ms, however little it reads."""
        missing = []
        for series in wanted:
            decoded = self.cache.get(place, series)
            if decoded is None:
                missing.append(series)
            else:
                yield series, decoded.at(slice(-steps, None))
        if not missing:
            return
        try:
            read = self._read(place, [series.tag for series in missing], steps)
        except SeriesError as error:  # one is damaged, or together they are too large for an answer
            if len(missing) == 1:
                yield missing[0], error
                return
            middle = len(missing) // 2
            yield from self._attempts(place, missing[:middle], steps)
            yield from self._attempts(place, missing[middle:], steps)
            return
        for series in missing:
            try:
                decoded = decode(read.get(series.tag, ()), series)
                if steps == ALL:
                    self.cache.put(place, series, decoded)
                yield series, decoded
            except SeriesError as error:
                yield series, error

    def at_step(self, place: Place, parts: Sequence[OneSeries], step: int | None = None) -> Decoded:
        """Read all parts of something of a layer at one step, ``[1, n, ...]``.

        Args:
            place: where.
            parts: at least one, in the order of the filters.
            step: None for the last that all of them have.

        Raises:
            NotFoundError: if they were not logged at that step.
            SeriesError: if they cannot be read.
            InvalidArgumentError: if they are too many for one answer.
        """
        last = min(part.last_step for part in parts)
        wanted = last if step is None else step
        found: Sequence[Decoded] = ()
        if all(part.last_step == wanted for part in parts):
            found = list(self._parts(place, parts, None))
        if not found or any(part.steps[-1] != wanted for part in found):  # an earlier one, or it has grown meanwhile
            found = [self._at(place, part, wanted) for part in parts]
        self._check_size(found)
        together = side_by_side(found)
        if not len(together.steps):
            raise errors.NotFoundError(f"nothing was logged at step {wanted}.")
        return together

    def _at(self, place: Place, part: AnySeries, step: int) -> Decoded:
        decoded = self.series(place, part)
        return decoded.at(decoded.steps == step)

    def tiles(
        self, place: Place, layer: Layer, filters: range, *, steps: tuple[int, int] | None, largest_px: int
    ) -> Decoded:
        """Read tiles of some filters at some steps, no side above `largest_px`.

        Args:
            place: where.
            layer: of which layer.
            filters: a range of places among the filters that are drawn.
            steps: the first and the last wanted; None for the latest alone, which costs one short read.
            largest_px: tiles above are averaged down by a whole factor.

        Returns:
            uint8 ``[s, n, h, w, c]``, at the steps at which all of these filters are known.

        Raises:
            SeriesError: if they cannot be read.
            InvalidArgumentError: if they are too many for one answer.
        """
        parts = [part for part in layer.parts if _overlap(part, filters)]
        found: list[Decoded] = []
        for part, decoded in zip(parts, self._parts(place, parts, steps), strict=True):
            if steps is not None:
                begin, end = np.searchsorted(decoded.steps, [steps[0], steps[1] + 1])
                decoded = decoded.at(slice(int(begin), int(end)))
            within = _overlap(part, filters)
            start = part.about.first_filter
            shown = decoded.values[:, within.start - start : within.stop - start]
            found.append(Decoded(decoded.steps, decoded.wall_times, shrink(shown, largest_px)))
            self._check_size(found)
        return side_by_side(found)

    def _parts(self, place: Place, parts: Sequence[AnySeries], steps: tuple[int, int] | None) -> Iterable[Decoded]:
        if steps is not None:  # one by one: two together might be above what TensorBoard can hand over
            return (self.series(place, part) for part in parts)
        kept = [self.cache.get(place, part) for part in parts]
        if all(decoded is not None for decoded in kept):
            return [decoded.at(slice(-1, None)) for decoded in kept if decoded is not None]
        read = self._read(place, [part.tag for part in parts], 1)
        return [decode(read.get(part.tag, ()), part) for part in parts]

    def _check_size(self, found: Iterable[Decoded]) -> None:
        if self._answer_bytes is not None:
            check_answer(sum(decoded.values.nbytes for decoded in found), self._answer_bytes)

    def _alone(self, place: Place, name: str) -> threading.Lock:
        return self._reading[hash((place.run, name)) % len(self._reading)]

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


def layer_of(run: Run, name: str, layer_id: str) -> Layer:
    """Find one layer of a run of this name.

    Raises:
        NotFoundError: if there is none such.
    """
    for layer in run.layers:
        if layer.id == layer_id:
            return layer
    names = ", ".join(layer.id for layer in run.layers) or "none"
    raise errors.NotFoundError(f"run {name[:80]!r} has no layer {layer_id[:80]!r}. Its layers: {names[:200]}.")


def _overlap(part: Tiles, filters: range) -> range:
    first = part.about.first_filter
    return range(max(first, filters.start), min(first + part.about.shape[0], filters.stop))


def check_answer(nbytes: int, most_bytes: int = ANSWER_BYTES) -> None:
    """Check that an answer is not too large.

    Raises:
        InvalidArgumentError: if it is.
    """
    if nbytes > most_bytes:
        raise errors.InvalidArgumentError(
            f"more than {most_bytes >> 20} MiB at once. Ask for fewer steps, fewer filters or a smaller size."
        )
