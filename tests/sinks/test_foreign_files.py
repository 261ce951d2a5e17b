"""What others leave in a run's folder: it goes on all the same, in little memory, and TensorBoard shows it."""

import os
import struct
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_UINT8

from tb_filterviz.logs.event_files import WRITER, events, filters_metadata, frame, scalar_metadata, tensor_event
from tb_filterviz.logs.storage import folder_of
from tb_filterviz.metadata import encode_tiles, tiles_tag
from tb_filterviz.sinks.events import EventSink
from tb_filterviz.sinks.run_index import holds_anything, read_run_index, read_tiles
from tests.loaders import steps_of_runs
from tests.memory import forget_peak, peak_mib, resident_mib
from tests.snapshots import snapshot

RECIPE = {"layers": [{"layer": "conv_a"}]}
TILES = np.zeros((2, 4, 4, 1), np.uint8)
FIRST, LAST = "events.out.tfevents.0000000001", "events.out.tfevents.9999999990"  # where they sort
Make = Callable[[Path], object]
AsNobody = Callable[[], AbstractContextManager[None]]


def _log(log_dir: Path, *steps: int) -> str:
    """Log some steps, as one process does; the folder's name."""
    sink = EventSink(log_dir)
    sink.begin(RECIPE, steps[0])
    for step in steps:
        sink.write(step, [snapshot(TILES + step, step, "conv_a")])
    name = Path(sink.run_dir).name
    sink.close()
    return name


def _file(*payloads: bytes, writer: str = "another") -> bytes:
    first = Event(file_version="brain.Event:2")
    first.source_metadata.writer = writer
    return b"".join(map(frame, (first.SerializeToString(), *payloads)))


def _curves(count: int) -> bytes:
    return _file(
        *(tensor_event(step, "loss", np.float32(0), scalar_metadata()).SerializeToString() for step in range(count))
    )


def _length_of_8_gib(path: Path) -> None:
    length = struct.pack("<Q", 8 << 30)
    path.write_bytes(_file() + length + frame(length)[-4:] + b"and no more")


def _sparse_2_gib(path: Path) -> None:
    path.touch()
    os.truncate(path, 2 << 30)


def _many_small_messages(writer: str) -> Make:
    """Make a record of 30 million bytes that takes 1.2 GB once it is parsed."""
    values = b"\x0a\x00" * 15_000_000
    summary = b"\x2a" + _varint(len(values)) + values
    return lambda path: path.write_bytes(_file(summary, writer=writer))


