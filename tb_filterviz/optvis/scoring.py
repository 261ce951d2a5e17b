"""The score of an image, and its shortest computation."""

from collections.abc import Callable
from typing import Any

from keras import ops

from tb_filterviz.optvis import backends, probe
from tb_filterviz.optvis.objectives import Score
from tb_filterviz.optvis.subject import Subject

Scoring = Callable[[Any, Any], Callable[[Any], Any]]  # (images, filters) -> (images -> scores), for many images alike


def scoring(subject: Subject, target: probe.Target, objective: Score, gain: float) -> Scoring:
    """How the objective of filter ``filters[i]`` is computed for image ``i``, again and again.

    Where the layer is linear in its own input, so is the score, since objectives are: it is the input times a slope,
    plus a constant. Both are computed once, and the layer itself has no part in the ascent.

    Args:
        subject: the model.
        target: the layer.
        objective: from responses ``[n, h, w]`` to scores ``[n]``, linear.
        gain: a power of 2 that keeps slopes from vanishing in half precision.

    Returns:
        A function of images ``[n, h, w, c]``, of which only the number counts, and filters int32 ``[n]``.
    """

    def directly(_: Any, filters: Any) -> Callable[[Any], Any]:
        read = probe.own_channel(target.layer, filters)
        return lambda images: objective(probe.reach(subject, target, images, read))

    def by_slope(images: Any, filters: Any) -> Callable[[Any], Any]:
        inputs = probe.reach(subject, target, images, probe.layer_input)  # for its shape; the values are not used
        read = probe.own_channel(target.layer, filters)

        def score(given: Any) -> Any:
            with probe.untouched(subject):
                return objective(read(target.layer.call, given)) * gain

        constant, slope = backends.current().value_and_gradient(score)(ops.zeros(inputs.shape, inputs.dtype))
        constant, slope = constant / gain, ops.cast(slope, "float32") / gain
        axes = tuple(range(1, len(inputs.shape)))

        def of(climbing: Any) -> Any:
            seen = probe.reach(subject, target, climbing, probe.layer_input)
            return ops.sum(ops.cast(seen, "float32") * slope, axis=axes) + constant

        return of

    return by_slope if probe.is_linear(target.layer) else directly
