"""The range of intensities of a model's inputs: as it is said, of examples, or from what the model computes.

On its way to its first weights, a model often brings pixels to a range that networks like: by a `Rescaling`, a
`Lambda`, operations, `preprocess_input`, a `Normalization`. Whatever it is written with, it is measured: constant
colours are shown, and what arrives at the first layer with weights tells by which factor and offset.
"""

import warnings
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz.config import Bound, Range
from tb_filterviz.errors import ConfigError
from tb_filterviz.optvis.image_model import ImageModel, Shape, has_layers_inside, leaves
from tb_filterviz.optvis.known_networks import documented_range
from tb_filterviz.optvis.probe import replaced, untouched

Array = npt.NDArray[np.float64]

PIXELS = (0.0, 255.0)
UNIT = (0.0, 1.0)

_ALIKE = 0.01  # of a range's width: 256 gray levels mean those from 0 to 255
_CLOSE = 0.15  # likewise, for mean and standard deviation of real images
_MOST_MIXED = 4  # channels: more need too many colours
_DIGITS = 5  # enough for pictures, and few enough for the same range on every machine


@dataclass(frozen=True, slots=True)
class InputRange:
    """A range of intensities, and where it is from.

    Attributes:
        limits: ``(low, high)``, each a number, or one for each channel.
        reason: why this range, as a clause.
        is_assumed: True if nothing told it.
    """

    limits: Range
    reason: str
    is_assumed: bool = False

    def describe(self) -> str:
        """Say in one sentence what was taken, and why."""
        low, high = map(_bound_text, self.limits)
        if self.is_assumed:
            return (
                f"The input range {low} to {high} is assumed: {self.reason}. If yours is another: "
                "input_range=(low, high) in a Config, --input-range on the command line, or examples=images."
            )
        return f"The input range is {low} to {high}: {self.reason}."


def _bound_text(bound: Bound) -> str:
    return f"({', '.join(f'{each:g}' for each in bound)})" if isinstance(bound, tuple) else f"{bound:g}"


def input_range_of(image_model: ImageModel, said: Range | None = None, examples: Any = None) -> InputRange:
    """Find the range of a model's inputs.

    Args:
        image_model: the model.
        said: by the user, which settles it.
        examples: images ``[n, h, w, c]`` as the model is given them; None if none are at hand.

    Raises:
        ConfigError: if `examples` or `said` do not fit the model.
    """
    if said is not None:
        _check_channels(said, image_model.shape)
        return InputRange(said, "`input_range` says so")
    if examples is not None:
        return _range_of_examples(as_examples(examples, image_model.shape))
    first = _first_weights(image_model)
    if first is not None and first.is_affine and not first.is_identity:
        return _range_before(first)
    documented = documented_range([image_model.model.name, *(first.path.split("/") if first else ())])
    if documented is not None and (first is None or first.is_identity):
        name, limits = documented
        return InputRange(limits, f"keras.applications documents it for {name!r}")
    reason = (
        "nothing in the model tells it"
        if first is None or first.is_identity
        else "what the model does with it first is not linear"
    )
    return InputRange(UNIT, reason, is_assumed=True)


def _check_channels(limits: Range, shape: Shape) -> None:
    sizes = {len(bound) for bound in limits if isinstance(bound, tuple)}
    if sizes - {shape[2]}:
        raise ConfigError(f"`input_range` must have one bound for each of {shape[2]} channels. Received: {limits}")


def as_examples(examples: Any, shape: Shape) -> npt.NDArray[np.float32]:
    """Return the images as float32 ``[n, h, w, c]``.

    Raises:
        ConfigError: if they are not images with the channels of `shape`.
    """
    images = np.asarray(examples)
    if images.ndim == 3 and shape[2] == 1 and shape[0] > 1:
        images = images[..., None]
    if images.ndim == 3 and shape[0] == 1:
        images = images[:, None]  # signals
    if images.ndim != 4 or images.shape[-1] != shape[2] or not images.size or images.dtype.kind not in "biuf":
        raise ConfigError(
            f"`examples` must be images [n, height, width, {shape[2]}], as the model is given them. Received: an array "
            f"of shape {images.shape} and dtype {images.dtype}"
        )
    images = images.astype(np.float32)
    if not np.isfinite(images).all():
        raise ConfigError("`examples` must be finite numbers.")
    return images


