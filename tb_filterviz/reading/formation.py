"""How each filter formed: since when it is stuck, and at which step it settled.

At the end of its run, a filter is the first of these that holds:

- *stuck* since a step: it has been stuck at every step from there to the last;
- *unmoved*: it would have settled at the run's first step, so that nothing ever formed;
- *settled* at a step: after it, no change of its picture is above `STILL`, and its change since the start is
  what it is at the end, to within `STILL`; at least `FEWEST_STILL` steps say so;
- *changing*: none of these.

A stuck filter has not settled, though its picture may rest: the ascent shows nothing of it. The floor is absolute: by a
share of its own largest change, a filter that jitters for ever would settle, if it only changed more at the beginning.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tb_filterviz.parts.statistics import STILL, change, change_since_start, responsive
from tb_filterviz.reading.decoded import Array, Decoded

Outcome = Literal["stuck", "unmoved", "settled", "changing"]
Span = tuple[int, int]  # the first and the last step of it

FEWEST_STILL = 3  # fewer small changes may be chance: a trained LeNet goes on changing by 0.3 to 3 %


@dataclass(frozen=True, slots=True)
class Formation:
    """How one filter formed.

    Attributes:
        outcome: what it is at the end; None where the statistics do not say.
        since: the step since which it is stuck, or at which it settled; None for the other outcomes.
        stuck: when it was stuck, one span after the other.
    """

    outcome: Outcome | None
    since: int | None
    stuck: tuple[Span, ...]


def form(by_name: Mapping[str, Decoded], last_step: int, filters: int) -> list[Formation]:
    """Tell how each filter formed.

    Args:
        by_name: statistics, float32 ``[s, n]``, by name; `responsive`, `change` and `change_since_start` are read.
        last_step: of the run. A statistic that has ended before says nothing about the end.
        filters: how many there are, ``n``.
    """
    spans: list[tuple[Span, ...]] = [()] * filters
    is_stuck = np.zeros(filters, bool)
    known = by_name.get(responsive.name)
    if known is not None and len(known.steps):
        for filter_ in np.flatnonzero((known.values == 0).any(axis=0)).tolist():
            spans[filter_] = stuck_spans(known.steps, known.values[:, filter_])
        is_stuck = (known.values[-1] == 0) & (known.steps[-1] == last_step)
    places, steps = _settled(by_name, last_step)
    formed = []
    for filter_ in range(filters):
        if is_stuck[filter_]:
            outcome: tuple[Outcome | None, int | None] = "stuck", spans[filter_][-1][0]
        elif places is None:
            outcome = None, None
        else:
            outcome = _outcome(int(places[filter_]), steps)
        formed.append(Formation(*outcome, spans[filter_]))
    return formed


def _outcome(place: int, steps: Array) -> tuple[Outcome, int | None]:
    if place == 0:
        return "unmoved", None
    return ("settled", int(steps[place])) if place < len(steps) - FEWEST_STILL else ("changing", None)


def _settled(by_name: Mapping[str, Decoded], last_step: int) -> tuple[Array | None, Array]:
    """Find where each filter settled, int64 ``[n]`` places among steps; None if nothing says."""
    changes, since_start = by_name.get(change.name), by_name.get(change_since_start.name)
    if changes is None or len(changes.steps) < 2 or changes.steps[-1] != last_step:
        return None, np.zeros(0, np.int64)
    settled = last_moves(changes.values)
    if since_start is not None and last_step in since_start.steps:
        away = last_away(since_start.values)
        passed = np.searchsorted(changes.steps, since_start.steps[away], side="right")
        settled = np.maximum(settled, np.where(away < 0, 0, passed))
    return settled, changes.steps


def last_moves(changes: Array) -> Array:
    """Find the last place at which each filter moves, int64 ``[n]``; 0 if it never does. What is not finite is a move.

    Args:
        changes: float32 ``[s, n]``, to the step before; the first has none.
    """
    moves = ~(changes <= STILL)
    moves[0] = False
    return np.maximum(_last_place(moves), 0)


def last_away(since_start: Array) -> Array:
    """Find the last place at which each filter is not as far from its start as at the end, int64 ``[n]``; -1 for none.

    Args:
        since_start: float32 ``[s, n]``, the difference to the run's first picture.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # of what is not finite, or too far apart: that is away
        return _last_place(~(np.abs(since_start - since_start[-1]) <= STILL))


def _last_place(flags: Array) -> Array:
    """Find the last place of each column that is True, int64 ``[n]``; -1 if none is."""
    return np.asarray(np.where(flags, np.arange(len(flags))[:, None], -1).max(axis=0))


def stuck_spans(steps: Array, responsive: Array) -> tuple[Span, ...]:
    """List when one filter was stuck.

    Args:
        steps: int64 ``[s]``.
        responsive: float32 ``[s]``, 0 where it was stuck.
    """
    is_stuck = np.concatenate([[False], responsive == 0, [False]])
    edges = np.flatnonzero(is_stuck[1:] != is_stuck[:-1])
    return tuple((int(steps[begin]), int(steps[end - 1])) for begin, end in zip(edges[::2], edges[1::2], strict=True))


def to_json(formed: list[Formation]) -> dict[str, Any]:
    """Answer as the route ``/statistics`` does."""
    return {
        "still": STILL,
        "outcome": [one.outcome for one in formed],
        "since": [one.since for one in formed],
        "stuck": [[list(span) for span in one.stuck] for one in formed],
    }
