import dataclasses
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import Config, FilterLogger, MemorySink, channel_mean
from tb_filterviz.backfill.run import LogReport
from tb_filterviz.errors import CheckpointError, ConfigError, StepError
from tests.backfill import networks
from tests.event_reader import difference, recipe_of, series, steps
from tests.parts import own

PLAIN = "tests.backfill.networks:plain"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve epochs of weights."""
    folder = tmp_path_factory.mktemp("saved")
    networks.save_epochs(folder, range(1, 13))
    return folder


@pytest.fixture(scope="module")
def serial(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of these, logged here, one after another."""
    folder = tmp_path_factory.mktemp("serial")
    with FilterLogger(folder) as logger:
        report = logger.log_checkpoints(saved, PLAIN)
    assert [entry.step for entry in report.logged] == list(range(12))
    assert not report.held
    assert not report.failed
    return folder / "filters"


def _log(folder: Path, paths: Any, model: Any = PLAIN, **options: Any) -> LogReport:
    with FilterLogger(folder) as logger:
        return logger.log_checkpoints(paths, model, **options)


def test_checkpoints_give_what_the_logger_gives(saved: Path, serial: Path, tmp_path: Path) -> None:
    model = networks.plain()
    with FilterLogger(tmp_path) as logger:
        for epoch in range(1, 13):
            model.load_weights(saved / f"epoch-{epoch:02d}.weights.h5")
            logger.log(model, step=epoch - 1)
    assert difference(tmp_path / "filters", serial) == ""


def test_a_difference_would_be_noticed(saved: Path, serial: Path, tmp_path: Path) -> None:
    files = sorted(saved.iterdir())
    _log(tmp_path, files[1::-1] + files[2:], steps=range(12))
    assert difference(tmp_path / "filters", serial).endswith("at step 0")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["processes", "threads", "dask"])
def test_wherever_it_is_drawn_it_is_the_same_to_the_byte(saved: Path, serial: Path, tmp_path: Path, where: str) -> None:
    def log(executor: Executor | int) -> None:
        report = _log(tmp_path, saved, executor=executor, window=4)
        assert [entry.step for entry in report.logged] == list(range(12)), report.failed

    if where == "processes":
        log(2)
    elif where == "threads":
        with ThreadPoolExecutor(2) as threads:
            log(threads)
    else:
        distributed = pytest.importorskip("distributed")
        with (
            distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            distributed.Client(cluster) as client,
        ):
            log(client.get_executor(pure=False))
    assert difference(tmp_path / "filters", serial) == ""


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_what_kills_every_worker_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks.save_epochs(tmp_path / "saved", range(1, 7), networks.fatal, poison=4)
    (tmp_path / "once").touch()
    monkeypatch.setenv(networks.KILL_ONCE, str(tmp_path / "once"))
    report = _log(tmp_path, tmp_path / "saved", "tests.backfill.networks:fatal", executor=2)
    assert not (tmp_path / "once").exists()  # one did die
    assert [entry.step for entry in report.logged] == [0, 1, 2, 4, 5]
    assert [(entry.step, entry.error) for entry in report.failed] == [
        (3, "Every process that drew it died (3 times; out of memory?).")
    ]
    monkeypatch.delenv(networks.KILL_ONCE)
    files = [path for path in sorted((tmp_path / "saved").iterdir()) if "04" not in path.name]
    _log(tmp_path / "without", files, "tests.backfill.networks:fatal")
    assert difference(tmp_path / "filters", tmp_path / "without" / "filters") == ""


