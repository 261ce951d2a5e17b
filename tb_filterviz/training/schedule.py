"""When filters are drawn: at which batches or epochs, and within which share of the training's time."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

import numpy as np

from tb_filterviz.errors import ConfigError

Schedule = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class _EverySoMany:
    """A schedule that reaches other processes, as a function within a function does not."""

    count: int

    def __call__(self, done: int) -> bool:
        return done % self.count == 0


@dataclass(frozen=True, slots=True)
class _EverySoManyEpochs:
    """The same for the indices of epochs, which count from 0: every second one is 1, 3, 5."""

    count: int

    def __call__(self, epoch: int) -> bool:
        return (epoch + 1) % self.count == 0


def batch_schedule(update_freq: Literal["epoch"] | int | Schedule) -> Schedule | None:
    """Return which counts of batches are drawn; None for ends of epochs.

    Raises:
        ConfigError: if it is nothing of the kind.
    """
    if isinstance(update_freq, str) and update_freq == "epoch":
        return None
    if callable(update_freq):
        return update_freq
    if _is_count(update_freq):
        return _EverySoMany(int(update_freq))
    raise ConfigError(
        "`update_freq` must be 'epoch', a positive count of batches, or a function of the batches so far. "
        f"Received: update_freq={update_freq!r}"
    )


def epoch_schedule(every: int | Schedule) -> Schedule:
    """Return which epochs, by their index from 0, are drawn.

    Raises:
        ConfigError: if it is neither a count nor a function.
    """
    if callable(every):
        return every
    if _is_count(every):
        return _EverySoManyEpochs(int(every))
    raise ConfigError(
        f"`every` must be a positive count of epochs, or a function of the epoch's index. Received: every={every!r}"
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= 1


class TimeBudget:
    """The share of a training's time that drawing may take.

    Args:
        share: above 0 and at most 1; None for any.
        clock: seconds, from any time on.

    Raises:
        ConfigError: if it is no share.
    """

    def __init__(self, share: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        is_share = isinstance(share, Real) and not isinstance(share, bool) and 0 < float(share) <= 1
        if share is not None and not is_share:
            raise ConfigError(f"`budget` must be a share of the training's time, such as 0.01. Received: {share!r}")
        self.share = share
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Set the clocks to 0."""
        self._began_s, self.drawing_s = self._clock(), 0.0

    @property
    def training_s(self) -> float:
        """How long the training has taken, without drawing."""
        return self._clock() - self._began_s - self.drawing_s

    def allows(self, draw_s: float) -> bool:
        """Tell whether a drawing that takes so many seconds stays within the share."""
        return self.share is None or self.drawing_s + draw_s <= self.share * self.training_s

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """Count the time of this block as drawing."""
        began_s = self._clock()
        try:
            yield
        finally:
            self.drawing_s += self._clock() - began_s


def schedule_to_json(update_freq: Any, every: Any, budget: float | None) -> Mapping[str, Any]:
    """List how often filters are drawn, for the recipe."""
    share = None if budget is None else float(budget)
    return {"update_freq": _named(update_freq), "every": _named(every), "budget": share}


def _named(value: Any) -> Any:
    return (
        int(value) if _is_count(value) else value if isinstance(value, str) else getattr(value, "__name__", "function")
    )
