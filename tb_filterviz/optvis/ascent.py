"""The loop: gradient ascent on the images of many filters at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz.config import AscentConfig
from tb_filterviz.optvis import backends

_EPSILON = 1e-5  # the article's, keeps a vanished gradient from becoming NaN

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


def compile_climb(
    respond: Callable[[Any, Any], Any], objective: Callable[[Any], Any], *, step_length: float, config: AscentConfig
) -> Climb:
    """Compile the ascent of `objective(respond(images, filters))` once, to be run with ever new weights.

    One step adds ``gradient / (rms(gradient) + 1e-5) * step_length``, the RMS taken over each image.
    Source: F. Chollet (2016), "How convolutional neural networks see the world".

    Args:
        respond: responses ``[n, h, w]`` of filters ``[n]`` to images ``[n, ...]``; reads the model's weights.
        objective: from responses ``[n, h, w]`` to scores ``[n]``.
        step_length: RMS length of one step, in the model's own units.
        config: how many steps, and how many filters climb at once.

    Returns:
        A function of start images float32 ``[n, h, w, c]`` and filter indices int32 ``[n]``, that returns `Climbed`.
    """
    backend = backends.current()
    scored = backend.value_and_gradient(lambda images, filters: objective(respond(images, filters)))

    def climb(images: Any, filters: Any) -> tuple[Any, Any, Any]:
        def step(index: Any, state: tuple[Any, Any]) -> tuple[Any, Any]:
            climbing, scores = state
            values, gradient = scored(climbing, filters)
            rms = ops.sqrt(ops.mean(ops.square(gradient), axis=(1, 2, 3), keepdims=True))
            scores = ops.where(rows == index, values[None], scores)
            return climbing + gradient / (rms + _EPSILON) * step_length, scores

        # Not slice_update nor scan: TensorFlow starts XLA for the one, and the other wants one shape for all it stacks.
        rows = ops.arange(config.steps)[:, None]
        scores = ops.zeros((config.steps, images.shape[0]))
        images, scores = ops.fori_loop(0, config.steps, step, (images, scores))
        if not config.final_score:
            return images, scores, scores[-1]
        response = respond(images, filters)
        scores = ops.concatenate([scores, objective(response)[None]], axis=0)
        return images, scores, ops.max(response, axis=(1, 2))

    run = backend.compiled(climb)

    def climb_in_chunks(images: npt.NDArray[np.float32], filters: npt.NDArray[np.int32]) -> Climbed:
        count = len(filters)
        chunks = -(-count // config.filters_per_batch)
        size = -(-count // chunks)
        order = np.arange(chunks * size) % count  # the last chunk is filled up, so that one trace serves all
        parts = []
        for rows in order.reshape(chunks, size):
            arrived = run(ops.convert_to_tensor(images[rows]), ops.convert_to_tensor(filters[rows]))
            parts.append([ops.convert_to_numpy(array) for array in arrived])
        climbed, scores, peaks = zip(*parts, strict=True)
        return Climbed(
            images=np.concatenate(climbed)[:count],
            scores=np.concatenate(scores, axis=1)[:, :count],
            peaks=np.concatenate(peaks)[:count],
        )

    return climb_in_chunks