def test_what_cannot_be_read_is_reported_and_the_others_are_logged(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    networks.save_epochs(folder, range(1, 6))
    (folder / "epoch-02.weights.h5").write_bytes((saved / "epoch-02.weights.h5").read_bytes()[:3000])
    keras.Sequential([keras.Input((10, 10, 1)), keras.layers.Conv2D(2, 3)]).save_weights(folder / "epoch-04.weights.h5")
    told: list[tuple[int, int]] = []
    report = _log(tmp_path, folder, progress=lambda report, total: told.append((report.done, total)))
    assert [entry.step for entry in report.logged] == [0, 2, 4]
    assert {Path(entry.checkpoint).name: entry.step for entry in report.failed} == {
        "epoch-02.weights.h5": None,
        "epoch-04.weights.h5": 3,
    }
    errors = [entry.error or "" for entry in report.failed]
    assert "is a damaged HDF5 file" in errors[0]
    assert "do not fit 'network'" in errors[1]
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
    assert steps(tmp_path / "filters", "filters/conv_b") == [0, 2, 4]


@pytest.mark.slow
def test_the_same_again_adds_only_what_is_new(saved: Path, serial: Path, tmp_path: Path) -> None:
    files = sorted(saved.iterdir())
    assert len(_log(tmp_path, files[:5]).logged) == 5
    report = _log(tmp_path, files, executor=2)
    assert [entry.step for entry in report.held] == list(range(5))
    assert [entry.step for entry in report.logged] == list(range(5, 12))
    report = _log(tmp_path, files)
    assert len(report.held) == 12
    assert not report.logged
    assert difference(tmp_path / "filters", serial) == ""


def test_what_comes_too_late_is_refused_and_said(saved: Path, tmp_path: Path) -> None:
    files = sorted(saved.iterdir())
    _log(tmp_path, [files[0], files[4]])
    report = _log(tmp_path, files[:7])
    assert [entry.step for entry in report.logged] == [5, 6]
    assert [entry.step for entry in report.failed] == [1, 2, 3]
    assert "The run goes on to step 4 without step 1, and" in (report.failed[0].error or "")
    assert steps(tmp_path / "filters", "filters/conv_a") == [0, 4, 5, 6]


def test_another_layer_gets_a_run_of_its_own(saved: Path, tmp_path: Path) -> None:
    for layer, run in (("conv_b", "filters"), ("conv_a", "filters_2")):
        with FilterLogger(tmp_path, layer) as logger:
            report = logger.log_checkpoints(saved, PLAIN)
        assert len(report.logged) == 12
        assert report.run == str(tmp_path / run)
        assert steps(tmp_path / run, f"filters/{layer}") == list(range(12))


@pytest.mark.slow
def test_parts_of_ones_own_reach_the_workers(saved: Path, tmp_path: Path) -> None:
    config = Config(objective=own.energy - 0.5 * channel_mean, tone=own.stretched, statistics=[own.peak])
    for name, executor in (("here", None), ("workers", 2)):
        with FilterLogger(tmp_path / name, config=config) as logger:
            assert len(logger.log_checkpoints(sorted(saved.iterdir())[:4], PLAIN, executor=executor).logged) == 4
    assert difference(tmp_path / "here" / "filters", tmp_path / "workers" / "filters") == ""
    assert series(tmp_path / "workers" / "filters", "filterviz/conv_a/statistics/own_peak")[3].shape == (4,)


def test_a_part_that_cannot_reach_the_workers_is_told_before_anything_is_logged(saved: Path, tmp_path: Path) -> None:
    tone = dataclasses.replace(own.stretched, apply=lambda images, contrast: own.stretched.apply(images, contrast))
    with FilterLogger(tmp_path, config=Config(tone=tone)) as logger:
        with pytest.raises(
            ConfigError, match="cannot be sent to other processes: .*have to stand at the top of a module"
        ):
            logger.log_checkpoints(saved, PLAIN, executor=2)
        assert len(logger.log_checkpoints(saved, PLAIN).logged) == 12


def test_the_model_is_built_and_compiled_once(tmp_path: Path) -> None:
    networks.save_epochs(tmp_path / "saved", range(1, 6), networks.counting)
    traces: list[int] = []
    networks.Counting.traces = 0

    def progress(report: LogReport, total: int) -> None:
        assert len(report.logged) <= total
        traces.append(networks.Counting.traces)

    report = _log(tmp_path, tmp_path / "saved", "tests.backfill.networks:counting", progress=progress)
    assert len(report.logged) == 5
    assert len(traces) == 6
    assert traces[1] > traces[0]  # the first checkpoint compiles
    assert set(traces[1:]) == {traces[1]}


@pytest.mark.slow
def test_a_model_that_is_given_is_left_as_it_was(saved: Path, serial: Path, tmp_path: Path) -> None:
    model = networks.plain()
    model.compile("adam", "mse")
    model.fit(np.ones((4, 10, 10, 1)), np.zeros((4, 3)), verbose=0)
    variables = [*model.variables, *model.optimizer.variables]
    before = [keras.ops.convert_to_numpy(variable) for variable in variables]
    _log(tmp_path / "here", saved, model)
    assert all(map(np.array_equal, before, [keras.ops.convert_to_numpy(variable) for variable in variables]))
    assert difference(tmp_path / "here" / "filters", serial) == ""
    report = _log(tmp_path / "workers", saved, model, executor=1)
    assert not report.failed
    assert difference(tmp_path / "workers" / "filters", serial) == ""


def test_whole_models_say_what_they_are(saved: Path, serial: Path, tmp_path: Path) -> None:
    model = networks.plain()
    (tmp_path / "models").mkdir()
    for epoch in range(1, 13):
        model.load_weights(saved / f"epoch-{epoch:02d}.weights.h5")
        model.save(tmp_path / "models" / f"epoch-{epoch:02d}.keras")
    (tmp_path / "models" / "epoch-01.keras").rename(tmp_path / "models" / "epoch-01")  # told by content
    _log(tmp_path, tmp_path / "models", None)
    assert difference(tmp_path / "filters", serial) == ""


def test_steps_may_be_said(saved: Path, tmp_path: Path) -> None:
    files = sorted(saved.iterdir())
    _log(tmp_path / "pattern", files[:3], steps=r"epoch-(?P<step>\d+)")
    assert steps(tmp_path / "pattern" / "filters", "filters/conv_a") == [1, 2, 3]
    _log(tmp_path / "numbers", files[:3], steps=[300, 100, -1])
    assert steps(tmp_path / "numbers" / "filters", "filters/conv_a") == [-1, 100, 300]


MISTAKES: list[tuple[Callable[[Path], Any], dict[str, Any], type[Exception], str]] = [
    (lambda saved: saved / "absent", {}, CheckpointError, "There is no file"),
    (lambda saved: [], {}, CheckpointError, "Nothing to log"),  # noqa: ARG005
    (lambda saved: saved, {"model": None}, CheckpointError, "holds weights only"),
    (lambda saved: saved, {"model": "resnet"}, ConfigError, "must be 'lenet', a file"),
    (lambda saved: saved, {"steps": "("}, ConfigError, "must be a regular expression"),
    (lambda saved: saved, {"steps": [1]}, ConfigError, "`steps` are for single checkpoints; there are 12 in"),
    (lambda saved: sorted(saved.iterdir()), {"steps": [1]}, ConfigError, "a whole number for each of the 12 paths"),
    (lambda saved: sorted(saved.iterdir())[:2], {"steps": [1, 1]}, StepError, "`steps` must differ"),
    (lambda saved: sorted(saved.iterdir())[:2], {"steps": [1, 2.5]}, ConfigError, "a whole number for each"),
    (lambda saved: saved, {"executor": 0}, ConfigError, "`executor` must be a"),
]


@pytest.mark.parametrize(("paths", "options", "error", "message"), MISTAKES, ids=range(len(MISTAKES)))
def test_mistakes_are_told_before_anything_is_logged(
    saved: Path, tmp_path: Path, paths: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with FilterLogger(tmp_path) as logger:
        with pytest.raises(error, match=message):
            logger.log_checkpoints(paths(saved), **{"model": PLAIN, **options})
        assert logger.log_checkpoints(sorted(saved.iterdir())[0], PLAIN).logged


def test_other_sinks_get_the_same(saved: Path, tmp_path: Path) -> None:
    memory = MemorySink()
    with FilterLogger(tmp_path, "conv_b", sinks=[memory]) as logger:
        logger.log_checkpoints(saved, PLAIN)
    assert [snapshot.step for snapshot in memory.snapshots] == list(range(12))
    assert memory.snapshots[0].is_first
    assert all(snapshot.change.max() > 0 for snapshot in memory.snapshots[1:])


def test_another_trainings_checkpoints_get_a_run_of_their_own(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    networks.save_epochs(tmp_path / "other", range(101, 105))
    logs, other = tmp_path / "logs", sorted((tmp_path / "other").iterdir())
    _log(logs, sorted(saved.iterdir())[:3])
    assert "This is written to" not in capsys.readouterr().err
    assert len(_log(logs, other, steps=range(4)).logged) == 4
    assert f"FilterLogger: This is written to {str(logs / 'filters_2')!r}" in capsys.readouterr().err
    with FilterLogger(logs, config="classic") as logger:
        assert len(logger.log_checkpoints(sorted(saved.iterdir())[:5], PLAIN).logged) == 5
    assert [steps(logs / f"filters{run}", "filters/conv_a") for run in ("", "_2", "_3")] == [
        [0, 1, 2],
        [0, 1, 2, 3],
        [0, 1, 2, 3, 4],
    ]
    again = [_log(logs, sorted(saved.iterdir())[:4]), _log(logs, other, steps=range(4))]
    assert [(len(report.held), len(report.logged), Path(report.run).name) for report in again] == [
        (3, 1, "filters"),
        (4, 0, "filters_2"),
    ]


def test_checkpoints_go_on_in_the_run_of_the_callback(saved: Path, tmp_path: Path) -> None:
    model = networks.plain()
    files = sorted(saved.iterdir())
    with FilterLogger(tmp_path) as logger:
        for step in (0, 1, 2):
            model.load_weights(files[step])
            logger.log(model, step)
        report = logger.log_checkpoints(files, PLAIN)
        assert (len(report.held), len(report.logged)) == (3, 9)
        logger.log(model, 12)
    assert steps(tmp_path / "filters", "filters/conv_a") == list(range(13))


def test_normalization_is_drawn_with_the_statistics_of_each_checkpoint(tmp_path: Path) -> None:
    model, one_range = networks.normalizing(), Config(input_range=(-3.0, 9.0))
    (tmp_path / "saved").mkdir()
    for epoch in (1, 2, 3):
        model.layers[0].adapt(np.random.default_rng(epoch).normal(epoch, epoch, (100, 10, 10, 1)))
        model.save_weights(tmp_path / "saved" / f"epoch-{epoch}.weights.h5")
        with FilterLogger(tmp_path / "separately" / str(epoch), config=one_range) as logger:
            logger.log(model, 0)
    with FilterLogger(tmp_path / "together", config=one_range) as logger:
        logger.log_checkpoints(tmp_path / "saved", "tests.backfill.networks:normalizing")
    together = series(tmp_path / "together" / "filters", "filterviz/conv_b/statistics/score")
    for epoch in (1, 2, 3):
        alone = series(tmp_path / "separately" / str(epoch) / "filters", "filterviz/conv_b/statistics/score")
        assert np.array_equal(together[epoch - 1][0], alone[0][0])
    assert not np.allclose(together[0][0], together[1][0])


@pytest.mark.slow
@pytest.mark.parametrize("executor", [None, 1])
def test_the_input_range_is_that_of_the_first_checkpoint(tmp_path: Path, executor: int | None) -> None:
    """A model that is built for its weights is not adapted yet: what it was adapted to stands in the files."""
    model = networks.normalizing()
    (tmp_path / "saved").mkdir()
    model.layers[0].adapt(np.random.default_rng(0).normal(1000, 50, (1000, 10, 10, 1)))
    for epoch in (1, 2):
        model.save_weights(tmp_path / "saved" / f"epoch-{epoch}.weights.h5")
    _log(tmp_path / "logs", tmp_path / "saved", "tests.backfill.networks:normalizing", executor=executor)
    recipe = recipe_of(tmp_path / "logs" / "filters")
    np.testing.assert_allclose(recipe["input_range"], [900, 1100], atol=2)
    assert recipe["input_range_reason"] == "mean plus or minus 2 standard deviations, by which the model standardizes"
    with FilterLogger(tmp_path / "direct") as logger:
        logger.log(model, 0)
    tag = "filterviz/conv_b/tiles"
    drawn, direct = (series(tmp_path / name / "filters", tag)[0] for name in ("logs", "direct"))
    assert np.array_equal(drawn, direct)


@pytest.mark.slow
@pytest.mark.parametrize("executor", [None, 1])
def test_examples_tell_the_input_range_of_checkpoints(saved: Path, tmp_path: Path, executor: int | None) -> None:
    examples = np.random.default_rng(0).integers(0, 256, (20, 10, 10, 1))
    with FilterLogger(tmp_path, examples=examples) as logger:
        logger.log_checkpoints(sorted(saved.iterdir())[:1], PLAIN, executor=executor)
    assert recipe_of(tmp_path / "filters")["input_range"] == [0, 255]
    with FilterLogger(tmp_path / "said", config=Config(input_range=(0.0, 255.0))) as logger:
        logger.log_checkpoints(sorted(saved.iterdir())[:1], PLAIN)
    tag = "filterviz/conv_a/tiles"
    seen, said = (series(folder / "filters", tag)[0] for folder in (tmp_path, tmp_path / "said"))
    assert np.array_equal(seen, said)
