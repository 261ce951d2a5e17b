"""From images in a model's units to pictures: contrast, and what to do with channels that no screen has."""

import numpy as np
import numpy.typing as npt

_EPSILON = 1e-5


def to_uint8(images: npt.NDArray[np.float32], *, contrast: float) -> npt.NDArray[np.uint8]:
    """Each image by itself to mean 0.5 and standard deviation `contrast`, clipped to [0, 1], times 255.

    Source: F. Chollet (2016), "How convolutional neural networks see the world", `deprocess_image`.

    Args:
        images: ``[n, h, w, c]``, any range; what is not finite becomes the mean.
        contrast: standard deviation of the result, where 1 is the full range; the article's is 0.1.

    Returns:
        uint8 ``[n, h, w, c]``.
    """
    images = images.astype(np.float64)
    finite = np.isfinite(images)
    mean = np.where(finite, images, 0).sum(axis=(1, 2, 3), keepdims=True) / np.maximum(
        finite.sum(axis=(1, 2, 3), keepdims=True), 1
    )
    centered = np.where(finite, images, mean) - mean
    spread = centered.std(axis=(1, 2, 3), keepdims=True)
    return np.asarray(np.clip(centered / (spread + _EPSILON) * contrast + 0.5, 0, 1) * 255).astype(np.uint8)


def describe_channels(channels: int) -> str:
    """How `to_displayable` shows this many channels, in words."""
    if channels == 1:
        return "gray"
    if channels == 2:
        return "2 channels as red and green"
    return "RGB" if channels == 3 else f"the first 3 of {channels} channels as RGB"


def to_displayable(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """uint8 ``[n, h, w, c]`` with ``c`` 1 or 3: two channels get a blue of 128, those after the third are left out."""
    channels = pictures.shape[-1]
    if channels == 2:
        return np.concatenate([pictures, np.full_like(pictures[..., :1], 128)], axis=-1)
    return pictures[..., :3]
