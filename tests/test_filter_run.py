"""Runs read back: what was written, nothing else, and all of it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import (
    ConfigError,
    FilterVisualizer,
    LogDirError,
    SeriesError,
    StepError,
    UnknownLayerError,
    VisualizationWarning,
    read_run,
    read_runs,
)
from tb_filterviz.config import GridConfig
from tb_filterviz.examples.settings import Examples
from tb_filterviz.logs.event_files import filters_metadata, tensor_event
from tb_filterviz.metadata import encode_tiles, tiles_tag
from tb_filterviz.sinks.memory import MemorySink
from tests.plugin.serving import layer_events, pixels, scalars, snapshot, write, write_events, write_tiles

LAYERS: tuple[dict[str, Any], ...] = (
    {"layer": "conv_a"},
    {"layer": "backbone/conv_b", "shape": (9, 7, 6, 3), "position": 1},
)
FORMAT_1_ROWS = ["score", "responsive", "flat", "change", "change_since_start"]


def format_1(folder: Path, steps: range, layers: Sequence[dict[str, Any]]) -> None:
    """A run as the first edition wrote it: all statistics in one series, and no recipe."""
    written = []
    for step in steps:
        for layer in layers:
            taken = snapshot(step, **layer)
            name = taken.layer
            common = {
                "version": 1,
                "layer": name,
                "position": taken.position,
                "unit": "epoch",
                "filters": len(taken.tiles),
            }
            tiles = {
                **common,
                "kind": "tiles",
                "objective": "channel_mean",
                "shape": taken.tiles.shape,
                "first_filter": 0,
            }
            rows = np.stack([taken.statistics[each] for each in FORMAT_1_ROWS])
            stats = {**common, "kind": "stats", "shape": rows.shape, "rows": FORMAT_1_ROWS}
            for tag, values, content in (("tiles", taken.tiles, tiles), ("stats", rows, stats)):
                metadata = filters_metadata(json.dumps(content).encode())
                written.append(tensor_event(step, f"filterviz/{name}/{tag}", values, metadata))
    write_events(folder, written)


@pytest.mark.parametrize("version", [1, 2])
def test_two_hundred_steps_of_two_layers_of_three_runs(version: int, tmp_path: Path) -> None:
    for place in ("one", "two", "three"):
        if version == 1:
            format_1(tmp_path / place / "filters", range(-1, 199), LAYERS)
        else:
            write(tmp_path / place, range(-1, 199), *LAYERS)
    runs = read_runs(tmp_path)
    assert list(runs) == ["one/filters", "three/filters", "two/filters"]
    for run in runs.values():
        assert run.layers == ["conv_a", "backbone/conv_b"]
        for layer in LAYERS:
            series = run[str(layer["layer"])]
            written = [snapshot(step, **layer) for step in range(-1, 199)]
            assert series.steps.tolist() == list(range(-1, 199))
            assert series.tiles.dtype == np.uint8
            assert np.array_equal(series.tiles, np.stack([each.tiles for each in written]))
            assert set(series.statistics) == set(FORMAT_1_ROWS if version == 1 else written[0].statistics)
            for name, values in series.statistics.items():
                assert values.dtype == np.float32
                assert np.array_equal(values, np.stack([each.statistics[name] for each in written]))
        assert run.problems == []
        assert bool(run.recipe) == (version == 2)


def test_a_run_that_the_first_edition_wrote(root: Path) -> None:
    folder = root / "tests" / "data" / "format_1"
    expected = np.load(folder / "expected.npz")
    run = read_run(folder)
    assert run.layers == ["conv_a", "conv_b"]
    for layer in run:
        series = run[layer]
        assert series.steps.tolist() == expected[f"{layer}_steps"].tolist()
        assert np.array_equal(series.tiles, expected[f"{layer}_tiles"])
        assert np.array_equal(series.statistics["score"], expected[f"{layer}_scores"])
        assert np.array_equal(series.statistics["responsive"] != 0, expected[f"{layer}_responsive"])
        assert np.array_equal(series.statistics["flat"] != 0, expected[f"{layer}_flat"])


def test_many_filters_in_several_tags(tmp_path: Path) -> None:
    shape = (300, 28, 28, 1)
    write(tmp_path, [0, 1], {"layer": "large", "shape": shape})
    series = read_run(tmp_path)["large"]
    assert np.array_equal(series.tiles, np.stack([pixels(step, "large", shape) for step in (0, 1)]))
    assert np.array_equal(series.tiles_at(1), pixels(1, "large", shape))


def test_filters_that_were_chosen_keep_their_numbers(tmp_path: Path) -> None:
    write(tmp_path, [0], {"indices": [42, 3, 17], "shape": (3, 5, 5, 1)})
    series = read_run(tmp_path)["conv2d_1"]
    assert series.filters.tolist() == [42, 3, 17]
    assert series.places_of([17, 42]).tolist() == [2, 0]
    with pytest.raises(ConfigError, match=r"3 of 3 to 42. Received: filters=\[0\]"):
        series.places_of([0])


def test_a_restarted_training_counts_from_where_it_began_again(tmp_path: Path) -> None:
    for begin, clock in ((0, 100.0), (2, 200.0)):
        write_events(
            tmp_path / "filters",
            [event for step in range(begin, begin + 4) for event in layer_events(step, clock + step)],
        )
    assert read_run(tmp_path)["conv2d_1"].steps.tolist() == [0, 1, 2, 3, 4, 5]
    assert read_run(tmp_path)["conv2d_1"].wall_times.tolist() == [100, 101, 202, 203, 204, 205]


def test_the_run_that_was_written_last_is_the_one_that_is_read(tmp_path: Path) -> None:
    for name, clock in (("filters", 300.0), ("filters_2", 100.0), ("filters_10", 200.0)):
        write_events(tmp_path / name, layer_events(0, clock))
    assert read_run(tmp_path).name == "filters"
    assert list(read_runs(tmp_path)) == ["filters", "filters_2", "filters_10"]
    assert read_run(tmp_path, "filters_2").name == "filters_2"
    assert read_run(tmp_path / "filters_2").name == "."


def test_a_grid_is_that_of_the_snapshot(tmp_path: Path) -> None:
    write(tmp_path, [-1, 0, 1])
    series = read_run(tmp_path)["conv2d_1"]
    config = GridConfig(columns=4, scale=2, margin_px=1)
    for step in (-1, 0, 1):
        assert np.array_equal(series.grid(step, config), snapshot(step).grid(config))
    assert np.array_equal(series.grid(config=config), snapshot(1).grid(config))
    best = GridConfig(order="score", top_k=2, scale=1, margin_px=0)
    assert np.array_equal(series.grid(config=best, filters=[1, 4, 5])[:, :5], snapshot(1).tiles[5])


def test_what_a_training_wrote_with_its_examples(
    tmp_path: Path, fit: Callable[..., Any], small_model: keras.Model
) -> None:
    images = np.random.default_rng(0).random((20, 12, 12, 1), np.float32)
    labels = np.arange(20) % 10
    memory = MemorySink()
    examples = Examples((images, labels), class_names=list("abcdefghij"), maps=3)
    fit(
        small_model,
        keras.callbacks.TensorBoard(tmp_path),
        FilterVisualizer(tmp_path, examples=examples, sinks=[memory]),
        epochs=2,
    )
    run = read_run(tmp_path)
    assert run.recipe["model"]["name"] == small_model.name
    assert run.examples is not None
    assert len(run.examples.pictures) == 20
    assert run.examples.labels == tuple(labels)
    assert run.examples.class_names == tuple("abcdefghij")
    for name in run:
        series = run[name]
        drawn = [each for each in memory.snapshots if each.layer == name]
        assert series.steps.tolist() == [each.step for each in drawn] == [-1, 0, 1]
        assert np.array_equal(series.tiles, np.stack([each.tiles for each in drawn]))
        answers = [each.responses for each in drawn]
        maps = [each.maps for each in answers if each is not None and each.maps is not None]
        assert series.maps is not None
        assert np.array_equal(series.maps, np.stack(maps))
        patches = series.responses["patches"]
        assert patches.steps.tolist() == [-1, 0, 1]
        for at, each in enumerate(answers):
            assert each is not None
            assert np.array_equal(patches.values[at, ..., 0], each.patches)
            assert np.array_equal(patches.values[at, ..., 3], each.values)
        kernels = [each.kernels for each in drawn]
        assert np.array_equal(series.kernels["slices"].values, np.stack([each.slices for each in kernels if each]))
    loss = run.curves["train/loss"]
    assert loss.steps.tolist() == [0, 1]


def test_curves_are_those_of_the_runs_own_training(tmp_path: Path) -> None:
    write(tmp_path, range(3))
    scalars(tmp_path / "validation", {"epoch_accuracy": [(0, 0.5), (1, 0.75)], "evaluation_x": [(0, 1.0)]})
    curves = read_run(tmp_path).curves
    assert list(curves) == ["validation/accuracy"]
    assert curves["validation/accuracy"].values.tolist() == [0.5, 0.75]


def test_a_table_has_a_row_for_each_filter_at_each_step(tmp_path: Path) -> None:
    for place, steps in (("one", range(3)), ("two", range(2))):
        write(tmp_path / place, steps, *LAYERS)
    frame = read_runs(tmp_path).to_pandas()
    assert len(frame) == (3 + 2) * (6 + 9)
    assert list(frame.columns[:5]) == ["run", "layer", "filter", "step", "wall_time"]
    (row,) = frame.query("run == 'two/filters' and layer == 'backbone/conv_b' and filter == 4 and step == 1").to_dict(
        "records"
    )
    written = snapshot(1, **LAYERS[1]).statistics
    assert {name: row[name] for name in written} == {name: float(values[4]) for name, values in written.items()}
    assert set(read_run(tmp_path).to_pandas("conv_a")["layer"]) == {"conv_a"}


def test_a_statistic_that_a_layer_lacks_is_not_a_number(tmp_path: Path) -> None:
    write_events(
        tmp_path / "filters",
        [*layer_events(0, 1.0, "a", ["score"]), *layer_events(0, 1.0, "b", ["score", "gain"])],
    )
    frame = read_run(tmp_path).to_pandas()
    assert frame["gain"][frame["layer"] == "a"].isna().all()
    assert frame["gain"][frame["layer"] == "b"].notna().all()


def test_how_filters_formed(tmp_path: Path) -> None:
    tiles = np.full((8, 2, 5, 5, 1), 90, np.uint8)
    tiles[:4, 0] = np.random.default_rng(0).integers(0, 255, (4, 5, 5, 1))
    tiles[4:, 0] = tiles[3, 0]
    tiles[:, 1] = np.random.default_rng(1).integers(0, 255, (8, 5, 5, 1))
    stuck = np.zeros((8, 2), bool)
    stuck[5:, 1] = True
    write_tiles(tmp_path, tiles, stuck=stuck, first_step=0)
    formation = read_run(tmp_path)["conv2d_1"].formation
    assert [(each.outcome, each.since) for each in formation] == [("settled", 3), ("stuck", 5)]


def test_names_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(LogDirError, match=f"No filters have been logged to '{tmp_path}'"):
        read_run(tmp_path)
    write(tmp_path, range(3), *LAYERS)
    run = read_run(tmp_path)
    with pytest.raises(UnknownLayerError, match="has no layer 'conv_c'. Its layers: conv_a, backbone/conv_b"):
        run["conv_c"]
    with pytest.raises(ConfigError, match="has no run 'filters_2'. Its runs: filters"):
        read_run(tmp_path, "filters_2")
    with pytest.raises(StepError, match="not logged at step 7. Its steps: 0, 1, 2"):
        run["conv_a"].tiles_at(7)


def test_what_it_says_of_itself_is_short(tmp_path: Path) -> None:
    write(tmp_path, range(-1, 5), *LAYERS)
    said = repr(read_run(tmp_path))
    assert "<LayerSeries 'backbone/conv_b': 9 filters of 6 x 7 px, epochs -1 to 4 (6 steps)>" in said
    assert len(said) < 500
    assert repr(read_runs(tmp_path)).endswith("\n  filters: 2 layers")


def test_nothing_heavy_is_loaded(tmp_path: Path) -> None:
    write(tmp_path, range(2))
    script = (
        "import sys, tb_filterviz\n"
        f"run = tb_filterviz.read_run({str(tmp_path)!r})\n"
        "assert run['conv2d_1'].tiles.shape == (2, 6, 5, 5, 1)\n"
        "print([name for name in ('tensorflow', 'keras', 'pandas', 'scipy', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=os.environ, check=True)
    assert done.stdout.strip() == "[]"


def test_a_layer_that_cannot_be_read_leaves_the_others(tmp_path: Path) -> None:
    taken = snapshot(0, "lost")
    content = encode_tiles(taken, (6, 9, 9, 1), slice(0, 6))  # not what is there
    lost = tensor_event(0, tiles_tag("lost", 0), taken.tiles, filters_metadata(content))
    write_events(tmp_path / "filters", [*layer_events(0, 1.0, "kept"), lost])
    run = read_run(tmp_path)
    assert run.layers == ["kept", "lost"]
    assert "<LayerSeries 'lost': 6 filters of 9 x 9 px, cannot be read>" in repr(run)
    assert np.array_equal(run["kept"].tiles[0], snapshot(0, "kept").tiles)
    with pytest.raises(SeriesError, match="filterviz/lost/tiles holds nothing of the type and shape"):
        run["lost"].tiles_at(0)
    with pytest.warns(VisualizationWarning, match="Left out: lost of filters: filterviz/lost/tiles holds nothing"):
        assert run.save(tmp_path / "page.html").stat().st_size > 100_000
    with pytest.warns(VisualizationWarning, match="Left out: lost"):
        assert set(run.to_pandas()["layer"]) == {"kept"}
    assert "lost cannot be shown: filterviz/lost/tiles holds" in run["lost"]._repr_html_()
    assert "data:image/png" in read_runs(tmp_path)._repr_html_()
    with pytest.raises(SeriesError, match="Nothing can be read. lost of filters"):
        run.save(tmp_path / "lost.csv", layer="lost")
    assert run.save(tmp_path / "kept.csv", layer="kept").exists()


def test_it_is_a_mapping(tmp_path: Path) -> None:
    write(tmp_path, range(2), *LAYERS)
    runs = read_runs(tmp_path)
    run = runs["filters"]
    assert run.get("conv_z") is None
    assert run.get("conv_a") is run["conv_a"]
    assert runs.get("nobody", 3) == 3
    assert "conv_a" in run
    assert run not in runs
    assert {run: 1}[run] == 1
    assert run == runs["filters"]
    assert run != read_run(tmp_path)


def test_all_runs_share_what_is_kept_of_what_was_read(tmp_path: Path) -> None:
    for place in ("one", "two"):
        write(tmp_path / place, range(2))
    assert len({id(run._store) for run in read_runs(tmp_path).values()}) == 1


def test_more_than_a_server_would_answer_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tb_filterviz.reading.store.ANSWER_BYTES", 100)
    write(tmp_path, range(5))
    series = read_run(tmp_path)["conv2d_1"]
    assert series.statistics["score"].shape == (5, 6)
    assert series.grid(3).shape == snapshot(3).grid().shape


def test_two_layers_of_one_name_are_said(tmp_path: Path) -> None:
    content = encode_tiles(snapshot(0, "a_"), (6, 5, 5, 1), slice(0, 6))
    taken = snapshot(0, "x")
    write_events(
        tmp_path / "twice" / "filters",
        [
            tensor_event(0, f"filterviz/{name}/tiles", taken.tiles, filters_metadata(content))
            for name in ("first", "second")
        ],
    )
    run = read_run(tmp_path / "twice")
    assert run.layers == ["a_"]
    assert run.problems == ["Two layers are called 'a_': one of them is read."]
