"""What there is to see: the layers of a run, put together from its tags. Trusts nothing that an event file says."""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tb_filterviz.errors import SeriesError
from tb_filterviz.metadata import PLUGIN_NAME, RECIPE_TAG, KernelKind, ResponseKind
from tb_filterviz.parts.statistics import STANDARD
from tb_filterviz.reading.descriptions import (
    AnyDescription,
    ExamplesDescription,
    KernelsDescription,
    ResponsesDescription,
    StatisticDescription,
    StatisticsDescription,
    TilesDescription,
    describe,
)
from tb_filterviz.reading.recorded_recipe import read_recipe
from tb_filterviz.reading.validation import LONGEST_TEXT

MOST_STATISTICS = 100  # of a layer

_TILES_TAG = re.compile(rf"{PLUGIN_NAME}/(?P<layer>.+)/tiles(?:_\d{{1,6}})?", re.DOTALL)
_STATISTICS_TAG = re.compile(rf"{PLUGIN_NAME}/(?P<layer>.+)/(?:stats|statistics/(?P<name>\w+))", re.DOTALL)

_RESPONSES_TAG = re.compile(
    rf"{PLUGIN_NAME}/(?P<layer>.+)/responses/(?P<kind>patches|classes|map_scales|maps)(?:_\d{{1,6}})?", re.DOTALL
)
_KERNELS_TAG = re.compile(
    rf"{PLUGIN_NAME}/(?P<layer>.+)/kernels/(?P<kind>channels|slices|effective)(?:_\d{{1,6}})?", re.DOTALL
)
_CURVE_TAG = re.compile(rf"{PLUGIN_NAME}/(?P<layer>.+)/[^/]+", re.DOTALL)
_EXAMPLES_TAG = re.compile(rf"{PLUGIN_NAME}/examples(?:_\d{{1,6}})?")

About = TypeVar("About", bound=AnyDescription)


@dataclass(frozen=True, kw_only=True, slots=True)
class Series(Generic[About]):
    """One tag of one run, and what `list_tensors` says of its end."""

    tag: str
    about: About
    last_step: int
    last_wall_time: float


