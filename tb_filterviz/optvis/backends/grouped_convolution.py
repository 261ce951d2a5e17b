"""Grouped convolutions out of those that TensorFlow has on a CPU, where Keras compiles each call with XLA instead."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def convolution(stride: int, padding: str) -> Callable[[Any, Any], Any]:
    """``(images [n, h, w, c], kernel [kh, kw, c / groups, filters]) -> [n, h', w', filters]``.

    Args:
        stride: in both directions.
        padding: ``"same"`` or ``"valid"``.
    """

    def convolve(images: Any, kernel: Any) -> Any:
        kernel = tf.convert_to_tensor(kernel)
        rows, columns, per_group, filters = kernel.shape
        groups = images.shape[-1] // per_group
        if per_group == 1:
            one_each = tf.reshape(kernel, (rows, columns, groups, filters // groups))
            return tf.nn.depthwise_conv2d(images, one_each, (1, stride, stride, 1), padding.upper())
        parts = zip(tf.split(images, groups, -1), tf.split(kernel, groups, -1), strict=True)
        return tf.concat([tf.nn.conv2d(part, own, stride, padding.upper()) for part, own in parts], -1)

    return convolve
