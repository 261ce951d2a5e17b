"""Layers compute the same with a backend's shortcuts, and so do their gradients, to rounding."""

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from tb_filterviz.optvis import backends
from tb_filterviz.optvis.probe import replaced

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
@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(7, 19), st.integers(7, 19)),
    kernel=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    channels=st.integers(1, 4),
    filters=st.integers(1, 9),
    padding=st.sampled_from(["same", "valid"]),
)
def test_a_convolution_of_few_channels(
    size: tuple[int, int], kernel: tuple[int, int], channels: int, filters: int, padding: str
) -> None:
    layer = L.Conv2D(filters, kernel, padding=padding, activation="tanh", bias_initializer="normal")
    _check(layer, np.random.default_rng(1).normal(size=(3, *size, channels)).astype(np.float32))


@needs_tensorflow
@pytest.mark.parametrize(
    ("layer", "channels"),
    [
        pytest.param(lambda: L.Conv2D(4, 3), 5, id="many channels"),
        pytest.param(lambda: L.Conv2D(4, 3, strides=2), 1, id="strides"),
        pytest.param(lambda: L.Conv2D(4, 3, dilation_rate=2), 1, id="dilation"),
        pytest.param(lambda: L.Conv2D(4, 3, dtype="mixed_float16"), 1, id="half precision"),
        pytest.param(lambda: L.Conv2D(4, 3, groups=2), 2, id="groups"),
        pytest.param(lambda: L.DepthwiseConv2D(3), 1, id="depthwise"),
    ],
)
def test_other_convolutions_are_left_alone(layer: Any, channels: int) -> None:
    built = layer()
    built.build((None, 9, 9, channels))
    assert backends.current().shortcuts(built) == {}


@needs_jax
@settings(max_examples=40, deadline=None)
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
