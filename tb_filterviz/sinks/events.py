"""Event files for TensorBoard: what of a snapshot is written, into which run, under which tags."""

import warnings
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any, TypeVar

import numpy as np

from tb_filterviz.config import Config
from tb_filterviz.errors import FilterVizError, LogDirError, StepError, VisualizationWarning
from tb_filterviz.examples.stored import StoredExamples
from tb_filterviz.history import History
from tb_filterviz.imaging.encode import to_png
from tb_filterviz.imaging.layout import shrink
from tb_filterviz.logs.event_files import (
    EventFile,
    event_file_names,
    filters_metadata,
    image_metadata,
    new_event_file,
    scalar_metadata,
    tensor_event,
    text_metadata,
)
from tb_filterviz.logs.storage import Folder, RunPlace, folder_of, reason_of
from tb_filterviz.metadata import (
    FAILURES_TAG,
    RECIPE_TAG,
    STORED_TILE_PX,
    KernelKind,
    ResponseKind,
    encode_examples,
    encode_kernels,
    encode_recipe,
    encode_responses,
    encode_statistic,
    encode_tiles,
    examples_tag,
    kernels_tag,
    last_tag,
    responses_tag,
    statistic_tag,
    tile_parts,
    tiles_tag,
)
from tb_filterviz.parts.statistics import statistics_of
from tb_filterviz.recipe import Recipe, draws_the_same
from tb_filterviz.sinks.lock import IsLive
from tb_filterviz.sinks.run_index import RunIndex, read_recipe
from tb_filterviz.sinks.runs import Choose, TakenRun, take_run
from tb_filterviz.sinks.summaries import PictureSummary, curves_of, pictures_of
from tb_filterviz.snapshots import LayerSnapshot

_Kind = TypeVar("_Kind", ResponseKind, KernelKind)


def newest(indices: Sequence[RunIndex]) -> RunIndex:
    """Choose of several runs the one that has come furthest, and of these the newest."""
    return max(reversed(indices), key=lambda index: -float("inf") if index.last_step is None else index.last_step)


