"""What must hold whatever bytes a file has: one function for each reader of files that strangers may have made.

Each takes the bytes and returns, or raises what a fuzzer or a test then shows. Only our own errors are let pass, with
messages that fit into a few lines.
"""

import atexit
import functools
import io
import itertools
import json
import math
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, cast

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event, SourceMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto

from tb_filterviz.checkpoints.allowed import first_refusal
from tb_filterviz.checkpoints.architecture import Architecture
from tb_filterviz.checkpoints.formats import recognise
from tb_filterviz.checkpoints.sources import stored_description
from tb_filterviz.checkpoints.weights import Stored, stored
from tb_filterviz.errors import CheckpointError, FilterVizError, SeriesError
from tb_filterviz.logs.event_files import MAX_PARSED_BYTES, WRITER, filters_metadata, frame, read_records
from tb_filterviz.logs.event_files import events as read_events
from tb_filterviz.logs.storage import Folder
from tb_filterviz.metadata import METADATA_VERSION, RECIPE_TAG, decode_metadata
from tb_filterviz.reading.catalog import Layer, Run, read_run
from tb_filterviz.reading.decoded import decode, side_by_side
from tb_filterviz.reading.descriptions import LARGEST_VALUE_BYTES, TilesDescription, describe
from tb_filterviz.reading.recorded_recipe import read_recipe as read_recipe_for_the_tab
from tb_filterviz.reading.statistics import tabulate
from tb_filterviz.reading.trainings import trainings
from tb_filterviz.sinks import run_index
from tests.fuzz import configurations
from tests.fuzz.choices import Choices
from tests.plugin.described import FORMAT_1_STATS, RECIPE, STATISTIC, TILES, listed, series_of

Target = Callable[[bytes], None]

_LONGEST_MESSAGE = 2000  # characters; a path, 300 of a reason, 300 of what helps


@contextmanager
def _raising_only(allowed: type[FilterVizError]) -> Iterator[None]:
    """Pass over our own error; its message has to be one that a user can read."""
    try:
        yield
    except allowed as error:
        _check_message(error)


def _check_message(error: Exception) -> None:
    assert 0 < len(str(error)) < _LONGEST_MESSAGE, f"a message of {len(str(error))} characters"


# Files with weights


@functools.cache
def _folder() -> Path:
    """A folder for as long as this process lives."""
    made = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, made)
    return Path(made)


_STEMS = ("m", "m", "m", "m_00000", ".", "..", "", "a b[1]*?", "Ünï\n")
_SUFFIXES = (
    *(".keras", ".h5", ".weights.h5", ".index", ".data-00000-of-00001", ".json", ".weights.json", "", ".hdf5"),
    *("/checkpoint", "/keras_metadata.pb", "/saved_model.pb", "/variables/variables.index"),
)


def recogniser(data: bytes) -> None:
    """A file under a name that the first two bytes choose, in a folder with what belongs to it."""
    folder, choices = _folder(), Choices(data)
    name = f"{choices.one_of(_STEMS)}{choices.one_of(_SUFFIXES)}"
    path = folder / name
    if name in ("", ".", "..") or name.startswith("../"):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.write_bytes(choices.rest())
        _put_beside(path)
        with _raising_only(CheckpointError):
            checkpoint = recognise(path if path.parent == folder else folder / name.partition("/")[0])
            with _raising_only(CheckpointError):
                description = stored_description(checkpoint)
                assert description is None or isinstance(description.config, str)
            with _raising_only(CheckpointError):
                held = stored(checkpoint)
                assert 0 <= held.numbers <= max(64 << 20, 20 * len(data))
                assert held.arrays >= 0
    finally:
        for made in folder.iterdir():
            if made.is_dir():
                shutil.rmtree(made)
            else:
                made.unlink()


def _put_beside(path: Path) -> None:
    if path.name.endswith(".index"):
        path.with_name(f"{path.name.removesuffix('.index')}.data-00000-of-00001").write_bytes(bytes(64))
    if path.name in ("keras_metadata.pb", "saved_model.pb"):
        variables = path.parent / "variables"
        variables.mkdir(exist_ok=True)
        (path.parent / "saved_model.pb").touch()
        (variables / "variables.index").write_bytes(bytes.fromhex("57fb808b247547db"))
        (variables / "variables.data-00000-of-00001").touch()
    if path.name == "variables.index":
        (path.parent.parent / "saved_model.pb").touch()


