"""The loop: gradient ascent on the images of many filters at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz.config import AscentConfig
from tb_filterviz.optvis import backends
from tb_filterviz.optvis.scoring import Scoring

_MOST_TOGETHER = 64  # filters; more in a batch are not faster
_PASSES = 2  # of a forward pass' numbers, what an ascent step holds at most, with the gradients
Climb = Callable[[npt.NDArray[np.float32], npt.NDArray[np.int32]], "Climbed"]


@dataclass(frozen=True, slots=True)
class Climbed:
    """Where the ascent arrived.

    Attributes:
        images: float32 ``[n, h, w, c]``, in the model's own units.
        scores: float32 ``[steps + 1, n]``; row ``k`` is the score after ``k`` steps. Without
            `AscentConfig.final_score` the last row is missing.
        peaks: float32 ``[n]``, the largest response of any unit to the finished picture; without
            `AscentConfig.final_score` the last score.
    """

    images: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    peaks: npt.NDArray[np.float32]


def batch_size(filters: int, numbers_below: int, config: AscentConfig) -> int:
    """How many of a layer's filters climb together: as many as the memory allows.

    Args:
        filters: how many there are.
        numbers_below: how many numbers the layers below put out for one image.
        config: the budget.
    """
    bytes_per_image = 4 * _PASSES * max(numbers_below, 1)
    affordable = int(config.memory_mb * 2**20 / bytes_per_image)
    most = config.filters_per_batch or min(_MOST_TOGETHER, max(1, affordable))
    return -(-filters // -(-filters // most))  # batches of one size


def compile_climb(
    respond: Callable[[Any, Any], Any],
    objective: Callable[[Any], Any],
    scoring: Scoring,
    *,
    model: keras.Model,
    batch: int,
    gain: float,
    step_length: float,
    config: AscentConfig,
) -> Climb:
    """Compile the ascent of `objective(respond(images, filters))` once, to be run with ever new weights.

    One step adds ``gradient / (rms(gradient) + epsilon) * step_length``, the RMS taken over each image.
    Source: F. Chollet (2016), "How convolutional neural networks see the world".

    Args:
        respond: responses ``[n, h, w]`` of filters ``[n]`` to images ``[n, ...]``; reads the model's weights.
        objective: from responses ``[n, h, w]`` to scores ``[n]``.
        scoring: the same, for the steps of the ascent.
        model: whose weights `respond` reads.
        batch: how many filters climb at once.
        gain: a power of 2 by which scores are multiplied while the gradient is taken, so that it does not vanish in
            half precision.
        step_length: RMS length of one step, in the model's own units.
        config: how many steps.

    Returns:
        A function of start images float32 ``[n, h, w, c]`` and filter indices int32 ``[n]``, that returns `Climbed`.
    """
    backend = backends.current()

    def climb(images: Any, filters: Any) -> tuple[Any, Any, Any]:
        score = scoring(images, filters)
        scored = backend.value_and_gradient(lambda climbing: score(climbing) * gain)

        def step(index: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
            climbing, scores = state
            values, gradient = scored(climbing)
            values, gradient = values / gain, ops.where(ops.isfinite(gradient), gradient, 0) / gain
            rms = ops.sqrt(ops.mean(ops.square(gradient), axis=(1, 2, 3), keepdims=True))
            scores = ops.where(rows == index, values[None], scores)
            return climbing + gradient / (rms + config.epsilon) * step_length, scores

        # Not slice_update nor scan: TensorFlow starts XLA for the one, and the other wants one shape for all it stacks.
        rows = ops.arange(config.steps)[:, None]
        scores = ops.zeros((config.steps, images.shape[0]))
        images, scores = ops.fori_loop(0, config.steps, step, (images, scores))
        if not config.final_score:
            return images, scores, scores[-1]
        response = respond(images, filters)
        scores = ops.concatenate([scores, objective(response)[None]], axis=0)
        return images, scores, ops.max(response, axis=(1, 2))

    run = backend.compiled(climb, model)

    def climb_in_chunks(images: npt.NDArray[np.float32], filters: npt.NDArray[np.int32]) -> Climbed:
        count = len(filters)
        size = min(batch, count)
        order = np.arange(-(-count // size) * size) % count  # the last chunk is filled up, so that one trace serves all
        parts = []
        for rows in order.reshape(-1, size):
            arrived = run(ops.convert_to_tensor(images[rows]), ops.convert_to_tensor(filters[rows]))
            parts.append([ops.convert_to_numpy(array) for array in arrived])
        climbed, scores, peaks = zip(*parts, strict=True)
        return Climbed(
            images=np.concatenate(climbed)[:count],
            scores=np.concatenate(scores, axis=1)[:, :count],
            peaks=np.concatenate(peaks)[:count],
        )

    return climb_in_chunks
