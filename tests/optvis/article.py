"""The article's procedure, written independently of the package: plain TensorFlow, one filter at a time."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

Image = npt.NDArray[np.float32]


def gradient_step(model: keras.Model, layer: str) -> Any:
    """A compiled function of an image [1, h, w, c] and a filter, that returns the score and the normalized gradient."""
    below = keras.Model(model.inputs[0], model.get_layer(layer).output)

    @tf.function  # type: ignore[untyped-decorator]
    def compute(image: Any, index: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            score = tf.reduce_mean(tf.gather(below(image, training=False), index, axis=-1))
        gradient = tape.gradient(score, image)
        return score, gradient / (tf.sqrt(tf.reduce_mean(tf.square(gradient))) + 1e-5)

    return compute


def draw_filter(compute: Any, start: Image, index: int, steps: int = 20) -> tuple[Image, float, bool]:
    """The picture [h, w, c], its score, and whether the filter is left in; at a score not above 0 it stops."""
    image, score = start[None].copy(), 0.0
    for _ in range(steps):
        value, gradient = compute(tf.constant(image), tf.constant(index))
        score = float(value)
        image += gradient.numpy()
        if score <= 0:
            return image[0], score, False
    return image[0], score, True
