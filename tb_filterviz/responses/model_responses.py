"""What the filters of a model answer to examples: all that is measured, for a session to ask for."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tb_filterviz.config import Range
from tb_filterviz.errors import ConfigError
from tb_filterviz.examples.example_set import ExampleSet
from tb_filterviz.examples.settings import Examples
from tb_filterviz.examples.stored import StoredExamples, stored_examples
from tb_filterviz.optvis import weight_overrides
from tb_filterviz.optvis.ascent import images_in_memory
from tb_filterviz.optvis.maximize import LayerAscent
from tb_filterviz.responses.footprint import footprint_of
from tb_filterviz.responses.importance import Importance, importance_of
from tb_filterviz.responses.measure import Array, Measurement, measurement
from tb_filterviz.responses.outlets import outlets_of
from tb_filterviz.snapshots import LayerResponses, Values

_MOST_TOGETHER = 128
_FAR = 2.0  # input ranges beyond which examples cannot be what the model is given


@dataclass(slots=True)
class ModelResponses:
    """Measures what the filters of a model answer to examples, again and again.

    Attributes:
        settings: what is measured.
        examples: what the model is shown.
        measurement: of what filters answer.
        importance: of what hangs on them; None if it is never asked for.
        drawn: of each layer, which filters are drawn.
        as_pictures: brings examples to what is seen of them, uint8 ``[n, h, w, c]``.
        took_s: how long the last measurement took, without what is measured at the end of a training.
    """

    settings: Examples
    examples: ExampleSet
    measurement: Measurement
    importance: Importance | None
    drawn: Sequence[Sequence[int]]
    as_pictures: Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]
    took_s: float = field(default=0.0)

    def measure(self, *, is_end: bool) -> dict[str, LayerResponses]:
        """Measure what all filters of the layers answer, with the weights of now, by the layers' paths.

        Args:
            is_end: whether to measure as well what is measured at the end of a training.
        """
        began = time.perf_counter()
        found = self._completed(self.measurement.measure(), is_end=False)
        if self.settings.maps_as_images:
            found = {path: replace(responses, maps_as_images=True) for path, responses in found.items()}
        self.took_s = time.perf_counter() - began
        return self._completed(found, is_end=True) if is_end and self.measures_at_end else found

    def hanging(self, *, is_end: bool) -> dict[str, dict[str, Values]]:
        """Measure what hangs on each filter, if it is time for that: importance and ablation, by the layers' paths.

        Args:
            is_end: whether it is what is measured at the end of a training, or what always is.
        """
        found: dict[str, dict[str, Values]] = {outlet.layer_call.path: {} for outlet in self.measurement.outlets}
        if self.importance is None:
            return found
        if self.settings.importance == ("end" if is_end else "always"):
            for values, slopes in zip(found.values(), self.importance.by_slope(), strict=True):
                values["importance"] = slopes
        if self.settings.ablation and is_end:
            for values, lost in zip(found.values(), self.importance.by_ablation(self.drawn), strict=True):
                values["ablation"] = lost
        return found

    def _completed(self, found: Mapping[str, LayerResponses], *, is_end: bool) -> dict[str, LayerResponses]:
        hanging: Mapping[str, Any] = self.hanging(is_end=is_end)
        return {path: replace(responses, **hanging[path]) for path, responses in found.items()}

    @property
    def measures_at_end(self) -> bool:
        """Whether anything is measured only at the end of a training."""
        return self.importance is not None and (self.settings.importance == "end" or self.settings.ablation)

    def to_json(self) -> dict[str, Any]:
        """Say which examples these are, as a recipe does."""
        return {
            "count": len(self.examples),
            "mapped": list(self.measurement.mapped),
            "patches": self.settings.patches,
            "origin": self.examples.origin,
            "fingerprint": self.examples.fingerprint,
            "class_names": list(self.examples.class_names),
            "importance": self.settings.importance,
            "ablation": self.settings.ablation,
        }

    def stored(self) -> list[StoredExamples]:
        """Encode the examples as a log holds them."""
        return stored_examples(self.examples, self.as_pictures, self.measurement.mapped)

    def describe_end(self) -> str:
        """Say what is measured at the end of a training, if that may take long; else nothing."""
        if not self.settings.ablation:
            return ""
        count = sum(map(len, self.drawn))
        return f"Now each of {count} filters is left out in turn, on {len(self.examples)} examples."

    def describe(self) -> str:
        """Say in a sentence or two what was read."""
        held = (
            self.examples.images.nbytes + (0 if self.examples.targets is None else self.examples.targets.nbytes)
        ) >> 20
        classes = f", of {len(self.examples.class_names)} classes" if self.examples.class_names else ", without classes"
        return f"{len(self.examples)} examples ({self.examples.origin}){classes}: {max(held, 1)} MiB held."


def responses_of(ascents: Sequence[LayerAscent], settings: Examples, examples: ExampleSet) -> ModelResponses:
    """Make what measures the answers of the layers that are drawn.

    Args:
        ascents: of these layers.
        settings: what is measured.
        examples: what the model is shown.

    Raises:
        ConfigError: if the examples cannot be what the model is given, or importance cannot be measured with them.
    """
    first = ascents[0]
    image_model, input_range, config = first.image_model, first.input_range, first.config
    shown = _shown(examples, input_range.limits, is_bgr=input_range.is_bgr)
    _check_range(examples, input_range.limits, is_sure=not input_range.is_assumed)
    layer_calls = [ascent.layer_call for ascent in ascents]
    span = float(np.max(np.subtract(*map(np.asarray, reversed(input_range.limits)))))
    outlets = outlets_of(image_model, layer_calls)
    with weight_overrides.given(weight_overrides.typical(image_model.model)):
        footprints = [footprint_of(image_model, ascent.layer_call, ascent.info, span) for ascent in ascents]
    numbers = max(ascent.info.numbers_below for ascent in ascents)
    batch = min(_MOST_TOGETHER, len(examples), images_in_memory(numbers, config.ascent))
    measured = measurement(
        image_model,
        outlets,
        footprints,
        examples,
        batch=batch,
        patches=settings.patches,
        mapped=_mapped(settings, examples),
        shown=shown,
    )
    if settings.ablation and examples.labels is None:
        raise ConfigError(
            "`ablation` measures how much accuracy is lost, and `examples` has no labels that are classes: give a pair "
            "(images, labels)."
        )
    needs_loss = settings.ablation or settings.importance == "always"
    importance = None
    if needs_loss or (settings.importance == "end" and examples.targets is not None):

        def batches() -> Iterator[tuple[Array, npt.NDArray[Any], int]]:
            return _with_targets(examples, batch, shown)

        channels = [ascent.info.filters for ascent in ascents]
        try:
            importance = importance_of(image_model, outlets, channels, examples, batches)
        except ConfigError:
            if needs_loss:  # or else nobody asked for it
                raise
    drawn = [ascent.plan.filters for ascent in ascents]
    as_pictures = _as_pictures(examples, input_range.limits, is_bgr=input_range.is_bgr)
    return ModelResponses(settings, examples, measured, importance, drawn, as_pictures)


def _shown(examples: ExampleSet, limits: Range, *, is_bgr: bool) -> Callable[[npt.NDArray[Any]], Array]:
    low, high = (np.asarray(bound, np.float32) for bound in limits)

    def as_given(images: npt.NDArray[Any]) -> Array:
        given = images.astype(np.float32)
        if not examples.are_pictures:
            return given
        return low + (given[..., ::-1] if is_bgr else given) / np.float32(255) * (high - low)

    return as_given


def _as_pictures(
    examples: ExampleSet, limits: Range, *, is_bgr: bool
) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]:
    low, high = (np.asarray(bound, np.float32) for bound in limits)

    def seen(images: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
        if examples.are_pictures:
            return np.asarray(images, np.uint8)
        levels = (images.astype(np.float32) - low) / (high - low) * 255
        return np.clip(np.round(levels[..., ::-1] if is_bgr else levels), 0, 255).astype(np.uint8)

    return seen


def _check_range(examples: ExampleSet, limits: Range, *, is_sure: bool) -> None:
    """Refuse examples that are nothing that the model is given, where its range is known."""
    if examples.are_pictures or not is_sure:
        return
    low, high = (np.asarray(bound, np.float64) for bound in limits)
    lowest, highest = float(examples.images.min()), float(examples.images.max())
    far = _FAR * float(np.max(high - low))
    is_outside = lowest < np.min(low) - far or highest > np.max(high) + far
    if is_outside or highest - lowest < 0.01 * float(np.min(high - low)):
        raise ConfigError(
            f"`examples` are from {lowest:g} to {highest:g}, and the model takes {_said(low)} to {_said(high)}. Give "
            "them as the model is given them, or say its input_range."
        )


def _said(bound: npt.NDArray[np.float64]) -> str:
    return f"{float(bound):g}" if bound.ndim == 0 else f"({', '.join(f'{each:g}' for each in bound)})"


def _mapped(settings: Examples, examples: ExampleSet) -> tuple[int, ...]:
    """Choose the examples whose maps are kept: those that are named, or one of each class as far as they go."""
    if not isinstance(settings.maps, int):
        wrong = [place for place in settings.maps if place >= len(examples)]
        if wrong:
            raise ConfigError(f"`maps` names example {wrong[0]}, and there are {len(examples)}, counted from 0.")
        return tuple(settings.maps)
    if examples.labels is None:
        return tuple(range(min(settings.maps, len(examples))))
    firsts = np.unique(examples.labels, return_index=True)[1]
    others = np.setdiff1d(np.arange(len(examples)), firsts)
    return tuple(int(place) for place in [*firsts, *others][: settings.maps])


def _with_targets(
    examples: ExampleSet, batch: int, shown: Callable[[npt.NDArray[Any]], Array]
) -> Iterator[tuple[Array, npt.NDArray[Any], int]]:
    """Yield images and targets in batches of one size, and how many of each batch count: the last is filled up."""
    assert examples.targets is not None
    for first in range(0, len(examples), batch):
        places = np.arange(first, min(first + batch, len(examples)))
        filled = np.pad(places, (0, batch - len(places)), mode="edge")
        yield shown(examples.images[filled]), examples.targets[filled], len(places)
