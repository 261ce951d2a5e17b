"""Tone mappings: from images in a model's own units to pictures that a screen shows."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tb_filterviz.parts.registry import check_callable, check_texts, registered, resolve

Images = npt.NDArray[np.float32]
Pictures = npt.NDArray[np.uint8]

_EPSILON = 1e-5


@dataclass(frozen=True, kw_only=True)
class ToneMapping:
    """How images become pictures, each by itself.

    ```python
    def stretch(images, contrast):
        low, high = images.min((1, 2, 3), keepdims=True), images.max((1, 2, 3), keepdims=True)
        return ((images - low) / np.maximum(high - low, 1e-9) * 255).astype(np.uint8)

    tone = ToneMapping(name="stretch", apply=stretch, description="darkest to brightest value")
    ```

    Attributes:
        name: what it is called in settings and in the log.
        apply: a function ``apply(images, contrast)`` of float32 ``[n, h, w, c]``, any range, not always finite, and
            of `Config.contrast`, which it may leave unused. Returns uint8 of the same shape.
        description: how, in a few words.
        label: what the tab calls it; without it, the name.

    Raises:
        ConfigError: if a field cannot work.
    """

    name: str
    apply: Callable[[Images, float], Pictures]
    description: str
    label: str = ""

    def __post_init__(self) -> None:
        check_texts("tone mapping", name=self.name, label=self.label, description=self.description)
        check_callable("tone mapping", self.name, "apply", self.apply)


def to_uint8(images: Images, contrast: float) -> Pictures:
    """Bring each image by itself to mean 0.5 and standard deviation `contrast`, clip to [0, 1], times 255.

    Source: F. Chollet (2016), "How convolutional neural networks see the world", `deprocess_image`.

    Args:
        images: ``[n, h, w, c]``, any range; what is not finite becomes the mean.
        contrast: standard deviation of the result, where 1 is the full range; the article's is 0.1.

    Returns:
        uint8 ``[n, h, w, c]``.
    """
    values = images.astype(np.float64)
    finite = np.isfinite(values)
    mean = np.where(finite, values, 0).sum(axis=(1, 2, 3), keepdims=True) / np.maximum(
        finite.sum(axis=(1, 2, 3), keepdims=True), 1
    )
    centered = np.where(finite, values, mean) - mean
    spread = centered.std(axis=(1, 2, 3), keepdims=True)
    return np.asarray(np.clip(centered / (spread + _EPSILON) * contrast + 0.5, 0, 1) * 255).astype(np.uint8)


standardized = ToneMapping(
    name="standardized",
    apply=to_uint8,
    description="each picture by itself to gray on average, with the same contrast",
)


def to_uint8_by_channel(images: Images, contrast: float) -> Pictures:
    """Bring each channel of an image to mean 0.5, and the image to standard deviation `contrast`, as `to_uint8` does.

    A cast of colour that lies over the whole image goes.

    Args:
        images: ``[n, h, w, c]``, any range; what is not finite becomes the channel's mean.
        contrast: standard deviation of the result, where 1 is the full range.

    Returns:
        uint8 ``[n, h, w, c]``.
    """
    values = np.where(np.isfinite(images), images, np.nan).astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a channel may hold nothing that is finite
        means = np.nan_to_num(np.nanmean(values, axis=(1, 2), keepdims=True))
    return to_uint8(np.nan_to_num(values - means).astype(np.float32), contrast)


standardized_by_channel = ToneMapping(
    name="standardized_by_channel",
    apply=to_uint8_by_channel,
    description="each channel by itself to gray on average, and each picture to the same contrast",
)

TONES = registered((standardized, standardized_by_channel))


def tone_of(tone: object) -> ToneMapping:
    """Return the tone mapping itself, or the one of that name; ``"auto"`` is none of these.

    Raises:
        ConfigError: if it is neither.
    """
    return resolve(tone, TONES, ToneMapping, "tone", also=["auto"])


def describe_channels(channels: int) -> str:
    """Say how `to_displayable` shows this many channels."""
    if channels == 1:
        return "gray"
    if channels == 2:
        return "2 channels as red and green"
    return "RGB" if channels == 3 else f"the first 3 of {channels} channels as RGB"


def to_displayable(pictures: Pictures) -> Pictures:
    """Make 1 or 3 channels of any: two channels get a blue of 128, those after the third are left out.

    Args:
        pictures: uint8 ``[n, h, w, c]``.
    """
    channels = pictures.shape[-1]
    if channels == 2:
        return np.concatenate([pictures, np.full_like(pictures[..., :1], 128)], axis=-1)
    return pictures[..., :3]
