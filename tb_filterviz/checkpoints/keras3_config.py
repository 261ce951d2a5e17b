"""Configurations that an earlier Keras wrote, rewritten as today's Keras would write them; only where this is exact.

Until Keras 3.10, the only input of a model, and its only output, were written as a list of one, and most of these Keras
took the list away when they loaded it. Today's does not: in a Sequential model, the layer after a nested one is then
given a list. A call of a layer is told by its number. Until Keras 3.1, calls outside of the model were counted as well;
Keras 3.2 wrote 0 for every call. A setting that had no effect is gone. What today's Keras writes is left as it is.
"""

import copy
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

Config = dict[str, Any]
Version = tuple[int, int]

_LAST_WITH_LISTS_OF_ONE = (3, 10)
_WITH_CALLS_ELSEWHERE = ((3, 0), (3, 1))
_WITHOUT_CALLS = (3, 2)
_LONGEST_NAME = 100  # characters, in messages
_UNUSED = [("RandomRotation", "value_range")]  # until 3.5; nothing depended on it
_RECURRENT = ("RNN", "SimpleRNN", "GRU", "LSTM", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")


class LostCallError(ValueError):
    """Which call of a layer is meant was not written, and cannot be told from the rest."""


def to_newest(config: Config, written_by: str | None) -> Config:
    """Rewrite the configuration of a model in the manner of today's Keras.

    Args:
        config: as some Keras wrote it; where that was Keras 2, in Keras 3's manner.
        written_by: which Keras did, such as ``"3.8.0"``; None if that is not known, and is then told from the rest.

    Raises:
        LostCallError: if it does not say which call of a layer is meant.
    """
    config, version = copy.deepcopy(config), _version(written_by)
    parts = list(_dicts(config))
    for part in parts:
        _leave_out_unused(part)
    models = [part for part in parts if _is_functional(part)]
    if _has_lists_of_one(models, version):
        for model in models:
            _take_out_of_lists(model)
    if version is None or version in (*_WITH_CALLS_ELSEWHERE, _WITHOUT_CALLS):
        for model in models:
            _count_calls(model, version)
    return config


def for_drawing(config: Config) -> Config:
    """Leave out what a drawing does not need, and what Keras would make as soon as it builds a layer.

    How a model was trained; states that last from one batch to the next, of which there is none; and one number of a
    Normalization, which Keras would spread over all places: it predicts the same when that is done as it is called.
    """
    config = copy.deepcopy(config)
    for part in _dicts(config):
        part.pop("compile_config", None)
        settings = part.get("config")
        if isinstance(settings, dict) and part.get("class_name") in _RECURRENT:
            settings.pop("stateful", None)
        if isinstance(settings, dict) and part.get("class_name") == "Normalization":
            _spread_when_called(settings)
    return config


def _version(written_by: str | None) -> Version | None:
    numbers = re.match(r"(\d{1,4})\.(\d{1,4})(\.|$)", written_by or "")
    return (int(numbers[1]), int(numbers[2])) if numbers else None


def _dicts(value: Any) -> Iterator[Config]:
    """Find all that has names in a configuration, however deep."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _dicts(item)


def _leave_out_unused(config: Config) -> None:
    for name, setting in _UNUSED:
        if config.get("class_name") == name and isinstance(config.get("config"), dict):
            config["config"].pop(setting, None)


def _spread_when_called(settings: Config) -> None:
    """Have a Normalization keep one number as one: Keras would spread it over the axes as soon as it builds it."""
    numbers = [_only_number(settings.get(key)) for key in ("mean", "variance")]
    if None not in numbers:
        settings["mean"], settings["variance"], settings["axis"] = *numbers, None


def _only_number(value: Any) -> float | None:
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, int | float) else None


def _is_functional(config: Config) -> bool:
    return isinstance(config.get("layers"), list) and "input_layers" in config and "output_layers" in config


def _is_pointer(value: Any) -> bool:
    """Tell whether it is ``[layer, call, output]``."""
    return isinstance(value, list) and len(value) == 3 and isinstance(value[0], str) and isinstance(value[1], int)


def _has_lists_of_one(models: list[Config], version: Version | None) -> bool:
    if version is not None:
        return version <= _LAST_WITH_LISTS_OF_ONE
    return not any(_is_pointer(model[key]) for model in models for key in ("input_layers", "output_layers"))


def _take_out_of_lists(model: Config) -> None:
    for key in ("input_layers", "output_layers"):
        pointers = model[key]
        if isinstance(pointers, list) and len(pointers) == 1 and _is_pointer(pointers[0]):
            model[key] = pointers[0]


def _count_calls(model: Config, version: Version | None) -> None:
    """Count the calls of each layer from 0, as they are listed, wherever what they made is used."""
    layers = {layer["name"]: layer for layer in model["layers"] if isinstance(layer, dict) and "name" in layer}
    used = defaultdict(list)
    for layer in layers.values():
        for history in _histories(layer.get("inbound_nodes")):
            used[history[0]].append(history)
    outputs = defaultdict(set)
    for name, call, _ in _pointers(model["output_layers"]):
        is_model = layers.get(name, {}).get("class_name") == "Functional"
        outputs[name].add(call - is_model)  # of such a model, Keras counts its making as a call
    for name, layer in layers.items():
        calls = 1 if layer.get("class_name") == "InputLayer" else len(layer.get("inbound_nodes") or [])
        if calls and used[name]:
            places = _places([history[1] for history in used[name]], calls, outputs[name], version)
            if places is None:
                raise LostCallError(f"which of the {calls} calls of its layer {str(name)[:_LONGEST_NAME]!r} makes what")
            for history in used[name]:
                history[1] = places[history[1]]


def _places(used: list[int], calls: int, outputs: set[int], version: Version | None) -> dict[int, int] | None:
    """Map each number that was written for a call of a layer to the call's place; None if that cannot be told.

    Args:
        used: the number that was written for each use of a call by another layer.
        calls: how many there are.
        outputs: the places of those that make an output of the model.
        version: which Keras wrote it.
    """
    written = sorted(set(used))
    needed = sorted(set(range(calls)) - outputs)  # what nothing used and no output came of would not be there
    is_whole = set(needed) <= set(written) <= set(range(calls))
    if version is None and is_whole:
        return {number: number for number in written}
    if calls > 1 and (version == _WITHOUT_CALLS or (version is None and written == [0])):
        return {0: needed[0]} if len(used) == len(needed) == 1 else None
    places = range(calls) if len(written) == calls else needed
    return dict(zip(written, places, strict=True)) if len(written) == len(places) else None


def _histories(value: Any) -> Iterator[list[Any]]:
    """Find the ``[layer, call, output]`` of all tensors that calls are made on."""
    if isinstance(value, list):
        for item in value:
            yield from _histories(item)
    elif isinstance(value, dict):
        inner = value.get("config")
        if value.get("class_name") == "__keras_tensor__" and isinstance(inner, dict):
            if _is_pointer(inner.get("keras_history")):
                yield inner["keras_history"]
        else:
            for item in value.values():
                yield from _histories(item)


def _pointers(value: Any) -> Iterator[list[Any]]:
    if _is_pointer(value):
        yield value
    elif isinstance(value, (list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _pointers(item)
