"""A run holds one training, drawn one way: what trainings do to a log directory, read back by both loaders."""

import copy
import os
import pickle
import sys
import threading
import time
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer

from tb_filterviz import Config, FilterLogger, FilterVisualizer, MemorySink
from tb_filterviz.imaging.layout import shrink
from tb_filterviz.metadata import STORED_TILE_PX, statistic_tag, tiles_tag
from tests.loaders import found_by_all, steps_of_runs
from tests.parts import own

if sys.platform != "win32":
    import fcntl

LAYERS = keras.layers
X = np.random.default_rng(0).random((32, 12, 12, 1)).astype(np.float32)
Y = np.random.default_rng(1).random((32, 2)).astype(np.float32)


def _model(filters: int = 3, side: int = 12, seed: int | None = None, **options: Any) -> keras.Model:
    if seed is not None:
        keras.utils.set_random_seed(seed)
    layers = [
        LAYERS.Conv2D(filters, 3, activation="relu", name="conv_a", **options),
        LAYERS.Conv2D(4, 3, name="conv_b"),
        LAYERS.Flatten(),
        LAYERS.Dense(2),
    ]
    model = keras.Sequential([keras.Input((side, side, 1)), *layers])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    return model


def _fit(model: keras.Model, *callbacks: keras.callbacks.Callback, epochs: int = 2, **options: Any) -> None:
    options = {"batch_size": 8, "verbose": 0, **options}
    side = model.input_shape[1]
    x = X if side == 12 else np.pad(X, ((0, 0), (0, side - 12), (0, side - 12), (0, 0)))
    model.fit(x, Y, epochs=epochs, callbacks=list(callbacks), **options)


def _assert_run_is(log_dir: Path, run: str, memory: MemorySink) -> None:
    """The run holds just what was handed to a sink in memory meanwhile: pictures and statistics of one training."""
    tags = found_by_all(log_dir)[run]
    expected = {(snapshot.layer, snapshot.step): snapshot for snapshot in memory.snapshots}
    held = {(layer, step) for layer in ("conv_a", "conv_b") for step in tags.get(tiles_tag(layer, 0), {})}
    assert held == set(expected)
    for (layer, step), snapshot in expected.items():
        assert np.array_equal(tags[tiles_tag(layer, 0)][step], shrink(snapshot.tiles, STORED_TILE_PX))
        for name, values in snapshot.statistics.items():
            assert np.array_equal(tags[statistic_tag(layer, name)][step], values)