def _varint(number: int) -> bytes:
    return number.to_bytes(1, "little") if number < 128 else bytes([number % 128 + 128]) + _varint(number // 128)


def _shape_that_lies(path: Path) -> None:
    """Make tiles of ours, of which a single one is there, and a shape of 4 GB."""
    content = encode_tiles(snapshot(TILES, 1, "conv_a"), (2, 4, 4, 1), slice(0, 2))
    dims = [TensorShapeProto.Dim(size=size) for size in (4, 1 << 30)]
    tensor = TensorProto(dtype=DT_UINT8, tensor_shape=TensorShapeProto(dim=dims), int_val=[1])
    value = Summary.Value(tag=tiles_tag("conv_a", 0), tensor=tensor, metadata=filters_metadata(content))
    path.write_bytes(_file(Event(step=1, summary=Summary(value=[value])).SerializeToString(), writer=WRITER))


SHOWN: dict[str, Make] = {
    "2 GiB of nothing": _sparse_2_gib,
    "another's curves": lambda path: path.write_bytes(_curves(100)),
    "an empty file": Path.touch,
    "a damaged file": lambda path: path.write_bytes(b"damaged" * 100),
}
NOT_SHOWN: dict[str, Make] = {  # TensorBoard itself stumbles over some, or waits for more of it
    "a length of 8 GiB": _length_of_8_gib,
    "no protocol buffer": lambda path: path.write_bytes(_file(b"\xff" * 100)),
    "a link to nowhere": lambda path: path.symlink_to("/no/such/file"),
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "many small messages": _many_small_messages("another"),
    "many small messages in our name": _many_small_messages(WRITER),
    "a shape that lies": _shape_that_lies,
}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of memory")
@pytest.mark.parametrize("place", [FIRST, LAST], ids=["before", "after"])
@pytest.mark.parametrize("make", (SHOWN | NOT_SHOWN).values(), ids=(SHOWN | NOT_SHOWN).keys())
def test_a_run_goes_on_beside_what_others_left_there(tmp_path: Path, make: Make, place: str) -> None:
    _log(tmp_path, 0, 1)
    make(tmp_path / "filters" / place)
    forget_peak()
    before = resident_mib()
    assert _log(tmp_path, 2, 3) == "filters"
    index = read_run_index(folder_of(tmp_path / "filters"))
    assert {0, 1, 2, 3} <= index.steps
    assert peak_mib() - before < 200
    assert index.recipe == RECIPE
    for step in range(4):
        assert np.array_equal(read_tiles(folder_of(tmp_path / "filters"), step)["conv_a"], TILES + step)


@pytest.mark.parametrize("make", SHOWN.values(), ids=SHOWN.keys())
def test_all_loaders_show_every_step_beside_it(tmp_path: Path, make: Make) -> None:
    _log(tmp_path, 0, 1)
    for place in (FIRST, LAST):
        make(tmp_path / "filters" / place)
    _log(tmp_path, 2, 3)
    assert steps_of_runs(tmp_path) == {"filters": [0, 1, 2, 3]}


def test_a_folder_that_is_called_as_a_file_of_events_is_none(tmp_path: Path) -> None:
    (tmp_path / "filters" / "old.tfevents.backup").mkdir(parents=True)
    assert not holds_anything(folder_of(tmp_path / "filters"))
    assert _log(tmp_path, 0, 1) == "filters"
    assert steps_of_runs(tmp_path) == {"filters": [0, 1]}


def test_a_folder_of_somebody_elses_events_is_left_to_them(tmp_path: Path) -> None:
    (tmp_path / "filters").mkdir()
    (tmp_path / "filters" / FIRST).write_bytes(_curves(3))
    before = (tmp_path / "filters" / FIRST).read_bytes()
    assert _log(tmp_path, 0) == "filters_2"
    assert [path.read_bytes() for path in (tmp_path / "filters").iterdir()] == [before]


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/no/such/folder")], ids=["file", "link"])
def test_what_has_the_name_of_a_run_and_is_no_folder_is_stepped_over(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "filters")
    sink = EventSink(tmp_path)
    assert sink.begin(RECIPE) == ""  # nothing is beside it that anybody logged
    assert Path(sink.run_dir).name == "filters_2"
    sink.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
@pytest.mark.parametrize(("of", "mode"), [("folder", 0o000), ("folder", 0o555), ("files", 0o000)])
def test_a_run_of_somebody_else_is_left_to_them(open_path: Path, as_nobody: AsNobody, of: str, mode: int) -> None:
    _log(open_path, 0)
    run = open_path / "filters"
    run.chmod(0o777)
    for path in [run] if of == "folder" else list(run.iterdir()):
        path.chmod(mode)
    with as_nobody():
        assert _log(open_path, 1) == "filters_2"


@pytest.mark.parametrize("step", [0, 1, 300, 2**62, -1])
def test_of_a_large_event_only_the_step_is_read(tmp_path: Path, step: int) -> None:
    picture = tensor_event(step, "picture", bytes(3 << 20), scalar_metadata())
    (tmp_path / "file").write_bytes(_file(picture.SerializeToString()))
    with (tmp_path / "file").open("rb") as stream:
        _, (read, end) = events(stream)
    assert (read.step, read.wall_time, len(read.summary.value)) == (step, picture.wall_time, 0)
    assert end == (tmp_path / "file").stat().st_size
