"""Where snapshots go."""

from collections.abc import Sequence
from typing import Protocol

from tb_filterviz.records import LayerSnapshot


class Sink(Protocol):
    """Takes the snapshots of one step after another, in rising order."""

    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:
        """Keep the snapshots of this step; when this returns they are safe."""

    def report(self, step: int, text: str) -> None:
        """Keep the reason why there is no picture at this step."""

    def close(self) -> None:
        """Release what is held. Closing twice is fine."""