def test_a_second_training_gets_a_run_of_its_own_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memories = [MemorySink(), MemorySink()]
    for seed, memory in enumerate(memories):
        _fit(_model(seed=seed), FilterVisualizer(tmp_path, sinks=[memory]), verbose=2)
    assert steps_of_runs(tmp_path) == {"filters": [-1, 0, 1], "filters_2": [-1, 0, 1]}
    _assert_run_is(tmp_path, "filters", memories[0])
    _assert_run_is(tmp_path, "filters_2", memories[1])
    said = [line for line in capsys.readouterr().out.splitlines() if "filters_2" in line]
    run, other = (str(tmp_path / name) for name in ("filters", "filters_2"))
    assert said == [f"FilterVisualizer: This is written to {other!r}, beside {run!r}, which holds another training."]


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        pytest.param({"filters": 5}, {}, id="filters"),
        pytest.param({"side": 16}, {}, id="size", marks=pytest.mark.slow),
        pytest.param({"strides": 2}, {}, id="strides", marks=pytest.mark.slow),
        pytest.param({}, {"config": "classic"}, id="preset"),
    ],
)
@pytest.mark.parametrize("initial", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_another_network_or_preset_gets_a_run_of_its_own(
    tmp_path: Path, changes: dict[str, Any], options: dict[str, Any], initial: int
) -> None:
    memories = [MemorySink(), MemorySink()]
    _fit(_model(), FilterVisualizer(tmp_path, sinks=[memories[0]]))
    callback = FilterVisualizer(tmp_path, sinks=[memories[1]], **options)
    _fit(_model(**changes), callback, initial_epoch=initial, epochs=initial + 1)
    assert steps_of_runs(tmp_path) == {"filters": [-1, 0, 1], "filters_2": [initial - 1, initial]}
    _assert_run_is(tmp_path, "filters", memories[0])
    _assert_run_is(tmp_path, "filters_2", memories[1])


def test_two_callbacks_in_one_fit_get_a_run_each_and_tensorboard_loses_none(tmp_path: Path) -> None:
    board = EventMultiplexer()

    def look(epoch: int, logs: Any) -> None:  # noqa: ARG001
        board.AddRunsFromDirectory(str(tmp_path))
        board.Reload()

    memories = [MemorySink(), MemorySink()]
    _fit(
        _model(),
        FilterVisualizer(tmp_path, "conv_a", sinks=[memories[0]]),
        FilterVisualizer(tmp_path, "conv_b", config="classic", sinks=[memories[1]]),
        keras.callbacks.LambdaCallback(on_epoch_end=look),
        epochs=4,
    )
    board.Reload()
    for run, layer in (("filters", "conv_a"), ("filters_2", "conv_b")):
        assert [event.step for event in board.Tensors(run, f"filters/{layer}")] == [-1, 0, 1, 2, 3]
    assert steps_of_runs(tmp_path) == {"filters": [-1, 0, 1, 2, 3], "filters_2": [-1, 0, 1, 2, 3]}
    _assert_run_is(tmp_path, "filters", memories[0])
    _assert_run_is(tmp_path, "filters_2", memories[1])


@pytest.mark.slow
def test_trainings_in_two_threads_get_a_run_each(tmp_path: Path) -> None:
    memories = [MemorySink(), MemorySink()]
    models = [_model(seed=1), _model(seed=2)]
    both_begin = threading.Barrier(2)

    def train(model: keras.Model, memory: MemorySink) -> None:
        both_begin.wait()
        _fit(model, FilterVisualizer(tmp_path, sinks=[memory], on_error="raise"), epochs=3)

    threads = [threading.Thread(target=train, args=pair) for pair in zip(models, memories, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert steps_of_runs(tmp_path) == {"filters": [-1, 0, 1, 2], "filters_2": [-1, 0, 1, 2]}
    first = found_by_all(tmp_path)["filters"][tiles_tag("conv_a", 0)][-1]
    order = memories if np.array_equal(memories[0].snapshots[0].tiles, first) else memories[::-1]
    for run, memory in zip(("filters", "filters_2"), order, strict=True):
        _assert_run_is(tmp_path, run, memory)


@pytest.mark.slow
def test_every_trial_of_a_search_gets_a_run_of_its_own(tmp_path: Path) -> None:
    def build(choices: keras_tuner.HyperParameters) -> keras.Model:
        return _model(filters=choices.Choice("filters", [2, 3]), seed=choices.Int("seed", 0, 1))

    logs = tmp_path / "logs"
    tuner = keras_tuner.GridSearch(build, objective="loss", max_trials=4, directory=tmp_path / "search", seed=0)
    callback = FilterVisualizer(logs)
    tuner.search(X, Y, epochs=2, verbose=0, callbacks=[callback])
    runs = found_by_all(logs)
    assert len(tuner.oracle.trials) == len(runs) == 4
    assert set(map(tuple, steps_of_runs(logs).values())) == {(-1, 0, 1)}
    counts = [next(iter(tags[tiles_tag("conv_a", 0)].values())).shape[0] for tags in runs.values()]
    assert sorted(counts) == [2, 2, 3, 3]


@pytest.mark.slow
def test_a_callback_that_was_used_can_be_copied_and_used_again(tmp_path: Path) -> None:
    callback = FilterVisualizer(tmp_path)
    _fit(_model(), callback)
    for duplicate in (copy.deepcopy(callback), pickle.loads(pickle.dumps(callback)), callback):
        _fit(_model(), duplicate)
    assert steps_of_runs(tmp_path) == {run: [-1, 0, 1] for run in ["filters", "filters_2", "filters_3", "filters_4"]}


@pytest.mark.slow
def test_a_copy_counts_batches_as_the_original_does(tmp_path: Path) -> None:
    original = FilterVisualizer(tmp_path, update_freq=3)
    for callback in (original, copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
        _fit(_model(), callback)
    assert steps_of_runs(tmp_path) == {run: [0, 3, 6, 8] for run in ["filters", "filters_2", "filters_3"]}


def test_a_training_resumed_by_initial_epoch_goes_on_in_its_run(tmp_path: Path) -> None:
    memory, model = MemorySink(), _model()
    for initial in (0, 2, 4):  # a new callback each time, as in a new process
        _fit(model, FilterVisualizer(tmp_path, sinks=[memory]), initial_epoch=initial, epochs=initial + 2)
    assert steps_of_runs(tmp_path) == {"filters": [-1, 0, 1, 2, 3, 4, 5]}
    _assert_run_is(tmp_path, "filters", memory)


def test_a_training_resumed_after_a_gap_goes_on_in_its_run(tmp_path: Path) -> None:
    model = _model()
    _fit(model, FilterVisualizer(tmp_path))
    _fit(model, FilterVisualizer(tmp_path), initial_epoch=5, epochs=6)
    assert steps_of_runs(tmp_path) == {"filters": [-1, 0, 1, 4, 5]}


def _is_free(run: Path) -> bool:
    """Whether any process could take the run's lock: this one's own would be in the way as well."""
    descriptor = os.open(run, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _wait_until_free(run: Path) -> None:
    """Wait as long as it takes: the time limit of the test is the only one."""
    while not _is_free(run):
        time.sleep(0.05)


class _Interrupts(keras.callbacks.Callback):
    """Ctrl-C, as a notebook takes it; tells meanwhile whether the run is held."""

    def __init__(self, run: Path, when: str) -> None:
        super().__init__()
        self.was_free: list[bool] = []

        def interrupt(*_: Any, **__: Any) -> None:
            self.was_free.append(_is_free(run))
            raise KeyboardInterrupt

        setattr(self, when, interrupt)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
@pytest.mark.parametrize(
    "when", ["on_train_batch_end", "on_epoch_end", pytest.param("on_epoch_begin", marks=pytest.mark.slow)]
)
def test_an_interrupted_training_lets_go_of_its_run_while_its_process_lives_on(tmp_path: Path, when: str) -> None:
    visualizer, interrupts = FilterVisualizer(tmp_path), _Interrupts(tmp_path / "filters", when)
    with pytest.raises(KeyboardInterrupt) as kept:  # and with it the frames of `fit`, as a notebook keeps them
        _fit(_model(seed=3), visualizer, interrupts)
    assert interrupts.was_free == [False]
    _wait_until_free(tmp_path / "filters")
    before = [-1, 0] if when == "on_epoch_end" else [-1]
    assert steps_of_runs(tmp_path) == {"filters": before}
    _fit(_model(seed=3), visualizer, initial_epoch=before[-1] + 1)
    assert steps_of_runs(tmp_path) == {"filters": [-1, 0, 1]}
    assert kept.value is not None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
def test_a_loop_that_goes_on_from_cell_to_cell_stays_in_its_run(tmp_path: Path) -> None:
    callbacks = keras.callbacks.CallbackList([FilterVisualizer(tmp_path)], model=_model(seed=3))

    def begin() -> None:  # a cell, which ends, and with it all that could be seen of a training
        callbacks.on_train_begin()
        callbacks.on_epoch_begin(0)
        assert not _is_free(tmp_path / "filters")

    begin()
    _wait_until_free(tmp_path / "filters")
    for epoch in range(3):
        callbacks.on_epoch_begin(epoch)
        callbacks.on_epoch_end(epoch, {})
        assert not _is_free(tmp_path / "filters")
    callbacks.on_train_end()
    assert steps_of_runs(tmp_path) == {"filters": [-1, 0, 1, 2]}


class _PowerCut(keras.callbacks.Callback):
    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        if epoch == self.epoch:
            raise OSError("the power is cut")


def test_a_training_resumed_by_backup_and_restore_goes_on_in_its_run(tmp_path: Path) -> None:
    logs, memory = tmp_path / "logs", MemorySink()

    def train(*more: keras.callbacks.Callback) -> None:
        backup = keras.callbacks.BackupAndRestore(str(tmp_path / "backup"))
        _fit(_model(seed=3), FilterVisualizer(logs, sinks=[memory]), backup, *more, epochs=5)

    with pytest.raises(OSError, match="the power is cut"):
        train(_PowerCut(3))
    train()
    assert steps_of_runs(logs) == {"filters": [-1, 0, 1, 2, 3, 4]}
    _assert_run_is(logs, "filters", memory)


@pytest.mark.slow
@pytest.mark.parametrize("update_freq", ["epoch", 3])
@pytest.mark.parametrize("seed", [3, 4], ids=["the same", "another"])
def test_a_training_that_ended_in_its_first_epoch_is_begun_anew_by_the_same_network_only(
    tmp_path: Path, update_freq: Any, seed: int
) -> None:
    with pytest.raises(OSError, match="the power is cut"):
        _fit(_model(seed=3), FilterVisualizer(tmp_path, update_freq=update_freq), _PowerCut(0))
    memory = MemorySink()
    _fit(_model(seed=seed), FilterVisualizer(tmp_path, update_freq=update_freq, sinks=[memory]))
    before, after = ([-1], [-1, 0, 1]) if update_freq == "epoch" else ([0], [0, 3, 6, 8])
    assert steps_of_runs(tmp_path) == ({"filters": after} if seed == 3 else {"filters": before, "filters_2": after})


@pytest.mark.slow
def test_batches_are_counted_on_where_the_run_ended(tmp_path: Path) -> None:
    model = _model()
    for initial in (0, 2):
        _fit(model, FilterVisualizer(tmp_path, update_freq=3), initial_epoch=initial, epochs=initial + 2)
    assert steps_of_runs(tmp_path) == {"filters": [0, 3, 6, 8, 9, 12, 15, 16]}
    _fit(_model(), FilterVisualizer(tmp_path, update_freq=3))  # a second training
    _fit(_model(), FilterVisualizer(tmp_path))  # and one whose steps are epochs
    assert steps_of_runs(tmp_path) == {
        "filters": [0, 3, 6, 8, 9, 12, 15, 16],
        "filters_2": [0, 3, 6, 8],
        "filters_3": [-1, 0, 1],
    }


@pytest.mark.slow
def test_of_two_trainings_the_one_goes_on_whose_weights_are_resumed(tmp_path: Path) -> None:
    models, memories = [_model(seed=seed) for seed in (1, 2, 3)], [MemorySink() for _ in range(3)]
    for model, memory in zip(models, memories, strict=True):
        _fit(model, FilterVisualizer(tmp_path, sinks=[memory]))
    for place in (1, 0, 2):
        _fit(models[place], FilterVisualizer(tmp_path, sinks=[memories[place]]), initial_epoch=2, epochs=3)
    for run, memory in zip(("filters", "filters_2", "filters_3"), memories, strict=True):
        _assert_run_is(tmp_path, run, memory)


def test_a_loop_that_is_run_again_begins_a_new_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = _model()
    with FilterLogger(tmp_path) as logger:
        for _ in range(2):  # a cell of a notebook, with the same logger
            for step in range(2):
                logger.log(model, step)
    with FilterLogger(tmp_path) as logger:  # and with a new one
        for step in range(2):
            logger.log(model, step)
    assert steps_of_runs(tmp_path) == {run: [0, 1] for run in ["filters", "filters_2", "filters_3"]}
    assert capsys.readouterr().err.count("which holds another training") == 2


@pytest.mark.slow
def test_a_loop_that_loads_a_model_anew_for_every_epoch_stays_in_its_run(tmp_path: Path) -> None:
    with FilterLogger(tmp_path) as logger:
        for step in range(6):
            logger.log(_model(), step)
    assert steps_of_runs(tmp_path) == {"filters": [0, 1, 2, 3, 4, 5]}


@pytest.mark.slow
@pytest.mark.parametrize("filters", [3, 4], ids=["alike", "different"])
def test_two_models_that_take_turns_get_a_run_each(tmp_path: Path, filters: int) -> None:
    models, memory = (_model(seed=1), _model(filters=filters, seed=2)), MemorySink()
    with FilterLogger(tmp_path, sinks=[memory]) as logger:
        for step in range(3):
            for model in models:
                logger.log(model, step)
    assert steps_of_runs(tmp_path) == {"filters": [0, 1, 2], "filters_2": [0, 1, 2]}
    for place, run in enumerate(("filters", "filters_2")):
        own = MemorySink()
        own.snapshots = [each for at, each in enumerate(memory.snapshots) if at // 2 % 2 == place]
        _assert_run_is(tmp_path, run, own)


@pytest.mark.slow
def test_one_more_statistic_keeps_every_step_of_both(tmp_path: Path) -> None:
    model = _model()
    _fit(model, FilterVisualizer(tmp_path))
    _fit(model, FilterVisualizer(tmp_path, config=Config(statistics=[own.peak])), initial_epoch=2, epochs=4)
    (tags,) = found_by_all(tmp_path).values()
    assert list(tags[statistic_tag("conv_a", "score")]) == [-1, 0, 1, 2, 3]
    assert list(tags[statistic_tag("conv_a", "own_peak")]) == [2, 3]
    assert list(tags[tiles_tag("conv_a", 0)]) == [-1, 0, 1, 2, 3]
