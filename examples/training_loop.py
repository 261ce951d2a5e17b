"""A hand-written training loop: the logger is called when you want a picture.

Run it with a folder for the logs (default: logs), then look: tensorboard --logdir logs
"""

import sys

import keras
import tensorflow as tf

from tb_filterviz import FilterLogger, build_lenet, digits


def main(log_dir: str) -> None:
    """Train for three epochs, step by step."""
    data = digits()
    model = build_lenet()
    optimizer = keras.optimizers.Adam()
    loss_of = keras.losses.SparseCategoricalCrossentropy()
    batches = tf.data.Dataset.from_tensor_slices((data.x_train, data.y_train)).shuffle(5000).batch(128)

    @tf.function  # type: ignore[untyped-decorator,unused-ignore]
    def train_on(images: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(labels, model(images, training=True))
        weights = model.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)
        return loss

    with FilterLogger(log_dir) as logger:
        logger.log(model, step=-1)  # before the training
        for epoch in range(3):
            for images, labels in batches:
                loss = train_on(images, labels)
            snapshots = logger.log(model, step=epoch)
            changes = ", ".join(f"{snapshot.layer} by {snapshot.change.mean():.3f}" for snapshot in snapshots)
            print(f"epoch {epoch}: loss {float(loss):.3f}; the pictures changed: {changes}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "logs")