# Configurations


def configuration(data: bytes) -> None:
    """A configuration that is built from the bytes; never the model."""
    choices = Choices(data)
    own = {configurations.OWN: object}
    written_by = choices.one_of(configurations.VERSIONS)
    most = choices.one_of((None, Stored(3, 100)))
    value = configurations.model(choices) if choices.below(4) else configurations.any_of(choices)
    refusal = first_refusal(value, own)
    assert refusal is not None or not _harmful(value)
    if refusal is not None:
        assert max(len(refusal.where), len(refusal.what)) < 300
    with _raising_only(CheckpointError):
        checked = Architecture("'x.json'", config=json.dumps(value), written_by=written_by)._checked_config(
            False, own, most
        )
        assert not _harmful(checked)


def _harmful(value: Any) -> list[Any]:
    """What runs code, or names a file; classes that the caller has registered are the caller's."""
    return [
        entry
        for entry in configurations.entries(value)
        if entry["class_name"] in ("__lambda__", "__typespec__")
        or (entry["class_name"] in configurations.LEFT_OUT and entry.get("registered_name") != configurations.OWN)
        or isinstance(entry.get("vocabulary"), str)
        or (entry["class_name"] == "function" and entry.get("config") == "exec")
    ]


# Metadata

_RECIPE = {**RECIPE, "recipe": {**RECIPE["recipe"], "parts": {"ascent": []}, "versions": {}}}  # smaller, so faster
_KINDS = (TILES, STATISTIC, FORMAT_1_STATS, _RECIPE)
_IN_METADATA = (
    *sorted({*TILES, *STATISTIC, *FORMAT_1_STATS, "indices", "recipe"}),
    *("config", "model", "path", "class", "weights", "parts", "tone", "ascent", "grid", "written_by", "checkpoints"),
    *("conv", "center_unit", "score", "responsive", "flag", "ascending", "batch"),
)
_TAGS = (
    *("filterviz/a/tiles", "filterviz/a/tiles_1", "filterviz/a/stats", "filterviz/a/statistics/score", RECIPE_TAG),
    *("filterviz/b/tiles", "filterviz/b/statistics/gain", "filterviz//tiles_1000000", "other"),
)


def _content(choices: Choices) -> bytes:
    """Metadata of some kind, changed in places; or any bytes."""
    kind = choices.below(8)
    if kind == 7:
        return choices.take(choices.below(256))
    true: dict[str, Any] = dict(_KINDS[min(kind, 3)])
    for _ in range(choices.below(4)):
        inner = true
        while choices.is_so() and (inside := [value for value in inner.values() if isinstance(value, dict)]):
            inner = dict(choices.one_of(inside))
        inner[choices.text(_IN_METADATA)] = choices.json(_IN_METADATA)
        if inner is not true:
            true["recipe"] = inner
    return json.dumps(true).encode("utf-8", "surrogatepass")


def metadata(data: bytes) -> None:
    """Metadata, alone and in the runs that tags with it make."""
    choices = Choices(data)
    content = choices.rest() if choices.below(8) == 7 else _content(choices)
    try:
        assert 1 <= decode_metadata(content)["version"] <= METADATA_VERSION
    except ValueError as error:
        _check_message(error)
    with _raising_only(SeriesError):
        _check(describe(content))
    with _raising_only(SeriesError):
        json.dumps(read_recipe_for_the_tab(content), allow_nan=False).encode()
    tags = {choices.one_of(_TAGS): listed(content, step) for step in range(1 + choices.below(3))}
    tags |= {choices.one_of(_TAGS): listed(_content(choices)) for _ in range(choices.below(4))}
    run = read_run(tags)
    json.dumps(run.to_json(), allow_nan=False).encode()
    assert all(len(sentence) < _LONGEST_MESSAGE for sentence in run.problems)
    assert trainings({"filters": run, "filters_2": _known_run()}).keys() == {"filters", "filters_2"}


def _check(about: Any) -> None:
    assert all(1 <= size <= 1 << 16 for size in about.shape)
    assert math.prod(about.shape) <= LARGEST_VALUE_BYTES
    if isinstance(about, TilesDescription):
        assert len(about.indices) == about.shape[0]


@functools.cache
def _known_run() -> Run:
    return read_run({**series_of((6, 5, 5, 1), "a"), RECIPE_TAG: listed(json.dumps(_RECIPE).encode())})


