"""Find the convolutional layers of a model, and read what filter ``f_i`` answers to image ``i``.

The model's own forward pass is run with the layer's `call` replaced for that moment: the replacement sees the layer's
input, computes the response, and ends the pass. So the layers above it cost nothing, and a layer is reached wherever
it is: in a Sequential, functional, nested or subclassed model.
"""

import difflib
import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from tb_filterviz.errors import ModelError, NoConvolutionError, UnbuiltModelError, UnknownLayerError
from tb_filterviz.optvis import weights
from tb_filterviz.optvis.failures import told_of
from tb_filterviz.optvis.kinds import CONVOLUTIONS, is_as_keras_made_it, is_plain_convolution
from tb_filterviz.optvis.subject import Subject, leaves

_ABSENT = object()

Read = Callable[..., Any]  # read(call, inputs, *args, **kwargs) -> response; `call` is the layer's own


@dataclass(frozen=True, slots=True)
class Target:
    """A layer of a model, at one of its calls."""

    layer: keras.Layer
    path: str  # names from the model down to the layer, joined by "/"; "@2" after it for a second call
    position: int  # among the model's convolutional layers, from 0; what is shown on request comes after them
    call: int = 0  # which of the layer's calls in a forward pass


class _Reached(BaseException):  # not an Exception: it must pass every `except Exception` of a model's own code
    def __init__(self, response: Any) -> None:
        self.response = response


def convolutions(model: keras.Model) -> list[Target]:
    """The model's 2-D convolutional layers, in the order in which the model holds them.

    Raises:
        UnbuiltModelError: if the model has no weights yet.
        NoConvolutionError: if there is no such layer.
    """
    found = [target for target in _known(model) if isinstance(target.layer, CONVOLUTIONS)]
    if not found:
        kinds = sorted({type(layer).__name__ for _, layer in leaves(model)})
        raise NoConvolutionError(
            f"Model {model.name!r} has no 2-D convolutional layer, so there is no filter to show. "
            f"Its layers: {', '.join(kinds) or 'none'}. Others can be named."
        )
    return found


def _check_built(model: keras.Model) -> None:
    if not model.built:
        raise UnbuiltModelError(
            f"Model {model.name!r} is not built, so its filters do not exist yet. "
            "Give it an Input, or call model.build((None, height, width, channels)) first."
        )


def _unique_paths(found: list[tuple[str, keras.Layer]]) -> list[tuple[str, keras.Layer]]:
    paths = [path for path, _ in found]
    return [(path if paths.count(path) == 1 else f"{path}:{i}", layer) for i, (path, layer) in enumerate(found)]


def select(model: keras.Model, patterns: str | Iterable[str] | None = None) -> list[Target]:
    """The layers that the patterns name, in the model's order; all convolutional ones for None.

    Args:
        model: a built Keras model.
        patterns: layer names, paths or shell patterns such as ``"conv*"``, one or several. Patterns mean convolutional
            layers, if there is one that fits, or else any layer that does: Dense units on request. ``"name@2"`` is the
            second call of a shared layer.

    Raises:
        UnknownLayerError: if a pattern names no layer.
        ModelError: as in `convolutions`.
    """
    if patterns is None:
        return convolutions(model)
    known = _known(model)
    chosen: dict[int, Target] = {}
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        chosen |= {target.position: target for target in _matching(model, known, pattern)}
    if not chosen:
        raise UnknownLayerError("`layers` names no layer. Leave it out, or give None, for every convolutional layer.")
    return [chosen[position] for position in sorted(chosen)]


def _known(model: keras.Model) -> list[Target]:
    """Every layer, the convolutional ones first."""
    _check_built(model)
    unique = _unique_paths(leaves(model))
    is_shown = [isinstance(layer, CONVOLUTIONS) for _, layer in unique]
    in_order = [pair for pair, shown in zip(unique, is_shown, strict=True) if shown]
    in_order += [pair for pair, shown in zip(unique, is_shown, strict=True) if not shown]
    return [Target(layer, path, position) for position, (path, layer) in enumerate(in_order)]


def _matching(model: keras.Model, known: list[Target], pattern: str) -> list[Target]:
    call_of = re.fullmatch(r"(.+)@([1-9]\d*)", pattern)
    name, call = (call_of[1], int(call_of[2]) - 1) if call_of else (pattern, 0)

    def fits(target: Target) -> bool:
        return fnmatch.fnmatchcase(target.path, name) or fnmatch.fnmatchcase(target.layer.name, name)

    fitting = [target for target in known if fits(target)]
    convolutional = [target for target in fitting if isinstance(target.layer, CONVOLUTIONS)]
    if not fitting:
        paths = [target.path for target in known if isinstance(target.layer, CONVOLUTIONS)]
        close = difflib.get_close_matches(name, [target.path for target in known], n=1)
        raise UnknownLayerError(
            f"Model {model.name!r} has no layer {pattern!r}. Its convolutional layers: {', '.join(paths) or 'none'}."
            f"{f' Did you mean {close[0]!r}?' if close else ''}"
        )
    if not call:
        return convolutional or fitting
    return [
        Target(target.layer, f"{target.path}@{call + 1}", target.position + call * len(known), call)
        for target in convolutional or fitting
    ]


