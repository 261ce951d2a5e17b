"""Make the README's pictures from the logs of `tb-filterviz demo`: some filters of LeNet, and all, as they form.

Run: python -m tests.make_readme_picture logs examples

The first picture shows filters whose finished pictures are unlike each other, those of the highest kept score first:
their pictures leave out least. `unlike_filters` is that rule. The second is an animation of all filters of the layer.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

LAYER = "conv2d_2"
STEPS = (-1, 0, 1, 4)  # of the first picture: later ones hardly differ from each other
SHOWN = 8
MOST_ALIKE = 0.5  # correlation of two finished pictures, one of them shifted by up to `SHIFT_PX` pixels
SHIFT_PX = 2
SCALE = 7
CAPTION_PX = 160
FORMING_SCALE = 4
FORMING_COLUMNS = 10
FORMING_GRAYS = 64  # fewer are seen, more take room
HEAD_PX = 30
FRAME_MS, LAST_FRAME_MS = 700, 2100
GAP_PX = 8
FONT_PX = 19

Pixels = npt.NDArray[np.uint8]


def main(log_dir: str, output: str) -> None:
    """Read the run, and make both pictures."""
    run = EventAccumulator(str(Path(log_dir) / "filters"), size_guidance={"tensors": 0})
    run.Reload()
    tiles, kept = read(run, f"filterviz/{LAYER}/tiles"), read(run, f"filterviz/{LAYER}/statistics/kept")
    last = max(tiles)
    filters = unlike_filters(tiles[last], kept[last])
    table(filters, {step: tiles[step][filters] for step in STEPS}).save(Path(output, "filters.png"), optimize=True)
    steps = sorted(tiles)
    first, *others = [frame(tiles[step], caption(step), place / (len(steps) - 1)) for place, step in enumerate(steps)]
    lasting = [FRAME_MS] * len(others) + [LAST_FRAME_MS]
    first.save(
        Path(output, "forming.png"), save_all=True, append_images=others, duration=lasting, loop=0, optimize=True
    )
    print("Filters:", *filters)


def read(run: EventAccumulator, tag: str) -> dict[int, npt.NDArray[Any]]:
    """Read a series, by step."""
    return {event.step: tensor_util.make_ndarray(event.tensor_proto) for event in run.Tensors(tag)}


def caption(step: int) -> str:
    """Say when a step is."""
    return "before training" if step < 0 else f"after {step + 1} epoch{'s' if step else ''}"


def unlike_filters(tiles: Pixels, kept: npt.NDArray[np.float32]) -> list[int]:
    """Choose filters by falling kept score, without those whose picture is like that of one chosen before.

    Args:
        tiles: uint8 ``[n, h, w, 1]``.
        kept: float32 ``[n]``.
    """
    chosen: list[int] = []
    for filter_ in map(int, np.argsort(-kept, kind="stable")):
        if len(chosen) < SHOWN and all(likeness(tiles[filter_], tiles[other]) <= MOST_ALIKE for other in chosen):
            chosen.append(filter_)
    return chosen


def likeness(one: Pixels, other: Pixels) -> float:
    """Compute the largest correlation of two tiles over all shifts of up to `SHIFT_PX` pixels."""
    shifts = range(-SHIFT_PX, SHIFT_PX + 1)
    return max(
        float(np.corrcoef(moved(one, down, right).ravel(), moved(other, -down, -right).ravel())[0, 1])
        for down in shifts
        for right in shifts
    )


def moved(tile: Pixels, down: int, right: int) -> Pixels:
    """Cut a tile to what it shares with another one that lies so many pixels from it."""
    height, width = tile.shape[:2]
    return tile[max(0, down) : height + min(0, down), max(0, right) : width + min(0, right)]


def enlarged(tile: Pixels, scale: int) -> Image.Image:
    """Enlarge a tile smoothly: the eye takes the edges of large pixels for the filter's."""
    picture = Image.fromarray(tile[..., 0])
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.BICUBIC)


def table(filters: list[int], tiles: dict[int, Pixels]) -> Image.Image:
    """Draw a column for each filter, and a row for each step, with its caption."""
    count, height, width = next(iter(tiles.values())).shape[:3]
    high, wide = height * SCALE + GAP_PX, width * SCALE + GAP_PX
    picture = Image.new("L", (CAPTION_PX + count * wide, HEAD_PX + len(tiles) * high), "white")
    draw = ImageDraw.Draw(picture)
    for column, filter_ in enumerate(filters):
        middle = (CAPTION_PX + column * wide + width * SCALE // 2, HEAD_PX // 2)
        draw.text(middle, f"filter {filter_}", fill=90, font_size=FONT_PX - 3, anchor="mm")
    for row, (step, of_step) in enumerate(sorted(tiles.items())):
        top = HEAD_PX + row * high
        middle = (CAPTION_PX - 2 * GAP_PX, top + height * SCALE // 2)
        draw.text(middle, caption(step), fill="black", font_size=FONT_PX, anchor="rm")
        for column, tile in enumerate(of_step):
            picture.paste(enlarged(tile, SCALE), (CAPTION_PX + column * wide, top))
    return picture


def frame(tiles: Pixels, text: str, passed: float) -> Image.Image:
    """Draw the grid of all filters at one step, below a caption, and a bar of how much of the training has passed."""
    count, height, width = tiles.shape[:3]
    high, wide = height * FORMING_SCALE + GAP_PX // 2, width * FORMING_SCALE + GAP_PX // 2
    rows = -(-count // FORMING_COLUMNS)
    picture = Image.new("L", (GAP_PX + FORMING_COLUMNS * wide, HEAD_PX + rows * high), "white")
    draw = ImageDraw.Draw(picture)
    draw.text((GAP_PX, HEAD_PX // 2), text, fill="black", font_size=FONT_PX, anchor="lm")
    left, right, middle = CAPTION_PX, picture.width - GAP_PX, HEAD_PX // 2
    draw.rectangle((left, middle - 2, right, middle + 2), fill=220)
    draw.rectangle((left, middle - 2, left + round(passed * (right - left)), middle + 2), fill=90)
    for place, tile in enumerate(tiles):
        row, column = divmod(place, FORMING_COLUMNS)
        picture.paste(enlarged(tile, FORMING_SCALE), (GAP_PX + column * wide, HEAD_PX + row * high))
    steps = 255 / (FORMING_GRAYS - 1)
    return picture.point([round(round(gray / steps) * steps) for gray in range(256)])


if __name__ == "__main__":
    main(*sys.argv[1:])
