"""Gradients and compilation with TensorFlow."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tb_filterviz.optvis.backends import grouped_convolution, thin_convolution
from tb_filterviz.optvis.backends.compiled import Compiled
from tb_filterviz.optvis.layer_types import is_convolution


def value_and_gradient(function: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Make of `function(images, *rest) -> [n]` a function that returns its values and their gradients to the images."""

    def compute(images: Any, *rest: Any) -> tuple[Any, Any]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(images)
            values = function(images, *rest)
        return values, tape.gradient(values, images, unconnected_gradients="zero")

    return compute


def compiled(function: Callable[..., Any], model: keras.Model) -> Compiled:  # noqa: ARG001  read live
    """Compile a function once per kind of arguments; the model's variables are read anew at every call."""
    concrete: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def run(*arrays: Any) -> Any:
        # A `tf.function` for each kind: TensorFlow takes one new function per layer for retracing, and warns.
        kinds = tuple((array.shape, array.dtype) for array in arrays)
        if kinds not in concrete:
            traced = tf.function(function, autograph=False, jit_compile=False)
            concrete[kinds] = traced.get_concrete_function(*arrays)
        return concrete[kinds](*arrays)

    return Compiled(run, concrete.clear)


def shortcuts(layer: keras.Layer) -> dict[str, Any]:
    """Return attributes with which the layer computes the same, and its gradients faster."""
    if not (is_convolution(layer) and layer.built) or tf.config.list_physical_devices("GPU"):
        return {}
    stride, is_dilated = layer.strides[0], layer.dilation_rate != (1, 1)
    if is_dilated or layer.strides != (stride, stride):
        return {}
    if layer.groups > 1:
        return {"convolution_op": grouped_convolution.convolution(stride, layer.padding)}
    if stride == 1 and layer.compute_dtype == "float32" and thin_convolution.is_worth_it(layer.kernel.shape):
        return {"convolution_op": thin_convolution.convolution(layer.padding)}
    return {}


def is_chief(model: keras.Model) -> bool:
    """Tell whether this process is the one that writes."""
    strategy = getattr(model, "distribute_strategy", None) or tf.distribute.get_strategy()
    return bool(strategy.extended.should_save_summary)
