"""A picture that climbs on a part of the image is the one that climbs on the whole."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from tb_filterviz import Config, maximize
from tb_filterviz.config import AscentConfig
from tb_filterviz.optvis import canvas as canvases
from tb_filterviz.optvis import initial_images, weight_overrides
from tb_filterviz.optvis.ascent import ascent_of
from tb_filterviz.optvis.canvas import Box, Canvas, field_canvas, infos_at_sizes, receptive_field, texture_canvas
from tb_filterviz.optvis.image_model import ImageModel, image_model_of
from tb_filterviz.optvis.layer_calls import LayerCall, select
from tb_filterviz.optvis.layer_info import LayerInfo, inspect_layers
from tb_filterviz.optvis.layer_plan import plan_layers
from tb_filterviz.parts.objectives import center_unit
from tb_filterviz.parts.tones import to_uint8

L = keras.layers
GRAY = 128 / 255


def _convolutions(size: int, *layers: keras.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((size, size, 3)), *layers, L.Conv2D(6, 3, name="drawn"), L.Flatten()])


def _dilated() -> keras.Model:
    return _convolutions(48, L.Conv2D(8, 3, dilation_rate=2, activation="relu"), L.Conv2D(8, 3, dilation_rate=3))


def _strided(size: int, stride: int, padding: str) -> keras.Model:
    options = {"strides": stride, "padding": padding, "activation": "relu"}
    return _convolutions(size, L.Conv2D(8, 3, **options), L.MaxPooling2D(2, padding=padding), L.Conv2D(8, 3))


def _different_strides() -> keras.Model:
    return _convolutions(60, L.Conv2D(8, 3, strides=(1, 3), activation="relu"), L.AveragePooling2D((4, 1)))


def _decoder() -> keras.Model:
    down = [L.Conv2D(8, 3, strides=2, padding="same", activation="relu") for _ in range(2)]
    up = [L.Conv2DTranspose(8, 4, strides=2, padding="same"), L.ReLU(), L.UpSampling2D(2), L.BatchNormalization()]
    return _convolutions(64, *down, *up)


def _mixed() -> keras.Model:
    return _convolutions(40, L.Conv2D(8, 5, activation="gelu", dtype="mixed_float16"), L.MaxPooling2D(2))


def _nested() -> keras.Model:
    inner = keras.Sequential([keras.Input((40, 40, 3)), L.DepthwiseConv2D(3), L.SeparableConv2D(8, 3), L.ReLU()])
    image = keras.Input((40, 40, 3))
    wide = L.Conv2D(8, 5, padding="same")(inner(image))
    return keras.Model(image, L.Conv2D(6, 3, name="drawn")(L.Add()([wide, L.Conv2D(8, 1)(wide)])))


class Written(keras.Model):
    """A subclassed one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = L.Conv2D(8, 3, strides=2, activation="relu")
        self.drawn = L.Conv2D(6, 3, name="drawn")

    def call(self, images: object) -> object:
        return self.drawn(self.first(images))


def _subclassed() -> keras.Model:
    model = Written()
    model(np.zeros((1, 40, 40, 3), np.float32))
    return model


def _excited() -> keras.Model:
    image = keras.Input((40, 40, 3))
    maps = L.Conv2D(8, 3, activation="relu")(image)
    gate = L.Dense(8, activation="sigmoid")(L.GlobalAveragePooling2D(keepdims=True)(maps))
    return keras.Model(image, L.Conv2D(6, 3, name="drawn")(L.Multiply()([maps, gate])))


def _normalized() -> keras.Model:
    return _convolutions(40, L.Conv2D(8, 3), L.GroupNormalization(2), L.ReLU())


def _of_one_size() -> keras.Model:
    image = keras.Input((40, 40, 3))
    rows = L.Reshape((40 * 40, 3))(image)
    return keras.Model(image, L.Conv2D(6, 3, name="drawn")(L.Conv2D(8, 3)(L.Reshape((40, 40, 3))(rows))))


def _application(name: str) -> Callable[[], keras.Model]:
    def make() -> keras.Model:
        return getattr(keras.applications, name)(weights=None, include_top=False, input_shape=(128, 128, 3))

    return make


ON_A_PART: dict[str, tuple[Callable[[], keras.Model], str]] = {
    "dilated": (_dilated, "drawn"),
    "stride 2, valid": (lambda: _strided(64, 2, "valid"), "drawn"),
    "stride 2, same": (lambda: _strided(64, 2, "same"), "drawn"),
    "stride 2, same, odd": (lambda: _strided(75, 2, "same"), "drawn"),
    "stride 3, valid": (lambda: _strided(90, 3, "valid"), "drawn"),
    "stride 3, same": (lambda: _strided(92, 3, "same"), "drawn"),
    "different strides": (_different_strides, "drawn"),
    "decoder": (_decoder, "drawn"),
    "mixed precision": (_mixed, "drawn"),
    "nested": (_nested, "drawn"),
    "subclassed": (_subclassed, "drawn"),
    "VGG16": (_application("VGG16"), "block2_conv2"),
    "ResNet50": (_application("ResNet50"), "conv2_block2_2_conv"),
    "MobileNetV2": (_application("MobileNetV2"), "block_2_project"),
}
LARGE = {"VGG16", "ResNet50", "MobileNetV2"}
ON_THE_WHOLE = {"squeeze and excitation": _excited, "group normalization": _normalized, "one size": _of_one_size}


