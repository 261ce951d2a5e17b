"""Layers compute the same with a backend's shortcuts, and so do their gradients, to rounding."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from tb_filterviz import AscentConfig, Config
from tb_filterviz.optvis import backends
from tb_filterviz.optvis.image_model import image_model_of
from tb_filterviz.optvis.layer_calls import select
from tb_filterviz.optvis.probe import own_channel, reach, replaced, untouched
from tb_filterviz.session import Session

L = keras.layers
BACKEND = keras.backend.backend()
needs_tensorflow = pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow's convolutions have a shortcut")
needs_jax = pytest.mark.skipif(BACKEND != "jax", reason="only JAX's max-pooling has a shortcut")


def _output_and_gradient(layer: keras.Layer, images: Any) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The gradient of a mixture of all outputs: another number for each."""

    def mixture(given_images: Any) -> Any:
        output = layer(given_images)
        weights = np.random.default_rng(0).normal(size=output.shape).astype(np.float32)
        return ops.sum(output * ops.convert_to_tensor(weights), axis=(1, 2, 3))

    images = ops.convert_to_tensor(images)
    _, gradient = backends.current().value_and_gradient(mixture)(images)
    return ops.convert_to_numpy(layer(images)), ops.convert_to_numpy(gradient)


def _check(layer: keras.Layer, images: npt.NDArray[np.float32]) -> None:
    layer.build(images.shape)
    shortcuts = backends.current().shortcuts(layer)
    assert shortcuts
    expected = _output_and_gradient(layer, images)
    with replaced(layer, **shortcuts):
        for got, wanted in zip(_output_and_gradient(layer, images), expected, strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


@needs_tensorflow
@settings(max_examples=60)
@given(
    size=st.tuples(st.integers(7, 19), st.integers(7, 19)),
    kernel=st.tuples(st.integers(3, 7), st.integers(3, 7)),
    channels=st.integers(1, 4),
    filters=st.integers(8, 11),
    padding=st.sampled_from(["same", "valid"]),
)
def test_a_convolution_of_few_channels(
    size: tuple[int, int], kernel: tuple[int, int], channels: int, filters: int, padding: str
) -> None:
    layer = L.Conv2D(filters, kernel, padding=padding, activation="tanh", bias_initializer="normal")
    _check(layer, np.random.default_rng(1).normal(size=(3, *size, channels)).astype(np.float32))


@pytest.mark.slow
@needs_tensorflow
@settings(max_examples=40)
@given(
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    groups=st.integers(2, 4),
    channels_per_group=st.integers(1, 3),
    filters_per_group=st.integers(1, 3),
    stride=st.integers(1, 2),
    padding=st.sampled_from(["same", "valid"]),
)
def test_a_grouped_convolution(
    kernel: tuple[int, int], groups: int, channels_per_group: int, filters_per_group: int, stride: int, padding: str
) -> None:
    layer = L.Conv2D(filters_per_group * groups, kernel, stride, padding, groups=groups, bias_initializer="normal")
    images = np.random.default_rng(1).normal(size=(2, 9, 8, channels_per_group * groups)).astype(np.float32)
    _check(layer, images)


@needs_tensorflow
@pytest.mark.parametrize(
    ("layer", "channels"),
    [
        pytest.param(lambda: L.Conv2D(8, 3), 5, id="many channels"),
        pytest.param(lambda: L.Conv2D(7, 3), 1, id="few filters"),
        pytest.param(lambda: L.Conv2D(8, (3, 1)), 1, id="a small kernel"),
        pytest.param(lambda: L.Conv2D(8, 3, strides=2), 1, id="strides"),
        pytest.param(lambda: L.Conv2D(8, 3, dilation_rate=2), 1, id="dilation"),
        pytest.param(lambda: L.Conv2D(8, 3, dtype="mixed_float16"), 1, id="half precision"),
        pytest.param(lambda: L.Conv2D(8, 3, groups=2, dilation_rate=2), 2, id="dilated groups"),
        pytest.param(lambda: L.Conv2D(8, 3, groups=2, strides=(1, 2)), 2, id="groups with two strides"),
        pytest.param(lambda: L.DepthwiseConv2D(3), 1, id="depthwise"),
    ],
)
def test_other_convolutions_are_left_alone(layer: Any, channels: int) -> None:
    built = layer()
    built.build((None, 9, 9, channels))
    assert backends.current().shortcuts(built) == {}


@needs_jax
@settings(max_examples=40)
@given(
    size=st.tuples(st.integers(6, 14), st.integers(6, 14)),
    window=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    levels=st.integers(1, 4),
)
def test_max_pooling_of_windows_that_do_not_overlap(
    size: tuple[int, int], window: tuple[int, int], levels: int
) -> None:
    images = np.random.default_rng(1).integers(0, levels, (2, *size, 3)).astype(np.float32)  # equals, in every window
    _check(L.MaxPooling2D(window), images)


@needs_jax
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_max_pooling_hides_nothing(odd: float) -> None:
    layer, images = L.MaxPooling2D(2), np.zeros((1, 4, 4, 1), np.float32)
    images[0, 1, 1], images[0, 2, 2] = odd, odd
    expected = ops.convert_to_numpy(layer(images))
    with replaced(layer, **backends.current().shortcuts(layer)):
        np.testing.assert_array_equal(ops.convert_to_numpy(layer(ops.convert_to_tensor(images))), expected)


@needs_jax
@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(lambda: L.MaxPooling2D(3, strides=2), id="overlapping"),
        pytest.param(lambda: L.MaxPooling2D(2, padding="same"), id="same"),
        pytest.param(lambda: L.MaxPooling2D(2, data_format="channels_first"), id="channels first"),
        pytest.param(lambda: L.MaxPooling2D(4), id="large"),
        pytest.param(lambda: L.AveragePooling2D(2), id="averages"),
    ],
)
def test_other_pooling_is_left_alone(layer: Any) -> None:
    assert backends.current().shortcuts(layer()) == {}


