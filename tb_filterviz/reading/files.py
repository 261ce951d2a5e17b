"""Series out of event files: all steps of all that a log directory holds, in the form of TensorBoard's data providers.

TensorBoard's own readers hold what they have read in memory, and keep ten steps of a series unless they are told
otherwise. Here, files are gone through once; of a tensor, only the place is kept, and it is read when it is asked for.
"""

import math
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from tensorboard.compat.proto.types_pb2 import DT_UINT8
from tensorboard.data import provider as tensorboard
from tensorboard.util import tensor_util

from tb_filterviz.errors import LogDirError
from tb_filterviz.logs.event_files import event_at, event_file_names, events
from tb_filterviz.logs.storage import Folder, LocalFolder, folder_of, reason_of
from tb_filterviz.reading.catalog import layer_id_in
from tb_filterviz.reading.curves import SCALARS
from tb_filterviz.reading.decoded import not_written_again
from tb_filterviz.reading.descriptions import LARGEST_VALUE_BYTES

DEEPEST = 32  # folders within folders
_LARGEST_RECORD_BYTES = LARGEST_VALUE_BYTES + (64 << 10)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor stands: which value of the event that a record of a file holds; and its type and shape."""

    file: str
    began: int
    ended: int
    value: int
    dtype: int
    shape: tuple[int, ...]


@dataclass(slots=True)
class _Found:
    """A series: what its first value says of it, and its values, or where these are, in the order of the files."""

    plugin: str
    content: bytes
    description: str
    display_name: str
    steps: list[int] = field(default_factory=list)
    wall_times: list[float] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)  # numbers, or places

    def chosen(self, steps: Collection[int] | None) -> "_Found":
        """Keep some steps only."""
        if steps is None:
            return self
        kept = [at for at, step in enumerate(self.steps) if step in steps]
        return replace(
            self,
            steps=[self.steps[at] for at in kept],
            wall_times=[self.wall_times[at] for at in kept],
            values=[self.values[at] for at in kept],
        )


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run of a log directory.

    Attributes:
        folder: with its event files.
        series: by tag.
        damaged: a sentence for every file that cannot be read to its end.
    """

    folder: Folder
    series: Mapping[str, _Found]
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which layers are meant, at which steps; what belongs to a run as a whole always is.

    Attributes:
        steps: of layers, by their names in tags, of runs. Of a run that is named, other layers are left out; of others,
            nothing is.
    """

    steps: Mapping[str, Mapping[str, Collection[int]]] = field(default_factory=dict)

    def steps_of(self, run: str, tag: str) -> Collection[int] | None:
        """Tell which steps of a tag are meant; None for all."""
        layers = self.steps.get(run)
        layer = layer_id_in(tag) if layers is not None else None
        return None if layers is None or layer is None else layers.get(layer, ())


ALL = Choice()


class FileProvider:
    """Hands out what event files hold; a run's are gone through when it is first asked for.

    Args:
        log_dir: a folder, by its path or itself, or an address that fsspec knows.
        choice: what of it is handed out.

    Raises:
        LogDirError: if there is none such.
    """

    def __init__(self, log_dir: str | Path | Folder, choice: Choice = ALL) -> None:
        self._log_dir: Folder = folder_of(log_dir) if isinstance(log_dir, str | Path) else log_dir
        with _raising(self._log_dir):
            self._folders = dict(_runs_in(self._log_dir))
        if not self._folders and not _is_there(self._log_dir):
            raise LogDirError(f"There is no log directory {self._log_dir.path!r}.")
        self._gone_through: dict[str, FoundRun] = {}
        self._choice = choice

    @property
    def path(self) -> str:
        """The log directory, as a user would write it."""
        return self._log_dir.path

    @property
    def runs(self) -> list[str]:
        """The names of the runs that are handed out: folders with event files, relative to the log directory."""
        return list(self._folders)

    def choosing(self, choice: Choice) -> "FileProvider":
        """Hand out something else of the same files, which are not gone through again."""
        other = object.__new__(FileProvider)
        other._log_dir, other._folders, other._gone_through = self._log_dir, self._folders, self._gone_through
        other._choice = choice
        return other

    def run(self, name: str) -> FoundRun:
        """Go through the event files of a run.

        Raises:
            LogDirError: if they cannot be read.
        """
        if name not in self._gone_through:
            with _raising(self._folders[name]):
                self._gone_through[name] = _go_through(self._folders[name])
        return self._gone_through[name]

    def moments(self, run: str, tag: str, shape: tuple[int, ...]) -> tuple[list[int], list[float]]:
        """List at which steps uint8 values of a shape stand, and when each was written, without reading any of them.

        They are those that `decode` would keep.
        """
        found = self.run(run).series[tag].chosen(self._choice.steps_of(run, tag))
        fitting = [at for at, value in enumerate(found.values) if value.dtype == DT_UINT8 and value.shape == shape]
        kept = [fitting[at] for at in not_written_again([found.steps[at] for at in fitting])]
        return [found.steps[at] for at in kept], [found.wall_times[at] for at in kept]

    def list_tensors(
        self,
        context: Any = None,  # noqa: ARG002  TensorBoard's providers ask for it, and for the experiment
        *,
        experiment_id: str = "",  # noqa: ARG002
        plugin_name: str,
        run_tag_filter: Any = None,
    ) -> dict[str, dict[str, Any]]:
        """List series of tensors by run and tag, as TensorBoard's providers do."""
        return self._listed(plugin_name, run_tag_filter, tensorboard.TensorTimeSeries)

    def list_scalars(
        self,
        context: Any = None,  # noqa: ARG002
        *,
        experiment_id: str = "",  # noqa: ARG002
        plugin_name: str = SCALARS,
        run_tag_filter: Any = None,
    ) -> dict[str, dict[str, Any]]:
        """List series of numbers by run and tag, as TensorBoard's providers do."""
        return self._listed(plugin_name, run_tag_filter, tensorboard.ScalarTimeSeries)

    def read_tensors(
        self,
        context: Any = None,  # noqa: ARG002
        *,
        experiment_id: str = "",  # noqa: ARG002
        plugin_name: str,
        downsample: int,
        run_tag_filter: Any = None,
    ) -> dict[str, dict[str, Any]]:
        """Read the last `downsample` values of series of tensors, by run and tag.

        What is no tensor, or too large for what it is stored in, is left out.

        Raises:
            LogDirError: if they cannot be read.
        """
        read: dict[str, dict[str, Any]] = {}
        for run, tag, found in self._series(plugin_name, run_tag_filter):
            folder = self.run(run).folder
            with _raising(folder):
                read.setdefault(run, {})[tag] = list(_tensors(folder, found, downsample))
        return read

    def read_scalars(
        self,
        context: Any = None,  # noqa: ARG002
        *,
        experiment_id: str = "",  # noqa: ARG002
        plugin_name: str = SCALARS,
        downsample: int,
        run_tag_filter: Any = None,
    ) -> dict[str, dict[str, Any]]:
        """Read the last `downsample` values of series of numbers, by run and tag."""
        read: dict[str, dict[str, Any]] = {}
        for run, tag, found in self._series(plugin_name, run_tag_filter):
            values = list(zip(found.steps, found.wall_times, found.values, strict=True))[-downsample:]
            read.setdefault(run, {})[tag] = [tensorboard.ScalarDatum(*value) for value in values]
        return read

    def _listed(self, plugin: str, run_tag_filter: Any, kind: Any) -> dict[str, dict[str, Any]]:
        listed: dict[str, dict[str, Any]] = {}
        for run, tag, found in self._series(plugin, run_tag_filter):
            listed.setdefault(run, {})[tag] = kind(
                max_step=max(found.steps),
                max_wall_time=max(found.wall_times),
                plugin_content=found.content,
                description=found.description,
                display_name=found.display_name,
            )
        return listed

    def _series(self, plugin: str, run_tag_filter: Any) -> Iterator[tuple[str, str, _Found]]:
        runs, tags = (run_tag_filter.runs, run_tag_filter.tags) if run_tag_filter is not None else (None, None)
        for run in self.runs:
            if runs is not None and run not in runs:
                continue
            for tag, found in self.run(run).series.items():
                if found.plugin == plugin and (tags is None or tag in tags):
                    chosen = found.chosen(self._choice.steps_of(run, tag))
                    if chosen.steps:
                        yield run, tag, chosen


