"""What changed in a layer's tiles since the step before, and since the start."""

from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from tb_filterviz.imaging.layout import shrink
from tb_filterviz.optvis.measures import rms_change
from tb_filterviz.records import STORED_TILE_PX, LayerDrawing, LayerSnapshot, StepUnit

Tiles = npt.NDArray[np.uint8]

_KEPT_LAST = 2  # a step may be drawn again that a killed process left unfinished: it compares with the one before


@dataclass(slots=True)
class History:
    """Tiles by layer and step, as they are stored, so that a run that is resumed goes on as if it had never stopped."""

    tiles: dict[str, dict[int, Tiles]] = field(default_factory=dict)

    def snapshot(self, drawing: LayerDrawing, step: int, unit: StepUnit) -> LayerSnapshot:
        """The drawing at `step`, compared with the steps before it, and remembered."""
        tiles = shrink(drawing.tiles, STORED_TILE_PX)
        earlier = {at: kept for at, kept in self.tiles.get(drawing.layer, {}).items() if at < step}
        if any(kept.shape != tiles.shape for kept in earlier.values()):  # of another model
            earlier = {}
        first, before = (earlier[min(earlier)], earlier[max(earlier)]) if earlier else (tiles, tiles)
        self.remember(drawing.layer, step, tiles)
        return LayerSnapshot(
            **{each.name: getattr(drawing, each.name) for each in fields(LayerDrawing)},
            step=step,
            unit=unit,
            change=rms_change(before, tiles),
            change_since_start=rms_change(first, tiles),
            is_first=not earlier,
        )

    def remember(self, layer: str, step: int, tiles: Tiles) -> None:
        """Keep the first tiles of a layer, and the last."""
        by_step = self.tiles.setdefault(layer, {})
        by_step[step] = tiles
        for passed in sorted(by_step)[1:-_KEPT_LAST]:
            del by_step[passed]
