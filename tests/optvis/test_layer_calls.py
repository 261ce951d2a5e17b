from typing import Any

import keras
import pytest

from tb_filterviz.errors import ModelError, NoConvolutionError, UnbuiltModelError, UnknownLayerError
from tb_filterviz.optvis.image_model import image_model_of
from tb_filterviz.optvis.layer_calls import select

LAYERS = keras.layers


def test_names_and_patterns_select_in_the_models_order(lenet: keras.Model) -> None:
    def paths(patterns: Any) -> list[str]:
        return [layer_call.path for layer_call in select(lenet, patterns)]

    assert paths(None) == paths("conv*") == paths(["conv2d_2", "conv2d_1"]) == ["conv2d_1", "conv2d_2"]
    assert paths("*_2") == ["conv2d_2"]


def test_what_cannot_be_shown_is_refused_with_one_sentence(lenet: keras.Model) -> None:
    dense = keras.Sequential([keras.Input((4,)), LAYERS.Dense(2)], name="plain")
    unbuilt = keras.Sequential([LAYERS.Conv2D(2, 3)], name="fresh")
    sizeless = keras.Sequential([keras.Input((None, None, 3)), LAYERS.Conv2D(2, 3)], name="any")
    left, right = keras.Input((4, 4, 1)), keras.Input((4, 4, 1))
    two = keras.Model([left, right], LAYERS.Conv2D(2, 3)(LAYERS.add([left, right])), name="two")
    with pytest.raises(UnknownLayerError, match="no layer 'conv2d_3'. Its .* conv2d_1, conv2d_2. Did you"):
        select(lenet, "conv2d_3")
    with pytest.raises(UnknownLayerError, match="no layer 'dense_9'"):
        select(lenet, ["conv2d_1", "dense_9"])
    with pytest.raises(UnknownLayerError, match="`layers` names no layer"):
        select(lenet, [])
    with pytest.raises(NoConvolutionError, match="'plain' has no convolutional layer.* Its layers: Dense"):
        select(dense)
    with pytest.raises(UnbuiltModelError, match="'fresh' is not built"):
        select(unbuilt)
    with pytest.raises(ModelError, match="'any' takes images of any size"):
        image_model_of(sizeless)
    with pytest.raises(ModelError, match="'two' must take one image"):
        image_model_of(two)
