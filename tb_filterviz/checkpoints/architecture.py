"""What a model looks like: from a file that says so, from Python, or LeNet."""

import copy
import importlib
import json
import math
import re
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import keras

from tb_filterviz.checkpoints.advice import IF_TRUSTED, OWN_FACTORY, WITH_THIS_FILE, advice, advice_if_refused
from tb_filterviz.checkpoints.allowed import first_refusal
from tb_filterviz.checkpoints.confined import ConfinedError, confined
from tb_filterviz.checkpoints.keras2_config import to_keras3
from tb_filterviz.checkpoints.keras3_config import LostCallError, for_drawing, to_newest
from tb_filterviz.checkpoints.sources import ModelSource, described
from tb_filterviz.checkpoints.weights import Stored
from tb_filterviz.error_context import circumstance
from tb_filterviz.errors import CheckpointError, ConfigError

_MOST_INPUTS = 1 << 24  # values in one image
_MOST_OUTPUTS = 1 << 26  # values that a layer makes of one image
_MOST_VALUES = 1 << 20  # lists, and what has names; a large network has a hundredth
_MOST_CALLS_BESIDE = 200  # of layers without weights
_MOST_CALLS_PER_ARRAY = 10  # a normalization, an activation, dropout, ..., or a layer that is called again


@dataclass(frozen=True, slots=True)
class Architecture:
    """How to build a model, in any process: a configuration as JSON, or ``package.module:factory``."""

    origin: str = field(compare=False)  # for messages
    config: str | None = None
    factory: str | None = None
    arguments: tuple[int, ...] = ()  # of the factory
    written_by: str | None = field(default=None, compare=False)  # which Keras wrote the configuration, if known

    @classmethod
    def of(cls, model: keras.Model) -> "Architecture":
        """Take the architecture of a model that is at hand.

        Raises:
            ConfigError: if the model does not say how it is made.
        """
        try:
            config = json.dumps(keras.saving.serialize_keras_object(model))
        except Exception as error:  # a model's own get_config may fail in any way
            raise ConfigError(f"Model {model.name!r} does not say how it is made: {error} {OWN_FACTORY}") from error
        return cls(f"model {model.name!r}", config=config, written_by=keras.__version__)

    def build(self, *, unsafe: bool = False, stored: Stored | None = None) -> keras.Model:
        """Build a new model, with weights as they are initialized.

        Args:
            unsafe: build whatever the configuration says, and run what code it holds or names.
            stored: what there is for its weights; a model that wants more, or has far more layers, is not built.

        Raises:
            CheckpointError: if Keras refuses the configuration, or it asks for more than the file holds.
            ConfigError: if the factory does not make a model.
        """
        if self.factory is not None:
            return _call(self.factory, self.arguments)
        own = _registered(self.config or "")
        config = self._checked_config(unsafe, own, stored)
        if stored is not None:
            with ThreadPoolExecutor(1) as thread:  # where Keras' list of weights still to be allocated ends with it
                wanted = thread.submit(self._count_weights, config, unsafe, own).result()
            if wanted > stored.numbers:
                raise CheckpointError(
                    f"{self.origin} describes a model of {wanted:,} weights, and there are values for "
                    f"{stored.numbers:,}."
                )
        return self._from_config(config, unsafe)

    def _checked_config(self, unsafe: bool, own: Collection[str], stored: Stored | None) -> Any:
        """Read the configuration in the manner of today's Keras, and look whether it is allowed."""
        with self._raising_checkpoint_error():
            self._check_values(self.config or "")
            config = json.loads(self.config or "")
            if stored is not None:
                self._check_calls(config, _MOST_CALLS_PER_ARRAY * stored.arrays + _MOST_CALLS_BESIDE)
            config = for_drawing(to_newest(to_keras3(config), self.written_by))
        refusal = None if unsafe else first_refusal(config, own)
        if refusal is not None:
            raise CheckpointError(f"{self.origin} is not built: {advice_if_refused(refusal)}")
        return config

    def _count_weights(self, config: Any, unsafe: bool, own: dict[str, Any]) -> int:
        with (
            keras.StatelessScope(initialize_variables=False),  # shapes only: nothing is allocated
            keras.saving.custom_object_scope(own),
        ):
            return sum(math.prod(weight.shape) for weight in self._from_config(config, unsafe).weights)

    def _from_config(self, config: Any, unsafe: bool) -> keras.Model:
        with self._raising_checkpoint_error(), nullcontext() if unsafe else confined():
            model = keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=not unsafe)
        if not isinstance(model, keras.Model):
            raise CheckpointError(f"{self.origin} describes a {type(model).__name__}, not a model.")
        if not model.built:
            raise CheckpointError(
                f"{self.origin} describes a model without saying how large its images are. {OWN_FACTORY}"
            )
        self._check_sizes(model)
        return model

    @contextmanager
    def _raising_checkpoint_error(self) -> Iterator[None]:
        try:
            yield
        except CheckpointError:
            raise
        except LostCallError as error:
            raise CheckpointError(
                f"Keras {self.written_by or '3.2'} wrote {self.origin} without saying {error}; no Keras can build that "
                f"model. {WITH_THIS_FILE}"
            ) from error
        except ConfinedError as error:
            raise CheckpointError(
                f"{self.origin} is not built: it tried to {error}, which no network needs. {IF_TRUSTED}"
            ) from error
        except Exception as error:  # Keras raises whatever a configuration makes it stumble over
            if around := circumstance(error):
                raise CheckpointError(f"The model that {self.origin} describes cannot be built: {around}.") from error
            raise CheckpointError(
                f"Keras cannot build the model that {self.origin} describes. {advice(error, self.written_by)}"
            ) from error

    def _check_values(self, config: str) -> None:
        """Before they become objects, which are some 30 times as large as `{}`, and are copied several times."""
        if config.count("{") + config.count("[") > _MOST_VALUES:
            raise CheckpointError(
                f"{self.origin} describes a model with more than {_MOST_VALUES:,} settings. It is damaged or hostile."
            )

    def _check_calls(self, config: Any, most_calls: int) -> None:
        calls = _calls(config)
        if calls > most_calls:
            raise CheckpointError(
                f"{self.origin} describes a model that calls {calls:,} layers, far more than there are weights for. "
                "It is damaged or hostile."
            )

    def _check_sizes(self, model: keras.Model) -> None:
        """Count what is unknown before an image is there as 1."""
        for tensor in getattr(model, "inputs", None) or []:  # a class of the caller's need not have any
            if math.prod(size or 1 for size in tensor.shape) > _MOST_INPUTS:
                raise CheckpointError(
                    f"{self.origin} describes a model of images of {tensor.shape[1:]}. That is too large."
                )
        for operation in _operations(model):
            for tensor in (tensor for node in operation._inbound_nodes for tensor in node.output_tensors):
                if math.prod(size or 1 for size in tensor.shape[1:]) > _MOST_OUTPUTS:
                    raise CheckpointError(
                        f"{self.origin} describes a model in which {operation.name!r} makes {tensor.shape[1:]} of an "
                        "image. That is too large."
                    )


