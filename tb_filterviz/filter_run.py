"""Runs read back from a log directory: every step of every layer, as arrays, tables, pictures and files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import numpy.typing as npt

from tb_filterviz.config import Config, GridConfig, as_grid_config
from tb_filterviz.errors import ConfigError, LogDirError, SeriesError, StepError, UnknownLayerError
from tb_filterviz.export.notebook import layer_or_reason, run_html, runs_html
from tb_filterviz.export.saving import Options, save
from tb_filterviz.export.tables import to_pandas
from tb_filterviz.imaging import layout
from tb_filterviz.imaging.captions import spoken_steps, spoken_tiles
from tb_filterviz.imaging.encode import to_png
from tb_filterviz.logs.storage import RunPlace
from tb_filterviz.metadata import KernelKind, ResponseKind
from tb_filterviz.reading.catalog import Layer, Run
from tb_filterviz.reading.curves import read_training
from tb_filterviz.reading.decoded import Decoded, Place, side_by_side
from tb_filterviz.reading.files import Choice, FileProvider
from tb_filterviz.reading.formation import Formation, form
from tb_filterviz.reading.names import listed, natural_order
from tb_filterviz.reading.statistics import Table
from tb_filterviz.reading.store import Store

if TYPE_CHECKING:
    import pandas

Pixels = npt.NDArray[np.uint8]
Steps = npt.NDArray[np.int64]


class LayerSeries:
    """A layer of a run, at all steps at which it was logged. What it holds is read when it is asked for.

    Attributes:
        run: the name of its run.
        name: the layer's path in the model.
        id: its name in the run's tags.
        filters: int32 ``[n]``, which of the layer's filters were drawn; all arrays are in this order.
        unit: what steps count, ``"epoch"`` or ``"batch"``.
    """

    def __init__(self, provider: FileProvider, store: Store, place: Place, layer: Layer) -> None:
        self._provider, self._store, self._place, self._layer = provider, store, place, layer
        self.run = place.run
        self.name, self.id = layer.about.layer, layer.id
        self.filters: npt.NDArray[np.int32] = np.array(layer.indices, np.int32)
        self.unit = layer.about.unit

    @property
    def tile_shape(self) -> tuple[int, int, int]:
        """``(height, width, channels)`` of a tile as it is stored."""
        height, width, channels = self._layer.about.shape[1:]
        return height, width, channels

    @cached_property
    def _table(self) -> Table:
        return self._store.statistics(self._place, self._layer)

    @cached_property
    def _moments(self) -> dict[int, float]:
        """When each step was written: those at which all parts are there.

        Raises:
            SeriesError: if there is none such.
        """
        moments: dict[int, float] = {}
        for at, part in enumerate(self._layer.parts):
            steps, wall_times = self._provider.moments(self.run, part.tag, part.about.shape)
            if not steps:
                raise SeriesError(f"{part.tag} holds nothing of the type and shape that its metadata says.")
            there = dict(zip(steps, wall_times, strict=True))
            moments = there if at == 0 else {step: time for step, time in moments.items() if step in there}
        if not moments:
            raise SeriesError(f"No step of {self.name!r} is whole.")
        return moments

    @property
    def steps(self) -> Steps:
        """int64 ``[s]``, rising; -1 is before training."""
        return np.array(list(self._moments), np.int64)

    @property
    def wall_times(self) -> npt.NDArray[np.float64]:
        """float64 ``[s]``, when each step was written, in seconds since 1970."""
        return np.array(list(self._moments.values()), np.float64)

    @property
    def tiles(self) -> Pixels:
        """uint8 ``[s, n, h, w, c]``, ``c`` 1 (gray) or 3 (RGB): every filter at every step, as the tab has them."""
        return np.asarray(side_by_side([self._store.series(self._place, part) for part in self._layer.parts]).values)

    def tiles_at(self, step: int) -> Pixels:
        """Read the tiles of one step, uint8 ``[n, h, w, c]``.

        Raises:
            StepError: if the layer was not logged there.
        """
        if step not in self.steps:
            raise StepError(f"Layer {self.name!r} was not logged at step {step}. Its steps: {listed(self.steps, 8)}")
        return np.asarray(self._at(step).at_step(self._place, self._layer.parts, step).values[0])

    def _at(self, step: int) -> Store:
        """Read one step alone: all of a large layer may be more than can be kept."""
        return Store(self._provider.choosing(Choice({self.run: {self.id: {step}}})), answer_bytes=None)

    @cached_property
    def statistics(self) -> Mapping[str, npt.NDArray[np.float32]]:
        """float32 ``[s, n]`` by the name of the statistic; not a number at steps that lack it."""
        found = {}
        for name, decoded in self._table.by_name.items():
            values = np.full((len(self.steps), len(self.filters)), np.nan, np.float32)
            is_known = np.isin(self.steps, decoded.steps)
            values[is_known] = decoded.values[np.searchsorted(decoded.steps, self.steps[is_known])]
            found[name] = values
        order = [one.name for one in self._layer.descriptions]
        return {name: found[name] for name in sorted(found, key=order.index)}

    @property
    def descriptions(self) -> dict[str, str]:
        """What each statistic is, in a sentence, by its name."""
        return {one.name: one.description for one in self._layer.descriptions}

    @property
    def formation(self) -> list[Formation]:
        """How each filter formed: its outcome, since when, and when it was stuck; see `Formation`."""
        return form(self._table.by_name, int(self._table.steps[-1]), self._table.filters)

    @property
    def responses(self) -> dict[ResponseKind, Decoded]:
        """What the filters answer to examples, by kind; empty without any.

        Each has `steps` and `values`: ``patches`` float32 ``[s, n, k, 4]`` (example, row, column, value), ``classes``
        float32 ``[s, n, classes]``, ``maps`` uint8 ``[s, n, m, h, w]``, ``map_scales`` float32 ``[s, n]``.
        """
        kinds: list[ResponseKind] = [series.about.kind for series in self._layer.responses]
        return {kind: self._of_kind(kind) for kind in dict.fromkeys(kinds)}

    @property
    def maps(self) -> Pixels | None:
        """uint8 ``[s, n, m, h, w]``, where each filter answers on ``m`` examples; None if they were not logged."""
        return self._of_kind("maps").values if self._layer.parts_of("maps") else None

    @property
    def kernels(self) -> dict[KernelKind, Decoded]:
        """Pictures of the weights, by kind: ``channels``, ``slices``, ``effective``; each has `steps` and `values`."""
        kinds: list[KernelKind] = [series.about.kind for series in self._layer.kernels]
        return {kind: self._of_kind(kind) for kind in dict.fromkeys(kinds)}

    def _of_kind(self, kind: ResponseKind | KernelKind) -> Decoded:
        return side_by_side([self._store.series(self._place, part) for part in self._layer.parts_of(kind)])

    def places_of(self, filters: Sequence[int] | None) -> npt.NDArray[np.intp]:
        """Find where filters stand in the arrays, by their numbers in the layer; None for all.

        Raises:
            ConfigError: if one was not drawn.
        """
        if filters is None:
            return np.arange(len(self.filters))
        known = {int(filter_): place for place, filter_ in enumerate(self.filters)}
        missing = [filter_ for filter_ in filters if filter_ not in known]
        if missing or not len(filters):
            drawn = f"{self.filters.min()} to {self.filters.max()}"
            raise ConfigError(
                f"`filters` must be numbers of filters of {self.name!r} that were drawn, {len(known)} of {drawn}. "
                f"Received: filters={list(filters)!r}"
            )
        return np.array([known[filter_] for filter_ in filters])

    def grid(
        self,
        step: int | None = None,
        config: Config | GridConfig | None = None,
        *,
        filters: Sequence[int] | None = None,
        largest_px: int | None = None,
    ) -> Pixels:
        """Lay the tiles of one step out in one picture.

        Args:
            step: which; None for the last.
            config: columns, order, margin, scale, marks; None for the default.
            filters: their numbers in the layer; None for all.
            largest_px: tiles with a longer side are averaged down by a whole factor; None for none.

        Returns:
            uint8 ``[height, width, 1]``, or ``[height, width, 3]`` if tiles or marks have colour.

        Raises:
            StepError: if the layer was not logged there.
            ConfigError: if a filter was not drawn.
        """
        at = int(self.steps[-1]) if step is None else step
        places = self.places_of(filters)
        tiles = self.tiles_at(at)[places]
        if largest_px is not None:
            tiles = layout.shrink(tiles, largest_px)
        scores = self._values_at(at, "score", places, unknown=0)
        return layout.grid(tiles, scores, *self.marks(at, filters), as_grid_config(config))

    def marks(
        self, step: int, filters: Sequence[int] | None = None
    ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Tell which filters respond at a step, and which have a flat tile.

        Args:
            step: one at which the layer was logged.
            filters: their numbers in the layer; None for all.

        Returns:
            Twice bool ``[n]``; where the log does not say it, a filter responds and is not flat.

        Raises:
            ConfigError: if a filter was not drawn.
        """
        places = self.places_of(filters)
        responsive, flat = (
            self._values_at(step, name, places, unknown) for name, unknown in (("responsive", 1), ("flat", 0))
        )
        return responsive != 0, np.nan_to_num(flat) != 0

    def _values_at(self, step: int, name: str, places: npt.NDArray[np.intp], unknown: float) -> npt.NDArray[np.float32]:
        found = self.statistics.get(name)
        if found is None:
            return np.full(len(places), unknown, np.float32)
        return np.asarray(found[int(np.searchsorted(self.steps, step)), places])

    def png(self, step: int | None = None, config: Config | GridConfig | None = None) -> bytes:
        """Encode `grid` as a PNG file."""
        return to_png(self.grid(step, config))

    def __repr__(self) -> str:
        height, width, _ = self.tile_shape
        try:
            steps = spoken_steps(self.steps.tolist(), self.unit)
        except SeriesError:
            steps = "cannot be read"
        return f"<LayerSeries {self.name!r}: {spoken_tiles(len(self.filters), height, width)}, {steps}>"

    def _repr_html_(self) -> str:
        return layer_or_reason(self)


