"""Kernels as pictures: in their input channels, and on the image."""

import keras
import numpy as np
import numpy.typing as npt
import pytest

from tb_filterviz import Config
from tb_filterviz.optvis.kernels import as_signed_levels
from tb_filterviz.session import Session
from tb_filterviz.snapshots import LayerKernels

SIDE = 20


def _network(activation: str | None, pooling: type[keras.layers.Layer]) -> keras.Model:
    keras.utils.set_random_seed(2)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Conv2D(8, 3, name="first"),
            layers.BatchNormalization(name="normalized"),
            layers.Activation(activation or "linear"),
            pooling(2),
            layers.Conv2D(5, 3, activation=activation, name="second"),
        ]
    )
    rng = np.random.default_rng(0)
    for layer in model.layers:
        layer.set_weights([rng.uniform(0.2, 1, w.shape) * rng.choice([-1, 1], w.shape) for w in layer.get_weights()])
    normalized = model.get_layer("normalized")
    normalized.set_weights([np.abs(each) for each in normalized.get_weights()])
    return model


def _drawn(model: keras.Model, layer: str) -> LayerKernels:
    (drawing,) = Session(model, layers=layer).draw()
    assert drawing.kernels is not None
    return drawing.kernels


def _by_impulses(model: keras.Model, box: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    """What the centre unit of a linear network answers to each single pixel, ``[n, h, w, c]``."""
    first, size, channels = box
    impulses = np.zeros((size * size * channels, SIDE, SIDE, channels), np.float32)
    places = np.indices((size, size, channels)).reshape(3, -1)
    impulses[np.arange(len(impulses)), first + places[0], first + places[1], places[2]] = 1
    answers = model.predict(np.concatenate([impulses, np.zeros_like(impulses[:1])]), verbose=0)
    middle = answers[:, answers.shape[1] // 2, answers.shape[2] // 2]
    kernels = (middle[:-1] - middle[-1]).reshape(size, size, channels, -1)
    return np.asarray(np.moveaxis(kernels, -1, 0), np.float64)


def test_the_kernel_on_the_image_is_that_of_the_network_made_linear() -> None:
    found = _drawn(_network("relu", keras.layers.MaxPooling2D), "second")
    linear = _network(None, keras.layers.AveragePooling2D)
    assert found.effective is not None
    size = found.effective.shape[1]
    assert size == 8  # 3, pooled by 2, and 3 of these
    expected = _by_impulses(linear, (6, size, 3))  # unit 3 of 7 sees from pixel 6 on
    expected = expected / np.abs(expected).max(axis=(1, 2, 3), keepdims=True)
    np.testing.assert_allclose((found.effective - 128.0) / 127, expected, atol=0.5 / 127 + 1e-3)


def test_slices_are_the_kernel_in_its_strongest_channels() -> None:
    model = _network("relu", keras.layers.MaxPooling2D)
    found = _drawn(model, "second")
    kernel = model.get_layer("second").get_weights()[0]
    assert found.slices.shape == (5, 6, 3, 3)
    for filter_ in range(5):
        strengths = np.linalg.norm(kernel[..., filter_].reshape(9, 8), axis=0)
        assert found.channels[filter_].tolist() == np.argsort(-strengths, kind="stable")[:6].tolist()
        own = kernel[..., found.channels[filter_], filter_]
        shown = (found.slices[filter_] - 128.0) / 127
        np.testing.assert_allclose(shown, np.moveaxis(own, -1, 0) / np.abs(own).max(), atol=0.5 / 127 + 1e-6)


def test_a_layer_that_is_linear_in_the_image_has_its_kernel_there() -> None:
    model = _network("relu", keras.layers.MaxPooling2D)
    found = _drawn(model, "first")
    kernel = np.moveaxis(model.get_layer("first").get_weights()[0], -1, 0)
    assert found.effective is not None
    assert np.array_equal(found.effective, as_signed_levels(kernel))


def test_pictures_of_a_network_that_takes_blue_first_are_red_first() -> None:
    model = _network("relu", keras.layers.MaxPooling2D)
    (drawing,) = Session(model, layers="first", config=Config(channel_order="bgr")).draw()
    assert drawing.kernels is not None
    assert drawing.kernels.effective is not None
    straight = _drawn(model, "first").effective
    assert straight is not None
    assert np.array_equal(drawing.kernels.effective, straight[..., ::-1])


def test_where_the_layers_below_are_not_linear_there_is_no_kernel_on_the_image() -> None:
    keras.utils.set_random_seed(2)
    image = keras.Input((12, 12, 1))
    maps = keras.layers.Conv2D(4, 3, name="first")(image)
    gates = keras.layers.Conv2D(4, 3)(image)
    shown = keras.layers.Conv2D(3, 3, name="gated")(keras.layers.Multiply()([maps, gates]))
    found = _drawn(keras.Model(image, shown), "gated")
    assert found.effective is None
    assert found.slices.shape == (3, 4, 3, 3)


@pytest.mark.parametrize("layer", [keras.layers.DepthwiseConv2D(3), keras.layers.Conv2DTranspose(3, 3)])
def test_other_layers_have_none(layer: keras.layers.Layer) -> None:
    (drawing,) = Session(keras.Sequential([keras.Input((10, 10, 2)), layer])).draw()
    assert drawing.kernels is None


def test_they_can_be_left_out() -> None:
    model = _network("relu", keras.layers.MaxPooling2D)
    (drawing,) = Session(model, layers="second", config=Config(kernels=False)).draw()
    assert drawing.kernels is None
