"""Words on pictures."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from tb_filterviz.imaging.layout import Pixels

SMALLEST_PX, LARGEST_PX = 10, 20  # of letters
PADDING_PX = 4
BEFORE = "before training"


@cache
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def text_size(text: str, size_px: int) -> tuple[int, int]:
    """Measure a line of text: its width and height, in pixels."""
    left, _, right, _ = _font(size_px).getbbox(text)
    return int(np.ceil(right - left)), round(1.4 * size_px)


def write(picture: npt.NDArray[np.uint8], text: str, top: int, left: int, size_px: int) -> None:
    """Write a line of text on an even part of a picture, uint8 ``[h, w, c]``, in place: white on black, or reversed."""
    width, height = text_size(text, size_px)
    line = Image.new("L", (max(1, width), height))
    ImageDraw.Draw(line).text((0, 0), text, fill=255, font=_font(size_px))
    height, width = min(height, picture.shape[0] - top), min(width, picture.shape[1] - left)
    if height > 0 and width > 0:
        ink = np.asarray(line)[:height, :width, None]
        is_dark = picture[top, left].max() < 128
        picture[top : top + height, left : left + width] = ink if is_dark else 255 - ink


def spoken_step(step: int, unit: str) -> str:
    """Name a step as the tab does."""
    if step < 0 or (unit == "batch" and step == 0):
        return BEFORE
    return f"{unit} {step}"


def spoken_steps(steps: Sequence[int], unit: str) -> str:
    """Name the first and the last of some steps, and say how many there are."""
    noun = {"epoch": "epochs", "batch": "batches"}[unit]
    return f"{noun} {steps[0]} to {steps[-1]} ({len(steps)} steps)"


def spoken_tiles(count: int, height: int, width: int) -> str:
    """Say how many filters there are, and how large their tiles."""
    return f"{count} filter{'' if count == 1 else 's'} of {width} x {height} px"


def spoken_marks(responsive: npt.NDArray[np.bool_], flat: npt.NDArray[np.bool_], *, are_explained: bool = True) -> str:
    """Say how many filters are stuck or flat, and by which marks a grid tells them; empty if none is."""
    counts = {"stuck": (~responsive).sum(), "flat": (flat & responsive).sum()}
    marks = {"stuck": " (crossed out)", "flat": " (underlined)"} if are_explained else {}
    return ", ".join(f"{count} {name}{marks.get(name, '')}" for name, count in counts.items() if count)


def letters_px(width: int, text: str) -> int:
    """Choose how large letters are below a picture of a width, so that a text fits if it can."""
    sizes = range(LARGEST_PX, SMALLEST_PX - 1, -1)
    return next((size for size in sizes if text_size(text, size)[0] + 2 * PADDING_PX <= width), SMALLEST_PX)


def captioned(picture: Pixels, text: str, *, size_px: int, ground: int = 0) -> Pixels:
    """Put a line of text below a picture.

    Args:
        picture: uint8 ``[h, w, c]``.
        text: one line; what does not fit is cut off.
        size_px: of the letters.
        ground: 0 for white on black, 255 for black on white.

    Returns:
        uint8 ``[h + some, w, c]``, wider where the text is.
    """
    text_width, text_height = text_size(text, size_px)
    height, width, channels = picture.shape
    shape = (height + text_height + 2 * PADDING_PX, max(width, text_width + 2 * PADDING_PX), channels)
    whole = np.full(shape, ground, np.uint8)
    whole[:height, :width] = picture
    write(whole, text, height + PADDING_PX, PADDING_PX, size_px)
    return whole
