"""What a filter passes on is read behind its activation, wherever that is."""

from typing import Any

import keras
import pytest
from keras import layers

from tb_filterviz.optvis.image_model import image_model_of
from tb_filterviz.optvis.layer_calls import select
from tb_filterviz.responses.outlets import Outlet, outlets_of


def _outlets(*after: Any, **given: Any) -> list[Outlet]:
    model = keras.Sequential([keras.Input((8, 8, 2)), layers.Conv2D(3, 3, name="conv", **given), *after])
    return outlets_of(image_model_of(model), select(model, "conv"))


@pytest.mark.parametrize(
    ("after", "read_at", "is_gated", "threshold"),
    [
        ([], "conv", False, 0),
        ([layers.ReLU(name="cut")], "cut", True, 0),
        ([layers.BatchNormalization(), layers.Activation("relu", name="cut")], "cut", True, 0),
        ([layers.Dropout(0.5), layers.ReLU(name="cut")], "cut", True, 0),
        ([layers.BatchNormalization(), layers.SpatialDropout2D(0.5), layers.ReLU(name="cut")], "cut", True, 0),
        ([layers.Identity(), layers.LeakyReLU(name="cut")], "cut", True, 0),
        ([layers.Activation("sigmoid", name="cut")], "cut", True, 0.5),
        ([layers.BatchNormalization(name="normalized"), layers.Flatten()], "normalized", False, 0),
        ([layers.MaxPooling2D(), layers.ReLU()], "conv", False, 0),
    ],
)
def test_an_activation_that_follows_is_found(after: list[Any], read_at: str, is_gated: bool, threshold: float) -> None:
    (found,) = _outlets(*after)
    assert (found.layer.name, found.is_gated, found.threshold) == (read_at, is_gated, threshold)


@pytest.mark.parametrize("activation", ["relu", keras.activations.gelu, layers.LeakyReLU(0.2), layers.ReLU()])
def test_an_activation_of_the_layer_itself_counts(activation: Any) -> None:
    (found,) = _outlets(layers.ReLU(), activation=activation)
    assert (found.layer.name, found.is_gated) == ("conv", True)


def test_what_two_layers_take_is_read_where_it_is() -> None:
    image = keras.Input((8, 8, 2))
    maps = layers.Conv2D(3, 3, name="conv")(image)
    model = keras.Model(image, layers.Add()([layers.ReLU()(maps), layers.Activation("tanh")(maps)]))
    (found,) = outlets_of(image_model_of(model), select(model, "conv"))
    assert (found.layer.name, found.is_gated) == ("conv", False)


def test_each_call_of_a_shared_layer_is_followed() -> None:
    image = keras.Input((8, 8, 3))
    conv = layers.Conv2D(3, 3, padding="same", name="conv")
    first = layers.ReLU(name="one")(conv(image))
    model = keras.Model(image, layers.ReLU(name="two")(conv(first)))
    found = outlets_of(image_model_of(model), select(model, ["conv", "conv@2"]))
    assert [each.layer.name for each in found] == ["one", "two"]
