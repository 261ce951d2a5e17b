"""Configurations as Keras' files hold them, damaged and hostile ones among them, built from choices."""

from collections.abc import Iterator
from typing import Any

from tests.fuzz.choices import Choices

LEFT_OUT = ("Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "__typespec__")
OWN = "mine>Own"  # what the caller has registered
_CLASSES = (
    *("Conv2D", "Dense", "InputLayer", "ReLU", "LeakyReLU", "BatchNormalization", "TimeDistributed", "Bidirectional"),
    *("Functional", "Sequential", "Model", "RandomRotation", "TextVectorization", "StringLookup", "Flatten", "Add"),
    *("GlorotUniform", "L2", "DTypePolicy", "Policy", "Matmul", "Split", "SeedGenerator", "LayerScale", "function"),
    *("__tensor__", "__numpy__", "__keras_tensor__", "__tuple__", "TensorShape", "__bytes__", "__slice__", "Own", OWN),
    *("TFOpLambda", "Map", "exec", *LEFT_OUT),
)
_MODULES = (
    *("keras.layers", "keras", "keras.src.models.functional", "keras.src.ops.numpy", "keras.initializers", "builtins"),
    *("keras.activations", "keras.ops", "keras.random", "keras.layers.core", "tf_keras.src.layers.core", "os", "mine"),
    *("keras.src.applications.convnext", "keras.saving", "keras.src.ops.core"),
)
_KEYS = (
    *("class_name", "config", "module", "registered_name", "name", "layers", "layer", "inbound_nodes", "items"),
    *("input_layers", "output_layers", "batch_shape", "batch_input_shape", "build_config", "input_shape", "shape"),
    *("dtype", "keras_history", "kernel_size", "filters", "units", "activation", "function", "axis", "alpha", "groups"),
    *("seed", "vocabulary", "value_range", "compile_config", "indices_or_sections", "num", "implementation", "fused"),
    *("trainable", "kernel_initializer", "moving_mean_initializer", "rng_type", "args", "kwargs", "value", "cell"),
)
_NAMES = ("a", "b", "conv", "a/b", "../x", "", "relu", "tanh", "exec", "float32", "int8", "mixed_float16", "valid")
_WORDS = (*_KEYS, *_CLASSES, *_MODULES, *_NAMES)
VERSIONS = (None, "2.1.3", "3.0.5", "3.1.1", "3.2.1", "3.8.0", "3.10.0", "3.15.1", "nightly")

Config = dict[str, Any]


def any_of(choices: Choices, depth: int = 5) -> Any:
    """A value that may stand anywhere in a configuration."""
    kind = choices.below(8)
    if depth == 0 or kind == 0 or choices.has_ended:
        return choices.json(_WORDS, 1)
    if kind == 1:
        return _settings(choices, depth)
    if kind == 2:
        return model(choices, depth - 1)
    if kind == 3:
        return _tensor(choices)
    if kind == 4:
        return _function(choices)
    if kind == 5:
        return _shape(choices)
    return choices.some(lambda: any_of(choices, depth - 1)) if kind == 6 else _entry(choices, depth - 1)


def model(choices: Choices, depth: int = 4) -> Config:
    inner: Any = {"name": choices.one_of(_NAMES)}
    layers = choices.some(lambda: _entry(choices, depth), 5) if depth > 0 else []
    kind = choices.below(8)
    if kind < 4:
        inner |= {"layers": layers, "input_layers": _ends(choices), "output_layers": _ends(choices)}
    elif kind < 7:
        inner["layers"] = layers
    else:
        inner = layers
    return _with_place(choices, {"class_name": choices.one_of(("Functional", "Sequential", "Model")), "config": inner})


def _entry(choices: Choices, depth: int) -> Config:
    entry: Config = {"class_name": choices.text(_CLASSES), "config": _settings(choices, depth)}
    if choices.is_so():
        entry["name"] = choices.one_of(_NAMES)
    if choices.is_so():
        entry["inbound_nodes"] = choices.some(lambda: _call(choices, depth), 3)
    if choices.below(16) == 15:
        entry[choices.text(_KEYS)] = any_of(choices, max(0, depth - 1))
    return _with_place(choices, entry)


def _with_place(choices: Choices, entry: Config) -> Config:
    kind = choices.below(8)
    if kind < 4:
        entry["module"] = choices.text(_MODULES)
    if kind == 5:
        entry["module"] = choices.json(_WORDS, 1)
    if kind in (3, 6):
        entry["registered_name"] = choices.one_of((None, OWN, "Own", "Conv2D", [], {}))
    return entry


def _settings(choices: Choices, depth: int) -> Config:
    return {choices.text(_KEYS): any_of(choices, max(0, depth - 1)) for _ in range(choices.below(6))}


def _call(choices: Choices, depth: int) -> Any:
    kind = choices.below(4)
    if kind == 0:  # as Keras 2 wrote it
        return choices.some(lambda: [*_pointer(choices), {}])
    if kind == 1:
        return any_of(choices, max(0, depth - 1))
    return {"args": choices.some(lambda: _tensor(choices), 2), "kwargs": choices.one_of(({}, {"training": None}))}


def _tensor(choices: Choices) -> Config:
    history = _pointer(choices)
    name = choices.one_of(("__keras_tensor__", "__keras_tensor__", "__tensor__", "__numpy__"))
    config = {"shape": _shape(choices), "dtype": choices.text(_NAMES), "keras_history": history, "value": [1]}
    return {"class_name": name, "config": config}


def _function(choices: Choices) -> Config:
    return _with_place(choices, {"class_name": "function", "config": choices.text(_NAMES)})


def _shape(choices: Choices) -> list[Any]:
    return choices.some(lambda: None if choices.is_so() else choices.number(), 6)


def _pointer(choices: Choices) -> list[Any]:
    return [choices.one_of(_NAMES[:3]), choices.below(3), choices.below(2)]


def _ends(choices: Choices) -> Any:
    kind = choices.below(4)
    return (
        _pointer(choices)
        if kind == 0
        else choices.some(lambda: _pointer(choices), 3)
        if kind < 3
        else any_of(choices, 1)
    )


def entries(value: Any) -> Iterator[Config]:
    """Everything in a configuration that names a class."""
    left = [value]
    while left:
        at = left.pop()
        if isinstance(at, dict):
            if "class_name" in at:
                yield at
            left.extend(at.values())
        elif isinstance(at, list):
            left.extend(at)
