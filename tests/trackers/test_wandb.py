"""What a run of W&B holds of trainings, offline."""

import copy
import gc
import html
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import wandb
from wandb.integration.keras import WandbMetricsLogger

from tb_filterviz import FilterLogger, WandbSink
from tests import processes
from tests.snapshots import snapshot
from tests.trackers.tracked import TINY, found_in, pickled, same, train, train_while_losing, visualizer
from tests.trackers.wandb_records import Written, tracked, written

# wandb 0.19 leaves sockets and files to the garbage collector, which is therefore run after each of these tests.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
STEPS_OF_OURS = {"filters/*": "filterviz/step", "filters_maps/*": "filterviz/step", "filterviz/*": "filterviz/step"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which W&B keeps its runs."""
    for name, value in {"MODE": "offline", "SILENT": "true", "DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    yield tmp_path / "wandb"
    wandb.teardown()  # ends the run as well; without, W&B would keep to the folder of the first test
    gc.collect()


def _runs(folder: Path) -> list[Written]:
    """All runs, the oldest first; they have ended, but W&B may still be at writing them."""
    wandb.teardown()
    return sorted((written(each) for each in folder.glob("offline-run-*")), key=lambda run: run.began)


def _own_rows(run: Written) -> list[dict[str, Any]]:
    """What others have written, by row."""
    ours = ("filters/", "filterviz/", "_")
    return [{key: value for key, value in row.items() if not key.startswith(ours)} for row in run.rows]


def test_wandb_has_every_picture_and_every_point(folder: Path, tmp_path: Path) -> None:
    train(visualizer(tmp_path / "logs", WandbSink(TINY)))
    (run,) = _runs(folder)
    logged = found_in(tmp_path / "logs" / "filters")
    assert {*logged.pictures} == {(f"filters/conv2d_{layer}", step) for layer in (1, 2) for step in (-1, 0, 1)}
    assert same(tracked(run), logged)
    assert run.step_keys == STEPS_OF_OURS
    assert [row["filterviz/step"] for row in run.rows] == [-1, 0, 1]
    assert {row["filters/conv2d_2"]["caption"] for row in run.rows} == {
        "The inputs that maximize the response of each filter's centre unit, cut to its receptive field, in conv2d_2: "
        "3 filters of 14 x 14 px, gray."
    }
    assert run.exit_code == 0
    assert wandb.run is None


@pytest.mark.slow
def test_each_training_has_a_run_of_its_own(folder: Path, tmp_path: Path) -> None:
    sink = WandbSink(TINY)
    ours = visualizer(tmp_path / "logs", sink)
    train(ours, epochs=1)
    train(ours, epochs=2)
    train(visualizer(tmp_path / "others", sink), epochs=1)
    runs = _runs(folder)
    assert [run.exit_code for run in runs] == [0, 0, 0]
    for run, run_dir in zip(runs, ("logs/filters", "logs/filters_2", "others/filters"), strict=True):
        assert same(tracked(run), found_in(tmp_path / run_dir))


@pytest.mark.slow
def test_rows_of_others_are_as_without_us(folder: Path, tmp_path: Path) -> None:
    with wandb.init():
        train(WandbMetricsLogger(), epochs=3)
    with wandb.init() as active:
        train(visualizer(tmp_path / "logs", WandbSink(TINY)), WandbMetricsLogger(), epochs=3)
        assert wandb.run is active
    without, beside = _runs(folder)
    assert [row["epoch/epoch"] for row in without.rows] == [0, 1, 2]
    assert beside.step_keys == {**without.step_keys, **STEPS_OF_OURS}
    assert _own_rows(beside)[:3] == _own_rows(without)
    assert _own_rows(beside)[3:] == [{}, {}]  # what was left at the end
    assert same(tracked(beside), found_in(tmp_path / "logs" / "filters"))


@pytest.mark.slow
def test_rows_that_others_number_are_not_lost(folder: Path, tmp_path: Path) -> None:
    def log(epoch: int, logs: Any) -> None:
        wandb.log({"mine": logs["loss"]}, step=epoch)

    numbering = keras.callbacks.LambdaCallback(on_epoch_end=log)
    with wandb.init():
        train(visualizer(tmp_path / "logs", WandbSink(TINY)), numbering, epochs=3)
    (run,) = _runs(folder)
    assert [row["_step"] for row in run.rows if "mine" in row] == [0, 1, 2]
    assert same(tracked(run), found_in(tmp_path / "logs" / "filters"))


def test_trainings_in_one_run_keep_all_that_they_wrote(folder: Path, tmp_path: Path) -> None:
    sink = WandbSink(TINY)
    with wandb.init() as active:
        ours = visualizer(tmp_path / "logs", sink)
        train(ours, epochs=1)
        train(ours, epochs=2)
        assert wandb.run is active
    (run,) = _runs(folder)
    assert [row["filterviz/step"] for row in run.rows] == [-1, 0, -1, 0, 1]
    for rows, name in ((run.rows[:2], "filters"), (run.rows[2:], "filters_2")):
        assert same(tracked(run._replace(rows=rows)), found_in(tmp_path / "logs" / name))


@pytest.mark.slow
def test_a_loop_writes_until_it_is_closed(folder: Path, tmp_path: Path) -> None:
    model = train(epochs=1)
    with FilterLogger(tmp_path, "conv2d_2", config=TINY, sinks=[WandbSink(TINY)], verbose=0) as logger:
        for step in range(2):
            logger.log(model, step)
        assert wandb.run is not None
    assert wandb.run is None
    (run,) = _runs(folder)
    assert same(tracked(run), found_in(tmp_path / "filters"))


def test_any_layer_and_any_number_find_their_place(folder: Path) -> None:
    tiles = np.random.default_rng(0).integers(0, 2, (2, 9, 9, 3), np.uint8)  # almost black, which must stay so
    layers = ("backbone/conv", "shared", "shared@2", "shared_2", "Schicht(\u00e4)")
    snapshots = [snapshot(tiles, -1, layer, score=[np.nan, 1]) for layer in layers]
    sink = WandbSink()
    sink.write(-1, snapshots)
    sink.close()
    (run,) = _runs(folder)
    logged = tracked(run)
    assert {*logged.pictures} == {(f"filters/{layer}", -1) for layer in layers}
    for each in snapshots:
        np.testing.assert_array_equal(logged.pictures[f"filters/{each.layer}", -1], each.grid())
    assert np.isnan(logged.points["filterviz/shared@2/mean_score", -1])
    assert logged.points["filterviz/backbone/conv/mean_gain", -1] == 0.5


def test_a_failure_is_told_as_text(folder: Path) -> None:
    text = "No picture: <b>&\n```\nwhy\n```"
    sink = WandbSink()
    sink.report(-1, text)
    sink.close()
    (run,) = _runs(folder)
    (row,) = run.rows
    page = (run.files / row["filterviz/failures"]["path"]).read_text(encoding="utf-8")
    assert html.unescape(page) == f"<pre>{text}</pre>"
    assert row["filterviz/step"] == -1


@pytest.mark.slow
def test_a_folder_that_is_lost_stops_no_training(folder: Path, tmp_path: Path) -> None:
    def lose(epoch: int, logs: Any) -> None:  # noqa: ARG001  Keras gives it
        if epoch == 0:  # whose pictures are not written yet
            (files,) = folder.glob("offline-run-*/files")
            shutil.rmtree(files)
            files.touch()

    sink = WandbSink(TINY)
    train_while_losing(lose, tmp_path / "logs", sink)
    train(visualizer(tmp_path / "again", sink), epochs=1)
    assert same(tracked(_runs(folder)[-1]), found_in(tmp_path / "again" / "filters"))


@pytest.mark.slow
@pytest.mark.parametrize("copied", [copy.deepcopy, pickled])
def test_a_copy_takes_a_run_of_its_own(folder: Path, copied: Any) -> None:
    tiles = np.zeros((2, 9, 9, 1), np.uint8)
    sink = WandbSink(TINY)
    sink.write(0, [snapshot(tiles, 0)])
    other = copied(sink)
    sink.close()
    other.write(1, [snapshot(tiles, 1)])
    other.close()
    assert [[step for _, step in tracked(run).pictures] for run in _runs(folder)] == [[0], [1]]


def test_a_missing_package_is_named_with_the_way_to_it() -> None:
    code = "import sys; sys.modules['wandb'] = None; import tb_filterviz; tb_filterviz.WandbSink()"
    said = processes.run("-c", code, status=1).stderr.splitlines()[-1]
    assert said.startswith("tb_filterviz.errors.ConfigError: WandbSink needs the package wandb, which cannot be ")
    assert said.endswith('): pip install "tb_filterviz[wandb]"')
