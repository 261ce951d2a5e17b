"""A few tiles of every layer of a run, as they are now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tb_filterviz.errors import SeriesError
from tb_filterviz.imaging.layout import shrink
from tb_filterviz.parts.statistics import responsive
from tb_filterviz.reading.catalog import Layer, Statistics, Tiles
from tb_filterviz.reading.decoded import Array, Decoded, Place
from tb_filterviz.reading.statistics import tabulate
from tb_filterviz.reading.store import Store, check_answer

SAMPLED_BYTES = 16 << 20  # of stored tiles are read for one answer, or one part of every layer


@dataclass(frozen=True, slots=True)
class Sample:
    """Some filters of a layer.

    Attributes:
        layer: which.
        step: at which step.
        filters: their numbers in the layer.
        tiles: uint8 ``[n, h, w, c]``.
    """

    layer: str
    step: int
    filters: list[int]
    tiles: Array

    def to_json(self) -> dict[str, Any]:
        """Say what the tiles are, as the route ``/samples`` does."""
        return {"id": self.layer, "step": self.step, "filters": self.filters, "shape": list(self.tiles.shape)}


def read_samples(store: Store, place: Place, count: int, largest_px: int) -> list[Sample]:
    """Read some tiles of every layer at its last step; a layer that cannot be read is left out.

    Args:
        store: to read from.
        place: where.
        count: how many of each layer, at most.
        largest_px: tiles above are averaged down by a whole factor.

    Raises:
        NotFoundError: if the run has no layers.
        InvalidArgumentError: if they are too many for one answer.
    """
    layers = store.layers(place)
    stored = sum(max(_nbytes(part) for part in layer.parts) for layer in layers)
    most_parts = max(1, SAMPLED_BYTES // max(1, stored))
    flags = _last_responsive(store, place, layers)
    chosen = [_choose(layer, flags.get(layer.id), count, most_parts) for layer in layers]
    owner = {part.tag: at for at, layer in enumerate(layers) for part in layer.parts}
    wanted = [part for layer, filters in zip(layers, chosen, strict=True) for part in _holding(layer.parts, filters)]
    found: list[list[tuple[Tiles, int, Array]]] = [[] for _ in layers]
    nbytes = 0
    for part, result in store.many(place, wanted, is_latest=True):
        if not isinstance(result, SeriesError):
            tiles = shrink(result.values[-1, _within(part, chosen[owner[part.tag]])], largest_px)
            found[owner[part.tag]].append((part, int(result.steps[-1]), tiles))
            nbytes += tiles.nbytes
            check_answer(nbytes)
    return [_joined(layer, chosen[at], found[at]) for at, layer in enumerate(layers) if found[at]]


def _last_responsive(store: Store, place: Place, layers: Sequence[Layer]) -> dict[str, Array]:
    """Read which filters of each layer are responsive at the last step, bool ``[n]``, where that is known."""
    owner = {series.tag: layer.id for layer in layers for series in responsive_series(layer)}
    wanted = [series for layer in layers for series in responsive_series(layer)]
    found: dict[str, list[tuple[Statistics, Decoded]]] = {}
    for series, result in store.many(place, wanted, is_latest=True):
        if not isinstance(result, SeriesError):
            found.setdefault(owner[series.tag], []).append((series, result))
    return {layer: tabulate(each).by_name[responsive.name].values[-1] != 0 for layer, each in found.items()}


def responsive_series(layer: Layer) -> list[Statistics]:
    """List the series that say which filters of a layer are responsive; of format 1, it may be a second one."""
    return [series for series in layer.statistics if responsive.name in {one.name for one in series.about.statistics}]


def _choose(layer: Layer, is_responsive: Array | None, count: int, most_parts: int) -> Array:
    """Choose filters of a layer, by their places: evenly spread, in few parts, stuck ones if there are too few."""
    preferred = np.ones(layer.about.filters, bool) if is_responsive is None else is_responsive
    if not preferred.any():
        preferred = ~preferred
    part_of = np.repeat(np.arange(len(layer.parts)), [part.about.shape[0] for part in layer.parts])
    chosen = _spread(np.flatnonzero(preferred), count)
    kept = np.isin(part_of, _spread(np.unique(part_of[chosen]), most_parts))
    chosen = _spread(np.flatnonzero(preferred & kept), count)
    others = _spread(np.flatnonzero(~preferred & kept), count - len(chosen))
    return np.sort(np.concatenate([chosen, others]))


def _spread(candidates: Array, count: int) -> Array:
    """Choose at most `count`, from the first on, as evenly as it goes."""
    if len(candidates) <= count:
        return candidates
    return candidates[np.arange(count) * len(candidates) // max(count, 1)]


def _holding(parts: Sequence[Tiles], filters: Array) -> Iterator[Tiles]:
    return (part for part in parts if len(_within(part, filters)))


def _within(part: Tiles, filters: Array) -> Array:
    own = filters - part.about.first_filter
    return own[(own >= 0) & (own < part.about.shape[0])]


def _joined(layer: Layer, chosen: Array, found: Sequence[tuple[Tiles, int, Array]]) -> Sample:
    """Put the parts of a layer together; one that is not at the last step yet is being written, and left out."""
    last = max(step for _, step, _ in found)
    current = sorted((each for each in found if each[1] == last), key=lambda each: each[0].about.first_filter)
    places = [place + part.about.first_filter for part, _, _ in current for place in _within(part, chosen).tolist()]
    return Sample(
        layer.id, last, [layer.indices[place] for place in places], np.concatenate([tiles for *_, tiles in current])
    )


def _nbytes(part: Tiles) -> int:
    return int(np.prod(part.about.shape))
