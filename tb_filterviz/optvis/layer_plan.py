"""Choose what is maximized in each layer, for which filters, and what part of the picture is shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tb_filterviz.config import Config, Drawn, Indices, Range, SuitedAscentConfig
from tb_filterviz.errors import ConfigError, UnknownLayerError
from tb_filterviz.optvis import weight_overrides
from tb_filterviz.optvis.canvas import (
    TEXTURE_FIELDS,
    Box,
    Canvas,
    InfosAt,
    field_canvas,
    infos_at_sizes,
    receptive_field,
    texture_canvas,
    whole_canvas,
)
from tb_filterviz.optvis.image_model import ImageModel
from tb_filterviz.optvis.initial_images import gray_of
from tb_filterviz.optvis.layer_calls import LayerCall, fits
from tb_filterviz.optvis.layer_info import LayerInfo, inspect_layers
from tb_filterviz.optvis.probe import raising_for_layer
from tb_filterviz.parts.objectives import AUTO, Objective, center_unit, channel_mean, objective_of
from tb_filterviz.parts.registry import Part
from tb_filterviz.parts.tones import ToneMapping, standardized, standardized_by_channel, tone_of

_NO_ROOM = 2  # times as large a field is small, in an image that has no room for a texture of it


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """What is maximized in a layer, how, on which part of the image, and what is shown of it.

    Attributes:
        objective: what is maximized.
        filters: which of the layer's filters are drawn.
        ascent: how far and how fast to climb; nothing is left open.
        tone: how images become pictures.
        canvas: where pictures climb.
        box: the receptive field that pictures are cut to, in the image; None shows all that climbs.
        is_straight: True if the gradient never changes during the ascent.
    """

    objective: Objective
    filters: Indices
    ascent: SuitedAscentConfig
    tone: ToneMapping
    canvas: Canvas
    box: Box | None
    is_straight: bool = False

    @property
    def parts(self) -> list[Part]:
        """The tone mapping, and the parts of the ascent."""
        return [self.tone, *self.ascent.ascent_parts]


def choose_objective(config: Config, info: LayerInfo, field: Box | None, sides: tuple[int, int]) -> Objective:
    """Return the configured objective; for ``"auto"`` the centre unit where it sees little, else the channel's mean.

    The mean says nothing where the response is linear in the image: then its gradient is one constant per pixel.
    """
    if config.objective != AUTO:
        return objective_of(config.objective)
    is_shown = field is not None and max(field.sides) <= _most_px(config, max(field.sides), sides)
    return center_unit if info.is_affine or is_shown else channel_mean


def _most_px(config: Config, field_px: int, sides: tuple[int, int]) -> int:
    """Tell up to how many pixels a side a receptive field is shown, in an image of these sides."""
    shortest = max(sides) if 1 in sides else min(sides)  # of a signal, its length
    has_room = shortest >= TEXTURE_FIELDS * field_px
    return config.small_field_px * (1 if has_room else _NO_ROOM)


def choose_tone(config: Config, objective: Objective) -> ToneMapping:
    """Return the configured tone mapping; for ``"auto"`` that of receptive fields, or of textures."""
    if config.tone != AUTO:
        return tone_of(config.tone)
    return standardized if objective.is_local else standardized_by_channel


def _depends_on_field(image_model: ImageModel, info: LayerInfo, config: Config) -> bool:
    """Tell whether anything that is chosen depends on what the centre unit sees."""
    if config.objective != AUTO:
        return objective_of(config.objective).is_local
    near_px = 2 * _NO_ROOM * config.small_field_px  # twice, for it may not lie in the middle of the image
    return info.is_affine or min(info.field_px or near_px + 1, max(image_model.shape[:2])) <= near_px


def plan_layer(
    image_model: ImageModel, layer_call: LayerCall, info: LayerInfo, config: Config, limits: Range, infos_at: InfosAt
) -> LayerPlan:
    """Choose what is maximized in a layer, how, on which part of the image, and what is shown of it.

    Args:
        image_model: the model.
        layer_call: the layer.
        info: what is known of it.
        config: how filters are drawn.
        limits: of the model's inputs.
        infos_at: what is known of it when the model is run on images of another size.
    """
    span = _span(limits)
    depends = _depends_on_field(image_model, info, config)
    field = receptive_field(image_model, layer_call, span) if depends else None
    objective = choose_objective(config, info, field, image_model.shape[:2])
    drawn: Drawn = "texture" if not objective.is_local else "linear" if info.is_affine else "field"
    ascent = config.ascent.suiting(drawn, is_colored=image_model.is_colored)
    box = field if config.crop and objective.is_local else None
    if ascent.canvas_px is None or (objective.is_local and box is None):
        canvas = whole_canvas(image_model, info)
    elif box is not None:
        gray = gray_of(limits, ascent.gray)
        canvas = field_canvas(image_model, layer_call, info, box, span=span, gray=gray)
    else:
        canvas = texture_canvas(image_model, layer_call, info, ascent.canvas_px, infos_at)
    # a gradient that never changes: one long step arrives where many short ones do, if nothing else takes part
    is_straight = config.objective == AUTO and info.is_affine and not ascent.parts
    return LayerPlan(objective, (), ascent, choose_tone(config, objective), canvas, box, is_straight)


def choose_filters(config: Config, layer_call: LayerCall, info: LayerInfo) -> Indices:
    """List the filters to draw of a layer, in the order in which they are drawn.

    Raises:
        ConfigError: if the layer has no such filter.
    """
    indices = next((chosen for pattern, chosen in config.filters_by_pattern if fits(layer_call, pattern)), None)
    if indices is None:
        return tuple(range(min(info.filters, config.max_filters or info.filters)))
    if max(indices) >= info.filters:
        raise ConfigError(
            f"`filters` must be within 0 to {info.filters - 1} for layer {layer_call.path!r}. Received: {max(indices)}"
        )
    return indices


def _check_filters_name_layers(config: Config, layer_calls: Sequence[LayerCall]) -> None:
    for pattern, _ in config.filters_by_pattern:
        if not any(fits(layer_call, pattern) for layer_call in layer_calls):
            paths = ", ".join(layer_call.path for layer_call in layer_calls)
            raise UnknownLayerError(f"`filters` names {pattern!r}, which is none of the layers to draw: {paths}.")


Planned = list[tuple[LayerCall, LayerInfo, LayerPlan]]


def plan_layers(
    image_model: ImageModel,
    layer_calls: Sequence[LayerCall],
    limits: Range,
    config: Config,
    *,
    are_fields_wanted: bool = False,
) -> tuple[Planned, dict[str, str]]:
    """Inspect the layers, and choose for each what is maximized, and what is shown of it.

    What follows from the model's structure does so whatever its weights are.

    Args:
        image_model: the model.
        layer_calls: its layers.
        limits: of the model's inputs.
        config: how filters are drawn.
        are_fields_wanted: whether to measure receptive fields of any size, also where that changes nothing.

    Returns:
        What was planned; and why layers that nobody named cannot be drawn, by path.

    Raises:
        ModelError: if the model's forward pass fails, or does not call a layer that was named, or not as often as
            asked for.
        ConfigError: if a layer has not the filters that are asked for.
    """
    _check_filters_name_layers(config, layer_calls)
    found: Planned = []
    with weight_overrides.given(weight_overrides.typical(image_model.model)):
        fields_to = max(image_model.shape[:2]) if are_fields_wanted else _fields_to(config)
        inspection = inspect_layers(image_model, layer_calls, _span(limits), fields_to=fields_to)
        left_out = {path: str(error) for path, error in inspection.errors.items()}
        reached = [each for each in layer_calls if each.path in inspection.infos]
        infos_at = infos_at_sizes(image_model, reached, _span(limits))
        for layer_call in reached:
            info = inspection.infos[layer_call.path]
            with raising_for_layer(layer_call):
                plan = plan_layer(image_model, layer_call, info, config, limits, infos_at)
            filters, missing = _filters_of(config, layer_call, info)
            if missing:
                left_out[_named(missing, layer_call)] = f"The layer has {info.filters} filters."
            if filters:
                found.append((layer_call, info, replace(plan, filters=filters)))
    if not found:
        raise ConfigError(f"`filters` names none of the layers' filters: no layer has {list(config.filters or ())}.")
    return found, left_out


def _span(limits: Range) -> float:
    low, high = map(np.asarray, limits)
    return float(np.max(high - low))


def _fields_to(config: Config) -> int:
    """Tell up to which side, in pixels, receptive fields are told apart: beyond, they change nothing."""
    near_px = 2 * _NO_ROOM * config.small_field_px if config.objective == AUTO else 0
    return max(near_px, (config.ascent.canvas_px or 0) // TEXTURE_FIELDS)


def _filters_of(config: Config, layer_call: LayerCall, info: LayerInfo) -> tuple[Indices, Indices]:
    """List the filters to draw, and those that a list for all layers names and that this one, unnamed, lacks."""
    if config.is_filters_for_all and not layer_call.is_named:
        listed = config.filters_by_pattern[0][1]
        return tuple(i for i in listed if i < info.filters), tuple(i for i in listed if i >= info.filters)
    return choose_filters(config, layer_call, info), ()


def _named(filters: Indices, layer_call: LayerCall) -> str:
    return f"filter{'s' if len(filters) > 1 else ''} {', '.join(map(str, filters))} of {layer_call.path}"
