"""The picture of the step before, seen again by the network of now; and the kernels then and now."""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from tb_filterviz.optvis.layer_types import is_as_keras_made_it

Images = npt.NDArray[np.float32]
Rows = npt.NDArray[np.float32]

_LAST = (keras.layers.Conv2D, keras.layers.Conv1D, keras.layers.Dense)
_BEFORE_LAST = (keras.layers.Conv2DTranspose, keras.layers.Conv1DTranspose)
_BY_CHANNEL = (keras.layers.DepthwiseConv2D, keras.layers.DepthwiseConv1D)
_SEPARABLE = (keras.layers.SeparableConv2D, keras.layers.SeparableConv1D)


@dataclass(frozen=True, kw_only=True, slots=True)
class Revisit:
    """What a statistic that needs the network of now, and what was drawn before, is given.

    Attributes:
        images: float32 ``[n, h, w, c]``, what climbed at this step, in the model's own units.
        before: the same, at the step before.
        kernels: float32 ``[n, k]``, of each filter; None of layers whose filters have none.
        kernels_before: the same, at the step before.
        rises: of images ``[n, h, w, c]``, brought to the contrast of a picture, how far the score of filter ``f_i``, as
            it is now, rises with image ``i`` over that of gray: float32 ``[n]``.
    """

    images: Images
    before: Images
    kernels: Rows | None
    kernels_before: Rows | None
    rises: Callable[[Images], npt.NDArray[np.float32]]


def kernels_of(layer: keras.Layer, filters: npt.NDArray[np.int32]) -> Rows | None:
    """Return the kernel of each filter in one row, float32 ``[n, k]``; None of layers whose filters have none.

    Of a separable convolution, it is the product of both of its kernels.
    """
    kinds = (*_LAST, *_BEFORE_LAST, *_BY_CHANNEL, *_SEPARABLE)
    if type(layer) not in kinds or not is_as_keras_made_it(layer):
        return None
    first, *rest = (np.asarray(weights, np.float32) for weights in layer.get_weights())
    if isinstance(layer, _BEFORE_LAST):
        first = np.moveaxis(first, -2, -1)
    elif isinstance(layer, _BY_CHANNEL):
        first = first.reshape(-1, first.shape[-2] * first.shape[-1])
    elif isinstance(layer, _SEPARABLE):
        channels = first.shape[-2] * first.shape[-1]
        first = first.reshape(-1, channels, 1) * rest[0].reshape(1, channels, -1)
    return np.ascontiguousarray(first.reshape(-1, first.shape[-1]).T[filters])


def at_one_contrast(images: Images, middle: Images, deviation: Images) -> Images:
    """Bring each image to mean `middle` and standard deviation `deviation`, numbers or one for each channel."""
    centered = (images - images.mean(axis=(1, 2, 3), keepdims=True)) / deviation
    spread = np.maximum(centered.std(axis=(1, 2, 3), keepdims=True), 1e-12)
    return np.asarray(middle + centered / spread * deviation, np.float32)
