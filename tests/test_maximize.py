"""The front door of the engine, on whatever backend Keras runs (KERAS_BACKEND=jax, torch or tensorflow)."""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

from tb_filterviz import AscentConfig, Config, FilterLogger, GridConfig, LayerSnapshot, Maximized, draw, maximize
from tb_filterviz.config import as_config
from tb_filterviz.errors import ConfigError, ModelError, UnknownLayerError
from tb_filterviz.optvis.canvas import Box
from tb_filterviz.session import Session
from tests.rounding import same

L = keras.layers
Filters = int | Sequence[int] | None

QUICK = AscentConfig(steps=6)


@pytest.fixture(scope="module")
def rgb() -> keras.Model:
    """Colour images, and every kind of convolution, each of 8 filters."""
    keras.utils.set_random_seed(5)
    layers = [
        L.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="strided"),
        L.Conv2D(8, 3, groups=2, padding="same", activation="tanh", name="grouped"),
        L.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise"),
        L.SeparableConv2D(8, 3, activation="elu", name="separable"),
    ]
    return keras.Sequential([keras.Input((16, 16, 3)), *layers, L.GlobalAveragePooling2D(), L.Dense(3)])


def _drawn(model: keras.Model, layer: str, config: Config) -> LayerSnapshot:
    (snapshot,) = draw(model, layer, config=config, verbose=0)
    return snapshot


def _is_drawn(found: Maximized, snapshot: LayerSnapshot, places: Sequence[int]) -> None:
    assert found.filters.tolist() == snapshot.filters[list(places)].tolist()
    assert same(found.tiles(), snapshot.tiles[list(places)])
    assert same(found.scores[-1], snapshot.scores[list(places)])
    assert np.array_equal(found.drawing().responsive, snapshot.responsive[list(places)])


CHOICES = [
    pytest.param("conv2d_2", [42, 3], id="some"),
    pytest.param("conv2d_1", 7, id="one"),
    pytest.param("conv2d_2", None, id="all"),
    pytest.param("conv2d_1", range(19, -1, -1), id="backwards"),
]


@pytest.mark.parametrize(("layer", "filters"), CHOICES)
def test_what_is_maximized_is_what_is_drawn_of_these_filters(lenet: keras.Model, layer: str, filters: Filters) -> None:
    config = Config(ascent=QUICK)
    found = maximize(lenet, layer, filters, config=config)
    chosen = [filters] if isinstance(filters, int) else filters
    (drawing,) = Session(lenet, layers=layer, config=replace(config, filters=chosen)).draw()
    assert same(found.drawing().tiles, drawing.tiles)
    assert found.filters.tolist() == drawing.filters.tolist() == list(chosen or range(50))
    assert same(found.scores[-1], drawing.scores)
    assert (found.layer, found.position) == (drawing.layer, drawing.position)
    for name, values in drawing.statistics.items():
        assert same(found.drawing().statistics[name], values)


@pytest.mark.parametrize(
    ("per_batch", "filters"),
    [(1, 6), (1, [7, 0, 3]), (4, [6, 1, 0, 3]), (4, range(7, -1, -1)), (8, None)],
    ids=["one by one, one", "one by one, some", "by four, four", "by four, backwards", "at once, all"],
)
@pytest.mark.parametrize(
    "layer",
    ["strided", *(pytest.param(name, marks=pytest.mark.slow) for name in ("grouped", "depthwise", "separable"))],
)
def test_the_tiles_are_those_of_the_whole_layer_to_the_bit_in_batches_of_one_size(
    rgb: keras.Model, layer: str, per_batch: int, filters: Filters
) -> None:
    config = Config(ascent=replace(QUICK, filters_per_batch=per_batch))
    places = range(8) if filters is None else [filters] if isinstance(filters, int) else list(filters)
    _is_drawn(maximize(rgb, layer, filters, config=config), _drawn(rgb, layer, config), places)


