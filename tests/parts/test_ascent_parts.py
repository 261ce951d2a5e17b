"""Parts take part in every step, on whatever backend Keras runs (KERAS_BACKEND=jax, torch or tensorflow)."""

import multiprocessing
import pickle
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from keras import ops

from tb_filterviz import AscentConfig, AscentPart, Config, Maximized, maximize
from tb_filterviz.errors import ConfigError
from tests.parts import direct, own

L = keras.layers
Images = npt.NDArray[np.float32]

STEPS = 6
PLAIN = Config.plain().ascent


def _model(activation: str = "relu") -> keras.Model:
    model = keras.Sequential(
        [keras.Input((12, 12, 1)), L.Conv2D(6, 3, activation=activation, name="stem"), L.Conv2D(5, 3, name="shown")]
    )
    rng = np.random.default_rng(8)
    model.set_weights([rng.normal(0, 0.3, weights.shape) for weights in model.get_weights()])
    return model


def _maximized(
    *parts: AscentPart, layer: str = "shown", steps: int = STEPS, objective: Any = "channel_mean", **options: Any
) -> Maximized:
    config = Config(objective=objective, ascent=replace(PLAIN, steps=steps, parts=parts, **options))
    return maximize(_model(), layer, [4, 0, 2], config=config)


def test_without_parts_or_with_idle_ones_nothing_changes() -> None:
    without = _maximized()
    for parts in ([], [own.Idle()], [own.Idle(), own.Idle()]):
        found = _maximized(*parts)
        assert found.images.tobytes() == without.images.tobytes()
        assert found.scores.tobytes() == without.scores.tobytes()


def test_one_long_step_is_not_taken_in_place_of_many_where_parts_have_something_to_do() -> None:
    straight, in_steps = _maximized(layer="stem", objective="auto"), _maximized(layer="stem")
    assert straight.scores.shape == (2, 3)
    assert in_steps.scores.shape == (STEPS + 1, 3)
    clipped = _maximized(own.Clipped(), layer="stem", objective="auto")
    assert clipped.scores.shape == (STEPS + 1, 3)
    assert clipped.images.max() == np.float32(0.6)