class EventSink:
    """Writes one run of a log directory: grids for the Images tab, tiles and statistics for ours, a few curves.

    Args:
        log_dir: where TensorBoard looks, a folder or an address that fsspec knows.
        config: how filters are drawn.
        is_live: whether the training goes on; once it does not, others of this process may write to its run.

    Raises:
        LogDirError: if nothing can be written there.
    """

    def __init__(self, log_dir: str | Path, config: Config | None = None, *, is_live: IsLive = lambda: True) -> None:
        self._config = config or Config()
        self._statistics = {statistic.name: statistic for statistic in statistics_of(self._config.statistics)}
        self._log_dir: Folder = folder_of(log_dir)
        self._recipe: Recipe = {}
        self._examples: Callable[[], Sequence[StoredExamples]] = tuple
        self._first_step = 0
        self._is_live = is_live
        self._run: TakenRun | None = None
        self._file: EventFile | None = None
        self._written: set[str] = set()  # the names of all files that were begun in the run
        self._what_happened = ""  # to the last file, if nobody has been told yet
        with self._raising():
            self._missing = self._log_dir.missing()
            self._log_dir.check_writable()

    def begin(
        self,
        recipe: Recipe,
        first_step: int | None = None,
        choose: Choose = newest,
        examples: Callable[[], Sequence[StoredExamples]] = tuple,
    ) -> str:
        """Take the run that goes on, or begin one beside the others, and open a new event file in it.

        Args:
            recipe: how snapshots are drawn; it is written as well.
            first_step: a run that has reached it does not go on; None if that does not matter.
            choose: which of several runs that may go on does.
            examples: makes what is written of the examples, if the run does not hold them yet.

        Returns:
            What to tell the user; empty if there is nothing to tell.

        Raises:
            LogDirError: if nothing can be written there.
        """
        self.close()
        self._recipe, self._first_step, self._examples = recipe, first_step or 0, examples
        self._written, self._what_happened = set(), ""
        with self._raising():
            run = self._take_run(first_step, choose)
            try:
                self._open()
            except BaseException:
                self.close()
                raise
        return run.notice

    def _take_run(self, before: int | None, choose: Choose) -> TakenRun:
        run = take_run(self._log_dir, self._recipe, before=before, choose=choose, is_live=self._is_live)
        weakref.finalize(self, run.lock.release)  # for a sink that nobody closes
        self._run = run
        return run

    @property
    def run_dir(self) -> str:
        """The folder or address of the run that is written; before `begin`, the log directory."""
        return self._run.folder.path if self._run else self._log_dir.path

    @property
    def place(self) -> RunPlace | None:
        """Where the run that is written lies; None before `begin`."""
        return RunPlace(self._log_dir, PurePath(self._run.folder.path).name) if self._run else None

    @property
    def is_begun(self) -> bool:
        """Whether a run is being written."""
        return self._run is not None

    @property
    def is_held(self) -> bool:
        """Whether nobody else may write to the run."""
        return self._run is not None and self._run.lock.is_held

    def goes_on(self, recipe: Recipe, step: int) -> bool:
        """Tell whether the run that is being written has room for a step that is drawn so."""
        is_above = self.last_step is None or self.last_step < step
        return self.is_begun and is_above and draws_the_same(recipe, self._recipe)

    @property
    def index(self) -> RunIndex:
        """What the run holds, found there or written since."""
        return self._run.index if self._run else RunIndex()

    @property
    def history(self) -> History:
        """The tiles that later ones are compared with."""
        return self.index.history

    @property
    def last_step(self) -> int | None:
        """The highest step of the run that is whole."""
        return self.index.last_step

    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:
        """Write everything of this step, or nothing, and hand it to the operating system.

        After a failure the file is given up, and the next step goes into a new one.

        Raises:
            StepError: if the run holds the step already.
            LogDirError: if it cannot be written.
        """
        if step in self.index.steps:
            raise StepError(f"{self.run_dir!r} holds step {step} already.")
        with self._raising(), self._file_of_now() as file:
            for snapshot in snapshots:
                file.write(list(self._events(step, snapshot)))
            file.flush()
        self.index.steps.add(step)

    def report(self, step: int, text: str) -> None:
        """Write the reason for a missing picture, for TensorBoard's Text tab."""
        if self._run is None:
            return
        with self._raising(), self._file_of_now() as file:
            file.write([tensor_event(step, FAILURES_TAG, text.encode(), text_metadata())])
            file.flush()

    def release(self) -> None:
        """Let others write to the run, for as long as nothing more is written to it here."""
        self._give_up_file()
        if self._run is not None:
            self._run.lock.release()

    def close(self) -> None:
        """Close the event file, and let others write to the run. Twice is fine."""
        self.release()
        self._run = None

    def discard_if_empty(self) -> None:
        """Close, and delete the run if no step is in it, and the log directory if it was not there before."""
        run, file = self._run, self._file
        if run is not None and file is not None and not run.index.steps:
            self._give_up_file()
            with suppress(OSError):
                run.folder.delete(file.name)
                run.folder.remove_if_empty()  # while it is locked, so that nobody else begins there
                for folder in self._missing:
                    folder.remove_if_empty()
        self.close()

    def _open(self) -> EventFile:
        assert self._run is not None
        file = new_event_file(self._run.folder)
        if self.index.recipe is None:  # once a run
            recipe = filters_metadata(encode_recipe(self._recipe))
            file.write([tensor_event(self._first_step, RECIPE_TAG, np.uint8(0), recipe)])
            for number, stored in enumerate(self._examples()):
                pictures = np.frombuffer(b"".join(stored.pictures), np.uint8)
                content = filters_metadata(encode_examples(stored))
                file.write([tensor_event(self._first_step, examples_tag(number), pictures, content)])
            file.flush()
            self.index.recipe = self._recipe
        self._written.add(file.name)
        self._file = file
        return file

    @contextmanager
    def _file_of_now(self) -> Iterator[EventFile]:
        """Write in this block to the open file, or a new one; what fails leaves nothing of the block behind."""
        if self._file is not None and (happened := self._file.what_happened()):
            self._what_happened = f"The event file in {self.run_dir!r} {happened}."
            self._give_up_file()
        elif self._run is not None and not self._run.lock.is_held:  # another training of this process asked for the run
            self._give_up_file()
        file = self._file or self._reopened()
        mark = file.mark()
        try:
            yield file
        except BaseException:
            with suppress(OSError):
                file.rewind(mark)
            self._give_up_file()
            raise
        self._written.add(file.name)

    def _reopened(self) -> EventFile:
        """Open a new file in the same run; in a new run, if it is gone, or somebody else has taken it meanwhile."""
        if self._run is None:
            raise LogDirError(f"No run of {self._log_dir.path!r} has been begun.")
        folder = self._run.folder
        if self._run.lock.is_of(folder.address) and event_file_names(folder):
            self.index.recipe = read_recipe(folder)  # it may have been in a file that was deleted
        else:
            self._run.lock.release()
            kept = self._run.index
            found = self._take_run(None, self._own)
            found.index = replace(kept, recipe=found.index.recipe)
        file = self._open()
        if self._what_happened:
            said, self._what_happened = self._what_happened, ""
            warnings.warn(
                f"{said} Writing goes on in a new one, in {self.run_dir!r}.", VisualizationWarning, stacklevel=2
            )
        return file

    def _own(self, indices: Sequence[RunIndex]) -> RunIndex | None:
        """Choose of several runs the one that was written here: it may have been moved away, and back."""
        for index in indices:
            if index.folder is not None and self._written.intersection(index.folder.names()):
                return index
        return None

    def _give_up_file(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        self._file = None

    @contextmanager
    def _raising(self) -> Iterator[None]:
        """Re-raise whatever the file system or the service says, as one sentence."""
        try:
            yield
        except FilterVizError:
            raise
        except Exception as error:
            if self._log_dir.can_append and not isinstance(error, OSError):  # a service's package may raise anything
                raise
            reason = reason_of(error)
            raise LogDirError(f"Cannot write to the log directory {self._log_dir.path!r}: {reason}") from error

    def _events(self, step: int, snapshot: LayerSnapshot) -> Iterator[Any]:
        yield from (_image(step, picture) for picture in pictures_of(snapshot, self._config.grid))
        yield from _tiles(step, snapshot)
        for name, values in snapshot.statistics.items():
            statistic = self._statistics.get(name)
            if statistic is None:  # of a sink that was made for other settings
                continue
            content = encode_statistic(snapshot, statistic)
            yield tensor_event(step, statistic_tag(snapshot.layer, name), values, filters_metadata(content))
        yield from _responses(step, snapshot)
        yield from _kernels(step, snapshot)
        # last, so that a step that has it is whole
        curves = curves_of(snapshot, self._statistics)
        for curve in sorted(curves, key=lambda curve: curve.tag == last_tag(snapshot.layer)):
            yield tensor_event(step, curve.tag, curve.value, scalar_metadata(curve.label))


def _image(step: int, picture: PictureSummary) -> Any:
    height, width, _ = picture.pixels.shape
    value = [str(width).encode(), str(height).encode(), to_png(picture.pixels)]
    return tensor_event(step, picture.tag, value, image_metadata(description=picture.description))


def _tiles(step: int, snapshot: LayerSnapshot) -> Iterator[Any]:
    tiles = shrink(snapshot.tiles, STORED_TILE_PX)
    for number, part in enumerate(tile_parts(tiles)):
        content = encode_tiles(snapshot, tiles[part].shape, part)
        yield tensor_event(step, tiles_tag(snapshot.layer, number), tiles[part], filters_metadata(content))


def _responses(step: int, snapshot: LayerSnapshot) -> Iterator[Any]:
    responses = snapshot.responses
    if responses is None:
        return
    examples = responses.patches[..., None].astype(np.float32)
    kinds: dict[ResponseKind, Any] = {
        "patches": np.concatenate([examples, responses.units, responses.values[..., None]], axis=-1, dtype=np.float32),
        "classes": responses.class_means,
        "map_scales": responses.map_scales,
        "maps": responses.maps,
    }
    yield from _in_parts(step, snapshot, kinds, responses_tag, encode_responses)


def _in_parts(
    step: int,
    snapshot: LayerSnapshot,
    kinds: Mapping[_Kind, Any],
    tag: Callable[[str, _Kind, int], str],
    encode: Callable[[LayerSnapshot, _Kind, Sequence[int], int], bytes],
) -> Iterator[Any]:
    """Write arrays ``[n, ...]`` of a layer's filters, each in as many tags as it takes; None and empty ones are not."""
    for kind, values in kinds.items():
        for number, part in enumerate(tile_parts(values) if values is not None and values.size else ()):
            content = encode(snapshot, kind, values[part].shape, part.start)
            yield tensor_event(step, tag(snapshot.layer, kind, number), values[part], filters_metadata(content))


def _kernels(step: int, snapshot: LayerSnapshot) -> Iterator[Any]:
    kernels = snapshot.kernels
    if kernels is None:
        return
    kinds: dict[KernelKind, Any] = {
        "channels": kernels.channels.astype(np.float32),
        "slices": kernels.slices,
        "effective": kernels.effective,
    }
    yield from _in_parts(step, snapshot, kinds, kernels_tag, encode_kernels)
