"""The whole way of the data, at one step: model, probe, ascent, tone, snapshot, sinks."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from tb_filterviz.config import Config
from tb_filterviz.history import History
from tb_filterviz.imaging import tone
from tb_filterviz.optvis import measures, objectives, probe, start
from tb_filterviz.optvis.ascent import Ascent, ascent_of, batch_size
from tb_filterviz.optvis.scoring import scoring
from tb_filterviz.optvis.subject import subject_of
from tb_filterviz.optvis.survey import Surveyed
from tb_filterviz.optvis.views import View, look_at
from tb_filterviz.progress import Cost, Report
from tb_filterviz.records import LayerDrawing, LayerSnapshot, StepUnit
from tb_filterviz.sinks import Sink

_Drawn = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]


@dataclass(frozen=True, slots=True)
class _Sight:
    """A layer, how it is looked at, and its compiled ascent."""

    target: probe.Target
    filters: int
    view: View
    ascent: Ascent
    batch_s: float = 1.0  # about what a batch takes, once that is known

    @property
    def draw_s(self) -> float:
        """About what all of its filters take."""
        return len(self.batches()) * self.batch_s

    def batches(self) -> list[npt.NDArray[np.int32]]:
        """Its filters, as many at a time as climb together."""
        filters = np.arange(self.filters, dtype=np.int32)
        return [filters[first : first + self.ascent.batch] for first in range(0, self.filters, self.ascent.batch)]


class Session:
    """One model, looked at again and again while its weights change. Compiles once per layer.

    Args:
        model: a built Keras model that takes an image.
        layers: names, paths or patterns of convolutional layers; None for all of them.
        config: how filters are drawn.
        unit: what steps count.
        history: to go on from.
        other_inputs: what the model's inputs are that are not the image, by name, without the batch axis.

    Raises:
        ModelError: if the model or its layers cannot be shown.
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
    ) -> None:
        self.model = model
        self.config = config or Config()
        self.unit = unit
        self.history = history or History()
        targets = probe.select(model, layers)
        self._subject = subject_of(model, image_shape=self.config.image_shape, other_inputs=other_inputs)
        self._range = self.config.input_range or start.input_range(model)
        span = self._range[1] - self._range[0]
        self._sights = [self._sight(*seen) for seen in look_at(self._subject, targets, span, self.config)]

    @property
    def layers(self) -> list[str]:
        """The paths of the layers that are drawn, in the model's order."""
        return [sight.target.path for sight in self._sights]

    def _sight(self, target: probe.Target, surveyed: Surveyed, view: View) -> _Sight:
        subject, config, (low, high) = self._subject, self.config, self._range

        def respond(images: Any, chosen: Any) -> Any:
            return probe.reach(subject, target, images, probe.own_channel(target.layer, chosen))

        filters = min(surveyed.filters, config.max_filters or surveyed.filters)
        ascent_config, step_length = config.ascent, config.ascent.step_size * (high - low) / 255
        if view.is_affine:  # its gradient never changes, so one long step arrives where many short ones do
            ascent_config, step_length = replace(ascent_config, steps=1), step_length * ascent_config.steps
        objective = objectives.SCORES[view.objective]
        gain = objectives.gain(view.objective, surveyed.height, surveyed.width)
        ascent = ascent_of(
            respond,
            objective,
            scoring(subject, target, objective, gain),
            model=self.model,
            batch=batch_size(filters, surveyed.numbers_below, ascent_config),
            gain=gain,
            step_length=step_length,
            config=ascent_config,
        )
        return _Sight(target, filters, view, ascent)

    def prepare(self) -> Cost:
        """Compile everything, and try a few steps of every layer, so that what cannot work shows now.

        Without it, layers are compiled when they are first drawn.

        Raises:
            ModelError: if a layer cannot be drawn.
        """
        compile_s = 0.0
        for place, sight in enumerate(self._sights):
            with probe.told_of_target(sight.target):
                first_s, once_s, thrice_s = (self._try(sight, steps) for steps in (1, 1, 3))
            compile_s += max(first_s - once_s, 0.0)
            step_s = max(thrice_s - once_s, 0.0) / 2
            self._sights[place] = replace(sight, batch_s=once_s + (sight.ascent.steps - 1) * step_s)
        return Cost(self._filters, len(self._sights), compile_s, sum(sight.draw_s for sight in self._sights))

    def _try(self, sight: _Sight, steps: int) -> float:
        """The seconds that a batch takes with so many steps, whatever else is to be done for it included."""
        began = time.perf_counter()
        self._drawn(replace(sight, ascent=replace(sight.ascent, steps=steps)), sight.batches()[0])
        return time.perf_counter() - began

    @property
    def _filters(self) -> int:
        return sum(sight.filters for sight in self._sights)

    def draw(self, report: Report | None = None) -> list[LayerDrawing]:
        """What every filter of the chosen layers responds to, with the weights of now.

        Args:
            report: called at the start, and after every batch of filters.
        """
        drawings: list[LayerDrawing] = []
        done_s, total_s = 0.0, sum(sight.draw_s for sight in self._sights)
        for sight in self._sights:
            parts: list[_Drawn] = []
            if report is not None:
                report(done_s, total_s, f"{sight.target.path}, 0 of {sight.filters} filters")
            for filters in sight.batches():
                parts.append(self._drawn(sight, filters))
                done_s += sight.batch_s
                if report is not None:
                    report(done_s, total_s, f"{sight.target.path}, {filters[-1] + 1} of {sight.filters} filters")
            drawings.append(self._drawing(sight, parts))
        return drawings

    def _drawing(self, sight: _Sight, parts: Sequence[_Drawn]) -> LayerDrawing:
        tiles, scores, responsive, flat = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        return LayerDrawing(
            layer=sight.target.path,
            position=sight.target.position,
            objective=sight.view.objective,
            receptive_field=sight.view.box is not None,
            channels=tone.describe_channels(self._subject.shape[-1]),
            tiles=tiles,
            scores=scores.astype(np.float32),
            responsive=responsive,
            flat=flat,
        )

    def _drawn(self, sight: _Sight, filters: npt.NDArray[np.int32]) -> _Drawn:
        """Tiles, scores, responsive, flat: of one batch, since images in floating point take much more room."""
        config, box, position = self.config, sight.view.box, sight.target.position
        begin = start.gray_noise(
            filters, self._subject.shape, self._range, config=config.ascent, seed=config.seed, position=position
        )
        climbed = sight.ascent.climb(begin, filters)
        shown = box.cut(climbed.images) if box else climbed.images
        return (
            tone.to_displayable(tone.to_uint8(shown, contrast=config.contrast)),
            climbed.scores[-1],
            measures.is_responsive(climbed, stays_positive=config.ascent.stays_positive),
            measures.is_flat(box.cut(begin) if box else begin, shown),
        )

    def render(self, step: int, report: Report | None = None) -> list[LayerSnapshot]:
        """What is drawn now, compared with the steps before."""
        return [self.history.snapshot(drawing, step, self.unit) for drawing in self.draw(report)]

    def log(self, step: int, sinks: Sequence[Sink], report: Report | None = None) -> list[LayerSnapshot]:
        """Render, and hand the snapshots to every sink."""
        snapshots = self.render(step, report)
        for sink in sinks:
            sink.write(step, snapshots)
        return snapshots
