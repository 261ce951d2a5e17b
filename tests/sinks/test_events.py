import gc
import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from tb_filterviz import (
    Config,
    FileSink,
    FilterLogger,
    FilterVisualizer,
    GridConfig,
    LogDirError,
    MemorySink,
    VisualizationWarning,
)
from tb_filterviz.imaging.layout import grid
from tb_filterviz.logs.storage import folder_of
from tb_filterviz.metadata import decode_metadata, last_tag, statistic_tag
from tb_filterviz.parts.statistics import STANDARD
from tb_filterviz.session import Session
from tb_filterviz.sinks.events import EventSink
from tb_filterviz.sinks.run_index import RunIndex, read_run_index
from tests.event_reader import read_run, series
from tests.processes import run, started
from tests.snapshots import snapshot

_STATISTICS = [f"statistics/{statistic.name}" for statistic in STANDARD]


def test_everything_of_the_table_is_written_and_read_back(tmp_path: Path, small_model: keras.Model) -> None:
    session, memory, events = Session(small_model), MemorySink(), EventSink(tmp_path)
    events.begin(session.recipe("logger"))
    session.log(-1, [events, memory])
    small_model.set_weights([np.roll(weights, 1, axis=0) + 0.01 for weights in small_model.get_weights()])
    session.log(0, [events, memory])  # not closed: what is logged is safe at once
    run = read_run(tmp_path / "filters")
    assert set(run.Tags()["tensors"]) == {
        "filterviz/recipe",
        *(f"filters/{layer}" for layer in ("conv_a", "conv_b")),
        *(
            f"filterviz/{layer}/{name}"
            for layer in ("conv_a", "conv_b")
            for name in (
                "tiles",
                "mean_gain",
                "mean_score",
                "mean_kept",
                "share_responsive",
                "mean_change",
                "kernels/channels",
                "kernels/slices",
                "kernels/effective",
                *_STATISTICS,
            )
        ),
    }
    for layer in ("conv_a", "conv_b"):
        snapshots = {each.step: each for each in memory.snapshots if each.layer == layer}
        tiles = series(tmp_path / "filters", f"filterviz/{layer}/tiles")
        images = series(tmp_path / "filters", f"filters/{layer}")
        statistics = {each.name: series(tmp_path / "filters", statistic_tag(layer, each.name)) for each in STANDARD}
        assert all(list(found) == [-1, 0] for found in (tiles, images, *statistics.values()))
        for step, drawing in snapshots.items():
            assert tiles[step].dtype == np.uint8
            assert np.array_equal(tiles[step], drawing.tiles)
            assert drawing.kernels is not None
            for kind in ("channels", "slices", "effective"):
                stored = series(tmp_path / "filters", f"filterviz/{layer}/kernels/{kind}")[step]
                assert np.array_equal(stored, getattr(drawing.kernels, kind))
            for name, values in drawing.statistics.items():
                assert statistics[name][step].dtype == np.float32
                assert np.array_equal(statistics[name][step], values)
            width, height, png = images[step].tolist()
            picture = np.asarray(Image.open(io.BytesIO(png)))
            assert picture.shape[:2] == (int(height), int(width))
            drawn = grid(drawing.tiles, drawing.scores, drawing.responsive, drawing.flat, GridConfig())
            assert np.array_equal(picture.reshape(drawn.shape), drawn)
        assert snapshots[0].change.max() > 0
        curve = series(tmp_path / "filters", f"filterviz/{layer}/mean_change")
        assert curve == {0: pytest.approx(snapshots[0].change.mean())}
        assert curve[0].shape == ()


def _log(model: keras.Model, log_dir: Path, config: Config | None = None) -> None:
    session, events, step = Session(model, config=config), EventSink(log_dir), 0
    events.begin(session.recipe("logger"), step)
    session.log(step, [events])
    events.close()


