"""Preconditioners: which direction an ascent takes for a gradient. They change the way, not what is scored.

In the space of pixels, an ascent follows the highest frequencies, to which convolutions answer most and eyes least. In
another basis of the same space, the steepest way is a smoother one.
Source: C. Olah, A. Mordvintsev, L. Schubert (2017), "Feature Visualization", section "Preconditioning and
Parameterization".
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_filterviz.parts.ascent_part import AscentPart
from tb_filterviz.parts.checks import check_number

Matrix = npt.NDArray[np.float32]

_SMALL_PX = 400  # of an image, to which one matrix of all its pixels is applied faster than one for each side

# Of the colours of natural images: how far pixels lie along each axis. Source: lucid, `optvis/param/color.py`.
_COLORS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])


@dataclass(frozen=True)
class SpectralDecay(AscentPart):
    """Weigh down high frequencies of the gradient, as those of natural images are.

    ``C^T (max(f, f0) ** (-2 power) * (C G C^T)) C`` for each channel ``G``, with ``C`` the orthonormal DCT-II of each
    side, ``f = hypot(i / 2h, j / 2w)`` in cycles a pixel, and ``f0 = 1 / max(h, w)``. Two matrix products a side, or
    one in all for few pixels: no complex numbers, and no wrapping around.

    Attributes:
        power: 0 changes nothing; 1 is the spectrum of natural images, and 0.5 keeps more of the filter's own.

    Raises:
        ConfigError: if the power is negative or no number.
    """

    name = "spectral_decay"
    description = "high frequencies of the gradient weigh less"
    power: float = 0.5

    def __post_init__(self) -> None:
        check_number(self, "power", low=0)

    def precondition(self, gradient: Any) -> Any:
        """Return the gradient with its frequencies weighed."""
        from keras import ops

        height, width = gradient.shape[1:3]
        if height * width <= _SMALL_PX:
            return _at_once(gradient, _decay(height, width, self.power))
        rows, columns = _cosines(height), _cosines(width)
        spectrum = _along_sides(gradient, rows, columns) * ops.convert_to_tensor(_weights(height, width, self.power))
        return _along_sides(spectrum, rows.T, columns.T)


@dataclass(frozen=True)
class GradientBlur(AscentPart):
    """Blur the gradient with a Gaussian, of which only what lies within the image counts.

    Source: A. Mordvintsev, C. Olah, M. Tyka (2015), "DeepDream", with blurred gradients.

    Attributes:
        sigma: standard deviation of the Gaussian, in pixels.

    Raises:
        ConfigError: if it is not positive.
    """

    name = "gradient_blur"
    description = "the gradient is blurred"
    sigma: float = 1.0

    def __post_init__(self) -> None:
        check_number(self, "sigma", low=0, is_low_allowed=False)

    def precondition(self, gradient: Any) -> Any:
        """Return the blurred gradient."""
        height, width = gradient.shape[1:3]
        return _along_sides(gradient, _gaussian(height, self.sigma), _gaussian(width, self.sigma))


@dataclass(frozen=True)
class ColorDecorrelation(AscentPart):
    """Weigh the colours of the gradient by how far natural images vary along them: brightness most.

    ``G U (S / max S) ** power U^T``, where ``A A^T = U S U^T`` and ``A`` is lucid's matrix of colours. A power of 1 is
    what plain ascent in lucid's decorrelated space amounts to; with steps of one length, it shows brightness alone, and
    a half is what shows colours. Images of other than three channels are left as they are.
    Source: C. Olah, A. Mordvintsev, L. Schubert (2017), "Feature Visualization".

    Attributes:
        power: 0 changes nothing.

    Raises:
        ConfigError: if the power is negative or no number.
    """

    name = "color_decorrelation"
    description = "colours of the gradient are weighed as those of natural images are"
    power: float = 0.5

    def __post_init__(self) -> None:
        check_number(self, "power", low=0)

    def precondition(self, gradient: Any) -> Any:
        """Return the gradient with its colours weighed."""
        from keras import ops

        return ops.matmul(gradient, ops.convert_to_tensor(_colors(self.power))) if gradient.shape[-1] == 3 else gradient


@lru_cache
def _cosines(size: int) -> Matrix:
    """Make the orthonormal DCT-II of a side, a row for each frequency."""
    places, frequencies = np.arange(size) + 0.5, np.arange(size)[:, None]
    matrix = np.sqrt(2 / size) * np.cos(np.pi * frequencies * places / size)
    matrix[0] /= np.sqrt(2)
    return np.asarray(matrix, np.float32)


@lru_cache
def _weights(height: int, width: int, power: float) -> Matrix:
    frequency = np.hypot(np.arange(height)[:, None] / (2 * height), np.arange(width) / (2 * width))
    weights = np.maximum(frequency, 1 / max(height, width)) ** (-2 * power)
    return np.asarray((weights / weights.max())[..., None], np.float32)


@lru_cache
def _decay(height: int, width: int, power: float) -> Matrix:
    """Make the whole of `SpectralDecay` as one matrix of all pixels, which is symmetric."""
    cosines = np.kron(_cosines(height), _cosines(width)).astype(np.float64)
    return np.asarray((cosines.T * _weights(height, width, power).ravel()) @ cosines, np.float32)


@lru_cache
def _gaussian(size: int, sigma: float) -> Matrix:
    places = np.arange(size)
    weights = np.exp(-np.square(places[:, None] - places) / (2 * sigma**2))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


@lru_cache
def _colors(power: float) -> Matrix:
    variances, axes = np.linalg.eigh(_COLORS @ _COLORS.T)
    return np.asarray((axes * (variances / variances.max()) ** power) @ axes.T, np.float32)


def _at_once(images: Any, matrix: Matrix) -> Any:
    """Multiply the pixels of each channel by a symmetric matrix."""
    from keras import ops

    count, height, width, channels = images.shape
    if channels == 1:
        flat = ops.matmul(ops.reshape(images, (count, height * width)), ops.convert_to_tensor(matrix))
    else:
        pixels = ops.reshape(images, (count, height * width, channels))
        flat = ops.matmul(ops.convert_to_tensor(matrix), pixels)
    return ops.reshape(flat, images.shape)


def _along_sides(images: Any, rows: Matrix, columns: Matrix) -> Any:
    """Multiply each channel ``[h, w]`` by a matrix from the left, and by another's transpose from the right."""
    from keras import ops

    turned = ops.matmul(ops.convert_to_tensor(columns), images)  # [n, h, w, c]: over the width
    return ops.einsum("ih,nhwc->niwc", ops.convert_to_tensor(rows), turned)
