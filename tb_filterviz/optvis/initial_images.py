"""What an ascent starts from: gray with some noise; and noise to compare with."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tb_filterviz.config import Range

_MOST_NOISE_IMAGES = 16  # enough for a filter's standard deviation, even where a layer has one unit
_LEAST_NOISE_IMAGES = 2
_NOISE_UNITS = 256  # that answer to noise


def gray_of(limits: Range, gray: float) -> npt.NDArray[np.float32]:
    """Return a gray of 0 to 255 in the model's own units, a number, or one for each channel."""
    low, high = (np.asarray(limit, np.float32) for limit in limits)
    return np.asarray(low + gray / 255 * (high - low), np.float32)


def gray_noise(
    filters: Sequence[int] | npt.NDArray[np.int32],
    shape: Sequence[int],
    limits: Range,
    *,
    gray: float,
    noise: float,
    seed: int,
    position: int,
    start: int = 0,
) -> npt.NDArray[np.float32]:
    """Make gray images with uniform noise, ``gray + (u - 0.5) * noise`` on a scale of 0..255, stretched to `limits`.

    Args:
        filters: whose images; each has noise of its own, whatever others are drawn with it.
        shape: ``(h, w, c)`` of an image.
        limits: the model's input range, ``(low, high)``, each a number, or one for each channel.
        gray: in the middle, 0 to 255.
        noise: its width, 0 to 255.
        seed: of the run.
        position: of the layer, so that layers differ.
        start: which of several start noises.

    Returns:
        float32 ``[n, h, w, c]``.
    """
    low, high = map(np.asarray, limits)
    images = np.empty((len(filters), *shape), np.float32)
    for i, index in enumerate(filters):
        entropy = [seed, position, int(index), *([start] if start else [])]
        uniform = np.random.default_rng(entropy).random(tuple(shape))
        images[i] = low + (gray + (uniform - 0.5) * noise) / 255 * (high - low)
    return images


def noise_count(units: int) -> int:
    """Tell how many images of noise are enough for a layer: few where each is seen by many units.

    Args:
        units: of a filter, whose answers to one image are averaged.
    """
    return min(_MOST_NOISE_IMAGES, max(_LEAST_NOISE_IMAGES, -(-_NOISE_UNITS // max(units, 1))))


def noise_images(count: int, shape: Sequence[int], limits: Range, *, seed: int) -> npt.NDArray[np.float32]:
    """Make images of uniform noise over the whole of `limits`, float32 ``[count, h, w, c]``, the same for all layers.

    Args:
        count: how many.
        shape: ``(h, w, c)`` of an image.
        limits: the model's input range, ``(low, high)``, each a number, or one for each channel.
        seed: of the run.
    """
    low, high = (np.asarray(limit, np.float32) for limit in limits)
    uniform = np.random.default_rng([seed, _MOST_NOISE_IMAGES]).random((count, *shape), np.float32)
    return np.asarray(low + uniform * (high - low), np.float32)
