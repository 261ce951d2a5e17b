"""What MLflow's own reader finds of trainings."""

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tb_filterviz import FilterLogger, MlflowSink
from tb_filterviz.trackers.mlflow import safe_key
from tests import processes
from tests.snapshots import snapshot
from tests.trackers.tracked import (
    TINY,
    Logged,
    as_pixels,
    found_in,
    pickled,
    same,
    train,
    train_while_losing,
    visualizer,
)

pytestmark = pytest.mark.filterwarnings("ignore:The filesystem tracking backend:FutureWarning")  # of mlflow-skinny 3.11


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder in which MLflow keeps runs, as mlflow-skinny alone can."""
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    yield tmp_path / "mlruns"
    while mlflow.active_run():
        mlflow.end_run()
    mlflow.set_tracking_uri(None)


def _runs() -> list[Run]:
    """All runs, the oldest first."""
    runs = MlflowClient().search_runs([each.experiment_id for each in MlflowClient().search_experiments()])
    return sorted(runs, key=lambda run: run.info.start_time)


def _tracked(run: Run) -> Logged:
    """What MLflow has of ours in a run."""
    client, run_id, logged = MlflowClient(), run.info.run_id, Logged({}, {})
    for file in client.list_artifacts(run_id, "images"):
        key, step, *_ = file.path.removeprefix("images/").replace("+step+", "+").split("+")
        if file.path.endswith(".png"):
            image = mlflow.artifacts.load_image(f"{run.info.artifact_uri}/{file.path}")
            logged.pictures[key.replace("~", "/"), int(step)] = as_pixels(image)
    for name in run.data.metrics:
        for point in client.get_metric_history(run_id, name):
            if name.startswith("filterviz/"):
                logged.points[name, point.step] = point.value
    return logged


def test_mlflow_has_every_picture_and_every_point(tmp_path: Path) -> None:
    train(visualizer(tmp_path / "logs", MlflowSink(TINY)))
    (run,) = _runs()
    logged = found_in(tmp_path / "logs" / "filters")
    assert {*logged.pictures} == {(f"filters/conv2d_{layer}", step) for layer in (1, 2) for step in (-1, 0, 1)}
    assert len(logged.points) == 2 * (3 * 4 + 2)  # gain, score, kept, responsive; and change, but at the first step
    assert same(_tracked(run), logged)
    assert run.info.status == "FINISHED"
    assert mlflow.active_run() is None


@pytest.mark.slow
def test_each_training_has_a_run_of_its_own(tmp_path: Path) -> None:
    sink = MlflowSink(TINY)
    ours = visualizer(tmp_path / "logs", sink)
    train(ours, epochs=1)
    train(ours, epochs=2)
    train(visualizer(tmp_path / "others", sink), epochs=1)
    assert [run.info.status for run in _runs()] == ["FINISHED"] * 3
    for run, run_dir in zip(_runs(), ("logs/filters", "logs/filters_2", "others/filters"), strict=True):
        assert same(_tracked(run), found_in(tmp_path / run_dir))


def test_a_run_that_is_active_is_taken_and_left_open(tmp_path: Path) -> None:
    sink = MlflowSink(TINY)
    with mlflow.start_run() as active:
        mlflow.log_metric("accuracy", 0.5, step=7)
        train(visualizer(tmp_path / "logs", sink), epochs=1)
        assert MlflowClient().get_run(active.info.run_id).info.status == "RUNNING"
        mlflow.log_metric("accuracy", 0.6, step=8)
    with mlflow.start_run():
        train(visualizer(tmp_path / "logs", sink), epochs=2)
    first, second = _runs()
    assert same(_tracked(first), found_in(tmp_path / "logs" / "filters"))
    assert same(_tracked(second), found_in(tmp_path / "logs" / "filters_2"))
    history = MlflowClient().get_metric_history(active.info.run_id, "accuracy")
    assert [(point.step, point.value) for point in history] == [(7, 0.5), (8, 0.6)]


def test_pictures_stand_beside_what_autolog_writes(tmp_path: Path) -> None:
    mlflow.tensorflow.autolog(log_models=False, log_datasets=False, silent=True)
    try:
        train(visualizer(tmp_path / "logs", MlflowSink(TINY)))
    finally:
        mlflow.tensorflow.autolog(disable=True)
    (run,) = _runs()
    assert same(_tracked(run), found_in(tmp_path / "logs" / "filters"))
    history = MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [point.step for point in history] == [0, 1]
    assert run.info.status == "FINISHED"


def test_any_layer_and_any_number_find_their_place() -> None:
    sink = MlflowSink()
    tiles = np.random.default_rng(0).integers(0, 255, (2, 9, 9, 3), np.uint8)
    layers = ("backbone/conv", "shared", "shared@2", "shared_2", "Schicht(ä)")
    sink.write(-1, [snapshot(tiles, -1, layer, score=[np.nan, 1]) for layer in layers])
    sink.close()
    (run,) = _runs()
    tracked = _tracked(run)
    assert {tag for tag, _ in tracked.pictures} == {f"filters/{safe_key(layer)}" for layer in layers}
    assert len({safe_key(layer) for layer in layers}) == len(layers)
    assert all(step == -1 for _, step in tracked.pictures)
    assert np.isnan(tracked.points["filterviz/shared-2/mean_score", -1])
    assert tracked.points["filterviz/backbone/conv/mean_gain", -1] == 0.5


def test_a_loop_writes_until_it_is_closed(tmp_path: Path) -> None:
    model = train(epochs=1)
    with FilterLogger(tmp_path, "conv2d_2", config=TINY, sinks=[MlflowSink(TINY)], verbose=0) as logger:
        for step in range(2):
            logger.log(model, step)
        (run,) = _runs()
        assert run.info.status == "RUNNING"
    (run,) = _runs()
    assert run.info.status == "FINISHED"
    assert same(_tracked(run), found_in(tmp_path / "filters"))


def test_a_failure_is_told_as_text() -> None:
    sink = MlflowSink()
    sink.report(-1, "No picture: <b>&\n```\nwhy\n```")
    sink.close()
    (run,) = _runs()
    said = mlflow.artifacts.load_text(f"{run.info.artifact_uri}/filterviz/failures/step_-1.txt")
    assert said == "No picture: <b>&\n```\nwhy\n```"


@pytest.mark.slow
def test_a_store_that_is_lost_stops_no_training(store: Path, tmp_path: Path) -> None:
    def lose(epoch: int, logs: Any) -> None:  # noqa: ARG001  Keras gives it
        if epoch == 0:  # whose pictures are not written yet
            shutil.rmtree(store)
            store.touch()

    sink = MlflowSink(TINY)
    said = train_while_losing(lose, tmp_path / "logs", sink)
    assert said[0].endswith(" The training goes on, and further steps are tried.")
    assert all("did not close" in each for each in said[1:])
    store.unlink()
    mlflow.set_tracking_uri((tmp_path / "other").as_uri())
    train(visualizer(tmp_path / "again", sink), epochs=1)
    assert same(_tracked(_runs()[-1]), found_in(tmp_path / "again" / "filters"))


@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_a_copy_begins_a_run_of_its_own(copied: Any) -> None:
    tiles = np.zeros((2, 9, 9, 1), np.uint8)
    sink = MlflowSink(TINY)
    sink.write(0, [snapshot(tiles, 0)])
    mlflow.end_run()  # as a copy would write to the run that is active
    other = copied(sink)
    for step, each in enumerate((sink, other), start=1):
        each.write(step, [snapshot(tiles, step)])
    other.close()
    sink.close()
    assert [[step for _, step in _tracked(run).pictures] for run in _runs()] == [[0, 1], [2]]


def test_a_missing_package_is_named_with_the_way_to_it() -> None:
    code = "import sys; sys.modules['mlflow'] = None; import tb_filterviz; tb_filterviz.MlflowSink()"
    said = processes.run("-c", code, status=1).stderr.splitlines()[-1]
    assert said.startswith("tb_filterviz.errors.ConfigError: MlflowSink needs the package mlflow, which cannot be ")
    assert said.endswith('): pip install "tb_filterviz[mlflow]"')