@dataclass(frozen=True, slots=True)
class LoggedExamples:
    """The real images on which the filters of a run were measured, as the log holds them.

    Attributes:
        pictures: encoded files, PNG or JPEG.
        media_type: ``"image/png"`` or ``"image/jpeg"``.
        labels: of each; empty without labels.
        class_names: of every class.
        mapped: places of the examples that maps are of.
    """

    pictures: tuple[bytes, ...]
    media_type: str
    labels: tuple[int, ...]
    class_names: tuple[str, ...]
    mapped: tuple[int, ...]

    def __repr__(self) -> str:
        classes = f" of {len(self.class_names)} classes" if self.class_names else ""
        return f"<LoggedExamples: {len(self.pictures)} pictures{classes}>"


class FilterRun(Mapping[str, LayerSeries]):
    """A run, read back: its layers by their names, in the model's order.

    ```python
    run = tb_filterviz.read_run("logs")
    run["conv2d_2"].tiles  # uint8 [steps, n, h, w, c]
    run.to_pandas()  # a row for each filter at each step
    run.save("filters.gif", layer="conv2d_2", filters=[3, 17])
    ```

    Attributes:
        name: of the run, relative to the log directory.
        log_dir: that it was read from.
        provider: which reads its files.
    """

    def __init__(self, provider: FileProvider, name: str, store: Store | None = None) -> None:
        self.provider, self._place = provider, Place(None, "", name)
        self._store = store or Store(provider, answer_bytes=None)
        self.name, self.log_dir = name, provider.path

    @cached_property
    def _run(self) -> Run:
        return self._store.run(self._place)

    @cached_property
    def _layers(self) -> dict[str, LayerSeries]:
        found = (LayerSeries(self.provider, self._store, self._place, layer) for layer in self._run.layers)
        return {series.name: series for series in found}

    @property
    def by_name(self) -> dict[str, "FilterRun"]:
        """This run, by its name: what is done with several is done with one alike."""
        return {self.name: self}

    @property
    def layers(self) -> list[str]:
        """The names of the layers, in the model's order."""
        return list(self._layers)

    @property
    def recipe(self) -> dict[str, Any]:
        """How the run was drawn: configuration, versions, layers, the training's settings; empty if it does not say."""
        return self._run.recipe or {}

    @property
    def last_wall_time(self) -> float:
        """When anything of it was written last, in seconds since 1970."""
        return self._run.last_wall_time

    @property
    def problems(self) -> list[str]:
        """A sentence for everything that the run holds and that cannot be read."""
        names = [layer.about.layer for layer in self._run.layers]
        twice = [
            f"Two layers are called {name!r}: one of them is read." for name in self.layers if names.count(name) > 1
        ]
        return [*self._run.problems, *self.provider.run(self.name).damaged, *twice]

    @cached_property
    def examples(self) -> LoggedExamples | None:
        """The real images on which filters were measured; None without any."""
        parts = self._run.examples
        if not parts:
            return None
        about = parts[0].about
        pictures = tuple(self._store.example(self._place, index)[0] for index in range(about.count))
        labels = tuple(label for part in parts for label in part.about.labels)
        return LoggedExamples(pictures, about.media_type, labels, about.class_names, about.mapped)

    @cached_property
    def curves(self) -> dict[str, Decoded]:
        """What Keras' own `TensorBoard` logged beside the run, ``"validation/accuracy"``: `steps` and `values`."""
        return dict(_training_curves(self.provider, self._place, self._run))

    def __getitem__(self, layer: str) -> LayerSeries:
        """Find a layer by its path in the model.

        Raises:
            UnknownLayerError: if the run does not hold it.
        """
        if layer not in self._layers:
            named = listed(self.layers, 20) or "none"
            raise UnknownLayerError(f"Run {self.name!r} has no layer {layer!r}. Its layers: {named}")
        return self._layers[layer]

    def __contains__(self, layer: object) -> bool:
        return isinstance(layer, str) and layer in self._layers

    def get(self, layer: str, default: Any = None) -> Any:  # of a `Mapping` it looks for a KeyError
        """Find a layer; without it, the default."""
        return self._layers.get(layer, default)

    __eq__, __hash__ = object.__eq__, object.__hash__  # what is in it may grow

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def to_pandas(self, layer: str | Sequence[str] | None = None) -> "pandas.DataFrame":
        """Make a tidy table: a row for each filter at each step, a column for each statistic.

        Args:
            layer: name or names; None for all.

        Returns:
            A `pandas.DataFrame` with the columns ``run``, ``layer``, ``filter``, ``step``, ``wall_time`` and those of
            the statistics; not a number where a step lacks one.

        Raises:
            ConfigError: if pandas is not installed.
            UnknownLayerError: if there is no such layer.
        """
        return to_pandas([self], layer)

    def save(self, path: str | Path, **options: Unpack[Options]) -> Path:
        """Save as a picture, an animation, a table, arrays or a page, as the name of the file ends.

        See `tb_filterviz.export.saving.save` for what there is to choose.

        Raises:
            ConfigError: if the ending or an option cannot work.
        """
        return save(self, path, **options)

    def __repr__(self) -> str:
        listed = "".join(f"\n  {series!r}" for series in list(self._layers.values())[:20])
        more = f"\n  and {len(self) - 20} more" if len(self) > 20 else ""
        return f"<FilterRun {self.name!r} of {self.log_dir!r}, {len(self)} layers>{listed}{more}"

    def _repr_html_(self) -> str:
        return run_html(self)


