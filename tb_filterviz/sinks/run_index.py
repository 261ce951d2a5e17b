"""What a run already holds, read back from its event files."""

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from tensorboard.compat.proto.types_pb2 import DT_UINT8
from tensorboard.util import tensor_util

from tb_filterviz.history import History
from tb_filterviz.logs.event_files import MAX_PARSED_BYTES, WRITER, event_file_names, events, read_records
from tb_filterviz.logs.storage import Folder
from tb_filterviz.metadata import FAILURES_TAG, PLUGIN_NAME, RECIPE_TAG, decode_metadata, last_tag
from tb_filterviz.recipe import Recipe, draws_the_same

Place = tuple[str, int]  # a file's name, and an offset in it
_KEPT_LAST = 2  # steps whose tiles are remembered while reading: the last may turn out to be unfinished


@dataclass(slots=True)
class RunIndex:
    """What is in a run.

    Attributes:
        folder: of the run; None for one that is new.
        recipe: how it was drawn; None for a run of the first edition, which did not say.
        steps: those that are whole: every layer is there.
        unfinished: where the files have to be cut so that a step is gone that a killed process had begun.
        history: the tiles that later ones are compared with.
    """

    folder: Folder | None = None
    recipe: Recipe | None = None
    steps: set[int] = field(default_factory=set)
    unfinished: Place | None = None
    history: History = field(default_factory=History)

    @property
    def last_step(self) -> int | None:
        """The highest step that is whole; None if there is none."""
        return max(self.steps, default=None)

    @property
    def layers(self) -> list[str]:
        """The paths of the layers that every step holds."""
        listed = (self.recipe or {}).get("layers")
        layers = [layer.get("layer") for layer in listed if isinstance(layer, dict)] if isinstance(listed, list) else []
        return [layer for layer in layers if isinstance(layer, str)]


def holds_anything(folder: Folder) -> bool:
    """Tell whether anybody's event files in a run hold anything, or cannot be looked at."""
    try:
        return any(_has_two_records(folder, name) for name in event_file_names(folder))
    except PermissionError:
        return True


def _has_two_records(folder: Folder, name: str) -> bool:
    """Tell whether an event file holds more than its version."""
    with folder.open(name) as stream:
        return len(list(islice(read_records(stream), 2))) == 2


def read_recipe(folder: Folder) -> Recipe | None:
    """Read how a run was drawn: that is the first value that was written to it."""
    try:
        recipes = (
            _recipe_in(value) for _, value, _ in _values(folder) if value is not None and value.tag == RECIPE_TAG
        )
        return next(recipes, None)
    except PermissionError:
        return None


def read_run_index(folder: Folder) -> RunIndex:
    """Read what the event files of a run hold; nothing if there are none. Damaged tails are passed over."""
    return _read_index(folder, any_writer=True) or RunIndex(folder)


def read_index_to_go_on(folder: Folder, recipe: Recipe, before: int | None) -> RunIndex | None:
    """Read a run's index, unless it cannot go on: reading ends as soon as that shows.

    Args:
        folder: of the run.
        recipe: how further steps will be drawn.
        before: None, or a step that has to be above all that are whole.

    Returns:
        None if the run was drawn otherwise, holds `before` or a later step, or must not be read.
    """
    found = read_recipe(folder)
    if found is None or not draws_the_same(recipe, found):
        return None
    try:
        return _read_index(folder, before)
    except PermissionError:
        return None


def read_tiles(folder: Folder, step: int, *, any_writer: bool = False) -> dict[str, npt.NDArray[np.uint8]]:
    """Read the tiles of every layer at one step, as they are stored; of a run of the first edition, by any writer."""
    reading = _Reading()
    for at, value, place in _values(folder, any_writer=any_writer):
        if at == step and value is not None:
            reading.add(step, value, place)
    return {layer: by_step[step] for layer, by_step in reading.tiles.items()}


def _read_index(folder: Folder, before: int | None = None, *, any_writer: bool = False) -> RunIndex | None:
    index, reading = RunIndex(folder), _Reading()
    for step, value, place in _values(folder, any_writer=any_writer):
        if value is None:
            reading.begin(step, place)
        elif value.tag == RECIPE_TAG:
            index.recipe = index.recipe or _recipe_in(value)
        elif value.tag != FAILURES_TAG:
            reading.add(step, value, place)
            if before is not None and step >= before and reading.is_whole(step, index.layers):
                return None
    layers = index.layers or sorted(reading.layers)
    index.steps = {step for step in reading.places if reading.is_whole(step, layers)}
    index.unfinished = _tail_to_cut(reading.places, index.steps)
    for layer, by_step in reading.tiles.items():
        for step in sorted(index.steps & by_step.keys()):
            index.history.remember(layer, step, by_step[step])
    return index


