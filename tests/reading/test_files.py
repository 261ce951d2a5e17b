"""Event files, read without TensorBoard: its two loaders are asked the same in tests of the store and of the routes."""

import math
import re
import struct
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.data.provider import RunTagFilter

from tb_filterviz.errors import LogDirError
from tb_filterviz.logs.event_files import filters_metadata, frame, scalar_metadata, tensor_event
from tb_filterviz.reading.files import Choice, FileProvider
from tests import event_reader
from tests.plugin.serving import layer_events, scalars, write, write_events

ALL = 1 << 30
Block = Callable[[], AbstractContextManager[None]]


def test_every_tag_holds_what_tensorboards_own_reader_finds(tmp_path: Path) -> None:
    write(tmp_path, range(-1, 30), {"layer": "a"}, {"layer": "b/c"})
    write(tmp_path, range(30, 40), {"layer": "a"}, {"layer": "b/c"})  # goes on, in a second file
    scalars(tmp_path / "train", {"epoch_loss": [(0, 2.5), (1, math.inf), (2, 0.5)]})
    provider = FileProvider(tmp_path)
    assert provider.runs == ["filters", "train"]
    theirs = event_reader.read_run(tmp_path / "filters")
    listed = provider.list_tensors(plugin_name="filterviz")["filters"]
    curves = provider.list_scalars()["filters"]
    assert len(list((tmp_path / "filters").iterdir())) == 2
    assert {*listed, *curves} == {tag for tag in theirs.Tags()["tensors"] if not tag.startswith("filters/")}
    for tag in listed:
        read = provider.read_tensors(plugin_name="filterviz", downsample=ALL, run_tag_filter=RunTagFilter(tags=[tag]))
        found = {datum.step: datum.numpy for datum in read["filters"][tag]}
        expected = event_reader.series(tmp_path / "filters", tag)
        assert list(found) == list(expected)
        assert all(np.array_equal(found[step], expected[step]) for step in expected)
        assert listed[tag].max_step == max(expected)
        assert listed[tag].plugin_content == theirs.SummaryMetadata(tag).plugin_data.content
    for tag in curves:
        read = provider.read_scalars(downsample=ALL, run_tag_filter=RunTagFilter(tags=[tag]))["filters"][tag]
        expected = event_reader.series(tmp_path / "filters", tag)
        assert [(datum.step, datum.value) for datum in read] == [(step, float(one)) for step, one in expected.items()]
    (loss,) = provider.read_scalars(downsample=ALL, run_tag_filter=RunTagFilter(runs=["train"]))["train"].values()
    assert [datum.value for datum in loss] == [2.5, math.inf, 0.5]


def test_the_last_values_alone(tmp_path: Path) -> None:
    write(tmp_path, range(5))
    read = FileProvider(tmp_path).read_tensors(plugin_name="filterviz", downsample=2)["filters"]
    assert [datum.step for datum in read["filterviz/conv2d_1/tiles"]] == [3, 4]


def test_curves_of_the_first_tensorflow(tmp_path: Path) -> None:
    summary = Summary(value=[Summary.Value(tag="loss", simple_value=0.25)])
    write_events(tmp_path / "old", [Event(step=3, wall_time=7.0, summary=summary)])
    (datum,) = FileProvider(tmp_path).read_scalars(downsample=ALL)["old"]["loss"]
    assert (datum.step, datum.wall_time, datum.value) == (3, 7.0, 0.25)


def test_what_comes_after_damage_is_said_and_what_was_before_is_read(tmp_path: Path) -> None:
    folder = Path(write(tmp_path, range(3)))
    (file,) = folder.iterdir()
    whole = file.stat().st_size
    with file.open("ab") as stream:
        stream.write(frame(b"not an event")[:-1] + b"\0")
    provider = FileProvider(tmp_path)
    read = provider.read_tensors(plugin_name="filterviz", downsample=ALL)["filters"]
    assert [datum.step for datum in read["filterviz/conv2d_1/tiles"]] == [0, 1, 2]
    (sentence,) = provider.run("filters").damaged
    assert sentence.startswith(f"{file.name} is damaged, or not written yet, from byte {whole} on")


