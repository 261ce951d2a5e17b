"""What a model looks like: from a file that says so, from Python, or LeNet."""

import importlib
import json
import math
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import keras

from tb_filterviz.checkpoints.keras2_config import to_keras3
from tb_filterviz.checkpoints.keras3_config import LostCallError, to_newest
from tb_filterviz.checkpoints.sources import ModelSource, described
from tb_filterviz.checkpoints.weights import Stored, advice_if_wrapped
from tb_filterviz.error_context import circumstance
from tb_filterviz.errors import CheckpointError, ConfigError

_MOST_INPUTS = 1 << 24  # values in one image
_MOST_OUTPUTS = 1 << 26  # values that a layer makes of one image
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
            raise ConfigError(f"Model {model.name!r} does not say how it is made: {error} {_OWN_FACTORY}") from error
        return cls(f"model {model.name!r}", config=config, written_by=keras.__version__)

    def build(self, *, unsafe: bool = False, stored: Stored | None = None) -> keras.Model:
        """Build a new model, with weights as they are initialized.

        Args:
            unsafe: run code that the configuration holds (Lambda layers).
            stored: what there is for its weights; a model that wants more, or has far more layers, is not built.

        Raises:
            CheckpointError: if Keras refuses the configuration, or it asks for more than the file holds.
            ConfigError: if the factory does not make a model.
        """
        if self.factory is not None:
            return _call(self.factory, self.arguments)
        most_calls = None
        if stored is not None:
            most_calls = _MOST_CALLS_PER_ARRAY * stored.arrays + _MOST_CALLS_BESIDE
            scope = _registered(self.config or "")
            with ThreadPoolExecutor(1) as thread:  # where Keras' list of weights still to be allocated ends with it
                wanted = thread.submit(self._count_weights, unsafe, most_calls, scope).result()
            if wanted > stored.numbers:
                raise CheckpointError(
                    f"{self.origin} describes a model of {wanted:,} weights, and there are values for "
                    f"{stored.numbers:,}."
                )
        return self._from_config(unsafe, most_calls)

    def _count_weights(self, unsafe: bool, most_calls: int | None, scope: dict[str, Any]) -> int:
        with (
            keras.StatelessScope(initialize_variables=False),  # shapes only: nothing is allocated
            keras.saving.custom_object_scope(scope),
        ):
            return sum(math.prod(weight.shape) for weight in self._from_config(unsafe, most_calls).weights)

    def _from_config(self, unsafe: bool, most_calls: int | None) -> keras.Model:
        try:
            config = json.loads(self.config or "")
            self._check_calls(config, most_calls)
            config = to_newest(to_keras3(config), self.written_by)
            config.pop("compile_config", None)
            model = keras.saving.deserialize_keras_object(config, safe_mode=not unsafe)
        except CheckpointError:
            raise
        except LostCallError as error:
            raise CheckpointError(
                f"Keras {self.written_by or '3.2'} wrote {self.origin} without saying {error}; no Keras can build that "
                f"model. {_WITH_THIS_FILE}"
            ) from error
        except Exception as error:  # Keras raises whatever a configuration makes it stumble over
            if around := circumstance(error):
                raise CheckpointError(f"The model that {self.origin} describes cannot be built: {around}.") from error
            raise CheckpointError(
                f"Keras cannot build the model that {self.origin} describes. {_advice(error, self.written_by)}"
            ) from error
        if not isinstance(model, keras.Model):
            raise CheckpointError(f"{self.origin} describes a {type(model).__name__}, not a model.")
        if not model.built:
            raise CheckpointError(
                f"{self.origin} describes a model without saying how large its images are. {_OWN_FACTORY}"
            )
        self._check_sizes(model)
        return model

    def _check_calls(self, config: Any, most_calls: int | None) -> None:
        calls = _calls(config)
        if most_calls is not None and calls > most_calls:
            raise CheckpointError(
                f"{self.origin} describes a model that calls {calls:,} layers, far more than there are weights for. "
                "It is damaged or hostile."
            )

    def _check_sizes(self, model: keras.Model) -> None:
        """Count what is unknown before an image is there as 1."""
        for tensor in model.inputs or []:
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


_OWN_FACTORY = "Build it in Python, and say --model package.module:factory."
_WITH_THIS_FILE = (
    "Build it in Python, and say --model package.module:factory (model=... in Python), with the same file for its "
    "weights."
)


_FUNCTIONS = ("TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty")  # of Keras 2


def _advice(error: Exception, written_by: str | None) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    text = next((line for line in reversed(lines) if line.startswith("Exception encountered")), lines[0])
    if wrapped := advice_if_wrapped(str(error)):
        return wrapped
    function = re.search(rf"\b({'|'.join(_FUNCTIONS)})\b", str(error))
    if function:
        return (
            f"It calls functions of TensorFlow in place of layers ({function[1]}), which Keras 3 cannot. {_OWN_FACTORY}"
        )
    if "lambda" in text.lower():
        return (
            "It holds Python code (a Lambda layer), which was not run. If you trust whoever made the file, --unsafe "
            "(unsafe=True in Python) runs it."
        )
    return f"{_shortened(text)} {_ways_on(written_by)}"


def _ways_on(written_by: str | None) -> str:
    if written_by is None:
        return _OWN_FACTORY
    if written_by == keras.__version__:
        return _WITH_THIS_FILE
    return (
        f"Keras {written_by} wrote it, and this is Keras {keras.__version__}: load it with Keras {written_by}, or the "
        f"latest that still can, and save it again. Or b{_WITH_THIS_FILE[1:]}"
    )


def _shortened(text: str) -> str:
    text = re.split(r"\s*[\w ]*(?:config|kwargs|arguments)\w*\W*\{", text.removeprefix("Exception encountered: "))[0]
    return (text if len(text) <= 300 else f"{text[:300]} ...").rstrip(".") + "."


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
