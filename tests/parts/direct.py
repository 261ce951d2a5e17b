"""Gradient ascent as one writes it down: layers are called, the score's gradient is taken, nothing is left out."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz import AscentPart
from tb_filterviz.optvis import backends

Images = npt.NDArray[np.float32]
Score = Callable[[Any, int], Any]  # of responses [1, h, w, channels], and a filter


def climb(
    respond: Callable[[Any], Any],
    score: Score,
    start: Images,
    filters: Sequence[int],
    *,
    steps: int,
    step_length: float,
    parts: Sequence[AscentPart] = (),
) -> tuple[Images, Images]:
    """Let every image climb by itself; return the images, and the scores ``[steps + 1, n]`` of the images as they are.

    Args:
        respond: responses ``[1, h, w, channels]`` of an image ``[1, h, w, c]``.
        score: of these.
        start: ``[n, h, w, c]``.
        filters: of every image.
        steps: how many.
        step_length: RMS, in the model's own units.
        parts: of the ascent.
    """
    climbed = [
        _climb_one(respond, score, image, index, steps, step_length, parts)
        for image, index in zip(start, filters, strict=True)
    ]
    return np.stack([images[-1] for images, _ in climbed]), np.stack([scores for _, scores in climbed], axis=1)


def _climb_one(
    respond: Callable[[Any], Any],
    score: Score,
    image: Images,
    index: int,
    steps: int,
    step_length: float,
    parts: Sequence[AscentPart],
) -> tuple[list[Images], Images]:
    images, scores = [image], []
    for step in range(steps + 1):
        given = ops.convert_to_tensor(images[-1][None])
        scores.append(float(ops.convert_to_numpy(score(respond(given), index))[0]))
        if step == steps:
            break

        def penalized(given: Any, step: int = step) -> Any:
            shown = given
            for part in parts:
                shown = part.transform(shown, ops.convert_to_tensor(np.int32(step)))
            return score(respond(shown), index) - sum(part.penalty(given) for part in parts)

        _, gradient = backends.current().value_and_gradient(penalized)(given)
        for part in parts:
            gradient = part.precondition(gradient)
        slope = ops.convert_to_numpy(gradient)
        moved = ops.convert_to_tensor(images[-1][None] + slope * (step_length / np.sqrt(np.square(slope).mean())))
        for part in parts:
            moved = part.project(moved)
        images.append(ops.convert_to_numpy(moved)[0])
    return images, np.array(scores, np.float32)
