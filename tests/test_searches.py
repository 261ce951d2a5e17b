"""Searches of hyper-parameters with KerasTuner and `callbacks/every_trial.py`: each training's filters and curves."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import numpy as np
import pytest

from tb_filterviz.datasets import Digits
from tb_filterviz.metadata import tiles_tag
from tests.event_reader import read_run, recipe_of
from tests.loaders import Found, found_by_all, steps_of_runs
from tests.plugin.serving import LOADERS, tab

EXECUTIONS = 2
EPOCHS = 3


@pytest.fixture
def build(root: Path) -> Callable[[str], list[keras.callbacks.Callback]]:
    spec = importlib.util.spec_from_file_location("every_trial", root / "callbacks" / "every_trial.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: Callable[[str], list[keras.callbacks.Callback]] = module.build
    return made


def _model(choices: keras_tuner.HyperParameters) -> keras.Model:
    """Models of a search differ by what a log can tell: the number of filters, the optimizer and its learning rate."""
    layers = [
        keras.layers.Conv2D(choices.Int("filters", 2, 6), 3, activation="relu", name="conv_a"),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    ]
    model = keras.Sequential([keras.Input((12, 12, 1)), *layers])
    optimizers = {"sgd": keras.optimizers.SGD, "adam": keras.optimizers.Adam}
    rate = choices.Float("learning_rate", 1e-4, 1e-1, sampling="log")
    optimizer = optimizers[choices.Choice("optimizer", list(optimizers))](rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _search(tuner: keras_tuner.Tuner, data: Digits, **options: Any) -> dict[str, dict[str, Any]]:
    """Search, and return the hyper-parameters of each trial."""
    x, y = data.x_train[:96, 2:26:2, 2:26:2], data.y_train[:96]
    tuner.search(x[:64], y[:64], validation_data=(x[64:], y[64:]), batch_size=32, verbose=0, **options)
    return {name: trial.hyperparameters.values for name, trial in tuner.oracle.trials.items()}


def _assert_each_has_its_own(
    logs: Path, trials: dict[str, dict[str, Any]], executions: int, steps: Callable[[dict[str, Any]], list[int]]
) -> None:
    """Each training is one run, which holds its filters at its own steps, and says how it was trained."""
    found: Found = found_by_all(logs)
    expected = {f"{name}/execution{number}/filters": name for name in trials for number in range(executions)}
    assert set(found) == set(expected)
    assert steps_of_runs(logs) == {run: steps(trials[name]) for run, name in expected.items()}
    for run, name in expected.items():
        tiles = found[run][tiles_tag("conv_a", 0)]
        assert {at.shape[0] for at in tiles.values()} == {trials[name]["filters"]}
        training = recipe_of(logs / run)["training"]
        assert training["optimizer"].lower() == trials[name]["optimizer"]
        assert training["learning_rate"] == pytest.approx(trials[name]["learning_rate"], rel=1e-6)
        assert read_run(logs / run).Tags()["scalars"] == []  # nobody else's


@pytest.mark.slow
def test_each_training_of_a_search_has_its_filters_beside_its_curves(
    build: Callable[[str], list[keras.callbacks.Callback]], tmp_path: Path, data: Digits
) -> None:
    logs = tmp_path / "logs"
    tuner = keras_tuner.RandomSearch(
        _model,
        objective="val_loss",
        max_trials=3,
        executions_per_trial=EXECUTIONS,
        directory=tmp_path / "search",
        seed=0,
    )
    trials = _search(tuner, data, epochs=EPOCHS, callbacks=build(str(logs)))
    assert len(trials) == 3
    _assert_each_has_its_own(logs, trials, EXECUTIONS, lambda _: [-1, *range(EPOCHS)])
    for loader in LOADERS:
        losses = []
        with tab(logs, loader) as served:
            for run in sorted(found_by_all(logs)):
                curves = served.get("curves", run=run, layer="conv_a")["curves"]
                points = {(curve["of"], curve["metric"]): curve["points"] for curve in curves if curve["of"]}
                rates = points.pop(("train", "learning_rate"))
                assert rates[0][1] == pytest.approx(trials[run.split("/")[0]]["learning_rate"], rel=1e-6)
                assert set(points) == {(of, what) for of in ("train", "validation") for what in ("loss", "accuracy")}
                assert all([step for step, _ in curve] == list(range(EPOCHS)) for curve in points.values())
                losses.append(min(loss for _, loss in points["validation", "loss"]))
        means = np.reshape(losses, (3, EXECUTIONS)).mean(axis=1)  # what a tuner makes of the executions of a trial
        scores = [tuner.oracle.trials[name].score for name in sorted(trials)]
        assert scores == pytest.approx(means.tolist(), rel=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer:UserWarning")  # of what KerasTuner resumes
def test_a_search_that_resumes_trainings_has_each_beside_its_curves(
    build: Callable[[str], list[keras.callbacks.Callback]], tmp_path: Path, data: Digits
) -> None:
    logs = tmp_path / "logs"
    tuner = keras_tuner.Hyperband(
        _model, objective="val_loss", max_epochs=4, factor=2, directory=tmp_path / "search", seed=0
    )
    trials = _search(tuner, data, callbacks=build(str(logs)))
    assert {values["tuner/initial_epoch"] for values in trials.values()} > {0}
    _assert_each_has_its_own(
        logs, trials, 1, lambda values: list(range(values["tuner/initial_epoch"] - 1, values["tuner/epochs"]))
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:::sklearn.*")  # of how well a few losses are fitted
def test_a_bayesian_search_has_each_training_beside_its_curves(
    build: Callable[[str], list[keras.callbacks.Callback]], tmp_path: Path, data: Digits
) -> None:
    pytest.importorskip("sklearn", reason="KerasTuner's Bayesian search needs it: pip install keras-tuner[bayesian]")
    logs = tmp_path / "logs"
    tuner = keras_tuner.BayesianOptimization(
        _model, objective="val_loss", max_trials=4, num_initial_points=2, directory=tmp_path / "search", seed=0
    )
    trials = _search(tuner, data, epochs=EPOCHS, callbacks=build(str(logs)))
    assert len(trials) == 4
    _assert_each_has_its_own(logs, trials, 1, lambda _: [-1, *range(EPOCHS)])
