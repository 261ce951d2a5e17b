"""Which pixels each unit of a layer sees."""

from tb_filterviz.optvis.canvas import Box, receptive_field, whole
from tb_filterviz.optvis.image_model import ImageModel
from tb_filterviz.optvis.layer_calls import LayerCall
from tb_filterviz.optvis.layer_info import LayerInfo
from tb_filterviz.snapshots import Footprint

_MEASURED_PX = 64  # a side: gradients of larger fields take long, and their squares say enough


def footprint_of(image_model: ImageModel, layer_call: LayerCall, info: LayerInfo, span: float) -> Footprint:
    """Find what the layer's units see: the centre unit's box, and how far it moves from unit to unit.

    Fields of up to 64 pixels are measured, by gradients; of larger ones, a square that holds them is known; else it is
    the whole image.

    Args:
        image_model: the model.
        layer_call: the layer.
        info: what is known of it, with `LayerInfo.field_px` measured up to the whole image.
        span: of the model's input range.
    """
    height, width = image_model.shape[:2]
    row, column = info.height // 2, info.width // 2
    strides = height / info.height, width / info.width
    everything = whole(image_model)
    if info.height == 1 and height > 1 and info.width > 1:  # rows of units, which are no map of the image
        return _footprint(everything, (row, column), (0.0, 0.0))
    shortest = min(info.field_px or max(height, width), max(height, width))
    if shortest > _MEASURED_PX:
        if info.field_px is None or info.field_px >= max(height, width):
            return _footprint(everything, (row, column), (0.0, 0.0))
        top, left = (max(0, (side - info.field_px) // 2) for side in (height, width))
        square = Box(top, left, min(info.field_px, height), min(info.field_px, width))
        return _footprint(square, (row, column), strides)
    box = receptive_field(image_model, layer_call, span)
    if box is None:
        return _footprint(everything, (row, column), (0.0, 0.0))
    below = receptive_field(image_model, layer_call, span, unit=(max(row - 1, 0), max(column - 1, 0)))
    if below is not None and below.sides == box.sides:
        measured = float(box.top - below.top), float(box.left - below.left)
        strides = measured[0] or strides[0], measured[1] or strides[1]
    return _footprint(box, (row, column), strides)


def _footprint(box: Box, unit: tuple[int, int], strides: tuple[float, float]) -> Footprint:
    return Footprint(
        top=box.top,
        left=box.left,
        height=box.height,
        width=box.width,
        row=unit[0],
        column=unit[1],
        strides=strides,
    )
