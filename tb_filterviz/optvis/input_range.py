"""The range of intensities of a model's inputs: as it is said, of examples, or from what the model computes.

On its way to its first weights, a model often brings pixels to a range that networks like: by a `Rescaling`, a
`Lambda`, operations, `preprocess_input`, a `Normalization`. Whatever it is written with, it is measured: constant
colours are shown, and what arrives at the first layer with weights tells by which factor and offset.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz.config import Bound, ChannelOrder, Range
from tb_filterviz.errors import ConfigError
from tb_filterviz.examples.example_set import as_images
from tb_filterviz.optvis.image_model import ImageModel, Shape, has_layers_inside
from tb_filterviz.optvis.known_networks import documented_range, is_bgr
from tb_filterviz.optvis.probe import observed, replaced, untouched

Array = npt.NDArray[np.float64]
Channels = Literal["kept", "reversed", "mixed"]

PIXELS = (0.0, 255.0)
UNIT = (0.0, 1.0)
SIGNED = (-1.0, 1.0)

_ALIKE = 0.01  # of a range's width: 256 gray levels mean those from 0 to 255
_MOST_MIXED = 4  # channels: more need too many colours
_DIGITS = 5  # enough for pictures, and few enough for the same range on every machine


_OTHER_ORDER = "If they are not: channel_order='rgb' in a Config, --channel-order rgb on the command line."
_WAY = "input_range=(low, high) in a Config, --input-range on the command line, or examples=images"


@dataclass(frozen=True, slots=True)
class InputRange:
    """A range of intensities, and where it is from.

    Attributes:
        limits: ``(low, high)``, each a number, or one for each channel.
        reason: why this range, as a clause.
        is_assumed: True if nothing told it.
        is_doubtful: True if what told it may well be wrong.
        is_bgr: True if the channels are blue, green and red.
        is_order_said: True if the user settled that.
    """

    limits: Range
    reason: str
    is_assumed: bool = False
    is_doubtful: bool = False
    is_bgr: bool = False
    is_order_said: bool = False

    @property
    def channel_order(self) -> ChannelOrder:
        """``"rgb"`` or ``"bgr"``."""
        return "bgr" if self.is_bgr else "rgb"

    def describe(self) -> str:
        """Say in a sentence or two what was taken, and why."""
        low, high = map(_bound_text, self.limits)
        said = f"{low} to {high} is assumed" if self.is_assumed else f"is {low} to {high}"
        way = f" If yours is another: {_WAY}." if self.is_assumed or self.is_doubtful else ""
        is_news = self.is_bgr and not self.is_order_said
        order = f" Its channels are taken as blue, green, red. {_OTHER_ORDER}" if is_news else ""
        return f"The input range {said}: {self.reason}.{way}{order}"


def _bound_text(bound: Bound) -> str:
    return f"({', '.join(f'{each:g}' for each in bound)})" if isinstance(bound, tuple) else f"{bound:g}"


def input_range_of(
    image_model: ImageModel, said: Range | None = None, examples: Any = None, order: ChannelOrder = "auto"
) -> InputRange:
    """Find the range of a model's inputs, and the order of their channels.

    Args:
        image_model: the model.
        said: by the user, which settles it.
        examples: images ``[n, h, w, c]`` as the model is given them, which tell it where the model does not, or only
            about; None if none are at hand.
        order: of the channels; ``"auto"`` finds it.

    Raises:
        ConfigError: if `examples` or `said` do not fit the model.
    """
    is_range_told = said is not None
    is_order_told = order != "auto" or not image_model.is_colored
    first = None if is_range_told and is_order_told else _first_weights(image_model)
    names = [image_model.model.name, *(first.path.split("/") if first else ())]
    found = _range_of(image_model, first, names, said, examples)
    if not is_order_told:
        is_untouched = first is None or (first.is_affine and first.is_identity and first.channels == "kept")
        return replace(found, is_bgr=is_untouched and is_bgr(names, found.limits))
    if order == "bgr" and not image_model.is_colored:
        raise ConfigError(
            f"`channel_order` is of images of 3 channels. The model takes images of {image_model.shape}. Received: "
            f"channel_order={order!r}"
        )
    return replace(found, is_bgr=order == "bgr", is_order_said=order != "auto")


def _range_of(
    image_model: ImageModel, first: "_FirstWeights | None", names: Sequence[str], said: Range | None, examples: Any
) -> InputRange:
    if said is not None:
        _check_channels(said, image_model.shape)
        return InputRange(said, "`input_range` says so")
    is_told = first is not None and first.is_affine and not first.is_identity
    of_model = _range_before(first) if first is not None and is_told else None
    if of_model is not None and not of_model.is_doubtful:
        return of_model
    if examples is not None:
        return _range_of_examples(as_images(examples, image_model.shape).astype(np.float32))
    if of_model is not None:
        return of_model
    if first is not None and not first.is_affine:
        return InputRange(UNIT, "what the model does with it first is not linear", is_assumed=True)
    documented = documented_range(names, image_model.shape[2])
    if documented is not None:
        name, limits = documented
        if first is not None and first.channels == "reversed":
            low, high = (bound[::-1] if isinstance(bound, tuple) else bound for bound in limits)
            limits = low, high
        return InputRange(limits, f"keras.applications documents it for {name!r}", is_doubtful=True)
    return InputRange(UNIT, "nothing in the model tells it", is_assumed=True)


def _check_channels(limits: Range, shape: Shape) -> None:
    sizes = {len(bound) for bound in limits if isinstance(bound, tuple)}
    if sizes - {shape[2]}:
        raise ConfigError(f"`input_range` must have one bound for each of {shape[2]} channels. Received: {limits}")


def _range_of_examples(images: npt.NDArray[np.float32]) -> InputRange:
    low, high = float(images.min()), float(images.max())
    for usual in (UNIT, SIGNED, PIXELS):
        slack = 0.02 * (usual[1] - usual[0])  # resizing overshoots
        fills = high > usual[1] / 2 and low >= usual[0] - slack and high <= usual[1] + slack
        if fills and (usual is not SIGNED or low < -slack):
            return InputRange(usual, f"the examples are from {low:g} to {high:g}")
    mean, spread = images.mean((0, 1, 2), np.float64), images.std((0, 1, 2), np.float64)
    lowest, highest = images.min((0, 1, 2)), images.max((0, 1, 2))
    if low >= 0:
        return InputRange(_limits(np.zeros_like(mean), np.full_like(mean, high), 2), f"the examples are up to {high:g}")
    low_by_channel, high_by_channel = np.maximum(mean - 2 * spread, lowest), np.minimum(mean + 2 * spread, highest)
    flat = high_by_channel - low_by_channel <= 1e-6 * (high - low)
    low_by_channel[flat], high_by_channel[flat] = low_by_channel[flat] - 1, high_by_channel[flat] + 1
    return InputRange(
        _limits(low_by_channel, high_by_channel, 2),
        "mean plus or minus 2 standard deviations of the examples",
        is_doubtful=True,
    )


def _limits(low: Array, high: Array, digits: int = _DIGITS) -> Range:
    """Make one bound for all channels where they are alike, and one for each where not."""
    if low.size > 1 and (np.ptp(low) > _ALIKE * np.ptp([low, high]) or np.ptp(high) > _ALIKE * np.ptp([low, high])):
        return tuple(_rounded(each, digits) for each in low), tuple(_rounded(each, digits) for each in high)
    return _rounded(low.mean(), digits), _rounded(high.mean(), digits)


def _rounded(value: Any, digits: int = _DIGITS) -> float:
    return float(f"{float(value):.{digits}g}") + 0.0  # no minus zero


_TARGETS = {  # what networks like to be given, and how that is said
    (0.0, 1.0): "0 to 1",
    (-1.0, 1.0): "-1 to 1",
    (-0.5, 0.5): "-0.5 to 0.5",
    (0.0, 2.0): "0 to 2",
    (0.0, 255.0): "0 to 255",
}


def _range_before(first: "_FirstWeights") -> InputRange:
    """Choose the range whose image, by ``scale * x + offset``, is one that networks like to be given."""
    sees = np.abs(first.scale) > 1e-6 * np.abs(first.scale).max()  # a channel may be left out
    scale, offset = first.scale[sees], first.offset[sees]
    for usual in (PIXELS, UNIT, SIGNED):
        reason = _usual_reason(usual, scale, offset)
        if reason:
            return InputRange(usual, reason)
    mean, spread = -offset / scale, 1 / np.abs(scale)
    if np.allclose(offset, 0, atol=_ALIKE) and (scale > 0).all():
        low, high, reason, is_doubtful = np.zeros_like(mean), spread, "the model brings it to 0 to 1", False
    elif np.allclose(offset, -1, atol=_ALIKE) and (scale > 0).all():
        low, high, reason, is_doubtful = np.zeros_like(mean), 2 * spread, "the model brings it to -1 to 1", False
    else:
        low, high = mean - 2 * spread, mean + 2 * spread
        reason, is_doubtful = "mean plus or minus 2 standard deviations, by which the model standardizes", True
    limits = _limits(_for_all(low, sees), _for_all(high, sees))
    return InputRange(limits, reason, is_doubtful=is_doubtful)


def _for_all(values: Array, sees: npt.NDArray[np.bool_]) -> Array:
    """Complete values of the channels that count, for those that do not by the others' mean."""
    every = np.full(sees.shape, values.mean())
    every[sees] = values
    return every