def _is_there(folder: Folder) -> bool:
    return os.path.isdir(folder.address) if isinstance(folder, LocalFolder) else False


@contextmanager
def _raising(folder: Folder) -> Iterator[None]:
    """Re-raise what the file system or the service says, as one sentence."""
    try:
        yield
    except LogDirError:
        raise
    except Exception as error:
        if folder.can_append and not isinstance(error, OSError):  # a service's package may raise anything
            raise
        raise LogDirError(f"Cannot read the log directory {folder.path!r}: {reason_of(error)}") from error


def _runs_in(log_dir: Folder) -> Iterator[tuple[str, Folder]]:
    """List the folders that hold event files, by their names; each once, however it is linked."""
    seen: set[str] = set()
    waiting: list[tuple[tuple[str, ...], Folder]] = [((), log_dir)]
    while waiting:
        path, folder = waiting.pop()
        real = os.path.realpath(folder.address) if isinstance(folder, LocalFolder) else folder.address
        if real in seen or len(path) > DEEPEST:
            continue
        seen.add(real)
        try:
            if event_file_names(folder):
                yield "/".join(path) or ".", folder
            waiting += [((*path, name), folder.child(name)) for name in reversed(folder.folders())]
        except PermissionError:
            continue  # others' folders are no reason not to read one's own


