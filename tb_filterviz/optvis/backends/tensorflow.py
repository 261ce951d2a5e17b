"""Gradients and compilation with TensorFlow."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


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

    def run(*arrays: Any) -> Any:
        # Not traced(*arrays): TensorFlow takes one new function per layer for retracing, and warns.
        return traced.get_concrete_function(*arrays)(*arrays)

    return run


def is_chief(model: keras.Model) -> bool:
    """Whether this process is the one that writes."""
    strategy = getattr(model, "distribute_strategy", None) or tf.distribute.get_strategy()
    return bool(strategy.extended.should_save_summary)
