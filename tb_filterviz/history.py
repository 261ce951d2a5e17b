"""What changed in a layer's tiles since the step before, and since the start."""

from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from tb_filterviz.imaging.layout import shrink
from tb_filterviz.optvis.measures import rms_change
from tb_filterviz.records import STORED_TILE_PX, LayerDrawing, LayerSnapshot, StepUnit

Tiles = npt.NDArray[np.uint8]


@dataclass(slots=True)
class History:
    """Tiles by layer, as they are stored, so that a run that is resumed goes on as if it had never stopped."""

    first: dict[str, Tiles] = field(default_factory=dict)
    last: dict[str, Tiles] = field(default_factory=dict)

    def snapshot(self, drawing: LayerDrawing, step: int, unit: StepUnit) -> LayerSnapshot:
        """The drawing at `step`, compared with those before, and remembered."""
        tiles = shrink(drawing.tiles, STORED_TILE_PX)
        first = self.first.get(drawing.layer)
        is_first = first is None or first.shape != tiles.shape
        if first is None or is_first:
            first = self.first[drawing.layer] = self.last[drawing.layer] = tiles
        before = self.last.get(drawing.layer, tiles)
        self.last[drawing.layer] = tiles
        return LayerSnapshot(
            **{each.name: getattr(drawing, each.name) for each in fields(LayerDrawing)},
            step=step,
            unit=unit,
            change=rms_change(before, tiles),
            change_since_start=rms_change(first, tiles),
            is_first=is_first,
        )
