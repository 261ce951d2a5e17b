"""What is seen of a layer: its grid at each step, or a strip of some filters."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tb_filterviz.config import GridConfig
from tb_filterviz.errors import ConfigError, StepError
from tb_filterviz.imaging.captions import captioned, letters_px, spoken_step
from tb_filterviz.imaging.filmstrip import filmstrip
from tb_filterviz.imaging.layout import Pixels, spread

if TYPE_CHECKING:
    from tb_filterviz.filter_run import LayerSeries

MOST_FRAMES_BYTES = 1 << 30  # all of them are in memory when they are encoded
STRIP_FILTERS, STRIP_STEPS = 8, 12


def chosen_steps(known: Sequence[int], steps: Sequence[int] | None, every: int) -> list[int]:
    """Choose steps out of those that are known, always the first and the last with `every`.

    Raises:
        StepError: if one is not known.
        ConfigError: if `every` is no positive number, or both are given.
    """
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise ConfigError(f"`every` must be a positive integer. Received: every={every!r}")
    if steps is None:
        kept = list(known)[::every]
        return kept if not kept or kept[-1] == known[-1] else [*kept, known[-1]]
    if every != 1:
        raise ConfigError(f"Give `steps` or `every`, not both. Received: steps={list(steps)!r}, every={every}")
    missing = [step for step in steps if step not in set(known)]
    if missing or not steps:
        listed = ", ".join(map(str, list(known)[:12])) + (", ..." if len(known) > 12 else "")
        raise StepError(f"`steps` must be among those that were logged: {listed}. Received: steps={list(steps)!r}")
    return sorted(set(steps))


def grids(
    layer: "LayerSeries",
    steps: Sequence[int],
    *,
    filters: Sequence[int] | None = None,
    config: GridConfig | None = None,
    has_caption: bool = True,
    ground: int = 0,
) -> Iterator[Pixels]:
    """Draw the grid of a layer at each of some steps, all in one shape.

    Args:
        layer: of a run.
        steps: at which it was logged.
        filters: their numbers; None for all.
        config: columns, margin, scale, marks; None for the default.
        has_caption: whether layer and step stand below.
        ground: behind these words, 0 (black) or 255 (white).

    Yields:
        uint8 ``[h, w, c]``, ``c`` 3 if any of them has colour.

    Raises:
        ConfigError: if they are too many to be held, or a filter was not drawn.
        StepError: if the layer was not logged at one of them.
    """
    settings = replace(config or GridConfig(), order="index")  # a filter keeps its place
    names = [f"{layer.name}, {spoken_step(step, layer.unit)}" for step in steps]
    first = layer.grid(steps[-1], settings, filters=filters)
    size_px = letters_px(first.shape[1], max(names, key=len))
    nbytes = first.shape[0] * first.shape[1] * 3 * len(steps)
    if nbytes > MOST_FRAMES_BYTES:
        raise ConfigError(
            f"{len(steps)} pictures of {first.shape[1]} x {first.shape[0]} px are too many for one animation. Choose "
            f"fewer steps (every={-(-nbytes // MOST_FRAMES_BYTES) + 1}), fewer filters, or a smaller scale."
        )
    for step, name in zip(steps, names, strict=True):
        picture = layer.grid(step, settings, filters=filters)
        yield captioned(picture, name, size_px=size_px, ground=ground) if has_caption else picture


def alike(pictures: Sequence[Pixels]) -> list[Pixels]:
    """Bring pictures to one shape: with three channels if any has them, and as wide as the widest."""
    height, width, channels = (max(picture.shape[axis] for picture in pictures) for axis in range(3))
    return [_padded(picture, (height, width, channels)) for picture in pictures]


def _padded(picture: Pixels, shape: tuple[int, int, int]) -> Pixels:
    if picture.shape == shape:
        return picture
    whole = np.zeros(shape, np.uint8)
    whole[: picture.shape[0], : picture.shape[1]] = picture
    return whole


def strip(
    layer: "LayerSeries",
    steps: Sequence[int] | None = None,
    *,
    filters: Sequence[int] | None = None,
    scale: int | None = None,
    ground: int = 0,
) -> Pixels:
    """Draw some filters of a layer over some steps: a row for each filter, a column for each step, both named.

    Args:
        layer: of a run.
        steps: at which it was logged; None for a dozen, spread evenly.
        filters: their numbers; None for the eight of the largest gain at the end.
        scale: whole factor by which tiles are enlarged; None enlarges small ones to about 64 px.
        ground: behind the names, 0 (black) or 255 (white).

    Returns:
        uint8 ``[height, width, c]``.
    """
    known = layer.steps.tolist()
    wanted = list(steps) if steps is not None else [known[at] for at in spread(len(known), STRIP_STEPS)]
    shown = list(filters) if filters is not None else _strongest(layer, STRIP_FILTERS)
    places = layer.places_of(shown)
    tiles = np.stack([layer.tiles_at(step)[places] for step in wanted])
    columns = [str(step) if step >= 0 else "start" for step in wanted]
    rows = [f"filter {filter_}" for filter_ in shown]
    return filmstrip(tiles, rows, columns, corner=layer.unit, scale=scale, ground=ground)


def _strongest(layer: "LayerSeries", count: int) -> list[int]:
    worth = layer.statistics.get("gain", layer.statistics.get("score"))
    if worth is None:
        return [int(filter_) for filter_ in layer.filters[:count]]
    best = np.argsort(-np.nan_to_num(worth[-1], nan=-np.inf), kind="stable")[:count]
    return sorted(int(filter_) for filter_ in layer.filters[best])
