"""Event files for TensorBoard: the only module that writes them."""

import posixpath
from collections.abc import Sequence

import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.image import metadata as image_metadata

from tb_filterviz.config import GridConfig
from tb_filterviz.errors import LogDirError
from tb_filterviz.imaging.encode import to_png
from tb_filterviz.imaging.layout import grid, shrink
from tb_filterviz.records import (
    PLUGIN_NAME,
    RUN_NAME,
    LayerSnapshot,
    encode_metadata,
    image_tag,
    scalar_tag,
    stats_tag,
    tile_parts,
    tiles_tag,
)

STORED_TILE_PX = 64  # larger tiles are stored smaller: the tab shows many at once


def last_step(run_dir: str) -> int | None:
    """The highest step in the event files of `run_dir`; None if there is none. Damaged tails are passed over."""
    steps = []
    for path in tf.io.gfile.glob(posixpath.join(run_dir, "*tfevents*")):
        for record in RawEventFileLoader(path).Load():
            event = Event.FromString(record)
            if event.HasField("summary"):
                steps.append(event.step)
    return max(steps, default=None)


def _plugin_metadata(content: bytes) -> tf.compat.v1.SummaryMetadata:
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = PLUGIN_NAME
    metadata.plugin_data.content = content
    metadata.data_class = 2  # DATA_CLASS_TENSOR; without a class the fast loader drops the tag
    return metadata


def _image_metadata(description: str) -> tf.compat.v1.SummaryMetadata:
    ours = image_metadata.create_summary_metadata(display_name=None, description=description, converted_to_tensor=None)
    return tf.compat.v1.SummaryMetadata.FromString(ours.SerializeToString())


class EventSink:
    """Writes the run ``<log_dir>/filters``: grids for the Images tab, tiles and stats for ours, a few curves.

    Every sink opens a new event file; nothing is ever appended to an old one.

    Raises:
        LogDirError: if nothing can be written there.
    """

    def __init__(self, log_dir: str, config: GridConfig | None = None) -> None:
        self.run_dir = posixpath.join(log_dir, RUN_NAME)
        self._config = config or GridConfig()
        try:
            tf.io.gfile.makedirs(self.run_dir)
            self.last_step = last_step(self.run_dir)  # found there, or written since
            self._writer = tf.summary.create_file_writer(self.run_dir)
            self._writer.flush()
        except (tf.errors.OpError, OSError) as error:
            reason = getattr(error, "message", None) or error
            raise LogDirError(f"Cannot write to the log directory {log_dir!r}: {reason}") from error

    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:
        """Everything of this step, flushed."""
        # Keras' TensorBoard(update_freq=n) leaves a condition on for the whole of fit that drops other summaries.
        with self._writer.as_default(step), tf.summary.record_if(True):
            for snapshot in snapshots:
                self._write_grid(snapshot)
                self._write_tensors(snapshot)
                self._write_curves(snapshot)
        self._writer.flush()
        self.last_step = step

    def _write_grid(self, snapshot: LayerSnapshot) -> None:
        picture = grid(snapshot.tiles, snapshot.scores, snapshot.responsive, snapshot.flat, self._config)
        height, width, _ = picture.shape
        value = tf.constant([str(width).encode(), str(height).encode(), to_png(picture)])
        tf.summary.write(image_tag(snapshot.layer), value, metadata=_image_metadata(snapshot.describe()))

    def _write_tensors(self, snapshot: LayerSnapshot) -> None:
        tiles = shrink(snapshot.tiles, STORED_TILE_PX)
        for number, part in enumerate(tile_parts(tiles)):
            content = encode_metadata(snapshot, kind="tiles", shape=tiles[part].shape, part=part)
            tf.summary.write(tiles_tag(snapshot.layer, number), tiles[part], metadata=_plugin_metadata(content))
        stats = snapshot.stats()
        content = encode_metadata(snapshot, kind="stats", shape=stats.shape)
        tf.summary.write(stats_tag(snapshot.layer), stats, metadata=_plugin_metadata(content))

    def _write_curves(self, snapshot: LayerSnapshot) -> None:
        tf.summary.scalar(scalar_tag(snapshot.layer, "mean_score"), snapshot.scores.mean())
        tf.summary.scalar(scalar_tag(snapshot.layer, "share_responsive"), snapshot.responsive.mean())
        if not snapshot.is_first:
            tf.summary.scalar(scalar_tag(snapshot.layer, "mean_change"), snapshot.change.mean())

    def report(self, step: int, text: str) -> None:
        """The reason for a missing picture, in TensorBoard's Text tab."""
        with self._writer.as_default(step), tf.summary.record_if(True):
            tf.summary.text(f"{PLUGIN_NAME}/failures", text)
        self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        self._writer.close()