def test_a_penalty_shrinks_the_image_the_more_it_weighs() -> None:
    sizes = [np.square(_maximized(own.Decay(weight=weight)).images).mean() for weight in (0.0, 1.0, 30.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] < 0.8 * np.square(_maximized().start).mean()


def test_a_penalty_of_nothing_changes_no_image() -> None:
    np.testing.assert_allclose(_maximized(own.Decay(weight=0.0)).images, _maximized().images, atol=1e-6)


def _share_above_half_of_nyquist(images: Images) -> Any:
    spectrum = np.square(np.abs(np.fft.fft2(images, axes=(1, 2))))
    frequencies = np.abs(np.fft.fftfreq(images.shape[1]))
    is_high = np.maximum(frequencies[:, None], frequencies) > 0.25
    return spectrum[:, is_high].sum() / spectrum.sum()


def test_a_blurred_gradient_leaves_no_high_frequencies() -> None:
    sharp, blurred = _maximized(), _maximized(own.Blur(times=6))
    assert _share_above_half_of_nyquist(sharp.images - sharp.start) > 0.05
    assert _share_above_half_of_nyquist(blurred.images - blurred.start) < 1e-4
    assert (blurred.scores[-1] > blurred.scores[0]).all()


def test_a_step_has_its_length_whatever_is_done_to_the_gradient() -> None:
    found = _maximized(own.Blur(), steps=1)
    length = np.sqrt(np.square(found.images - found.start).mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(length, 4 / 255, rtol=1e-4)


@pytest.mark.parametrize("rows", [(0, 0, 0), (4, 4, 4), (4, -3, 0), (4,)])
def test_the_model_sees_the_image_as_it_is_moved(rows: Sequence[int]) -> None:
    """The planted kernel is drawn where the moved image has it in the middle, once for every step."""
    kernel = np.array([[1, -2, 1], [0, 3, -1], [2, 0, -3]], np.float32)
    model = keras.Sequential([keras.Input((21, 21, 1)), L.Conv2D(1, 3, padding="same", use_bias=False, name="planted")])
    model.set_weights([kernel[:, :, None, None]])
    columns = tuple(row // 2 for row in rows)
    parts = [own.Jitter(rows=tuple(rows), columns=columns)]
    config = Config(objective="center_unit", crop=False, ascent=replace(PLAIN, steps=3, parts=parts))
    found = maximize(model, "planted", config=config)
    middle = np.zeros((21, 21), np.float32)
    middle[9:12, 9:12] = kernel / np.sqrt(np.square(kernel).sum() / 21**2) * 4 / 255
    moves = [(rows[step % len(rows)], columns[step % len(rows)]) for step in range(3)]
    expected = sum(np.roll(middle, (-down, -right), (0, 1)) for down, right in moves)
    np.testing.assert_allclose((found.images - found.start)[0, ..., 0], expected, atol=1e-5)


def test_the_first_score_and_the_last_are_those_of_the_images_as_they_are() -> None:
    found = _maximized(own.Jitter(rows=(5, 2)), own.Decay(weight=3.0))
    below = keras.Sequential(_model().layers)
    for images, scores in ((found.images, found.scores[-1]), (found.start, found.scores[0])):
        responses = ops.convert_to_numpy(below(images))[np.arange(3), :, :, [4, 0, 2]].mean(axis=(1, 2))
        np.testing.assert_allclose(scores, responses, rtol=1e-4, atol=1e-6)


def test_a_dead_filter_stays_stuck_whatever_takes_part() -> None:
    model = keras.Sequential([keras.Input((12, 12, 1)), keras.layers.ReLU(), keras.layers.Conv2D(3, 3, name="conv")])
    kernel = np.zeros((3, 3, 1, 3), np.float32)
    kernel[1, 1, 0, 2] = 1
    model.get_layer("conv").set_weights([kernel, np.ones(3, np.float32)])
    for parts in ([], [own.Decay(weight=0.1)]):
        config = Config(objective="channel_mean", ascent=replace(PLAIN, parts=parts))
        responsive = maximize(model, "conv", config=config).drawing().responsive
        assert responsive.tolist() == [False, False, True]


def test_a_projection_keeps_the_mean() -> None:
    found, free = _maximized(own.KeptGray(gray=0.5)), _maximized()
    np.testing.assert_allclose(found.images.mean(axis=(1, 2, 3)), 0.5, atol=1e-6)
    assert np.abs(free.images.mean(axis=(1, 2, 3)) - 0.5).min() > 1e-3


def test_a_projection_keeps_values_in_their_range_exactly() -> None:
    found = _maximized(own.Clipped(low=0.45, high=0.55))
    assert (found.images.min(), found.images.max()) == (np.float32(0.45), np.float32(0.55))


MIXTURES: dict[str, list[AscentPart]] = {
    "all of them": [own.Decay(weight=0.5), own.Blur(times=1), own.Jitter(rows=(0, 3, 1)), own.KeptGray()],
    "two projections": [own.KeptGray(gray=0.45), own.Clipped()],
    "two projections, the other way": [own.Clipped(), own.KeptGray(gray=0.45)],
    "two transformations": [own.Jitter(rows=(0, 3), columns=(1, 0)), own.Jitter(rows=(2,), columns=(5,))],
    "two penalties": [own.Decay(weight=0.5), own.Decay(weight=0.25)],
}


@pytest.mark.parametrize("name", MIXTURES)
@pytest.mark.parametrize("layer", ["stem", "shown"])
def test_parts_do_together_what_is_done_by_hand(layer: str, name: str) -> None:
    parts, model = MIXTURES[name], _model("tanh")
    config = Config(objective="channel_mean", ascent=replace(PLAIN, steps=STEPS, parts=parts))
    found = maximize(model, layer, [4, 0, 2], config=config)
    linear = L.Conv2D(model.get_layer(layer).filters, 3)
    linear.build((None, *model.get_layer(layer).input.shape[1:]))
    linear.set_weights(model.get_layer(layer).get_weights())
    before = [] if layer == "stem" else [model.get_layer("stem")]
    images, scores = direct.climb(
        lambda images: linear(before[0](images) if before else images),
        lambda responses, index: ops.mean(responses[..., index], axis=(1, 2)),
        found.start,
        [4, 0, 2],
        steps=STEPS,
        step_length=4 / 255,
        parts=parts,
    )
    np.testing.assert_allclose(found.images, images, atol=2e-4)
    np.testing.assert_allclose(found.scores[-1], scores[-1], rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_parts_reach_other_processes() -> None:
    parts = [own.Decay(weight=0.5), own.Blur(times=1), own.Jitter(rows=(0, 3, 1)), own.KeptGray()]
    config = Config(objective=own.energy - own.contrast, ascent=replace(PLAIN, steps=3, parts=parts))
    assert pickle.loads(pickle.dumps(config)) == config
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(own.drawn, config).result() == own.drawn(config)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"name": ""}, "The name of a part of the ascent must be a line. Received: name=''"),
        ({"description": ""}, "The description of part of the ascent 'mine' must be"),
        ({"description": 3}, "The description of part of the ascent 'mine' must be a line of 1 to 400 characters"),
        ({"name": None}, "The name of a part of the ascent must be a line. Received: name=None"),
        ({"name": "two\nlines"}, "must be a line"),
    ],
)
def test_a_part_says_what_it_is(texts: dict[str, Any], message: str) -> None:
    part = type("Mine", (AscentPart,), {"name": "mine", "description": "of mine", **texts})()
    with pytest.raises(ConfigError, match=message):
        AscentConfig(parts=[part])


@pytest.mark.parametrize("wrong", [own.Decay, "decay", None, 3])
def test_what_is_no_part_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"an object of class AscentPart\. Received: parts="):
        AscentConfig(parts=[wrong])
