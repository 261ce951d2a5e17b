"""Transformations: what the model is shown in place of the image, another one at every step.

A picture that excites a filter wherever it lies, and turned a little, is not one of single pixels.
Source: A. Mordvintsev, C. Olah, M. Tyka (2015), "DeepDream" (jitter); C. Olah, A. Mordvintsev, L. Schubert (2017),
"Feature Visualization", section "Transformation Robustness".
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_filterviz.parts.ascent_part import AscentPart
from tb_filterviz.parts.checks import check_number

_DRAWN = 1024  # throws of the dice; then they come again


@dataclass(frozen=True)
class Jitter(AscentPart):
    """Show the model the image shifted, turned and scaled at random; the same at each step of every epoch and filter.

    What comes in at a border is the border's pixel. Shifts alone are of whole pixels, and take no value between them.

    Attributes:
        shift: the most that it is shifted along each side, in pixels.
        rotation: the most that it is turned about its middle, in degrees, to either side.
        scale: the most that it is enlarged or reduced, as a share of its size.
        seed: of the dice.

    Raises:
        ConfigError: if a setting is negative or no number.
    """

    name = "jitter"
    description = "shifted, turned and scaled at random, alike at every epoch"
    shift: float = 4.0
    rotation: float = 0.0
    scale: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_number(self, "shift", low=0)
        check_number(self, "rotation", low=0, high=180)
        check_number(self, "scale", low=0, high=0.9)
        check_number(self, "seed", low=0)

    def transform(self, images: Any, step: Any) -> Any:
        """Return the images as they are shown at a step."""
        from keras import ops

        height, width = images.shape[1:3]
        if not (self.rotation or self.scale):
            shifts = ops.take(ops.convert_to_tensor(_shifts(self.shift, self.seed)), step % _DRAWN, axis=0)
            for axis, size in ((1, height), (2, width)):
                images = _taken(images, ops.clip(ops.arange(size, dtype="int32") - shifts[axis - 1], 0, size - 1), axis)
            return images
        matrices = ops.convert_to_tensor(_matrices(self, height, width))
        return _moved(images, ops.take(matrices, step % _DRAWN, axis=0))


def _moved(images: Any, matrix: Any) -> Any:
    """Look at all images at the places that 6 numbers say, between pixels as well.

    Keras' `affine_transform` takes a matrix for each image, and up to 8 times as long; on TensorFlow, its gradient is
    not that of what it shows.
    """
    from keras import ops

    height, width, channels = images.shape[1:]
    x, y = ops.arange(width, dtype="float32"), ops.arange(height, dtype="float32")[:, None]
    x, y = matrix[0] * x + matrix[1] * y + matrix[2], matrix[3] * x + matrix[4] * y + matrix[5]
    x, y = ops.clip(x, 0, width - 1), ops.clip(y, 0, height - 1)
    columns, rows = _between(x, width), _between(y, height)
    pixels = ops.reshape(images, (-1, height * width, channels))
    shown = sum(
        _taken(pixels, ops.reshape(row * width + column, (-1,)), axis=1) * ops.reshape(of_row * of_column, (1, -1, 1))
        for row, of_row in rows
        for column, of_column in columns
    )
    return ops.reshape(shown, (-1, height, width, channels))


def _between(places: Any, size: int) -> list[tuple[Any, Any]]:
    """Name the two whole places around each, and the shares that they have in it."""
    from keras import ops

    before = ops.floor(places)
    first = ops.cast(before, "int32")
    return [(first, before + 1 - places), (ops.minimum(first + 1, size - 1), places - before)]


def _taken(images: Any, places: Any, axis: int) -> Any:
    """Take places along an axis, some of them more than once."""
    from keras import backend, ops

    if backend.backend() == "tensorflow":
        return ops.take(images, places, axis=axis)
    # As PyTorch's `index_select`, but its gradient adds up in one order, also on a GPU.
    return images[(slice(None),) * axis + (places,)]


@lru_cache
def _shifts(most: float, seed: int) -> npt.NDArray[np.int32]:
    drawn = np.random.default_rng([7, seed]).uniform(-1, 1, (_DRAWN, 4))[:, :2]
    return np.rint(most * drawn).astype(np.int32)


@lru_cache
def _matrices(jitter: Jitter, height: int, width: int) -> npt.NDArray[np.float32]:
    """Make the 6 numbers that say, for a place that is shown, from where in the image it is taken: x first."""
    drawn = np.random.default_rng([7, jitter.seed]).uniform(-1, 1, (_DRAWN, 4))
    down, right = jitter.shift * drawn[:, 0], jitter.shift * drawn[:, 1]
    angle, scale = np.deg2rad(jitter.rotation) * drawn[:, 2], 1 + jitter.scale * drawn[:, 3]
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    x, y = (width - 1) / 2, (height - 1) / 2
    from_x = x - cosine * (x + right) + sine * (y + down)
    from_y = y - sine * (x + right) - cosine * (y + down)
    numbers = [cosine, -sine, from_x, sine, cosine, from_y]
    return np.stack(numbers, axis=1).astype(np.float32)