class FilterRuns(Mapping[str, FilterRun]):
    """All runs of a log directory that hold filters, by their names.

    Attributes:
        log_dir: that they were read from.
    """

    def __init__(self, provider: FileProvider) -> None:
        self.log_dir = provider.path
        store = Store(provider, answer_bytes=None)  # one for all: it bounds what is kept of what was read
        names = sorted((name for name, run in store.runs(None, "").items() if run.layers), key=natural_order)
        self._runs = {name: FilterRun(provider, name, store) for name in names}

    @property
    def by_name(self) -> dict[str, FilterRun]:
        """All runs, by their names, in their order."""
        return dict(self._runs)

    @property
    def newest(self) -> FilterRun:
        """The run that was written last."""
        return max(self._runs.values(), key=lambda run: run.last_wall_time)

    def __getitem__(self, name: str) -> FilterRun:
        """Find a run by its name.

        Raises:
            ConfigError: if there is none such.
        """
        if name not in self._runs:
            raise ConfigError(f"{self.log_dir!r} has no run {name!r}. Its runs: {', '.join(self._runs)}")
        return self._runs[name]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._runs

    def get(self, name: str, default: Any = None) -> Any:
        """Find a run; without it, the default."""
        return self._runs.get(name, default)

    __eq__, __hash__ = object.__eq__, object.__hash__

    def __iter__(self) -> Iterator[str]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def to_pandas(self, layer: str | Sequence[str] | None = None) -> "pandas.DataFrame":
        """Make one tidy table of all runs, as `FilterRun.to_pandas` does; runs without the layer are left out.

        Raises:
            ConfigError: if pandas is not installed.
            UnknownLayerError: if no run has the layer.
        """
        return to_pandas(list(self.values()), layer)

    def save(self, path: str | Path, **options: Unpack[Options]) -> Path:
        """Save all runs as a table, arrays or a page, as the name of the file ends; see `FilterRun.save`."""
        return save(self, path, **options)

    def __repr__(self) -> str:
        listed = "".join(f"\n  {name}: {len(run)} layers" for name, run in list(self._runs.items())[:20])
        more = f"\n  and {len(self) - 20} more" if len(self) > 20 else ""
        return f"<FilterRuns of {self.log_dir!r}, {len(self)} runs>{listed}{more}"

    def _repr_html_(self) -> str:
        return runs_html(self)


