"""Which LeNet a file of weights is of: for images of which size, with how many channels and classes."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from tb_filterviz.checkpoints import archive, hdf5
from tb_filterviz.checkpoints.formats import Checkpoint, Kind
from tb_filterviz.checkpoints.hdf5 import Shape
from tb_filterviz.errors import CheckpointError, CheckpointWarning

Sizes = tuple[int, int, int, int]  # width, height, channels, classes: what `build_lenet` takes

_IN_HDF5 = (Kind.MODEL, Kind.WEIGHTS, Kind.LEGACY_MODEL, Kind.LEGACY_WEIGHTS)
_ARTICLE = (28, 28, 1, 10)
_FILTERS = 50  # of the second convolution
_POOLED = 4  # pixels of a side that become one
_LOST = 12  # pixels of a side, if convolutions are not padded


@dataclass(frozen=True, slots=True)
class LeNetShape:
    """What the shapes in a file say of the LeNet that it is of.

    Attributes:
        channels: of its images.
        pixels: of an image, behind the last pooling.
        classes: that it tells apart.
    """

    channels: int
    pixels: int
    classes: int

    def fits(self, width: int, height: int) -> bool:
        """Tell whether images of this size have so many pixels behind the last pooling."""
        return (width // _POOLED) * (height // _POOLED) == self.pixels


def lenet_shape(shapes: Sequence[Shape]) -> LeNetShape | None:
    """Tell which LeNet stores arrays of these shapes, in any order, its optimizer's among them; None if none does."""
    kernels = {shape for shape in shapes if len(shape) == 4}
    tables = {shape for shape in shapes if len(shape) == 2}
    first, dense, last = (
        [shape[2] for shape in kernels if shape[:2] == (5, 5) and shape[3] == 20],
        [shape[0] for shape in tables if shape[1] == 500 and shape[0] % _FILTERS == 0],
        [shape[1] for shape in tables if shape[0] == 500],
    )
    is_lenet = len(kernels) == len(tables) == 2 and (5, 5, 20, _FILTERS) in kernels
    if not is_lenet or not len(first) == len(dense) == len(last) == 1 or (last[0],) not in shapes:
        return None
    return LeNetShape(first[0], dense[0] // _FILTERS, last[0])


def lenet_sizes(checkpoint: Checkpoint, image_shape: Sequence[int] | None = None) -> Sizes:
    """Find the sizes of the LeNet whose weights these are: those of the article, unless the file says others.

    What the file cannot say is how large the images are: 28 to 31 pixels are the same to it, and so are larger ones
    without padding. If they are not as the article's, somebody has to say their size.

    Args:
        checkpoint: with weights.
        image_shape: ``(height, width)`` of the images, and their channels; None if nobody said it.

    Raises:
        CheckpointError: if it is a LeNet for images of other sizes, with those that fit.
    """
    found = lenet_shape(_shapes(checkpoint)) if checkpoint.kind in _IN_HDF5 else None
    height, width, channels = (*(image_shape or ()), *_ARTICLE[len(image_shape or ()) : 3])
    if found is None:
        return (width, height, channels, _ARTICLE[3])
    if not found.fits(width, height):
        raise CheckpointError(_of_other_images(checkpoint, found, image_shape))
    sizes = (width, height, found.channels, found.classes)
    if sizes != _ARTICLE:
        warnings.warn(
            f"{str(checkpoint)!r} is taken for a LeNet for images of {height} x {width} pixels and {found.channels} "
            f"channel{'' if found.channels == 1 else 's'}, with {found.classes} classes, as its arrays say."
            + ("" if image_shape else " Images of up to 31 x 31 fit as well: --image-shape HxW says another size."),
            CheckpointWarning,
            stacklevel=2,
        )
    return sizes


def _shapes(checkpoint: Checkpoint) -> list[Shape]:
    if checkpoint.kind is Kind.MODEL:
        with archive.unpacked_weights(checkpoint.path) as path:
            return [array.shape for array in hdf5.arrays(path, of=checkpoint.path).values()]
    return [array.shape for array in hdf5.arrays(checkpoint.path).values()]


def _of_other_images(checkpoint: Checkpoint, found: LeNetShape, image_shape: Sequence[int] | None) -> str:
    rows, columns = _sides(found.pixels)
    height, width = rows * _POOLED, columns * _POOLED
    called = f"build_lenet(width={width}, height={height}, depth={found.channels}, classes={found.classes})"
    asked = "28 x 28" if image_shape is None else f"{image_shape[0]} x {image_shape[1]}"
    unpadded = f" (or, without padding, of {height + _LOST} x {width + _LOST})" if rows == columns else ""
    return (
        f"{str(checkpoint)!r} is of a LeNet with {found.channels} channel{'' if found.channels == 1 else 's'} and "
        f"{found.classes} classes, and not for images of {asked} pixels: behind the last pooling, it has "
        f"{found.pixels} pixels. That fits images of {height} x {width}, up to {height + 3} x {width + 3}{unpadded}. "
        f"Say which: --image-shape {height}x{width} (image_shape=({height}, {width}) in Python); or build it in "
        f"Python, with {called} for example, and say --model package.module:factory."
    )


def _sides(pixels: int) -> tuple[int, int]:
    """Find the two whole numbers with this product that are nearest to each other."""
    rows = next(side for side in range(isqrt(pixels), 0, -1) if pixels % side == 0)
    return rows, pixels // rows
