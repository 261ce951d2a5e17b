"""What a model's configuration may hold: a list of what is allowed, in place of one of what is known to do harm.

Keras finds each class by the module and the name that a file says, and calls it with what the file says. Its own
``safe_mode`` forbids what was once found to be harmful, and allows what nobody has found yet. So every entry of a
configuration is looked at before Keras sees any, however deep it is: a class of our list, with plain arguments that ask
for no more than a network needs, or what the caller has registered with Keras. Without Keras.
"""

import itertools
import operator
from collections.abc import Collection
from typing import Any, NamedTuple

from tb_filterviz.checkpoints.allowed_names import CLASSES, FUNCTIONS

Config = dict[str, Any]

_LEFT_OUT = {  # classes of Keras that are not on the list: why
    "Lambda": "is a Lambda: its code is not run",
    "__lambda__": "holds Python code: it is not run",
    "TFSMLayer": "is a TFSMLayer: the program that it loads from another file is not run",
    "TorchModuleWrapper": "is a TorchModuleWrapper: its pickle is not opened",
    "JaxLayer": "is a JaxLayer: its function is not called",
    "FlaxLayer": "is a FlaxLayer: its function is not called",
}
_ARRAYS = ("__tensor__", "__numpy__")
_MARKS = (*_ARRAYS, "__keras_tensor__", "__bytes__", "__ellipsis__", "__slice__")
_NUMBERS = (
    *("bool", "int4", "int8", "int16", "int32", "int64", "uint4", "uint8", "uint16", "uint32", "uint64"),
    *("float8_e4m3fn", "float8_e5m2", "float16", "bfloat16", "float32", "float64", "complex64", "complex128"),
)
_NAMES_OF_FILES = ("vocabulary", "idf_weights")  # unless they list what would be in the file
_UNBOUNDED = ("mask_token", "mask_value", "oov_token", "salt", "seed", "shared_object_id", "value")
_PLACES_OF_LAYERS = ("", "backward_layer", "cell", "cells", "layer", "layers")
_COUNTS = {  # of what is made one by one, or at once, as soon as a layer is made
    **dict.fromkeys(("indices_or_sections", "num"), 1 << 12),
    **dict.fromkeys(("max_tokens", "num_oov_indices"), 1 << 20),
}
_MOST_IN_A_SHAPE = 1 << 26
_LARGEST_NUMBER = 1 << 31
_LONGEST_NAME = 100  # characters, in messages


class Refusal(NamedTuple):
    """What is not allowed in a configuration, and where.

    Attributes:
        where: the layer, and what of it: ``layer 'l'``; ``layer 'l', 'activation'``.
        what: what is the matter, in words that go on from `where`.
        way: who can still load it: ``"unsafe"``, who trusts its maker; ``"register"``, who has the class; empty if
            nobody can.
    """

    where: str
    what: str
    way: str = ""


def first_refusal(config: Any, own: Collection[str] = ()) -> Refusal | None:
    """Find the first entry of a configuration that is not allowed; None if all are.

    Args:
        config: of a model, in the manner of today's Keras.
        own: names of classes and functions that the caller has registered with Keras; they are allowed.
    """
    left: list[tuple[Any, str, str]] = [(config, "the model", "")]
    while left:  # without recursion: a file may nest deeper than Python calls
        value, layer, key = left.pop()
        if isinstance(value, dict) and "class_name" in value:
            layer, key = _named(value, layer, key)
        refused = _refused(value, key, own)
        if refused is not None:
            return refused._replace(where=f"{layer}, {key[:_LONGEST_NAME]!r}," if key else layer)
        if isinstance(value, dict):
            left.extend((value[name], layer, key if name == "config" else name) for name in reversed(value))
        elif isinstance(value, list):
            key = "value" if key in _NAMES_OF_FILES else key  # what would be in the file
            left.extend((item, layer, key) for item in reversed(value))
    return None


def _named(entry: Config, layer: str, key: str) -> tuple[str, str]:
    inner = entry.get("config")
    name = entry.get("name") or (inner.get("name") if isinstance(inner, dict) else None)
    if isinstance(name, str) and key in _PLACES_OF_LAYERS:
        return f"layer {name[:_LONGEST_NAME]!r}", ""
    return layer, key


def _refused(value: Any, key: str, own: Collection[str]) -> Refusal | None:
    if isinstance(value, dict):
        return (_refused_class(value, own) if "class_name" in value else None) or _refused_calls(value)
    if isinstance(value, str):
        return Refusal("", "names a file, which is not opened", "unsafe") if key in _NAMES_OF_FILES else None
    is_shape = key == "build_config" or key.endswith("shape")  # of a call of `build` by any name
    if isinstance(value, list) and is_shape and _is_too_large(value):
        return Refusal("", f"asks for more than {_MOST_IN_A_SHAPE:,} numbers at once. That is too large")
    most = _COUNTS.get(key, _LARGEST_NUMBER)
    if isinstance(value, int) and abs(value) > most and key not in _UNBOUNDED:
        return Refusal("", f"is more than {most:,}. That is too large")
    return None


