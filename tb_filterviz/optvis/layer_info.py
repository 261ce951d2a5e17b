"""What is to be known of the layers before they are drawn, from one forward pass."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz.error_context import raising_model_error
from tb_filterviz.errors import ModelError
from tb_filterviz.optvis.image_model import ImageModel, has_layers_inside
from tb_filterviz.optvis.layer_calls import LayerCall
from tb_filterviz.optvis.layer_types import is_exact
from tb_filterviz.optvis.probe import full_response, not_called, observed, replaced, untouched
from tb_filterviz.parts.objectives import center_unit


@dataclass(frozen=True, slots=True)
class Given:
    """What a layer is given for one image.

    Attributes:
        shape: without the batch axis.
        dtype: its name.
    """

    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, slots=True)
class LayerInfo:
    """A layer, at one of its calls.

    Attributes:
        height: of its response, in units.
        width: likewise.
        filters: channels of its response.
        is_affine: whether its response is linear, up to a constant, in the image.
        numbers_below: how many numbers the layers before it put out for one image; what a gradient has to remember.
        given: what it is given for one image.
        field_px: a square of so many pixels a side, in the middle of the image, holds all that its centre unit sees;
            None if that is more than was measured, or none was.
    """

    height: int
    width: int
    filters: int
    is_affine: bool
    numbers_below: int
    given: "Given"
    field_px: int | None = None


_TOGETHER = 3  # images; not fewer: the first three tell together whether a layer is linear


class _AllSeen(BaseException):
    """Nothing above has to run."""


def samples(shape: Sequence[int], count: int, amplitude: float) -> npt.NDArray[np.float32]:
    """Make random images float32 ``[count, h, w, c]`` in plus or minus `amplitude`."""
    return np.random.default_rng(0).uniform(-amplitude, amplitude, (count, *shape)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What forward passes tell.

    Attributes:
        infos: what was found, by the layer_calls' paths.
        errors: why nothing was, of layers that nobody named, by path.
    """

    infos: dict[str, LayerInfo]
    errors: dict[str, ModelError]


