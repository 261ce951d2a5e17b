"""Gradients and compilation with JAX."""

import math
from collections.abc import Callable
from typing import Any

import jax
import keras

from tb_filterviz.optvis import weight_overrides
from tb_filterviz.optvis.backends.compiled import Compiled
from tb_filterviz.optvis.backends.tiled_pooling import max_pool
from tb_filterviz.optvis.layer_types import is_as_keras_made_it

_MOST_IN_WINDOW = 9  # each of them is a pass over the array


def value_and_gradient(function: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """Make of `function(images, *rest) -> [n]` a function that returns its values and their gradients to the images."""

    def total(images: Any, *rest: Any) -> tuple[Any, Any]:
        values = function(images, *rest)
        return values.sum(), values

    def compute(images: Any, *rest: Any) -> tuple[Any, Any]:
        (_, values), gradient = jax.value_and_grad(total, has_aux=True)(images, *rest)
        return values, gradient

    return compute


def compiled(function: Callable[..., Any], model: keras.Model) -> Compiled:
    """Compile a function once per shape of its arguments; the model's variables are read anew at every call."""
    variables = list(model.variables)

    def run_with(values: list[Any], *arrays: Any) -> Any:
        with weight_overrides.given(list(zip(variables, values, strict=True))):
            return function(*arrays)

    traced = jax.jit(run_with, **_repeatable())
    return Compiled(lambda *arrays: traced([variable.value for variable in variables], *arrays), traced.clear_cache)


def _repeatable() -> dict[str, Any]:
    """Have a GPU compute the same each time; else the pictures of a network that does not change do."""
    return {"compiler_options": {"xla_gpu_deterministic_ops": True}} if jax.default_backend() == "gpu" else {}


def shortcuts(layer: keras.Layer) -> dict[str, Any]:
    """Return attributes with which the layer computes the same, and its gradients faster."""
    is_tiled = (
        type(layer) is keras.layers.MaxPooling2D
        and is_as_keras_made_it(layer)
        and layer.data_format == "channels_last"
        and layer.padding == "valid"
        and layer.strides == layer.pool_size
        and math.prod(layer.pool_size) <= _MOST_IN_WINDOW
        and jax.default_backend() == "cpu"
    )
    return {"call": max_pool(layer.pool_size)} if is_tiled else {}


def is_chief(model: keras.Model) -> bool:  # noqa: ARG001  the same for all
    """Tell whether this process is the one that writes."""
    return bool(jax.process_index() == 0)