def _network(size: int | None = 16) -> keras.Model:
    """What every backend has a shortcut for, if it has any: the second layer is shown, and so is the first."""
    keras.utils.set_random_seed(2)
    first = L.Conv2D(8, 3, activation="relu", name="first")
    return keras.Sequential([keras.Input((size, size, 1)), first, L.MaxPooling2D(2, name="pool"), L.Conv2D(6, 3)])


def _drawn(model: keras.Model, **options: Any) -> list[npt.NDArray[np.float32]]:
    config = Config(ascent=AscentConfig(steps=5), **options)
    return [drawing.scores for drawing in Session(model, config=config).draw()]


@pytest.mark.skipif(BACKEND == "torch", reason="there are no shortcuts on PyTorch")
def test_pictures_are_drawn_with_shortcuts_and_are_the_same_without(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _network()
    before = [set(vars(layer)) for layer in model.layers]
    image_model = image_model_of(model)
    with untouched(image_model):
        used = [layer.name for layer in model.layers if vars(layer).keys() & {"call", "convolution_op"}]
    assert used == (["first"] if BACKEND == "tensorflow" else ["pool"])
    drawn = _drawn(model)
    monkeypatch.setattr(backends.current(), "shortcuts", lambda _: {})
    for with_shortcuts, without in zip(drawn, _drawn(model), strict=True):
        np.testing.assert_allclose(with_shortcuts, without, rtol=1e-4, atol=1e-6)
    assert [set(vars(layer)) for layer in model.layers] == before


def test_what_others_have_put_in_place_of_a_layers_own_way_stays() -> None:
    model = _network()
    expected_to_differ = _drawn(model)
    first, pool = model.get_layer("first"), model.get_layer("pool")
    own_convolution, own_pool = first.convolution_op, pool.call
    first.convolution_op = lambda inputs, kernel: own_convolution(inputs, ops.sign(kernel))
    pool.call = lambda inputs: own_pool(-inputs)
    images = np.random.default_rng(0).normal(size=(6, 16, 16, 1)).astype(np.float32)
    whole = ops.convert_to_numpy(model(images)).mean(axis=(1, 2))
    (layer_call,) = select(model, model.layers[-1].name)
    filters = np.arange(6, dtype=np.int32)
    read = own_channel(layer_call.layer, filters)
    own = reach(image_model_of(model), layer_call, ops.convert_to_tensor(images), read)
    np.testing.assert_allclose(
        ops.convert_to_numpy(own).mean(axis=(1, 2)), whole[np.arange(6), filters], rtol=1e-4, atol=1e-5
    )
    (first_call,) = select(model, "first")
    shown = reach(image_model_of(model), first_call, ops.convert_to_tensor(images), own_channel(first, filters))
    signs = np.sign(ops.convert_to_numpy(first.kernel))
    expected = ops.convert_to_numpy(ops.conv(images, signs))[np.arange(6), ..., filters]
    np.testing.assert_allclose(ops.convert_to_numpy(shown), expected, rtol=1e-4, atol=1e-5)
    assert not np.allclose(_drawn(model)[-1], expected_to_differ[-1])


@needs_tensorflow
def test_maps_of_a_size_that_only_the_run_knows() -> None:
    class Scaled(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            half = ops.cast(ops.cast(ops.shape(inputs)[1:3], "float32") * 0.5, "int32")
            return tf.image.resize(inputs, half)

    keras.utils.set_random_seed(2)
    layers = [L.Conv2D(8, 3, activation="relu"), L.Conv2D(3, 3, name="shown")]
    model = keras.Sequential([keras.Input((24, 24, 1)), Scaled(), *layers])
    (scores,) = (drawing.scores for drawing in Session(model, layers="shown").draw())
    assert np.isfinite(scores).all()


@needs_tensorflow
def test_the_kernel_has_its_gradient_as_well() -> None:
    layer, images = L.Conv2D(8, 3), tf.random.normal((2, 9, 9, 1))
    layer.build(images.shape)
    gradients = []
    attributes: dict[str, Any]
    for attributes in ({}, backends.current().shortcuts(layer)):
        with replaced(layer, **attributes), tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(images) ** 2)
        gradients.append(tape.gradient(total, layer.trainable_variables[0].value))
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-4, atol=1e-4)
