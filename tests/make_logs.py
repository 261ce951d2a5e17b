"""Make real logs to look at: twelve LeNets, one of 60 epochs, one that dies, two seeds, and a ResNet50 of 53 layers.

Run: python -m tests.make_logs LOGS [sweep|long|dies|seeds|resnet ...]. The ResNet50 takes half an hour, others minutes.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from tb_filterviz import Config, FilterVisualizer, build_lenet
from tb_filterviz.datasets import digits

RATES, BATCHES = (0.001, 0.01, 0.03, 0.05), (32, 64, 128)
EXAMPLES = 300


def lenet(
    log_dir: Path,
    *,
    rate: float = 0.01,
    batch: int = 32,
    epochs: int = 8,
    seed: int = 0,
    images: int = 1000,
    adam: bool = False,
) -> None:
    data = digits()
    keras.utils.set_random_seed(seed)
    model = build_lenet(28, 28, 1, 10)
    optimizer = keras.optimizers.Adam(rate) if adam else keras.optimizers.SGD(rate, momentum=0.9)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        data.x_train[:images],
        data.y_train[:images],
        epochs=epochs,
        batch_size=batch,
        validation_data=(data.x_test[:500], data.y_test[:500]),
        verbose=0,
        callbacks=[
            keras.callbacks.TensorBoard(str(log_dir), write_graph=False),
            FilterVisualizer(log_dir, examples=(data.x_train[:EXAMPLES], data.y_train[:EXAMPLES])),
        ],
    )


def sweep(logs: Path) -> None:
    for number, (rate, batch) in enumerate((rate, batch) for rate in RATES for batch in BATCHES):
        lenet(logs / f"run_{number:02d}_lr{rate}_bs{batch}", rate=rate, batch=batch, seed=number)


def long(logs: Path) -> None:
    lenet(logs, epochs=60, seed=3)


def dies(logs: Path) -> None:
    lenet(logs / "lr0.5", rate=0.5, seed=5)
    lenet(logs / "lr0.05", rate=0.05, adam=True)


def seeds(logs: Path) -> None:
    for seed in (11, 12):
        lenet(logs / f"seed_{seed}", seed=seed, epochs=5, images=5000)


def resnet(logs: Path) -> None:
    """All 53 convolutions of a ResNet50, 16 filters each, on digits of 64 px."""
    data = digits()
    keras.utils.set_random_seed(1)
    model = keras.applications.ResNet50(weights=None, input_shape=(64, 64, 3), classes=10)
    model.compile(
        keras.optimizers.SGD(0.01, momentum=0.9), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    doubled = np.kron(data.x_train[:300], np.ones((1, 2, 2, 1), np.float32))
    images = np.repeat(np.pad(doubled, ((0, 0), (4, 4), (4, 4), (0, 0))), 3, axis=-1)
    model.fit(
        images,
        data.y_train[:300],
        epochs=5,
        batch_size=32,
        validation_data=(images[:100], data.y_train[:100]),
        verbose=2,
        callbacks=[
            keras.callbacks.TensorBoard(str(logs), write_graph=False),
            FilterVisualizer(logs, config=Config(filters=range(16))),
        ],
    )


MADE: dict[str, Callable[[Path], None]] = {
    "sweep": sweep,
    "long": long,
    "dies": dies,
    "seeds": seeds,
    "resnet": resnet,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=Path)
    parser.add_argument("which", nargs="*", choices=[*MADE, []], default=list(MADE))
    args = parser.parse_args()
    for name in args.which:
        MADE[name](args.logs / name)