def read_runs(log_dir: str | Path = "logs") -> FilterRuns:
    """Find all runs of a log directory, whoever wrote them and in whichever format. TensorFlow is not needed.

    Args:
        log_dir: a folder, or an address that fsspec knows. What is in it is as it is now: of a training that goes on,
            read again.

    Raises:
        LogDirError: if there is none, or no filters are in it.
    """
    runs = FilterRuns(FileProvider(log_dir))
    if not runs:
        raise LogDirError(f"No filters have been logged to {runs.log_dir!r}.")
    return runs


def read_run(log_dir: str | Path = "logs", run: str | None = None) -> FilterRun:
    """Read a run back: all layers, at all steps.

    Args:
        log_dir: a log directory, or the folder of one run in it.
        run: the name of the run; None for the one that was written last, as the tab opens it.

    Raises:
        LogDirError: if there is no such directory, or no filters are in it.
        ConfigError: if there is no such run.
    """
    runs = read_runs(log_dir)
    return runs.newest if run is None else runs[run]


def read_written(place: RunPlace | None, otherwise: str) -> FilterRun:
    """Read back a run that this process has written.

    Args:
        place: of it; None if nothing has been written.
        otherwise: what is to be said then.

    Raises:
        LogDirError: if nothing has been written, or nothing is left of it.
    """
    if place is None:
        raise LogDirError(otherwise)
    run = FilterRun(FileProvider(place.log_dir), place.name)  # of the directory, other runs need not be read
    if not run:
        raise LogDirError(
            f"Run {place.name!r} of {run.log_dir!r} holds no filters: nothing was drawn, or it was deleted."
        )
    return run


def _training_curves(provider: FileProvider, place: Place, run: Run) -> Iterator[tuple[str, Decoded]]:
    if not run.layers:
        return
    _, trained = read_training(provider, place, provider.list_scalars(), run.layers[0].about.unit)
    for curve, data in trained:
        steps = np.array([datum.step for datum in data], np.int64)
        wall_times = np.array([datum.wall_time for datum in data], np.float64)
        yield f"{curve.of}/{curve.metric}", Decoded(steps, wall_times, np.array([datum.value for datum in data]))
