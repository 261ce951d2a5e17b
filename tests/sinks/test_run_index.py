import io
import json
import shutil
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

from tb_filterviz import AscentConfig, Config, FilterLogger, FilterVisualizer, MemorySink
from tb_filterviz.imaging.layout import shrink
from tb_filterviz.logs.event_files import events, filters_metadata, tensor_event
from tb_filterviz.logs.storage import folder_of
from tb_filterviz.metadata import RECIPE_TAG, STORED_TILE_PX, encode_recipe, encode_tiles, statistic_tag, tiles_tag
from tb_filterviz.recipe import Recipe
from tb_filterviz.session import Session
from tb_filterviz.sinks.events import EventSink
from tb_filterviz.sinks.run_index import RunIndex, read_run_index, read_tiles
from tests.event_reader import read_run, series, steps
from tests.plugin import serving
from tests.snapshots import snapshot


def _index(log_dir: Path) -> RunIndex:
    return read_run_index(folder_of(log_dir / "filters"))


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
    assert _index(tmp_path).last_step is None
    written = _log(tmp_path, small_model, 0, 5).snapshots
    held = _index(tmp_path)
    assert held.last_step == 5
    assert held.steps == set(range(6))
    assert held.layers == ["conv_a", "conv_b"]
    assert held.recipe == Session(small_model).recipe("logger")
    for layer in ("conv_a", "conv_b"):
        tiles = {snapshot.step: snapshot.tiles for snapshot in written if snapshot.layer == layer}
        assert list(held.history.tiles[layer]) == [0, 5]
        assert all(np.array_equal(kept, tiles[step]) for step, kept in held.history.tiles[layer].items())


def test_large_layers_come_back_from_their_parts(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((100, 100, 3)), keras.layers.Conv2D(30, 3, name="wide")])
    memory, events = MemorySink(), EventSink(tmp_path)
    session = Session(model, config=Config(objective="channel_mean", ascent=AscentConfig(canvas_px=None)))
    events.begin(session.recipe("logger"))
    session.log(0, [events, memory])
    assert "filterviz/wide/tiles_1" in read_run(tmp_path / "filters").Tags()["tensors"]
    kept = _index(tmp_path).history.tiles["wide"][0]
    assert np.array_equal(kept, shrink(memory.snapshots[0].tiles, STORED_TILE_PX))


def test_a_run_that_is_resumed_goes_on_as_if_it_had_never_stopped(tmp_path: Path, small_model: keras.Model) -> None:
    start = small_model.get_weights()
    _log(tmp_path / "whole", small_model, 0, 4)
    small_model.set_weights(start)
    _log(tmp_path / "parts", small_model, 0, 2)
    _log(tmp_path / "parts", small_model, 3, 4)
    for tag in set(read_run(tmp_path / "whole" / "filters").Tags()["tensors"]) - {RECIPE_TAG}:  # that is in every file
        whole, parts = (series(tmp_path / run / "filters", tag) for run in ("whole", "parts"))
        assert list(whole) == list(parts)
        assert all(np.array_equal(whole[step], parts[step]) for step in whole)


def test_a_training_that_is_resumed_compares_with_the_one_before(tmp_path: Path, small_model: keras.Model) -> None:
    x, y = np.random.default_rng(0).random((8, 12, 12, 1)), np.zeros(8)
    for initial in (0, 2):
        callback = FilterVisualizer(tmp_path, "conv_b")
        small_model.fit(x, y, initial_epoch=initial, epochs=initial + 2, verbose=0, callbacks=[callback])
    assert steps(tmp_path / "filters", "filterviz/conv_b/mean_change") == [0, 1, 2, 3]
    changes = series(tmp_path / "filters", statistic_tag("conv_b", "change_since_start"))
    since_start = [float(changes[step].mean()) for step in range(4)]
    assert min(since_start) > 0


def _parts_of_a_step(log_dir: Path) -> tuple[Recipe, bytes, list[int]]:
    """A run of two layers and three steps: how it was drawn, its only file, and where its records end."""
    sink = EventSink(log_dir)
    recipe = {"layers": [{"layer": "conv_a"}, {"layer": "conv_b"}]}
    sink.begin(recipe)
    for step in range(3):
        sink.write(step, [snapshot(_TILES + step, step, layer) for layer in ("conv_a", "conv_b")])
    sink.close()
    (file,) = (log_dir / "filters").iterdir()
    content = file.read_bytes()
    return recipe, content, [end for _, end in events(io.BytesIO(content))]


_TILES = np.zeros((2, 4, 4, 1), np.uint8)


