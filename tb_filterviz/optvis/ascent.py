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


@dataclass(frozen=True, slots=True)
class Ascent:
    """An ascent, compiled once to be run with ever new weights.

    Attributes:
        prepare: of images ``[batch, h, w, c]`` and filters int32 ``[batch]``, what all steps have in common.
        step: of images and what is prepared, the images after one step, and the scores ``[batch]`` before it.
        finish: of images and filters, scores and peaks ``[batch]``; None if finished pictures are not scored.
        batch: how many filters climb together.
        steps: how many steps they climb.
    """

    prepare: Callable[..., tuple[Any, ...]]
    step: Callable[..., tuple[Any, Any]]
    finish: Callable[..., tuple[Any, Any]] | None
    batch: int
    steps: int

    def climb(self, images: npt.NDArray[np.float32], filters: npt.NDArray[np.int32]) -> Climbed:
        """Let every image climb towards what its filter responds to most.

        Args:
            images: the start, float32 ``[n, h, w, c]``, in the model's own units; `n` is at most `batch`.
            filters: int32 ``[n]``.
        """
        # The loop itself is not compiled: in TensorFlow's, the gradient of max-pooling loses its fast kernel at random,
        # and in XLA's on a CPU, convolutions take four times as long. Nothing leaves the device meanwhile.
        count = len(filters)
        filled_up = np.arange(self.batch) % count  # so that all batches are of one size, and compiled once
        climbing, chosen = ops.convert_to_tensor(images[filled_up]), ops.convert_to_tensor(filters[filled_up])
        prepared, scores = self.prepare(climbing, chosen), []
        for _ in range(self.steps):
            climbing, before = self.step(climbing, *prepared)
            scores.append(before)
        peaks = scores[-1]
        if self.finish is not None:
            finished, peaks = self.finish(climbing, chosen)
            scores.append(finished)
        return Climbed(
            images=ops.convert_to_numpy(climbing)[:count],
            scores=ops.convert_to_numpy(ops.stack(scores))[:, :count],
            peaks=ops.convert_to_numpy(peaks)[:count],
        )


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


def ascent_of(
    respond: Callable[[Any, Any], Any],
    objective: Callable[[Any], Any],
    scoring: Scoring,
    *,
    model: keras.Model,
    batch: int,
    gain: float,
    step_length: float,
    config: AscentConfig,
) -> Ascent:
    """The ascent of `objective(respond(images, filters))`, which is compiled when it first runs.

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
    """
    backend = backends.current()
    scored = backend.value_and_gradient(lambda images, *prepared: scoring.score(images, *prepared) * gain)

    def step(images: Any, *prepared: Any) -> tuple[Any, Any]:
        values, gradient = scored(images, *prepared)
        gradient = ops.where(ops.isfinite(gradient), gradient, 0)
        rms = ops.sqrt(ops.mean(ops.square(gradient), axis=(1, 2, 3), keepdims=True))
        return images + gradient * (step_length / (rms + config.epsilon * gain)), values / gain

    def finish(images: Any, filters: Any) -> tuple[Any, Any]:
        response = respond(images, filters)
        return objective(response), ops.max(response, axis=(1, 2))

    return Ascent(
        prepare=backend.compiled(scoring.prepare, model),
        step=backend.compiled(step, model),
        finish=backend.compiled(finish, model) if config.final_score else None,
        batch=batch,
        steps=config.steps,
    )
