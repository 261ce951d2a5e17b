"""Which filters died in a training, and when; and which never woke."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tb_filterviz.snapshots import LayerSnapshot, StepUnit

_LISTED = 8  # filters of a layer
_LAYERS = 5


@dataclass(frozen=True, slots=True)
class _Streak:
    """Filters of a layer, and since when each is stuck.

    Attributes:
        filters: which of the layer's filters.
        is_stuck: bool ``[n]``, at the last step.
        since: int64 ``[n]``, the step at which it was stuck first without having been responsive again.
        has_responded: bool ``[n]``, at any step.
    """

    filters: npt.NDArray[np.int32]
    is_stuck: npt.NDArray[np.bool_]
    since: npt.NDArray[np.int64]
    has_responded: npt.NDArray[np.bool_]


class StuckFilters:
    """Remembers since when filters are stuck, over the steps that it is told of.

    Args:
        is_from_start: whether the first of these is of the untrained network. Of filters that are stuck from the first
            one on, nobody knows otherwise whether they died before.
    """

    def __init__(self, *, is_from_start: bool = True) -> None:
        self._streaks: dict[str, _Streak] = {}
        self._is_from_start = is_from_start
        self._unit: StepUnit = "epoch"

    def add(self, snapshots: Iterable[LayerSnapshot]) -> None:
        """Take a step's snapshots."""
        for snapshot in snapshots:
            self._unit = snapshot.unit
            is_stuck = ~snapshot.responsive
            before = self._streaks.get(snapshot.layer)
            went_on = is_stuck & before.is_stuck if before else np.zeros_like(is_stuck)
            since = np.full(is_stuck.shape, snapshot.step, np.int64)
            if before:
                since = np.where(went_on, before.since, since)
            has_responded = ~is_stuck | (before.has_responded if before else False)
            self._streaks[snapshot.layer] = _Streak(snapshot.filters, is_stuck, since, has_responded)

    def describe(self) -> list[str]:
        """Name, for each layer that has any, the filters that died, and those that never woke."""
        lines = [f"{layer}: {said}" for layer, streak in self._streaks.items() if (said := self._said_of(streak))]
        more = len(lines) - _LAYERS
        return lines[:_LAYERS] + ([f"and so in {more} more layers"] if more > 0 else [])

    def _said_of(self, streak: _Streak) -> str:
        died = streak.is_stuck & streak.has_responded
        parts = [
            f"{listed(streak.filters[died & (streak.since == step)])} stuck since {self._unit} {step}"
            for step in np.unique(streak.since[died])
        ]
        asleep = streak.is_stuck & ~streak.has_responded
        if asleep.any():
            first = int(streak.since[asleep].min())
            how = "never woke up" if self._is_from_start else f"stuck at every drawing, from {self._unit} {first} on"
            parts.append(f"{listed(streak.filters[asleep])} {how}")
        return "; ".join(parts)


def listed(filters: npt.NDArray[np.int32]) -> str:
    """Word some filters, the first of them by their numbers."""
    more = len(filters) - _LISTED
    noun = "filter" if len(filters) == 1 else "filters"
    return f"{noun} {', '.join(map(str, filters[:_LISTED]))}" + (f" and {more} more" if more > 0 else "")