def _range_of_examples(images: npt.NDArray[np.float32]) -> InputRange:
    low, high = float(images.min()), float(images.max())
    limits: Range
    if low >= 0 and high <= 1:
        limits = UNIT
    elif low >= 0 and high <= PIXELS[1]:
        limits = PIXELS
    elif low >= -1 and high <= 1:
        limits = (-1.0, 1.0)
    else:
        mean, spread = images.mean((0, 1, 2), np.float64), images.std((0, 1, 2), np.float64)
        lowest, highest = images.min((0, 1, 2)), images.max((0, 1, 2))
        limits = _limits(np.maximum(mean - 2 * spread, lowest), np.minimum(mean + 2 * spread, highest))
        return InputRange(limits, "mean plus or minus 2 standard deviations of the examples")
    return InputRange(limits, f"the examples are from {low:g} to {high:g}")


def _limits(low: Array, high: Array) -> Range:
    """Make one bound for all channels where they are alike, and one for each where not."""
    if low.size > 1 and (np.ptp(low) > _ALIKE * np.ptp([low, high]) or np.ptp(high) > _ALIKE * np.ptp([low, high])):
        return tuple(map(_rounded, low)), tuple(map(_rounded, high))
    return _rounded(low.mean()), _rounded(high.mean())


def _rounded(value: Any) -> float:
    return float(f"{float(value):.{_DIGITS}g}") + 0.0  # no minus zero


def _range_before(first: "_FirstWeights") -> InputRange:
    """Choose the range whose image, by ``scale * x + offset``, is one that networks like."""
    scale, offset = first.scale, first.offset
    mean, spread = -offset / scale, 1 / np.abs(scale)
    if np.allclose(offset, 0, atol=_ALIKE) and (scale > 0).all():
        low, high, reason = np.zeros_like(mean), spread, "the model brings it to 0 to 1"
    elif np.allclose(offset, -1, atol=_ALIKE) and (scale > 0).all():
        low, high, reason = np.zeros_like(mean), 2 * spread, "the model brings it to -1 to 1"
    elif np.allclose(scale, 1, atol=_ALIKE) and (mean > 0).all() and (mean < PIXELS[1]).all():
        low, high = np.zeros_like(mean), np.full_like(mean, PIXELS[1] if mean.max() > 1 else UNIT[1])
        reason = f"the model subtracts a mean of {_bound_text(tuple(map(_rounded, mean)))}"
    else:
        low, high = mean - 2 * spread, mean + 2 * spread
        reason = "mean plus or minus 2 standard deviations, by which the model standardizes"
        for usual in (PIXELS, UNIT):
            if _is_close(low, high, usual, _CLOSE):
                return InputRange(usual, "the model standardizes as is usual for images of this range")
    for usual in (PIXELS, UNIT):
        if _is_close(low, high, usual, _ALIKE):
            return InputRange(usual, reason)
    return InputRange(_limits(low, high), reason)


def _is_close(low: Array, high: Array, usual: tuple[float, float], tolerance: float) -> bool:
    off = max(abs(float(low.mean()) - usual[0]), abs(float(high.mean()) - usual[1]))
    return off <= tolerance * (usual[1] - usual[0])


@dataclass(frozen=True, slots=True)
class _FirstWeights:
    """What arrives at the first layer with weights.

    Attributes:
        path: of the layer.
        is_affine: whether each channel of what arrives is ``scale * x + offset`` of a pixel.
        scale: ``[c]``, by channel of the input.
        offset: likewise.
    """

    path: str
    is_affine: bool
    scale: Array
    offset: Array

    @property
    def is_identity(self) -> bool:
        return self.is_affine and bool(
            np.allclose(self.scale, 1, atol=_ALIKE) and np.allclose(self.offset, 0, atol=_ALIKE)
        )


class _Arrived(BaseException):
    """Nothing above has to run. Not an Exception: it must pass every `except Exception` of a model's own code."""


def _first_weights(image_model: ImageModel) -> _FirstWeights | None:
    """Measure what the image is when it arrives at the first layer with weights; None if it arrives at none."""
    for brightest in (255.0, 1.0):  # the larger is more precise; some models clip what is above 1
        colors = _colors(image_model.shape[2], brightest)
        arrived = _arriving(image_model, colors)
        if arrived is None:
            return None
        path, values = arrived
        fitted = _fitted(colors, values)
        if fitted is not None:
            return _FirstWeights(path, True, *fitted)
    nothing = np.zeros(image_model.shape[2])
    return _FirstWeights(path, False, nothing, nothing)