def _tail_to_cut(places: dict[int, tuple[Place, Place]], whole: set[int]) -> Place | None:
    """Find where an unfinished step begins, if nothing but it comes after that in the last file."""
    begins = [first for step, (first, _) in places.items() if step not in whole]
    if not begins:
        return None
    cut = min(begins)
    is_last_file = cut[0] == max(last for _, last in places.values())[0]
    return cut if is_last_file and all(places[step][1] < cut for step in whole) else None


@dataclass(slots=True)
class _Reading:
    """What has been read so far: of each step the layers that are whole and where it stands, and the latest tiles."""

    layers: set[str] = field(default_factory=set)
    last_tags: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    places: dict[int, tuple[Place, Place]] = field(
        default_factory=dict
    )  # where it begins, and where its last record does
    tiles: dict[str, dict[int, npt.NDArray[np.uint8]]] = field(default_factory=lambda: defaultdict(dict))
    parts: dict[str, dict[int, Any]] = field(default_factory=dict)

    def begin(self, step: int, place: Place) -> None:
        first, _ = self.places.get(step, (place, place))
        self.places[step] = (first, place)

    def add(self, step: int, value: Any, place: Place) -> None:
        self.begin(step, place)
        self.last_tags[step].add(value.tag)
        if value.metadata.plugin_data.plugin_name == PLUGIN_NAME:
            self._collect_tiles(step, value)

    def is_whole(self, step: int, layers: list[str]) -> bool:
        return bool(layers) and all(last_tag(layer) in self.last_tags[step] for layer in layers)

    def _collect_tiles(self, step: int, value: Any) -> None:
        """Remember a layer's tiles once all parts of a step are there; they are written one after another."""
        try:
            described = decode_metadata(value.metadata.plugin_data.content)
            if described["kind"] != "tiles":
                return
            layer, first_filter, filters = described["layer"], described["first_filter"], described["filters"]
            tiles = _tiles_in(value.tensor)
            if tiles is None or not isinstance(layer, str):
                return
            if first_filter == 0:
                self.parts[layer] = {}
            self.parts[layer][first_filter] = tiles
            if sum(map(len, self.parts[layer].values())) == filters:
                parts = self.parts.pop(layer)
                self.layers.add(layer)
                self._remember(layer, step, np.concatenate([parts[first] for first in sorted(parts)]))
        except (ValueError, KeyError, TypeError):  # of a version after ours, or not ours
            return

    def _remember(self, layer: str, step: int, tiles: npt.NDArray[np.uint8]) -> None:
        by_step = self.tiles[layer]
        by_step[step] = tiles
        for passed in sorted(by_step)[1:-_KEPT_LAST]:
            del by_step[passed]


def _tiles_in(tensor: Any) -> npt.NDArray[np.uint8] | None:
    """Read tiles; None if it is another array, or one that would become larger than what is stored of it."""
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    is_stored = min(sizes, default=0) >= 0 and math.prod(sizes) <= tensor.ByteSize()
    if tensor.dtype != DT_UINT8 or len(sizes) != 4 or not is_stored:
        return None
    tiles: npt.NDArray[np.uint8] = tensor_util.make_ndarray(tensor)
    return tiles


def _recipe_in(value: Any) -> Recipe | None:
    try:
        recipe = decode_metadata(value.metadata.plugin_data.content)["recipe"]
    except (ValueError, KeyError, TypeError):
        return None
    return recipe if isinstance(recipe, dict) else None


def _values(folder: Folder, *, any_writer: bool = False) -> Iterator[tuple[int, Any, Place]]:
    """Read every value of a run, with its step, and where the record that holds it begins.

    A value is None if it is too large to be anything but a picture. Files of other writers are passed over; those of
    the first edition were written by TensorFlow.
    """
    for name in event_file_names(folder):
        with folder.open(name) as stream:
            began = 0
            for event, ended in events(stream):
                if began == 0 and not any_writer and event.source_metadata.writer != WRITER:
                    break
                if ended - began > MAX_PARSED_BYTES:
                    yield event.step, None, (name, began)
                for value in event.summary.value:
                    yield event.step, value, (name, began)
                began = ended
