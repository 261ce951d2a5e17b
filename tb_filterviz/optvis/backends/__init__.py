"""What differs between Keras' backends: gradients, compilation, and which process writes.

Each module here offers `value_and_gradient(function)`, `compiled(function)` and `is_chief(model)`.
"""

from types import ModuleType

import keras

from tb_filterviz.errors import ConfigError


def current() -> ModuleType:
    """The module for the backend that Keras runs on.

    Raises:
        ConfigError: if there is none for it.
    """
    name = keras.backend.backend()
    if name != "tensorflow":
        raise ConfigError(f"Keras runs on {name!r}; tb_filterviz needs KERAS_BACKEND=tensorflow.")
    from tb_filterviz.optvis.backends import tensorflow  # only the backend in use may be imported

    return tensorflow
