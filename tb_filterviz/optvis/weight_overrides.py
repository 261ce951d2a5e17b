"""Weights other than the model's own for a forward pass, and as arguments of what a backend compiles."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import keras
import numpy as np

Mapping = Sequence[tuple[Any, Any]]  # variables of Keras, each with the value to be used in its place

_given: ContextVar[Mapping] = ContextVar("given weights", default=())


@contextmanager
def given(mapping: Mapping) -> Iterator[None]:
    """Let forward passes of `probe.reach` in this block use these values in place of the variables' own."""
    token = _given.set(mapping)
    try:
        yield
    finally:
        _given.reset(token)


def current() -> Mapping:
    """Return the values to be used now; empty for the variables' own."""
    return _given.get()


_LARGEST = 1 << 24  # numbers; larger arrays are Dense layers above all convolutions
_ZERO_AT_FIRST = ("bias", "beta", "mean")


def typical(model: keras.Model) -> Mapping:
    """Make weights as a good initialization does, in place of the model's own.

    What follows from a model's structure (where it is linear, what a unit sees) must not depend on weights that are all
    zero, not finite, or so small that a branch seems to be absent.
    """
    mapping = []
    for place, variable in enumerate(model.variables):  # as tensors: each forward pass would convert them anew
        if keras.backend.is_float_dtype(variable.dtype) and math.prod(variable.shape) <= _LARGEST:
            values = _typical_values(variable.path, tuple(variable.shape), place)
            mapping.append((variable, keras.ops.convert_to_tensor(values, dtype=variable.dtype)))
    return mapping


def _typical_values(path: str, shape: tuple[int, ...], seed: int) -> Any:
    if len(shape) < 2:
        return np.full(shape, 0.0 if path.endswith(_ZERO_AT_FIRST) else 1.0, np.float32)
    scale = math.sqrt(2 / math.prod(shape[:-1]))
    return np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)
