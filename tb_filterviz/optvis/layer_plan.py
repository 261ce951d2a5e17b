"""Choose what is maximized in each layer, for which filters, and what part of the picture is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz.config import Config, Indices
from tb_filterviz.errors import ConfigError, UnknownLayerError
from tb_filterviz.optvis import backends, weight_overrides
from tb_filterviz.optvis.image_model import ImageModel
from tb_filterviz.optvis.layer_calls import LayerCall, fits
from tb_filterviz.optvis.layer_info import LayerInfo, inspect_layers, samples
from tb_filterviz.optvis.probe import full_response, raising_for_layer, reach
from tb_filterviz.parts.objectives import AUTO, Objective, center_unit, channel_mean, objective_of


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

    def cut(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Cut this part out of images ``[n, h, w, c]``."""
        return images[:, self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """What is maximized in a layer, and what is shown of it.

    Attributes:
        objective: what is maximized.
        filters: which of the layer's filters are drawn.
        box: the receptive field that pictures are cut to; None shows the whole image.
        is_straight: True if the gradient never changes during the ascent.
    """

    objective: Objective
    filters: Indices
    box: Box | None
    is_straight: bool = False


def receptive_field(image_model: ImageModel, layer_call: LayerCall, span: float) -> Box | None:
    """Find the smallest box of pixels that the layer's centre unit sees; None if it sees none.

    Measured as the pixels where the gradient of any filter is not 0, over several random images.
    """
    read = full_response(layer_call.layer)

    def mixed_center(images: Any) -> Any:
        units = center_unit.score(reach(image_model, layer_call, images, read))
        mixture = np.random.default_rng(1).uniform(0.5, 1.5, units.shape[1:]).astype(np.float32)
        return ops.sum(units * ops.convert_to_tensor(mixture), axis=-1)

    images = ops.convert_to_tensor(samples(image_model.shape, 8, span))
    _, gradient = backends.current().value_and_gradient(mixed_center)(images)
    seen = np.abs(ops.convert_to_numpy(gradient)).max(axis=(0, 3)) > 0
    if not seen.any():
        return None
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return Box(top, left, int(rows[-1]) - top + 1, int(columns[-1]) - left + 1)


def choose_objective(config: Config, info: LayerInfo) -> Objective:
    """Return the configured objective; for ``"auto"`` the channel's mean, or the centre unit where the mean is flat.

    It is flat where the response is linear in the image: then the mean's gradient is one constant per pixel.
    """
    if config.objective == AUTO:
        return center_unit if info.is_affine else channel_mean
    return objective_of(config.objective)


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
    image_model: ImageModel, layer_calls: Sequence[LayerCall], span: float, config: Config
) -> tuple[Planned, dict[str, str]]:
    """Inspect the layers, and choose for each what is maximized, and what is shown of it.

    What follows from the model's structure does so whatever its weights are.

    Args:
        image_model: the model.
        layer_calls: its layers.
        span: of the model's input range.
        config: how filters are drawn.

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
        inspection = inspect_layers(image_model, layer_calls, span)
        left_out = {path: str(error) for path, error in inspection.errors.items()}
        for layer_call in (each for each in layer_calls if each.path in inspection.infos):
            info = inspection.infos[layer_call.path]
            objective = choose_objective(config, info)
            with raising_for_layer(layer_call):
                wants_box = config.crop and objective.is_local
                box = receptive_field(image_model, layer_call, span) if wants_box else None
            # a gradient that never changes: one long step arrives where many short ones do, if nothing else takes part
            is_straight = config.objective == AUTO and info.is_affine and not config.ascent.parts
            filters, missing = _filters_of(config, layer_call, info)
            if missing:
                left_out[_named(missing, layer_call)] = f"The layer has {info.filters} filters."
            if filters:
                found.append((layer_call, info, LayerPlan(objective, filters, box, is_straight)))
    if not found:
        raise ConfigError(f"`filters` names none of the layers' filters: no layer has {list(config.filters or ())}.")
    return found, left_out


def _filters_of(config: Config, layer_call: LayerCall, info: LayerInfo) -> tuple[Indices, Indices]:
    """List the filters to draw, and those that a list for all layers names and that this one, unnamed, lacks."""
    if config.is_filters_for_all and not layer_call.is_named:
        listed = config.filters_by_pattern[0][1]
        return tuple(i for i in listed if i < info.filters), tuple(i for i in listed if i >= info.filters)
    return choose_filters(config, layer_call, info), ()


def _named(filters: Indices, layer_call: LayerCall) -> str:
    return f"filter{'s' if len(filters) > 1 else ''} {', '.join(map(str, filters))} of {layer_call.path}"
