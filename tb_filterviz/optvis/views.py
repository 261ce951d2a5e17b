"""Which objective shows something in a layer, and which part of the picture it draws on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz.config import Config, Objective
from tb_filterviz.optvis import backends, weights
from tb_filterviz.optvis.objectives import center_unit
from tb_filterviz.optvis.probe import Target, full_response, reach, told_of_target
from tb_filterviz.optvis.subject import Subject
from tb_filterviz.optvis.survey import Surveyed, samples, survey


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of an image, in pixels."""

    top: int
    left: int
    height: int
    width: int

    def cut(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """This part of images ``[n, h, w, c]``."""
        return images[:, self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True, slots=True)
class View:
    """How a layer is looked at."""

    objective: Objective
    box: Box | None  # the receptive field to cut to; None: the whole image
    is_affine: bool = False  # known to be linear in the image, up to a constant


def receptive_field(subject: Subject, target: Target, span: float) -> Box | None:
    """The smallest box of pixels that the layer's centre unit sees; None if it sees none.

    Measured as the pixels where the gradient of any filter is not 0, over several random images.
    """
    read = full_response(target.layer)

    def mixed_center(images: Any) -> Any:
        units = center_unit(reach(subject, target, images, read))
        mixture = np.random.default_rng(1).uniform(0.5, 1.5, units.shape[1:]).astype(np.float32)
        return ops.sum(units * ops.convert_to_tensor(mixture), axis=-1)

    images = ops.convert_to_tensor(samples(subject.shape, 8, span))
    _, gradient = backends.current().value_and_gradient(mixed_center)(images)
    seen = np.abs(ops.convert_to_numpy(gradient)).max(axis=(0, 3)) > 0
    if not seen.any():
        return None
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return Box(top, left, int(rows[-1]) - top + 1, int(columns[-1]) - left + 1)


def choose_view(subject: Subject, target: Target, surveyed: Surveyed, span: float, config: Config) -> View:
    """The configured objective; for ``"auto"`` the channel's mean, or the centre unit where the mean is flat.

    It is flat where the response is linear in the image: then the mean's gradient is one constant per pixel.
    """
    objective, affine = config.objective, False
    if objective == "auto":
        affine = surveyed.is_affine
        objective = "center_unit" if affine else "channel_mean"
    wants_box = config.crop and objective == "center_unit"
    return View(objective, receptive_field(subject, target, span) if wants_box else None, affine)


def look_at(
    subject: Subject, targets: Sequence[Target], span: float, config: Config
) -> list[tuple[Target, Surveyed, View]]:
    """What is to be known of each target, and how it is looked at; from the model's structure, whatever its weights.

    Raises:
        ModelError: if the model's forward pass fails, or does not call a layer, or not as often as asked for.
    """
    found = []
    with weights.given(weights.typical(subject.model)):
        surveyed = survey(subject, targets, span)
        for target in targets:
            with told_of_target(target):
                view = choose_view(subject, target, surveyed[target.path], span, config)
            found.append((target, surveyed[target.path], view))
    return found
