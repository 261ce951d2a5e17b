"""A plain computation over all examples, by Keras and NumPy alone, finds the same."""

from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import numpy.typing as npt
import pytest

from tb_filterviz import Examples, build_lenet, digits
from tb_filterviz.parts.statistics import selectivity_of
from tb_filterviz.session import Session
from tb_filterviz.snapshots import LayerResponses

Array = npt.NDArray[np.float32]
Case = tuple[keras.Model, Array, npt.NDArray[np.int32], dict[str, Callable[[Array], Array]]]


def _lenet() -> Case:
    keras.utils.set_random_seed(3)
    model, data = build_lenet(28, 28, 1, 10), digits()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(data.x_train[:1000], data.y_train[:1000], epochs=1, verbose=0)
    below = {name: keras.Model(model.inputs, model.get_layer(name).output) for name in ("conv2d_1", "conv2d_2")}
    images, labels = data.x_test[:300], data.y_test[:300].astype(np.int32)
    return model, images, labels, {name: partial(one.predict, verbose=0) for name, one in below.items()}


def _nested() -> Case:
    """Strides, valid padding, a network within another, and activations that are layers of their own."""
    keras.utils.set_random_seed(3)
    inner = keras.Sequential(
        [
            keras.Input((41, 37, 3)),
            keras.layers.Conv2D(6, 5, strides=2, name="first"),
            keras.layers.BatchNormalization(name="normalized"),
            keras.layers.ReLU(name="cut"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(7, 3, padding="valid", activation="relu", name="second"),
        ],
        name="inner",
    )
    image = keras.Input((41, 37, 3))
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1)(image)
    outer = keras.layers.Conv2D(4, 3, strides=(2, 1), name="outer")(inner(scaled))
    answer = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(outer))
    model = keras.Model(image, answer)
    rng = np.random.default_rng(0)
    mean, gamma = rng.normal(size=6), rng.uniform(0.5, 2, 6)
    inner.get_layer("normalized").set_weights([gamma, mean / 2, mean, gamma**2])
    images = rng.uniform(0, 255, (150, 41, 37, 3)).astype(np.float32)
    images = images * np.linspace(0.2, 1, 150, dtype=np.float32)[:, None, None, None]

    def up_to(name: str) -> Callable[[Array], Array]:
        def run(x: Array) -> Array:
            value = keras.ops.convert_to_tensor(x / np.float32(127.5) - 1)
            for layer in inner.layers:
                value = layer(value, training=False)
                if layer.name == name:
                    return np.asarray(keras.ops.convert_to_numpy(value))
            return np.asarray(keras.ops.convert_to_numpy(model.get_layer("outer")(value)))

        return run

    ways = {"inner/first": up_to("cut"), "inner/second": up_to("second"), "outer": up_to("outer")}
    return model, images, rng.integers(0, 3, 150).astype(np.int32), ways


def _checked(found: LayerResponses, maps: Array, labels: npt.NDArray[np.int32], *, is_gated: bool) -> None:
    flat = maps.reshape(len(maps), -1, maps.shape[-1])
    peaks = flat.max(axis=1)
    assert found.is_gated == is_gated
    for filter_ in range(maps.shape[-1]):
        strongest = np.sort(peaks[:, filter_])[::-1][:9]
        listed = found.patches[filter_] >= 0
        if is_gated:
            assert listed.tolist() == (strongest > 0).tolist()
        np.testing.assert_allclose(found.values[filter_][listed], strongest[listed], rtol=1e-4, atol=1e-5)
        for example, (row, column), value in zip(
            found.patches[filter_][listed], found.units[filter_][listed], found.values[filter_][listed], strict=True
        ):
            np.testing.assert_allclose(maps[example, row, column, filter_], value, rtol=1e-4, atol=1e-5)
        assert len(set(found.patches[filter_][listed].tolist())) == listed.sum()
    above = np.maximum(flat, 0).mean(axis=1)
    means = np.stack([above[labels == one].mean(axis=0) for one in np.unique(labels)], axis=1)
    assert found.class_means is not None
    np.testing.assert_allclose(found.class_means, means, rtol=1e-4, atol=1e-5)
    if is_gated:
        np.testing.assert_allclose(found.excited, (peaks > 0).mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(found.on, (flat > 0).mean(axis=(0, 1)), atol=1e-4)
    else:
        assert np.isnan(found.excited).all()


@pytest.mark.parametrize(("case", "gated"), [(_lenet, (True, True)), (_nested, (True, True, False))])
def test_a_plain_computation_finds_the_same(case: Callable[[], Case], gated: tuple[bool, ...]) -> None:
    model, images, labels, ways = case()
    drawings = {each.layer: each for each in Session(model, examples=Examples((images, labels))).draw()}
    assert list(drawings) == list(ways)
    for (path, run), is_gated in zip(ways.items(), gated, strict=True):
        found = drawings[path].responses
        assert found is not None
        _checked(found, run(images), labels, is_gated=is_gated)


def test_what_a_unit_sees_is_all_that_its_answer_depends_on() -> None:
    model, images, _, ways = _nested()
    for drawing in Session(model, examples=images[:20]).draw():
        found, run = drawing.responses, ways[drawing.layer]
        assert found is not None
        filter_ = int(found.values[:, 0].argmax())
        example, (row, column), value = found.patches[filter_, 0], found.units[filter_, 0], found.values[filter_, 0]
        top, left, height, width = found.footprint.of_unit(int(row), int(column))
        outside = np.random.default_rng(1).uniform(0, 255, images[example].shape).astype(np.float32)
        inside = slice(max(top, 0), top + height), slice(max(left, 0), left + width)
        outside[inside] = images[example][inside]
        np.testing.assert_allclose(run(outside[None])[0, row, column, filter_], value, rtol=1e-4)
        for row_or_column in ((inside[0].start, inside[1]), (inside[0], inside[1].stop - 1)):  # it is no larger, either
            changed = outside.copy()
            changed[row_or_column] = 255 - changed[row_or_column]
            assert abs(run(changed[None])[0, row, column, filter_] - value) > 1e-4 * abs(value)


def test_selectivity_is_that_of_its_source() -> None:
    means = np.array([[1, 1, 1, 1], [4, 0, 0, 0], [3, 1, 1, 1], [0, 0, 0, 0], [2, np.nan, 1, np.nan]], np.float32)
    expected = [0, 1, (3 - 1) / (3 + 1), np.nan, (2 - 1) / (2 + 1)]
    np.testing.assert_allclose(selectivity_of(means), expected, rtol=1e-6)
