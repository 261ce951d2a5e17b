"""The whole way of the data, at one step: model, ascent, tiles, snapshot, sinks."""

import re
import time
import warnings
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import keras
import numpy as np
import numpy.typing as npt

from tb_filterviz.config import ChannelOrder, Config, Range, as_config, drawn_by
from tb_filterviz.errors import ConfigError, ModelError, VisualizationWarning
from tb_filterviz.examples.reading import read_examples
from tb_filterviz.examples.settings import Examples, as_settings
from tb_filterviz.examples.stored import StoredExamples
from tb_filterviz.history import History
from tb_filterviz.optvis.ascent import NoiseResponse
from tb_filterviz.optvis.image_model import Shape, has_layers_inside, image_model_of, leaves
from tb_filterviz.optvis.layer_calls import check_built
from tb_filterviz.optvis.maximize import Before, LayerAscent, joined_drawings, model_ascents
from tb_filterviz.optvis.probe import raising_for_layer
from tb_filterviz.optvis.revisit import kernels_of
from tb_filterviz.parts.statistics import RESPONSES, statistics_of
from tb_filterviz.progress import Cost, Report, say_once, shown_once_long
from tb_filterviz.recipe import Recipe, Source, make_recipe
from tb_filterviz.responses.model_responses import ModelResponses, responses_of
from tb_filterviz.sinks import Sink, for_each
from tb_filterviz.sinks.run_index import RunIndex
from tb_filterviz.snapshots import LayerDrawing, LayerResponses, LayerSnapshot, StepUnit

_Drawn = TypeVar("_Drawn", bound=LayerDrawing)