# Values

_TYPES = ("u1", "f4", "f8", "i8", "?", "O", "S4", "c8")


def tiles(data: bytes) -> None:
    """Series of a layer, of which each value is an array of any type and shape, or none."""
    choices = Choices(data)
    shape = (1 + choices.below(5), 1 + choices.below(4), 1 + choices.below(4), choices.one_of((1, 3)))
    layer = _layer(shape)
    found, read = [], []
    for part in layer.parts:
        for _ in range(2):
            with _raising_only(SeriesError):
                found.append(decode(_values(choices, part.about.shape, "u1"), part))
    for series in layer.statistics:
        with _raising_only(SeriesError):
            read.append((series, decode(_values(choices, series.about.shape, "f4"), series)))
    for decoded in [*found, *(decoded for _, decoded in read)]:
        assert (decoded.steps[1:] > decoded.steps[:-1]).all()
        assert len(decoded.steps) == len(decoded.wall_times) == len(decoded.values) > 0
        assert np.isfinite(decoded.wall_times).all()
    if found:
        beside = side_by_side(found)
        assert beside.values.shape == (len(beside.steps), shape[0] * len(found), *shape[1:])
    if read:
        json.dumps(tabulate(read).to_json(), allow_nan=False)


@functools.cache
def _layer(shape: tuple[int, int, int, int]) -> Layer:
    names = ("score", "responsive", "change", "change_since_start")
    stats = {**FORMAT_1_STATS, "filters": shape[0], "shape": [2, shape[0]]}
    tags = {**series_of(shape, statistics=names), "filterviz/conv2d_1/stats": listed(json.dumps(stats).encode())}
    (layer,) = read_run(tags).layers
    return layer


def _values(choices: Choices, shape: tuple[int, ...], kind: str) -> Iterator[Any]:
    for _ in range(choices.below(6)):
        step = choices.below(256) - 128 if choices.below(8) else choices.one_of((-(1 << 63), (1 << 63) - 1, 1 << 40))
        wall_time = choices.real() if choices.below(4) == 0 else float(choices.below(8))
        yield SimpleNamespace(step=step, wall_time=wall_time, numpy=_value(choices, shape, kind))


def _value(choices: Choices, shape: tuple[int, ...], kind: str) -> Any:
    how = choices.below(8)
    if how < 5:
        count = math.prod(shape) * np.dtype(kind).itemsize
        return np.frombuffer(choices.take(count).ljust(count, b"\x3f"), kind).reshape(shape)
    if how == 5:
        return np.zeros(choices.one_of((shape, shape[1:], (), (0, *shape[1:]), shape[::-1])), choices.one_of(_TYPES))
    return None if how == 6 else np.array([b"28", b"28", b"\x89PNG\r\n" + choices.take(8)], object)


# Event files

_MOST_READ = 1 << 20  # bytes that a file of a few hundred may become
_FIRST = Event(file_version="brain.Event:2", source_metadata=SourceMetadata(writer=WRITER)).SerializeToString()
_LARGE = b"\x1a\x80\x80\x40" + bytes(1 << 20)  # what makes an event too large to be read as a whole


class _Files:
    """Event files in memory, as `Folder` has them."""

    path = "a folder"

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def names(self) -> list[str]:
        return sorted(self._files)

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self._files[name])


def events(data: bytes) -> None:
    """Event files of right frames around payloads of any kind, of which some are then damaged."""
    choices = Choices(data)
    files = {}
    for number in range(1 + choices.below(2)):
        payloads = [_payload(choices) for _ in range(choices.below(6))]
        if choices.below(8):
            payloads.insert(0, _FIRST)
        content = b"".join(map(frame, payloads))
        damaged = _damaged(choices, content)
        read = list(read_records(io.BytesIO(damaged)))
        if damaged.startswith(content):
            assert [payload for payload, _ in read[: len(payloads)]] == payloads
        ends = [0, *(end for _, end in read)]
        assert all(
            end - begin == len(payload) + 16
            for (payload, _), (begin, end) in zip(read, itertools.pairwise(ends), strict=True)
        )
        assert ends[-1] <= len(damaged)
        assert [end for _, end in read_events(io.BytesIO(damaged))] == ends[1 : 1 + _whole_events(read)]
        files[f"events.out.tfevents.{number}"] = damaged
    _check_index(cast(Folder, _Files(files)), sum(map(len, files.values())))


