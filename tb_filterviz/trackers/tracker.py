"""What sinks for experiment trackers have in common: whose run they write to, and what of a step."""

import importlib
import os
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from tb_filterviz.config import Config
from tb_filterviz.errors import ConfigError
from tb_filterviz.filter_run import FilterRun
from tb_filterviz.reading.files import FileProvider
from tb_filterviz.sinks.summaries import CurveSummary, PictureSummary, curves_of, known_statistics, pictures_of
from tb_filterviz.snapshots import LayerSnapshot

Run = TypeVar("Run")


class TrackerSink(ABC, Generic[Run]):
    """Writes to the run of a tracker that is active; if there is none, to one of its own, which `close` ends.

    Args:
        config: how grids are laid out, and which statistics of one's own there are: as given to the callback.
        page: whether `close` adds what was logged as one HTML file.

    Raises:
        ConfigError: if the tracker's package is missing.
    """

    _package: str  # of the tracker, which is also the name of our extra

    def __init__(self, config: Config | None = None, *, page: bool = False) -> None:
        self._config = config or Config()
        self._page = page
        self._forget_run()
        try:
            importlib.import_module(self._package)
        except ImportError as error:
            raise ConfigError(
                f"{type(self).__name__} needs the package {self._package}, which cannot be imported ({error}): "
                f'pip install "tb_filterviz[{self._package}]"'
            ) from error

    def _forget_run(self) -> None:
        """Set what belongs to one training, and neither to a copy nor to another process."""
        self._run: Run | None = None
        self._is_own = False
        self._run_dirs: list[str] = []

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind the run: a copy takes, or begins, another one."""
        return {name: value for name, value in vars(self).items() if name not in ("_run", "_is_own", "_run_dirs")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget_run()

    def begin(self, run_dir: str) -> None:
        """Learn where the event files are, of which the page is made."""
        if run_dir not in self._run_dirs:
            self._run_dirs.append(run_dir)

    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:
        """Write the pictures that the Images tab has of this step, and the curves, under the same names."""
        statistics = known_statistics(self._config)
        pictures = [each for snapshot in snapshots for each in pictures_of(snapshot, self._config.grid)]
        curves = [each for snapshot in snapshots for each in curves_of(snapshot, statistics)]
        self._log(self._taken_run(), step, pictures, curves)

    def report(self, step: int, text: str) -> None:
        """Write why there is no picture."""
        self._log_text(self._taken_run(), step, text)

    def close(self) -> None:
        """Add the page, if it is wanted, and end the run if it was begun here."""
        run, is_own = self._run, self._is_own
        try:
            if run is not None:
                self._complete(run)  # first: a page may fail
                for run_dir in self._run_dirs if self._page else ():
                    self._add_page(run, run_dir)
                self._complete(run)
        finally:
            self._forget_run()
            if run is not None and is_own:
                self._end(run)

    def _taken_run(self) -> Run:
        if self._run is None:
            self._run = self._active_run()
            self._is_own = self._run is None
        if self._run is None:
            self._run = self._new_run()
        return self._run

    def _add_page(self, run: Run, run_dir: str) -> None:
        log_dir, name = os.path.split(run_dir)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, page_name(run_dir))
            FilterRun(FileProvider(log_dir), name).save(path)  # of the directory, other runs need not be read
            self._log_page(run, path)

    @abstractmethod
    def _active_run(self) -> Run | None: ...

    @abstractmethod
    def _new_run(self) -> Run: ...

    def _complete(self, run: Run) -> None:
        """Write what has been kept back."""

    @abstractmethod
    def _end(self, run: Run) -> None: ...

    @abstractmethod
    def _log(self, run: Run, step: int, pictures: Sequence[PictureSummary], curves: Sequence[CurveSummary]) -> None: ...

    @abstractmethod
    def _log_text(self, run: Run, step: int, text: str) -> None: ...

    @abstractmethod
    def _log_page(self, run: Run, path: str) -> None: ...


def page_name(run_dir: str) -> str:
    """Name the page of a run after its log directory and itself: ``logs-filters.html``."""
    names = [name for name in run_dir.replace("\\", "/").split("/") if name]
    return "-".join(names[-2:]) + ".html"
