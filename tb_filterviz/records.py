"""The contract between what writes filters and what shows them: a snapshot, its tags, its metadata."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

PLUGIN_NAME = "filterviz"
METADATA_VERSION = 1
RUN_NAME = "filters"
STATS_ROWS = ("score", "responsive", "flat", "change", "change_since_start")
StepUnit = Literal["epoch", "batch"]

# TensorBoard reads a tag's whole series in one answer of at most 256 MiB: this leaves room for 2000 steps.
TILES_BYTES_PER_TAG = 128 * 1024
STORED_TILE_PX = 64  # larger tiles are stored smaller: the tab shows many at once


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerDrawing:
    """What every filter of one layer responds to: all that follows from the weights alone.

    Attributes:
        layer: the layer's path in the model, ``"backbone/conv1"`` for a nested one.
        position: its place among the model's convolutional layers, from 0.
        objective: what was maximized: ``"channel_mean"`` or ``"center_unit"``.
        receptive_field: True if the tiles are cut to the centre unit's receptive field.
        channels: how the model's input channels are shown, in words.
        tiles: uint8 ``[n, h, w, c]``, in filter order, ``c`` 1 (gray) or 3 (RGB).
        scores: float32 ``[n]``, the objective's value.
        responsive: bool ``[n]``; False is a stuck filter.
        flat: bool ``[n]``; True where the ascent changed all inner pixels alike.
    """

    layer: str
    position: int
    objective: str
    receptive_field: bool
    channels: str
    tiles: npt.NDArray[np.uint8]
    scores: npt.NDArray[np.float32]
    responsive: npt.NDArray[np.bool_]
    flat: npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerSnapshot(LayerDrawing):
    """A drawing at one step of a training, with what changed since the steps before.

    Attributes:
        step: the training step, an epoch's index or a count of batches; -1 is before training.
        unit: what `step` counts.
        change: float32 ``[n]`` in [0, 1], RMS difference of the stored tile to that of the step before; 0 at first.
        change_since_start: float32 ``[n]`` in [0, 1], RMS difference of the stored tile to the run's first.
        is_first: True for the first snapshot of a run, whose `change` means nothing.
    """

    step: int
    unit: StepUnit
    change: npt.NDArray[np.float32]
    change_since_start: npt.NDArray[np.float32]
    is_first: bool

    def stats(self) -> npt.NDArray[np.float32]:
        """float32 ``[len(STATS_ROWS), n]``, one row per name in `STATS_ROWS`."""
        rows = (self.scores, self.responsive, self.flat, self.change, self.change_since_start)
        return np.stack(rows).astype(np.float32)

    def describe(self) -> str:
        """One sentence that holds for every step: what the tiles are."""
        what = {
            "channel_mean": "the mean of each filter's response over the image",
            "center_unit": "the response of each filter's centre unit",
        }[self.objective]
        cut = ", cut to its receptive field" if self.receptive_field else ""
        return (
            f"The inputs that maximize {what}{cut}, in {self.layer}: {len(self.tiles)} filters of "
            f"{self.tiles.shape[2]} x {self.tiles.shape[1]} px, {self.channels}."
        )

    def describe_outcome(self) -> str:
        """One sentence about this step."""
        return f"{int((~self.responsive).sum())} stuck, {int(self.flat.sum())} flat."


def safe_tag(name: str) -> str:
    """`name` without the characters that TensorBoard's readers trip over; the true name is in the metadata."""
    return re.sub(r'["\\\x00-\x1f\x7f]', "_", name)


def image_tag(layer: str) -> str:
    """Tag of the rendered grid."""
    return f"{RUN_NAME}/{safe_tag(layer)}"


def tiles_tag(layer: str, part: int) -> str:
    """Tag of the tiles; large layers continue in ``tiles_1``, ``tiles_2`` and so on."""
    return f"{PLUGIN_NAME}/{safe_tag(layer)}/tiles" + (f"_{part}" if part else "")


def stats_tag(layer: str) -> str:
    """Tag of the measures."""
    return f"{PLUGIN_NAME}/{safe_tag(layer)}/stats"


def last_tag(layer: str) -> str:
    """What is written last of a layer: a step that has it is whole."""
    return scalar_tag(layer, "share_responsive")


def scalar_tag(layer: str, name: str) -> str:
    """Tag of one curve."""
    return f"{PLUGIN_NAME}/{safe_tag(layer)}/{name}"


def tile_parts(tiles: npt.NDArray[np.uint8]) -> list[slice]:
    """The filters ``[n, h, w, c]`` cut into ranges of at most `TILES_BYTES_PER_TAG`, at least one filter each."""
    per_part = max(1, TILES_BYTES_PER_TAG // max(1, tiles[0].nbytes)) if len(tiles) else 1
    return [slice(first, min(first + per_part, len(tiles))) for first in range(0, len(tiles), per_part)]


def encode_metadata(
    snapshot: LayerSnapshot, *, kind: Literal["tiles", "stats"], shape: Sequence[int], part: slice | None = None
) -> bytes:
    """JSON that is constant for a tag, since TensorBoard keeps only the first."""
    content: dict[str, Any] = {
        "version": METADATA_VERSION,
        "kind": kind,
        "layer": snapshot.layer,
        "position": snapshot.position,
        "unit": snapshot.unit,
        "objective": snapshot.objective,
        "receptive_field": snapshot.receptive_field,
        "channels": snapshot.channels,
        "filters": len(snapshot.tiles),
        "shape": list(shape),
    }
    if part is not None:
        content["first_filter"] = part.start
    if kind == "stats":
        content["rows"] = list(STATS_ROWS)
    return json.dumps(content, sort_keys=True).encode()


def decode_metadata(content: bytes) -> dict[str, Any]:
    """What `encode_metadata` wrote.

    Raises:
        ValueError: if it is not JSON, not an object, or of another version.
    """
    try:
        decoded = json.loads(content)
    except RecursionError as error:
        raise ValueError("Not metadata: nested too deeply.") from error
    if not isinstance(decoded, dict) or decoded.get("version") != METADATA_VERSION:
        raise ValueError(f"Not metadata of {PLUGIN_NAME} version {METADATA_VERSION}. Received: {content[:80]!r}")
    return decoded
