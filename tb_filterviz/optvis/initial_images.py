"""What an ascent starts from: gray with some noise; and noise to compare with."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tb_filterviz.config import AscentConfig, Range

_NOISE_IMAGES = 16  # enough for a filter's standard deviation, even where a layer has one unit


def gray_noise(
    filters: Sequence[int] | npt.NDArray[np.int32],
    shape: Sequence[int],
    limits: Range,
    *,
    config: AscentConfig,
    seed: int,
    position: int,
) -> npt.NDArray[np.float32]:
    """Make gray images with uniform noise, ``gray + (u - 0.5) * noise`` on a scale of 0..255, stretched to `limits`.

    Args:
        filters: whose images; each has noise of its own, whatever others are drawn with it.
        shape: ``(h, w, c)`` of an image.
        limits: the model's input range, ``(low, high)``, each a number, or one for each channel.
        config: gray and noise.
        seed: of the run.
        position: of the layer, so that layers differ.

    Returns:
        float32 ``[n, h, w, c]``.
    """
    low, high = map(np.asarray, limits)
    images = np.empty((len(filters), *shape), np.float32)
    for i, index in enumerate(filters):
        uniform = np.random.default_rng([seed, position, int(index)]).random(tuple(shape))
        images[i] = low + (config.gray + (uniform - 0.5) * config.noise) / 255 * (high - low)
    return images


def noise_images(shape: Sequence[int], limits: Range, *, seed: int) -> npt.NDArray[np.float32]:
    """Make images of uniform noise over the whole of `limits`, float32 ``[16, h, w, c]``, the same for all layers.

    Args:
        shape: ``(h, w, c)`` of an image.
        limits: the model's input range, ``(low, high)``, each a number, or one for each channel.
        seed: of the run.
    """
    low, high = (np.asarray(limit, np.float32) for limit in limits)
    uniform = np.random.default_rng([seed, _NOISE_IMAGES]).random((_NOISE_IMAGES, *shape), np.float32)
    return np.asarray(low + uniform * (high - low), np.float32)
