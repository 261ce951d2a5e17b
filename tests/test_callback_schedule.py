"""How often the callback draws, what it tells Keras' other callbacks, and what it draws last."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import Config, FilterVisualizer, MemorySink, draw
from tb_filterviz.errors import ConfigError
from tb_filterviz.metadata import scalar_tag
from tb_filterviz.snapshots import LayerSnapshot
from tests.event_reader import recipe_of, series, steps

Fit = Callable[..., Any]


def _steps(memory: MemorySink) -> list[int]:
    return sorted({snapshot.step for snapshot in memory.snapshots})


def _last(memory: MemorySink) -> dict[str, LayerSnapshot]:
    return {snapshot.layer: snapshot for snapshot in memory.snapshots}


def _shows(memory: MemorySink, model: keras.Model, config: Config | None = None) -> bool:
    """Tell whether the last pictures are those of the model as it is."""
    last = _last(memory)
    drawn = draw(model, list(last), config=config or "clean", verbose=0)
    return all(np.array_equal(each.tiles, last[each.layer].tiles) for each in drawn)


class Stops(keras.callbacks.EarlyStopping):
    """Finds every epoch worse than the one before, and so restores the weights of the first."""

    def __init__(self, patience: int = 2) -> None:
        super().__init__(monitor="loss", mode="max", patience=patience, restore_best_weights=True)
        self.asked = 0

    def get_monitor_value(self, logs: Any) -> float:  # noqa: ARG002  Keras gives it
        self.asked += 1
        return -self.asked


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (1, [-1, 0, 1, 2, 3, 4]),
        (2, [-1, 1, 3, 4]),
        (4, [-1, 3, 4]),
        (9, [-1, 4]),
        (lambda epoch: epoch == 2, [-1, 2, 4]),
    ],
)
def test_every_so_many_epochs_and_the_last(
    tmp_path: Path, small_model: keras.Model, fit: Fit, every: Any, expected: list[int]
) -> None:
    fit(small_model, FilterVisualizer(tmp_path, every=every), epochs=5)
    assert steps(tmp_path / "filters", "filters/conv_a") == expected
    assert steps(tmp_path / "filters", "filterviz/conv_b/tiles") == expected


def test_every_goes_with_epochs_only(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="`every` is for epochs: with `update_freq`, batches are counted"):
        FilterVisualizer(tmp_path, update_freq=10, every=2)
    FilterVisualizer(tmp_path, update_freq=10)


def test_a_resumed_training_goes_on_though_it_draws_less_often(
    tmp_path: Path, small_model: keras.Model, fit: Fit
) -> None:
    fit(small_model, FilterVisualizer(tmp_path, every=2), epochs=3)
    fit(small_model, FilterVisualizer(tmp_path, every=3), epochs=8, initial_epoch=3)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["filters"]
    assert steps(tmp_path / "filters", "filters/conv_a") == [-1, 1, 2, 5, 7]
    assert recipe_of(tmp_path / "filters")["schedule"] == {"update_freq": "epoch", "every": 2, "budget": None}


def test_a_budget_draws_less_often_and_says_so(
    tmp_path: Path, small_model: keras.Model, fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    generous, tight = MemorySink(), MemorySink()
    fit(small_model, FilterVisualizer(tmp_path / "a", budget=1.0, sinks=[generous], verbose=1), epochs=6)
    said = capsys.readouterr().out
    fit(small_model, FilterVisualizer(tmp_path / "b", budget=1e-9, sinks=[tight], verbose=1), epochs=6)
    assert _steps(tight) == [-1, 5]  # the untrained and the trained network, whatever it costs
    assert set(_steps(generous)) > {-1, 5}
    assert recipe_of(tmp_path / "b" / "filters")["schedule"]["budget"] == 1e-9
    assert capsys.readouterr().out.count("FilterVisualizer: Draws less often: a drawing takes") == 1
    assert "every" not in said


@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
def test_what_is_drawn_last_are_the_weights_that_are_restored(
    tmp_path: Path, small_model: keras.Model, fit: Fit, is_first: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = MemorySink()
    visualizer, stops = FilterVisualizer(tmp_path, sinks=[memory], verbose=1), Stops()
    fit(small_model, *([visualizer, stops] if is_first else [stops, visualizer]), epochs=9)
    assert _steps(memory) == [-1, 0, 1, 2] == steps(tmp_path / "filters", "filters/conv_a")
    assert _shows(memory, small_model)
    firsts = [snapshot.tiles for snapshot in memory.snapshots if snapshot.step == 0]
    assert all(np.array_equal(first, last.tiles) for first, last in zip(firsts, _last(memory).values(), strict=True))
    assert "Step 2 shows the weights that fit leaves, which are not those of the last batch." in capsys.readouterr().out


@pytest.mark.parametrize("epochs", [3, 2])
def test_restored_weights_are_drawn_last_when_batches_are_counted(
    tmp_path: Path, small_model: keras.Model, fit: Fit, epochs: int
) -> None:
    memory = MemorySink()
    fit(small_model, Stops(), FilterVisualizer(tmp_path, update_freq=1, sinks=[memory]), epochs=epochs)
    assert _steps(memory) == list(range(epochs * 2 + 2))
    assert _shows(memory, small_model)


def test_averaged_weights_are_drawn_last(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    optimizer = keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.5)
    small_model.compile(optimizer, "sparse_categorical_crossentropy")
    memory = MemorySink()
    fit(small_model, FilterVisualizer(tmp_path, sinks=[memory]))
    assert _steps(memory) == [-1, 0, 1, 2]
    assert _shows(memory, small_model)


def test_after_an_early_stop_a_training_can_be_resumed(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    fit(small_model, FilterVisualizer(tmp_path), Stops(), epochs=9)
    fit(small_model, FilterVisualizer(tmp_path), epochs=5, initial_epoch=3)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["filters"]
    assert steps(tmp_path / "filters", "filters/conv_a") == [-1, 0, 1, 2, 3, 4]


def test_one_callback_may_serve_several_fits(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    visualizer = FilterVisualizer(tmp_path)
    fit(small_model, visualizer, Stops(1), epochs=2)
    fit(small_model, visualizer, Stops(1), epochs=4, initial_epoch=2)
    assert steps(tmp_path / "filters", "filters/conv_a") == [-1, 0, 1, 2, 3]


def test_called_by_hand_every_epoch_is_written_at_once(tmp_path: Path, small_model: keras.Model) -> None:
    visualizer = FilterVisualizer(tmp_path)
    visualizer.set_model(small_model)
    visualizer.on_train_begin()
    for epoch in range(3):
        visualizer.on_epoch_begin(epoch)
        visualizer.on_epoch_end(epoch)
        assert steps(tmp_path / "filters", "filters/conv_a")[-1] == epoch
    visualizer.on_train_end()
    assert steps(tmp_path / "filters", "filters/conv_a") == [-1, 0, 1, 2]


class Forwards(keras.callbacks.Callback):
    """Calls another callback, as people do who wrap ours, and tells it nothing of the training."""

    def __init__(self, callback: keras.callbacks.Callback) -> None:
        super().__init__()
        for name in ("set_model", "on_train_begin", "on_epoch_begin", "on_epoch_end", "on_train_end"):
            setattr(self, name, getattr(callback, name))


def test_no_epoch_waits_for_an_end_that_nobody_knows(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    fit(small_model, Forwards(FilterVisualizer(tmp_path / "wrapped")))
    callbacks = keras.callbacks.CallbackList([FilterVisualizer(tmp_path / "loop")], model=small_model)
    callbacks.on_train_begin()
    for epoch in range(3):
        callbacks.on_epoch_begin(epoch)
        callbacks.on_epoch_end(epoch, {})
    callbacks.on_train_end()
    for name in ("wrapped", "loop"):
        assert steps(tmp_path / name / "filters", "filters/conv_a") == [-1, 0, 1, 2]


def _fail_at(epoch: int) -> keras.callbacks.Callback:
    def fail(at: int, logs: Any) -> None:  # noqa: ARG001  Keras gives it
        if at == epoch:
            raise OSError("no more")

    return keras.callbacks.LambdaCallback(on_epoch_end=fail)


@pytest.mark.parametrize("epoch", [1, 2])
def test_another_callback_that_fails_takes_no_picture_along(
    tmp_path: Path, small_model: keras.Model, fit: Fit, epoch: int
) -> None:
    visualizer = FilterVisualizer(tmp_path)
    with pytest.raises(OSError, match="no more"):
        fit(small_model, visualizer, _fail_at(epoch))
    fit(small_model, visualizer, epochs=epoch + 2, initial_epoch=epoch + 1)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["filters"]
    assert steps(tmp_path / "filters", "filters/conv_a") == list(range(-1, epoch + 2))


CURVES = ("mean_gain", "mean_score", "share_responsive", "mean_change")


def test_curves_reach_keras_logs(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    table = tmp_path / "log.csv"
    visualizer = FilterVisualizer(tmp_path, logs_prefix="filters/", every=2)
    history = fit(small_model, visualizer, keras.callbacks.CSVLogger(str(table)), epochs=4).history
    names = [f"filters/{layer}/{curve}" for layer in ("conv_a", "conv_b") for curve in CURVES]
    logged = series(tmp_path / "filters", scalar_tag("conv_b", "mean_score"))
    with table.open() as file:
        rows = list(csv.DictReader(file))
    of_epochs = [logged[step] for step in (-1, 1, 1, 3)]  # where none is drawn, those of before
    np.testing.assert_allclose(history["filters/conv_b/mean_score"], of_epochs, rtol=1e-6)
    assert set(rows[-1]) >= {"epoch", "loss", *names}
    np.testing.assert_allclose([float(row["filters/conv_b/mean_score"]) for row in rows], of_epochs, rtol=1e-6)
    without = fit(small_model, FilterVisualizer(tmp_path / "without")).history
    assert set(without) == {"accuracy", "loss"}


def test_early_stopping_can_look_at_filters(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    stops = keras.callbacks.EarlyStopping(monitor="filters/conv_b/mean_gain", mode="min", min_delta=100, patience=1)
    fit(small_model, FilterVisualizer(tmp_path, logs_prefix="filters/"), stops, epochs=9)
    assert steps(tmp_path / "filters", "filters/conv_a") == [-1, 0, 1]


def test_at_the_end_it_is_said_what_died(tmp_path: Path, fit: Fit, capsys: pytest.CaptureFixture[str]) -> None:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            layers.Conv2D(4, 3, activation="relu", name="conv_a"),
            layers.Conv2D(3, 3, activation="relu", name="conv_b"),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    kernel, _ = model.get_layer("conv_b").get_weights()
    kernel[..., 2] = -1  # of what is never negative

    def kill(epoch: int, logs: Any) -> None:  # noqa: ARG001  Keras gives it
        if epoch == 2:
            kernel[..., 0] = -1
            model.get_layer("conv_b").set_weights([kernel, np.array([-5, 0, -5], np.float32)])

    model.get_layer("conv_b").set_weights([kernel, np.array([0, 0, -5], np.float32)])
    before = keras.callbacks.LambdaCallback(on_epoch_begin=kill)
    fit(model, before, FilterVisualizer(tmp_path, verbose=1), epochs=4)
    said = [line for line in capsys.readouterr().out.splitlines() if "conv_b:" in line]
    assert said == ["FilterVisualizer: conv_b: filter 0 stuck since epoch 2; filter 2 never woke up."]


@pytest.mark.parametrize(
    ("verbose", "of_fit", "speaks"), [(None, 0, False), (1, 0, True), (0, 2, False), (None, 2, True), (2, 0, True)]
)
def test_it_speaks_when_it_is_told_to(
    tmp_path: Path,
    small_model: keras.Model,
    fit: Fit,
    capsys: pytest.CaptureFixture[str],
    verbose: int | None,
    of_fit: int,
    speaks: bool,
) -> None:
    fit(small_model, FilterVisualizer(tmp_path, verbose=verbose), verbose=of_fit)
    said = capsys.readouterr().out
    assert ("FilterVisualizer: 10 filters of 2 layers" in said) is speaks
    assert ("FilterVisualizer: The input range 0 to 1 is assumed" in said) is speaks


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"verbose": -1}, "`verbose` must be None, or a number from 0. Received: verbose=-1"),
        ({"verbose": True}, "`verbose` must be None, or a number from 0. Received: verbose=True"),
        ({"logs_prefix": 3}, "`logs_prefix` must be a string, or None. Received: logs_prefix=3"),
        ({"every": 0}, "`every` must be a positive count of epochs"),
        ({"budget": 2}, "`budget` must be a share of the training's time, such as 0.01. Received: 2"),
        ({"update_freq": "batch"}, "`update_freq` must be 'epoch', a positive count of batches, or a function"),
        ({"layers": [3]}, "`layers` must be names, paths or patterns of layers, or layers. Received: layers=[3]"),
        ({"layers": 3}, "`layers` must be names, paths or patterns of layers, or layers. Received: layers=3"),
        ({"part": 3}, "`part` must be a Keras model, or the name of one inside the model. Received: part=3"),
        ({"on_error": "ignore"}, "`on_error` must be 'warn' or 'raise'. Received: on_error='ignore'"),
    ],
)
def test_what_cannot_work_is_said_by_the_constructor(tmp_path: Path, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        FilterVisualizer(tmp_path, **wrong)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []
