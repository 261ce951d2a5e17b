from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest

from tb_filterviz import Config, ConfigError, maximize
from tb_filterviz.optvis.image_model import image_model_of
from tb_filterviz.optvis.input_range import InputRange, input_range_of

L, A, ops = keras.layers, keras.applications, keras.ops
Array = npt.NDArray[Any]
Front = Callable[[Any], Any]

SHAPE = (20, 20, 3)
IMAGES = np.random.default_rng(0).uniform(0, 255, (40, *SHAPE)).astype(np.float32)


def _range(model: keras.Model, **given: Any) -> InputRange:
    return input_range_of(image_model_of(model), **given)


def _network(front: Front, channels: int = 3) -> keras.Model:
    images = keras.Input((*SHAPE[:2], channels))
    return keras.Model(images, L.Conv2D(4, 3, name="shown")(front(images)))


def _adapted(images: Array) -> keras.Layer:
    layer = L.Normalization()
    layer.adapt(images)
    return layer


# The same function of the pixels: 0..255 to -1..1. The last way does it outside of the model.
WAYS: dict[str, Callable[[], Front]] = {
    "rescaling": lambda: L.Rescaling(1 / 127.5, -1),
    "rescaling twice": lambda: keras.Sequential([L.Rescaling(1 / 255), L.Rescaling(2.0, -1)]),
    "lambda": lambda: L.Lambda(lambda x: (x - 127.5) / 127.5),
    "operations": lambda: lambda x: x / 127.5 - 1.0,
    "preprocess_input of mobilenet_v2": lambda: A.mobilenet_v2.preprocess_input,
    "preprocess_input of xception": lambda: A.xception.preprocess_input,
    "preprocess_input of resnet_v2": lambda: A.resnet_v2.preprocess_input,
    "scalar normalization": lambda: L.Normalization(axis=None, mean=127.5, variance=127.5**2),
    "normalization by channel": lambda: L.Normalization(mean=[127.5] * 3, variance=[127.5**2] * 3),
    "within a backbone": lambda: keras.Sequential([keras.Input(SHAPE), L.Rescaling(1 / 127.5, -1)], name="backbone"),
    "behind augmentation": lambda: lambda x: L.Rescaling(1 / 127.5, -1)(L.RandomFlip()(x)),
}


def _function_of_pixels(front: Front) -> keras.Model:
    images = keras.Input(SHAPE)
    maps = L.Conv2D(6, 3, activation="relu")(front(images))
    model = keras.Model(images, L.Conv2D(8, 3, name="shown")(L.MaxPooling2D()(maps)))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, L.Conv2D):
            layer.set_weights([rng.normal(0, 0.3, weights.shape) for weights in layer.get_weights()])
    return model


def _correlations(one: Array, other: Array) -> Array:
    pairs = zip(one.reshape(len(one), -1), other.reshape(len(other), -1), strict=True)
    return np.array([np.corrcoef(a, b)[0, 1] for a, b in pairs])


def test_models_that_are_one_function_of_the_pixels_have_one_picture() -> None:
    models = {name: _function_of_pixels(way()) for name, way in WAYS.items()}
    expected = models["rescaling"].predict(IMAGES, verbose=0)
    wanted = maximize(models["rescaling"], "shown", verbose=0)
    assert wanted.input_range == (0, 255)
    for name, model in models.items():
        np.testing.assert_allclose(model.predict(IMAGES, verbose=0), expected, rtol=1e-4, atol=1e-4, err_msg=name)
        found = maximize(model, "shown", verbose=0)
        assert found.input_range == (0, 255), name
        assert _correlations(found.tiles(), wanted.tiles()).min() > 0.99, name


def test_a_model_that_is_fed_raw_pixels_has_that_picture_if_it_is_given_some() -> None:
    """Its first layer does the scaling: kernel and bias are those of another network, divided."""
    scaled, raw = _function_of_pixels(L.Rescaling(1 / 255)), _function_of_pixels(lambda x: x)
    first, first_raw = (next(each for each in model.layers if isinstance(each, L.Conv2D)) for model in (scaled, raw))
    kernel, bias = first.get_weights()
    first_raw.set_weights([kernel / 255, bias])
    raw.get_layer("shown").set_weights(scaled.get_layer("shown").get_weights())
    np.testing.assert_allclose(raw.predict(IMAGES, verbose=0), scaled.predict(IMAGES, verbose=0), rtol=1e-3, atol=1e-4)
    wanted = maximize(scaled, "shown", verbose=0)
    blind, seeing = (maximize(raw, "shown", examples=given, verbose=0) for given in (None, IMAGES.astype(np.uint8)))
    assert (blind.input_range, seeing.input_range) == ((0, 1), (0, 255))
    assert _correlations(seeing.tiles(), wanted.tiles()).min() > 0.99
    assert _correlations(blind.tiles(), wanted.tiles()).min() < 0.9


