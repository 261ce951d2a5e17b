"""The loop: gradient ascent on the images of many filters at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz.config import AscentConfig, SuitedAscentConfig
from tb_filterviz.error_context import raising_for_part
from tb_filterviz.errors import ConfigError
from tb_filterviz.optvis import backends, probe
from tb_filterviz.optvis.backends.compiled import Compiled
from tb_filterviz.optvis.canvas import Canvas
from tb_filterviz.optvis.layer_calls import LayerCall
from tb_filterviz.optvis.scoring import magnification_of, scoring
from tb_filterviz.parts.ascent_part import AscentPart
from tb_filterviz.parts.objectives import Objective, own_channel

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
        kept: float32 ``[n]``, how much of the steepest steps' rise the preconditioned steps keep, at most 1.
    """

    images: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    peaks: npt.NDArray[np.float32]
    kept: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class NoiseResponse:
    """How filters answer to noise, which tells how much a score is worth.

    Attributes:
        score: float32 ``[n]``, the objective's mean.
        deviation: float32 ``[n]``, the standard deviation of the responses of all units, before the activation; under
            an objective that is not linear in the response, that of the score.
    """

    score: npt.NDArray[np.float32]
    deviation: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ascent:
    """An ascent, compiled once to be run with ever new weights.

    Attributes:
        prepare: of filters int32 ``[batch]``, what all steps have in common.
        step: of images, the number of the step (int32, a scalar) and what is prepared, the images after one step, the
            scores ``[batch]`` before it, and to first order, how far the score rises along the step, and would along
            the gradient, each ``[batch]``.
        project: of images, those that meet what the parts demand of every step.
        finish: of images and filters, scores and peaks ``[batch]``.
        respond: of any images ``[k, h, w, c]`` and filters int32 ``[n]``, of each filter to each image: scores
            ``[k, n]``, and mean and variance of what its units answer.
        is_linear: whether the objective is linear in the response.
        batch: how many filters climb together.
        steps: how many steps they climb.
        is_end_scored: whether finished pictures are scored.
        is_start_scored: whether the start has to be scored by `finish`, since steps score with penalties and
            transformations.
    """

    prepare: Callable[..., tuple[Any, ...]]
    step: Callable[..., tuple[Any, Any, tuple[Any, ...]]]
    project: Callable[[Any], Any]
    finish: Callable[..., tuple[Any, Any]]
    respond: Callable[..., tuple[Any, Any, Any]]
    is_linear: bool
    batch: int
    steps: int
    is_end_scored: bool = True
    is_start_scored: bool = False

    def forget(self) -> None:
        """Free what was compiled; it is compiled anew when it next runs."""
        for function in (self.prepare, self.step, self.project, self.finish, self.respond):
            if isinstance(function, Compiled):
                function.forget()

    def climb(self, images: npt.NDArray[np.float32], filters: npt.NDArray[np.int32]) -> Climbed:
        """Let every image climb towards what its filter responds to most.

        Args:
            images: the start, float32 ``[n, h, w, c]``, in the model's own units; `n` is at most `batch`.
            filters: int32 ``[n]``.
        """
        # The loop itself is not compiled: in TensorFlow's, the gradient of max-pooling loses its fast kernel at random,
        # and in XLA's on a CPU, convolutions take four times as long. Nothing leaves the device meanwhile.
        count, (climbing, chosen) = len(filters), self._filled_up(images, filters)
        prepared, scores, rises, started = self.prepare(chosen), [], [], climbing
        for position in range(self.steps):
            climbing, before, rise = self.step(climbing, _positions(position), *prepared)
            scores.append(before)
            rises.append(rise)
        peaks = scores[-1]
        if self.is_end_scored:
            finished, peaks = self.finish(climbing, chosen)
            scores.append(finished)
            if self.is_start_scored:
                scores[0], _ = self.finish(started, chosen)
        return Climbed(
            images=ops.convert_to_numpy(climbing)[:count],
            scores=ops.convert_to_numpy(ops.stack(scores))[:, :count],
            peaks=ops.convert_to_numpy(peaks)[:count],
            kept=_kept(rises, self.batch)[:count],
        )

    def mean(self, climbed: Sequence[Climbed], filters: npt.NDArray[np.int32]) -> Climbed:
        """Average where ascents of the same filters arrived from several starts, and score that."""
        images, scores, peaks, kept = (
            np.asarray(np.mean([getattr(each, name) for each in climbed], axis=0), np.float32)
            for name in ("images", "scores", "peaks", "kept")
        )
        mean, chosen = self._filled_up(images, filters)
        mean = self.project(mean)
        images = ops.convert_to_numpy(mean)[: len(filters)]
        if self.is_end_scored:
            finished, highest = self.finish(mean, chosen)
            scores[-1], peaks = (ops.convert_to_numpy(each)[: len(filters)] for each in (finished, highest))
        return Climbed(images, scores, peaks, kept)

    def score(self, images: npt.NDArray[np.float32], filters: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        """Score images ``[n, h, w, c]`` as they are, each for its filter; `n` is at most `batch`."""
        scores, _ = self.finish(*self._filled_up(images, filters))
        return np.asarray(ops.convert_to_numpy(scores)[: len(filters)])

    def _filled_up(self, images: npt.NDArray[np.float32], filters: npt.NDArray[np.int32]) -> tuple[Any, Any]:
        """Repeat images and filters, so that all batches are of one size, and compiled once."""
        places = np.arange(self.batch) % len(filters)
        return ops.convert_to_tensor(images[places]), ops.convert_to_tensor(filters[places])

    def respond_to_noise(
        self, images: npt.NDArray[np.float32], filters: npt.NDArray[np.int32], together: int
    ) -> NoiseResponse:
        """See how filters answer to noise.

        Args:
            images: noise, float32 ``[k, h, w, c]``, in the model's own units.
            filters: int32 ``[n]``, any number of them.
            together: how many images the memory allows at once.
        """
        chosen = ops.convert_to_tensor(filters)
        parts = [
            self.respond(ops.convert_to_tensor(images[first : first + together]), chosen)
            for first in range(0, len(images), together)
        ]
        scores, means, variances = (
            np.concatenate([ops.convert_to_numpy(part[i]) for part in parts]).astype(np.float64) for i in range(3)
        )
        of_units = np.sqrt(variances.mean(axis=0) + means.var(axis=0))
        deviation = of_units if self.is_linear else scores.std(axis=0)
        return _in_digits_that_count(scores.mean(axis=0), deviation)


def _kept(rises: Sequence[tuple[Any, ...]], batch: int) -> npt.NDArray[np.float32]:
    """Compare how far the score rose along the steps with how far it would have along the gradients."""
    if not all(rises):
        return np.ones(batch, np.float32)
    along, steepest = (ops.convert_to_numpy(ops.stack([rise[i] for rise in rises])).sum(axis=0) for i in range(2))
    return np.where(steepest > 0, along / np.maximum(steepest, 1e-30), 1).astype(np.float32)


def _in_digits_that_count(score: npt.NDArray[np.float64], deviation: npt.NDArray[np.float64]) -> NoiseResponse:
    """Round to 4 digits of the deviation: noise is a sample, and further ones differ with the number of threads."""
    size = 10.0 ** np.floor(np.log10(np.maximum(deviation, 1e-30)))
    deviation, finest = np.round(deviation / size, 3) * size, 1e-3 * size
    score = np.where(deviation > 0, np.round(score / finest) * finest, score)
    return NoiseResponse(score.astype(np.float32), deviation.astype(np.float32))


def _by(part: AscentPart, method: str, images: Any, *more: Any) -> Any:
    """Let a part make images, or a gradient, of others.

    Raises:
        ConfigError: if it fails, or makes anything else of them.
    """
    with raising_for_part(f"{part.name!r}, a part of the ascent,", f"{method}(images{', step' if more else ''})"):
        made = getattr(part, method)(images, *more)
    if tuple(getattr(made, "shape", ())) != tuple(images.shape) or not keras.backend.is_float_dtype(made.dtype):
        raise ConfigError(
            f"`{method}` of {part.name!r}, a part of the ascent, must return floats of shape {tuple(images.shape)}. "
            f"Received: {getattr(made, 'shape', type(made).__name__)}, {getattr(made, 'dtype', '')}"
        )
    return ops.cast(made, images.dtype)


def _as_it_is(images: Any) -> Any:
    return images


def _penalty_by(part: AscentPart, images: Any) -> Any:
    with raising_for_part(f"{part.name!r}, a part of the ascent,", "penalty(images)"):
        penalty = ops.cast(part.penalty(images), "float32")
    if tuple(penalty.shape) not in ((), (images.shape[0],)):
        raise ConfigError(
            f"`penalty` of {part.name!r}, a part of the ascent, must return a number for each of "
            f"{images.shape[0]} images. Received: {tuple(penalty.shape)}"
        )
    return penalty


def _rises(direction: Any, rms: Any, gradient: Any) -> tuple[Any, Any]:
    """Return how far a score rises, to first order, with a step of length 1 in a direction, and in the gradient's."""
    along = ops.mean(gradient * direction, axis=(1, 2, 3)) / ops.maximum(ops.reshape(rms, (-1,)), 1e-30)
    return along, ops.sqrt(ops.mean(ops.square(gradient), axis=(1, 2, 3)))


@lru_cache
def _positions(position: int) -> Any:
    return ops.convert_to_tensor(np.int32(position))


def batch_size(filters: int, numbers_below: int, config: AscentConfig) -> int:
    """Choose how many of a layer's filters climb together: as many as the memory allows.

    Args:
        filters: how many there are.
        numbers_below: how many numbers the layers below put out for one image.
        config: the budget.
    """
    most = config.filters_per_batch or min(_MOST_TOGETHER, images_in_memory(numbers_below, config))
    return -(-filters // -(-filters // most))  # batches of one size


def images_in_memory(numbers_below: int, config: AscentConfig) -> int:
    """Tell how many images the memory allows at once, one at least."""
    return max(1, int(config.memory_mb * 2**20 / (4 * _PASSES * max(numbers_below, 1))))


def ascent_of(
    canvas: Canvas,
    layer_call: LayerCall,
    objective: Objective,
    *,
    batch: int,
    step_length: Any,
    config: SuitedAscentConfig,
    is_bgr: bool = False,
) -> Ascent:
    """Make the ascent of a layer's filters, which is compiled when it first runs.

    One step adds ``gradient / (rms(gradient) + epsilon) * step_length``, the RMS taken over each image.
    Source: F. Chollet (2016), "How convolutional neural networks see the world".
    What the parts of the ascent do within a step, and in which order, `AscentPart` says.

    Args:
        canvas: where pictures climb.
        layer_call: the layer.
        objective: what is maximized.
        batch: how many filters climb at once.
        step_length: RMS length of one step, in the model's own units; or one for each channel, ``[c]``.
        config: how many steps, and the parts; nothing is left open.
        is_bgr: whether the model's channels are blue, green and red; the parts are given red, green and blue.
    """
    backend, image_model, model = backends.current(), canvas.model, canvas.model.model
    magnification, parts = magnification_of(objective, canvas.info), config.ascent_parts
    transforming, penalizing, preconditioning, projecting = (
        [part for part in parts if part.has_own(method)]
        for method in ("transform", "penalty", "precondition", "project")
    )
    has_own_lengths = np.ndim(step_length) > 0
    length = ops.convert_to_tensor(step_length) if has_own_lengths else step_length
    rgb = partial(ops.flip, axis=-1) if is_bgr else _as_it_is
    scores_of = scoring(image_model, layer_call, canvas.info, objective, magnification)

    def magnified(images: Any, position: Any, *prepared: Any) -> Any:
        shown = images
        for part in transforming:
            shown = rgb(_by(part, "transform", rgb(shown), position))
        scores = scores_of.score(shown, *prepared)
        for part in penalizing:
            scores = scores - _penalty_by(part, rgb(images))
        return scores * magnification

    scored = backend.value_and_gradient(magnified)

    def project(images: Any) -> Any:
        for part in projecting:
            images = rgb(_by(part, "project", rgb(images)))
        return images

    def step(images: Any, position: Any, *prepared: Any) -> tuple[Any, Any, tuple[Any, ...]]:
        values, gradient = scored(images, position, *prepared)
        gradient = ops.where(ops.isfinite(gradient), gradient, 0)
        if has_own_lengths:  # as if every channel had one range: a small one has the larger slopes
            gradient = gradient * (length / ops.max(length))
        steepest = gradient
        for part in preconditioning:
            gradient = rgb(_by(part, "precondition", rgb(gradient)))
        rms = ops.sqrt(ops.mean(ops.square(gradient), axis=(1, 2, 3), keepdims=True))
        rises = _rises(gradient, rms, steepest) if preconditioning else ()
        images = images + gradient * (length / (rms + config.epsilon * magnification))
        return project(images), values / magnification, rises

    def finish(images: Any, filters: Any) -> tuple[Any, Any]:
        read = probe.response_for(objective, layer_call.layer, filters)
        response = probe.reach(image_model, layer_call, images, read)
        own = own_channel(response, filters) if objective.reads == "all" else response
        return probe.score_of(objective, response, filters), ops.max(own, axis=(1, 2))

    def respond(images: Any, filters: Any) -> tuple[Any, Any, Any]:
        count, chosen = images.shape[0], filters.shape[0]
        responses = probe.reach(canvas.window, layer_call, images, probe.full_response(layer_call.layer))
        own = ops.transpose(ops.take(responses, filters, axis=-1), (0, 3, 1, 2))
        # One map after the other, so that no number depends, to the bit, on which other filters there are.
        maps = ops.reshape(own, (count * chosen, *own.shape[2:]))
        if objective.reads == "all":
            repeated = (ops.repeat(filters[i : i + 1], count) for i in range(chosen))
            scores = ops.stack([probe.score_of(objective, responses, each) for each in repeated], axis=-1)
        else:
            scores = ops.reshape(probe.score_of(objective, maps, filters), (count, chosen))
        means = ops.mean(maps, axis=(1, 2), keepdims=True)
        variances = ops.mean(ops.square(maps - means), axis=(1, 2))
        return scores, ops.reshape(means, (count, chosen)), ops.reshape(variances, (count, chosen))

    return Ascent(
        prepare=backend.compiled(scores_of.prepare, model),
        step=backend.compiled(step, model),
        project=backend.compiled(project, model) if projecting else _as_it_is,
        finish=backend.compiled(finish, model),
        respond=backend.compiled(respond, model),
        is_linear=objective.is_linear,
        batch=batch,
        steps=config.steps,
        is_end_scored=config.final_score,
        is_start_scored=bool(transforming or penalizing),
    )
