"""Values of a series, as arrays over rising steps."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tb_filterviz.errors import SeriesError
from tb_filterviz.reading.catalog import AnySeries
from tb_filterviz.reading.descriptions import dtype_of

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
        """Keep some steps only."""
        return Decoded(self.steps[chosen], self.wall_times[chosen], self.values[chosen])


def decode(data: Iterable[Any], series: AnySeries) -> Decoded:
    """Stack the values of a series, without those that are not what its metadata says.

    A restarted training writes steps again: what the later file says counts, so that both of TensorBoard's loaders
    show the same.

    Raises:
        SeriesError: if no value is left.
    """
    dtype = dtype_of(series.about)
    fitting = [
        datum
        for datum in data
        if isinstance(datum.numpy, np.ndarray)
        and datum.numpy.dtype == dtype
        and datum.numpy.shape == series.about.shape
    ]
    kept = [fitting[at] for at in not_written_again([datum.step for datum in fitting])]
    if not kept:
        raise SeriesError(f"{series.tag} holds nothing of the type and shape that its metadata says.")
    wall_times = np.array([datum.wall_time for datum in kept], np.float64)
    return Decoded(
        np.array([datum.step for datum in kept], np.int64),
        np.nan_to_num(wall_times, posinf=0.0, neginf=0.0),
        np.stack([datum.numpy for datum in kept]),
    )


def not_written_again(steps: Sequence[int]) -> list[int]:
    """Find the places of values that stand: a step that is written takes all that are not below it with it."""
    kept: list[int] = []
    for at, step in enumerate(steps):
        while kept and steps[kept[-1]] >= step:
            kept.pop()
        kept.append(at)
    return kept


def side_by_side(found: Sequence[Decoded]) -> Decoded:
    """Set parts of a layer next to each other, at the steps that all of them have."""
    first = found[0]
    if all(np.array_equal(part.steps, first.steps) for part in found):
        return Decoded(first.steps, first.wall_times, np.concatenate([part.values for part in found], axis=1))
    common = first.steps
    for part in found:
        common = np.intersect1d(common, part.steps)
    same = [part.at(np.searchsorted(part.steps, common)) for part in found]
    return Decoded(common, same[0].wall_times, np.concatenate([part.values for part in same], axis=1))
