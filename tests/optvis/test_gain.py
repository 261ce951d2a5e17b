"""How much a score is worth: against noise, and comparable between layers and runs."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from tb_filterviz import Config, Maximized, draw, maximize
from tb_filterviz.optvis.initial_images import noise_images
from tb_filterviz.parts.objectives import Objective, channel_mean
from tests.parts import own
from tests.rounding import same

L = keras.layers
Array = npt.NDArray[Any]
QUICK = replace(Config.plain().ascent, steps=4)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 2)),
            L.Rescaling(1 / 255),
            L.Conv2D(5, 3, activation="relu", name="first"),
            L.Conv2D(6, 3, strides=2, activation="relu", name="second"),
            L.Flatten(),
            L.Dense(4, name="units"),
        ]
    )
    rng = np.random.default_rng(1)
    for layer in model.layers:
        layer.set_weights([rng.normal(0, 0.5, weights.shape) for weights in layer.get_weights()])
    return model


def _responses(model: keras.Model, layer: str, count: int = 16) -> Array:
    """What the layer answers to noise before its activation, ``[n, h, w, c]``, by Keras alone."""
    found = model.get_layer(layer)
    below = keras.Model(model.inputs[0], found.input)(noise_images(count, (16, 16, 2), (0.0, 255.0), seed=0))
    linear = type(found).from_config({**found.get_config(), "activation": None})
    linear.build(below.shape)
    linear.set_weights(found.get_weights())
    answers = keras.ops.convert_to_numpy(linear(below)).astype(np.float64)
    return np.asarray(answers.reshape(len(answers), *(answers.shape[1:3] if answers.ndim == 4 else (1, 1)), -1))


def test_noise_fills_the_input_range_and_is_the_same_for_all() -> None:
    images = noise_images(16, (16, 16, 2), ((0.0, -1.0), (255.0, 1.0)), seed=3)
    assert images.shape == (16, 16, 16, 2)
    assert images.dtype == np.float32
    np.testing.assert_allclose(images.min((0, 1, 2)), [0, -1], atol=0.5)
    np.testing.assert_allclose(images.max((0, 1, 2)), [255, 1], atol=0.5)
    np.testing.assert_allclose(images.std((0, 1, 2)), np.array([255, 2]) / 12**0.5, rtol=0.02)
    assert np.array_equal(images[:5], noise_images(5, (16, 16, 2), ((0.0, -1.0), (255.0, 1.0)), seed=3))


def test_few_images_tell_as_much_where_many_units_see_them(model: keras.Model) -> None:
    few, many = (_responses(model, "first", count) for count in (2, 16))
    np.testing.assert_allclose(few.std(axis=(0, 1, 2)), many.std(axis=(0, 1, 2)), rtol=0.15)
    error = (few.mean(axis=(0, 1, 2)) - many.mean(axis=(0, 1, 2))) / many.std(axis=(0, 1, 2))
    assert np.abs(error).max() < 0.25


@pytest.mark.parametrize("layer", ["first", "second", "units"])
@pytest.mark.parametrize("objective", ["channel_mean", "center_unit"])
def test_gain_is_the_rise_over_noise_in_deviations_of_what_units_answer(
    model: keras.Model, layer: str, objective: str
) -> None:
    found = maximize(model, layer, config=Config(objective=objective, ascent=QUICK), verbose=0)
    count = {"first": 2, "second": 8, "units": 16}[layer] if objective == "channel_mean" else 16
    answers = _responses(model, layer, count)
    _, height, width, _ = answers.shape
    center = answers[:, height // 2, width // 2].mean(axis=0)
    expected = answers.mean(axis=(0, 1, 2)) if objective == "channel_mean" else center
    deviations = answers.std(axis=(0, 1, 2))
    assert (np.abs(found.noise_scores - expected) < 2e-3 * deviations).all()
    np.testing.assert_allclose(found.noise_deviations, deviations, rtol=1e-3)
    np.testing.assert_allclose(found.gains, (found.scores[-1] - expected) / deviations, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(
    "objective", [own.energy, own.contrast, channel_mean - 0.5 * own.contrast], ids=lambda o: o.name
)
def test_gain_of_any_objective(model: keras.Model, objective: Objective) -> None:
    """One that is not linear in the response is measured by its scores of whole images."""
    found = maximize(model, "second", config=Config(objective=objective, ascent=QUICK), verbose=0)
    answers = _responses(model, "second", 8 if objective.is_linear and not objective.is_local else 16)
    filters = np.arange(answers.shape[-1])
    scores = np.stack(
        [
            keras.ops.convert_to_numpy(
                objective.score(answers.astype(np.float32), np.full(len(answers), each, np.int32))
                if objective.reads == "all"
                else objective.score(answers[..., each].astype(np.float32))
            )
            for each in filters
        ],
        axis=1,
    )
    deviations = answers.std(axis=(0, 1, 2)) if objective.is_linear else scores.std(axis=0)
    assert (np.abs(found.noise_scores - scores.mean(axis=0)) < 2e-3 * deviations).all()
    np.testing.assert_allclose(found.noise_deviations, deviations, rtol=1e-2)


def test_gain_does_not_change_with_the_unit_of_a_layer(model: keras.Model) -> None:
    """A layer whose numbers are ten times as large is not better understood for that."""
    larger = keras.models.clone_model(model)
    larger.set_weights(model.get_weights())
    layer = larger.get_layer("second")
    layer.set_weights([10 * weights for weights in layer.get_weights()])
    one, other = (maximize(each, "second", config=Config(ascent=QUICK), verbose=0) for each in (model, larger))
    np.testing.assert_allclose(other.scores[-1], 10 * one.scores[-1], rtol=1e-3)
    np.testing.assert_allclose(other.gains, one.gains, rtol=1e-3, atol=2e-3)
    assert (one.gains > 0.3).all()  # after 4 steps


def test_a_filter_that_answers_nothing_has_no_gain(model: keras.Model) -> None:
    silent = keras.models.clone_model(model)
    silent.set_weights(model.get_weights())
    kernel, bias = silent.get_layer("second").get_weights()
    kernel[..., 2] = 0
    silent.get_layer("second").set_weights([kernel, bias])
    found = maximize(silent, "second", config=Config(ascent=QUICK), verbose=0)
    assert found.gains[2] == 0
    assert np.isfinite(found.gains).all()


@pytest.mark.parametrize("memory_mb", [1, 4096])
def test_gain_is_in_the_log_whatever_the_memory(model: keras.Model, memory_mb: int) -> None:
    few = Config(ascent=replace(QUICK, memory_mb=memory_mb))
    drawn = {snapshot.layer: snapshot for snapshot in draw(model, config=few, verbose=0)}
    for layer, snapshot in drawn.items():
        found: Maximized = maximize(model, layer, config=few, verbose=0)
        assert same(snapshot.statistics["gain"], found.gains)
        whole = maximize(model, layer, config=Config(ascent=QUICK), verbose=0)
        np.testing.assert_allclose(snapshot.statistics["gain"], whole.gains, rtol=1e-2)
