"""Event files for TensorBoard: the only module that writes them."""

import posixpath
import re
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.plugins.image import metadata as image_metadata
from tensorboard.plugins.scalar import metadata as scalar_metadata

from tb_filterviz.config import GridConfig
from tb_filterviz.errors import LogDirError
from tb_filterviz.imaging.encode import to_png
from tb_filterviz.imaging.layout import grid_for_a_screen, shrink
from tb_filterviz.records import (
    PLUGIN_NAME,
    RUN_NAME,
    STORED_TILE_PX,
    LayerSnapshot,
    encode_metadata,
    image_tag,
    last_tag,
    scalar_tag,
    stats_tag,
    tile_parts,
    tiles_tag,
)
from tb_filterviz.sinks.held import read_held
from tb_filterviz.sinks.lock import lock, release, written_by_others

Summary = tuple[str, Any, Any]  # tag, value, metadata


def _plugin_metadata(content: bytes) -> tf.compat.v1.SummaryMetadata:
    metadata = tf.compat.v1.SummaryMetadata()
    metadata.plugin_data.plugin_name = PLUGIN_NAME
    metadata.plugin_data.content = content
    metadata.data_class = 2  # DATA_CLASS_TENSOR; without a class the fast loader drops the tag
    return metadata


def _scalar_metadata() -> tf.compat.v1.SummaryMetadata:
    ours = scalar_metadata.create_summary_metadata(display_name="", description="")
    return tf.compat.v1.SummaryMetadata.FromString(ours.SerializeToString())


def _image_metadata(description: str) -> tf.compat.v1.SummaryMetadata:
    ours = image_metadata.create_summary_metadata(display_name=None, description=description, converted_to_tensor=None)
    return tf.compat.v1.SummaryMetadata.FromString(ours.SerializeToString())


def _event_files(run_dir: str) -> list[str]:
    files: list[str] = tf.io.gfile.glob(posixpath.join(run_dir, "*tfevents*"))
    return files


def _wait_for_a_later_name(run_dir: str) -> None:
    """TensorBoard reads a run's files in the order of their names, which begin with the second they were made in."""
    names = map(posixpath.basename, _event_files(run_dir))
    seconds = [int(found[1]) for name in names if (found := re.search(r"tfevents\.(\d+)\.", name))]
    wait_s = max(seconds, default=0) + 1 - time.time()
    if 0 < wait_s <= 1:  # more is another machine's clock
        time.sleep(wait_s)


class EventSink:
    """Writes the run ``<log_dir>/filters``: grids for the Images tab, tiles and stats for ours, a few curves.

    Every sink opens a new event file; nothing is ever appended to an old one.

    Raises:
        LogDirError: if nothing can be written there.
    """

    def __init__(self, log_dir: str, config: GridConfig | None = None) -> None:
        self.run_dir = posixpath.join(log_dir, RUN_NAME)
        self._config = config or GridConfig()
        self._log_dir = log_dir
        with self._told():
            tf.io.gfile.makedirs(self.run_dir)
            self._check_alone()
            _wait_for_a_later_name(self.run_dir)
            self.held = read_held(self.run_dir)  # kept up to date with what is written
            before = set(_event_files(self.run_dir))
            self._writer = tf.summary.create_file_writer(self.run_dir)
            self._writer.flush()
            self._files = [path for path in _event_files(self.run_dir) if path not in before]
            for path in self._files:
                lock(path)
            self._check_alone()  # of two that begin at the same moment, neither had seen the other

    def _check_alone(self) -> None:
        if written_by_others(_event_files(self.run_dir)):
            raise LogDirError(
                f"Another process is writing to {self.run_dir!r} at this moment, and TensorBoard loses events of two. "
                "Wait for its end, or use another log directory."
            )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Whatever the file system says, as one sentence."""
        try:
            yield
        except LogDirError:
            raise
        except (tf.errors.OpError, OSError) as error:
            reason = getattr(error, "message", None) or error
            raise LogDirError(f"Cannot write to the log directory {self._log_dir!r}: {reason}") from error

    def _flush(self) -> None:
        self._writer.flush()
        if not all(map(tf.io.gfile.exists, self._files)):
            raise LogDirError(f"The event file in {self.run_dir!r} is gone: somebody deleted it. What it held is lost.")

    @property
    def last_step(self) -> int | None:
        """The highest step in the run, found there or written since."""
        return self.held.last_step

    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:
        """Everything of this step, flushed."""
        self._write(step, snapshots, held=())

    def complete(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:
        """What the run does not hold yet of this step, flushed: a process may have been killed in the middle of it."""
        self._write(step, snapshots, held=[tag for tag, steps in self.held.steps.items() if step in steps])

    def _write(self, step: int, snapshots: Sequence[LayerSnapshot], held: Collection[str]) -> None:
        # Keras' TensorBoard(update_freq=n) leaves a condition on for the whole of fit that drops other summaries.
        with self._told(), self._writer.as_default(step), tf.summary.record_if(True):
            for snapshot in snapshots:
                for tag, value, metadata in (*self._grid(snapshot), *_tensors(snapshot), *_curves(snapshot)):
                    if tag not in held:
                        tf.summary.write(tag, value, metadata=metadata)
                        self.held.steps[tag].add(step)
            self._flush()

    def _grid(self, snapshot: LayerSnapshot) -> Iterator[Summary]:
        picture = grid_for_a_screen(snapshot, self._config)
        height, width, _ = picture.shape
        value = tf.constant([str(width).encode(), str(height).encode(), to_png(picture)])
        yield image_tag(snapshot.layer), value, _image_metadata(snapshot.describe())

    def report(self, step: int, text: str) -> None:
        """The reason for a missing picture, in TensorBoard's Text tab."""
        with self._told(), self._writer.as_default(step), tf.summary.record_if(True):
            tf.summary.text(f"{PLUGIN_NAME}/failures", text)
            self._flush()

    def close(self) -> None:
        """Close the event file."""
        for path in self._files:
            release(path)
        self._files = []
        with self._told():
            self._writer.close()


def _tensors(snapshot: LayerSnapshot) -> Iterator[Summary]:
    tiles = shrink(snapshot.tiles, STORED_TILE_PX)
    for number, part in enumerate(tile_parts(tiles)):
        content = encode_metadata(snapshot, kind="tiles", shape=tiles[part].shape, part=part)
        yield tiles_tag(snapshot.layer, number), tiles[part], _plugin_metadata(content)
    stats = snapshot.stats()
    content = encode_metadata(snapshot, kind="stats", shape=stats.shape)
    yield stats_tag(snapshot.layer), stats, _plugin_metadata(content)


def _curves(snapshot: LayerSnapshot) -> Iterator[Summary]:
    curves = {"mean_score": snapshot.scores.mean()}
    if not snapshot.is_first:
        curves["mean_change"] = snapshot.change.mean()
    for name, value in curves.items():
        yield scalar_tag(snapshot.layer, name), np.float32(value), _scalar_metadata()
    yield last_tag(snapshot.layer), np.float32(snapshot.responsive.mean()), _scalar_metadata()
