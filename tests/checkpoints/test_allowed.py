"""The list of what a model's file may name, and the walk that looks everything up in it."""

import importlib
import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz.checkpoints.allowed import first_refusal
from tb_filterviz.checkpoints.allowed_names import CLASSES, FUNCTIONS
from tests.checkpoints.harm import functional

LEFT_OUT = {
    "keras.layers": {
        *("FlaxLayer", "InputSpec", "JaxLayer", "Lambda", "Layer", "TFSMLayer", "TorchModuleWrapper", "Wrapper"),
        "TextVectorization",  # of texts, which are no images; takes any number of loops
        "Pipeline",  # on PyTorch, what it holds is computed as soon as it is built
    },
    "keras.src.ops.core": {
        *("AssociativeScan", "Cond", "ForiLoop", "Map", "Scan", "Switch", "VectorizedMap", "WhileLoop"),  # of functions
        "Unstack",  # makes as many tensors as an axis is long
    },
    "keras.src.ops.linalg": {"JVP"},  # of a function
}


@pytest.mark.parametrize(
    "module", ["keras.layers", *(name for name in CLASSES if str(name).startswith("keras.src.ops"))]
)
def test_every_class_of_keras_is_allowed_or_left_out_by_name(module: str) -> None:
    home = importlib.import_module(module)
    kind = keras.Layer if module == "keras.layers" else keras.Operation
    there = {
        name
        for name, value in vars(home).items()
        if isinstance(value, type)
        and (issubclass(value, kind) or name == "InputSpec")
        and (module == "keras.layers" or value.__module__ == module)
    }
    unknown = there - set(CLASSES[module]) - LEFT_OUT.get(module, set())
    if not keras.__version__.startswith("3.15."):
        pytest.skip(f"the list was made for Keras 3.15; this is {keras.__version__}, with {sorted(unknown)} besides")
    assert not unknown
    assert set(CLASSES[module]) - there <= {"ThresholdedReLU"}  # of Keras 2


@pytest.mark.parametrize("module", FUNCTIONS)
def test_every_function_that_is_allowed_computes_on_a_tensor(module: str) -> None:
    """With one argument, as an activation is called."""
    home = keras.ops if module.startswith("keras.ops") else keras.activations
    for name in FUNCTIONS[module]:
        function: Callable[[Any], Any] = getattr(home, name, None) or getattr(keras.activations, name)
        assert np.asarray(keras.ops.convert_to_numpy(function(np.ones((2, 4), np.float32)))).shape in ((2, 4), (2, 2))


def _model(layer: dict[str, Any]) -> dict[str, Any]:
    return functional({"name": "l", "inbound_nodes": [], "registered_name": None, **layer})