def test_lenets_tiles_are_those_of_the_whole_layer_to_the_bit_in_batches_of_one_size(lenet: keras.Model) -> None:
    config = Config(ascent=replace(QUICK, filters_per_batch=5))
    places = [42, 3, 0, 49, 17]
    _is_drawn(maximize(lenet, "conv2d_2", places, config=config), _drawn(lenet, "conv2d_2", config), places)


@pytest.mark.parametrize("per_batch", [1, 7])
def test_batches_of_another_size_differ_as_much_as_rounding_makes_a_difference(
    lenet: keras.Model, per_batch: int
) -> None:
    whole = maximize(lenet, "conv2d_2", config=Config(ascent=QUICK))
    parts = maximize(lenet, "conv2d_2", config=Config(ascent=replace(QUICK, filters_per_batch=per_batch)))
    assert np.array_equal(parts.start, whole.start)
    np.testing.assert_allclose(parts.scores[0], whole.scores[0], rtol=1e-4, atol=1e-6)
    levels = np.abs(parts.tiles().astype(int) - whole.tiles()).max(axis=(1, 2, 3))
    assert (levels <= 1).mean() >= 0.9  # where two paths up are equally steep, rounding chooses
    np.testing.assert_allclose(parts.scores[-1], whole.scores[-1], rtol=0.02)


@pytest.mark.parametrize("layer", ["strided", "separable"])
def test_images_are_whole_in_the_models_units_and_their_scores_rise(rgb: keras.Model, layer: str) -> None:
    config = replace(Config.plain(), ascent=replace(Config.plain().ascent, steps=6), input_range=(-1.0, 3.0))
    found = maximize(rgb, layer, [5, 2, 0], config=config)
    assert np.array_equal(found.whole(found.images), found.images)
    assert found.images.shape == found.start.shape == (3, 16, 16, 3)
    assert {array.dtype for array in (found.images, found.start, found.scores, found.peaks)} == {np.dtype(np.float32)}
    assert found.scores.shape == ((2, 3) if layer == "strided" else (7, 3))  # a gradient that never changes: one step
    assert found.peaks.shape == (3,)
    assert (found.scores[-1] > found.scores[0]).all()
    gray, noise = -1 + 128 / 255 * 4, 10 / 255 * 4
    assert np.abs(found.start - gray).max() == pytest.approx(noise, rel=0.05)
    length = np.sqrt(np.square(found.images - found.start).mean(axis=(1, 2, 3)))
    assert length.max() <= 6 * 4 / 255 * 4 * (1 + 1e-5)
    assert found.input_range == (-1.0, 3.0)


def test_scores_and_peaks_are_those_of_an_independent_forward_pass(rgb: keras.Model) -> None:
    ascent = replace(Config.plain().ascent, steps=6)
    found = maximize(rgb, "grouped", [6, 1, 3], config=Config(objective="channel_mean", ascent=ascent))
    strided, grouped = (rgb.get_layer(name) for name in ("strided", "grouped"))
    linear = L.Conv2D(8, 3, groups=2, padding="same")
    linear.build((None, 8, 8, 8))
    linear.set_weights(grouped.get_weights())
    for row, images in ((0, found.start), (-1, found.images)):
        responses = ops.convert_to_numpy(linear(strided(images)))[np.arange(3), :, :, found.filters]
        np.testing.assert_allclose(found.scores[row], responses.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.peaks, responses.max(axis=(1, 2)), rtol=1e-4, atol=1e-6)


def test_without_a_final_score_the_last_row_is_missing(rgb: keras.Model) -> None:
    with_last = maximize(rgb, "grouped", [1, 2], config=Config(ascent=QUICK))
    without = maximize(rgb, "grouped", [1, 2], config=Config(ascent=replace(QUICK, final_score=False)))
    assert same(without.scores, with_last.scores[:-1])
    assert same(without.images, with_last.images)
    assert np.array_equal(without.peaks, without.scores[-1])


