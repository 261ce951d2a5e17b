"""What an ascent starts from: gray with some noise, and the range of intensities that the model expects."""

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from tb_filterviz.config import AscentConfig
from tb_filterviz.optvis.image_model import leaves

Range = tuple[float, float]


def input_range(model: keras.Model) -> Range:
    """Find the intensities that the model takes: what its first `Rescaling` layer maps to [0, 1] or [-1, 1].

    Without such a layer it is (0, 1).
    """
    for _, layer in leaves(model):
        if isinstance(layer, keras.layers.Rescaling):
            scale, offset = float(np.mean(layer.scale)), float(np.mean(layer.offset))
            return (0.0, (-2 * offset if offset < 0 else 1.0) / scale)
        if layer.weights and not isinstance(layer, keras.Model):
            break
    return (0.0, 1.0)


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
        limits: the model's input range.
        config: gray and noise.
        seed: of the run.
        position: of the layer, so that layers differ.

    Returns:
        float32 ``[n, h, w, c]``.
    """
    low, high = limits
    images = np.empty((len(filters), *shape), np.float32)
    for i, index in enumerate(filters):
        uniform = np.random.default_rng([seed, position, int(index)]).random(tuple(shape))
        images[i] = low + (config.gray + (uniform - 0.5) * config.noise) / 255 * (high - low)
    return images
