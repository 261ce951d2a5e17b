"""Every message of the engine that names a way out: the situation, what it names, and that going there works."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import AscentConfig, Config, FilterVizError, Objective, draw, maximize

L = keras.layers
QUICK = AscentConfig(steps=2)
CONFIG = Config(ascent=QUICK)
Draw = Callable[..., Any]


def _network(dtype: str = "float32", shape: tuple[int | None, ...] = (12, 12, 1)) -> keras.Model:
    images = keras.Input(shape, dtype=dtype)
    return keras.Model(images, L.Conv2D(3, 3, name="conv_1")(L.Rescaling(1 / 255)(images)), name="network")


def _unbuilt() -> keras.Sequential:
    return keras.Sequential([L.Conv2D(3, 3, name="conv_1")], name="network")


def _two_inputs() -> keras.Model:
    image, weight = keras.Input((12, 12, 1), name="image"), keras.Input((12, 12, 1), name="weight")
    return keras.Model([image, weight], L.Conv2D(3, 3, name="conv_1")(image * weight), name="network")


def _draw(model: Any, layers: Any = None, config: Config = CONFIG, **options: Any) -> list[str]:
    return [snapshot.layer for snapshot in draw(model, layers, config=config, verbose=0, **options)]


def _rebuilt() -> keras.Model:
    integers = _network("uint8")
    model = _network()
    model.set_weights(integers.get_weights())
    return model


def _built(model: keras.Sequential) -> keras.Sequential:
    model.build((None, 12, 12, 1))
    return model


def _with_input() -> keras.Sequential:
    return keras.Sequential([keras.Input((12, 12, 1)), *_unbuilt().layers])


# Situation: what is done; what the message says; what is done then.
WAYS: dict[str, tuple[Callable[[], Any], str, Callable[[], Any]]] = {
    "images of integers": (
        lambda: _draw(_network("uint8")),
        "Rebuild it with keras.Input(..., dtype='float32') and the same weights.",
        lambda: _draw(_rebuilt()),
    ),
    "images of any size": (
        lambda: _draw(_network(shape=(None, None, 1))),
        "Say which to draw: image_shape=(height, width, channels) in a Config",
        lambda: _draw(_network(shape=(None, None, 1)), config=Config(ascent=QUICK, image_shape=(12, 12, 1))),
    ),
    "two inputs": (
        lambda: _draw(_two_inputs()),
        "Give all but the image as other_inputs={name: array without the batch axis}.",
        lambda: _draw(_two_inputs(), other_inputs={"weight": np.ones((12, 12, 1))}),
    ),
    "an input that there is not": (
        lambda: _draw(_two_inputs(), other_inputs={"weights": np.ones((12, 12, 1))}),
        "has no input 'weights'. Its inputs: image, weight.",
        lambda: _draw(_two_inputs(), other_inputs={"weight": np.ones((12, 12, 1))}),
    ),
    "not built: build": (
        lambda: _draw(_unbuilt()),
        "call model.build((None, height, width, channels)) first.",
        lambda: _draw(_built(_unbuilt())),
    ),
    "not built: an Input": (lambda: _draw(_unbuilt()), "Give it an Input", lambda: _draw(_with_input())),
    "a misspelt layer": (
        lambda: _draw(_network(), "conv_l"),
        "Its convolutional layers: conv_1. Did you mean 'conv_1'?",
        lambda: _draw(_network(), "conv_1"),
    ),
    "no layer at all": (
        lambda: _draw(_network(), []),
        "Leave it out, or give None, for every convolutional layer.",
        lambda: _draw(_network()),
    ),
    "a second call that there is not": (
        lambda: _draw(_network(), "conv_1@2"),
        "calls its layer 'conv_1' 1 time, so there is no 'conv_1@2'.",
        lambda: _draw(_network(), "conv_1"),
    ),
    "a filter that there is not": (
        lambda: maximize(_network(), "conv_1", [3], config=CONFIG, verbose=0),
        "`filters` must be within 0 to 2 for layer 'conv_1'. Received: 3",
        lambda: maximize(_network(), "conv_1", [0, 2], config=CONFIG, verbose=0),
    ),
    "filters of a layer that is not drawn": (
        lambda: _draw(_network(), config=Config(ascent=QUICK, filters={"conv_2": [0]})),
        "`filters` names 'conv_2', which is none of the layers to draw: conv_1.",
        lambda: _draw(_network(), config=Config(ascent=QUICK, filters={"conv_1": [0]})),
    ),
    "the name of another part": (
        lambda: Config(objective=Objective(name="center_unit", score=abs, description="another")),
        "Give it a name of its own.",
        lambda: Config(objective=Objective(name="own_unit", score=abs, description="another")),
    ),
    "a misspelt part": (
        lambda: Config(objective="center_units"),
        "Did you mean 'center_unit'?",
        lambda: Config(objective="center_unit"),
    ),
}


@pytest.mark.parametrize("situation", WAYS)
def test_the_way_that_a_message_names_leads_on(situation: str) -> None:
    meet, says, way = WAYS[situation]
    with pytest.raises(FilterVizError) as caught:
        meet()
    assert says in str(caught.value)
    assert way()


def test_less_memory_is_a_way_where_memory_is_short() -> None:
    """What the message of a layer that cannot be drawn advises, takes less memory: one image at a time."""
    one, few = (AscentConfig(steps=2, **given) for given in ({"filters_per_batch": 1}, {"memory_mb": 0.001}))
    whole, *others = (
        maximize(_network(), "conv_1", config=Config(ascent=each), verbose=0) for each in (QUICK, one, few)
    )
    for other in others:
        assert other.images.shape == whole.images.shape