def test_a_number_that_stands_for_many_is_left_out(tmp_path: Path) -> None:
    event = tensor_event(0, "filterviz/lie", np.ones(1, np.float32), filters_metadata(b"{}"))
    sizes = event.summary.value[0].tensor.tensor_shape
    sizes.ClearField("dim")
    for size in (1 << 20, 1 << 20):
        sizes.dim.add(size=size)
    write_events(tmp_path / "run", [event])
    assert FileProvider(tmp_path).read_tensors(plugin_name="filterviz", downsample=ALL) == {
        "run": {"filterviz/lie": []}
    }


def test_only_what_was_chosen_is_handed_out(tmp_path: Path) -> None:
    write(tmp_path, range(6), {"layer": "a"}, {"layer": "a/b"}, {"layer": "c"})
    choice = Choice({"filters": {"a": {1, 5}}})
    read = FileProvider(tmp_path).choosing(choice).read_tensors(plugin_name="filterviz", downsample=ALL)["filters"]
    assert [datum.step for datum in read.pop("filterviz/recipe")] == [0]  # of the run, whatever steps were chosen
    assert {tuple(datum.step for datum in series) for series in read.values()} == {(1, 5)}
    assert all(re.fullmatch("filterviz/a/(tiles|statistics/[a-z_]+)", tag) for tag in read)
    curves = FileProvider(tmp_path).choosing(choice).list_scalars()["filters"]
    assert all(re.fullmatch("filterviz/a/[a-z_]+", tag) for tag in curves)


def test_a_link_that_leads_back_is_followed_once(tmp_path: Path) -> None:
    write(tmp_path / "logs", [0])
    (tmp_path / "logs" / "again").symlink_to(tmp_path / "logs")
    assert FileProvider(tmp_path / "logs").runs == ["filters"]


def test_a_run_that_is_named_itself(tmp_path: Path) -> None:
    assert FileProvider(write(tmp_path, [0])).runs == ["."]


def test_what_is_no_log_directory(tmp_path: Path) -> None:
    with pytest.raises(LogDirError, match="There is no log directory '.*/nowhere'"):
        FileProvider(tmp_path / "nowhere")
    assert FileProvider(tmp_path).runs == []


def test_folders_that_must_not_be_read_are_passed_over(open_path: Path, as_nobody: Block) -> None:
    write(open_path / "mine", [0])
    (open_path / "others").mkdir(mode=0o700)
    with as_nobody():
        assert FileProvider(open_path).runs == ["mine/filters"]


def test_a_file_that_must_not_be_read_is_said(open_path: Path, as_nobody: Block) -> None:
    (file,) = Path(write(open_path, [0])).iterdir()
    file.chmod(0o600)
    with as_nobody(), pytest.raises(LogDirError, match=r"Cannot read .*filters.*: Permission denied"):
        FileProvider(open_path).list_tensors(plugin_name="filterviz")


def test_logs_that_are_elsewhere(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="the extra 'remote' is not installed")
    folder = Path(write(tmp_path, range(3)))
    memory = fsspec.filesystem("memory")
    for file in folder.iterdir():
        memory.pipe_file(f"/elsewhere/filters/{file.name}", file.read_bytes())
    read = FileProvider("memory://elsewhere").read_tensors(plugin_name="filterviz", downsample=ALL)
    assert [datum.step for datum in read["filters"]["filterviz/conv2d_1/tiles"]] == [0, 1, 2]


def test_a_file_that_was_replaced_meanwhile_gives_nothing_wrong(tmp_path: Path) -> None:
    (file,) = Path(write(tmp_path, range(3))).iterdir()
    provider = FileProvider(tmp_path)
    provider.list_tensors(plugin_name="filterviz")
    file.write_bytes(struct.pack("<Q", 7) * 10)
    read = provider.read_tensors(plugin_name="filterviz", downsample=ALL)["filters"]
    assert read["filterviz/conv2d_1/tiles"] == []


def test_a_number_that_is_none_is_left_out(tmp_path: Path) -> None:
    words = tensor_event(0, "curve", np.array([b"words"]), scalar_metadata())
    several = tensor_event(1, "curve", np.ones(2, np.float32), scalar_metadata())
    number = tensor_event(2, "curve", np.float32(3), scalar_metadata())
    write_events(tmp_path / "run", [words, several, number, *layer_events(0, 1.0)])
    read = FileProvider(tmp_path).read_scalars(downsample=ALL)["run"]["curve"]
    assert [(datum.step, datum.value) for datum in read] == [(2, 3.0)]
