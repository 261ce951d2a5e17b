"""All layers of a run at once: what became of the filters of each, from few of their statistics, read in few calls."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from tb_filterviz.errors import SeriesError
from tb_filterviz.parts.statistics import change, change_since_start, excited, on, responsive
from tb_filterviz.reading.catalog import Layer, Statistics
from tb_filterviz.reading.decoded import Array, Decoded, Place
from tb_filterviz.reading.formation import Formation, Outcome, form
from tb_filterviz.reading.statistics import Table, rounded, tabulate
from tb_filterviz.reading.store import Store

OUTCOMES: tuple[Outcome, ...] = ("settled", "changing", "unmoved", "stuck")

_AT_EVERY_STEP = {responsive.name, change.name, change_since_start.name}
_AT_THE_LAST = {excited.name, on.name}


def overview_to_json(store: Store, place: Place) -> dict[str, Any]:
    """Answer as the route ``/overview`` does.

    Raises:
        NotFoundError: if the run has no layers.
    """
    layers = store.layers(place)
    found: dict[str, list[tuple[Statistics, Decoded]]] = defaultdict(list)
    problems: dict[str, str] = {}
    owner = {series.tag: layer.id for layer in layers for series in layer.statistics}
    for is_latest in (False, True):
        wanted = [series for layer in layers for series in _needed(layer, is_latest=is_latest)]
        for series, result in store.many(place, wanted, is_latest=is_latest):
            if isinstance(result, SeriesError):
                problems.setdefault(owner[series.tag], str(result))
            else:
                found[owner[series.tag]].append((series, result))
    return {"layers": [_layer_to_json(layer, found[layer.id], problems.get(layer.id)) for layer in layers]}


def _needed(layer: Layer, *, is_latest: bool) -> list[Statistics]:
    """List the series of which all steps are needed, or those of which the last is."""
    named = [(series, {one.name for one in series.about.statistics}) for series in layer.statistics]
    if is_latest:
        return [series for series, names in named if names & _AT_THE_LAST and not names & _AT_EVERY_STEP]
    return [series for series, names in named if names & _AT_EVERY_STEP]


def _layer_to_json(layer: Layer, found: Sequence[tuple[Statistics, Decoded]], problem: str | None) -> dict[str, Any]:
    # in the order of the tags, whatever was read first
    table = tabulate(sorted(found, key=lambda each: each[0].tag)) if found else None
    return {
        "id": layer.id,
        "filters": layer.about.filters,
        **summarize(table),
        "last_wall_time": layer.last_wall_time,
        "problem": problem,
    }


def summarize(table: Table | None) -> dict[str, Any]:
    """Say what became of the filters of a layer; None if nothing is known."""
    by_name = {} if table is None else table.by_name
    steps = np.zeros(0, np.int64) if table is None else table.steps
    formed = [] if table is None else form(by_name, int(steps[-1]), table.filters)
    counted = Counter(one.outcome for one in formed)
    stuck_since = Counter(one.since for one in formed if one.outcome == "stuck")
    is_responsive = by_name.get(responsive.name)
    return {
        "steps": steps.tolist(),
        "change": _mean_change(steps, by_name.get(change.name)),
        "responsive": None if is_responsive is None else _counts(steps, is_responsive),
        "half_settled": _half_settled(formed, steps),
        "outcomes": {outcome: counted[outcome] for outcome in OUTCOMES},
        "stuck_since": sorted([step, count] for step, count in stuck_since.items()),
        "dead": _last_count(steps, by_name.get(excited.name), 0),
        "always_on": _last_count(steps, by_name.get(on.name), 1),
    }


def _mean_change(steps: Array, changes: Decoded | None) -> list[float | None]:
    """Average over the filters at every step; None where there is nothing to average, and at the first step."""
    means = np.full(len(steps), np.nan)
    if changes is not None:
        finite = np.isfinite(changes.values)
        total = np.where(finite, changes.values, 0).sum(axis=1, dtype=np.float64)
        count = finite.sum(axis=1)
        means[np.searchsorted(steps, changes.steps)] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    means[:1] = np.nan  # nothing was before it
    return rounded(means)


def _counts(steps: Array, is_responsive: Decoded) -> list[int | None]:
    counts: list[int | None] = [None] * len(steps)
    places = np.searchsorted(steps, is_responsive.steps).tolist()
    for place, count in zip(places, (is_responsive.values != 0).sum(axis=1).tolist(), strict=True):
        counts[place] = count
    return counts


def _last_count(steps: Array, decoded: Decoded | None, value: float) -> int | None:
    """Count the filters of a value at the last step; None if that was not logged."""
    if decoded is None or not len(decoded.steps) or decoded.steps[-1] != steps[-1]:
        return None
    return int((decoded.values[-1] == value).sum())


def _half_settled(formed: Sequence[Formation], steps: Array) -> int | None:
    """Find the step by which half of the filters have settled, or never moved; None if fewer than half ever do."""
    since = sorted(
        int(steps[0]) if one.since is None else one.since for one in formed if one.outcome in ("settled", "unmoved")
    )
    half = (len(formed) + 1) // 2
    return since[half - 1] if 0 < half <= len(since) else None
