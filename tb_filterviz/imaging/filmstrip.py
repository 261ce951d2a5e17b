"""Filters as rows, steps as columns, with their names."""

from collections.abc import Sequence

import numpy as np

from tb_filterviz.imaging.captions import PADDING_PX, text_size, write
from tb_filterviz.imaging.layout import Pixels, automatic_scale


def filmstrip(
    tiles: Pixels,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    corner: str = "",
    scale: int | None = None,
    margin_px: int = 2,
    ground: int = 0,
) -> Pixels:
    """Lay tiles out with a row for each filter and a column for each step, both named.

    Args:
        tiles: uint8 ``[s, n, h, w, c]``, ``c`` 1 or 3.
        rows: what filters are called.
        columns: what steps are called.
        corner: what columns are, above the names of the rows.
        scale: whole factor by which tiles are enlarged; None enlarges small ones to about 64 px.
        margin_px: pixels between tiles.
        ground: 0 for white words on black, 255 for black on white.

    Returns:
        uint8 ``[height, width, c]``.
    """
    steps, count, height, width, channels = tiles.shape
    factor = scale or automatic_scale(height, width)
    height, width = height * factor + margin_px, width * factor + margin_px
    letters = int(np.clip(width // 4, 10, 16))
    left = max(text_size(name, letters)[0] for name in (*rows, corner)) + 2 * PADDING_PX
    top = text_size("0", letters)[1] + 2 * PADDING_PX
    right = max(0, text_size(columns[-1], letters)[0] - width)
    picture = np.full((top + count * height, left + steps * width + right, channels), ground, np.uint8)
    if corner:
        write(picture, corner, PADDING_PX, PADDING_PX, letters)
    for row, name in enumerate(rows):
        write(picture, name, top + row * height + (height - top) // 2 + PADDING_PX, PADDING_PX, letters)
    free = 0
    for column, name in enumerate(columns):
        at = left + column * width
        if at >= free:  # a name that would run into the one before is left out
            write(picture, name, PADDING_PX, at, letters)
            free = at + text_size(name, letters)[0] + letters // 2
    for step in range(steps):
        for row in range(count):
            tile = tiles[step, row].repeat(factor, axis=0).repeat(factor, axis=1)
            y, x = top + row * height, left + step * width
            picture[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
    return picture