def _colors(channels: int, brightest: float) -> Array:
    """List colours ``[n, c]``: black, gray, and some of random channels."""
    mixed = np.random.default_rng(0).uniform(0.2, 1, (channels + 3 if channels <= _MOST_MIXED else 2, channels))
    return np.concatenate([np.zeros((1, channels)), np.full((1, channels), 0.5), mixed]) * brightest


def _fitted(colors: Array, values: Array) -> tuple[Array, Array] | None:
    """Find scale and offset, ``[c]`` each, from what becomes of `colors`; None if it is not linear."""
    black = values[0]
    tolerance = _ALIKE * np.ptp(values)  # half precision is no finer
    for ordered in (values, values[:, ::-1]):  # as VGG's preprocess_input turns RGB round
        if values.shape[1] != colors.shape[1]:
            break
        scale = (ordered[1] - ordered[0]) / colors[1]
        if np.abs(colors * scale + ordered[0] - ordered).max() <= tolerance:
            return scale, ordered[0]
    # Channels are mixed or repeated: what counts is how gray levels go through.
    unknowns = np.c_[colors, np.ones(len(colors))]
    weights = np.linalg.lstsq(unknowns, values, rcond=None)[0]
    if colors.shape[1] > _MOST_MIXED or np.abs(unknowns @ weights - values).max() > tolerance:
        return None
    each = np.ones(colors.shape[1])
    return ((values[1] - black) / colors[1, 0]).mean() * each, black.mean() * each


def _arriving(image_model: ImageModel, colors: Array) -> tuple[str, Array] | None:
    """Show images of one colour each, and return the path of the first layer with weights, and what arrives there."""
    images = np.broadcast_to(colors[:, None, None].astype(np.float32), (len(colors), *image_model.shape))
    arrived: list[tuple[str, Array]] = []

    def observed(path: str, layer: keras.Layer, own_call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        values = None if _is_fixed(layer) else _middle(layer, (args, kwargs), len(colors), image_model.shape[2])
        if values is not None and np.ptp(values, axis=0).max() > 0:  # it may be of another input than the image
            arrived.append((path, values))
            raise _Arrived
        with replaced(layer, call=own_call):
            return own_call(*args, **kwargs)

    with untouched(image_model), ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path, layer in leaves(image_model.model):
            if not has_layers_inside(layer):
                stack.enter_context(replaced(layer, call=partial(observed, path, layer, layer.call)))
        try:
            image_model.look(ops.convert_to_tensor(np.ascontiguousarray(images)))
        except _Arrived:
            return arrived[0]
        except Exception:  # whoever draws runs the model as well, and says what fails
            return None
    return None


def _is_fixed(layer: keras.Layer) -> bool:
    """Tell whether a training leaves a layer as it is. Not so the statistics of a BatchNormalization."""
    if not layer.weights or isinstance(layer, keras.layers.Normalization):
        return True
    is_normalizing = isinstance(layer, keras.layers.BatchNormalization)
    return layer.trainable and not layer.trainable_weights and not is_normalizing


def _middle(layer: keras.Layer, given: Any, count: int, channels: int) -> Array | None:
    """Return what a layer is given in the middle of each image, ``[n, c]``; None if it is given no images."""
    for tensor in _tensors(given):
        if len(tensor.shape) < 2 or tensor.shape[0] != count or not keras.backend.is_float_dtype(tensor.dtype):
            continue
        values = ops.convert_to_numpy(ops.cast(tensor, "float32")).astype(np.float64)
        if len(tensor.shape) > 2 and getattr(layer, "data_format", None) == "channels_first":
            values = np.moveaxis(values, 1, -1)
        if values.ndim == 2 and values.shape[1] % channels == 0:  # flattened
            values = values.reshape(count, -1, channels)
        for _ in range(values.ndim - 2):
            values = values[:, values.shape[1] // 2]
        return np.asarray(values)
    return None


def _tensors(given: Any) -> Iterable[Any]:
    return (each for each in keras.tree.flatten(given) if ops.is_tensor(each))
