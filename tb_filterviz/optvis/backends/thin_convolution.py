"""A convolution of few channels, such as a network's first, with a gradient that TensorFlow computes fast on a CPU."""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

_LANES = 16  # numbers of float32 that a core works on at once


def block_side(channels: int) -> int:
    """Choose how many pixels on a side make a block that has about as many numbers as a core works on at once."""
    return math.isqrt(_LANES // channels) if channels <= _LANES else 1


def is_worth_it(kernel_shape: tuple[int, int, int, int]) -> bool:
    """Tell whether blocks save more than they cost, for a kernel ``[kh, kw, c, filters]``: measured."""
    rows, columns, channels, filters = kernel_shape
    return block_side(channels) > 1 and min(rows, columns) >= 3 and filters >= 8


def convolution(padding: str) -> Callable[[Any, Any], Any]:
    """``(images [n, h, w, c], kernel [kh, kw, c, filters]) -> [n, h', w', filters]``, all float32, with strides of 1.

    The gradient to the images has as few channels as they have, which leaves most of a core idle. So it is computed for
    whole blocks of pixels, as channels of one: a convolution of the upstream gradient that moves on by a block, with
    the turned kernel at every place within the block.

    Args:
        padding: ``"same"`` or ``"valid"``.
    """

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def in_blocks(images: Any, kernel: Any) -> Any:
        def gradient(upstream: Any) -> tuple[Any, Any]:
            to_kernel = tf.raw_ops.Conv2DBackpropFilter(  # left out of a graph that does not ask for it
                input=images,
                filter_sizes=tf.shape(kernel),
                out_backprop=upstream,
                strides=[1, 1, 1, 1],
                padding=padding.upper(),
            )
            return gradient_to_images(upstream, kernel, images.shape, padding), to_kernel

        return tf.nn.conv2d(images, kernel, 1, padding.upper()), gradient

    def convolve(images: Any, kernel: Any) -> Any:
        # A layer's `convolution_op` is also asked to sum the taps of its own channels, of which there are many.
        if None in images.shape[1:] or not is_worth_it(kernel.shape):
            return tf.nn.conv2d(images, kernel, 1, padding.upper())
        return in_blocks(images, tf.convert_to_tensor(kernel))

    return convolve


def gradient_to_images(upstream: Any, kernel: Any, shape: tuple[int, int, int, int], padding: str) -> Any:
    """Compute the gradient ``[n, h, w, c]`` to images of this shape from that of ``[n, h', w', filters]``."""
    _, height, width, channels = shape
    side = block_side(channels)
    turned = tf.transpose(tf.reverse(kernel, [0, 1]), (0, 1, 3, 2))
    at_all_places = [
        tf.pad(turned, [[row, side - 1 - row], [column, side - 1 - column], [0, 0], [0, 0]])
        for row in range(side)
        for column in range(side)
    ]
    kernels = tf.concat(at_all_places, axis=3)  # [kh + side - 1, kw + side - 1, filters, side * side * c]
    margins = [
        _margins(size, kernel_size, answer, side, padding)
        for size, kernel_size, answer in zip((height, width), kernel.shape[:2], upstream.shape[1:3], strict=True)
    ]
    blocks = tf.nn.conv2d(upstream, kernels, side, [[0, 0], *margins, [0, 0]])
    return tf.nn.depth_to_space(blocks, side)[:, :height, :width]


def _margins(size: int, kernel_size: int, answer: int, side: int, padding: str) -> list[int]:
    """Zeros before and after the upstream gradient, so that blocks of `side` cover an axis of the image."""
    before = kernel_size - 1 - ((kernel_size - 1) // 2 if padding == "same" else 0)
    return [before, -(-size // side) * side + kernel_size - 1 - before - answer]