def _is_too_large(shape: list[Any]) -> bool:
    """Multiply no further than that: a file may list thousands of numbers of thousands of digits."""
    numbers = itertools.accumulate((abs(size) or 1 for size in shape if isinstance(size, int)), operator.mul)
    return any(number > _MOST_IN_A_SHAPE for number in numbers)


def _refused_class(entry: Config, own: Collection[str]) -> Refusal | None:
    name, module, inner = entry["class_name"], entry.get("module"), entry.get("config")
    if name == "function":
        is_allowed = isinstance(inner, str) and (inner in own or inner in FUNCTIONS.get(_text(module), ()))
        return None if is_allowed else _refusal(inner, module)
    if name in _MARKS:
        dtype = inner.get("dtype") if isinstance(inner, dict) else None
        is_plain = name not in _ARRAYS or dtype in _NUMBERS
        return None if is_plain else Refusal("", f"holds an array of {_said(dtype)}, which is no kind of number")
    registered = entry.get("registered_name", name)
    is_own = isinstance(registered, str) and registered in own and not str(name).startswith("__")  # Keras' own marks
    if isinstance(name, str) and (is_own or name in CLASSES.get(_text(module), ())):
        return _refused_spread(inner) if name == "Normalization" and not is_own and isinstance(inner, dict) else None
    return _refusal(name, module)


def _refused_spread(settings: Config) -> Refusal | None:
    """Refuse few numbers for many places: Keras would make all of them as soon as it builds a Normalization."""
    axis = settings.get("axis")
    axes = 0 if axis is None else len(axis) if isinstance(axis, list) else 1
    given = [settings.get(key) for key in ("mean", "variance") if settings.get(key) is not None]
    is_spread = axes > 0 and any(_axes_of(numbers) != axes for numbers in given)
    return Refusal("", "spreads its 'mean' or 'variance' over more axes than it lists", "unsafe") if is_spread else None


def _axes_of(numbers: Any) -> int:
    """Count the axes of nested lists; 0 if one of them holds a single number, which could be spread."""
    axes = 0
    while isinstance(numbers, list):
        if len(numbers) < 2:
            return 0
        numbers, axes = numbers[0], axes + 1
    return axes


def _text(module: Any) -> str | None:
    return module if isinstance(module, str | None) else ""


def _refusal(name: Any, module: Any) -> Refusal:
    if isinstance(name, str) and name in _LEFT_OUT:
        return Refusal("", _LEFT_OUT[name], "unsafe")
    if (_text(module) or "").split(".")[0] == "keras":
        return Refusal(
            "", f"asks for {f'{module}.{_said(name)}'[:_LONGEST_NAME]}, which a model's file may not", "unsafe"
        )
    return Refusal("", f"is of a class that is none of Keras: {_said(name)}", "register")


def _said(name: Any) -> str:
    """Quote a name in a message; what is no text may be nested deeper than Python can write."""
    return name[:_LONGEST_NAME] if isinstance(name, str) else f"a {type(name).__name__}"


def _refused_calls(entry: Config) -> Refusal | None:
    """Refuse calls on constants: they would be computed at once, at whatever size."""
    calls = entry.get("inbound_nodes")
    if not isinstance(calls, list) or entry.get("class_name") == "InputLayer":
        return None
    is_constant = any(call and not _is_on_a_tensor(call) for call in calls)
    return Refusal("", "is called on a constant, which would be computed at once") if is_constant else None


def _is_on_a_tensor(call: Any) -> bool:
    """Tell whether Keras finds a tensor of the model among the arguments; it takes `training` out before it looks."""
    if isinstance(call, list):  # as Keras 2 wrote it: the names of layers
        return True
    keywords = call.get("kwargs") if isinstance(call, dict) else None
    left = [call.get("args")] if isinstance(call, dict) else []
    left.extend(value for key, value in (keywords if isinstance(keywords, dict) else {}).items() if key != "training")
    while left:
        value = left.pop()
        if _is_tensor(value):
            return True
        if isinstance(value, list):
            left.extend(value)
        elif isinstance(value, dict) and "class_name" not in value:  # of anything else, it is a setting
            left.extend(value.values())
    return False


def _is_tensor(value: Any) -> bool:
    inner = value.get("config") if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__" else None
    return isinstance(inner, dict) and isinstance(inner.get("keras_history"), list)
