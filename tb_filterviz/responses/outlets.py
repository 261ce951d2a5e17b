"""Where what a filter passes on is read: after its activation, which may be a layer of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from tb_filterviz.error_context import raising_model_error
from tb_filterviz.optvis.image_model import ImageModel, has_layers_inside
from tb_filterviz.optvis.layer_calls import LayerCall
from tb_filterviz.optvis.layer_types import ACTIVATIONS
from tb_filterviz.optvis.probe import observed, replaced, untouched

_BETWEEN = (  # layers that keep channels apart, which stand between a convolution and its activation
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.Dropout,
    keras.layers.SpatialDropout2D,
    keras.layers.Identity,
)
_HALF_OPEN = ("sigmoid", "hard_sigmoid", "softmax")  # never 0: open above one half


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where what a layer's filters pass on is read.

    Attributes:
        layer_call: the layer whose filters they are.
        layer: whose output is read: its own, or that of a normalization or an activation that follows it.
        path: of that layer.
        call: which of its calls.
        is_gated: whether an activation lies between: without one, a filter is never off.
        threshold: above which a unit is on.
    """

    layer_call: LayerCall
    layer: keras.Layer
    path: str
    call: int
    is_gated: bool
    threshold: float


@dataclass(frozen=True, slots=True)
class _Passed:
    """One call of a layer in a forward pass."""

    path: str
    layer: keras.Layer
    call: int
    inputs: tuple[int, ...]  # what was given, by identity
    output: int


def outlets_of(image_model: ImageModel, layer_calls: Sequence[LayerCall]) -> list[Outlet]:
    """Follow what each layer puts out to its activation, in one forward pass of a gray image.

    Raises:
        ModelError: if the model cannot be run.
    """
    passed, kept = _passes(image_model, {id(layer_call.layer) for layer_call in layer_calls})
    del kept
    return [_outlet(layer_call, passed) for layer_call in layer_calls]


def _passes(image_model: ImageModel, wanted: set[int]) -> tuple[list[_Passed], list[Any]]:
    passed: list[_Passed] = []
    kept: list[Any] = []  # as long as a tensor lives, its identity is its own
    calls: dict[int, int] = {}

    def observe(path: str, layer: keras.Layer, own_call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        call = calls.get(id(layer), 0)
        calls[id(layer)] = call + 1
        with replaced(layer, call=own_call):
            output = own_call(*args, **kwargs)
        given = [each for each in keras.tree.flatten((args, kwargs)) if hasattr(each, "dtype")]
        kept.extend((given, output))
        if not has_layers_inside(layer) or id(layer) in wanted:  # an activation may be a layer within it
            passed.append(_Passed(path, layer, call, tuple(map(id, given)), id(output)))
        return output

    images = np.zeros((1, *image_model.shape), np.float32)
    with (
        raising_model_error(lambda: f"Model {image_model.model.name!r} cannot be run on an image"),
        untouched(image_model),
        observed(image_model.model, observe),
    ):
        image_model.look(ops.convert_to_tensor(images))
    return passed, kept


def _outlet(layer_call: LayerCall, passed: Sequence[_Passed]) -> Outlet:
    own = next((each for each in passed if each.layer is layer_call.layer and each.call == layer_call.call), None)
    if own is None:  # a layer with layers inside, which a user may have named
        return Outlet(layer_call, layer_call.layer, layer_call.path, layer_call.call, is_gated=False, threshold=0.0)
    found, seen = own, {id(own)}
    is_gated = _activation_of(own.layer) not in (None, "linear")
    while not is_gated:
        takers = [each for each in passed if found.output in each.inputs and id(each) not in seen]
        # what only hands its input on, as a dropout does in inference, puts out the very tensor that others take
        takers = [each for each in takers if each.output == found.output] or takers
        if len(takers) != 1 or not isinstance(takers[0].layer, (*_BETWEEN, *ACTIVATIONS)):
            break
        (found,) = takers
        seen.add(id(found))
        is_gated = isinstance(found.layer, ACTIVATIONS) and _activation_of(found.layer) != "linear"
    last = _activation_of(found.layer)
    return Outlet(layer_call, found.layer, found.path, found.call, is_gated, 0.5 if last in _HALF_OPEN else 0.0)


def _activation_of(layer: keras.Layer) -> str | None:
    """Name the activation that is part of a layer; None if it has none."""
    activation = getattr(layer, "activation", None)
    if activation is None:
        return None
    return str(getattr(activation, "__name__", type(activation).__name__))
