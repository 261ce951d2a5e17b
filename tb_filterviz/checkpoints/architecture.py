"""What a model looks like: from a file that says so, from Python, or LeNet."""

import importlib
import json
import math
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import keras

from tb_filterviz.checkpoints import archive, hdf5, tf_format
from tb_filterviz.checkpoints.kinds import Checkpoint, Kind, recognise
from tb_filterviz.checkpoints.repair import modern
from tb_filterviz.errors import CheckpointError, ConfigError
from tb_filterviz.lenet import build_lenet

ModelSource = str | Path | Callable[[], keras.Model]

_MOST_INPUTS = 1 << 24  # values in one image


@dataclass(frozen=True, slots=True)
class Architecture:
    """How to build a model, in any process: a configuration as JSON, or ``package.module:factory``."""

    origin: str = field(compare=False)  # for messages
    config: str | None = None
    factory: str | None = None

    @classmethod
    def of(cls, model: keras.Model) -> "Architecture":
        """That of a model which is at hand.

        Raises:
            ConfigError: if the model does not say how it is made.
        """
        try:
            config = json.dumps(keras.saving.serialize_keras_object(model))
        except Exception as error:  # a model's own get_config may fail in any way
            raise ConfigError(f"Model {model.name!r} does not say how it is made: {error} {_OWN_FACTORY}") from error
        return cls(f"model {model.name!r}", config=config)

    def build(self, *, unsafe: bool = False, most_weights: int | None = None) -> keras.Model:
        """A new model, with weights as they are initialized.

        Args:
            unsafe: run code that the configuration holds (Lambda layers).
            most_weights: how many numbers the file to be loaded holds; a model that wants more is not built.

        Raises:
            CheckpointError: if Keras refuses the configuration, or it asks for more than the file holds.
            ConfigError: if the factory does not make a model.
        """
        if self.factory is not None:
            return _call(self.factory)
        if most_weights is not None:
            with ThreadPoolExecutor(1) as thread:  # where Keras' list of weights still to be allocated ends with it
                wanted = thread.submit(self._count_weights, unsafe).result()
            if wanted > most_weights:
                raise CheckpointError(
                    f"{self.origin} describes a model of {wanted:,} weights, and there are values for {most_weights:,}."
                )
        return self._from_config(unsafe)

    def _count_weights(self, unsafe: bool) -> int:
        with keras.StatelessScope(initialize_variables=False):  # shapes only: nothing is allocated
            return sum(math.prod(weight.shape) for weight in self._from_config(unsafe).weights)

    def _from_config(self, unsafe: bool) -> keras.Model:
        try:
            config = modern(json.loads(self.config or ""))
            config.pop("compile_config", None)
            model = keras.saving.deserialize_keras_object(config, safe_mode=not unsafe)
        except Exception as error:  # Keras raises whatever a configuration makes it stumble over
            raise CheckpointError(
                f"Keras cannot build the model that {self.origin} describes. {_advice(error)}"
            ) from error
        if not isinstance(model, keras.Model):
            raise CheckpointError(f"{self.origin} describes a {type(model).__name__}, not a model.")
        if not model.built:
            raise CheckpointError(
                f"{self.origin} describes a model without saying how large its images are. {_OWN_FACTORY}"
            )
        for tensor in model.inputs or []:
            if math.prod(size or 1 for size in tensor.shape) > _MOST_INPUTS:
                raise CheckpointError(
                    f"{self.origin} describes a model of images of {tensor.shape[1:]}. That is too large."
                )
        return model


_OWN_FACTORY = "Build it in Python, and say --model package.module:factory."


def _advice(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = next((line for line in reversed(lines) if line.startswith("Exception encountered")), lines[0])
    if "TFOpLambda" in str(error):
        return f"It calls functions of TensorFlow in place of layers (TFOpLambda), which Keras 3 cannot. {_OWN_FACTORY}"
    if "lambda" in text.lower():
        return (
            "It holds Python code (a Lambda layer), which was not run. If you trust whoever made the file, --unsafe "
            "(unsafe=True in Python) runs it."
        )
    return f"{_shortened(text)} {_OWN_FACTORY}"


def _shortened(text: str) -> str:
    text = text.removeprefix("Exception encountered: ")
    return (text if len(text) <= 300 else f"{text[:300]} ...").rstrip(".") + "."


def _call(factory: str) -> keras.Model:
    module_name, _, name = factory.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")  # a command finds modules where it is typed, as `python -m` does
    try:
        made = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"There is no {factory!r} to build a model: {error}") from error
    try:
        model = made() if callable(made) and not isinstance(made, keras.Model) else made
    except Exception as error:  # a user's own function may fail in any way
        raise ConfigError(f"{factory!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(model, keras.Model):
        raise ConfigError(f"{factory!r} must make a Keras model. It made: {type(model).__name__}")
    return model


def as_architecture(source: ModelSource | Architecture) -> Architecture:
    """An architecture from what a user says.

    Args:
        source: ``"lenet"``; ``"package.module:factory"``; a file that holds an architecture (``.keras``, ``.json``, a
            whole ``.h5``, a SavedModel of Keras 2); or a function of a module, without arguments.

    Raises:
        ConfigError: if it is none of these.
        CheckpointError: if the file cannot be used.
    """
    if isinstance(source, Architecture):
        return source
    if callable(source) and not isinstance(source, Path):
        name = getattr(source, "__qualname__", "")
        if not name.isidentifier() or source.__module__ == "__main__":
            raise ConfigError(
                f"`model` must be a function of a module that can be imported. Received: model={source!r}"
            )
        return Architecture(f"{source.__module__}:{name}", factory=f"{source.__module__}:{name}")
    if source == "lenet":
        return Architecture("lenet", factory=f"{build_lenet.__module__}:{build_lenet.__name__}")
    if Path(source).exists():
        return _from_file(Path(source))
    module_name, _, name = str(source).partition(":")
    if name.isidentifier() and all(part.isidentifier() for part in module_name.split(".")):
        return Architecture(str(source), factory=str(source))
    raise ConfigError(
        "`model` must be 'lenet', a file that holds an architecture (.keras, .json, .h5), or 'package.module:factory'. "
        f"Received: model={str(source)!r}"
    )


def _from_file(path: Path) -> Architecture:
    if path.is_file():
        with path.open("rb") as file:
            if file.read(64).lstrip()[:1] == b"{":
                return Architecture(repr(str(path)), config=path.read_text("utf-8", "replace"))
    stored = stored_architecture(recognise(path))
    if stored is None:
        raise CheckpointError(f"{str(path)!r} holds weights only, and says nothing of the model's architecture.")
    return stored


def stored_architecture(checkpoint: Checkpoint) -> Architecture | None:
    """The architecture that the checkpoint itself holds; None if it holds weights only."""
    config: str | None = None
    if checkpoint.kind is Kind.MODEL:
        config = archive.config(checkpoint.path)
    elif checkpoint.kind is Kind.LEGACY_MODEL:
        config = hdf5.attribute(checkpoint.path, "model_config")
    elif checkpoint.kind is Kind.SAVED_MODEL:
        config = tf_format.saved_model_config(checkpoint.path)
    return None if config is None else Architecture(repr(str(checkpoint.path)), config=config)
