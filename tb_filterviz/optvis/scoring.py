"""The score of an image within the ascent, by its shortest computation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from tb_filterviz.optvis import backends, probe
from tb_filterviz.optvis.image_model import ImageModel
from tb_filterviz.optvis.layer_calls import LayerCall
from tb_filterviz.optvis.layer_info import Given, LayerInfo
from tb_filterviz.optvis.layer_types import is_linear
from tb_filterviz.parts.objectives import Objective


@dataclass(frozen=True, slots=True)
class Scoring:
    """How image ``i`` is scored for filter ``filters[i]``: ``score(images, *prepare(filters))``.

    Attributes:
        prepare: what all images of these filters have in common, of filters int32 ``[n]``.
        score: scores ``[n]`` of images ``[n, h, w, c]``.
    """

    prepare: Callable[[Any], tuple[Any, ...]]
    score: Callable[..., Any]


def scoring(
    image_model: ImageModel, layer_call: LayerCall, info: LayerInfo, objective: Objective, magnification: float
) -> Scoring:
    """Choose how the objective of a filter is computed for an image.

    Where the layer is linear in its own input, and the objective in the response, so is the score in the layer's input:
    it is the input times a slope, plus a constant. Both are computed once, and the layer itself has no part in the
    ascent.

    Args:
        image_model: the model.
        layer_call: the layer.
        info: what is known of it.
        objective: what is maximized.
        magnification: a power of 2 that keeps slopes from vanishing in half precision.
    """
    if objective.is_linear and is_linear(layer_call.layer):
        return _by_slope(image_model, layer_call, info.given, objective, magnification)
    return _directly(image_model, layer_call, objective)


def magnification_of(objective: Objective, info: LayerInfo) -> float:
    """Find a power of 2 that makes up for how little one unit of a response moves the score.

    Measured as the largest slope at a response of ones; 1 where there is none.
    """
    channels = (info.filters,) if objective.reads == "all" else ()
    ones = ops.ones((1, info.height, info.width, *channels), "float32")
    first = ops.zeros((1,), "int32")
    slopes = backends.current().value_and_gradient(lambda response: probe.score_of(objective, response, first))
    largest = float(np.abs(ops.convert_to_numpy(slopes(ones)[1])).max())
    return float(2.0 ** round(-np.log2(largest))) if np.isfinite(largest) and largest > 0 else 1.0


def _directly(image_model: ImageModel, layer_call: LayerCall, objective: Objective) -> Scoring:
    def score(images: Any, filters: Any) -> Any:
        read = probe.response_for(objective, layer_call.layer, filters)
        return probe.score_of(objective, probe.reach(image_model, layer_call, images, read), filters)

    return Scoring(lambda filters: (filters,), score)


def _by_slope(
    image_model: ImageModel, layer_call: LayerCall, given: Given, objective: Objective, magnification: float
) -> Scoring:
    def prepare(filters: Any) -> tuple[Any, Any]:
        read = probe.response_for(objective, layer_call.layer, filters)

        def magnified(inputs: Any) -> Any:
            response = probe.reach_alone(image_model, layer_call, inputs, read)
            return probe.score_of(objective, response, filters) * magnification

        zeros = ops.zeros((filters.shape[0], *given.shape), given.dtype)
        constant, slope = backends.current().value_and_gradient(magnified)(zeros)
        return ops.cast(slope, "float32") / magnification, constant / magnification

    def score(images: Any, slope: Any, constant: Any) -> Any:
        seen = ops.cast(probe.reach(image_model, layer_call, images, probe.layer_input), "float32")
        return ops.sum(seen * slope, axis=tuple(range(1, len(slope.shape)))) + constant

    return Scoring(prepare, score)
