"""What changed in a layer's tiles since the step before, and since the start."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from tb_filterviz.imaging.layout import shrink
from tb_filterviz.metadata import STORED_TILE_PX
from tb_filterviz.parts.statistics import SAME_PICTURE, STANDARD, Statistic, rms_change
from tb_filterviz.snapshots import LayerDrawing, LayerSnapshot, StepUnit

Tiles = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """What a statistic that looks back is given.

    Attributes:
        drawing: of now, with the statistics that follow from the weights alone.
        tiles: uint8 ``[n, h, w, c]``, of now, as they are stored.
        before: the same, of the step before; at the run's first step, those of now.
        first: the same, of the run's first step.
        is_first: True at the run's first step.
    """

    drawing: LayerDrawing
    tiles: Tiles
    before: Tiles
    first: Tiles
    is_first: bool


def _read_only(tiles: Tiles) -> Tiles:
    view = tiles.view()
    view.flags.writeable = False
    return view


@dataclass(slots=True)
class History:
    """Tiles by layer and step, as they are stored, so that a run that is resumed goes on as if it had never stopped.

    Attributes:
        tiles: of each layer, the first and the last that are known.
    """

    tiles: dict[str, dict[int, Tiles]] = field(default_factory=dict)

    def compare(
        self, drawing: LayerDrawing, step: int, unit: StepUnit, statistics: Sequence[Statistic] = STANDARD
    ) -> LayerSnapshot:
        """Compare a drawing at `step` with the steps before it.

        Args:
            drawing: of now.
            step: of the training.
            unit: what steps count.
            statistics: of which those are computed that look back.
        """
        tiles = shrink(drawing.tiles, STORED_TILE_PX)
        earlier = {at: kept for at, kept in self.tiles.get(drawing.layer, {}).items() if at < step}
        first, before = (earlier[min(earlier)], earlier[max(earlier)]) if earlier else (tiles, tiles)
        now, before, first = map(_read_only, (tiles, before, first))
        comparison = Comparison(drawing=drawing, tiles=now, before=before, first=first, is_first=not earlier)
        looking_back = [each for each in statistics if each.reads == "history"]
        values = {each.name: each.values(comparison, len(tiles)) for each in looking_back}
        return LayerSnapshot(
            **{each.name: getattr(drawing, each.name) for each in fields(LayerDrawing) if each.name != "statistics"},
            statistics={**drawing.statistics, **values},
            step=step,
            unit=unit,
            is_first=not earlier,
        )

    def holds(self, layer: str, step: int) -> bool:
        """Tell whether the tiles of this step are still kept."""
        return step in self.tiles.get(layer, {})

    def distance(self, drawing: LayerDrawing, step: int) -> float:
        """Measure how far a drawing is from what is kept of this step: median RMS difference of tiles, in [0, 1]."""
        tiles, kept = shrink(drawing.tiles, STORED_TILE_PX), self.tiles[drawing.layer][step]
        return float(np.median(rms_change(kept, tiles))) if kept.shape == tiles.shape else 1.0

    def resembles(self, drawing: LayerDrawing, step: int) -> bool:
        """Tell whether the drawing is that of this step, give or take what another machine rounds differently."""
        return self.distance(drawing, step) <= SAME_PICTURE

    def remember_drawing(self, drawing: LayerDrawing, step: int) -> None:
        """Keep the tiles of a drawing, as they are stored."""
        self.remember(drawing.layer, step, shrink(drawing.tiles, STORED_TILE_PX))

    def remember(self, layer: str, step: int, tiles: Tiles) -> None:
        """Keep the first tiles of a layer, and the last."""
        by_step = self.tiles.setdefault(layer, {})
        by_step[step] = tiles
        for passed in sorted(by_step)[1:-1]:
            del by_step[passed]
