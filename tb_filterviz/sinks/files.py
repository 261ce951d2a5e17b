"""Grids as PNG files in a folder."""

import re
from collections.abc import Sequence
from pathlib import Path

from tb_filterviz.config import Config, GridConfig
from tb_filterviz.errors import LogDirError
from tb_filterviz.logs.storage import folder_of, reason_of
from tb_filterviz.snapshots import LayerSnapshot


class FileSink:
    """Writes ``<folder>/<layer>-<step>.png``.

    Raises:
        LogDirError: if the folder cannot be made.
    """

    def __init__(self, folder: str | Path, config: Config | GridConfig | None = None) -> None:
        self._folder = folder_of(folder)
        self._config = config
        try:
            self._folder.make()
        except OSError as error:
            raise self._error(error) from error

    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:
        """Write one PNG per layer."""
        for snapshot in snapshots:
            name = re.sub(r"[^\w.-]+", "_", snapshot.layer)
            self._put(f"{name}-{step:04d}.png", snapshot.png(self._config))

    def report(self, step: int, text: str) -> None:
        """Write a text file in place of the pictures."""
        self._put(f"failed-{step:04d}.txt", f"{text}\n".encode())

    def close(self) -> None:
        """Do nothing: no file is held open."""

    def _put(self, name: str, data: bytes) -> None:
        try:
            self._folder.make()  # somebody may have deleted it
            self._folder.put(name, data)
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> LogDirError:
        return LogDirError(f"Cannot write pictures to {self._folder.path!r}: {reason_of(error)}")
