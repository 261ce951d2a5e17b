"""Gradients and compilation with TensorFlow."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tb_filterviz.optvis.backends.thin_convolution import block_side, convolution
from tb_filterviz.optvis.kinds import is_plain_convolution


def value_and_gradient(function: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """`function(images, *rest) -> [n]` as a function that returns its values and their gradients to the images."""

    def compute(images: Any, *rest: Any) -> tuple[Any, Any]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            values = function(images, *rest)
        return values, tape.gradient(values, images, unconnected_gradients="zero")

    return compute


def compiled(function: Callable[..., Any], model: keras.Model) -> Callable[..., Any]:  # noqa: ARG001  read live
    """`function`, traced once per shape of its arguments; the model's variables are read anew at every call."""
    traced = tf.function(function, autograph=False, jit_compile=False)
    concrete: dict[tuple[tf.TensorShape, ...], Callable[..., Any]] = {}

    def run(*arrays: Any) -> Any:
        # Not traced(*arrays): TensorFlow takes one new function per layer for retracing, and warns.
        shapes = tuple(array.shape for array in arrays)
        if shapes not in concrete:
            concrete[shapes] = traced.get_concrete_function(*arrays)
        return concrete[shapes](*arrays)

    return run


def shortcuts(layer: keras.Layer) -> dict[str, Any]:
    """Attributes with which the layer computes the same, and its gradients faster."""
    is_thin = (
        is_plain_convolution(layer)
        and layer.strides == layer.dilation_rate == (1, 1)
        and layer.compute_dtype == "float32"
        and layer.built
        and block_side(layer.kernel.shape[2]) > 1
        and not tf.config.list_physical_devices("GPU")
    )
    return {"convolution_op": convolution(layer.padding)} if is_thin else {}


def is_chief(model: keras.Model) -> bool:
    """Whether this process is the one that writes."""
    strategy = getattr(model, "distribute_strategy", None) or tf.distribute.get_strategy()
    return bool(strategy.extended.should_save_summary)