def _clipped(x: Any) -> Any:
    return ops.clip(x, 0, 1)


@pytest.mark.parametrize(
    ("front", "channels", "limits", "reason"),
    [
        (L.Rescaling(1 / 255), 1, (0, 255), "the model brings it to 0 to 1"),
        (L.Rescaling(1 / 127.5, -1), 1, (0, 255), "the model brings it to -1 to 1"),
        (L.Rescaling(1 / 128, -1), 1, (0, 255), "the model brings it to -1 to 1"),
        (L.Rescaling(2.0, -1), 1, (0, 1), "the model brings it to -1 to 1"),
        (L.Rescaling(1 / 4095), 1, (0, 4095), "the model brings it to 0 to 1"),
        (A.vgg16.preprocess_input, 3, (0, 255), "the model subtracts a mean of (123.68, 116.78, 103.94)"),
        (A.densenet.preprocess_input, 3, (0, 255), "the model standardizes as is usual for images of this range"),
        (lambda x: ops.image.rgb_to_grayscale(x) / 255, 3, (0, 255), "the model brings it to 0 to 1"),
        (lambda x: L.Concatenate()([x, x, x]) / 127.5 - 1, 1, (0, 255), "the model brings it to -1 to 1"),
        (lambda x: L.Rescaling(1 / 255)(L.Resizing(12, 12)(x)), 3, (0, 255), "the model brings it to 0 to 1"),
        (lambda x: L.Rescaling(1 / 255)(L.ZeroPadding2D(3)(x)), 3, (0, 255), "the model brings it to 0 to 1"),
        (L.Normalization(mean=[100.0], variance=[400.0]), 1, (60, 140), "mean plus or minus 2 standard deviations"),
        (lambda x: x / 255 - 0.5, 3, (0, 255), "the model brings it to -0.5 to 0.5"),
        (L.Rescaling(255.0), 3, (0, 1), "the model brings it to 0 to 255"),
        (lambda x: A.vgg16.preprocess_input(x * 255), 3, (0, 1), "the model subtracts a mean of"),
        (lambda x: A.vgg16.preprocess_input((x + 1) * 127.5), 3, (-1, 1), "the model subtracts a mean of"),
        (lambda x: (x + 1) / 2, 3, (-1, 1), "the model brings it to 0 to 1"),
        (lambda x: 1 - x, 1, (0, 1), "the model brings it to 0 to 1"),
        (lambda x: 1 - x / 255, 1, (0, 255), "the model brings it to 0 to 1"),
        (lambda x: 255 - x, 1, (0, 255), "the model brings it to 0 to 255"),
        (lambda x: x / 127.5, 3, (0, 255), "the model brings it to 0 to 2"),
        (lambda x: x - 33.3, 1, (0, 255), "the model subtracts a mean of"),
        (L.Normalization(mean=[33.3], variance=[78.6**2]), 1, (0, 255), "as is usual for images of this range"),
        (L.Normalization(mean=[0.1307], variance=[0.3081**2]), 1, (0, 1), "as is usual for images of this range"),
        (lambda x: x * np.array([1, 1, 1, 0], np.float32) / 255, 4, (0, 255), "the model brings it to 0 to 1"),
        (lambda x: L.Concatenate()([x / 255, 1 - x / 255]), 3, (0, 255), "the model brings it to 0 to 1"),
        (lambda x: L.Concatenate()([x / 255, 0.3 * ops.ones_like(x)]), 3, (0, 255), "the model brings it to 0 to 1"),
        (L.Normalization(mean=[0.5], variance=[0.07]), 1, (0, 1), "as is usual for images of this range"),
    ],
    ids=lambda each: getattr(each, "__name__", str(each)),
)
def test_the_range_is_measured(front: Front, channels: int, limits: tuple[float, float], reason: str) -> None:
    found = _range(_network(front, channels))
    assert found.limits == pytest.approx(limits)
    assert reason in found.reason
    assert not found.is_assumed


def test_channels_may_have_ranges_of_their_own() -> None:
    """A satellite's bands: what is shown is one scale for all, or a band of small numbers would be black."""
    bands = IMAGES / 255 * [4000, 10, 1] + [1000, -5, 0]
    model = _network(_adapted(bands))
    found = _range(model)
    low, high = (np.asarray(bound) for bound in found.limits)
    np.testing.assert_allclose((low + high) / 2, [3000, 0, 0.5], rtol=0.05, atol=0.1)
    np.testing.assert_allclose((high - low) / [4000, 10, 1], 4 * 12**-0.5, rtol=0.05)
    drawn = maximize(model, "shown", verbose=0)
    spans = drawn.start.std(axis=(0, 1, 2))
    np.testing.assert_allclose(spans / (high - low), spans[0] / (high - low)[0], rtol=0.2)
    rgb = drawn.tiles().reshape(-1, 3).std(axis=0)
    assert rgb.min() > rgb.max() / 4