def _whole_events(read: list[tuple[bytes, int]]) -> int:
    for place, (payload, _) in enumerate(read):
        try:
            if len(payload) <= MAX_PARSED_BYTES:
                Event.FromString(payload)
        except DecodeError:
            return place
    return len(read)


def _check_index(folder: Folder, size: int) -> None:
    index = run_index.read_run_index(folder)
    steps = {step for step, _, _ in run_index._values(folder, any_writer=True)}
    assert index.steps <= steps
    assert index.last_step is None or index.last_step in steps
    assert index.unfinished is None or (index.unfinished[0] in folder.names() and 0 <= index.unfinished[1] < size)
    kept = [tiles for by_step in index.history.tiles.values() for tiles in by_step.values()]
    for step in (0, 1):
        kept += run_index.read_tiles(folder, step, any_writer=True).values()
    assert sum(tiles.nbytes for tiles in kept) <= _MOST_READ
    assert all(tiles.dtype == np.uint8 and tiles.ndim == 4 for tiles in kept)
    assert run_index.holds_anything(folder) == any(
        len(list(read_records(folder.open(name)))) > 1 for name in folder.names()
    )
    recipe = run_index.read_recipe(folder)
    run_index.read_index_to_go_on(folder, recipe or RECIPE["recipe"], 1)


_EVENT_TAGS = (
    *(RECIPE_TAG, "filterviz/conv2d_1/tiles", "filterviz/conv2d_1/tiles_1", "filterviz/conv2d_1/share_responsive"),
    *("filterviz/failures", "filterviz/b/tiles", "filterviz/b/share_responsive", "other"),
)


def _payload(choices: Choices) -> bytes:
    kind = choices.below(8)
    if kind == 7:
        return choices.take(choices.below(64))
    event = Event(wall_time=float(choices.below(9)), step=choices.below(4) - 1)
    if kind == 6:
        event.file_version = choices.one_of(("brain.Event:2", "a"))
    for _ in range(1 + choices.below(3)):
        value = event.summary.value.add(tag=choices.one_of(_EVENT_TAGS))
        if choices.below(4):
            value.metadata.CopyFrom(filters_metadata(_content(choices)))
        value.tensor.CopyFrom(_tensor(choices))
    if choices.below(8) == 7:
        event.step = choices.one_of((-(1 << 63), (1 << 63) - 1))
    return bytes(event.SerializeToString()) + (_LARGE if choices.below(64) == 63 else b"")


def _tensor(choices: Choices) -> TensorProto:
    sizes = (
        [6, 5, 5, 1] if choices.below(4) else [max(-1, min(choices.number(), 1 << 62)) for _ in range(choices.below(6))]
    )
    tensor = TensorProto(dtype=choices.one_of((4, 4, 4, 4, 1, 7, 3, 10, 19, 0, 23, 8)))
    for size in sizes:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_shape.unknown_rank = choices.below(16) == 15
    kind = choices.below(8)
    if kind < 5:
        declared = math.prod(sizes)
        count = declared if 0 <= declared < 1000 else choices.below(9)
        tensor.tensor_content = choices.take(count).ljust(count, b"\x01")
    elif kind == 5:
        tensor.int_val.extend(choices.some(lambda: choices.below(256)))
    elif kind == 6:
        tensor.float_val.extend(choices.some(choices.real))
    else:
        tensor.string_val.extend(choices.some(lambda: choices.take(3)))
    return tensor


def _damaged(choices: Choices, content: bytes) -> bytes:
    kind = choices.below(8)
    if kind < 3 or not content:
        return content
    at = int.from_bytes(choices.take(2), "little") % len(content)
    if kind == 3:
        return content[:at]
    if kind == 4:
        return content + choices.take(choices.below(40))
    if kind == 5:  # a length that lies, with the right checksum
        length = struct.pack("<Q", choices.one_of((0, 1, 1 << 20, 1 << 26, (1 << 26) + 1, 1 << 63, (1 << 64) - 1)))
        return content + length + frame(length)[-4:] + choices.take(20)
    return content[:at] + bytes([content[at] ^ (1 + choices.below(255))]) + content[at + 1 :]


TARGETS: Mapping[str, Target] = {
    target.__name__: target for target in (recogniser, configuration, metadata, tiles, events)
}