MESSAGES: dict[str, tuple[dict[str, Any], str]] = {
    "a Lambda": (
        {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l"}},
        "layer 'l' is a Lambda: its code is not run",
    ),
    "in a wrapper": (
        {
            "module": "keras.layers",
            "class_name": "TimeDistributed",
            "config": {
                "name": "l",
                "layer": {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "deep"}},
            },
        },
        "layer 'deep' is a Lambda: its code is not run",
    ),
    "an activation": (
        {
            "module": "keras.layers",
            "class_name": "Dense",
            "config": {
                "name": "l",
                "activation": {"module": "keras.saving", "class_name": "function", "config": "load_model"},
            },
        },
        "layer 'l', 'activation', asks for keras.saving.load_model, which a model's file may not",
    ),
    "a class of others": (
        {"module": "my.layers", "class_name": "Mine", "config": {"name": "l"}},
        "layer 'l' is of a class that is none of Keras: Mine",
    ),
    "a file": (
        {"module": "keras.layers", "class_name": "StringLookup", "config": {"name": "l", "vocabulary": "/etc/passwd"}},
        "layer 'l', 'vocabulary', names a file, which is not opened",
    ),
    "a size": (
        {"module": "keras.layers", "class_name": "Conv2D", "config": {"name": "l", "filters": 1 << 40}},
        "layer 'l', 'filters', is more than 2,147,483,648. That is too large",
    ),
    "a shape": (
        {
            "module": "keras.layers",
            "class_name": "InputLayer",
            "config": {"name": "l", "batch_shape": [None, 9000, 9000]},
        },
        "layer 'l', 'batch_shape', asks for more than 67,108,864 numbers at once. That is too large",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_refusal_names_layer_and_entry(name: str) -> None:
    layer, message = MESSAGES[name]
    refusal = first_refusal(_model(layer))
    assert refusal is not None
    assert f"{refusal.where} {refusal.what}" == message


def test_what_the_caller_has_registered_is_allowed() -> None:
    mine = {"module": "my.layers", "class_name": "Mine", "config": {"name": "l"}, "registered_name": "my>Mine"}
    activation = {"module": "builtins", "class_name": "function", "config": "mine", "registered_name": "mine"}
    dense = {"module": "keras.layers", "class_name": "Dense", "config": {"name": "l", "activation": activation}}
    assert first_refusal(_model(mine)) is not None
    assert first_refusal(_model(mine), {"my>Mine"}) is None
    assert first_refusal(_model(dense)) is not None
    assert first_refusal(_model(dense), {"mine"}) is None
    assert first_refusal(_model({**mine, "module": "keras.saving"}), {"Mine"}) is not None  # registered as another


def test_a_mark_of_keras_is_none_of_the_callers_classes() -> None:
    for mark in ("__lambda__", "__typespec__"):
        entry: dict[str, Any] = {"class_name": mark, "config": {}, "registered_name": "my>Mine"}
        assert first_refusal(_model(entry), {"my>Mine"}) is not None


@pytest.mark.parametrize("odd", [[], {}, 5, None], ids=repr)
def test_names_that_are_no_text_are_refused(odd: Any) -> None:
    own = {"Mine": object}
    for key in ("class_name", "module", "registered_name"):
        entry = {
            "class_name": "Other",
            "module": "my.layers",
            "config": {"name": "l"},
            "registered_name": None,
            key: odd,
        }
        assert first_refusal(_model(entry), own) is not None


def test_refusals_are_short_whatever_is_refused() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    long = "long" * 10_000
    for name in (long, deep):
        for entry in (
            {"class_name": name},
            {"class_name": name, "module": "keras.layers"},
            {"class_name": "__numpy__", "config": {"dtype": name}},
            {"class_name": "function", "config": name, "module": "keras"},
            {"class_name": "Dense", "module": name},
        ):
            refusal = first_refusal({"class_name": "Functional", "config": {"name": long, "layers": [{long: entry}]}})
            assert refusal is not None
            assert max(len(refusal.where), len(refusal.what)) < 250
    while deep:
        deep = deep.pop()


def test_a_shape_is_multiplied_no_further_than_needed() -> None:
    shape = [10**4000] * 20_000  # their product takes minutes
    refusal = first_refusal({"class_name": "InputLayer", "config": {"batch_shape": shape}})
    assert refusal is not None
    assert "asks for more than" in refusal.what


@pytest.mark.parametrize("registered_name", [[], {}, 1, None])
def test_a_registered_name_that_is_no_name_is_nobodys(registered_name: Any) -> None:
    layer = {"module": "my.layers", "class_name": "Mine", "config": {"name": "l"}, "registered_name": registered_name}
    assert first_refusal(_model(layer), {"my>Mine": object}) is not None


@pytest.mark.parametrize("key", ["input_shape", "sequences_shape", "query_shape", "target_shape"])
def test_a_shape_is_bounded_whatever_it_is_of(key: str) -> None:
    layer = {"module": "keras.layers", "class_name": "LSTM", "config": {"name": "l"}}
    refusal = first_refusal(_model({**layer, "build_config": {"shapes_dict": {key: [1 << 13, 1 << 14, 1]}}}))
    assert refusal is not None
    assert refusal.what.startswith("asks for more than")


def test_numbers_and_words_that_are_listed_are_no_sizes_and_no_files() -> None:
    words = {"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": ["a", "b"]}}
    numbers = {"module": "keras.layers", "class_name": "IntegerLookup", "config": {"vocabulary": [1 << 40]}}
    array = {"class_name": "__numpy__", "config": {"value": [1 << 40], "dtype": "int64"}}
    for layer in (words, numbers, {"module": "keras.layers", "class_name": "Add", "config": {"x": array}}):
        assert first_refusal(_model(layer)) is None


def test_the_deepest_nesting_is_walked() -> None:
    value: Any = {"class_name": "Lambda"}
    for _ in range(100_000):
        value = {"config": [value]}
    refusal = first_refusal(value)
    assert refusal is not None
    assert refusal.what == "is a Lambda: its code is not run"
    while value:  # what is nested so deep is taken apart by hand: Python's own way would call as deep
        value = value["config"].pop() if "config" in value else None


_KEYS = ["class_name", "config", "module", "layers", "layer", "name", "inbound_nodes", "shape", "registered_name"]
_TEXTS = ["Lambda", "Dense", "keras.layers", "function", "x"]
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(_TEXTS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=5),
    max_leaves=20,
)


@given(_VALUES)
def test_any_value_is_walked_and_nothing_with_a_lambda_passes(value: Any) -> None:
    refusal = first_refusal(value)
    if '"class_name": "Lambda"' in json.dumps(value):
        assert refusal is not None
