"""What is to be known of the layers before they are drawn, from one forward pass."""

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz.optvis.failures import told_of
from tb_filterviz.optvis.probe import Target, full_response, not_called, replaced, untouched
from tb_filterviz.optvis.subject import Subject, leaves


@dataclass(frozen=True, slots=True)
class Surveyed:
    """A layer, at one of its calls.

    Attributes:
        height: of its response, in units.
        width: likewise.
        filters: channels of its response.
        is_affine: whether its response is linear, up to a constant, in the image.
        numbers_below: how many numbers the layers before it put out for one image; what a gradient has to remember.
    """

    height: int
    width: int
    filters: int
    is_affine: bool
    numbers_below: int


class _AllSeen(BaseException):
    """Nothing above has to run."""


def samples(shape: Sequence[int], count: int, amplitude: float) -> npt.NDArray[np.float32]:
    """Random images float32 ``[count, h, w, c]`` in plus or minus `amplitude`."""
    return np.random.default_rng(0).uniform(-amplitude, amplitude, (count, *shape)).astype(np.float32)


def survey(subject: Subject, targets: Sequence[Target], span: float) -> dict[str, Surveyed]:
    """Look at all targets in one forward pass of three images.

    Linear is measured: an affine response to the middle of two images is the middle of their responses. The images are
    far larger than real ones, so that biases do not hide a ReLU.

    Args:
        subject: the model.
        targets: layers, and which of their calls.
        span: of the model's input range.

    Returns:
        What was found, by the targets' paths.

    Raises:
        ModelError: if the forward pass fails, or does not call a layer, or not as often as asked for.
    """
    wanted = {(id(target.layer), target.call): target for target in targets}
    found: dict[str, Surveyed] = {}
    calls: dict[int, int] = {}
    numbers = math.prod(subject.shape)
    failed = ""

    def failure() -> str:
        return f"Model {subject.model.name!r} cannot be run on an image of {subject.shape}{failed}"

    def observed(path: str, layer: keras.Layer, own_call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        nonlocal numbers, failed
        target = wanted.get((id(layer), calls.get(id(layer), 0)))
        calls[id(layer)] = calls.get(id(layer), 0) + 1
        try:
            with replaced(layer, call=own_call):
                if target is not None:
                    response = full_response(layer)(own_call, *args, **kwargs)
                    found[target.path] = _described(layer, ops.convert_to_numpy(response), numbers)
                    if len(found) == len(wanted):
                        raise _AllSeen
                output = own_call(*args, **kwargs)
        except Exception:
            failed = failed or f", in layer {path!r} ({type(layer).__name__})"  # the innermost comes first
            raise
        if not _has_layers_inside(layer):
            numbers += sum(math.prod(tensor.shape[1:]) for tensor in keras.tree.flatten(output))
        return output

    with told_of(failure), untouched(subject), ExitStack() as stack:
        first, second = samples(subject.shape, 2, 10 * span)
        images = np.stack([first, second, (first + second) / 2])
        for path, layer in leaves(subject.model):
            stack.enter_context(replaced(layer, call=partial(observed, path, layer, layer.call)))
        try:
            subject.look(ops.convert_to_tensor(images))
        except _AllSeen:
            return found
    absent = next(target for target in targets if target.path not in found)
    raise not_called(subject, absent, calls.get(id(absent.layer), 0))


def _has_layers_inside(layer: keras.Layer) -> bool:
    return next(iter(layer._flatten_layers(include_self=False, recursive=False)), None) is not None


def _described(layer: keras.Layer, responses: npt.NDArray[np.float32], numbers_below: int) -> Surveyed:
    middle = (responses[0] + responses[1]) / 2
    tolerance = 1e-3 if layer.compute_dtype in ("float32", "float64") else 3e-2
    error, largest = np.abs(responses[2] - middle).max(), np.abs(responses).max()
    _, height, width, filters = responses.shape
    return Surveyed(height, width, filters, bool(error <= tolerance * max(largest, 1e-30)), numbers_below)
