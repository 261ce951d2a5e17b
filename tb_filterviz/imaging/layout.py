"""Tiles of a layer in one picture."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tb_filterviz.config import GridConfig

LEGIBLE_PX = 64  # about what a tile needs to be seen on a screen
SCREEN_PX = 2048  # about how wide a picture may be
MARK_RGB = (255, 140, 0)

Pixels = npt.NDArray[np.uint8]


def cell_order(
    scores: npt.NDArray[np.float32], responsive: npt.NDArray[np.bool_], config: GridConfig
) -> npt.NDArray[np.intp]:
    """List which filter stands in the first cell, the second, and so on."""
    order = np.arange(len(scores))
    if config.order == "score":
        order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
    if not config.show_stuck:
        order = order[responsive[order]]
    return order[: config.top_k]


def spread(count: int, most: int) -> list[int]:
    """Choose at most so many of `count` places, spread evenly, the first and the last among them."""
    return sorted({round(at) for at in np.linspace(0, count - 1, min(count, most))})


def automatic_scale(height: int, width: int) -> int:
    """Find the smallest whole factor that makes a tile legible."""
    return max(1, math.ceil(LEGIBLE_PX / max(height, width)))


def _crossed_out(tile: Pixels) -> Pixels:
    """Darken the tile, as RGB, under a cross."""
    height, width = tile.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    position, thickness = columns * (height - 1), max(height, width) * max(1.0, min(height, width) / 24)
    falling = np.abs(position - rows * (width - 1)) <= thickness / 2
    rising = np.abs(position - (height - 1 - rows) * (width - 1)) <= thickness / 2
    marked: Pixels = np.repeat(tile // 3, 3 // tile.shape[-1], axis=-1)
    marked[falling | rising] = MARK_RGB
    return marked


def _underlined(tile: Pixels) -> Pixels:
    """Draw a bar along the tile's lower edge, as RGB."""
    marked: Pixels = np.repeat(tile, 3 // tile.shape[-1], axis=-1)
    marked[-max(1, tile.shape[0] // 16) :] = MARK_RGB
    return marked


def grid(
    tiles: Pixels,
    scores: npt.NDArray[np.float32],
    responsive: npt.NDArray[np.bool_],
    flat: npt.NDArray[np.bool_],
    config: GridConfig,
) -> Pixels:
    """Lay tiles side by side, row by row, with black margins between them and none around.

    Args:
        tiles: uint8 ``[n, h, w, c]``, ``c`` 1 or 3.
        scores: ``[n]``, for ``order="score"``.
        responsive: ``[n]``; the others are crossed out, or left out.
        flat: ``[n]``; these get a bar along the lower edge.
        config: columns, order, margin, scale, marks. With a `top_k` there are that many cells; some may stay empty.

    Returns:
        uint8 ``[height, width, 1]``, or ``[height, width, 3]`` if tiles or marks have colour.
    """
    count, tile_height, tile_width, channels = tiles.shape
    order = cell_order(scores, responsive, config)
    cells, columns = _cells_and_columns(count, config)
    scale = config.scale or automatic_scale(tile_height, tile_width)
    height, width, margin = tile_height * scale, tile_width * scale, config.margin_px
    is_marked = config.marks and bool((~responsive[order] | flat[order]).any())
    rows = math.ceil(cells / columns)
    shape = (rows * (height + margin) - margin, columns * (width + margin) - margin, 3 if is_marked else channels)
    picture = np.zeros(shape, np.uint8)
    for cell, index in enumerate(order):
        tile = tiles[index].repeat(scale, axis=0).repeat(scale, axis=1)
        if config.marks and not responsive[index]:
            tile = _crossed_out(tile)
        elif config.marks and flat[index]:
            tile = _underlined(tile)
        top, left = cell // columns * (height + margin), cell % columns * (width + margin)
        picture[top : top + height, left : left + width] = tile
    return picture


def grid_for_a_screen(
    tiles: Pixels,
    scores: npt.NDArray[np.float32],
    responsive: npt.NDArray[np.bool_],
    flat: npt.NDArray[np.bool_],
    config: GridConfig,
) -> Pixels:
    """Lay tiles out as `grid` does; without a scale, average them down where the picture would be wider than a screen.

    Arguments and result are those of `grid`.
    """
    count, _, width, _ = tiles.shape
    _, columns = _cells_and_columns(count, config)
    if config.scale is None and columns * (width + config.margin_px) > 1.25 * SCREEN_PX:
        tiles = shrink(tiles, max(LEGIBLE_PX, SCREEN_PX // columns - config.margin_px))
        config = replace(config, scale=1)
    return grid(tiles, scores, responsive, flat, config)


def grid_sides(count: int, tile_height: int, tile_width: int, config: GridConfig) -> tuple[int, int]:
    """Tell height and width of the `grid` of so many tiles, in pixels."""
    cells, columns = _cells_and_columns(count, config)
    scale, margin = config.scale or automatic_scale(tile_height, tile_width), config.margin_px
    rows = math.ceil(cells / columns)
    return rows * (tile_height * scale + margin) - margin, columns * (tile_width * scale + margin) - margin


def _cells_and_columns(count: int, config: GridConfig) -> tuple[int, int]:
    cells = config.top_k or max(count, 1)
    return cells, min(config.columns or math.ceil(math.sqrt(cells)), cells)


def shrink(tiles: Pixels, largest_px: int) -> Pixels:
    """Average tiles uint8 ``[..., h, w, c]`` down by a whole factor, until no side is above `largest_px`."""
    height, width = tiles.shape[-3:-1]
    factor = math.ceil(max(height, width) / largest_px)
    if factor == 1:
        return tiles
    below, right = -height % factor, -width % factor
    if below or right:
        tiles = np.pad(tiles, (*[(0, 0)] * (tiles.ndim - 3), (0, below), (0, right), (0, 0)), mode="edge")
    total = np.full(tiles[..., ::factor, ::factor, :].shape, factor**2 // 2)
    total = total.astype(np.uint16 if factor <= 16 else np.uint32)
    for row in range(factor):  # adding slices is several times as fast as a mean over two axes
        for column in range(factor):
            total += tiles[..., row::factor, column::factor, :]
    return np.asarray(total // factor**2, np.uint8)