def _calls(config: Any) -> int:
    """Count the calls of layers that a model is made of; nested models count as often as they are called."""
    inner = config.get("config") if isinstance(config, dict) else None
    parts = inner.get("layers", inner.get("layer")) if isinstance(inner, dict) else inner
    parts = [parts] if isinstance(parts, dict) else parts if isinstance(parts, list) else []

    def times(part: Any) -> int:
        nodes = part.get("inbound_nodes") if isinstance(part, dict) else None
        return max(1, len(nodes)) if isinstance(nodes, list) else 1

    return 1 + sum(times(part) * _calls(part) for part in parts)


def _operations(model: keras.Model) -> Iterator[Any]:
    for layer in model._flatten_layers():
        yield layer
        if isinstance(layer, keras.Model):
            yield from getattr(layer, "operations", [])  # functions of `keras.ops` are no layers


def _registered(config: str) -> dict[str, Any]:
    """Return which classes and functions are meant in this thread: Keras keeps `custom_object_scope` by thread."""
    names = set(re.findall(r'"([^"\\]+)"', config))
    found = {name: keras.saving.get_registered_object(name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _call(factory: str, arguments: tuple[int, ...]) -> keras.Model:
    module_name, _, name = factory.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # a user's own module may fail in any way
        is_absent = isinstance(error, ModuleNotFoundError) and f"{module_name}.".startswith(f"{error.name}.")
        if is_absent:
            raise ConfigError(f"There is no {factory!r} to build a model: {error}") from error
        raise ConfigError(
            f"{factory!r} cannot be imported, since importing {module_name!r} failed: {type(error).__name__}: {error}"
        ) from error
    try:
        made = getattr(module, name)
    except AttributeError as error:
        raise ConfigError(f"There is no {factory!r} to build a model: {error}") from error
    try:
        model = made(*arguments) if callable(made) and not isinstance(made, keras.Model) else made
    except Exception as error:  # a user's own function may fail in any way
        raise ConfigError(f"{factory!r} failed: {type(error).__name__}: {error}") from error
    if not isinstance(model, keras.Model):
        raise ConfigError(f"{factory!r} must make a Keras model. It made: {type(model).__name__}")
    return model


def as_architecture(source: ModelSource | Architecture) -> Architecture:
    """Find the architecture that a user means, as `sources.described` does.

    Raises:
        ConfigError: if it is none.
        CheckpointError: if the file cannot be used.
    """
    return source if isinstance(source, Architecture) else Architecture(*described(source))
