"""Networks that worker processes build by name, some of which misbehave."""

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

POISON = 666.0
KILL_ONCE = "TB_FILTERVIZ_TEST_KILL_ONCE"  # names a file; whoever deletes it dies


def _is_worker() -> bool:
    return multiprocessing.parent_process() is not None


@keras.saving.register_keras_serializable("tests")
class Counting(keras.layers.Conv2D):
    """Counts how often it is traced: a compiled call runs no Python."""

    traces = 0

    def call(self, inputs: Any) -> Any:
        Counting.traces += 1
        return super().call(inputs)


@keras.saving.register_keras_serializable("tests")
class Fatal(keras.layers.Conv2D):
    """Takes down the worker process that loads poison."""

    def load_own_variables(self, store: Any) -> None:
        once = os.environ.get(KILL_ONCE)
        if _is_worker() and once and Path(once).exists():
            Path(once).unlink()
            os._exit(9)
        if _is_worker() and np.asarray(store["0"]).flat[0] == POISON:
            os._exit(9)
        super().load_own_variables(store)


def _network(first: keras.layers.Layer) -> keras.Model:
    layers = [
        keras.Input((10, 10, 1)),
        first,
        keras.layers.Activation("relu"),
        keras.layers.Conv2D(5, 3, name="conv_b"),
        keras.layers.Flatten(),
        keras.layers.Dense(3, name="dense"),
    ]
    return keras.Sequential(layers, name="network")


def plain() -> keras.Model:
    return _network(keras.layers.Conv2D(4, 3, name="conv_a"))


def counting() -> keras.Model:
    return _network(Counting(4, 3, name="conv_a"))


def fatal() -> keras.Model:
    return _network(Fatal(4, 3, name="conv_a"))


def normalizing() -> keras.Model:
    keras.utils.set_random_seed(3)
    layers = [
        keras.Input((10, 10, 1)),
        keras.layers.Normalization(name="normalization"),
        keras.layers.Conv2D(4, 3, activation="relu", name="conv_a"),
        keras.layers.Conv2D(5, 3, name="conv_b"),
    ]
    return keras.Sequential(layers, name="normalizing")


def save_epochs(
    folder: Path, epochs: range, make: Callable[[], keras.Model] = plain, poison: int | None = None
) -> None:
    """Weights that change from epoch to epoch, under the names of Keras' ModelCheckpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    model = make()
    for epoch in epochs:
        rng = np.random.default_rng(epoch)
        weights = [rng.normal(0, 0.3, value.shape) for value in model.get_weights()]
        if epoch == poison:
            weights[0].flat[0] = POISON
        model.set_weights(weights)
        model.save_weights(folder / f"epoch-{epoch:02d}.weights.h5")
