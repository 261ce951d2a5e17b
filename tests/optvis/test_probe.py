from collections.abc import Iterator
from itertools import product
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz.errors import ModelError
from tb_filterviz.optvis import probe
from tb_filterviz.optvis.image_model import image_model_of
from tb_filterviz.optvis.layer_calls import LayerCall, convolutions
from tb_filterviz.optvis.layer_types import is_plain_convolution

LAYERS = keras.layers


def _reach(model: keras.Model, layer: keras.Layer, images: Any, read: probe.Read) -> Any:
    return probe.reach(image_model_of(model), LayerCall(layer, layer.name, 0), images, read)


def _convolutions() -> Iterator[Any]:
    for strides, padding, dilation in product((1, 2, (1, 2)), ("same", "valid"), (1, 2, (2, 1))):
        if strides == 1 or dilation == 1:
            options = {"strides": strides, "padding": padding, "dilation_rate": dilation}
            yield pytest.param(LAYERS.Conv2D, options, True, id=f"Conv2D-{strides}-{padding}-{dilation}")
    yield pytest.param(LAYERS.Conv2D, {"activation": "relu"}, True, id="fused relu")
    yield pytest.param(LAYERS.Conv2D, {"activation": "sigmoid", "use_bias": False}, True, id="fused sigmoid, no bias")
    yield pytest.param(LAYERS.Conv2D, {"groups": 3}, False, id="groups")
    yield pytest.param(LAYERS.SeparableConv2D, {"activation": "relu"}, False, id="separable")
    yield pytest.param(LAYERS.Conv2DTranspose, {"strides": 2, "activation": "relu"}, False, id="transposed")


@pytest.mark.parametrize(("kind", "options", "has_own_channel"), list(_convolutions()))
def test_own_channel_is_the_full_responses_channel(kind: Any, options: dict[str, Any], has_own_channel: bool) -> None:
    keras.utils.set_random_seed(0)
    layer = kind(6, (3, 2), bias_initializer="normal", **options)
    model = keras.Sequential([keras.Input((9, 8, 3)), layer])
    images = np.random.default_rng(0).normal(size=(4, 9, 8, 3)).astype(np.float32)
    filters = np.array([5, 0, 2, 2], np.int32)

    linear = keras.Sequential([keras.Input((9, 8, 3)), kind.from_config(layer.get_config() | {"activation": None})])
    linear.set_weights(model.get_weights())
    expected = linear(images).numpy()  # an independent way to the values before the activation

    assert is_plain_convolution(layer) is has_own_channel
    own = np.asarray(_reach(model, layer, images, probe.own_channel(layer, filters)))
    full = np.asarray(_reach(model, layer, images, probe.full_response(layer)))
    np.testing.assert_allclose(full, expected, rtol=1e-5, atol=1e-6)
    for i, index in enumerate(filters):
        np.testing.assert_allclose(own[i], expected[i, ..., index], rtol=1e-4, atol=2e-6)


def test_a_layer_with_a_call_of_its_own_takes_the_general_path() -> None:
    class Doubled(keras.layers.Conv2D):
        def call(self, inputs: Any) -> Any:
            return 2 * super().call(inputs)

    layer = Doubled(3, 3)
    model = keras.Sequential([keras.Input((6, 6, 1)), layer])
    images = np.ones((1, 6, 6, 1), np.float32)
    own = _reach(model, layer, images, probe.own_channel(layer, np.array([1])))
    assert not is_plain_convolution(layer)
    np.testing.assert_allclose(own, model(images)[..., 1], rtol=1e-5)


class Branches(keras.Model):
    """Layers in attributes, lists and a nested model, called in an order of its own."""

    def __init__(self) -> None:
        super().__init__(name="branches")
        self.stem = LAYERS.Conv2D(3, 3, activation="relu", name="stem")
        self.blocks = [LAYERS.Conv2D(4, 3, name=f"block{i}", activity_regularizer="l2") for i in range(2)]
        self.tail = keras.Sequential([LAYERS.BatchNormalization(), LAYERS.Conv2D(5, 1, name="last")], name="tail")
        self.unused = LAYERS.Conv2D(2, 1, name="unused")

    def build(self, shape: Any) -> None:
        self.unused.build(shape)
        self.call(keras.Input(shape[1:]))

    def call(self, inputs: Any, training: bool = False) -> Any:
        x = self.stem(inputs)
        for block in self.blocks:
            x = block(x)
        return self.tail(x, training=training)


def test_layers_are_found_and_reached_wherever_they_are() -> None:
    model = Branches()
    model.build((None, 12, 12, 1))
    found = convolutions(model)
    assert [layer_call.path for layer_call in found] == ["stem", "block0", "block1", "tail/last", "unused"]
    images = np.random.default_rng(0).normal(size=(2, 12, 12, 1)).astype(np.float32)
    before = (model.get_weights(), len(model.losses), {k: set(vars(t.layer)) for k, t in enumerate(found)})
    for layer_call in found[:-1]:
        assert _reach(model, layer_call.layer, images, probe.full_response(layer_call.layer)).shape[0] == 2
    after = (model.get_weights(), len(model.losses), {k: set(vars(t.layer)) for k, t in enumerate(found)})
    assert all(np.array_equal(a, b) for a, b in zip(before[0], after[0], strict=True))
    assert before[1:] == after[1:]
    unused = found[-1].layer
    with pytest.raises(ModelError, match="'branches' never calls its layer 'unused'"):
        _reach(model, unused, images, probe.full_response(unused))


def test_a_failing_response_leaves_the_layer_as_it_was(small_model: keras.Model) -> None:
    layer = small_model.get_layer("conv_b")

    def fails(*_: Any) -> Any:
        raise OSError("planted")

    with pytest.raises(OSError, match="planted"):
        _reach(small_model, layer, np.zeros((1, 12, 12, 1), np.float32), fails)
    assert "call" not in vars(layer)
    assert layer.activation is keras.activations.relu


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x], lambda x: {"image": x}], ids=["plain", "list", "dict"])
def test_one_image_may_come_in_any_structure(wrap: Any) -> None:
    image = keras.Input((6, 6, 1), name="image")
    layer = LAYERS.Conv2D(2, 3)
    model = keras.Model(wrap(image), layer(image))
    images = np.ones((1, 6, 6, 1), np.float32)
    assert image_model_of(model).shape == (6, 6, 1)
    response = _reach(model, layer, images, probe.full_response(layer))
    np.testing.assert_allclose(response, model(wrap(images)), rtol=1e-5)
