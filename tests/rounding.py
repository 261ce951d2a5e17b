"""Say whether two results of one computation are the same, on whatever backend Keras runs."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt

_ROUNDING = 1e-4  # of the largest number


def same(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    """Tell whether arrays are equal: with TensorFlow to the bit, with JAX and PyTorch to rounding.

    The libraries of the latter share out a sum among as many threads as a busy machine has left, and so may add up in
    another order from call to call.
    """
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if keras.backend.backend() == "tensorflow":
        return np.array_equal(one, other)
    tolerance = 1 if one.dtype == np.uint8 else _ROUNDING * np.abs(other).max(initial=0)
    return bool((np.abs(one.astype(float) - other) <= tolerance).all())
