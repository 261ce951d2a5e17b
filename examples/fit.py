"""Train LeNet on real digits with `model.fit`, and log what its filters respond to at every epoch.

Run it with a folder for the logs (default: logs), then look: tensorboard --logdir logs
"""

import sys

import keras

from tb_filterviz import FilterVisualizer, build_lenet, digits


def main(log_dir: str) -> None:
    """Train for three epochs."""
    data = digits()
    model = build_lenet()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        data.x_train,
        data.y_train,
        batch_size=128,
        epochs=3,
        validation_data=(data.x_test, data.y_test),
        callbacks=[keras.callbacks.TensorBoard(log_dir), FilterVisualizer(log_dir)],
        verbose=2,
    )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "logs")
