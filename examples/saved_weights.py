"""Train first, look afterwards: the weights of every epoch are saved, and their filters logged when there is time.

Run it with a folder for the logs (default: logs), then look: tensorboard --logdir logs
"""

import sys
from pathlib import Path

import keras

from tb_filterviz import FilterLogger, build_lenet, digits


def train(checkpoints: Path) -> None:
    """Train for three epochs, and save the weights after each; epoch 0 is the untrained network."""
    data = digits()
    model = build_lenet()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.save_weights(checkpoints / "epoch-00.weights.h5")
    save = keras.callbacks.ModelCheckpoint(str(checkpoints / "epoch-{epoch:02d}.weights.h5"), save_weights_only=True)
    model.fit(data.x_train, data.y_train, batch_size=128, epochs=3, callbacks=[save], verbose=2)


def main(log_dir: str) -> None:
    """Train, then log."""
    checkpoints = Path(log_dir) / "checkpoints"
    checkpoints.mkdir(parents=True, exist_ok=True)
    train(checkpoints)
    with FilterLogger(log_dir) as logger:
        report = logger.log_checkpoints(checkpoints, "lenet")
    for entry in report.logged:
        print(f"step {entry.step:2}: {entry.checkpoint}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "logs")