@contextmanager
def replaced(layer: keras.Layer, **attributes: Any) -> Iterator[None]:
    """Instance attributes in place for this moment, past Keras' own attribute tracking."""
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


def reach(subject: Subject, target: Target, images: Any, read: Read) -> Any:
    """What `read(call, inputs, ...)` makes of one call of the layer, when the model looks at `images`.

    The model is left as it was: no state is updated, no loss is added, nothing above the layer runs.

    Args:
        subject: the model.
        target: the layer, and which of its calls.
        images: float ``[n, h, w, c]``.
        read: makes a response of the layer's own `call` and its arguments.

    Raises:
        ModelError: if the model's forward pass does not call the layer, or not as often.
    """
    layer, own_call, passed = target.layer, target.layer.call, 0

    def intercepted(*args: Any, **kwargs: Any) -> Any:
        nonlocal passed
        with replaced(layer, call=own_call):
            if passed < target.call:
                passed += 1
                return own_call(*args, **kwargs)
            response = read(own_call, *args, **kwargs)
        raise _Reached(response)

    with untouched(subject), replaced(layer, call=intercepted):
        try:
            subject.look(images)
        except _Reached as reached:
            return reached.response
    raise not_called(subject, target, passed)


def not_called(subject: Subject, target: Target, calls: int) -> ModelError:
    """What to say of a layer that a forward pass calls only so often."""
    name = f"its layer {target.layer.name!r}"
    if not calls:
        return ModelError(f"The forward pass of model {subject.model.name!r} never calls {name}.")
    return ModelError(
        f"The forward pass of model {subject.model.name!r} calls {name} {calls} time{'s' if calls > 1 else ''}, "
        f"so there is no {target.path!r}."
    )


def told_of_target(target: Target) -> AbstractContextManager[None]:
    """A block in which whatever fails is said of the layer."""
    return told_of(
        lambda: f"Layer {target.path!r} ({type(target.layer).__name__}) cannot be drawn",
        advice="If memory is short: a smaller memory_mb or filters_per_batch in AscentConfig. "
        "`layers` may name others.",
    )


@contextmanager
def untouched(subject: Subject) -> Iterator[None]:
    """A block in which forward passes update nothing, and take the weights that are given, if any are."""
    with keras.StatelessScope(state_mapping=weights.current(), collect_losses=False), ExitStack() as stack:
        for layer, attributes in subject.shortcuts:
            if is_as_keras_made_it(layer):  # still: it may have been changed since
                stack.enter_context(replaced(layer, **attributes))
        for layer in subject.adapted:  # anew in this pass, so that a compiled one reads weights
            stack.enter_context(replaced(layer, mean=layer.mean, variance=layer.variance))
            layer.finalize_state()
        yield


def _channel_axis(layer: keras.Layer) -> int:
    return 1 if getattr(layer, "data_format", "channels_last") == "channels_first" else -1


def _before_activation(layer: keras.Layer, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The layer's output before its own activation, which would give no gradient where it is stuck at 0."""
    if getattr(layer, "activation", None) is None:
        return call(*args, **kwargs)
    with replaced(layer, activation=None):
        return call(*args, **kwargs)


def full_response(layer: keras.Layer) -> Read:
    """Reads the responses of all channels before the activation, float32 ``[n, h, w, channels]``.

    Units without a place in the image, such as Dense ones, have a height and width of 1.
    """

    def read(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        response = _before_activation(layer, call, *args, **kwargs)
        rank = len(getattr(response, "shape", ()))
        if rank not in (2, 3, 4):
            raise ModelError(
                f"Layer {layer.name!r} ({type(layer).__name__}) puts out {getattr(response, 'shape', type(response))}: "
                "only units [n, channels], rows [n, length, channels] and maps [n, height, width, channels] can be "
                "shown."
            )
        response = ops.cast(response, "float32")
        if rank < 4:
            return ops.reshape(response, (response.shape[0], 1, -1, response.shape[-1]))
        return response if _channel_axis(layer) == -1 else ops.transpose(response, (0, 2, 3, 1))

    return read


def layer_input(_call: Callable[..., Any], inputs: Any, *_: Any, **__: Any) -> Any:
    """Reads what the layer is given."""
    return inputs


def own_channel(layer: keras.Layer, filters: Any) -> Read:
    """Reads what filter ``filters[i]`` answers to image ``i`` before the activation, float32 ``[n, h, w]``."""
    return _convolve_own_channel(layer, filters) if is_plain_convolution(layer) else _gather_own_channel(layer, filters)


def _gather_own_channel(layer: keras.Layer, filters: Any) -> Read:
    read_all = full_response(layer)

    def read(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        response = read_all(call, *args, **kwargs)
        return ops.take_along_axis(response, ops.reshape(filters, (-1, 1, 1, 1)), axis=-1)[..., 0]

    return read


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