def test_wherever_a_step_was_cut_off_it_is_written_again_and_nothing_is_lost_or_there_twice(tmp_path: Path) -> None:
    recipe, content, ends = _parts_of_a_step(tmp_path / "whole")
    cuts = [cut for end in ends[1:] for cut in (end, end - 3)]  # between records, and within each
    for cut in cuts:
        log_dir = tmp_path / str(cut)
        (log_dir / "filters").mkdir(parents=True)
        (log_dir / "filters" / "events.out.tfevents.1000000000.one.v2").write_bytes(content[:cut])
        whole = {step for step in range(3) if cut >= ends[1 + (step + 1) * (len(ends) - 2) // 3]}
        sink = EventSink(log_dir)
        sink.begin(recipe, max(whole, default=-1) + 1)
        assert sink.index.steps == whole, cut
        for step in range(max(whole, default=-1) + 1, 4):
            sink.write(step, [snapshot(_TILES + step, step, layer) for layer in ("conv_a", "conv_b")])
        sink.close()
        assert [path.name for path in log_dir.iterdir()] == ["filters"], cut
        run = read_run(log_dir / "filters")
        tags = set(run.Tags()["tensors"]) - {RECIPE_TAG}
        assert len(tags) == 2 * 12
        for tag in tags:
            assert [event.step for event in run.Tensors(tag)] == [0, 1, 2, 3], (cut, tag)


def test_a_run_of_the_first_format_is_read_and_left_as_it_is(
    tmp_path: Path, root: Path, small_model: keras.Model
) -> None:
    shutil.copytree(root / "tests" / "data" / "format_1" / "filters", tmp_path / "filters")
    before = {path.name: path.read_bytes() for path in (tmp_path / "filters").iterdir()}
    expected = np.load(root / "tests" / "data" / "format_1" / "expected.npz")
    index = _index(tmp_path)
    assert index.recipe is None
    assert index.steps == set(expected["conv_b_steps"].tolist())
    for step, tiles in zip(expected["conv_b_steps"].tolist(), expected["conv_b_tiles"], strict=True):
        assert np.array_equal(read_tiles(folder_of(tmp_path / "filters"), step, any_writer=True)["conv_b"], tiles)
    _log(tmp_path, small_model, 7, 8)
    assert {path.name: path.read_bytes() for path in (tmp_path / "filters").iterdir()} == before
    assert steps(tmp_path / "filters_2", "filters/conv_a") == [7, 8]


@given(content=st.binary(max_size=400), cut=st.integers(0, 6000))
@settings(max_examples=60)
def test_foreign_and_damaged_files_are_passed_over(content: bytes, cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        log_dir = Path(name)
        _, whole, _ = _parts_of_a_step(log_dir)
        (log_dir / "filters" / "events.out.tfevents.0000000001.odd").write_bytes(content)
        (log_dir / "filters" / "events.out.tfevents.0000000002.cut").write_bytes(whole[:cut] + content)
        (log_dir / "filters" / "tfevents.folder").mkdir()
        assert _index(log_dir).steps == {0, 1, 2}


@pytest.mark.parametrize("layers", [None, 5, "ab", {"a": 1}, [5, "a", {}, {"layer": 5}, {"layer": ["a"]}]], ids=repr)
def test_a_recipe_that_lists_no_layers_is_read(tmp_path: Path, layers: Any) -> None:
    metadata = filters_metadata(encode_recipe({"layers": layers}))
    serving.write_events(tmp_path, [tensor_event(0, RECIPE_TAG, np.uint8(0), metadata), *serving.layer_events(1, 1.0)])
    index = read_run_index(folder_of(tmp_path))
    assert index.layers == []
    assert index.steps == {1}  # as of a run without a recipe: of the layers that there are


def _event_of_tiles(tensor: TensorProto, layer: Any = "a") -> Event:
    taken = serving.snapshot(0, layer="a")
    described = {**json.loads(encode_tiles(taken, taken.tiles.shape, slice(0, 1))), "layer": layer, "filters": 1}
    event = tensor_event(1, tiles_tag("a", 0), 0, filters_metadata(json.dumps(described).encode()))
    event.summary.value[0].tensor.CopyFrom(tensor)
    return event


def _tensor(*sizes: int, dtype: int = 4, **values: Any) -> TensorProto:
    return TensorProto(
        dtype=dtype, tensor_shape=TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in sizes]), **values
    )


@pytest.mark.parametrize(
    "tensor",
    [
        _tensor(1, 1 << 14, 1 << 14, 1, int_val=[7]),  # one number, to be repeated
        _tensor(1, 1 << 62, 1 << 62, 1, int_val=[7]),
        _tensor(1, -(1 << 20), -(1 << 20), 1, int_val=[7]),
        _tensor(1, 2, 2, 1, dtype=1, tensor_content=bytes(16)),  # float32
        _tensor(1, 4, tensor_content=bytes(4)),
        _tensor(1, 2, 2, 1, tensor_content=bytes(3)),
    ],
    ids=["repeated", "beyond", "negative", "type", "rank", "cut"],
)
def test_tiles_that_are_none_are_passed_over_in_no_memory(tmp_path: Path, tensor: TensorProto) -> None:
    serving.write_events(tmp_path, [_event_of_tiles(tensor)])
    tracemalloc.start()
    read, index = read_tiles(folder_of(tmp_path), 1), read_run_index(folder_of(tmp_path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read == index.history.tiles == {}
    assert peak < 8 << 20


def test_tiles_of_no_layer_are_passed_over(tmp_path: Path) -> None:
    tensor = _tensor(1, 2, 2, 1, tensor_content=bytes(range(4)))
    serving.write_events(tmp_path, [_event_of_tiles(tensor, layer) for layer in (5, None, ["a"], "a")])
    (tiles,) = read_tiles(folder_of(tmp_path), 1).values()
    assert tiles.ravel().tolist() == [0, 1, 2, 3]
    assert list(read_run_index(folder_of(tmp_path)).history.tiles) == []  # the step is not whole