def test_lenets_receptive_field_is_known_and_tiles_are_cut_to_it(lenet: keras.Model) -> None:
    first = maximize(lenet, "conv2d_1", [3, 1])
    assert first.receptive_field == Box(12, 12, 5, 5)
    assert first.objective.name == "center_unit"
    assert first.place == first.receptive_field
    assert first.images.shape == first.tiles().shape == (2, 5, 5, 1)
    assert np.array_equal(first.shown(first.images), first.images)
    whole = first.whole(first.images)
    assert np.array_equal(whole[:, 12:17, 12:17], first.images)
    assert whole.shape == (2, 28, 28, 1)
    assert np.delete(whole.reshape(2, 28, 28), np.s_[12:17], axis=1) == pytest.approx(128 / 255)
    second = maximize(lenet, "conv2d_2", 3, config=Config(ascent=QUICK))
    assert (second.objective.name, second.receptive_field) == ("center_unit", Box(8, 8, 14, 14))
    textures = maximize(lenet, "conv2d_2", 3, config=Config(small_field_px=13, ascent=QUICK))
    assert (textures.objective.name, textures.receptive_field) == ("channel_mean", None)
    assert textures.tiles().shape == (1, 28, 28, 1)
    plain = maximize(lenet, "conv2d_1", [3, 1], config="plain")
    assert plain.images.shape == (2, 28, 28, 1)
    assert plain.receptive_field == Box(12, 12, 5, 5)
    assert np.array_equal(plain.shown(plain.images), plain.images[:, 12:17, 12:17])
    uncut = maximize(lenet, "conv2d_1", [3, 1], config=replace(Config.plain(), crop=False))
    assert uncut.receptive_field is None
    assert same(uncut.images, plain.images)


def test_a_notebook_shows_the_grid(rgb: keras.Model) -> None:
    found = maximize(rgb, "strided", config=Config(grid=GridConfig(columns=3, margin_px=2)))
    shown = found._repr_png_()
    assert shown[:8] == b"\x89PNG\r\n\x1a\n"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown))), found.grid())
    assert np.array_equal(found.grid(), found.drawing().grid(found.config))
    assert found.grid(GridConfig(columns=8)).shape[0] < found.grid().shape[0]
    assert found.png(GridConfig(columns=8)) != shown


