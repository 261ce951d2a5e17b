"""Find the convolutional layers of a model, and read what filter ``f_i`` answers to image ``i``.

The model's own forward pass is run with the layer's `call` replaced for that moment: the replacement sees the layer's
input, computes the response, and ends the pass. So the layers above it cost nothing, and a layer is reached wherever
it is: in a Sequential, functional, nested or subclassed model.
"""

import difflib
import fnmatch
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from tb_filterviz.errors import ModelError, NoConvolutionError, UnbuiltModelError, UnknownLayerError

_CONVOLUTIONS = (
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
    keras.layers.Conv2DTranspose,
)
_ABSENT = object()

Read = Callable[..., Any]  # read(call, inputs, *args, **kwargs) -> response; `call` is the layer's own


@dataclass(frozen=True, slots=True)
class Target:
    """A convolutional layer of a model."""

    layer: keras.Layer
    path: str  # names from the model down to the layer, joined by "/"
    position: int  # among the model's convolutional layers, from 0


class _Reached(BaseException):  # not an Exception: it must pass every `except Exception` of a model's own code
    def __init__(self, response: Any) -> None:
        self.response = response


def _walk(layer: keras.Layer, prefix: str) -> Iterator[tuple[str, keras.Layer]]:
    for child in layer._flatten_layers(include_self=False, recursive=False):
        path = f"{prefix}{child.name}"
        yield path, child
        yield from _walk(child, f"{path}/")


def leaves(model: keras.Model) -> list[tuple[str, keras.Layer]]:
    """Every layer below `model`, with its path, in the order in which the model holds them, each once."""
    seen: set[int] = set()
    found = []
    for path, layer in _walk(model, ""):
        if id(layer) not in seen:
            seen.add(id(layer))
            found.append((path, layer))
    return found


def convolutions(model: keras.Model) -> list[Target]:
    """The model's 2-D convolutional layers, in the order in which the model holds them.

    Raises:
        UnbuiltModelError: if the model has no weights yet.
        NoConvolutionError: if there is no such layer.
    """
    if not model.built:
        raise UnbuiltModelError(
            f"Model {model.name!r} is not built, so its filters do not exist yet. "
            "Give it an Input, or call model.build((None, height, width, channels)) first."
        )
    found = [(path, layer) for path, layer in leaves(model) if isinstance(layer, _CONVOLUTIONS)]
    if not found:
        kinds = sorted({type(layer).__name__ for _, layer in leaves(model)})
        raise NoConvolutionError(
            f"Model {model.name!r} has no 2-D convolutional layer, so there is no filter to show. "
            f"Its layers: {', '.join(kinds) or 'none'}."
        )
    paths = [path for path, _ in found]
    unique = [path if paths.count(path) == 1 else f"{path}:{i}" for i, path in enumerate(paths)]
    return [Target(layer, path, i) for i, (path, (_, layer)) in enumerate(zip(unique, found, strict=True))]


def select(model: keras.Model, patterns: str | Iterable[str] | None = None) -> list[Target]:
    """The convolutional layers that the patterns name, in the model's order; all of them for None.

    Args:
        model: a built Keras model.
        patterns: layer names, paths or shell patterns such as ``"conv*"``, one or several.

    Raises:
        UnknownLayerError: if a pattern names no convolutional layer.
        ModelError: as in `convolutions`.
    """
    targets = convolutions(model)
    if patterns is None:
        return targets
    chosen: set[int] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        matching = {
            target.position
            for target in targets
            if fnmatch.fnmatchcase(target.path, pattern) or fnmatch.fnmatchcase(target.layer.name, pattern)
        }
        if not matching:
            known = [target.path for target in targets]
            close = difflib.get_close_matches(pattern, known, n=1)
            raise UnknownLayerError(
                f"Model {model.name!r} has no convolutional layer {pattern!r}. Its convolutional layers: "
                f"{', '.join(known)}.{f' Did you mean {close[0]!r}?' if close else ''}"
            )
        chosen |= matching
    if not chosen:
        raise UnknownLayerError("`layers` names no layer. Leave it out, or give None, for every convolutional layer.")
    return [target for target in targets if target.position in chosen]


