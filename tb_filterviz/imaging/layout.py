"""Tiles of a layer in one picture."""

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from tb_filterviz.config import GridConfig
from tb_filterviz.records import LayerDrawing

LEGIBLE_PX = 64  # about what a tile needs to be seen on a screen
SCREEN_PX = 2048  # about how wide a picture may be
MARK_RGB = (255, 140, 0)

Pixels = npt.NDArray[np.uint8]


def cell_order(
    scores: npt.NDArray[np.float32], responsive: npt.NDArray[np.bool_], config: GridConfig
) -> npt.NDArray[np.intp]:
    """Which filter stands in the first cell, the second, and so on."""
    order = np.arange(len(scores))
    if config.order == "score":
        order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
    if not config.show_stuck:
        order = order[responsive[order]]
    return order[: config.top_k]


def automatic_scale(height: int, width: int) -> int:
    """The smallest whole factor that makes a tile legible."""
    return max(1, math.ceil(LEGIBLE_PX / max(height, width)))


def _crossed_out(tile: Pixels) -> Pixels:
    """The tile darkened, as RGB, under a cross."""
    height, width = tile.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    position, thickness = columns * (height - 1), max(height, width) * max(1.0, min(height, width) / 24)
    falling = np.abs(position - rows * (width - 1)) <= thickness / 2
    rising = np.abs(position - (height - 1 - rows) * (width - 1)) <= thickness / 2
    marked: Pixels = np.repeat(tile // 3, 3 // tile.shape[-1], axis=-1)
    marked[falling | rising] = MARK_RGB
    return marked


def _underlined(tile: Pixels) -> Pixels:
    """The tile as RGB, with a bar along its lower edge."""
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
    """Tiles side by side, row by row, with black margins between them and none around.

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


def grid_of(drawing: LayerDrawing, config: GridConfig) -> Pixels:
    """The tiles of a layer as one picture, as in `grid`."""
    return grid(drawing.tiles, drawing.scores, drawing.responsive, drawing.flat, config)


def grid_for_a_screen(drawing: LayerDrawing, config: GridConfig) -> Pixels:
    """The same; without a scale, tiles are averaged down where the picture would be far wider than a screen."""
    count, _, width, _ = drawing.tiles.shape
    _, columns = _cells_and_columns(count, config)
    if config.scale is not None or columns * (width + config.margin_px) <= 1.25 * SCREEN_PX:
        return grid_of(drawing, config)
    tiles = shrink(drawing.tiles, max(LEGIBLE_PX, SCREEN_PX // columns - config.margin_px))
    return grid_of(replace(drawing, tiles=tiles), replace(config, scale=1))


def _cells_and_columns(count: int, config: GridConfig) -> tuple[int, int]:
    cells = config.top_k or max(count, 1)
    return cells, min(config.columns or math.ceil(math.sqrt(cells)), cells)


def shrink(tiles: Pixels, largest_px: int) -> Pixels:
    """Tiles ``[n, h, w, c]`` averaged down by a whole factor, until no side is above `largest_px`."""
    count, height, width, channels = tiles.shape
    factor = math.ceil(max(height, width) / largest_px)
    if factor == 1:
        return tiles
    rows, columns = math.ceil(height / factor), math.ceil(width / factor)
    padded = np.pad(tiles, ((0, 0), (0, rows * factor - height), (0, columns * factor - width), (0, 0)), mode="edge")
    blocks = padded.reshape(count, rows, factor, columns, factor, channels)
    return np.asarray(np.rint(blocks.mean(axis=(2, 4), dtype=np.float32)), np.uint8)
