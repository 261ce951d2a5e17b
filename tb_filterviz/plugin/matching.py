"""Which filters of two layers go together, and which of one layer are alike.

Two trainings number their filters as chance has it. So they are paired one to one, such that the sum of similarities
is the largest: by what both answer to the same examples, where both logged that, and otherwise by their pictures.

Where there is nothing to find, the best pairs are alike as well: of 50 times 50 pictures, some are. How much is
measured on filters that are different for certain, those of one layer: each of the two layers is paired with itself in
the same way, no filter with itself. What is as alike as the upper 5 % of those pairs counts as matched. Measured: of
untrained LeNets of two seeds, which have nothing in common, 5 % are matched by pictures, 2 % by answers; of one
training's filters after its first and its fifth epoch 97 % and 77 %, all of them rightly. Pairing with the answers to
other examples would not do as a null: untrained LeNets would have more than half of their filters in common, since
what two images have in common is in the answers of any filter.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from tensorboard import errors

from tb_filterviz.errors import SeriesError
from tb_filterviz.parts.statistics import responsive
from tb_filterviz.plugin.samples import responsive_series
from tb_filterviz.plugin.similarity import Floats, best_pairs, is_flat, picture_similarity, response_similarity
from tb_filterviz.reading.catalog import Layer, Run
from tb_filterviz.reading.decoded import Array, Place
from tb_filterviz.reading.statistics import tabulate
from tb_filterviz.reading.store import Store, layer_of

FEWEST_MAPS = 4  # measured, LeNet: of 2, a filter is told from others less than by its picture
By = Literal["pictures", "responses"]

CONFIDENCE = 0.95  # so many pairs of different filters are less alike than those that count as matched
MOST_FILTERS = 4096  # of a layer: a matrix of them is 64 MiB
KEPT_BYTES = 128 << 20  # of matrices: who plays a run asks for the same ones again
NEAREST = 8

_COMPARED: Mapping[By, Callable[[Array, Array], Floats]] = {
    "pictures": picture_similarity,
    "responses": response_similarity,
}


@dataclass(frozen=True, slots=True)
class _Filters:
    """What is compared of the filters of a layer; those that show nothing are left out.

    Attributes:
        key: tells it from all others.
        values: ``[n, ...]``.
        numbers: of the filters in the layer, ``[n]``, rising or not.
    """

    key: tuple[Any, ...]
    values: Array
    numbers: Array


class Matcher:
    """Compares filters; keeps what it computed last."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._matrices: OrderedDict[tuple[Any, ...], Floats] = OrderedDict()
        self._computing = threading.Lock()  # whoever comes second finds it computed

    def match(self, one: Place, layer: str, step: int | None, other: Place, layer2: str, step2: int | None) -> Any:
        """Answer as the route ``/match`` does.

        Raises:
            NotFoundError: if there is no such layer or step.
            SeriesError: if it cannot be read, or SciPy is missing.
        """
        runs = self._store.run(one), self._store.run(other)
        found = layer_of(runs[0], one.run, layer), layer_of(runs[1], other.run, layer2)
        has_maps = _have_same_maps(found, runs)
        by, (these, those) = self._compared([(one, found[0], step), (other, found[1], step2)], has_maps=has_maps)
        similarity = self._similarity(by, these, those)
        rows, columns = best_pairs(similarity)
        alike = similarity[rows, columns].astype(np.float64).round(4)
        nulls = [self._null(by, each) for each in (these, those)]
        every = np.concatenate([of_filters for of_filters, _ in nulls])
        threshold = round(_upper(np.concatenate([once for _, once in nulls])), 4)
        pairs = zip(these.numbers[rows].tolist(), those.numbers[columns].tolist(), alike.tolist(), strict=True)
        return {
            "by": by,
            "pairs": sorted(map(list, pairs)),
            "chance": round(float(every.mean()), 4) if len(every) else 0.0,
            "threshold": threshold,
            "matched": int((alike >= threshold).sum()),
        }

    def similar(self, place: Place, layer_id: str, filter_: int, step: int | None) -> Any:
        """Answer as the route ``/similar`` does.

        Raises:
            NotFoundError: if there is no such layer, filter or step.
            SeriesError: if it cannot be read.
        """
        layer = self._store.layer(place, layer_id)
        if filter_ not in layer.indices:
            raise errors.NotFoundError(f"layer {layer.id[:80]!r} has no picture of filter {filter_}.")
        by, filters = self._of_one(place, layer, step)
        (own,) = np.nonzero(filters.numbers == filter_)
        if not len(own):  # it shows nothing
            return {"by": by, "similar": []}
        return {"by": by, "similar": _nearest(self._similarity(by, filters, filters), filters, int(own[0]))}

    def all_similar(self, place: Place, layer_id: str, step: int | None) -> Any:
        """Answer of all filters of a layer what `similar` answers of one, by their numbers.

        Raises:
            NotFoundError: if there is no such layer or step.
            SeriesError: if it cannot be read.
        """
        by, filters = self._of_one(place, self._store.layer(place, layer_id), step)
        similarity = self._similarity(by, filters, filters)
        nearest = {int(number): _nearest(similarity, filters, row) for row, number in enumerate(filters.numbers)}
        return {"by": by, "similar": nearest}

    def _of_one(self, place: Place, layer: Layer, step: int | None) -> tuple[By, _Filters]:
        by, (filters,) = self._compared([(place, layer, step)], has_maps=_are_enough(layer.parts_of("maps")))
        return by, filters

    def _compared(
        self, asked: Sequence[tuple[Place, Layer, int | None]], *, has_maps: bool
    ) -> tuple[By, list[_Filters]]:
        """Read what is compared: maps, where there are any at these steps, and otherwise pictures."""
        if has_maps:
            try:
                return "responses", [self._filters(*each, "responses") for each in asked]
            except (SeriesError, errors.NotFoundError):  # one was not logged, or is damaged: pictures may be there
                pass
        return "pictures", [self._filters(*each, "pictures") for each in asked]

    def _filters(self, place: Place, layer: Layer, step: int | None, by: By) -> _Filters:
        if layer.about.filters > MOST_FILTERS:
            raise errors.InvalidArgumentError(
                f"layer {layer.id[:80]!r} has {layer.about.filters} filters; up to {MOST_FILTERS} are compared."
            )
        parts: Sequence[Any] = layer.parts_of("maps") if by == "responses" else layer.parts
        found = self._store.at_step(place, parts, step)
        values, at = found.values[0], int(found.steps[0])
        shows = ~is_flat(values)
        if by == "pictures":
            shows &= self._responsive(place, layer, at)
        key = (place.experiment, place.run, layer.id, at, layer.last_wall_time)
        return _Filters(key, values[shows], np.array(layer.indices)[shows])

    def _responsive(self, place: Place, layer: Layer, step: int) -> Array:
        """Tell which filters are not stuck at a step, bool ``[n]``: all of them, where nothing says."""
        read = [
            (series, result)
            for series, result in self._store.many(place, responsive_series(layer))
            if not isinstance(result, SeriesError)
        ]
        known = tabulate(read).by_name[responsive.name] if read else None
        if known is None or step not in known.steps:
            return np.ones(layer.about.filters, bool)
        return np.asarray(known.values[np.searchsorted(known.steps, step)] != 0)

    def _similarity(self, by: By, one: _Filters, other: _Filters) -> Floats:
        key = (by, one.key, other.key)
        with self._computing:
            found = self._matrices.pop(key, None)
            if found is None:
                is_same = one.key == other.key
                found = _COMPARED[by](one.values, one.values if is_same else other.values)
            self._matrices[key] = found
            while sum(each.nbytes for each in self._matrices.values()) > KEPT_BYTES:
                self._matrices.popitem(last=False)
            return found

    def _null(self, by: By, filters: _Filters) -> tuple[Array, Array]:
        """Pair a layer with itself, no filter with itself: how alike different filters are.

        Returns:
            Of each filter, float32 ``[n]``; and the same with two filters that were paired both ways taken once.
        """
        if len(filters.numbers) < 2:
            return np.zeros(0, np.float32), np.zeros(0, np.float32)
        similarity = self._similarity(by, filters, filters).copy()
        np.fill_diagonal(similarity, -4 * len(similarity))  # less than all others together
        rows, columns = best_pairs(similarity)
        alike = similarity[rows, columns]
        is_first = (rows < columns) | (columns[columns] != rows)
        return alike, alike[is_first]


