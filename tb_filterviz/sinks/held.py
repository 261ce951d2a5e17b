"""What a run already holds, read back from its event files."""

import posixpath
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.util import tensor_util

from tb_filterviz.records import PLUGIN_NAME, decode_metadata, last_tag

Tiles = npt.NDArray[np.uint8]

_KEPT_LAST = 2  # the step that a killed process left unfinished, and the one before


@dataclass(slots=True)
class HeldRun:
    """Which steps each tag has, and the tiles that later ones are compared with."""

    steps: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    _tiles: dict[str, dict[int, dict[int, Any]]] = field(default_factory=lambda: defaultdict(dict))
    _filters: dict[str, int] = field(default_factory=dict)

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

    def first_and_last_tiles(self, before: int | None = None) -> tuple[dict[str, Tiles], dict[str, Tiles]]:
        """The tiles of each layer, as stored, at its first step and its last, below `before` if given."""
        first, last = {}, {}
        for layer, by_step in self._tiles.items():
            whole = {
                step: parts
                for step, parts in by_step.items()
                if (before is None or step < before)
                and sum(len(part) for part in parts.values()) == self._filters[layer]
            }
            if whole:
                joined = [
                    np.concatenate([whole[step][i] for i in sorted(whole[step])]) for step in (min(whole), max(whole))
                ]
                first[layer], last[layer] = joined
        return first, last

    def _keep(self, step: int, value: Any) -> None:
        self.steps[value.tag].add(step)
        if value.metadata.plugin_data.plugin_name != PLUGIN_NAME:
            return
        try:
            described = decode_metadata(value.metadata.plugin_data.content)
            if described["kind"] != "tiles":
                return
            layer, part = described["layer"], described["first_filter"]
            tiles = tensor_util.make_ndarray(value.tensor)
            self._filters[layer] = described["filters"]
        except (ValueError, KeyError, TypeError):  # of another version, or not ours
            return
        by_step = self._tiles[layer]
        by_step.setdefault(step, {})[part] = tiles
        for passed in sorted(by_step)[1:-_KEPT_LAST]:
            del by_step[passed]


def read_held(run_dir: str) -> HeldRun:
    """What the event files of `run_dir` hold; nothing if there are none. Damaged tails are passed over."""
    held = HeldRun()
    for path in sorted(tf.io.gfile.glob(posixpath.join(run_dir, "*tfevents*"))):
        for event in _events(path):
            for value in event.summary.value:
                held._keep(event.step, value)
    return held


def _events(path: str) -> Iterator[Event]:
    for record in RawEventFileLoader(path).Load():
        yield Event.FromString(record)
