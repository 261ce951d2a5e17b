import io
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from tb_filterviz import FileSink, GridConfig, MemorySink
from tb_filterviz.errors import LogDirError
from tb_filterviz.imaging.layout import grid
from tb_filterviz.records import STATS_ROWS, decode_metadata
from tb_filterviz.session import Session
from tb_filterviz.sinks.events import EventSink
from tb_filterviz.sinks.held import read_held
from tests.reading import read_run, series


def test_everything_of_the_table_is_written_and_read_back(tmp_path: Path, small_model: keras.Model) -> None:
    session, memory, events = Session(small_model), MemorySink(), EventSink(str(tmp_path))
    session.log(-1, [events, memory])
    small_model.set_weights([weights * 1.5 + 0.01 for weights in small_model.get_weights()])
    session.log(0, [events, memory])  # not closed: what is logged is safe at once
    run = read_run(tmp_path / "filters")
    assert set(run.Tags()["tensors"]) == {
        *(f"filters/{layer}" for layer in ("conv_a", "conv_b")),
        *(
            f"filterviz/{layer}/{name}"
            for layer in ("conv_a", "conv_b")
            for name in ("tiles", "stats", "mean_score", "share_responsive", "mean_change")
        ),
    }
    for layer in ("conv_a", "conv_b"):
        snapshots = {snapshot.step: snapshot for snapshot in memory.snapshots if snapshot.layer == layer}
        tiles, stats = (series(tmp_path / "filters", f"filterviz/{layer}/{name}") for name in ("tiles", "stats"))
        images = series(tmp_path / "filters", f"filters/{layer}")
        assert list(tiles) == list(stats) == list(images) == [-1, 0]
        for step, snapshot in snapshots.items():
            assert tiles[step].dtype == np.uint8
            assert np.array_equal(tiles[step], snapshot.tiles)
            assert np.array_equal(stats[step], snapshot.stats())
            width, height, png = images[step].tolist()
            picture = np.asarray(Image.open(io.BytesIO(png)))
            assert picture.shape[:2] == (int(height), int(width))
            drawn = grid(snapshot.tiles, snapshot.scores, snapshot.responsive, snapshot.flat, GridConfig())
            assert np.array_equal(picture.reshape(drawn.shape), drawn)
        assert snapshots[0].change.max() > 0
        curve = series(tmp_path / "filters", f"filterviz/{layer}/mean_change")
        assert curve == {0: pytest.approx(snapshots[0].change.mean())}
        assert curve[0].shape == ()


def test_metadata_says_what_the_tensors_are(tmp_path: Path, small_model: keras.Model) -> None:
    events = EventSink(str(tmp_path))
    Session(small_model).log(0, [events])
    run = read_run(tmp_path / "filters")
    tiles, stats = (run.SummaryMetadata(f"filterviz/conv_b/{name}") for name in ("tiles", "stats"))
    assert tiles.data_class == stats.data_class == 2
    assert tiles.plugin_data.plugin_name == "filterviz"
    content = decode_metadata(tiles.plugin_data.content)
    assert (content["layer"], content["position"], content["filters"], content["first_filter"]) == ("conv_b", 1, 6, 0)
    assert content["shape"] == [6, 12, 12, 1]
    assert content["unit"] == "epoch"
    assert decode_metadata(stats.plugin_data.content)["rows"] == list(STATS_ROWS)
    assert "6 filters of 12 x 12 px, gray" in run.SummaryMetadata("filters/conv_b").summary_description


def test_large_layers_are_stored_smaller_and_in_several_tags(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((96, 96, 3)), keras.layers.ReLU(), keras.layers.Conv2D(90, 1, name="large")])
    events = EventSink(str(tmp_path))
    Session(model).log(0, [events])
    tags = [tag for tag in read_run(tmp_path / "filters").Tags()["tensors"] if "tiles" in tag]
    assert sorted(tags) == [f"filterviz/large/tiles{part}" for part in ("", "_1", "_2", "_3", "_4")]
    shapes = [series(tmp_path / "filters", tag)[0].shape for tag in sorted(tags)]
    assert sum(shape[0] for shape in shapes) == 90
    assert {shape[1:] for shape in shapes} == {(48, 48, 3)}


def test_a_new_file_for_every_sink_and_the_last_step_is_found(tmp_path: Path, small_model: keras.Model) -> None:
    session = Session(small_model, layers="conv_a")
    for first in (0, 2):
        events = EventSink(str(tmp_path))
        assert events.last_step == (None if first == 0 else 1)
        for step in (first, first + 1):
            session.log(step, [events])
        events.close()
        events.close()
    files = sorted((tmp_path / "filters").iterdir())
    assert len(files) == 2
    files[1].write_bytes(files[1].read_bytes()[:-10])  # a process killed while it wrote
    assert read_held(str(tmp_path / "filters")).last_step in (2, 3)
    assert read_held(str(tmp_path / "nothing")).last_step is None


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


def test_files_sort_in_the_order_in_which_they_were_made(tmp_path: Path) -> None:
    names: list[str] = []
    for _ in range(3):
        EventSink(str(tmp_path)).close()
        (new,) = {path.name for path in (tmp_path / "filters").iterdir()} - set(names)
        names.append(new)
    assert names == sorted(names)
    assert len({name.split(".")[3] for name in names}) == 3  # a second each, whatever comes after it in the name