def test_metadata_says_what_the_tensors_are(tmp_path: Path, small_model: keras.Model) -> None:
    _log(small_model, tmp_path)
    run = read_run(tmp_path / "filters")
    tiles, score = (run.SummaryMetadata(f"filterviz/conv_b/{name}") for name in ("tiles", "statistics/score"))
    assert tiles.data_class == score.data_class == 2
    assert tiles.plugin_data.plugin_name == "filterviz"
    content = decode_metadata(tiles.plugin_data.content)
    assert (content["layer"], content["position"], content["filters"], content["first_filter"]) == ("conv_b", 1, 6, 0)
    assert content["shape"] == [6, 8, 8, 1]
    assert content["unit"] == "epoch"
    described = decode_metadata(score.plugin_data.content)
    assert (described["name"], described["label"], described["value_unit"]) == ("score", "score", "number")
    assert run.SummaryMetadata("filterviz/conv_b/mean_score").display_name == "mean score"
    recipe = decode_metadata(run.SummaryMetadata("filterviz/recipe").plugin_data.content)["recipe"]
    assert recipe == Session(small_model).recipe("logger")
    assert "6 filters of 8 x 8 px, gray" in run.SummaryMetadata("filters/conv_b").summary_description


def test_large_layers_are_stored_smaller_and_in_several_tags(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((96, 96, 3)), keras.layers.ReLU(), keras.layers.Conv2D(90, 1, name="large")])
    _log(model, tmp_path, Config(objective="channel_mean"))
    tags = [tag for tag in read_run(tmp_path / "filters").Tags()["tensors"] if "tiles" in tag]
    assert sorted(tags) == [f"filterviz/large/tiles{part}" for part in ("", "_1", "_2", "_3", "_4")]
    shapes = [series(tmp_path / "filters", tag)[0].shape for tag in sorted(tags)]
    assert sum(shape[0] for shape in shapes) == 90
    assert {shape[1:] for shape in shapes} == {(48, 48, 3)}


def test_a_new_file_for_every_sink_and_the_last_step_is_found(tmp_path: Path, small_model: keras.Model) -> None:
    session = Session(small_model, layers="conv_a")
    for first in (0, 2):
        events = EventSink(tmp_path)
        events.begin(session.recipe("logger"), first)
        assert events.last_step == (None if first == 0 else 1)
        for step in (first, first + 1):
            session.log(step, [events])
        events.close()
        events.close()
    files = sorted((tmp_path / "filters").iterdir())
    assert len(files) == 2
    assert _index(tmp_path).steps == {0, 1, 2, 3}
    files[1].write_bytes(files[1].read_bytes()[:-10])  # a process killed while it wrote
    assert _index(tmp_path).steps == {0, 1, 2}


def _index(log_dir: Path) -> RunIndex:
    return read_run_index(folder_of(log_dir / "filters"))


def test_what_cannot_be_written_to_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (str(tmp_path / "file"), "/proc/no/such"):
        with pytest.raises(LogDirError, match="Cannot write to the log directory"):
            EventSink(folder)
        with pytest.raises(LogDirError, match="Cannot write pictures to"):
            FileSink(folder)


def test_pictures_go_to_files(tmp_path: Path, small_model: keras.Model) -> None:
    sink = FileSink(tmp_path / "pictures")
    Session(small_model).log(3, [sink])
    sink.report(4, "no picture")
    names = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert names == ["conv_a-0003.png", "conv_b-0003.png", "failed-0004.txt"]


def test_pictures_are_written_again_where_their_folder_was_deleted(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "pictures")
    for step in range(2):
        sink.write(step, [snapshot(np.zeros((2, 4, 4, 1), np.uint8), step, "conv")])
        assert [path.name for path in (tmp_path / "pictures").iterdir()] == [f"conv-{step:04d}.png"]
        shutil.rmtree(tmp_path / "pictures")
    (tmp_path / "pictures").touch()
    with pytest.raises(LogDirError, match=r"Cannot write pictures to '.*pictures': File exists$"):
        sink.report(2, "nothing")


