"""How well the training of each run did: one number, by which runs can be told apart and ordered."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from tb_filterviz.reading.catalog import Run
from tb_filterviz.reading.curves import Curve, read_scalars, training_curves

_RUNS = ("validation", "train")  # as Keras' `TensorBoard` names them


def read_results(provider: Any, context: Any, experiment: str, runs: Mapping[str, Run]) -> dict[str, Any]:
    """Answer as the route ``/results`` does, with one list and one read however many runs there are.

    Args:
        provider: to read from.
        context: of the request.
        experiment: its id.
        runs: those that hold anything of ours.
    """
    listed = provider.list_scalars(context, experiment_id=experiment, plugin_name="scalars")
    trained = {
        name: training_curves(listed, name, run.layers[0].about.unit) for name, run in runs.items() if run.layers
    }
    wanted = {name: [curve for curve in each.curves if _rank(curve) is not None] for name, each in trained.items()}
    clocks = {name: each.clocks(listed, runs) for name, each in trained.items()}
    series = {(curve.run, curve.tag) for curves in wanted.values() for curve in curves}
    series |= {clock for each in clocks.values() for clock in each.items()}
    read = read_scalars(provider, context, experiment, sorted(series))
    results: dict[str, Any] = dict.fromkeys(runs)
    for name, each in trained.items():
        found = [(curve, data) for curve, data in each.own(read, clocks[name], runs) if _rank(curve) is not None]
        if found:
            curve, data = min(found, key=lambda one: _rank(one[0]) or ())
            results[name] = {**_result(curve, data), "newest": runs[name].last_wall_time}
    return {"runs": results}


def _rank(curve: Curve) -> tuple[Any, ...] | None:
    """Order curves: validation before training, accuracy before loss, a plain name before others; None for the rest."""
    is_accuracy = _is_accuracy(curve)
    if curve.of not in _RUNS or not (is_accuracy or curve.metric == "loss"):
        return None
    return _RUNS.index(curve.of), not is_accuracy, curve.metric != "accuracy", len(curve.metric), curve.metric


def _is_accuracy(curve: Curve) -> bool:
    return curve.metric.endswith(("accuracy", "acc"))


def _result(curve: Curve, data: Sequence[Any]) -> dict[str, Any]:
    """Take the last value and the best: the highest accuracy, or the lowest loss, the first of several."""
    sign = 1 if _is_accuracy(curve) else -1
    finite = [datum for datum in data if math.isfinite(datum.value)]
    best = max(finite, key=lambda datum: sign * datum.value, default=None)
    last = data[-1].value
    return {
        "metric": curve.metric,
        "of": curve.of,
        "last": last if math.isfinite(last) else None,
        "best": None if best is None else best.value,
        "best_step": None if best is None else best.step,
        "steps": len(data),
    }