def test_the_configuration_chooses_filters_where_none_are_given(rgb: keras.Model) -> None:
    ascent = AscentConfig(steps=1)
    by_layer = Config(filters={"stri*": [5, 2]}, max_filters=3, ascent=ascent)
    assert maximize(rgb, "strided", config=by_layer).filters.tolist() == [5, 2]
    assert maximize(rgb, "strided", 4, config=by_layer).filters.tolist() == [4]
    assert maximize(rgb, "strided", config=Config(max_filters=3, ascent=ascent)).filters.tolist() == [0, 1, 2]
    drawings = Session(rgb, config=by_layer).draw()
    assert [each.filters.tolist() for each in drawings] == [[5, 2], *[[0, 1, 2]] * 3]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: maximize(m, "strided", 8), ConfigError, "within 0 to 7 for layer 'strided'. Received: 8"),
        (lambda m: maximize(m, "strided", [1, 1]), ConfigError, "a list of different whole numbers from 0"),
        (lambda m: maximize(m, "strided", True), ConfigError, "a list of different whole numbers from 0"),
        (lambda m: maximize(m, "strided", []), ConfigError, "a list of different whole numbers from 0"),
        (lambda m: maximize(m, "*"), ConfigError, "means 4: strided, grouped, depthwise, separable"),
        (lambda m: maximize(m, "stridet"), UnknownLayerError, "no layer 'stridet'.*Did you mean 'strided'"),
        (lambda m: maximize(m, "strided", config="clasic"), ConfigError, "must be a Config or one of"),
        (
            lambda m: maximize(m, "strided", config=Config(filters={"conv9": [1]})),
            UnknownLayerError,
            "`filters` names 'conv9', which is none of the layers to draw: strided.",
        ),
        (
            lambda m: Session(m, config=Config(filters={"grouped": [8]})),
            ConfigError,
            "`filters` must be within 0 to 7 for layer 'grouped'. Received: 8",
        ),
    ],
)
def test_what_cannot_be_maximized_is_said(rgb: keras.Model, call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(rgb)


def test_a_filter_may_be_a_number_of_numpys(rgb: keras.Model) -> None:
    chosen: Any = np.arange(5)[-1]
    assert maximize(rgb, "strided", chosen, config=Config(ascent=QUICK)).filters.tolist() == [4]


def test_a_pattern_may_mean_the_one_layer(rgb: keras.Model) -> None:
    assert maximize(rgb, "strid*", 0, config=Config(ascent=QUICK)).layer == "strided"
    assert maximize(rgb, ["strided"], 0, config=Config(ascent=QUICK)).layer == "strided"  # type: ignore[arg-type]


@pytest.fixture
def failing() -> Callable[[], keras.Model]:
    class Failing(keras.layers.Layer):
        passes_left = 100

        def call(self, inputs: Any) -> Any:
            Failing.passes_left -= 1
            if Failing.passes_left < 0:
                raise RuntimeError("no more of this")
            return inputs

    def make() -> keras.Model:
        model = keras.Sequential([keras.Input((8, 8, 1)), Failing(), L.Conv2D(2, 3, name="behind")])
        Failing.passes_left = 2  # to inspect it, and to find what it sees
        return model

    return make


def test_an_ascent_that_fails_is_said_of_the_layer(failing: Callable[[], keras.Model]) -> None:
    with pytest.raises(ModelError, match=r"Layer 'behind' \(Conv2D\) cannot be drawn: RuntimeError: .*no more of this"):
        maximize(failing(), "behind")


def test_other_inputs_are_given_by_name() -> None:
    image, gain = keras.Input((8, 8, 1), name="image"), keras.Input((1,), name="gain")
    model = keras.Model([image, gain], L.Conv2D(2, 3, name="shown")(image * ops.reshape(gain, (-1, 1, 1, 1))))
    config = Config(input_range=(0.0, 1.0))
    weak, strong = (
        maximize(model, "shown", config=config, other_inputs={"gain": np.array([each])}) for each in (1.0, 2.0)
    )
    np.testing.assert_allclose(strong.images, weak.images, rtol=1e-4, atol=1e-5)
    bias = ops.convert_to_numpy(model.get_layer("shown").bias)
    np.testing.assert_allclose(strong.scores[-1] - bias, 2 * (weak.scores[-1] - bias), rtol=1e-4)


@pytest.mark.parametrize("config", ["clean", "plain"])
@pytest.mark.parametrize("layer", ["strided", "grouped"])
def test_a_network_that_is_given_blue_first_is_drawn_in_the_same_colors(
    rgb: keras.Model, layer: str, config: str
) -> None:
    reversing = keras.models.clone_model(rgb)
    weights = rgb.get_weights()
    reversing.set_weights([weights[0][:, :, ::-1], *weights[1:]])
    quiet = replace(as_config(config), objective="channel_mean", input_range=((0.0, 0.0, 0.0), (1.0, 2.0, 3.0)))
    quiet = replace(quiet, ascent=replace(quiet.ascent, noise=0.0, steps=6))
    bgr = replace(quiet, channel_order="bgr", input_range=((0.0, 0.0, 0.0), (3.0, 2.0, 1.0)))
    usual, found = maximize(rgb, layer, config=quiet), maximize(reversing, layer, config=bgr)
    np.testing.assert_allclose(found.images, usual.images[..., ::-1], rtol=1e-4, atol=1e-4)
    assert np.abs(found.tiles().astype(int) - usual.tiles()).max() <= 1
    assert np.ptp(usual.tiles().mean(axis=(1, 2)), axis=-1).max() > 1 or np.ptp(usual.tiles(), axis=-1).max() > 30


def test_any_filters_are_those_of_the_log_to_the_bit(lenet: keras.Model, tmp_path: Path) -> None:
    with FilterLogger(tmp_path, verbose=0) as logger:
        first, second = logger.log(lenet, 0)
    for snapshot, filters in ((first, [7]), (second, [42, 3]), (second, list(range(49, 20, -3)))):
        found = maximize(lenet, snapshot.layer, filters)
        assert same(found.tiles(), snapshot.tiles[filters])
        assert same(found.scores[-1], snapshot.scores[filters])
