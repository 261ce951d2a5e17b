"""Examples as the log holds them: small pictures, encoded, once for a run."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from tb_filterviz.examples.example_set import ExampleSet
from tb_filterviz.parts.tones import to_displayable

_LOSSLESS_PX = 64  # up to so many pixels a side, nothing is lost
_SIDES_PX = (256, 128, 64)  # of larger pictures, as many of them as the log may hold decide
_MOST_BYTES = 32 << 20
_QUALITY = 90
_PART_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredExamples:
    """A part of a run's examples, as it is written.

    Attributes:
        first: the place of the first of these among all.
        count: how many examples there are in all parts.
        shape: ``(height, width, channels)`` of the model's image.
        sides: height and width of the stored pictures.
        media_type: ``"image/png"`` or ``"image/jpeg"``.
        pictures: encoded, one after the other.
        labels: of each; empty without labels.
        class_names: of every class.
        mapped: places of the examples whose maps are logged.
    """

    first: int
    count: int
    shape: tuple[int, int, int]
    sides: tuple[int, int]
    media_type: str
    pictures: tuple[bytes, ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...]
    mapped: tuple[int, ...]


def stored_examples(
    examples: ExampleSet, as_pictures: Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]], mapped: Sequence[int]
) -> list[StoredExamples]:
    """Encode examples, smaller ones as PNG, larger ones as JPEG, and cut them into parts.

    Args:
        examples: all of them.
        as_pictures: brings images to what is seen of them, uint8 ``[n, h, w, c]``.
        mapped: places of the examples whose maps are logged.
    """
    height, width, channels = examples.images.shape[1:]
    encoded, sides, media_type = _encoded(examples, as_pictures)
    found, first = [], 0
    while first < len(encoded):
        last, size = first, 0
        while last < len(encoded) and (last == first or size + len(encoded[last]) <= _PART_BYTES):
            size += len(encoded[last])
            last += 1
        labels = () if examples.labels is None else tuple(examples.labels[first:last].tolist())
        found.append(
            StoredExamples(
                first=first,
                count=len(encoded),
                shape=(height, width, channels),
                sides=sides,
                media_type=media_type,
                pictures=tuple(encoded[first:last]),
                labels=labels,
                class_names=examples.class_names,
                mapped=tuple(mapped),
            )
        )
        first = last
    return found


def _encoded(
    examples: ExampleSet, as_pictures: Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]
) -> tuple[list[bytes], tuple[int, int], str]:
    height, width = examples.images.shape[1:3]
    is_small = max(height, width) <= _LOSSLESS_PX or height == 1
    for most in (max(height, width),) if is_small else _SIDES_PX:
        sides = _within(height, width, most)
        encoded = [_picture(as_pictures(image[None])[0], sides, is_small=is_small) for image in examples.images]
        if sum(map(len, encoded)) <= _MOST_BYTES:
            break
    return encoded, sides, "image/png" if is_small else "image/jpeg"


def _within(height: int, width: int, most: int) -> tuple[int, int]:
    share = min(1.0, most / max(height, width))
    return max(1, round(height * share)), max(1, round(width * share))


def _picture(pixels: npt.NDArray[np.uint8], sides: tuple[int, int], *, is_small: bool) -> bytes:
    shown = to_displayable(pixels[None])[0]
    picture = Image.fromarray(shown[..., 0] if shown.shape[-1] == 1 else shown)
    if picture.size != sides[::-1]:
        picture = picture.resize(sides[::-1], Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG") if is_small else picture.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    return buffer.getvalue()
