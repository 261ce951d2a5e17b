"""Snapshots kept in memory, for notebooks and further computation."""

from collections.abc import Sequence

from tb_filterviz.snapshots import LayerSnapshot


class MemorySink:
    """Keeps everything in `snapshots`, oldest first, and failures in `reports`."""

    def __init__(self) -> None:
        self.snapshots: list[LayerSnapshot] = []
        self.reports: list[tuple[int, str]] = []

    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:  # noqa: ARG002  each snapshot knows its step
        """Keep the snapshots."""
        self.snapshots.extend(snapshots)

    def report(self, step: int, text: str) -> None:
        """Keep the failure."""
        self.reports.append((step, text))

    def close(self) -> None:
        """Do nothing: what was kept stays."""
