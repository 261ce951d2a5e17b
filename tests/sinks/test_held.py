from pathlib import Path

import keras
import numpy as np

from tb_filterviz import Config, FilterLogger, FilterVisualizer, MemorySink
from tb_filterviz.imaging.layout import shrink
from tb_filterviz.records import STORED_TILE_PX
from tb_filterviz.session import Session
from tb_filterviz.sinks.events import EventSink
from tb_filterviz.sinks.held import read_held
from tests.reading import read_run, series, steps


def _grow(model: keras.Model, step: int) -> None:
    rng = np.random.default_rng(step + 10)
    model.set_weights([weights + rng.normal(0, 0.1, weights.shape) for weights in model.get_weights()])


def _log(folder: Path, model: keras.Model, first: int, last: int) -> MemorySink:
    memory = MemorySink()
    with FilterLogger(folder, sinks=[memory]) as logger:
        for step in range(first, last + 1):
            _grow(model, step)
            logger.log(model, step)
    return memory


def test_a_run_says_what_it_holds(tmp_path: Path, small_model: keras.Model) -> None:
    assert read_held(str(tmp_path / "filters")).last_step is None
    written = _log(tmp_path, small_model, 0, 5).snapshots
    held = read_held(str(tmp_path / "filters"))
    assert held.last_step == held.last_whole("conv_a") == 5
    assert [step for step in range(-1, 8) if held.has_whole("conv_b", step)] == list(range(6))
    assert not held.has_whole("conv_c", 0)
    for layer in ("conv_a", "conv_b"):
        tiles = {snapshot.step: snapshot.tiles for snapshot in written if snapshot.layer == layer}
        assert list(held.history.tiles[layer]) == [0, 4, 5]
        assert all(np.array_equal(kept, tiles[step]) for step, kept in held.history.tiles[layer].items())


def test_large_layers_come_back_from_their_parts(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((100, 100, 3)), keras.layers.Conv2D(30, 3, name="wide")])
    memory, events = MemorySink(), EventSink(str(tmp_path))
    Session(model, config=Config(objective="channel_mean")).log(0, [events, memory])
    assert "filterviz/wide/tiles_1" in read_run(tmp_path / "filters").Tags()["tensors"]
    kept = read_held(str(tmp_path / "filters")).history.tiles["wide"][0]
    assert np.array_equal(kept, shrink(memory.snapshots[0].tiles, STORED_TILE_PX))


def test_a_run_that_is_resumed_goes_on_as_if_it_had_never_stopped(tmp_path: Path, small_model: keras.Model) -> None:
    start = small_model.get_weights()
    _log(tmp_path / "whole", small_model, 0, 4)
    small_model.set_weights(start)
    _log(tmp_path / "parts", small_model, 0, 2)
    _log(tmp_path / "parts", small_model, 3, 4)
    for tag in read_run(tmp_path / "whole" / "filters").Tags()["tensors"]:
        whole, parts = (series(tmp_path / run / "filters", tag) for run in ("whole", "parts"))
        assert list(whole) == list(parts)
        assert all(np.array_equal(whole[step], parts[step]) for step in whole)


def test_a_training_that_is_resumed_compares_with_the_one_before(tmp_path: Path, small_model: keras.Model) -> None:
    x, y = np.random.default_rng(0).random((8, 12, 12, 1)), np.zeros(8)
    for initial in (0, 2):
        callback = FilterVisualizer(tmp_path, "conv_b")
        small_model.fit(x, y, initial_epoch=initial, epochs=initial + 2, verbose=0, callbacks=[callback])
    assert steps(tmp_path / "filters", "filterviz/conv_b/mean_change") == [0, 1, 2, 3]
    stats = series(tmp_path / "filters", "filterviz/conv_b/stats")
    since_start = [float(stats[step][4].mean()) for step in range(4)]
    assert min(since_start) > 0


def test_only_what_is_missing_of_a_step_is_written(tmp_path: Path, small_model: keras.Model) -> None:
    session = Session(small_model)
    (a, b) = session.render(0)
    events = EventSink(str(tmp_path))
    events.write(0, [a])
    events.close()
    again = EventSink(str(tmp_path))
    again.complete(0, [a, b])
    again.close()
    run = read_run(tmp_path / "filters")
    assert all([event.step for event in run.Tensors(tag)] == [0] for tag in run.Tags()["tensors"])
    assert {tag.split("/")[1] for tag in run.Tags()["tensors"]} == {"conv_a", "conv_b"}