def _seen(model: keras.Model, layer: str) -> tuple[ImageModel, LayerCall, LayerInfo, Box, Canvas]:
    image_model = image_model_of(model)
    (layer_call,) = select(model, layer)
    with weight_overrides.given(weight_overrides.typical(model)):
        info = inspect_layers(image_model, [layer_call], 1.0).infos[layer_call.path]
        field = receptive_field(image_model, layer_call, 1.0)
        assert field is not None
        return (
            image_model,
            layer_call,
            info,
            field,
            field_canvas(image_model, layer_call, info, field, span=1.0, gray=GRAY),
        )


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else []) for name in ON_A_PART]
)
def test_a_receptive_field_alone_gives_the_picture_of_the_whole_image(name: str) -> None:
    keras.utils.set_random_seed(5)
    make, layer = ON_A_PART[name]
    image_model, layer_call, info, field, canvas = _seen(make(), layer)
    assert canvas.window.shape[0] * canvas.window.shape[1] < image_model.shape[0] * image_model.shape[1]
    config = AscentConfig(steps=6).suiting("field", is_colored=True)
    filters = np.arange(4, dtype=np.int32)
    start = initial_images.gray_noise(filters, canvas.model.shape, (0.0, 1.0), gray=128, noise=20, seed=0, position=0)
    general = Canvas(field, canvases._surrounded(image_model, field, GRAY), image_model, info)
    pictures, scores = [], []
    for each in (canvas, general):
        climbed = ascent_of(each, layer_call, center_unit, batch=4, step_length=0.03, config=config).climb(
            start, filters
        )
        pictures.append(to_uint8(climbed.images, 0.2).astype(int))
        scores.append(climbed.scores)
    assert pictures[0].std() > 20
    tolerance = 1e-4 if name != "mixed precision" else 1e-2
    np.testing.assert_allclose(scores[0], scores[1], rtol=tolerance, atol=tolerance * np.abs(scores[1]).max())
    assert np.abs(pictures[0] - pictures[1]).max() <= (1 if name != "mixed precision" else 16)


@pytest.mark.parametrize("name", ON_THE_WHOLE)
def test_where_a_layer_below_looks_at_the_whole_image_it_is_run_on_that(name: str) -> None:
    keras.utils.set_random_seed(5)
    image_model, layer_call, info, field, canvas = _seen(ON_THE_WHOLE[name](), "drawn")
    assert canvas.window is image_model
    assert canvas.info == info
    found = maximize(image_model.model, layer_call.path, [1, 2], verbose=0)
    assert found.tiles().shape[1:3] == field.sides
    assert (found.scores[-1] > found.scores[0]).all()


def test_a_texture_is_drawn_on_as_much_as_it_needs() -> None:
    model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(224, 224, 3))
    image_model = image_model_of(model)
    layers = ["block3_conv1", "block3_conv3", "block5_conv3"]
    planned, _ = plan_layers(image_model, select(model, layers), (0.0, 255.0), Config())
    drawn = {layer_call.path: (plan.objective.name, plan.canvas.place.sides) for layer_call, _, plan in planned}
    assert drawn == {
        "block3_conv1": ("channel_mean", (64, 64)),
        "block3_conv3": ("channel_mean", (96, 96)),
        "block5_conv3": ("channel_mean", (96, 96)),
    }
    for layer_call, info, plan in planned:
        assert info.filters == plan.canvas.info.filters == layer_call.layer.filters


@pytest.mark.parametrize(
    ("length", "canvas_px", "drawn"),
    [(400, 20, 400), (2000, 20, 400 - 400 % 32 + 2000 % 32), (1000, 96, 1000), (16000, 96, 1024)],
)
def test_a_texture_of_a_signal_is_as_long_as_an_image_has_pixels_to_a_limit(
    length: int, canvas_px: int, drawn: int
) -> None:
    layers = [L.Conv1D(4, 9, activation="relu"), L.Conv1D(3, 9, name="drawn"), L.GlobalAveragePooling1D()]
    model = keras.Sequential([keras.Input((length, 1)), *layers])
    config = Config(small_field_px=8, ascent=AscentConfig(canvas_px=canvas_px, steps=2))
    assert maximize(model, "drawn", config=config, verbose=0).place.sides == (1, drawn)


def test_a_model_of_one_size_draws_textures_on_the_whole_image() -> None:
    model = _of_one_size()
    image_model = image_model_of(model)
    (layer_call,) = select(model, "drawn")
    info = inspect_layers(image_model, [layer_call], 1.0).infos["drawn"]
    assert texture_canvas(
        image_model, layer_call, info, 8, infos_at_sizes(image_model, [layer_call], 1.0)
    ).place == Box(0, 0, 40, 40)
