"""Configurations of Keras 2 models, rewritten as Keras 3 would write them; only where this is exact.

Keras 2 described a Sequential model as a bare list (to 2.2), put the input's shape into the first layer, kept settings
that Keras 3 does not know, and counted the calls of a nested model from 1. What has no exact counterpart is left as it
is, and Keras 3 refuses it. What Keras 3 wrote itself is told once, as a whole, and its calls and settings come out as
they went in.
"""

import copy
import importlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import keras

Config = dict[str, Any]

_MODELS = {
    "Sequential": ("keras", "Sequential", None),
    "Functional": ("keras.src.models.functional", "Functional", "Functional"),
    "Model": ("keras.src.models.functional", "Functional", "Functional"),
}
_MODULES_OF_KERAS = r"keras|keras\.(layers|models)|(keras|tf_keras)\.(src\.)?(layers|models|engine)\..*"
_MODULES_OF_FUNCTIONS = tuple(f"keras.src.ops.{name}" for name in ("core", "image", "linalg", "math", "nn", "numpy"))
_RENAMED = {("LeakyReLU", "alpha"): "negative_slope"}
_NEUTRAL: Config = {"groups": 1, "implementation": 1, "fused": True}  # besides None and False


def to_keras3(config: Config) -> Config:
    """Rewrite the configuration of a model, or of a layer, in Keras 3's manner."""
    return _located(config) if _is_of_keras_3(config) else _modernised(_plain(copy.deepcopy(config)))


def _is_of_keras_3(value: Any) -> bool:
    """Tell whether anything in a configuration is as only Keras 3 writes it: a tensor, a dtype policy, a shape."""
    if isinstance(value, list):
        return any(map(_is_of_keras_3, value))
    if not isinstance(value, dict):
        return False
    name, inner = value.get("class_name"), value.get("config")
    return (
        name == "__keras_tensor__"
        or str(name).endswith("DTypePolicy")
        or (name == "InputLayer" and isinstance(inner, dict) and "batch_shape" in inner)
        or any(map(_is_of_keras_3, value.values()))
    )


def _located(value: Any) -> Any:
    """With the module of every model and layer, which Keras 3 leaves out in HDF5 and then goes by the name."""
    if isinstance(value, list):
        return [_located(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: _located(item) for key, item in value.items()}
    name = value.get("class_name")
    if "module" not in value and isinstance(value.get("config"), dict) and isinstance(name, str):
        if name in _MODELS:
            _set_class(value, *_MODELS[name])
        elif "trainable" not in value["config"] and (module := _module_of_function(name)):
            _set_class(value, module, name, None)
        elif hasattr(keras.layers, name):
            _set_class(value, "keras.layers", name, None)
    return value


def _module_of_function(name: str) -> str | None:
    """Find where the function of `keras.ops` is kept that a model calls; some have the name of a layer."""
    for module in _MODULES_OF_FUNCTIONS:
        found = vars(importlib.import_module(module)).get(name)
        if isinstance(found, type) and issubclass(found, keras.Operation) and found.__module__ == module:
            return module
    return None


def _modernised(config: Config) -> Config:
    if not _is_from_keras(config):
        return config
    if config["class_name"] == "Sequential":
        _modernise_sequential(config)
    elif config["class_name"] in _MODELS and isinstance(config["config"], dict) and "layers" in config["config"]:
        _modernise_functional(config)
    elif hasattr(keras.layers, config["class_name"]):
        _modernise_layer(config)
    return config


def _plain(value: Any) -> Any:
    """Keras 2 marked tuples and shapes in a SavedModel's configuration; to Keras 3, lists are the same."""
    if isinstance(value, dict):
        if value.get("class_name") in ("__tuple__", "TensorShape") and isinstance(value.get("items"), list):
            return _plain(value["items"])
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _is_from_keras(config: Config) -> bool:
    module = config.get("module")
    is_named = isinstance(config.get("class_name"), str) and "config" in config
    return is_named and (module is None or re.fullmatch(_MODULES_OF_KERAS, str(module)) is not None)


def _set_class(config: Config, module: str, name: str, registered: str | None) -> None:
    config["module"], config["class_name"] = module, name
    config["registered_name"] = registered


def _modernise_sequential(config: Config) -> None:
    if isinstance(config["config"], list):
        config["config"] = {"name": config.get("name", "sequential"), "layers": config["config"]}
    inner = config["config"]
    layers = inner.get("layers", [])
    first = layers[0] if layers else {}
    if isinstance(first, dict) and first.get("class_name") != "InputLayer" and isinstance(first.get("config"), dict):
        shape = first["config"].get("batch_input_shape")
        if shape is not None:
            name = f"{first['config'].get('name', 'layer')}_input"
            layers = [{"class_name": "InputLayer", "config": {"batch_shape": shape, "name": name}}, *layers]
    inner["layers"] = [_modernised(layer) for layer in layers]
    _set_class(config, *_MODELS["Sequential"])


def _modernise_functional(config: Config) -> None:
    inner = config["config"]
    models = {layer.get("name") for layer in inner["layers"] if layer.get("class_name") in _MODELS}
    inner["layers"] = [_modernised(layer) for layer in inner["layers"]]
    nodes = [layer.get("inbound_nodes", []) for layer in inner["layers"]]
    references = [*_references(nodes), *_references([inner.get("input_layers"), inner.get("output_layers")])]
    for name in models:
        calls = [reference for reference in references if reference[0] == name]
        first = min((reference[1] for reference in calls), default=0)  # Keras 2 counts a model's making as a call
        for reference in calls:
            reference[1] -= first
    _set_class(config, *_MODELS["Functional"])


def _references(value: Any) -> Iterator[list[Any]]:
    """List the ``[layer, call, output, ...]`` in nested lists."""
    if not isinstance(value, list):
        return
    if len(value) >= 3 and isinstance(value[0], str) and all(isinstance(number, int) for number in value[1:3]):
        yield value
    for item in value:
        yield from _references(item)


def _modernise_layer(config: Config) -> None:
    name, inner = config["class_name"], config["config"]
    _set_class(config, "keras.layers", name, None)
    if not isinstance(inner, dict):
        return
    shape = inner.pop("batch_input_shape", None)
    if name == "InputLayer" and shape is not None:
        inner["batch_shape"] = shape
    axis = inner.get("axis")
    if name == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        inner["axis"] = axis[0]
    dtype = inner.get("dtype")
    if isinstance(dtype, dict) and dtype.get("class_name") == "Policy":
        inner["dtype"] = dtype["config"]["name"]
    for key in [key for key in inner if (name, key) in _RENAMED]:
        inner[_RENAMED[name, key]] = inner.pop(key)
    known = _settings(getattr(keras.layers, name))
    for key in [key for key in inner if key not in known]:
        if _changes_nothing(key, inner[key]):
            del inner[key]
    for key, value in inner.items():
        if isinstance(value, dict) and "class_name" in value and hasattr(keras.layers, str(value["class_name"])):
            inner[key] = _modernised(value)  # what a wrapper wraps


def _changes_nothing(key: str, value: Any) -> bool:
    """Tell whether a setting that Keras 3 does not know can be left out.

    Initial values can, since they give way to saved ones, and so can the kind of dice, since predictions throw none.
    """
    is_neutral = value is None or value is False or (key in _NEUTRAL and value == _NEUTRAL[key])
    return is_neutral or key == "rng_type" or key.endswith("_initializer")


def _settings(layer: type) -> set[str]:
    initializers = [vars(base)["__init__"] for base in layer.__mro__ if "__init__" in vars(base) and base is not object]
    return {name for initializer in initializers for name in inspect.signature(initializer).parameters}
