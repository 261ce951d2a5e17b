import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import hypothesis
import keras
import pytest

from tb_filterviz import Config, build_lenet, digits
from tb_filterviz.datasets import Digits

# A loaded machine is slow, not wrong.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")

ROOT = Path(__file__).parent.parent


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_auto_num_workers() -> int:
    """As many processes as there are cores, but each holds up to 2 GiB."""
    return min(4, os.cpu_count() or 1)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def data() -> Digits:
    return digits()


@pytest.fixture(scope="session")
def train(data: Digits) -> Callable[[int], keras.Model]:
    """A LeNet after two epochs on the embedded digits, by seed."""
    trained: dict[int, keras.Model] = {}

    def by_seed(seed: int) -> keras.Model:
        if seed not in trained:
            keras.utils.set_random_seed(seed)
            model = build_lenet()
            model.compile("adam", "sparse_categorical_crossentropy")
            model.fit(data.x_train, data.y_train, batch_size=128, epochs=2, verbose=0)
            trained[seed] = model
        return trained[seed]

    return by_seed


@pytest.fixture(scope="session")
def lenet(train: Callable[[int], keras.Model]) -> keras.Model:
    return train(0)


@pytest.fixture
def fit(data: Digits) -> Callable[..., Any]:
    """Trains on 64 digits of 12 x 12, two batches an epoch."""
    images = data.x_train[::78][:64, 2:26:2, 2:26:2]
    labels = data.y_train[::78][:64]

    def run(model: keras.Model, *callbacks: keras.callbacks.Callback, epochs: int = 3, **options: Any) -> Any:
        options = {"batch_size": 32, "verbose": 0, **options}
        return model.fit(images, labels, epochs=epochs, callbacks=list(callbacks), **options)

    return run


@pytest.fixture
def small_model() -> keras.Model:
    """12 x 12 images, two convolutions, fast to train."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            keras.layers.Conv2D(4, 3, padding="same", name="conv_a"),
            keras.layers.Activation("relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(6, 3, activation="relu", name="conv_b"),
            keras.layers.Dropout(0.3),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.1)  # Adam moves no better here, and takes Keras twice as long to trace
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A folder that anybody may write to, as `tmp_path` is not: what is above it is open as well."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@pytest.fixture
def as_nobody() -> Callable[[], AbstractContextManager[None]]:
    """Gives up the rights of root, which no permission stops, within a block."""

    @contextmanager
    def block() -> Iterator[None]:
        before = os.geteuid()
        if before == 0:
            os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(before)

    return block


@pytest.fixture
def classic() -> Config:
    return Config.classic()