Tiles = Series[TilesDescription]
Statistics = Series[StatisticsDescription]
Responses = Series[ResponsesDescription]
Kernels = Series[KernelsDescription]
ExamplesPart = Series[ExamplesDescription]
AnySeries = Tiles | Statistics | Responses | Kernels | ExamplesPart


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """A layer of a run.

    Attributes:
        id: its name in the tags.
        indices: the numbers of its filters, in the order of the tiles.
        parts: its tiles, in the order of the filters.
        statistics: its statistics; in format 1, one series holds several.
        responses: what its filters answer to examples, by kind, and in the order of the filters.
        kernels: pictures of its kernels, likewise.
    """

    id: str
    indices: tuple[int, ...]
    parts: tuple[Tiles, ...]
    statistics: tuple[Statistics, ...]
    responses: tuple[Responses, ...] = ()
    kernels: tuple[Kernels, ...] = ()

    def parts_of(self, kind: ResponseKind | KernelKind) -> tuple[Responses | Kernels, ...]:
        """List the series of one kind, in the order of the filters; empty if there are none."""
        every: tuple[Responses | Kernels, ...] = (*self.responses, *self.kernels)
        return tuple(series for series in every if series.about.kind == kind)

    @property
    def about(self) -> TilesDescription:
        """What holds for all parts."""
        return self.parts[0].about

    @property
    def descriptions(self) -> list[StatisticDescription]:
        """The statistics that there are: the standard ones first, each once, however many series hold it."""
        found = {one.name: one for series in self.statistics for one in series.about.statistics}
        standard = [statistic.name for statistic in STANDARD]
        rank = {name: place for place, name in enumerate(standard)}
        return sorted(found.values(), key=lambda one: (rank.get(one.name, len(rank)), one.name))

    @property
    def last_wall_time(self) -> float:
        """When any of it was written last, in seconds."""
        every: list[AnySeries] = [*self.parts, *self.statistics, *self.responses, *self.kernels]
        return max(series.last_wall_time for series in every)

    def to_json(self) -> dict[str, Any]:
        """Answer as the route ``/layers`` does."""
        about = self.about
        every: list[AnySeries] = [*self.parts, *self.statistics, *self.responses, *self.kernels]
        return {
            "id": self.id,
            "name": about.layer,
            "position": about.position,
            "unit": about.unit,
            "objective": about.objective,
            "objective_label": about.objective_label,
            "description": about.description,
            "receptive_field": about.receptive_field,
            "channels": about.channels,
            "filters": about.filters,
            "indices": None if self.indices == tuple(range(about.filters)) else list(self.indices),
            "tile": list(about.shape[1:]),
            "parts": [part.about.first_filter for part in self.parts],
            "statistics": [statistic.to_json() for statistic in self.descriptions],
            "responses": self._responses_to_json(),
            "kernels": self._kernels_to_json(),
            "last_step": max(series.last_step for series in every),
            "last_wall_time": self.last_wall_time,
        }

    def _responses_to_json(self) -> dict[str, Any] | None:
        if not self.responses:
            return None
        maps = self.parts_of("maps")
        return {
            **self.responses[0].about.to_json(),
            "kinds": sorted({series.about.kind for series in self.responses}),
            "map": list(maps[0].about.shape[1:]) if maps else None,
        }

    def _kernels_to_json(self) -> dict[str, Any] | None:
        slices, effective = self.parts_of("slices"), self.parts_of("effective")
        if not slices or not self.parts_of("channels"):
            return None
        return {
            "slices": list(slices[0].about.shape[1:]),
            "effective": list(effective[0].about.shape[1:]) if effective else None,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """What a run holds of ours.

    Attributes:
        layers: in the model's order.
        recipe: how it was drawn; None if it does not say.
        begun: when its writer began, or went on, in seconds; None without a recipe.
        problems: a sentence for everything that cannot be shown.
        examples: the images on which its filters were measured, in their order; empty without any.
    """

    layers: list[Layer]
    recipe: dict[str, Any] | None
    begun: float | None
    problems: list[str]
    examples: tuple[ExamplesPart, ...] = ()

    @property
    def last_wall_time(self) -> float:
        """When anything of a layer was written last, in seconds."""
        return max((layer.last_wall_time for layer in self.layers), default=0.0)

    def to_json(self) -> dict[str, Any]:
        """Answer as the route ``/layers`` does, without the training."""
        return {
            "recipe": self.recipe,
            "layers": [layer.to_json() for layer in self.layers],
            "examples": self.examples[0].about.count if self.examples else 0,
            "problems": self.problems,
        }


class _Problems:
    """Sentences, each with the tags that it holds for."""

    def __init__(self) -> None:
        self._tags: dict[str, list[str]] = defaultdict(list)

    def add(self, tag: str, error: SeriesError) -> None:
        self._tags[str(error)].append(tag[:LONGEST_TEXT])

    def sentences(self) -> list[str]:
        return [
            f"{tags[0]}{f' and {len(tags) - 1} more' if len(tags) > 1 else ''}: {sentence}"
            for sentence, tags in self._tags.items()
        ]


def layer_id_in(tag: str) -> str | None:
    """Read from a tag of ours which layer it belongs to; None if it belongs to the run, or is not ours."""
    for pattern in (_TILES_TAG, _STATISTICS_TAG, _RESPONSES_TAG, _KERNELS_TAG, _CURVE_TAG):
        found = pattern.fullmatch(tag)
        if found:
            return found["layer"]
    return None


LayerDescription = TilesDescription | StatisticsDescription | ResponsesDescription | KernelsDescription


def _layer_of(tag: str, about: LayerDescription) -> str:
    """Read from a tag which layer it belongs to.

    Raises:
        SeriesError: if it is not a tag of what its metadata describes.
    """
    tags = {
        TilesDescription: _TILES_TAG,
        StatisticsDescription: _STATISTICS_TAG,
        ResponsesDescription: _RESPONSES_TAG,
        KernelsDescription: _KERNELS_TAG,
    }
    found = tags[type(about)].fullmatch(tag)
    if not found or (isinstance(about, ResponsesDescription | KernelsDescription) and found["kind"] != about.kind):
        raise SeriesError("this version knows no such tag, for what its metadata says that it holds")
    if isinstance(about, StatisticsDescription) and found["name"] not in (None, about.statistics[0].name):
        raise SeriesError(f"its metadata says it holds {about.statistics[0].name}")
    return found["layer"]


def _assemble(
    layer_id: str,
    parts: list[Tiles],
    statistics: list[Statistics],
    responses: list[Responses],
    kernels: list[Kernels],
) -> Layer:
    """Put the parts of a layer in order.

    Raises:
        SeriesError: if parts are missing, or do not belong together.
    """
    parts = sorted(parts, key=lambda part: part.about.first_filter)
    if not parts:
        raise SeriesError("it has no tiles")
    first = parts[0].about
    indices: list[int] = []
    for part in parts:
        if part.about.first_filter != len(indices) or part.about.shape[1:] != first.shape[1:]:
            raise SeriesError(f"its tiles do not go on after filter {len(indices) - 1}")
        indices += part.about.indices
    if len(indices) != first.filters:
        raise SeriesError(f"it holds {len(indices)} of {first.filters} filters so far")
    if len(set(indices)) != len(indices):
        raise SeriesError("two of its filters have the same number")
    return Layer(
        id=layer_id,
        indices=tuple(indices),
        parts=tuple(parts),
        statistics=tuple(statistics),
        responses=tuple(responses),
        kernels=tuple(kernels),
    )


def _fitting(statistics: Iterable[Statistics], parts: list[Tiles], problems: _Problems) -> list[Statistics]:
    """Leave out statistics of another number of filters than there are tiles."""
    fitting: list[Statistics] = []
    for series in statistics:
        drawn = parts[0].about.filters if parts else series.about.filters
        if series.about.filters != drawn:
            text = f"it is of {series.about.filters} filters, the tiles are of {drawn}"
            problems.add(series.tag, SeriesError(text))
        elif len(fitting) == MOST_STATISTICS:
            problems.add(series.tag, SeriesError(f"the layer has more than {MOST_STATISTICS} statistics"))
        else:
            fitting.append(series)
    return fitting


def read_run(listed: Mapping[str, Any]) -> Run:
    """Put together what a run holds.

    Args:
        listed: time series by tag, as a data provider's `list_tensors` has them.
    """
    parts: dict[str, list[Tiles]] = defaultdict(list)
    statistics: dict[str, list[Statistics]] = defaultdict(list)
    responses: dict[str, list[Responses]] = defaultdict(list)
    kernels: dict[str, list[Kernels]] = defaultdict(list)
    examples: list[ExamplesPart] = []
    recipe, begun, problems = None, None, _Problems()
    for tag, found in sorted(listed.items()):
        try:
            if tag == RECIPE_TAG:
                recipe = read_recipe(found.plugin_content)
                begun = _end(found)["last_wall_time"]
                continue
            about = describe(found.plugin_content)
            if isinstance(about, ExamplesDescription):
                if not _EXAMPLES_TAG.fullmatch(tag):
                    raise SeriesError("this version knows no such tag, for what its metadata says that it holds")
                examples.append(Series(tag=tag, about=about, **_end(found)))
                continue
            layer_id = _layer_of(tag, about)
        except SeriesError as error:
            problems.add(tag, error)
            continue
        if isinstance(about, TilesDescription):
            parts[layer_id].append(Series(tag=tag, about=about, **_end(found)))
        elif isinstance(about, ResponsesDescription):
            responses[layer_id].append(Series(tag=tag, about=about, **_end(found)))
        elif isinstance(about, KernelsDescription):
            kernels[layer_id].append(Series(tag=tag, about=about, **_end(found)))
        else:
            statistics[layer_id].append(Series(tag=tag, about=about, **_end(found)))
    layers = []
    for layer_id in {**parts, **statistics}:
        fitting = _fitting(statistics[layer_id], parts[layer_id], problems)
        answers = _whole(responses[layer_id], parts[layer_id], problems)
        weights = _whole(kernels[layer_id], parts[layer_id], problems)
        try:
            layers.append(_assemble(layer_id, parts[layer_id], fitting, answers, weights))
        except SeriesError as error:
            problems.add(f"{PLUGIN_NAME}/{layer_id}", error)
    layers.sort(key=lambda layer: (layer.about.position, layer.id))
    try:
        shown = _in_order(examples)
    except SeriesError as error:
        problems.add(examples[0].tag, error)
        shown = ()
    return Run(layers=layers, recipe=recipe, begun=begun, problems=problems.sentences(), examples=shown)


_OfFilters = TypeVar("_OfFilters", Responses, Kernels)


def _in_order(examples: list[ExamplesPart]) -> tuple[ExamplesPart, ...]:
    """Put the parts of a run's examples in order.

    Raises:
        SeriesError: if parts are missing, or do not belong together.
    """
    parts, place = sorted(examples, key=lambda part: part.about.first), 0
    for part in parts:
        if part.about.first != place or part.about.count != parts[0].about.count:
            raise SeriesError(f"the examples do not go on after {place - 1}")
        place += len(part.about.sizes)
    if parts and place != parts[0].about.count:
        raise SeriesError(f"it holds {place} of {parts[0].about.count} examples so far")
    return tuple(parts)


def _whole(found: list[_OfFilters], parts: list[Tiles], problems: _Problems) -> list[_OfFilters]:
    """Keep the kinds of series that are there for all filters, in their order."""
    drawn = parts[0].about.filters if parts else 0
    whole: list[_OfFilters] = []
    for kind in sorted({series.about.kind for series in found}):
        of_kind = sorted(
            (series for series in found if series.about.kind == kind), key=lambda each: each.about.first_filter
        )
        place = 0
        for series in of_kind:
            is_next = series.about.first_filter == place and series.about.shape[1:] == of_kind[0].about.shape[1:]
            place = place + series.about.shape[0] if is_next else -1
            if place < 0:
                break
        if place == drawn:
            whole += of_kind
        else:
            problems.add(of_kind[0].tag, SeriesError(f"its {kind} are not those of {drawn} filters"))
    return whole


def _end(found: Any) -> dict[str, Any]:
    wall_time = found.max_wall_time if math.isfinite(found.max_wall_time) else 0.0
    return {"last_step": found.max_step, "last_wall_time": wall_time}
