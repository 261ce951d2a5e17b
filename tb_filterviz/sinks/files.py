"""Grids as PNG files in a folder."""

import re
from collections.abc import Sequence
from pathlib import Path

from tb_filterviz.config import GridConfig
from tb_filterviz.errors import LogDirError
from tb_filterviz.imaging.encode import to_png
from tb_filterviz.imaging.layout import grid_of
from tb_filterviz.records import LayerSnapshot


class FileSink:
    """Writes ``<folder>/<layer>-<step>.png``.

    Raises:
        LogDirError: if the folder cannot be made.
    """

    def __init__(self, folder: str | Path, config: GridConfig | None = None) -> None:
        self._folder = Path(folder)
        self._config = config or GridConfig()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LogDirError(f"Cannot write pictures to {str(self._folder)!r}: {error}") from error

    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:
        """One PNG per layer."""
        for snapshot in snapshots:
            picture = grid_of(snapshot, self._config)
            name = re.sub(r"[^\w.-]+", "_", snapshot.layer)
            (self._folder / f"{name}-{step:04d}.png").write_bytes(to_png(picture))

    def report(self, step: int, text: str) -> None:
        """A text file in place of the pictures."""
        (self._folder / f"failed-{step:04d}.txt").write_text(text + "\n", encoding="utf-8")

    def close(self) -> None:
        """Nothing is held."""