def input_shape(model: keras.Model) -> tuple[int, int, int]:
    """``(height, width, channels)`` of the one image that the model takes.

    Raises:
        ModelError: if it takes several inputs, no image, or images of any size.
    """
    try:
        shape = model.input_shape
    except (AttributeError, ValueError):
        shape = (model.get_build_config() or {}).get("input_shape")
    if isinstance(shape, list | dict) and len(shape) == 1:
        (shape,) = shape.values() if isinstance(shape, dict) else shape
    if not (isinstance(shape, tuple) and len(shape) == 4):
        raise ModelError(f"Model {model.name!r} must take one image [n, height, width, channels]. Received: {shape}")
    if None in shape[1:]:
        raise ModelError(
            f"Model {model.name!r} takes images of any size, {shape}. Build it with a fixed size to look into it."
        )
    height, width, channels = shape[1:]
    return height, width, channels


@contextmanager
def _replaced(layer: keras.Layer, **attributes: Any) -> Iterator[None]:
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


def _as_inputs(model: keras.Model, images: Any) -> Any:
    """The images in the structure that a functional model was made with: alone, in a list, or in a dict."""
    structure = getattr(model, "_inputs_struct", None)
    return images if structure is None else keras.tree.pack_sequence_as(structure, [images])


def reach(model: keras.Model, layer: keras.Layer, images: Any, read: Read) -> Any:
    """What `read(call, inputs, ...)` makes of the layer's first call, when the model looks at `images`.

    The model is left as it was: no state is updated, no loss is added, nothing above the layer runs.

    Raises:
        ModelError: if the model's forward pass does not call the layer.
    """
    own_call = layer.call

    def intercepted(*args: Any, **kwargs: Any) -> Any:
        with _replaced(layer, call=own_call):
            response = read(own_call, *args, **kwargs)
        raise _Reached(response)

    with keras.StatelessScope(collect_losses=False), _replaced(layer, call=intercepted):
        try:
            model(_as_inputs(model, images), training=False)
        except _Reached as reached:
            return reached.response
    raise ModelError(f"The forward pass of model {model.name!r} never calls its layer {layer.name!r}.")


def _channel_axis(layer: keras.Layer) -> int:
    return 1 if getattr(layer, "data_format", "channels_last") == "channels_first" else -1


def _before_activation(layer: keras.Layer, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The layer's output before its own activation, which would give no gradient where it is stuck at 0."""
    if getattr(layer, "activation", None) is None:
        return call(*args, **kwargs)
    with _replaced(layer, activation=None):
        return call(*args, **kwargs)


def full_response(layer: keras.Layer) -> Read:
    """Reads the responses of all channels before the activation, float32 ``[n, h, w, channels]``."""

    def read(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        response = ops.cast(_before_activation(layer, call, *args, **kwargs), "float32")
        return response if _channel_axis(layer) == -1 else ops.transpose(response, (0, 2, 3, 1))

    return read


def has_own_channel(layer: keras.Layer) -> bool:
    """Whether one channel of this layer can be computed without the others."""
    return (
        type(layer).call is keras.layers.Conv2D.call
        and type(layer).convolution_op is keras.layers.Conv2D.convolution_op
        and layer.groups == 1
        and layer.data_format == "channels_last"
        and getattr(layer, "quantization_mode", None) is None
    )


def own_channel(layer: keras.Layer, filters: Any) -> Read:
    """Reads what filter ``filters[i]`` answers to image ``i`` before the activation, float32 ``[n, h, w]``."""
    return _convolve_own_channel(layer, filters) if has_own_channel(layer) else _gather_own_channel(layer, filters)


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


def response_shape(model: keras.Model, target: Target, shape: Sequence[int]) -> tuple[int, int, int]:
    """``(height, width, filters)`` of the layer's response to an image of `shape`."""
    response = reach(model, target.layer, ops.zeros((1, *shape)), full_response(target.layer))
    _, height, width, filters = response.shape
    return height, width, filters