def _usual_reason(usual: tuple[float, float], scale: Array, offset: Array) -> str:
    """Say why inputs have a usual range; empty if what becomes of it is nothing that networks are given."""
    ends = np.sort([scale * usual[0] + offset, scale * usual[1] + offset], axis=0)
    width = usual[1] - usual[0]
    for target, words in _TARGETS.items():
        if np.abs(ends - np.array(target)[:, None]).max() <= 2 * _ALIKE * (target[1] - target[0]):
            return f"the model brings it to {words}"
    mean, spread = -offset / scale, 1 / np.abs(scale)
    share, wide = (mean - usual[0]) / width, spread / width
    is_centered = (share > 0.05).all() and (share < 0.6).all()
    size = (ends[1] - ends[0]).mean()
    if is_centered and any(abs(size - each) <= 2 * _ALIKE * each for each in (1, 255)):
        return f"the model subtracts a mean of {_bound_text(tuple(_rounded(each) for each in mean))}"
    if is_centered and (wide > 0.1).all() and (wide < 0.6).all():
        return "the model standardizes as is usual for images of this range"
    return ""


@dataclass(frozen=True, slots=True)
class _FirstWeights:
    """What arrives at the first layer with weights.

    Attributes:
        path: of the layer.
        is_affine: whether each channel of what arrives is ``scale * x + offset`` of a pixel; if not, these say nothing.
        scale: ``[c]``, by channel of the input.
        offset: likewise.
        channels: whether they arrive as they are.
    """

    path: str
    is_affine: bool
    scale: Array
    offset: Array
    channels: Channels = "kept"

    @property
    def is_identity(self) -> bool:
        return bool(np.allclose(self.scale, 1, atol=_ALIKE) and np.allclose(self.offset, 0, atol=_ALIKE))


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


