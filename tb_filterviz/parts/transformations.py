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
                places = ops.clip(ops.arange(size, dtype="int32") - shifts[axis - 1], 0, size - 1)
                images = ops.take(images, places, axis=axis)
            return images
        matrices = ops.convert_to_tensor(_matrices(self, height, width))
        matrix = ops.take(matrices, step % _DRAWN, axis=0)
        each = (
            ops.zeros((images.shape[0], 8), "float32") + matrix
        )  # with memory of its own: Keras on PyTorch writes to it
        return ops.image.affine_transform(images, each, fill_mode="nearest", data_format="channels_last")


@lru_cache
def _shifts(most: float, seed: int) -> npt.NDArray[np.int32]:
    drawn = np.random.default_rng([7, seed]).uniform(-1, 1, (_DRAWN, 4))[:, :2]
    return np.rint(most * drawn).astype(np.int32)


@lru_cache
def _matrices(jitter: Jitter, height: int, width: int) -> npt.NDArray[np.float32]:
    """Make the 8 numbers that say, for a place that is shown, from where in the image it is taken: x first."""
    drawn = np.random.default_rng([7, jitter.seed]).uniform(-1, 1, (_DRAWN, 4))
    down, right = jitter.shift * drawn[:, 0], jitter.shift * drawn[:, 1]
    angle, scale = np.deg2rad(jitter.rotation) * drawn[:, 2], 1 + jitter.scale * drawn[:, 3]
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    x, y = (width - 1) / 2, (height - 1) / 2
    zero = np.zeros(_DRAWN)
    from_x = x - cosine * (x + right) + sine * (y + down)
    from_y = y - sine * (x + right) - cosine * (y + down)
    numbers = [cosine, -sine, from_x, sine, cosine, from_y, zero, zero]
    return np.stack(numbers, axis=1).astype(np.float32)
