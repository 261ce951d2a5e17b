"""A layer's own weights, as pictures: each filter's kernel, and the kernel that it comes to on the image."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz.optvis import backends, probe
from tb_filterviz.optvis.canvas import Canvas
from tb_filterviz.optvis.image_model import ImageModel, leaves
from tb_filterviz.optvis.layer_calls import LayerCall
from tb_filterviz.optvis.layer_info import samples
from tb_filterviz.optvis.layer_types import ACTIVATIONS, is_convolution, is_exact
from tb_filterviz.parts.objectives import center_unit
from tb_filterviz.parts.tones import to_displayable
from tb_filterviz.snapshots import LayerKernels

_MOST_CHANNELS = 6  # of the input, the strongest
_MOST_PX = 64  # a side of an effective kernel

Effective = Callable[[npt.NDArray[np.int32]], npt.NDArray[np.float32]]


def layer_kernels(
    layer: keras.Layer, filters: npt.NDArray[np.int32], effective: Effective | None, *, is_bgr: bool
) -> LayerKernels | None:
    """Make pictures of the kernels of some filters; None of layers that are no plain convolutions.

    Args:
        layer: the layer.
        filters: int32 ``[n]``.
        effective: see `effective_kernels`.
        is_bgr: whether the model's image is blue, green and red; the pictures are red, green and blue.
    """
    if not is_convolution(layer):
        return None
    kernel = np.moveaxis(np.asarray(layer.get_weights()[0], np.float32), -1, 0)[filters]  # [n, kh, kw, c]
    kernel = np.nan_to_num(kernel)
    strengths = np.linalg.norm(kernel.reshape(len(filters), -1, kernel.shape[-1]), axis=1)
    channels = np.argsort(-strengths, axis=1, kind="stable")[:, :_MOST_CHANNELS].astype(np.int32)
    strongest = np.take_along_axis(kernel, channels[:, None, None].astype(np.int64), axis=-1)
    if layer.groups > 1:  # each filter sees the channels of its own group
        channels = channels + (filters // (layer.filters // layer.groups) * kernel.shape[-1]).astype(np.int32)[:, None]
    found = None
    if effective is not None:
        levels = as_signed_levels(effective(filters))
        found = to_displayable(levels[..., ::-1] if is_bgr else levels)
    return LayerKernels(channels=channels, slices=as_signed_levels(np.moveaxis(strongest, -1, 1)), effective=found)


def as_signed_levels(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Bring each filter's numbers ``[n, ...]`` to uint8: 128 is 0, and 1 or 255 the largest of the filter."""
    inner = tuple(range(1, values.ndim))
    largest = np.abs(values).max(axis=inner, keepdims=True)
    return np.asarray(np.round(128 + values / np.maximum(largest, 1e-30) * 127), np.uint8)


def effective_kernels(canvas: Canvas, layer_call: LayerCall, *, batch: int) -> Effective | None:
    """Make a function that computes kernels on the image, float32 ``[n, h, w, c]``, of filters int32 ``[n]``.

    That is the gradient of the centre unit to the image when the layers below are made linear: activations let
    everything pass, and max-pooling takes the mean. Where all units below are on, it is what the filter computes.

    Args:
        canvas: of the layer's receptive field.
        layer_call: the layer.
        batch: how many filters at once.

    Returns:
        None where the layers below cannot be made linear so, or the field is above 64 pixels a side.
    """
    image_model = canvas.model
    if max(image_model.shape[:2]) > _MOST_PX or not _is_linear(image_model, layer_call):
        return None
    backend = backends.current()

    def responses(images: Any, filters: Any) -> Any:
        with linearized(image_model):
            response = probe.reach(image_model, layer_call, images, probe.own_channel(layer_call.layer, filters))
        return center_unit.score(response)

    compute = backend.compiled(backend.value_and_gradient(responses), image_model.model)

    def kernels(filters: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        found = []
        for first in range(0, len(filters), batch):
            some = filters[first : first + batch]
            filled = ops.convert_to_tensor(some[np.arange(batch) % len(some)])
            images = ops.zeros((batch, *image_model.shape), "float32")
            _, gradient = compute(images, filled)
            found.append(np.asarray(ops.convert_to_numpy(gradient), np.float32)[: len(some)])
        return np.nan_to_num(np.concatenate(found))

    return kernels


def _is_linear(image_model: ImageModel, layer_call: LayerCall) -> bool:
    """Tell whether the layer is linear in the image once what is below it is made linear."""
    first, second = samples(image_model.shape, 2, 1.0)
    images = ops.convert_to_tensor(np.stack([first, second, (first + second) / 2]))
    try:
        with linearized(image_model):
            answers = probe.reach(image_model, layer_call, images, probe.full_response(layer_call.layer))
    except Exception:  # a layer that cannot do without its activation
        return False
    values = ops.convert_to_numpy(answers)
    error, largest = np.abs(values[2] - (values[0] + values[1]) / 2).max(), max(np.abs(values).max(), 1e-30)
    return bool(error <= (1e-3 if is_exact(layer_call.layer) else 3e-2) * largest)


@contextmanager
def linearized(image_model: ImageModel) -> Iterator[None]:
    """Let activations pass everything, and max-pooling take the mean, in this block."""
    with ExitStack() as stack:
        for _, layer in leaves(image_model.model):
            if isinstance(layer, ACTIVATIONS):
                stack.enter_context(probe.replaced(layer, call=_as_it_is))
            elif isinstance(layer, keras.layers.MaxPooling2D):
                stack.enter_context(probe.replaced(layer, call=_mean_instead(layer)))
            elif getattr(layer, "activation", None) is not None:
                stack.enter_context(probe.replaced(layer, activation=None))
        yield


def _as_it_is(inputs: Any, *_: Any, **__: Any) -> Any:
    return inputs


def _mean_instead(layer: keras.layers.MaxPooling2D) -> Callable[[Any], Any]:
    return lambda inputs: ops.average_pool(
        inputs, layer.pool_size, strides=layer.strides, padding=layer.padding, data_format=layer.data_format
    )