class Session:
    """One model, drawn again and again while its weights change. Compiles once per layer.

    Args:
        model: a built Keras model that takes an image.
        layers: names, paths or patterns of layers; None for all convolutional ones.
        config: how filters are drawn.
        unit: what steps count.
        history: to go on from.
        other_inputs: what the model's inputs are that are not the image, by name, without the batch axis.
        examples: `Examples`, or where they are, on which is measured what filters do; they tell the input range as
            well. None for none.
        draws_again: False if it draws once: then what was compiled for a layer is forgotten when that is drawn.
        is_training: whether a training ends later, at which `measured_at_end` is called; without one, what is measured
            there is measured whenever is drawn.

    Raises:
        ModelError: if the model or its layers cannot be shown.
        ConfigError: if a layer has not the filters that are asked for.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        layers: str | Iterable[str] | None = None,
        config: Config | None = None,
        unit: StepUnit = "epoch",
        history: History | None = None,
        other_inputs: Mapping[str, Any] | None = None,
        examples: Any = None,
        draws_again: bool = True,
        is_training: bool = False,
    ) -> None:
        self.model = model
        settings = as_settings(examples)
        self.config = with_examples(config or Config(), settings)
        self.unit = unit
        self.history = history or History()
        self.cost: Cost | None = None
        self._revisits = any(each.reads == "revisit" for each in statistics_of(self.config.statistics))
        self._draws_again = draws_again
        self._now: dict[tuple[str, int], Before] = {}
        self._before: dict[tuple[str, int], Before] = {}  # of the last step that was written
        self._other_inputs = {name: np.asarray(value) for name, value in (other_inputs or {}).items()}
        self._is_training = is_training
        read = None if settings is None else read_examples(settings, _image_shape(model, self.config, other_inputs))
        self._found = model_ascents(
            model,
            layers,
            self.config,
            other_inputs=other_inputs,
            examples=None if read is None or read.are_pictures else read.images,
            are_fields_wanted=settings is not None,
        )
        self._responses: ModelResponses | None = None
        if settings is not None and read is not None:
            self._responses = responses_of(self._found.layers, settings, read)

    @property
    def _ascents(self) -> list[LayerAscent]:
        return self._found.layers

    @property
    def layers(self) -> list[str]:
        """The paths of the layers that are drawn, in the model's order."""
        return [ascent.layer_call.path for ascent in self._ascents]

    @property
    def input_range(self) -> Range:
        """The model's input range that was taken, ``(low, high)``, each a number, or one for each channel."""
        return self._found.input_range.limits

    @property
    def channel_order(self) -> ChannelOrder:
        """Whether the model's images are ``"rgb"`` or ``"bgr"``, as it was taken."""
        return self._found.input_range.channel_order

    def weights_fingerprint(self) -> int:
        """Hash the model's weights as they are."""
        found = 0
        for weights in self.model.get_weights():
            found = zlib.crc32(np.ascontiguousarray(weights).view(np.uint8).data, found)
        return found

    def describe(self) -> list[str]:
        """Say, in a sentence each, which input range was taken, what cannot be drawn, and which examples were read."""
        return [*self._found.describe(), *([self._responses.describe()] if self._responses else [])]

    def recipe(self, written_by: Source, schedule: Mapping[str, Any] | None = None) -> Recipe:
        """Say how this session draws, and how often."""
        return make_recipe(
            self.config,
            written_by=written_by,
            unit=self.unit,
            input_range=self.input_range,
            input_range_reason=self._found.input_range.reason,
            channel_order=self.channel_order,
            model=_model_to_json(self.model),
            layers=[
                {
                    "layer": ascent.layer_call.path,
                    "position": ascent.layer_call.position,
                    "filters": len(ascent.plan.filters),
                    "tile": list(ascent.tile_shape),
                    "objective": ascent.plan.objective.name,
                    "tone": ascent.plan.tone.name,
                    "ascent": drawn_by(ascent.plan.ascent),
                }
                for ascent in self._ascents
            ],
            backend=keras.backend.backend(),
            parts=[part for ascent in self._ascents for part in ascent.plan.parts],
            other_inputs=self._other_inputs,
            schedule=schedule or {},
            examples=self._responses.to_json() if self._responses else {},
        )

    @property
    def examples(self) -> Examples | None:
        """What is measured on examples, with these as they were read; None without any."""
        return replace(self._responses.settings, source=self._responses.examples) if self._responses else None

    @property
    def example_count(self) -> int:
        """How many examples are measured."""
        return len(self._responses.examples) if self._responses else 0

    def stored_examples(self) -> list[StoredExamples]:
        """Encode the examples as a log holds them; empty without any."""
        return self._responses.stored() if self._responses else []

    def prepare(self) -> Cost:
        """Compile everything, and try a few steps of every layer, so that what cannot work shows now.

        Without it, layers are compiled when they are first drawn.

        Raises:
            ModelError: if a layer cannot be drawn.
            ConfigError: if a part that was given does not do what it has to.
        """
        compile_s = 0.0
        tried: list[LayerAscent] = []
        errors: dict[str, ModelError] = {}
        for ascent in self._ascents:
            try:
                with raising_for_layer(ascent.layer_call):
                    first_s, once_s, thrice_s = (self._try(ascent, steps) for steps in (1, 1, 3))
            except ModelError as error:
                if ascent.layer_call.is_named:
                    raise
                errors[ascent.layer_call.path] = error
                continue
            compile_s += max(first_s - once_s, 0.0)
            step_s = max(thrice_s - once_s, 0.0) / 2
            tried.append(replace(ascent, batch_s=once_s + (ascent.ascent.steps - 1) * step_s))
        if not tried:
            raise next(iter(errors.values()))
        for path, failure in errors.items():
            warnings.warn(f"Not drawn: {path}. {failure}", VisualizationWarning, stacklevel=2)
        left_out = {**self._found.left_out, **{path: str(failure) for path, failure in errors.items()}}
        self._found = replace(self._found, layers=tried, left_out=left_out)
        if self._responses is not None and errors:
            self._responses = responses_of(tried, self._responses.settings, self._responses.examples)
        if self._responses is not None:
            compile_s += self._try_examples(self._responses)
        filters = sum(len(ascent.plan.filters) for ascent in self._ascents)
        draw_s = sum(ascent.draw_s for ascent in self._ascents)
        is_compiled = keras.backend.backend() != "torch"
        self.cost = Cost(
            filters,
            len(self._ascents),
            compile_s,
            draw_s,
            is_compiled,
            examples=self.example_count,
            examples_s=self._responses.took_s if self._responses else 0.0,
        )
        return self.cost

    def _try_examples(self, responses: ModelResponses) -> float:
        """Measure the examples twice, which compiles and tells what they take; return the seconds of compiling."""
        statistics = [each for each in statistics_of(self.config.statistics) if each.reads == "responses"]
        began = time.perf_counter()
        measured = responses.measure(is_end=False)
        first_s = time.perf_counter() - began
        responses.measure(is_end=False)
        for found in measured.values():
            for statistic in statistics:  # what is wrong with one of the user's own shows now
                statistic.values(found, len(found.on))
        return max(0.0, first_s - responses.took_s)

    def _try(self, ascent: LayerAscent, steps: int) -> float:
        """Measure the seconds that a batch takes with so many steps, whatever else is to be done for it included."""
        began = time.perf_counter()
        tried, noise = replace(ascent, ascent=replace(ascent.ascent, steps=steps)), ascent.respond_to_noise()
        maximized = tried.maximize(ascent.batches()[0], noise)
        tried.kernels(maximized.filters)
        kernels = kernels_of(ascent.layer_call.layer, maximized.filters)
        revisit = tried.revisit(maximized, Before(maximized.images, kernels)) if self._revisits else None
        drawing = maximized.drawing(revisit)
        taken_s = time.perf_counter() - began
        history, statistics = History(), statistics_of(self.config.statistics)
        for step in (0, 1):  # statistics that look back are tried as well, at the first step and at another
            history.compare(drawing, step, self.unit, statistics)
            history.remember_drawing(drawing, step)
        return taken_s

    def draw(self, report: Report | None = None, *, is_measured: bool = True) -> list[LayerDrawing]:
        """Draw what every filter of the chosen layers responds to, with the weights of now.

        Args:
            report: called at the start, and after every batch of filters.
            is_measured: whether to measure examples as well, if there are any.
        """
        drawings: list[LayerDrawing] = []
        done_s, total_s = 0.0, sum(ascent.draw_s for ascent in self._ascents)
        measured: Mapping[str, LayerResponses] = {}
        if self._responses is not None and is_measured:
            if report is not None:
                report(done_s, total_s, f"{len(self._responses.examples)} examples")
            measured = self._responses.measure(is_end=not self._is_training)
        for ascent in self._ascents:
            batches: list[LayerDrawing] = []
            path, filters = ascent.layer_call.path, len(ascent.plan.filters)
            if report is not None:
                report(done_s, total_s, f"{path}, 0 of {filters} filters")
            noise = ascent.respond_to_noise()
            for batch in ascent.batches():
                responses = measured[path].of_filters(batch) if measured else None
                # images in floating point take much more room
                batches.append(self._drawn(ascent, batch, noise, responses))
                done_s += ascent.batch_s
                if report is not None:
                    drawn = sum(len(each.filters) for each in batches)
                    report(done_s, total_s, f"{path}, {drawn} of {filters} filters")
            kernels = ascent.kernels(np.array(ascent.plan.filters, np.int32))
            drawings.append(replace(without_unknown(joined_drawings(batches)), kernels=kernels))
            if not self._draws_again:
                ascent.ascent.forget()
        return drawings

    def _drawn(
        self,
        ascent: LayerAscent,
        filters: npt.NDArray[np.int32],
        noise: NoiseResponse,
        responses: LayerResponses | None,
    ) -> LayerDrawing:
        maximized = ascent.maximize(filters, noise)
        if not self._revisits:
            return maximized.drawing(responses=responses)
        key = ascent.layer_call.path, int(filters[0])
        self._now[key] = Before(maximized.images, kernels_of(ascent.layer_call.layer, filters))
        before = self._before.get(key)
        return maximized.drawing(ascent.revisit(maximized, before) if before else None, responses)

    def describe_end(self) -> str:
        """Say what is measured at the end of a training, if that may take long; else nothing."""
        return self._responses.describe_end() if self._responses else ""

    def measured_at_end(self, snapshots: list[LayerSnapshot]) -> list[LayerSnapshot]:
        """Add to the last snapshots of a training what is measured only then, with the weights of now."""
        if self._responses is None or not self._responses.measures_at_end:
            return snapshots
        hanging = self._responses.hanging(is_end=True)
        return [_with_hanging(each, hanging[each.layer], self.config) for each in snapshots]

    def closest(self, indices: Sequence[RunIndex]) -> RunIndex:
        """Choose of several runs the one that the model, as it is now, goes on from.

        That is the one whose last pictures are most like now; of several that are alike, the newest.
        """
        if len(indices) == 1:
            return indices[0]
        drawings = self.draw(is_measured=False)
        return min(reversed(indices), key=lambda index: sum(_distance(index, each) for each in drawings))

    def unchanged_since(self, indices: Sequence[RunIndex]) -> RunIndex | None:
        """Choose of several runs one whose last pictures are those of the model, as it is now; or that has none."""
        drawings: list[LayerDrawing] = []
        for index in reversed(indices):
            last = index.last_step
            if last is None:
                return index
            drawings = drawings or self.draw(is_measured=False)
            if all(index.history.holds(each.layer, last) and index.history.resembles(each, last) for each in drawings):
                return index
        return None

    def render(self, step: int, report: Report | None = None) -> list[LayerSnapshot]:
        """Draw, compare with the steps before, and remember."""
        return self.log(step, (), report)

    def log(self, step: int, sinks: Sequence[Sink], report: Report | None = None) -> list[LayerSnapshot]:
        """Draw, compare with the steps before, and hand the snapshots to every sink.

        The first sink is the log: what it holds is what later steps are compared with.
        """
        return self.write(self.compare(self.draw(report), step), sinks)

    def compare(self, drawings: Sequence[LayerDrawing], step: int) -> list[LayerSnapshot]:
        """Compare drawings with the steps before; nothing is written or remembered."""
        return compared(drawings, step, self.unit, self.history, self.config)

    def write(self, snapshots: list[LayerSnapshot], sinks: Sequence[Sink]) -> list[LayerSnapshot]:
        """Hand the snapshots of one step, which were compared, to every sink, and remember them.

        The first sink is the log: what it holds is what later steps are compared with.
        """
        write_snapshots(snapshots, self.history, sinks)
        self._before = dict(self._now)
        return snapshots


