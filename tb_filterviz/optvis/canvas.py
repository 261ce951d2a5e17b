"""Where a picture climbs: on no more of the image than a filter sees.

A unit that sees a few pixels of an image answers the same to them alone, where no layer below it looks at the whole
image (pools it, attends to it, normalizes over it) and where the cut keeps to the strides. That is not derived from
the layers but measured: the model is run on the cut, and has to answer as it does to the whole.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz.errors import ModelError
from tb_filterviz.optvis import backends
from tb_filterviz.optvis.image_model import ImageModel
from tb_filterviz.optvis.layer_calls import LayerCall
from tb_filterviz.optvis.layer_info import LayerInfo, inspect_layers, response_and_given, samples
from tb_filterviz.optvis.layer_types import is_exact
from tb_filterviz.optvis.probe import full_response, reach
from tb_filterviz.parts.objectives import center_unit

_MOST_SAMPLES = 8
_SAMPLED_PIXELS = _MOST_SAMPLES * 96 * 96
_LARGER_STRIDES = (2, 4, 8, 16, 32)
_TEXTURE_GRID = 32  # what an image loses a side, in multiples, so that strides meet what is left as they met the whole
_MOST_OF_A_SIGNAL = 1024  # values
_ROUNDING = 1e-6  # of the largest gradient
_CLIFF = 1000  # convolutions fade by less from one pixel to the next
TEXTURE_FIELDS = 2  # sides of a texture, in sides of what the centre unit sees


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of an image, in pixels.

    Attributes:
        top: the first row.
        left: the first column.
        height: rows.
        width: columns.
    """

    top: int
    left: int
    height: int
    width: int

    def cut(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Cut this part out of images ``[n, h, w, c]``."""
        return images[:, self.top : self.top + self.height, self.left : self.left + self.width]

    def within(self, outer: "Box") -> "Box":
        """Return the same place, counted from another box."""
        return replace(self, top=self.top - outer.top, left=self.left - outer.left)

    @property
    def sides(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width


def whole(image_model: ImageModel) -> Box:
    """Return the box of all pixels."""
    return Box(0, 0, *image_model.shape[:2])


@dataclass(frozen=True, slots=True)
class Canvas:
    """A part of the image on which pictures climb.

    Attributes:
        place: where it lies in the image.
        model: which looks at images of this part alone; what lies around it is gray, or is not there.
        window: which looks at images of all that the model is run on.
        info: of the layer, when the model is run on that.
    """

    place: Box
    model: ImageModel
    window: ImageModel
    info: LayerInfo


def whole_canvas(image_model: ImageModel, info: LayerInfo) -> Canvas:
    """Make the canvas of the whole image."""
    return Canvas(whole(image_model), image_model, image_model, info)


def receptive_field(
    image_model: ImageModel, layer_call: LayerCall, span: float, unit: tuple[int, int] | None = None
) -> Box | None:
    """Find the smallest box of pixels that a unit of the layer sees; None if it sees none.

    Measured as the pixels where the gradient of any filter is more than rounding, over several random images.

    Args:
        image_model: the model.
        layer_call: the layer.
        span: of the model's input range.
        unit: row and column of the unit; None for the centre one.
    """
    read = full_response(layer_call.layer)

    def mixed(images: Any) -> Any:
        responses = reach(image_model, layer_call, images, read)
        units = center_unit.score(responses) if unit is None else responses[:, unit[0], unit[1]]
        mixture = np.random.default_rng(1).uniform(0.5, 1.5, units.shape[1:]).astype(np.float32)
        return ops.sum(units * ops.convert_to_tensor(mixture), axis=-1)

    count = max(2, min(_MOST_SAMPLES, _SAMPLED_PIXELS // math.prod(image_model.shape[:2])))
    images = ops.convert_to_tensor(samples(image_model.shape, count, span))
    _, gradient = backends.current().value_and_gradient(mixed)(images)
    slopes = np.nan_to_num(np.abs(ops.convert_to_numpy(gradient)), nan=0, posinf=1).max(axis=(0, 3))
    if not slopes.any():
        return None
    top, bottom = _ends(slopes.max(axis=1))
    left, right = _ends(slopes.max(axis=0))
    return Box(top, left, bottom - top, right - left)


def _ends(slopes: npt.NDArray[Any]) -> tuple[int, int]:
    """Return where what is not 0 begins, and where it has ended, without what is but rounding.

    On a GPU some convolutions go through Fourier's or Winograd's transform, which rounds: zeros come back as up to
    1e-7 of the largest, 50 pixels far. It is told by both: that it is so little, and that it begins with a cliff.
    """
    clear = np.flatnonzero(slopes > _ROUNDING * slopes.max())
    first, last = int(clear[0]), int(clear[-1])
    before, after = slopes[:first], slopes[last + 1 :]
    if before.max(initial=0) > slopes[first] / _CLIFF:
        first = int(np.flatnonzero(before)[0])
    if after.max(initial=0) > slopes[last] / _CLIFF:
        last += 1 + int(np.flatnonzero(after)[-1])
    return first, last + 1


def field_canvas(
    image_model: ImageModel, layer_call: LayerCall, info: LayerInfo, field: Box, *, span: float, gray: Any
) -> Canvas:
    """Make the canvas of a receptive field, with the model run on no more than that takes.

    Args:
        image_model: the model.
        layer_call: the layer.
        info: what is known of it.
        field: what its centre unit sees.
        span: of the model's input range.
        gray: what lies around it, a number, or one for each channel, in the model's own units.
    """
    window = whole(image_model)
    model, found = image_model, info
    for smaller in _windows(image_model, info, field):
        cut = of_size(image_model, smaller.sides)
        answered = _same_answer(image_model, layer_call, cut, smaller, info, span)
        if answered is not None:
            window, model, found = smaller, cut, answered
            break
    return Canvas(field, _surrounded(model, field.within(window), gray), model, found)


def _windows(image_model: ImageModel, info: LayerInfo, field: Box) -> Iterator[Box]:
    """Yield parts of the image around a field, cut alike at both ends, for each stride that the layers may have."""
    sides = image_model.shape[:2]
    strides = [max(1, math.ceil(side / units)) for side, units in zip(sides, (info.height, info.width), strict=True)]
    seen: set[Box] = set()
    candidates: list[Sequence[int]] = [[max(1, each - less) for each in strides] for less in range(3)]
    candidates += [[larger if side > 1 else 1 for side in sides] for larger in _LARGER_STRIDES]
    for tried in candidates:
        top, left = (
            min(start // stride, (side - start - size) // stride) * stride
            for side, start, size, stride in zip(sides, (field.top, field.left), field.sides, tried, strict=True)
        )
        window = Box(top, left, sides[0] - 2 * top, sides[1] - 2 * left)
        if window not in seen and window.sides != sides:
            seen.add(window)
            yield window


def _same_answer(
    image_model: ImageModel, layer_call: LayerCall, cut: ImageModel, window: Box, info: LayerInfo, span: float
) -> LayerInfo | None:
    """Run the model on a part of random images; describe the layer if its centre unit answers as to the whole."""
    images = samples(image_model.shape, 2, span)
    try:
        read = response_and_given(layer_call.layer)
        part, part_given = reach(cut, layer_call, ops.convert_to_tensor(window.cut(images)), read)
    except Exception:  # a model that takes images of its own size alone
        return None
    _, height, width, filters = part.shape
    if filters != info.filters or (info.height - height) % 2 or (info.width - width) % 2:
        return None
    answer = reach(image_model, layer_call, ops.convert_to_tensor(images), full_response(layer_call.layer))
    expected = ops.convert_to_numpy(center_unit.score(answer))
    tolerance = 1e-4 if is_exact(layer_call.layer) else 3e-2
    error = np.abs(center_unit.score(part) - expected).max()
    if not error <= tolerance * max(np.abs(expected).max(), 1e-30):
        return None
    share = math.prod(cut.shape) / math.prod(image_model.shape)
    numbers_below = math.ceil(info.numbers_below * share)
    return replace(info, height=height, width=width, numbers_below=numbers_below, given=part_given)


InfosAt = Callable[[tuple[int, int]], Mapping[str, LayerInfo]]


def infos_at_sizes(image_model: ImageModel, layer_calls: Sequence[LayerCall], span: float) -> InfosAt:
    """Make a function of ``(height, width)``, that describes the layers when the model is run on images of that size.

    Each size is tried once, for all layers; layers that cannot be reached at a size are missing.
    """
    known: dict[tuple[int, int], Mapping[str, LayerInfo]] = {}

    def at(sides: tuple[int, int]) -> Mapping[str, LayerInfo]:
        if sides not in known:
            known[sides] = _infos_of_size(of_size(image_model, sides), layer_calls, span)
        return known[sides]

    return at


def _infos_of_size(model: ImageModel, layer_calls: Sequence[LayerCall], span: float) -> Mapping[str, LayerInfo]:
    try:
        return inspect_layers(model, layer_calls, span).infos
    except ModelError:  # a layer refuses: those below it may still be reached
        found: dict[str, LayerInfo] = {}
        for layer_call in layer_calls:
            with suppress(ModelError):
                found |= inspect_layers(model, [layer_call], span).infos
        return found


def texture_canvas(
    image_model: ImageModel, layer_call: LayerCall, info: LayerInfo, most_px: int, infos_at: InfosAt
) -> Canvas:
    """Make the canvas of a texture: an image of at most so many pixels a side, if the model can be run on one.

    Args:
        image_model: the model.
        layer_call: the layer.
        info: what is known of it.
        most_px: how many pixels a side are enough.
        infos_at: see `infos_at_sizes`.
    """
    sides = image_model.shape[:2]
    # a signal costs no more than an image of as many pixels, if it is not so long that its cosines do
    most, field_px = (min(most_px**2, _MOST_OF_A_SIGNAL), None) if 1 in sides else (most_px, info.field_px)
    height, width = (_texture_side(side, most, field_px) for side in sides)
    if (height, width) == sides:
        return whole_canvas(image_model, info)
    smaller = infos_at((height, width)).get(layer_call.path)
    if smaller is None or smaller.filters != info.filters or not smaller.height * smaller.width:
        return whole_canvas(image_model, info)
    model = of_size(image_model, (height, width))
    top, left = (sides[0] - height) // 2, (sides[1] - width) // 2
    return Canvas(Box(top, left, height, width), model, model, replace(smaller, field_px=info.field_px))


def _texture_side(side: int, most_px: int, field_px: int | None) -> int:
    if side <= most_px:
        return side
    wanted = min(most_px, TEXTURE_FIELDS * field_px if field_px else most_px)
    return side - (side - wanted) // _TEXTURE_GRID * _TEXTURE_GRID


def of_size(image_model: ImageModel, sides: Sequence[int]) -> ImageModel:
    """Return the same model, looking at images of another size than it was made for."""
    height, width = sides
    return replace(image_model, shape=(height, width, image_model.shape[2]), takes_any_size=True)


def _surrounded(image_model: ImageModel, place: Box, gray: Any) -> ImageModel:
    """Return a model that looks at images of one place, with gray around it."""
    height, width, channels = image_model.shape
    if place.sides == (height, width):
        return image_model
    around = np.broadcast_to(np.asarray(gray, np.float32), (1, height, width, channels)).copy()
    place.cut(around)[:] = 0
    below, right = height - place.top - place.height, width - place.left - place.width

    def look(images: Any) -> Any:
        padded = ops.pad(images, ((0, 0), (place.top, below), (place.left, right), (0, 0)))
        return image_model.look(padded + ops.convert_to_tensor(around))

    return replace(image_model, shape=(*place.sides, channels), look=look)
