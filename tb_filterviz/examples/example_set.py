"""Examples as they are measured with: arrays in memory."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_filterviz.errors import ConfigError

_MOST_CLASSES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleSet:
    """Images, and what is known of them.

    Attributes:
        images: ``[n, h, w, c]``, of any type of numbers.
        targets: what the model is trained to answer, ``[n, ...]``; None if that is not known.
        labels: int32 ``[n]``, the class of each, from 0; None if targets are no classes.
        class_names: of every class that there is; empty without labels.
        are_pictures: True if they are pictures of 0 to 255 in red, green and blue, which the model is not given as
            they are.
        origin: where they come from, in words that complete "examples are".
    """

    images: npt.NDArray[Any]
    targets: npt.NDArray[Any] | None
    labels: npt.NDArray[np.int32] | None
    class_names: tuple[str, ...]
    are_pictures: bool
    origin: str

    def __len__(self) -> int:
        return len(self.images)

    @property
    def fingerprint(self) -> str:
        """Tell one set of examples from another."""
        digest = hashlib.sha256(f"{self.images.shape} {self.images.dtype} {self.class_names}".encode())
        digest.update(np.ascontiguousarray(self.images).tobytes())
        if self.targets is not None:
            digest.update(np.ascontiguousarray(self.targets).tobytes())
        return digest.hexdigest()[:16]


def example_set(
    images: Any,
    targets: Any,
    *,
    shape: tuple[int, int, int],
    class_names: Sequence[str] | None,
    origin: str,
    are_pictures: bool = False,
) -> ExampleSet:
    """See that images and targets fit the model and each other, and find the classes.

    Args:
        images: what was read.
        targets: likewise; None if there are none.
        shape: ``(height, width, channels)`` of the model's image; a signal has a height of 1.
        class_names: as the user gave them.
        origin: see `ExampleSet`.
        are_pictures: likewise.

    Raises:
        ConfigError: if they do not.
    """
    images = as_images(images, shape)
    if images.shape[1:] != shape:
        raise ConfigError(
            f"`examples` are {_size(images.shape[1:])}, and the model takes {_size(shape)}. Resize them, as they are "
            "for the training."
        )
    if targets is not None:
        targets = np.asarray(targets)
        if targets.ndim == 0 or len(targets) != len(images):
            count = 0 if targets.ndim == 0 else len(targets)
            raise ConfigError(f"`examples` holds {len(images)} images and {count} labels: there must be one for each.")
        if targets.ndim == 1 and targets.dtype.kind in "OUS":  # names of classes
            names, targets = np.unique(targets.astype(str), return_inverse=True)
            class_names = class_names or names.tolist()
    labels = labels_of(targets)
    return ExampleSet(
        images=images,
        targets=targets,
        labels=labels,
        class_names=_names(labels, class_names),
        are_pictures=are_pictures,
        origin=origin,
    )


def _size(shape: Sequence[int]) -> str:
    height, width, channels = shape
    kind = f"signals of {width}" if height == 1 else f"images of {height} x {width} pixels"
    return f"{kind} and {channels} channel{'' if channels == 1 else 's'}"


def spread(length: int, most: int) -> npt.NDArray[np.int64]:
    """Choose `most` places of so many, evenly: what is sorted by class is then still all there."""
    return np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(np.int64))


def as_images(examples: Any, shape: tuple[int, int, int]) -> npt.NDArray[Any]:
    """Return images ``[n, h, w, c]``; gray ones and signals may lack an axis.

    Raises:
        ConfigError: if they are not images with the channels of `shape`, or not finite, or all of one value.
    """
    try:
        images = np.asarray(examples)
    except ValueError as error:
        raise ConfigError(f"`examples` must be images of one size: {error}") from error
    if images.dtype.kind == "V" or images.dtype.name == "bfloat16":
        images = images.astype(np.float32)
    if images.ndim == 3 and shape[2] == 1 and shape[0] > 1:
        images = images[..., None]
    if images.ndim == 3 and shape[0] == 1:
        images = images[:, None]
    if images.ndim != 4 or images.shape[-1] != shape[2] or not images.size or images.dtype.kind not in "biuf":
        raise ConfigError(
            f"`examples` must be an array of images [n, height, width, {shape[2]}], or a pair of such an array and "
            f"labels. Received: an array of shape {images.shape} and dtype {images.dtype}"
        )
    wrong = ~np.isfinite(images).all(axis=(1, 2, 3))
    if wrong.any():
        raise ConfigError(
            f"`examples` must be finite numbers: {int(wrong.sum())} of {len(images)} images hold NaN or infinity, "
            f"the first of them image {int(wrong.argmax())}."
        )
    if images.min() == images.max():
        raise ConfigError(
            f"`examples` must be images, and must not be all of one value. Received: {images.min()} in every pixel"
        )
    return images


def labels_of(targets: npt.NDArray[Any] | None) -> npt.NDArray[np.int32] | None:
    """Read classes from targets: whole numbers from 0, or rows with a single 1; None if they are anything else."""
    if targets is None:
        return None
    values = targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets
    if values.dtype.kind not in "biuf":
        return None
    if values.ndim == 2 and np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all():
        return np.asarray(values.argmax(axis=1), np.int32)
    if values.ndim != 1 or not (values == np.round(values)).all():
        return None
    return np.asarray(values, np.int32) if values.min() >= 0 and values.max() < _MOST_CLASSES else None


def _names(labels: npt.NDArray[np.int32] | None, said: Sequence[str] | None) -> tuple[str, ...]:
    if labels is None:
        if said is not None:
            raise ConfigError("`class_names` goes with labels that are whole numbers from 0, or rows with a single 1.")
        return ()
    count = int(labels.max()) + 1
    if said is None:
        return tuple(map(str, range(count)))
    if len(said) < count:
        raise ConfigError(f"`class_names` has {len(said)} names, and there are labels up to {count - 1}.")
    return tuple(said)
