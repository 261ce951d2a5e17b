"""Read what filter ``f_i`` answers to image ``i``.

The model's own forward pass is run with the layer's `call` replaced for that moment: the replacement sees the layer's
input, computes the response, and ends the pass. So the layers above it cost nothing, and a layer is reached wherever
it is: in a Sequential, functional, nested or subclassed model.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import keras
from keras import ops
from keras.src.backend.common.global_state import get_global_attribute

from tb_filterviz.error_context import raising_for_part, raising_model_error
from tb_filterviz.errors import ModelError
from tb_filterviz.optvis import weight_overrides
from tb_filterviz.optvis.image_model import ImageModel, leaves
from tb_filterviz.optvis.layer_calls import LayerCall
from tb_filterviz.optvis.layer_types import is_as_keras_made_it, is_plain_convolution
from tb_filterviz.parts.objectives import Objective
from tb_filterviz.parts.objectives import own_channel as gather_own_channel

_ABSENT = object()
_NAME_SCOPES = "name_scope_stack"

Observe = Callable[..., Any]
Read = Callable[..., Any]  # read(call, inputs, *args, **kwargs) -> response; `call` is the layer's own


class _Reached(BaseException):  # not an Exception: it must pass every `except Exception` of a model's own code
    def __init__(self, response: Any) -> None:
        self.response = response


@contextmanager
def replaced(layer: keras.Layer, **attributes: Any) -> Iterator[None]:
    """Put instance attributes in place for this moment, past Keras' own attribute tracking."""
    before = {name: vars(layer).get(name, _ABSENT) for name in attributes}
    vars(layer).update(attributes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is _ABSENT:
                del vars(layer)[name]
            else:
                vars(layer)[name] = value


@contextmanager
def observed(model: keras.Model, observe: Observe) -> Iterator[None]:
    """Let `observe` stand in for the call of every layer below `model`, for this moment.

    It is called as ``observe(path, layer, own_call, *args, **kwargs)``, and has to put the layer's own call back while
    that runs: ``with replaced(layer, call=own_call)``.
    """
    with ExitStack() as stack:
        for path, layer in leaves(model):
            stack.enter_context(replaced(layer, call=partial(observe, path, layer, layer.call)))
        yield


def reach(image_model: ImageModel, layer_call: LayerCall, images: Any, read: Read) -> Any:
    """Return what `read(call, inputs, ...)` makes of one call of the layer, when the model looks at `images`.

    The model is left as it was: no state is updated, no loss is added, nothing above the layer runs.

    Args:
        image_model: the model.
        layer_call: the layer, and which of its calls.
        images: float ``[n, h, w, c]``.
        read: makes a response of the layer's own `call` and its arguments.

    Raises:
        ModelError: if the model's forward pass does not call the layer, or not as often.
    """
    return _intercepted(image_model, layer_call, read, lambda: image_model.look(images))


def reach_alone(image_model: ImageModel, layer_call: LayerCall, inputs: Any, read: Read) -> Any:
    """Return what `read(call, inputs, ...)` makes of the layer when it is called with `inputs`, and no model around it.

    It is called as Keras calls it, so that in mixed precision its weights are cast.
    """
    return _intercepted(image_model, replace(layer_call, call=0), read, lambda: layer_call.layer(inputs))


def _intercepted(image_model: ImageModel, layer_call: LayerCall, read: Read, run: Callable[[], Any]) -> Any:
    layer, own_call, passed = layer_call.layer, layer_call.layer.call, 0

    def intercepted(*args: Any, **kwargs: Any) -> Any:
        nonlocal passed
        with replaced(layer, call=own_call):
            if passed < layer_call.call:
                passed += 1
                return own_call(*args, **kwargs)
            response = read(own_call, *args, **kwargs)
        raise _Reached(response)

    with untouched(image_model), replaced(layer, call=intercepted):
        try:
            run()
        except _Reached as reached:
            return reached.response
    raise not_called(image_model, layer_call, passed)


def not_called(image_model: ImageModel, layer_call: LayerCall, calls: int) -> ModelError:
    """Say that a forward pass does not call a layer, or only so often."""
    name = f"its layer {layer_call.layer.name!r}"
    if not calls:
        return ModelError(
            f"The forward pass of model {image_model.model.name!r} never calls {name} in inference, so there is "
            "nothing to draw. `layers` may name others."
        )
    return ModelError(
        f"The forward pass of model {image_model.model.name!r} calls {name} {calls} time{'s' if calls > 1 else ''}, "
        f"so there is no {layer_call.path!r}."
    )


def raising_for_layer(layer_call: LayerCall) -> AbstractContextManager[None]:
    """Re-raise any error as a ModelError that names the layer."""
    return raising_model_error(
        lambda: f"Layer {layer_call.path!r} ({type(layer_call.layer).__name__}) cannot be drawn",
        advice="If memory is short: a smaller memory_mb or filters_per_batch in AscentConfig. "
        "`layers` may name others.",
    )


@contextmanager
def _name_scopes_kept() -> Iterator[None]:
    """Leave Keras' stack of names as it was: a name that TensorFlow refuses would stay on it, before all later ones."""
    depth = len(get_global_attribute(_NAME_SCOPES) or ())
    try:
        yield
    finally:
        del (get_global_attribute(_NAME_SCOPES) or [])[depth:]


@contextmanager
def untouched(image_model: ImageModel) -> Iterator[None]:
    """Run forward passes in this block that update nothing, and take the weights that are given, if any are."""
    scope = keras.StatelessScope(state_mapping=weight_overrides.current(), collect_losses=False)
    with scope, _name_scopes_kept(), ExitStack() as stack:
        for layer, attributes in image_model.shortcuts:
            if is_as_keras_made_it(layer):  # still: it may have been changed since
                stack.enter_context(replaced(layer, **attributes))
        for model in image_model.sized if image_model.takes_any_size else ():
            stack.enter_context(replaced(model, _manual_input_spec=None))
        for layer in image_model.adapted:  # anew in this pass, so that a compiled one reads weights
            stack.enter_context(replaced(layer, mean=layer.mean, variance=layer.variance))
            layer.finalize_state()
        yield


def channel_axis(layer: keras.Layer) -> int:
    """Tell which axis of its maps a layer's channels are: 1 or -1."""
    return 1 if getattr(layer, "data_format", "channels_last") == "channels_first" else -1


def _before_activation(layer: keras.Layer, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Return the layer's output before its own activation, which would give no gradient where it is stuck at 0."""
    if getattr(layer, "activation", None) is None:
        return call(*args, **kwargs)
    with replaced(layer, activation=None):
        return call(*args, **kwargs)


def full_response(layer: keras.Layer) -> Read:
    """Read the responses of all channels before the activation, float32 ``[n, h, w, channels]``.

    Units without a place in the image, such as Dense ones, have a height and width of 1.
    """

    def read(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return as_maps(layer, _before_activation(layer, call, *args, **kwargs))

    return read


def as_maps(layer: keras.Layer, response: Any) -> Any:
    """Bring what a layer puts out to float32 ``[n, h, w, channels]``.

    Raises:
        ModelError: if it puts out anything else than units, rows or maps.
    """
    rank = len(getattr(response, "shape", ()))
    if rank not in (2, 3, 4):
        raise ModelError(
            f"Layer {layer.name!r} ({type(layer).__name__}) puts out {getattr(response, 'shape', type(response))}: "
            "only units [n, channels], rows [n, length, channels] and maps [n, height, width, channels] can be "
            "shown."
        )
    response = ops.cast(response, "float32")
    if rank > 2 and channel_axis(layer) == 1:
        response = ops.moveaxis(response, 1, -1)
    if rank < 4:
        return ops.reshape(response, (response.shape[0], 1, -1, response.shape[-1]))
    return response


def layer_input(_call: Callable[..., Any], inputs: Any, *_: Any, **__: Any) -> Any:
    """Return what the layer is given."""
    return inputs


def own_channel(layer: keras.Layer, filters: Any) -> Read:
    """Read what filter ``filters[i]`` answers to image ``i`` before the activation, float32 ``[n, h, w]``."""
    if is_plain_convolution(layer):
        return _convolve_own_channel(layer, filters)
    read_all = full_response(layer)
    return lambda call, *args, **kwargs: gather_own_channel(read_all(call, *args, **kwargs), filters)


def response_for(objective: Objective, layer: keras.Layer, filters: Any) -> Read:
    """Read what the objective reads: the own channel ``[n, h, w]``, or all ``[n, h, w, channels]``."""
    return full_response(layer) if objective.reads == "all" else own_channel(layer, filters)


def score_of(objective: Objective, response: Any, filters: Any) -> Any:
    """Score what `response_for` read, float32 ``[n]``.

    Raises:
        ModelError: if the objective returns anything else.
    """
    arguments = (response, filters) if objective.reads == "all" else (response,)
    call = (
        "score(responses, filters), since reads='all'"
        if objective.reads == "all"
        else "score(response), since reads='own'"
    )
    with raising_for_part(f"Objective {objective.name!r}", call):
        scores = objective.score(*arguments)
    if tuple(getattr(scores, "shape", ())) != (response.shape[0],):
        raise ModelError(
            f"Objective {objective.name!r} must return one score for each of {response.shape[0]} images. "
            f"Received: {getattr(scores, 'shape', type(scores).__name__)}"
        )
    return ops.cast(scores, "float32")


def _convolve_own_channel(layer: keras.Layer, filters: Any) -> Read:
    """One kernel per image: taps by matrix product, summed by the layer's own convolution.

    With the kernel ``K [kh, kw, c]`` of one filter, ``conv(x, K) = sum over taps t of shift_t(x . K[t])``. The products
    ``x . K[t]`` of all taps are one small matrix product per image; the shifted sum is a convolution with a constant
    kernel of ones and zeros, run by the layer itself, so strides, padding and dilation are its own.
    """

    def read(_call: Callable[..., Any], inputs: Any) -> Any:
        kernel = ops.take(ops.cast(layer.kernel, inputs.dtype), filters, axis=-1)  # [kh, kw, c, n]
        kh, kw, channels, count = kernel.shape
        _, height, width, _ = inputs.shape
        pixels = ops.reshape(inputs, (count, height * width, channels))
        taps = ops.reshape(ops.transpose(kernel, (3, 2, 0, 1)), (count, channels, kh * kw))
        products = ops.reshape(ops.matmul(pixels, taps), (count, height, width, kh * kw))
        shifts = ops.reshape(ops.eye(kh * kw, dtype=inputs.dtype), (kh, kw, kh * kw, 1))
        response = layer.convolution_op(products, shifts)[..., 0]
        if layer.use_bias:
            response = response + ops.reshape(ops.take(ops.cast(layer.bias, inputs.dtype), filters), (-1, 1, 1))
        return ops.cast(response, "float32")

    return read