def _fitted(colors: Array, values: Array) -> tuple[Array, Array, Channels] | None:
    """Find scale and offset, ``[c]`` each, and the order, from what becomes of `colors`; None if it is not linear."""
    black = values[0]
    tolerance = _ALIKE * np.ptp(values)  # half precision is no finer
    orders: tuple[tuple[Array, Channels], ...] = ((values, "kept"), (values[:, ::-1], "reversed"))
    for ordered, channels in orders:  # as VGG's preprocess_input turns RGB round
        if values.shape[1] != colors.shape[1]:
            break
        scale = (ordered[1] - ordered[0]) / colors[1]
        if np.abs(scale).max() > 0 and np.abs(colors * scale + ordered[0] - ordered).max() <= tolerance:
            return scale, ordered[0], channels
    # Channels are mixed or repeated: what counts is how gray levels go through.
    unknowns = np.c_[colors, np.ones(len(colors))]
    weights = np.linalg.lstsq(unknowns, values, rcond=None)[0]
    if colors.shape[1] > _MOST_MIXED or np.abs(unknowns @ weights - values).max() > tolerance:
        return None
    slopes = (values[1] - black) / colors[1, 0]
    largest = int(np.abs(slopes).argmax())
    alike = slopes * np.sign(slopes[largest]) > 1e-3 * abs(slopes[largest])  # others may be constants, or reversed
    each = np.ones(colors.shape[1])
    return np.median(slopes[alike]) * each, np.median(black[alike]) * each, "mixed"


def _arriving(image_model: ImageModel, colors: Array) -> tuple[str, Array] | None:
    """Show images of one colour each, and return the path of the first layer with weights, and what arrives there."""
    images = np.broadcast_to(colors[:, None, None].astype(np.float32), (len(colors), *image_model.shape))
    arrived: list[tuple[str, Array]] = []

    def observe(path: str, layer: keras.Layer, own_call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        is_passed = has_layers_inside(layer) or _is_fixed(layer)
        values = None if is_passed else _middle(layer, (args, kwargs), len(colors), image_model.shape[2])
        if values is not None and np.ptp(values, axis=0).max() > 0:  # it may be of another input than the image
            arrived.append((path, values))
            raise _Arrived
        with replaced(layer, call=own_call):
            return own_call(*args, **kwargs)

    with untouched(image_model), observed(image_model.model, observe), warnings.catch_warnings():
        warnings.simplefilter("ignore")
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