@pytest.mark.parametrize(
    "front",
    [lambda x: x, L.RandomFlip(), _clipped, L.Rescaling(0.0)],
    ids=["nothing", "augmentation", "clip", "times 0"],
)
def test_where_nothing_tells_it_is_said_that_it_is_assumed_and_what_changes_it(front: Front) -> None:
    found = _range(_network(front))
    assert (found.limits, found.is_assumed) == ((0, 1), True)
    assert found.describe() == (
        "The input range 0 to 1 is assumed: nothing in the model tells it. If yours is another: "
        "input_range=(low, high) in a Config, --input-range on the command line, or examples=images."
    )
    said = _range(_network(front), said=(-3.0, 3.0))
    assert (said.limits, said.is_assumed) == ((-3, 3), False)
    shown = _range(_network(front), examples=IMAGES)
    assert (shown.limits, shown.reason) == ((0, 255), f"the examples are from {IMAGES.min():g} to {IMAGES.max():g}")


def test_what_is_not_linear_is_not_taken_for_a_scale() -> None:
    found = _range(_network(ops.sqrt))
    assert (found.limits, found.is_assumed) == ((0, 1), True)
    assert found.reason == "what the model does with it first is not linear"


def test_a_batch_normalization_that_is_trained_tells_nothing() -> None:
    """What it holds changes during the training, and the pictures of a run would change with it."""
    model = _network(L.BatchNormalization())
    model.layers[1].set_weights([np.full(3, value) for value in (1.0, 0.0, 127.0, 60.0**2)])
    assert _range(model).is_assumed


def test_the_range_is_that_of_the_image_and_not_of_another_input() -> None:
    image, other = keras.Input(SHAPE, name="image"), keras.Input((3,), name="other")
    scaled = L.Dense(3)(L.Rescaling(1 / 7)(other))
    shown = L.Conv2D(4, 3)(L.Rescaling(1 / 255)(image))
    model = keras.Model([other, image], shown * ops.reshape(scaled[:, :1], (-1, 1, 1, 1)))
    found = input_range_of(image_model_of(model, other_inputs={"other": np.ones(3)}))
    assert found.limits == (0, 255)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_does_not_move_the_range(policy: str) -> None:
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        fronts: list[Front] = [L.Rescaling(1 / 255), lambda x: x / 127.5 - 1, A.densenet.preprocess_input]
        assert [_range(_network(front)).limits for front in fronts] == [(0, 255)] * 3
        assert _range(_network(lambda x: x)).is_assumed
    finally:
        keras.mixed_precision.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("images", "limits"),
    [
        (IMAGES, (0, 255)),
        (IMAGES.astype(np.uint8), (0, 255)),
        (IMAGES / 255, (0, 1)),
        (IMAGES / 127.5 - 1, (-1, 1)),
        (IMAGES / 128 - 1, (-1, 1)),
        (np.random.default_rng(0).normal(0, 1, (40, *SHAPE)), (-2, 2)),
        (np.random.default_rng(1).normal(0, 1, (40, *SHAPE)), (-2, 2)),  # a training resumed with others goes on
        (IMAGES / 255 * 16, (0, 16)),
        (IMAGES / 255 * 1.006 - 0.003, (0, 1)),
        (IMAGES > 100, (0, 1)),
    ],
    ids=[
        "0..255",
        "uint8",
        "0..1",
        "-1..1",
        "over 128",
        "standardized",
        "again",
        "0..16",
        "overshot",
        "black and white",
    ],
)
def test_examples_tell_the_range(images: Array, limits: tuple[float, float]) -> None:
    assert _range(_network(lambda x: x), examples=images).limits == pytest.approx(limits, abs=0.05)


@pytest.mark.parametrize(
    "examples",
    [
        np.zeros((2, 20, 20, 1)),
        np.zeros((0, 20, 20, 3)),
        np.zeros((20, 20, 3)),
        np.full((1, 20, 20, 3), np.nan),
        np.full((2, 20, 20, 3), 7.0),
        [np.zeros((20, 20, 3)), np.zeros((10, 20, 3))],
        np.array(["x"]),
        "images",
    ],
    ids=lambda each: str(getattr(each, "shape", each)),
)
def test_examples_that_are_no_images_of_the_model_are_refused(examples: Any) -> None:
    with pytest.raises(ConfigError, match="`examples` must be"):
        _range(_network(lambda x: x), examples=examples)


def test_bounds_by_channel_have_to_fit_the_model() -> None:
    config = Config(input_range=((0, 0, 0), (1, 2, 3)))
    assert maximize(_network(lambda x: x), "shown", 0, config=config, verbose=0).input_range == ((0, 0, 0), (1, 2, 3))
    with pytest.raises(ConfigError, match="`input_range` must have one bound for each of 1 channels"):
        maximize(_network(lambda x: x, 1), "shown", 0, config=config, verbose=0)
