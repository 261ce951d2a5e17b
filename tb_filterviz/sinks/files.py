"""Grids as PNG files in a folder."""

import re
from collections.abc import Sequence
from pathlib import Path

from tb_filterviz.config import Config, GridConfig
from tb_filterviz.errors import LogDirError
from tb_filterviz.snapshots import LayerSnapshot


class FileSink:
    """Writes ``<folder>/<layer>-<step>.png``.

    Raises:
        LogDirError: if the folder cannot be made.
    """

    def __init__(self, folder: str | Path, config: Config | GridConfig | None = None) -> None:
        self._folder = Path(folder)
        self._config = config
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogDirError(f"Cannot write pictures to {str(self._folder)!r}: {error}") from error

    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:
        """Write one PNG per layer."""
        for snapshot in snapshots:
            name = re.sub(r"[^\w.-]+", "_", snapshot.layer)
            (self._folder / f"{name}-{step:04d}.png").write_bytes(snapshot.png(self._config))

    def report(self, step: int, text: str) -> None:
        """Write a text file in place of the pictures."""
        (self._folder / f"failed-{step:04d}.txt").write_text(text + "\n", encoding="utf-8")

    def close(self) -> None:
        """Do nothing: no file is held open."""
