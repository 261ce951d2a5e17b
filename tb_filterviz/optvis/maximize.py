"""The front door of the engine: images that excite filters most, of any layer of a Keras model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tb_filterviz.config import Config, GridConfig, Indices, Range, as_config, as_indices
from tb_filterviz.error_context import raising_for_part
from tb_filterviz.errors import ConfigError
from tb_filterviz.imaging.captions import spoken_marks, spoken_tiles
from tb_filterviz.optvis import initial_images, layer_calls, weight_overrides
from tb_filterviz.optvis.ascent import Ascent, NoiseResponse, ascent_of, batch_size, images_in_memory
from tb_filterviz.optvis.canvas import Box
from tb_filterviz.optvis.image_model import ImageModel, image_model_of
from tb_filterviz.optvis.input_range import InputRange, input_range_of
from tb_filterviz.optvis.kernels import Effective, effective_kernels, layer_kernels
from tb_filterviz.optvis.layer_calls import LayerCall
from tb_filterviz.optvis.layer_info import LayerInfo
from tb_filterviz.optvis.layer_plan import LayerPlan, choose_filters, plan_layers
from tb_filterviz.optvis.probe import raising_for_layer
from tb_filterviz.optvis.revisit import Revisit, at_one_contrast, kernels_of
from tb_filterviz.parts import tones
from tb_filterviz.parts.objectives import Objective
from tb_filterviz.parts.statistics import is_flat, is_responsive, statistics_of
from tb_filterviz.progress import Report, say_once, shown_once_long
from tb_filterviz.snapshots import LayerDrawing, LayerKernels, LayerResponses, joined_parts

_LEAST_DEVIATION = 1e-6  # of the rise: a filter that does not answer to noise has no gain
_ROWS_OF_A_SIGNAL = 32  # at most


def band_rows(width: int) -> int:
    """Tell how many rows show a signal, which is an image of one row: a band can be seen."""
    return max(1, min(width // 2, _ROWS_OF_A_SIGNAL))


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Maximized:
    """Where an ascent arrived. A notebook shows it as a grid.

    Attributes:
        layer: the layer's path in the model.
        position: its place among the model's convolutional layers, from 0.
        filters: int32 ``[n]``, which of the layer's filters; all arrays are in this order.
        objective: what was maximized.
        images: float32 ``[n, h, w, c]``, what climbed, in the model's own units: whole images, or the part of them that
            `place` says.
        start: the same, before the first step.
        place: where in the model's image they lie: ``top``, ``left``, ``height``, ``width``.
        image_shape: ``(height, width, channels)`` of the model's image.
        scores: float32 ``[steps + 1, n]``; row ``k`` is the score after ``k`` steps. Without
            `AscentConfig.final_score` the last row is missing. Under ``objective="auto"``, layers that are linear in
            the image take one long step, so there are two rows.
        peaks: float32 ``[n]``, the largest response of any unit of the filter to the finished image; without
            `AscentConfig.final_score` the last score.
        agreement: float32 ``[n]``, how alike the images are where ascents from several start noises arrived, of whose
            means `images`, `start` and `scores` consist: their mean correlation, -1 to 1; not a number for one start.
        kept: float32 ``[n]``, how much of the score's rise smoothing leaves, at most 1: to first order, how far the
            score rose along the smoothed steps, over how far it would have along the gradient.
        receptive_field: the box of the model's image that tiles are cut to; None if they show all that climbed.
        noise_scores: float32 ``[n]``, the objective's mean on images of uniform noise over the input range.
        noise_deviations: float32 ``[n]``, how much the filter's units answer to them, as a standard deviation.
        input_range: the model's input range that was taken, ``(low, high)``, each a number, or one for each channel.
        is_bgr: True if the channels are blue, green and red; tiles are red, green and blue.
        tone: how images become pictures.
        config: how it was drawn.
    """

    layer: str
    position: int
    filters: npt.NDArray[np.int32]
    objective: Objective
    images: npt.NDArray[np.float32]
    start: npt.NDArray[np.float32]
    place: Box
    image_shape: tuple[int, int, int]
    scores: npt.NDArray[np.float32]
    peaks: npt.NDArray[np.float32]
    agreement: npt.NDArray[np.float32]
    kept: npt.NDArray[np.float32]
    receptive_field: Box | None
    noise_scores: npt.NDArray[np.float32]
    noise_deviations: npt.NDArray[np.float32]
    input_range: Range
    is_bgr: bool
    tone: tones.ToneMapping
    config: Config

    @property
    def gains(self) -> npt.NDArray[np.float32]:
        """float32 ``[n]``, how far the score is above that of noise, in standard deviations of the answer to noise."""
        rise = self.scores[-1] - self.noise_scores
        answers = self.noise_deviations > _LEAST_DEVIATION * np.maximum(np.abs(rise), 1e-30)
        return np.where(answers, rise / np.where(answers, self.noise_deviations, 1), 0).astype(np.float32)

    def whole(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Put images ``[n, h, w, c]`` back to their place in images that the model takes, with gray around them."""
        gray = initial_images.gray_of(self.input_range, self.config.ascent.gray)
        around = np.broadcast_to(gray, (len(images), *self.image_shape)).astype(np.float32)
        self.place.cut(around)[:] = images
        return around

    def shown(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Cut images ``[n, h, w, c]`` to what is shown of them."""
        return self.receptive_field.within(self.place).cut(images) if self.receptive_field else images

    def tiles(self) -> npt.NDArray[np.uint8]:
        """Make the pictures that the log holds: uint8 ``[n, h, w, c]``, ``c`` 1 (gray) or 3 (RGB).

        Raises:
            ConfigError: if the tone mapping does not return pictures.
        """
        tone, images = self.tone, self.shown(self.images)
        with raising_for_part(f"Tone mapping {tone.name!r}", "apply(images, contrast)"):
            pictures = tone.apply(self._colors(images), self.config.contrast)
        if not isinstance(pictures, np.ndarray) or pictures.dtype != np.uint8 or pictures.shape != images.shape:
            raise ConfigError(
                f"Tone mapping {tone.name!r} must return uint8 of shape {images.shape}. Received: "
                f"{getattr(pictures, 'dtype', type(pictures).__name__)} of shape {getattr(pictures, 'shape', None)}"
            )
        rows = band_rows(images.shape[2]) if self.images.shape[1] == 1 else 1
        return tones.to_displayable(np.repeat(pictures, rows, axis=1))  # a copy: a tone mapping may use its array again

    def _colors(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Bring channels to one scale, and to the order of colours. A copy: a tone mapping may work in place."""
        if any(isinstance(bound, tuple) for bound in self.input_range):
            low, high = (np.asarray(bound, np.float32) for bound in self.input_range)
            images = (images - low) / (high - low)
        return np.array(images[..., ::-1] if self.is_bgr else images, np.float32)

    def drawing(self, revisit: Revisit | None = None, responses: LayerResponses | None = None) -> LayerDrawing:
        """Make tiles and statistics: what a step's snapshot holds.

        Args:
            revisit: what was drawn before, for statistics that need it; without it, they are not a number.
            responses: what these filters answer to examples; without it, statistics that need it are missing.
        """
        count, statistics = len(self.filters), {}
        for each in statistics_of(self.config.statistics):
            if each.reads == "ascent":
                statistics[each.name] = each.values(self, count)
            elif each.reads == "revisit":
                unknown = np.full(count, np.nan, np.float32)
                statistics[each.name] = unknown if revisit is None else each.values(revisit, count)
            elif each.reads == "responses" and responses is not None:
                statistics[each.name] = each.values(responses, count)
        return LayerDrawing(
            layer=self.layer,
            position=self.position,
            filters=self.filters,
            objective=self.objective.name,
            objective_label=self.objective.label or self.objective.name,
            description=self.objective.description,
            receptive_field=self.receptive_field is not None,
            channels=tones.describe_channels(self.images.shape[-1]),
            tiles=self.tiles(),
            statistics=statistics,
            responses=responses,
        )

    def grid(self, config: Config | GridConfig | None = None) -> npt.NDArray[np.uint8]:
        """Lay the tiles out in one picture, uint8 ``[height, width, c]``; None takes the grid of its configuration."""
        return self.drawing().grid(config or self.config)

    def png(self, config: Config | GridConfig | None = None) -> bytes:
        """Encode `grid` as a PNG file."""
        return self.drawing().png(config or self.config)

    def _repr_png_(self) -> bytes:
        return self.png()

    def __repr__(self) -> str:
        count, height, width, _ = self.shown(self.images).shape
        steps, marks = len(self.scores) - int(self.config.ascent.final_score), self._spoken_marks()
        told = [spoken_tiles(count, height, width), self.objective.name, f"{steps} ascent steps"]
        return f"<Maximized {self.layer!r}: {', '.join([*told, *([marks] if marks else [])])}>"

    def _spoken_marks(self) -> str:
        is_positive = self.config.ascent.stays_positive
        responsive = is_responsive(self.scores, self.peaks, self.images, stays_positive=is_positive)
        return spoken_marks(responsive, is_flat(self.shown(self.start), self.shown(self.images)), are_explained=False)


def mean_correlation(images: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Correlate images ``[n, h, w, c]`` with those of the same filter in every other array; the mean, ``[n]``."""
    rows = np.stack([each.reshape(len(each), -1) for each in images]).astype(np.float64)
    rows -= rows.mean(axis=-1, keepdims=True)
    rows /= np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-30)
    # the square of the sum holds every pair twice, and every row with itself
    pairs = np.square(rows.sum(axis=0)).sum(axis=-1) - np.square(rows).sum(axis=(0, -1))
    return np.asarray(pairs / (len(rows) * (len(rows) - 1)), np.float32)


@dataclass(frozen=True, slots=True)
class Before:
    """What is kept of a batch of filters for the next step.

    Attributes:
        images: float32 ``[n, h, w, c]``, what climbed, in the model's own units.
        kernels: float32 ``[n, k]``; None of layers whose filters have none.
    """

    images: npt.NDArray[np.float32]
    kernels: npt.NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class LayerAscent:
    """A layer, what is drawn of it and how, and its compiled ascent.

    Attributes:
        layer_call: the layer.
        info: what is known of it.
        plan: what is drawn of it.
        ascent: compiled when it first runs.
        image_model: the model.
        input_range: of the model.
        config: how filters are drawn.
        effective: computes kernels on the image, where there are any, and they are asked for.
        batch_s: about what a batch takes, in seconds, once that is known.
    """

    layer_call: LayerCall
    info: LayerInfo
    plan: LayerPlan
    ascent: Ascent
    image_model: ImageModel
    input_range: InputRange
    config: Config
    effective: Effective | None = None
    batch_s: float = 1.0

    @property
    def draw_s(self) -> float:
        """About what all of its filters take, in seconds."""
        return len(self.batches()) * self.batch_s

    @property
    def tile_shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)`` of what is shown of an image."""
        shown_height, shown_width = (self.plan.box or self.plan.canvas.place).sides
        height, _, channels = self.image_model.shape
        return band_rows(shown_width) if height == 1 else shown_height, shown_width, channels

    def batches(self) -> list[npt.NDArray[np.int32]]:
        """List its filters, as many at a time as climb together."""
        filters, batch = np.array(self.plan.filters, np.int32), self.ascent.batch
        return [filters[first : first + batch] for first in range(0, len(filters), batch)]

    def respond_to_noise(self) -> NoiseResponse:
        """See how all of its filters answer to noise, with the weights of now."""
        objective, info, window = self.plan.objective, self.plan.canvas.info, self.plan.canvas.window
        is_averaged = objective.is_linear and not objective.is_local
        count = initial_images.noise_count(info.height * info.width if is_averaged else 1)
        limits, seed = self.input_range.limits, self.config.seed
        images = initial_images.noise_images(count, window.shape, limits, seed=seed)
        own = info.height * info.width * info.filters
        together = min(len(images), images_in_memory(info.numbers_below + 4 * own, self.plan.ascent))
        return self.ascent.respond_to_noise(images, np.array(self.plan.filters, np.int32), together)

    def revisit(self, now: Maximized, before: "Before") -> Revisit:
        """Look at what was drawn of a batch of filters before, with the weights of now."""
        low, high = (np.asarray(bound, np.float32) for bound in self.input_range.limits)
        gray = initial_images.gray_of(self.input_range.limits, self.plan.ascent.gray)
        deviation = self.config.contrast * (high - low)
        flat = self.ascent.score(np.zeros_like(now.images) + gray, now.filters)

        def rises(images: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
            return self.ascent.score(at_one_contrast(images, gray, deviation), now.filters) - flat

        kernels = kernels_of(self.layer_call.layer, now.filters)
        return Revisit(
            images=now.images, before=before.images, kernels=kernels, kernels_before=before.kernels, rises=rises
        )

    def kernels(self, filters: npt.NDArray[np.int32]) -> LayerKernels | None:
        """Make pictures of the kernels of some filters, if they are asked for."""
        if not self.config.kernels:
            return None
        return layer_kernels(self.layer_call.layer, filters, self.effective, is_bgr=self.input_range.is_bgr)

    def _start(self, filters: npt.NDArray[np.int32], which: int) -> npt.NDArray[np.float32]:
        return initial_images.gray_noise(
            filters,
            self.plan.canvas.model.shape,
            self.input_range.limits,
            gray=self.plan.ascent.gray,
            noise=self.plan.ascent.noise,
            seed=self.config.seed,
            position=self.layer_call.position,
            start=which,
        )

    def maximize(self, filters: npt.NDArray[np.int32], noise: NoiseResponse) -> Maximized:
        """Let one batch of filters climb.

        Args:
            filters: int32 ``[n]``, of those that are drawn.
            noise: how all of these answer to noise.
        """
        starts = [self._start(filters, which) for which in range(self.plan.ascent.starts)]
        climbs = [self.ascent.climb(start, filters) for start in starts]
        climbed = climbs[0] if len(climbs) == 1 else self.ascent.mean(climbs, filters)
        places = [self.plan.filters.index(int(each)) for each in filters]
        found = Maximized(
            layer=self.layer_call.path,
            position=self.layer_call.position,
            filters=filters,
            objective=self.plan.objective,
            images=climbed.images,
            start=starts[0] if len(starts) == 1 else np.mean(starts, axis=0, dtype=np.float32),
            place=self.plan.canvas.place,
            image_shape=self.image_model.shape,
            scores=climbed.scores,
            peaks=climbed.peaks,
            agreement=np.full(len(filters), np.nan, np.float32),
            kept=climbed.kept,
            receptive_field=self.plan.box,
            noise_scores=noise.score[places],
            noise_deviations=noise.deviation[places],
            input_range=self.input_range.limits,
            is_bgr=self.input_range.is_bgr,
            tone=self.plan.tone,
            config=self.config,
        )
        if len(climbs) == 1:
            return found
        return replace(found, agreement=mean_correlation([found.shown(each.images) for each in climbs]))


@dataclass(frozen=True, slots=True)
class ModelAscents:
    """What is drawn of a model.

    Attributes:
        layers: those that are drawn, in the model's order.
        left_out: why the others, which nobody named, are not, by path.
        input_range: of the model.
    """

    layers: list[LayerAscent]
    left_out: Mapping[str, str]
    input_range: InputRange

    def describe(self) -> list[str]:
        """Say, in a sentence each, what the user would not expect."""
        reasons: dict[str, list[str]] = {}
        for path, reason in self.left_out.items():
            reasons.setdefault(reason, []).append(path)
        left_out = [f"Not drawn: {', '.join(paths)}. {reason}" for reason, paths in reasons.items()]
        return [self.input_range.describe(), *left_out]


def model_ascents(
    model: keras.Model,
    layers: str | Iterable[str] | None,
    config: Config,
    *,
    other_inputs: Mapping[str, Any] | None = None,
    examples: Any = None,
    are_fields_wanted: bool = False,
) -> ModelAscents:
    """Make the ascents of a model's layers; nothing is compiled yet.

    Args:
        model: a built Keras model that takes an image.
        layers: names, paths or patterns; None for all convolutional layers.
        config: how filters are drawn.
        other_inputs: what the model's inputs are that are not the image, by name, without the batch axis.
        examples: images as the model is given them, ``[n, h, w, c]``, which tell its input range; None if none are at
            hand.
        are_fields_wanted: whether to measure receptive fields of any size, also where that changes no picture.

    Raises:
        ModelError: if the model or its layers cannot be shown. Layers that nobody named are left out instead.
        ConfigError: if a layer has not the filters that are asked for.
    """
    layer_calls.check_built(model)
    image_model = image_model_of(model, image_shape=config.image_shape, other_inputs=other_inputs)
    chosen = layer_calls.select(model, layer_calls.as_patterns(layers))
    input_range = input_range_of(image_model, config.input_range, examples, config.channel_order)
    span = _span(input_range.limits)
    planned, left_out = plan_layers(
        image_model, chosen, input_range.limits, config, are_fields_wanted=are_fields_wanted
    )
    ascents = []
    for layer_call, info, plan in planned:
        ascent_config, numbers_below = plan.ascent, plan.canvas.info.numbers_below
        step_length = ascent_config.step_size * span / 255
        if plan.is_straight:
            ascent_config, step_length = replace(ascent_config, steps=1), step_length * ascent_config.steps
        with raising_for_layer(layer_call):
            ascent = ascent_of(
                plan.canvas,
                layer_call,
                plan.objective,
                batch=batch_size(len(plan.filters), numbers_below, ascent_config),
                step_length=step_length,
                config=ascent_config,
                is_bgr=input_range.is_bgr,
            )
        effective = None
        if config.kernels and plan.box is not None:
            with weight_overrides.given(weight_overrides.typical(model)):
                effective = effective_kernels(plan.canvas, layer_call, batch=ascent.batch)
        ascents.append(LayerAscent(layer_call, info, plan, ascent, image_model, input_range, config, effective))
    return ModelAscents(ascents, left_out, input_range)


def _span(limits: Range) -> Any:  # a float, or float32 [c]
    low, high = limits
    if isinstance(low, tuple) or isinstance(high, tuple):
        return np.asarray(high, np.float32) - np.asarray(low, np.float32)
    return high - low


def maximize(
    model: keras.Model,
    layer: str,
    filters: int | Sequence[int] | None = None,
    *,
    config: Config | str = "clean",
    other_inputs: Mapping[str, Any] | None = None,
    examples: Any = None,
    verbose: int = 1,
) -> Maximized:
    """Find the images that excite filters of a layer most. Nothing is written anywhere.

    ```python
    found = tb_filterviz.maximize(model, "conv2d_2", [42, 3])
    found.images, found.scores, found.tiles()  # float32 in the model's units; over the steps; uint8
    ```

    The tiles are those that the callback and the logger write: filters climb in batches of the same size, filled up
    where there are fewer. They are the same to the bit; with JAX and PyTorch, whose sums may differ in the last digit
    from call to call, to rounding. For few filters of a large layer, ``AscentConfig(filters_per_batch=1)`` is faster.

    Args:
        model: a built Keras model that takes an image.
        layer: a name, path or pattern that means one layer.
        filters: which, in any order; None for those that `config` says, or all.
        config: a `Config`, or the name of a preset.
        other_inputs: what the model's inputs are that are not the image, by name, without the batch axis.
        examples: some images as the model is given them, ``[n, h, w, c]``, which tell its input range.
        verbose: 1 says which input range was taken, once for each, and shows how far a long ascent is; 0 is silent.

    Raises:
        ConfigError: if a setting cannot work, or `layer` means several.
        UnknownLayerError: if there is no such layer.
        ModelError: if it cannot be drawn.
    """
    found = model_ascents(model, layer, as_config(config), other_inputs=other_inputs, examples=examples)
    ascents = found.layers
    if len(ascents) > 1:
        paths = ", ".join(ascent.layer_call.path for ascent in ascents)
        raise ConfigError(f"`layer` must mean one layer; {layer!r} means {len(ascents)}: {paths}.")
    (ascent,) = ascents
    say_once(found.describe(), verbose)
    if filters is not None:
        ascent = _of_filters(ascent, as_indices(filters if isinstance(filters, Iterable) else [filters]))
    with (
        shown_once_long(f"Filters of {ascent.layer_call.path}", verbose) as report,
        raising_for_layer(ascent.layer_call),
    ):
        return _joined(_maximized_in_batches(ascent, report))


def _of_filters(ascent: LayerAscent, filters: Indices) -> LayerAscent:
    """Draw these filters in batches of the same size: others would round differently."""
    config = replace(ascent.config, filters=filters)
    chosen = choose_filters(config, ascent.layer_call, ascent.info)
    return replace(ascent, plan=replace(ascent.plan, filters=chosen), config=config)


def _maximized_in_batches(ascent: LayerAscent, report: Report) -> list[Maximized]:
    batches, total, noise = [], len(ascent.plan.filters), ascent.respond_to_noise()
    for filters in ascent.batches():
        batches.append(ascent.maximize(filters, noise))
        done = sum(len(batch.filters) for batch in batches)
        report(done, total, f"{done} of {total} filters")
    return batches


_BY_FILTER = {  # and the axis
    "filters": 0,
    "images": 0,
    "start": 0,
    "scores": 1,
    "peaks": 0,
    "agreement": 0,
    "kept": 0,
    "noise_scores": 0,
    "noise_deviations": 0,
}


def _joined(batches: Sequence[Maximized]) -> Maximized:
    first, *others = batches
    if not others:
        return first
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(batch, name) for batch in batches], axis=axis)
        for name, axis in _BY_FILTER.items()
    }
    return replace(first, **arrays)


def joined_drawings(drawings: Sequence[LayerDrawing]) -> LayerDrawing:
    """Put drawings of one layer's filters side by side."""
    first, *others = drawings
    if not others:
        return first
    values = {field.name: getattr(first, field.name) for field in fields(LayerDrawing)}
    statistics = {name: np.concatenate([each.statistics[name] for each in drawings]) for name in first.statistics}
    arrays = {name: np.concatenate([getattr(each, name) for each in drawings]) for name in ("filters", "tiles")}
    parts = {
        "responses": joined_parts([each.responses for each in drawings]),
        "kernels": joined_parts([each.kernels for each in drawings]),
    }
    return LayerDrawing(**{**values, **arrays, "statistics": statistics, **parts})