def _image_shape(model: keras.Model, config: Config, other_inputs: Mapping[str, Any] | None) -> Shape:
    check_built(model)
    return image_model_of(model, image_shape=config.image_shape, other_inputs=other_inputs).shape


def with_examples(config: Config, examples: Examples | None) -> Config:
    """Compute, with examples, what there is to compute of them.

    Raises:
        ConfigError: if a statistic needs examples, and there are none.
    """
    if examples is not None:
        known = {each.name for each in statistics_of(config.statistics)}
        more = (each.name for each in RESPONSES if each.name not in known)
        return replace(config, statistics=(*config.statistics, *more))
    needing = [each.name for each in statistics_of(config.statistics) if each.reads == "responses"]
    if needing:
        raise ConfigError(
            f"The statistic {needing[0]!r} is measured on real images: give examples=images, or --examples on the "
            "command line."
        )
    return config


def without_unknown(drawing: _Drawn) -> _Drawn:
    """Leave out what could be measured of no filter: what needs labels without any, or is measured at the end."""
    of_responses = {each.name for each in RESPONSES}
    kept = {
        name: values
        for name, values in drawing.statistics.items()
        if name not in of_responses or not np.isnan(values).all()
    }
    return replace(drawing, statistics=kept)


def _with_hanging(snapshot: LayerSnapshot, hanging: Mapping[str, Any], config: Config) -> LayerSnapshot:
    """Add to a snapshot what hangs on its filters, given for all filters of its layer."""
    assert snapshot.responses is not None
    responses = replace(snapshot.responses, **{name: values[snapshot.filters] for name, values in hanging.items()})
    chosen = [each for each in statistics_of(config.statistics) if each.reads == "responses"]
    values = {each.name: each.values(responses, len(snapshot.filters)) for each in chosen}
    return without_unknown(replace(snapshot, statistics={**snapshot.statistics, **values}, responses=responses))