@pytest.mark.parametrize("name", ["", "a\0b", Path("a\0b"), b"logs", None], ids=repr)
@pytest.mark.parametrize("door", [EventSink, FileSink, FilterLogger, FilterVisualizer])
def test_what_is_no_name_of_a_folder_is_refused_at_every_door(door: Callable[[Any], Any], name: Any) -> None:
    with pytest.raises(LogDirError, match=r"^A log directory (needs a name|is a string or a path).* Received: "):
        door(name)


_HOLD = """
import sys
from tb_filterviz.sinks.events import EventSink
sink = EventSink(sys.argv[1])
sink.begin({"layers": [{"layer": "conv_a"}]})
print(sink.run_dir, flush=True)
input()
"""


def test_a_run_that_another_process_writes_is_left_to_it(tmp_path: Path, small_model: keras.Model) -> None:
    with started("-c", _HOLD, tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        assert other.stdout.readline() == f"{tmp_path / 'filters'}\n"
        session, events = Session(small_model), EventSink(tmp_path)
        notice = events.begin(session.recipe("logger"), 0)
        run, other_run = str(tmp_path / "filters_2"), str(tmp_path / "filters")
        assert notice.startswith(f"This is written to {run!r}, beside {other_run!r}, which holds another network, or ")
        session.log(0, [events])
        other.kill()  # whatever ends it
    events.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["filters", "filters_2"]


def test_a_run_that_a_dead_process_wrote_goes_on(tmp_path: Path, small_model: keras.Model) -> None:
    session, events = Session(small_model), EventSink(tmp_path)
    events.begin(session.recipe("logger"), 0)
    session.log(0, [events])
    del events  # never closed: what nobody can write to any more is free
    gc.collect()
    again = EventSink(tmp_path)
    assert again.begin(session.recipe("logger"), 1) == ""
    assert again.last_step == 0
    again.close()


def test_a_log_directory_that_vanishes_is_said_once_and_written_anew(tmp_path: Path, small_model: keras.Model) -> None:
    events, session = EventSink(tmp_path), Session(small_model)
    events.begin(session.recipe("logger"), 0)
    session.history = events.history
    session.log(0, [events])
    shutil.rmtree(tmp_path)
    small_model.set_weights([weights[::-1] for weights in small_model.get_weights()])
    with pytest.warns(
        VisualizationWarning, match=r"The event file in '.*filters' was deleted, with the steps in it\. Writing goes on"
    ) as told:
        session.log(1, [events])
    session.log(2, [events])
    assert len(told) == 1
    assert _index(tmp_path).steps == {1, 2}
    changes = series(tmp_path / "filters", statistic_tag("conv_a", "change"))
    assert changes[1].max() > 0  # what is known is not forgotten
    events.close()


def test_a_full_disk_is_told_in_a_sentence_and_what_comes_after_it_is_readable(tmp_path: Path) -> None:
    done = run("-c", _FULL, tmp_path)
    failed = [line for line in done.stdout.splitlines() if line.startswith("failed")]
    assert failed == ["failed 1: File too large", "failed 2: File too large", "failed 4: File too large"]
    for tag in ("filters/conv_a", last_tag("conv_b"), statistic_tag("conv_a", "score")):
        assert list(series(tmp_path / "filters", tag)) == [0, 3, 5]


_FULL = """
import resource, signal, sys
import numpy as np
from pathlib import Path
from tb_filterviz.errors import LogDirError
from tb_filterviz.sinks.events import EventSink
from tests.snapshots import snapshot

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limits = resource.getrlimit(resource.RLIMIT_FSIZE)
tiles = np.random.default_rng(0).integers(0, 255, (20, 28, 28, 1), np.uint8)
events = EventSink(sys.argv[1])
events.begin({"layers": [{"layer": "conv_a"}, {"layer": "conv_b"}]})
for step in range(6):
    full = step in (1, 2, 4)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000 if step == 2 else 70_000, limits[1]) if full else limits)
    try:
        events.write(step, [snapshot(tiles, step, layer) for layer in ("conv_a", "conv_b")])
    except LogDirError as error:
        print(f"failed {step}: {str(error).rsplit(': ', 1)[1]}")
events.close()
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
"""
