"""The network of the reference case."""

from pathlib import Path

import keras


def build_lenet(
    width: int = 28, height: int = 28, depth: int = 1, classes: int = 10, weights: str | Path | None = None
) -> keras.Sequential:
    """Build LeNet as in the article of January 2018: ReLU and softmax are layers of their own.

    Args:
        width: of the input images, in pixels.
        height: of the input images, in pixels.
        depth: channels of the input images.
        classes: how many classes to tell apart.
        weights: a file of weights to load, Keras 3's ``.weights.h5`` or what Keras 2 wrote (``lenet_weights.hdf5``);
            files are taken by position, so layer names do not matter.

    Returns:
        The model, not compiled: images ``[n, height, width, depth]`` to probabilities ``[n, classes]``.

    Raises:
        ValueError: if the weights do not fit (from Keras).
    """
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((height, width, depth)),
            layers.Conv2D(20, 5, padding="same", name="conv2d_1"),
            layers.Activation("relu", name="activation_1"),
            layers.MaxPooling2D(2, strides=2, name="max_pooling2d_1"),
            layers.Conv2D(50, 5, padding="same", name="conv2d_2"),
            layers.Activation("relu", name="activation_2"),
            layers.MaxPooling2D(2, strides=2, name="max_pooling2d_2"),
            layers.Flatten(name="flatten_1"),
            layers.Dense(500, name="dense_1"),
            layers.Activation("relu", name="activation_3"),
            layers.Dense(classes, name="dense_2"),
            layers.Activation("softmax", name="activation_4"),
        ],
        name="lenet",
    )
    if weights is not None:
        model.load_weights(str(weights))
    return model