def inspect_layers(
    image_model: ImageModel, layer_calls: Sequence[LayerCall], span: float, *, fields_to: int = 0
) -> Inspection:
    """Inspect all layers in forward passes of a few images, three at a time: Keras keeps what all layers put out.

    Linear is measured: an affine response to the middle of two images is the middle of their responses. The images are
    far larger than real ones, so that biases do not hide a ReLU.

    Args:
        image_model: the model.
        layer_calls: layers, and which of their calls.
        span: of the model's input range.
        fields_to: up to which side, in pixels, to find `LayerInfo.field_px`; 0 measures none.

    Raises:
        ModelError: if the forward pass fails, or if it does not call, or not as often as asked for, a layer that was
            named, or any layer.
    """
    wanted = {(id(layer_call.layer), layer_call.call): layer_call for layer_call in layer_calls}
    found: dict[str, LayerInfo] = {}
    errors: dict[str, ModelError] = {}
    calls: dict[int, int] = {}
    numbers = math.prod(image_model.shape)
    failed = ""

    def failure() -> str:
        return f"Model {image_model.model.name!r} cannot be run on an image of {image_model.shape}{failed}"

    units: dict[str, list[npt.NDArray[np.float32]]] = {}
    least_changes: dict[str, float] = {}
    seen: set[str] = set()

    def observe(path: str, layer: keras.Layer, own_call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        nonlocal numbers, failed
        layer_call = wanted.get((id(layer), calls.get(id(layer), 0)))
        calls[id(layer)] = calls.get(id(layer), 0) + 1
        try:
            with replaced(layer, call=own_call):
                if layer_call is not None:
                    try:
                        read = response_and_given(layer)(own_call, *args, **kwargs)
                    except ModelError as error:
                        if layer_call.is_named:
                            raise
                        errors[layer_call.path] = error
                    else:
                        responses, given = read
                        if layer_call.path not in found:
                            found[layer_call.path] = _described(layer, responses, given, numbers)
                            least_changes[layer_call.path] = _least_change(layer, responses)
                        units.setdefault(layer_call.path, []).append(center_unit.score(responses))
                    seen.add(layer_call.path)
                    if len(seen) == len(wanted):
                        raise _AllSeen
                output = own_call(*args, **kwargs)
        except Exception:
            failed = failed or f", in layer {path!r} ({type(layer).__name__})"  # the innermost comes first
            raise
        if not has_layers_inside(layer):
            numbers += sum(math.prod(tensor.shape[1:]) for tensor in keras.tree.flatten(output))
        return output

    with raising_model_error(failure), untouched(image_model), observed(image_model.model, observe):
        first, second = samples(image_model.shape, 2, 10 * span)
        squares = _squares(image_model.shape, fields_to)
        images = [first, second, (first + second) / 2, *(_patched(first, second, each) for each in squares)]
        for begin in range(0, len(images), _TOGETHER):
            calls.clear()
            seen.clear()
            with suppress(_AllSeen):
                image_model.look(ops.convert_to_tensor(np.stack(images[begin : begin + _TOGETHER])))
    for layer_call in layer_calls:
        if layer_call.path not in {*found, *errors}:
            errors[layer_call.path] = not_called(image_model, layer_call, calls.get(id(layer_call.layer), 0))
            if layer_call.is_named:
                raise errors[layer_call.path]
    if not found:
        raise next(iter(errors.values()))
    infos = {
        path: replace(info, field_px=_field_px(np.concatenate(units[path]), squares, least_changes[path]))
        for path, info in found.items()
    }
    return Inspection(infos, errors)


def response_and_given(layer: keras.Layer) -> Callable[..., tuple[npt.NDArray[np.float32], Given]]:
    """Read all responses of a layer, as `full_response` does, and what it was given."""
    read_response = full_response(layer)

    def read(call: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[npt.NDArray[np.float32], Given]:
        response = ops.convert_to_numpy(read_response(call, *args, **kwargs))
        first = next(each for each in keras.tree.flatten((args, kwargs)) if hasattr(each, "dtype"))
        return response, Given(tuple(first.shape[1:]), keras.backend.standardize_dtype(first.dtype))

    return read


def _described(
    layer: keras.Layer,
    responses: npt.NDArray[np.float32],
    given: Given,
    numbers_below: int,
) -> LayerInfo:
    middle = (responses[0] + responses[1]) / 2
    tolerance = 1e-3 if is_exact(layer) else 3e-2
    error, largest = np.abs(responses[2] - middle).max(), max(np.abs(responses).max(), 1e-30)
    _, height, width, filters = responses.shape
    return LayerInfo(height, width, filters, bool(error <= tolerance * largest), numbers_below, given)


def _least_change(layer: keras.Layer, responses: npt.NDArray[np.float32]) -> float:
    """Tell how much a unit's answer has to change to have seen something."""
    return (1e-5 if is_exact(layer) else 1e-2) * max(float(np.abs(responses).max()), 1e-30)


def _field_px(units: npt.NDArray[np.float32], squares: Sequence[int], least_change: float) -> int | None:
    """Find the smallest square that holds all that a unit sees, from its answers ``[3 + squares, filters]``."""
    differs = np.abs(units[3:] - units[0]).max(axis=-1) > least_change
    outside = [side for side, unlike in zip(squares, differs, strict=True) if unlike]
    holding = [side for side in squares if not outside or side > max(outside)]
    return min(holding) if holding else None


def _squares(shape: Sequence[int], most: int) -> list[int]:
    """List sides of squares that are smaller than the image, up to a side: 8, 12, 16, 24, 32, ..."""
    sides = sorted(2**power * odd // 2 for power in range(2, 12) for odd in (2, 3))
    return [side for side in sides if 8 <= side < max(shape[:2]) and side <= most]


def _patched(inside: npt.NDArray[np.float32], outside: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.float32]:
    """Put a square of one image into the middle of another."""
    patched = outside.copy()
    top, left = (max(0, (whole - side) // 2) for whole in inside.shape[:2])
    patched[top : top + side, left : left + side] = inside[top : top + side, left : left + side]
    return patched