def _distance(index: RunIndex, drawing: LayerDrawing) -> float:
    last = index.last_step
    known = last is not None and index.history.holds(drawing.layer, last)
    return index.history.distance(drawing, last) if known and last is not None else 1.0


def compared(
    drawings: Sequence[LayerDrawing], step: int, unit: StepUnit, history: History, config: Config
) -> list[LayerSnapshot]:
    """Compare the drawings of one step with the steps before, by the configured statistics."""
    statistics = statistics_of(config.statistics)
    return [history.compare(drawing, step, unit, statistics) for drawing in drawings]


def write_snapshots(snapshots: Sequence[LayerSnapshot], history: History, sinks: Sequence[Sink]) -> None:
    """Hand the snapshots of one step to every sink, and remember them.

    Args:
        snapshots: of all layers, compared with `history`.
        history: of the run that the first sink writes.
        sinks: the first is the log: what it holds is what later steps are compared with.
    """
    step = snapshots[0].step
    log, others = sinks[:1], sinks[1:]
    for sink in log:
        sink.write(step, snapshots)
    for snapshot in snapshots:
        history.remember_drawing(snapshot, step)
    for_each(others, lambda sink: sink.write(step, snapshots))


def draw(
    model: keras.Model,
    layers: str | Iterable[str] | None = None,
    *,
    config: Config | str = "clean",
    other_inputs: Mapping[str, Any] | None = None,
    examples: Any = None,
    step: int = 0,
    verbose: int = 1,
) -> list[LayerSnapshot]:
    """Draw what the filters of several layers respond to. Nothing is written anywhere.

    ```python
    for snapshot in tb_filterviz.draw(model, "conv*"):
        Path(f"{snapshot.layer}.png").write_bytes(snapshot.png())
    ```

    Args:
        model: a built Keras model that takes an image.
        layers: names, paths or patterns (``"conv*"``); None for all convolutional layers.
        config: a `Config`, or the name of a preset.
        other_inputs: what the model's inputs are that are not the image, by name, without the batch axis.
        examples: some images as the model is given them, ``[n, h, w, c]``, which tell its input range.
        step: what the snapshots say of when they were drawn.
        verbose: 1 says which input range was taken and what cannot be drawn, once, and shows how far a long drawing
            is; 0 is silent.

    Returns:
        One snapshot per layer, in the model's order.

    Raises:
        ConfigError: if a setting cannot work.
        ModelError: if the model or a layer cannot be drawn.
    """
    session = Session(
        model, layers=layers, config=as_config(config), other_inputs=other_inputs, examples=examples, draws_again=False
    )
    say_once(session.describe(), verbose)
    with shown_once_long("Filters", verbose) as report:
        return session.render(step, report)


