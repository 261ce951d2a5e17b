"""What differs between Keras' backends: gradients, compilation, and which process writes.

Each module here offers `value_and_gradient(function)`, `compiled(function, model)`, `shortcuts(layer)` and
`is_chief(model)`.
"""

import importlib
from types import ModuleType

import keras

from tb_filterviz.errors import ConfigError

KNOWN = ("tensorflow", "jax", "torch")


def current() -> ModuleType:
    """Return the module for the backend that Keras runs on.

    Raises:
        ConfigError: if there is none for it.
    """
    name = keras.backend.backend()
    if name not in KNOWN:
        raise ConfigError(f"Keras runs on {name!r}; tb_filterviz needs KERAS_BACKEND to be one of {', '.join(KNOWN)}.")
    return importlib.import_module(f"{__name__}.{name}")  # only the backend in use may be imported
