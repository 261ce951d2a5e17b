"""Regularizers and projections: what an image may not be, at a price or at all."""

from dataclasses import dataclass
from typing import Any

from tb_filterviz.parts.ascent_part import AscentPart
from tb_filterviz.parts.checks import check_number


@dataclass(frozen=True)
class TotalVariation(AscentPart):
    """Take from the score what neighbouring pixels differ by: ``weight * mean(|dx| + |dy|)``.

    Source: A. Mahendran, A. Vedaldi (2015), "Understanding deep image representations by inverting them".

    Attributes:
        weight: in units of the score, for each unit of the input.

    Raises:
        ConfigError: if it is negative or no number.
    """

    name = "total_variation"
    description = "neighbouring pixels that differ cost"
    weight: float = 0.5

    def __post_init__(self) -> None:
        check_number(self, "weight", low=0)

    def penalty(self, images: Any) -> Any:
        """Return what each image costs, ``[n]``."""
        from keras import ops

        down, right = images[:, 1:] - images[:, :-1], images[:, :, 1:] - images[:, :, :-1]
        size = images.shape[1] * images.shape[2] * images.shape[3]
        cost = ops.sum(ops.abs(down), axis=(1, 2, 3)) + ops.sum(ops.abs(right), axis=(1, 2, 3))
        return self.weight * cost / size


@dataclass(frozen=True)
class L2(AscentPart):
    """Take from the score how far pixels are from the image's mean: ``weight * mean((x - mean(x)) ** 2)``.

    Source: K. Simonyan, A. Vedaldi, A. Zisserman (2014), "Deep Inside Convolutional Networks".

    Attributes:
        weight: in units of the score, for each squared unit of the input.

    Raises:
        ConfigError: if it is negative or no number.
    """

    name = "l2"
    description = "pixels far from the mean cost"
    weight: float = 0.05

    def __post_init__(self) -> None:
        check_number(self, "weight", low=0)

    def penalty(self, images: Any) -> Any:
        """Return what each image costs, ``[n]``."""
        from keras import ops

        return self.weight * ops.var(images, axis=(1, 2, 3))


@dataclass(frozen=True)
class FixedContrast(AscentPart):
    """Keep each image's standard deviation: a walk on a sphere, on which nothing is gained by more contrast.

    Source: T. Fel et al. (2023), "Unlocking Feature Visualization for Deeper Networks with MAgnitude Constrained
    Optimization", which fixes the magnitude of each frequency; this fixes that of all together.

    Attributes:
        deviation: of an image, in the model's own units.

    Raises:
        ConfigError: if it is not positive.
    """

    name = "fixed_contrast"
    description = "every image keeps the same standard deviation"
    deviation: float = 0.2

    def __post_init__(self) -> None:
        check_number(self, "deviation", low=0, is_low_allowed=False)

    def project(self, images: Any) -> Any:
        """Return the images at that contrast."""
        from keras import ops

        mean = ops.mean(images, axis=(1, 2, 3), keepdims=True)
        centered = images - mean
        spread = ops.sqrt(ops.mean(ops.square(centered), axis=(1, 2, 3), keepdims=True))
        return mean + centered * (self.deviation / ops.maximum(spread, 1e-12))
