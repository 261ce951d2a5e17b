"""What is drawn: the tiles and statistics of a layer, at one step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from tb_filterviz.config import Config, GridConfig, as_grid_config
from tb_filterviz.imaging import layout
from tb_filterviz.imaging.captions import spoken_marks, spoken_step, spoken_tiles
from tb_filterviz.imaging.encode import to_png

StepUnit = Literal["epoch", "batch"]
Values = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """Which pixels of the model's image the units of a layer see.

    Attributes:
        top: the first row that the unit in the middle sees.
        left: its first column.
        height: how many rows it sees.
        width: how many columns.
        row: of the unit in the middle.
        column: likewise.
        strides: by how many rows and columns that moves from unit to unit; 0 where all see the whole image.
    """

    top: int
    left: int
    height: int
    width: int
    row: int
    column: int
    strides: tuple[float, float]

    def of_unit(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Return top, left, height and width of what a unit sees; parts of it may lie outside of the image."""
        top = self.top + round((row - self.row) * self.strides[0])
        left = self.left + round((column - self.column) * self.strides[1])
        return top, left, self.height, self.width


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerResponses:
    """What filters of one layer answer to examples.

    Attributes:
        read_at: the path of the layer at whose output that is read: the layer itself, or a normalization or activation
            that follows it.
        is_gated: whether an activation lies between: without one, a filter is never off.
        footprint: which pixels the layer's units see.
        patches: int32 ``[n, k]``, the places of the examples that excite each filter most, the strongest first; -1
            where fewer do at all.
        units: int32 ``[n, k, 2]``, row and column of the strongest unit there.
        values: float32 ``[n, k]``, what it answers.
        excited: float32 ``[n]``, the share of examples that switch any unit of the filter on; not a number without an
            activation.
        on: float32 ``[n]``, the share of units that are on, over all examples; likewise.
        class_means: float32 ``[n, classes]``, the mean over the units, and over the examples of each class, of what is
            above 0; None without labels.
        importance: float32 ``[n]``, see `tb_filterviz.responses.importance`; None where it was not measured.
        ablation: float32 ``[n]``, how much accuracy is lost without each filter; likewise.
        maps: uint8 ``[n, m, h, w]``, what chosen examples are answered; None if none were chosen.
        mapped: places of the examples that maps are of.
        maps_as_images: whether maps are in TensorBoard's Images tab as well.
        map_scales: float32 ``[n]``, what 255 stands for; with `is_gated` False, 128 stands for 0, and 255 for this.
    """

    read_at: str
    is_gated: bool
    footprint: Footprint
    patches: npt.NDArray[np.int32]
    units: npt.NDArray[np.int32]
    values: Values
    excited: Values
    on: Values
    class_means: Values | None = None
    importance: Values | None = None
    ablation: Values | None = None
    maps: npt.NDArray[np.uint8] | None = None
    map_scales: Values | None = None
    mapped: tuple[int, ...] = ()
    maps_as_images: bool = False

    def of_filters(self, places: npt.NDArray[np.int32]) -> "LayerResponses":
        """Keep of all filters those at these places."""
        return replace(self, **{name: values[places] for name, values in _arrays(self).items()})


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerKernels:
    """The weights of filters of one layer, as pictures; each filter to its own scale, with its sign.

    Attributes:
        channels: int32 ``[n, k]``, the layer's input channels in which each filter's kernel is strongest.
        slices: uint8 ``[n, k, kh, kw]``, the kernel in each of these; 128 is 0.
        effective: uint8 ``[n, h, w, c]``, ``c`` 1 or 3, the kernel on the image, when the layers below are made linear;
            128 is 0. None where they cannot be.
    """

    channels: npt.NDArray[np.int32]
    slices: npt.NDArray[np.uint8]
    effective: npt.NDArray[np.uint8] | None = None


def _arrays(held_by: LayerResponses | LayerKernels) -> dict[str, Any]:
    held = {each.name: getattr(held_by, each.name) for each in fields(held_by)}
    return {name: value for name, value in held.items() if isinstance(value, np.ndarray)}


_Parts = TypeVar("_Parts", LayerResponses, LayerKernels)


def joined_parts(parts: Sequence[_Parts | None]) -> _Parts | None:
    """Put what is known of filters of one layer one after the other; None if there is none."""
    known = [each for each in parts if each is not None]
    if not known:
        return None
    arrays = [_arrays(each) for each in known]
    together: dict[str, Any] = {name: np.concatenate([each[name] for each in arrays]) for name in arrays[0]}
    return replace(known[0], **together)


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
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
        responses: what the filters answer to examples; None without any.
        kernels: the filters' weights, as pictures; None where that was not asked for, or the layer has none.
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
    responses: LayerResponses | None = None
    kernels: LayerKernels | None = None

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
        return layout.grid(self.tiles, self.scores, self.responsive, self.flat, as_grid_config(config))

    def png(self, config: Config | GridConfig | None = None) -> bytes:
        """Encode `grid` as a PNG file."""
        return to_png(self.grid(config))

    def _repr_png_(self) -> bytes:
        return self.png()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.layer!r}{self._spoken_when()}: {self._spoken_what()}>"

    def _spoken_when(self) -> str:
        return ""

    def _spoken_what(self) -> str:
        marks = spoken_marks(self.responsive, self.flat, are_explained=False)
        return ", ".join([spoken_tiles(*self.tiles.shape[:3]), *([marks] if marks else [])])

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


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
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

    def _spoken_when(self) -> str:
        return f", {spoken_step(self.step, self.unit)}"