def _go_through(folder: Folder) -> FoundRun:
    series: dict[str, _Found] = {}
    damaged: list[str] = []
    shapes: dict[tuple[int, ...], tuple[int, ...]] = {}  # one object for all values of a shape
    for name in event_file_names(folder):
        began = 0
        with folder.open(name) as stream:
            for event, ended in events(stream, _LARGEST_RECORD_BYTES):
                for at, value in enumerate(event.summary.value):
                    shape = tuple(dim.size for dim in value.tensor.tensor_shape.dim)
                    place = _Place(name, began, ended, at, value.tensor.dtype, shapes.setdefault(shape, shape))
                    _add(series, event, value, place)
                began = ended
        if began < folder.size(name):
            damaged.append(f"{name} is damaged, or not written yet, from byte {began} on: what follows is not read.")
    return FoundRun(folder, series, tuple(damaged))


def _add(series: dict[str, _Found], event: Any, value: Any, place: _Place) -> None:
    found = series.get(value.tag)
    if found is None:
        said = value.metadata
        plugin = said.plugin_data.plugin_name or (SCALARS if value.HasField("simple_value") else "")
        found = _Found(plugin, said.plugin_data.content, said.summary_description, said.display_name)
        series[value.tag] = found
    stored = _number_in(value) if found.plugin == SCALARS else place
    if stored is not None:
        found.steps.append(event.step)
        found.wall_times.append(event.wall_time)
        found.values.append(stored)


def _number_in(value: Any) -> float | None:
    if value.HasField("simple_value"):
        return float(value.simple_value)
    if math.prod(dim.size for dim in value.tensor.tensor_shape.dim) != 1:
        return None
    array = _array_in(value.tensor)
    try:
        return None if array is None else float(array.item())
    except (TypeError, ValueError):
        return None


def _tensors(folder: Folder, found: _Found, count: int) -> Iterator[Any]:
    last = zip(found.steps[-count:], found.wall_times[-count:], found.values[-count:], strict=True)
    for name, of_file in groupby(last, key=lambda each: each[2].file):
        with folder.open(name) as stream:
            for step, wall_time, place in of_file:
                event = event_at(stream, place.began, place.ended)
                values = event.summary.value if event is not None else ()
                array = _array_in(values[place.value].tensor) if place.value < len(values) else None
                if array is not None:
                    yield tensorboard.TensorDatum(step, wall_time, array)


def _array_in(tensor: Any) -> Any:
    """Read a tensor; None if it is none, or too large: one number that is stored may stand for many."""
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if min(sizes, default=0) < 0 or math.prod(sizes) > LARGEST_VALUE_BYTES:
        return None
    try:
        return tensor_util.make_ndarray(tensor)
    except (TypeError, ValueError):
        return None