def _nearest(similarity: Floats, filters: _Filters, own: int) -> list[list[float]]:
    """List the filters that are most like one, by its row, the most alike first, each with its similarity."""
    row = similarity[own]
    nearest = [at for at in np.argsort(-row, kind="stable").tolist() if at != own][:NEAREST]
    return [[int(filters.numbers[at]), round(float(row[at]), 4)] for at in nearest]


def _upper(null: Array) -> float:
    """Find what one more value of the same kind reaches in at most 5 % of all cases; the largest, if there are few.

    Source: the quantile of conformal prediction, Vovk, Gammerman, Shafer (2005), "Algorithmic Learning in a Random
    World".
    """
    if not len(null):
        return 1.0
    rank = max(1, int((1 - CONFIDENCE) * (len(null) + 1)))
    return float(np.sort(null)[-rank])


def _have_same_maps(layers: tuple[Layer, Layer], runs: tuple[Run, Run]) -> bool:
    """Tell whether both layers have maps of one shape, on the same examples."""
    first, second = (layer.parts_of("maps") for layer in layers)
    shown = [_examples_of(run) for run in runs]
    is_same = shown[0] is not None and shown[0] == shown[1]
    return is_same and _are_enough(first) and _are_enough(second) and _shape(first) == _shape(second)


def _are_enough(maps: Sequence[Any]) -> bool:
    """Tell whether a filter's maps say more of it than its picture: on few examples they are alike by chance."""
    return bool(maps) and _shape(maps)[0] >= FEWEST_MAPS


def _shape(maps: Sequence[Any]) -> tuple[int, ...]:
    shape: tuple[int, ...] = maps[0].about.shape[1:]
    return shape


def _examples_of(run: Run) -> tuple[Any, Any] | None:
    """Name the examples whose maps were logged; None if the recipe does not say."""
    examples = (run.recipe or {}).get("examples")
    if not isinstance(examples, dict) or examples.get("fingerprint") is None:
        return None
    return examples["fingerprint"], examples.get("mapped")
