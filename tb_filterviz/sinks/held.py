"""What a run already holds, read back from its event files."""

import posixpath
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.util import tensor_util

from tb_filterviz.history import History
from tb_filterviz.records import PLUGIN_NAME, decode_metadata, last_tag


@dataclass(slots=True)
class HeldRun:
    """Which steps each tag has, and the tiles that later ones are compared with."""

    steps: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    history: History = field(default_factory=History)

    @property
    def last_step(self) -> int | None:
        """The highest step of all; None if there is none."""
        return max((max(steps) for steps in self.steps.values()), default=None)

    def has_whole(self, layer: str, step: int) -> bool:
        """Whether all of a layer is there at this step."""
        return step in self.steps.get(last_tag(layer), ())

    def last_whole(self, layer: str) -> int | None:
        """The last step at which all of a layer is there."""
        return max(self.steps.get(last_tag(layer), ()), default=None)


def read_held(run_dir: str) -> HeldRun:
    """What the event files of `run_dir` hold; nothing if there are none. Damaged tails are passed over."""
    held = HeldRun()
    parts: dict[str, dict[int, Any]] = {}
    for path in sorted(tf.io.gfile.glob(posixpath.join(run_dir, "*tfevents*"))):
        for event in _events(path):
            for value in event.summary.value:
                held.steps[value.tag].add(event.step)
                if value.metadata.plugin_data.plugin_name == PLUGIN_NAME:
                    _collect_tiles(held.history, parts, event.step, value)
    return held


def _events(path: str) -> Iterator[Event]:
    for record in RawEventFileLoader(path).Load():
        yield Event.FromString(record)


def _collect_tiles(history: History, parts: dict[str, dict[int, Any]], step: int, value: Any) -> None:
    """Remember a layer's tiles once all parts of a step are there; they are written one after another."""
    try:
        described = decode_metadata(value.metadata.plugin_data.content)
        if described["kind"] != "tiles":
            return
        layer, first_filter, filters = described["layer"], described["first_filter"], described["filters"]
        tiles = tensor_util.make_ndarray(value.tensor)
        if first_filter == 0:
            parts[layer] = {}
        parts[layer][first_filter] = tiles
        if sum(map(len, parts[layer].values())) == filters:
            history.remember(layer, step, np.concatenate([parts[layer][i] for i in sorted(parts[layer])]))
    except (ValueError, KeyError, TypeError):  # of another version, or not ours
        return