# Not `get_config`: Keras' own way of writing configurations loads TensorFlow, on every backend.
_SETTINGS = re.findall(
    r"\w+",
    "filters units kernel_size strides padding dilation_rate groups depth_multiplier use_bias output_padding pool_size "
    "size interpolation cropping data_format activation axis epsilon negative_slope alpha max_value threshold scale "
    "offset target_shape num_heads key_dim",
)


def _layer_to_json(path: str, layer: keras.Layer) -> dict[str, Any]:
    """List what tells one network from another: class, shapes of weights, and what shapes do not show."""
    settings = {name: getattr(layer, name, None) for name in _SETTINGS}
    return {
        "path": path,
        "class": type(layer).__name__,
        "weights": [list(map(int, variable.shape)) for variable in layer.weights],
        "settings": {name: _setting_to_json(value) for name, value in settings.items() if value is not None},
    }


def _setting_to_json(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_setting_to_json(each) for each in value]
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value).tolist()
    return getattr(value, "__name__", type(value).__name__)


def _model_to_json(model: keras.Model) -> dict[str, Any]:
    inside = [(path, layer) for path, layer in leaves(model) if not isinstance(layer, keras.layers.InputLayer)]
    return {"name": model.name, "layers": [_layer_to_json(*each) for each in inside if not has_layers_inside(each[1])]}
