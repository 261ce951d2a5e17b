"""The score of an image, and its shortest computation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

from tb_filterviz.optvis import backends, probe
from tb_filterviz.optvis.kinds import is_linear
from tb_filterviz.optvis.objectives import Score
from tb_filterviz.optvis.subject import Subject


@dataclass(frozen=True, slots=True)
class Scoring:
    """How image ``i`` is scored for filter ``filters[i]``: ``score(images, *prepare(images, filters))``.

    Attributes:
        prepare: what all images of these filters have in common, of images ``[n, h, w, c]``, of which only the shape
            counts, and filters int32 ``[n]``.
        score: scores ``[n]`` of images ``[n, h, w, c]``.
    """

    prepare: Callable[[Any, Any], tuple[Any, ...]]
    score: Callable[..., Any]


def scoring(subject: Subject, target: probe.Target, objective: Score, gain: float) -> Scoring:
    """How the objective of a filter is computed for an image.

    Where the layer is linear in its own input, so is the score, since objectives are: it is the input times a slope,
    plus a constant. Both are computed once, and the layer itself has no part in the ascent.

    Args:
        subject: the model.
        target: the layer.
        objective: from responses ``[n, h, w]`` to scores ``[n]``, linear.
        gain: a power of 2 that keeps slopes from vanishing in half precision.
    """
    return (
        _by_slope(subject, target, objective, gain)
        if is_linear(target.layer)
        else _directly(subject, target, objective)
    )


def _directly(subject: Subject, target: probe.Target, objective: Score) -> Scoring:
    def score(images: Any, filters: Any) -> Any:
        return objective(probe.reach(subject, target, images, probe.own_channel(target.layer, filters)))

    return Scoring(lambda _, filters: (filters,), score)


def _by_slope(subject: Subject, target: probe.Target, objective: Score, gain: float) -> Scoring:
    def prepare(images: Any, filters: Any) -> tuple[Any, Any]:
        inputs = probe.reach(subject, target, images, probe.layer_input)  # for its shape; the values are not used
        read = probe.own_channel(target.layer, filters)

        def magnified(given: Any) -> Any:
            with probe.untouched(subject):
                return objective(read(target.layer.call, given)) * gain

        zeros = ops.zeros(inputs.shape, inputs.dtype)
        constant, slope = backends.current().value_and_gradient(magnified)(zeros)
        return ops.cast(slope, "float32") / gain, constant / gain

    def score(images: Any, slope: Any, constant: Any) -> Any:
        seen = ops.cast(probe.reach(subject, target, images, probe.layer_input), "float32")
        return ops.sum(seen * slope, axis=tuple(range(1, len(slope.shape)))) + constant

    return Scoring(prepare, score)
