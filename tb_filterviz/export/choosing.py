"""Which layers of which runs are meant, at which steps."""

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tb_filterviz.errors import ConfigError, SeriesError, StepError, UnknownLayerError, VisualizationWarning
from tb_filterviz.reading.names import listed

if TYPE_CHECKING:
    from tb_filterviz.filter_run import FilterRun, LayerSeries


@dataclass(frozen=True, slots=True)
class Chosen:
    """A layer at some of its steps.

    Attributes:
        layer: of a run.
        steps: at which it was logged, rising.
    """

    layer: "LayerSeries"
    steps: list[int]


def whole_numbers(name: str, given: Any) -> list[int] | None:
    """Take a list or an array of whole numbers; None stays None.

    Raises:
        ConfigError: if it is something else.
    """
    if given is None:
        return None
    try:
        found = [int(each) for each in given]
        is_whole = all(each == number for each, number in zip(given, found, strict=True))
    except (TypeError, ValueError):
        is_whole = False
    if not is_whole or isinstance(given, str):
        raise ConfigError(f"`{name}` must be a list of whole numbers. Received: {name}={given!r}")
    return found


def checked_every(steps: Sequence[int] | None, every: int) -> None:
    """Check that steps are chosen in one way.

    Raises:
        ConfigError: if `every` is no positive number, or both are given.
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise ConfigError(f"`every` must be a positive integer. Received: every={every!r}")
    if steps is not None and every != 1:
        raise ConfigError(f"Give `steps` or `every`, not both. Received: steps={list(steps)!r}, every={every}")


def every_so_many(known: Sequence[int], every: int) -> list[int]:
    """Take the first of them, every so many after it, and the last."""
    kept = list(known)[::every]
    return kept if not kept or kept[-1] == known[-1] else [*kept, known[-1]]


def chosen_steps(known: Sequence[int], steps: Sequence[int] | None, every: int) -> list[int]:
    """Choose steps of one layer.

    Raises:
        StepError: if one is not known.
        ConfigError: if they are chosen in two ways.
    """
    checked_every(steps, every)
    if steps is None:
        return every_so_many(known, every)
    _check_steps(known, steps)
    return sorted(set(steps))


def _check_steps(known: Iterable[int], steps: Sequence[int]) -> None:
    there = sorted(set(known))
    if not steps or not set(steps) <= set(there):
        shown = listed(there, 12)
        raise StepError(f"`steps` must be among those that were logged: {shown}. Received: steps={list(steps)!r}")


def chosen_layers(
    runs: "Sequence[FilterRun]", layers: Sequence[str] | None, steps: Sequence[int] | None, every: int
) -> list[Chosen]:
    """Choose layers of several runs, each at its own steps.

    What cannot be read, or has none of the steps, is left out, with a `VisualizationWarning`.

    Args:
        runs: of which.
        layers: names, of which each run may have some; None for all.
        steps: of which each layer may have some; None for all.
        every: of the steps of each layer, every so many, and the last.

    Raises:
        UnknownLayerError: if no run has one of the layers.
        StepError: if no layer has one of the steps.
        SeriesError: if nothing can be read.
        ConfigError: if no layer is named, or steps are chosen in two ways.
    """
    checked_every(steps, every)
    named = [series for run in runs for series in run.values() if layers is None or series.name in layers]
    _check_layers(runs, layers)
    read: list[tuple[LayerSeries, list[int]]] = []
    left_out: list[str] = []
    for series in named:
        try:
            read.append((series, series.steps.tolist()))
        except SeriesError as error:
            left_out.append(f"{series.name} of {series.run}: {str(error).rstrip('.')}")
    if not read:
        raise SeriesError(f"Nothing can be read. {left_out[0]}" if left_out else "The runs hold no layers.")
    if steps is not None:
        _check_steps((step for _, known in read for step in known), steps)
    wanted = None if steps is None else set(steps)
    chosen: list[Chosen] = []
    for series, known in read:
        own = every_so_many(known, every) if wanted is None else [step for step in known if step in wanted]
        if own:
            chosen.append(Chosen(series, own))
        else:
            left_out.append(f"{series.name} of {series.run} has none of these steps")
    if left_out:
        more = f" And {len(left_out) - 3} more." if len(left_out) > 3 else ""
        warnings.warn(f"Left out: {'; '.join(left_out[:3])}.{more}", VisualizationWarning, stacklevel=4)
    return chosen


def _check_layers(runs: "Sequence[FilterRun]", layers: Sequence[str] | None) -> None:
    known = dict.fromkeys(layer for run in runs for layer in run.layers)
    shown = listed(known, 20)
    for name in layers or ():
        if name not in known:
            raise UnknownLayerError(f"No run has a layer {name!r}. Layers: {shown or 'none'}")
    if layers is not None and not layers:
        raise ConfigError(f"`layer` must name a layer: {shown}. Received: layer={list(layers)!r}")
