"""Whose curves they are: Keras writes every training into the same two runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import FilterVisualizer
from tb_filterviz.reading.curves import siblings
from tb_filterviz.recipe import Source
from tests.plugin.serving import LOADERS, Tab, layer_events, recipe_event, scalars, tab, write, write_events

KERAS = {"epoch_accuracy": [(0, 0.5), (1, 0.75), (2, 0.875)]}


@pytest.fixture(params=LOADERS)
def loader(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def write_run(folder: Path, began: float, steps: int = 3, written_by: Source | None = "callback") -> None:
    """A run whose steps are a second apart, from a second after it began."""
    head = [recipe_event(written_by, began)] if written_by else []
    events = [event for step in range(steps) for event in layer_events(step, began + 1 + step)]
    write_events(folder, [*head, *events])


def keras_points(served: Tab, run: str) -> dict[str, Any]:
    curves = served.get("curves", run=run, layer="conv2d_1")["curves"]
    return {f"{curve['of']} {curve['metric']}": curve["points"] for curve in curves if curve["of"]}


def test_runs_beside_a_run() -> None:
    known = ["a/filters", "a/filters_2", "a/train", "a/x/train", "b/train", "train", "a"]
    assert siblings("a/filters", known) == {"a/filters_2": "filters_2", "a/train": "train"}
    assert siblings("a\\filters", ["a\\train", "a/train"]) == {"a\\train": "train"}
    assert siblings("filters", known) == {"train": "train", "a": "a"}
    assert siblings("a/train", known) == siblings(".", known) == {}


def test_the_curves_of_the_same_training(loader: str, tmp_path: Path) -> None:
    write(tmp_path / "a", range(-1, 3))
    write(tmp_path / "b", range(1, 4), {"unit": "batch"})
    scalars(tmp_path / "a" / "train", {"epoch_accuracy": [(0, 0.5), (1, 0.75)], "epoch_loss": [(0, 1), (1, np.nan)]})
    scalars(tmp_path / "a" / "validation", {"epoch_accuracy": [(0, 0.25)], "other": [(0, 3.0)]})
    scalars(tmp_path / "a" / "deeper" / "train", {"epoch_accuracy": [(0, 0.1)]})
    scalars(tmp_path / "b" / "train", {"batch_loss": [(1, 2.0)], "epoch_loss": [(0, 1.0)]})
    with tab(tmp_path, loader) as served:
        curves = served.get("curves", run="a/filters", layer="conv2d_1")["curves"]
        assert {(curve["metric"], curve["of"]) for curve in curves} == {
            ("mean gain", ""),
            ("mean score", ""),
            ("responsive", ""),
            ("mean change", ""),
            ("accuracy", "train"),
            ("accuracy", "validation"),
            ("loss", "train"),
        }
        points = {(curve["metric"], curve["of"]): curve["points"] for curve in curves}
        assert points["accuracy", "train"] == [[0, 0.5], [1, 0.75]]
        assert points["loss", "train"] == [[0, 1.0], [1, None]]
        assert [step for step, _ in points["mean score", ""]] == [-1, 0, 1, 2]
        curves = served.get("curves", run="b/filters", layer="conv2d_1")["curves"]
        assert [(curve["metric"], curve["of"]) for curve in curves if curve["of"]] == [("loss", "train")]


def test_of_two_trainings_in_one_log_directory_each_has_its_own_curves(loader: str, tmp_path: Path) -> None:
    write_run(tmp_path / "filters", began=1000)
    write_run(tmp_path / "filters_2", began=2000)
    scalars(tmp_path / "train", {"epoch_accuracy": [*KERAS["epoch_accuracy"], (3, 0.9)]}, wall_time=1001.5)
    scalars(tmp_path / "train", {"epoch_accuracy": [(2, 0.1), (3, 0.2)]}, wall_time=2001.5)
    scalars(tmp_path / "validation", {"epoch_loss": [(0, 0.5)]}, wall_time=1001.5)
    with tab(tmp_path, loader) as served:
        first, second = (keras_points(served, run) for run in ("filters", "filters_2"))
        assert first == {"train accuracy": [[0, 0.5], [1, 0.75]], "validation loss": [[0, 0.5]]}
        assert second == {"train accuracy": [[2, pytest.approx(0.1)], [3, pytest.approx(0.2)]]}


def test_a_training_that_starts_again_at_the_first_epoch_leaves_the_first_run_without(
    loader: str, tmp_path: Path
) -> None:
    write_run(tmp_path / "filters", began=1000)
    write_run(tmp_path / "filters_2", began=2000)
    scalars(tmp_path / "train", KERAS, wall_time=1001.5)
    scalars(tmp_path / "train", KERAS, wall_time=2001.5)
    with tab(tmp_path, loader) as served:
        assert keras_points(served, "filters") == {}
        assert keras_points(served, "filters_2") == {"train accuracy": [[0, 0.5], [1, 0.75], [2, 0.875]]}


def test_what_was_logged_after_the_last_picture_still_belongs_to_it(loader: str, tmp_path: Path) -> None:
    write_run(tmp_path / "filters", began=1000, steps=1)
    write_run(tmp_path / "filters_2", began=1500, steps=1)
    scalars(tmp_path / "train", KERAS, wall_time=1400)
    scalars(tmp_path / "validation", KERAS, wall_time=9000)
    with tab(tmp_path, loader) as served:
        assert list(keras_points(served, "filters")) == ["train accuracy"]
        assert list(keras_points(served, "filters_2")) == ["validation accuracy"]


def test_two_callbacks_in_one_training_share_its_curves(loader: str, tmp_path: Path) -> None:
    write_run(tmp_path / "filters", began=1000)
    write_run(tmp_path / "filters_2", began=1000.5)
    scalars(tmp_path / "train", KERAS, wall_time=1001)
    with tab(tmp_path, loader) as served:
        assert (
            keras_points(served, "filters")
            == keras_points(served, "filters_2")
            == {"train accuracy": [[0, 0.5], [1, 0.75], [2, 0.875]]}
        )


@pytest.mark.parametrize("written_by", ["logger", "checkpoints"])
def test_what_was_drawn_afterwards_keeps_all_curves(loader: str, tmp_path: Path, written_by: Source) -> None:
    write_run(tmp_path / "filters", began=1000)
    write_run(tmp_path / "filters_2", began=5000, written_by=written_by)
    scalars(tmp_path / "train", KERAS, wall_time=1001.5)
    with tab(tmp_path, loader) as served:
        whole = {"train accuracy": [[0, 0.5], [1, 0.75], [2, 0.875]]}
        assert keras_points(served, "filters") == keras_points(served, "filters_2") == whole


def test_runs_of_format_1_are_taken_for_those_of_a_callback(loader: str, tmp_path: Path) -> None:
    write_run(tmp_path / "filters", began=1000, written_by=None)
    scalars(tmp_path / "train", KERAS, wall_time=1)
    with tab(tmp_path, loader) as served:
        assert len(keras_points(served, "filters")["train accuracy"]) == 3
    write_run(tmp_path / "filters_2", began=2000)
    scalars(tmp_path / "train", {"epoch_accuracy": [(3, 0.9)]}, wall_time=2001.5)
    with tab(tmp_path, loader) as served:
        assert len(keras_points(served, "filters")["train accuracy"]) == 3
        assert len(keras_points(served, "filters_2")["train accuracy"]) == 4  # the first belong to no run


def test_a_restart_shows_the_same_curves_on_all_loaders(loader: str, tmp_path: Path) -> None:
    write(tmp_path, [0])
    scalars(tmp_path / "train", KERAS, wall_time=1000)
    scalars(tmp_path / "train", {"epoch_accuracy": [(1, 0.25)]}, wall_time=2000)
    with tab(tmp_path, loader) as served:
        assert keras_points(served, "filters") == {"train accuracy": [[0, 0.5], [1, 0.25]]}


def test_two_trainings_by_keras_itself(tmp_path: Path, small_model: keras.Model) -> None:
    """The first is validated, the second is shorter; both are traced by the same two callbacks."""
    x, y = np.random.default_rng(0).random((32, 12, 12, 1)).astype(np.float32), np.arange(32) % 10
    start = small_model.get_weights()
    for epochs, validation in ((3, (x, y)), (2, None)):
        small_model.set_weights([weights * epochs for weights in start])
        beside = [FilterVisualizer(tmp_path), keras.callbacks.TensorBoard(tmp_path)]
        small_model.fit(x, y, epochs=epochs, validation_data=validation, callbacks=beside, verbose=0)
    with tab(tmp_path, "python-loader") as served:
        assert [run["run"] for run in served.get("layers")["runs"]] == ["filters", "filters_2"]
        steps = {
            run: {
                f"{curve['of']} {curve['metric']}": [step for step, _ in curve["points"]]
                for curve in served.get("curves", run=run, layer="conv_a")["curves"]
                if curve["metric"] in ("accuracy", "mean score")
            }
            for run in ("filters", "filters_2")
        }
    # what the second training wrote again of Keras' run is lost to the first: so TensorBoard reads it
    assert steps == {
        "filters": {" mean score": [-1, 0, 1, 2], "validation accuracy": [0, 1, 2]},
        "filters_2": {" mean score": [-1, 0, 1], "train accuracy": [0, 1]},
    }


def test_curves_are_called_what_they_say(loader: str, tmp_path: Path) -> None:
    from tb_filterviz.logs.event_files import scalar_metadata, tensor_event

    write(tmp_path, [0, 1])

    def own(tags: Mapping[str, str]) -> None:
        write_events(
            tmp_path / "filters",
            [
                tensor_event(step, f"filterviz/conv2d_1/{tag}", np.float32(step), scalar_metadata(label))
                for tag, label in tags.items()
                for step in (0, 1)
            ],
        )

    own({"mean_entropy": "mean entropy", "deeper/mean_score": "of another layer", "bare": ""})
    with tab(tmp_path, loader) as served:
        curves = served.get("curves", run="filters", layer="conv2d_1")["curves"]
        assert [curve["metric"] for curve in curves] == [
            "bare",
            "mean change",
            "mean entropy",
            "mean gain",
            "mean score",
            "responsive",
        ]
