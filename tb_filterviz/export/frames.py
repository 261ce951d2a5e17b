"""What is seen of a layer: its grid at each step, or a strip of some filters."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tb_filterviz.config import GridConfig
from tb_filterviz.errors import ConfigError
from tb_filterviz.imaging import layout
from tb_filterviz.imaging.captions import BEFORE, captioned, letters_px, spoken_step
from tb_filterviz.imaging.filmstrip import filmstrip
from tb_filterviz.imaging.layout import Pixels, spread

if TYPE_CHECKING:
    from tb_filterviz.filter_run import LayerSeries

MOST_PICTURE_BYTES = 1 << 28  # of one; 9000 x 9000 px
MOST_FRAMES_BYTES = 1 << 30  # of an animation: all of them are in memory when they are encoded
STRIP_FILTERS, STRIP_STEPS = 8, 12


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
    count = len(layer.places_of(filters))
    height, width = layout.grid_sides(count, *layer.tile_shape[:2], settings)
    _check_picture(height, width)
    nbytes = height * width * 3 * len(steps)
    if nbytes > MOST_FRAMES_BYTES:
        raise ConfigError(
            f"{len(steps)} pictures of {width} x {height} px are too many for one animation: choose at most "
            f"{MOST_FRAMES_BYTES // (height * width * 3)} of these steps, fewer filters, or a smaller scale."
        )
    size_px = letters_px(width, max(names, key=len))
    for step, name in zip(steps, names, strict=True):
        picture = layer.grid(step, settings, filters=filters)
        yield captioned(picture, name, size_px=size_px, ground=ground) if has_caption else picture


def _check_picture(height: int, width: int) -> None:
    if height * width * 3 > MOST_PICTURE_BYTES:
        raise ConfigError(
            f"A picture of {width} x {height} px is too large: choose a smaller scale, fewer filters or fewer steps."
        )


def alike(pictures: Sequence[Pixels], ground: int = 0) -> list[Pixels]:
    """Bring pictures to one shape: with three channels if any has them, and as wide as the widest.

    Args:
        pictures: uint8 ``[h, w, c]``.
        ground: what is beside narrower ones, 0 (black) or 255 (white).
    """
    height, width, channels = (max(picture.shape[axis] for picture in pictures) for axis in range(3))
    return [_padded(picture, (height, width, channels), ground) for picture in pictures]


def _padded(picture: Pixels, shape: tuple[int, int, int], ground: int) -> Pixels:
    if picture.shape == shape:
        return picture
    whole = np.full(shape, ground, np.uint8)
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
    height, width = layer.tile_shape[:2]
    factor = scale or layout.automatic_scale(height, width)
    _check_picture(len(shown) * height * factor, len(wanted) * width * factor)
    tiles = np.stack([layer.tiles_at(step)[places] for step in wanted])
    columns = ["start" if spoken_step(step, layer.unit) == BEFORE else str(step) for step in wanted]
    rows = [f"filter {filter_}" for filter_ in shown]
    return filmstrip(tiles, rows, columns, corner=layer.unit, scale=factor, ground=ground)


def _strongest(layer: "LayerSeries", count: int) -> list[int]:
    worth = layer.statistics.get("gain", layer.statistics.get("score"))
    if worth is None:
        return [int(filter_) for filter_ in layer.filters[:count]]
    best = np.argsort(-np.nan_to_num(worth[-1], nan=-np.inf), kind="stable")[:count]
    return sorted(int(filter_) for filter_ in layer.filters[best])
