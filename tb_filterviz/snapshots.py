"""What is drawn: the tiles and statistics of a layer, at one step."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tb_filterviz.config import Config, GridConfig
from tb_filterviz.imaging import layout
from tb_filterviz.imaging.encode import to_png

StepUnit = Literal["epoch", "batch"]
Values = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerDrawing:
    """What filters of one layer respond to: all that follows from the weights alone.

    Attributes:
        layer: the layer's path in the model, ``"backbone/conv1"`` for a nested one.
        position: its place among the model's convolutional layers, from 0.
        filters: int32 ``[n]``, which of the layer's filters these are; all arrays are in this order.
        objective: the name of what was maximized, ``"channel_mean"``.
        objective_label: what the tab calls it.
        description: what was maximized, in words that complete "The inputs that maximize ...".
        receptive_field: True if the tiles are cut to the centre unit's receptive field.
        channels: how the model's input channels are shown, in words.
        tiles: uint8 ``[n, h, w, c]``, ``c`` 1 (gray) or 3 (RGB).
        statistics: float32 ``[n]`` by the name of the statistic.
    """

    layer: str
    position: int
    filters: npt.NDArray[np.int32]
    objective: str
    objective_label: str
    description: str
    receptive_field: bool
    channels: str
    tiles: npt.NDArray[np.uint8]
    statistics: Mapping[str, Values]

    @property
    def scores(self) -> Values:
        """float32 ``[n]``, the objective's value."""
        return self.statistics["score"]

    @property
    def responsive(self) -> npt.NDArray[np.bool_]:
        """Bool ``[n]``; False is a stuck filter."""
        return np.asarray(self.statistics["responsive"] != 0)

    @property
    def flat(self) -> npt.NDArray[np.bool_]:
        """Bool ``[n]``; True where the ascent changed all inner pixels alike."""
        return np.asarray(self.statistics["flat"] != 0)

    def grid(self, config: Config | GridConfig | None = None) -> npt.NDArray[np.uint8]:
        """Lay the tiles out in one picture.

        Args:
            config: columns, order, margin, scale, marks; None for the default.

        Returns:
            uint8 ``[height, width, 1]``, or ``[height, width, 3]`` if tiles or marks have colour.
        """
        return layout.grid(self.tiles, self.scores, self.responsive, self.flat, _grid_config(config))

    def png(self, config: Config | GridConfig | None = None) -> bytes:
        """Encode `grid` as a PNG file."""
        return to_png(self.grid(config))

    def _repr_png_(self) -> bytes:
        return self.png()

    def describe(self) -> str:
        """Say in one sentence, that holds for every step, what the tiles are."""
        cut = ", cut to its receptive field" if self.receptive_field else ""
        return (
            f"The inputs that maximize {self.description}{cut}, in {self.layer}: {len(self.tiles)} filters of "
            f"{self.tiles.shape[2]} x {self.tiles.shape[1]} px, {self.channels}."
        )

    def describe_outcome(self) -> str:
        """Say in one sentence what came out at this step."""
        gain = self.statistics["gain"]
        stuck, flat = int((~self.responsive).sum()), int(self.flat.sum())
        return f"{stuck} stuck, {flat} flat; gain {gain.min():.2g} to {gain.max():.2g}, median {np.median(gain):.2g}."


def _grid_config(config: Config | GridConfig | None) -> GridConfig:
    if isinstance(config, Config):
        return config.grid
    return config or GridConfig()


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerSnapshot(LayerDrawing):
    """A drawing at one step of a training, with what changed since the steps before.

    Attributes:
        step: the training step, an epoch's index or a count of batches; -1 is before training.
        unit: what `step` counts.
        is_first: True for the first snapshot of a run, whose `change` means nothing.
    """

    step: int
    unit: StepUnit
    is_first: bool

    @property
    def change(self) -> Values:
        """float32 ``[n]``, how far the stored tile moved since the step before: 1 is as far as another filter's."""
        return self.statistics["change"]

    @property
    def change_since_start(self) -> Values:
        """float32 ``[n]``, how far the stored tile is from the run's first: 1 is as far as another filter's."""
        return self.statistics["change_since_start"]
