"""The statistics of a layer, out of their series: each may begin later than others, or end earlier."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tb_filterviz.parts.statistics import STANDARD
from tb_filterviz.reading import formation
from tb_filterviz.reading.catalog import Statistics
from tb_filterviz.reading.decoded import Array, Decoded

SAME_WRITE_S = 1.0  # the series of a layer are written one right after the other

Rows = list[list[float | None] | None]  # of every step; None where there is none


@dataclass(frozen=True, slots=True)
class Table:
    """Statistics at the steps of any of them.

    Attributes:
        steps: int64 ``[s]``.
        wall_times: float64 ``[s]``, when each was first written.
        by_name: float32 ``[k, n]`` at some of these steps.
        filters: how many there are, ``n``.
    """

    steps: Array
    wall_times: Array
    by_name: Mapping[str, Decoded]
    filters: int

    def to_json(self) -> dict[str, Any]:
        """Answer as the route ``/statistics`` does."""
        return {
            "steps": self.steps.tolist(),
            "wall_times": self.wall_times.tolist(),
            "statistics": {name: self._rows(decoded) for name, decoded in self.by_name.items()},
            "formation": formation.to_json(formation.form(self.by_name, int(self.steps[-1]), self.filters)),
        }

    def _rows(self, decoded: Decoded) -> Rows:
        rows: Rows = [None] * len(self.steps)
        places = np.searchsorted(self.steps, decoded.steps).tolist()
        for place, row in zip(places, rounded(decoded.values), strict=True):
            rows[place] = row
        return rows


def rounded(values: Array) -> list[Any]:
    """List five digits of the largest, so that an answer stays small; what is not finite becomes None."""
    finite = np.isfinite(values)
    largest = float(np.abs(values[finite]).max(initial=0))
    digits = 5 - int(np.floor(np.log10(largest))) if largest > 0 else 0
    with np.errstate(invalid="ignore"):  # there are values that are not finite of which a warning is given
        exact = np.round(values.astype(np.float64), min(max(digits, 0), 300))
    if finite.all():
        listed: list[Any] = exact.tolist()
        return listed
    as_objects = exact.astype(object)
    as_objects[~finite] = None
    nulled: list[Any] = as_objects.tolist()
    return nulled


def tabulate(found: Iterable[tuple[Statistics, Decoded]]) -> Table:
    """Put the series of one layer, at least one, beside each other.

    A restarted training writes steps again. Each series forgets by itself what is written again, see `decode`; one that
    the restarted training does not write any more would go on showing the earlier training's values. The first of the
    standard statistics, which every training writes, tells which those are.
    """
    by_name: dict[str, Decoded] = {}
    for series, decoded in found:
        for row, statistic in enumerate(series.about.statistics):
            is_format_1 = decoded.values.ndim == 3
            own = Decoded(decoded.steps, decoded.wall_times, decoded.values[:, row] if is_format_1 else decoded.values)
            before = by_name.get(statistic.name)
            by_name[statistic.name] = own if before is None else _continued(before, own)
    reference = next((by_name[standard.name] for standard in STANDARD if standard.name in by_name), None)
    if reference is not None:
        by_name = {name: _current(decoded, reference) for name, decoded in by_name.items()}
    steps = np.unique(np.concatenate([decoded.steps for decoded in by_name.values()]))
    wall_times = np.full(len(steps), np.inf)
    for decoded in by_name.values():
        np.minimum.at(wall_times, np.searchsorted(steps, decoded.steps), decoded.wall_times)
    filters = next(iter(by_name.values())).values.shape[1]
    return Table(steps, wall_times, by_name, filters)


def _continued(one: Decoded, other: Decoded) -> Decoded:
    """Join two series of one statistic, that of format 1 and that of a later one: what was written later counts."""
    older, newer = sorted((one, other), key=lambda decoded: float(decoded.wall_times[0]))
    older = older.at(older.steps < newer.steps[0])
    return Decoded(
        *(np.concatenate([getattr(older, name), getattr(newer, name)]) for name in ("steps", "wall_times", "values"))
    )


def _current(decoded: Decoded, reference: Decoded) -> Decoded:
    """Keep the values that belong to the training that wrote the reference.

    These were written with the reference's value of the step, or later; where the reference has none, after its last.
    """
    places = np.searchsorted(reference.steps, decoded.steps)
    is_shared = np.isin(decoded.steps, reference.steps)
    last = float(reference.wall_times.max())
    since = np.where(is_shared, reference.wall_times[np.minimum(places, len(reference.steps) - 1)], last)
    is_current = decoded.wall_times >= since - SAME_WRITE_S
    return decoded if is_current.all() else decoded.at(is_current)
