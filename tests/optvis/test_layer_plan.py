from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import Config, ConfigError
from tb_filterviz.optvis.canvas import Box, receptive_field
from tb_filterviz.optvis.image_model import image_model_of
from tb_filterviz.optvis.input_range import input_range_of
from tb_filterviz.optvis.layer_calls import select
from tb_filterviz.optvis.layer_info import inspect_layers
from tb_filterviz.session import Session

LAYERS = keras.layers


def test_lenets_receptive_fields_are_known(lenet: keras.Model) -> None:
    first, second = select(lenet)
    assert receptive_field(image_model_of(lenet), first, 1.0) == Box(12, 12, 5, 5)
    box = receptive_field(image_model_of(lenet), second, 1.0)
    assert box is not None
    assert (box.height, box.width) == (14, 14)


class _Leaking(keras.layers.Layer):
    """Adds to each value a little of all, as much as a convolution by Fourier's transform does on a GPU."""

    def call(self, images: Any) -> Any:
        return images + 1e-7 * keras.ops.sum(images, axis=(1, 2), keepdims=True)


def test_what_leaks_by_rounding_is_not_seen() -> None:
    keras.utils.set_random_seed(0)
    convolutions = [LAYERS.Conv2D(4, 3, strides=2), LAYERS.Conv2D(4, 3, name="shown")]
    field = {}
    for name, below in {"exact": [], "leaking": [_Leaking()]}.items():
        model = keras.Sequential([keras.Input((40, 36, 3)), *below, *convolutions])
        (shown,) = select(model, "shown")
        field[name] = receptive_field(image_model_of(model), shown, 1.0)
    assert field["exact"] is not None
    assert field["exact"].sides == (7, 7)
    assert field["leaking"] == field["exact"]


def test_what_fades_away_is_seen_to_its_end() -> None:
    model = keras.Sequential([keras.Input((30, 30, 1)), *[LAYERS.Conv2D(1, 3) for _ in range(5)]])
    fading = np.outer([0.02, 1, 0.02], [0.02, 1, 0.02])[..., None, None]
    for layer in model.layers:
        layer.set_weights([fading, np.zeros(1)])
    field = receptive_field(image_model_of(model), select(model)[-1], 1.0)
    assert field is not None
    assert field.sides == (11, 11)  # its edge has 3e-9 of the influence of its centre


def test_what_is_linear_in_the_image_is_told_from_what_is_not() -> None:
    model = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            LAYERS.Rescaling(2.0, offset=-1),
            LAYERS.Conv2D(4, 3, name="linear"),
            LAYERS.BatchNormalization(),
            LAYERS.AveragePooling2D(2),
            LAYERS.Dropout(0.5),
            LAYERS.Conv2D(4, 3, name="still_linear", activation="relu"),
            LAYERS.Conv2D(4, 3, name="after_relu"),
        ]
    )
    infos = inspect_layers(image_model_of(model), select(model), 1.0).infos
    assert [each.is_affine for each in infos.values()] == [True, True, False]
    assert [(each.height, each.width, each.filters) for each in infos.values()] == [
        (14, 14, 4),
        (5, 5, 4),
        (3, 3, 4),
    ]
    image, maps = 16 * 16 * 3, 14 * 14 * 4
    pooled, small = 7 * 7 * 4, 5 * 5 * 4
    below = [2 * image, 2 * image + 2 * maps + 2 * pooled, 2 * image + 2 * maps + 2 * pooled + small]
    assert [each.numbers_below for each in infos.values()] == below


@pytest.mark.parametrize(
    ("shape", "field", "drawn"),
    [
        ((80, 80, 1), 16, "center_unit"),
        ((80, 80, 1), 17, "channel_mean"),
        ((34, 34, 1), 17, "channel_mean"),
        ((33, 80, 1), 17, "center_unit"),
        ((40, 40, 1), 32, "center_unit"),
        ((40, 40, 1), 33, "channel_mean"),
        ((60, 1), 31, "center_unit"),
        ((90, 1), 31, "channel_mean"),
    ],
)
def test_a_field_is_shown_where_it_is_small_or_its_texture_has_no_room(
    shape: tuple[int, ...], field: int, drawn: str
) -> None:
    convolution = LAYERS.Conv2D if len(shape) == 3 else LAYERS.Conv1D
    convolutions = [convolution(2, field // 2, activation="relu"), convolution(2, field - field // 2 + 1, name="drawn")]
    model = keras.Sequential([keras.Input(shape), *convolutions])
    (about,) = Session(model, layers="drawn").recipe("callback")["layers"]
    assert about["objective"] == drawn
    wanted = ["spectral_decay"] if drawn == "center_unit" else ["spectral_decay", "jitter"]
    assert [part["name"] for part in about["ascent"]["parts"]] == wanted


def test_colors_are_weighed_where_there_are_any() -> None:
    model = keras.Sequential([keras.Input((12, 12, 3)), LAYERS.Conv2D(2, 3, activation="relu"), LAYERS.Conv2D(2, 3)])
    _, about = Session(model).recipe("callback")["layers"]
    assert [part["name"] for part in about["ascent"]["parts"]] == ["spectral_decay", "color_decorrelation"]
    signals = [keras.Input((12, 3)), LAYERS.Conv1D(2, 3, activation="relu"), LAYERS.Conv1D(2, 3)]
    _, about = Session(keras.Sequential(signals)).recipe("callback")["layers"]
    assert [part["name"] for part in about["ascent"]["parts"]] == ["spectral_decay"]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_no_tile_of_a_trained_lenet_is_flat(train: Callable[[int], keras.Model], seed: int) -> None:
    model = train(seed)
    first, second = Session(model).render(step=0)
    assert (first.objective, second.objective) == ("center_unit", "center_unit")
    assert (first.tiles.shape, second.tiles.shape) == ((20, 5, 5, 1), (50, 14, 14, 1))
    assert not first.flat.any()
    assert not second.flat.any()
    assert first.responsive.all()
    for snapshot, margin in ((first, 1), (second, 3)):
        inside = snapshot.tiles[:, margin:-margin, margin:-margin].astype(float)
        assert inside.std(axis=(1, 2, 3)).min() > 4  # of 255
    kernels = model.get_layer("conv2d_1").get_weights()[0][:, :, 0]
    for index, tile in enumerate(first.tiles[..., 0]):
        assert np.corrcoef(tile.ravel(), kernels[..., index].ravel())[0, 1] > 0.999


def test_one_long_step_arrives_where_many_short_ones_do(lenet: keras.Model) -> None:
    (at_once,) = Session(lenet, layers="conv2d_1").render(0)
    (in_steps,) = Session(lenet, layers="conv2d_1", config=Config(objective="center_unit")).render(0)
    assert np.abs(at_once.tiles.astype(int) - in_steps.tiles).max() <= 1
    np.testing.assert_allclose(at_once.scores, in_steps.scores, rtol=1e-3)


def test_the_classic_preset_marks_the_first_layer_as_flat(lenet: keras.Model, classic: Config) -> None:
    first, second = Session(lenet, config=classic).render(step=0)
    assert first.flat.all()
    assert not second.flat[second.responsive].any()


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (None, (0, 1)),
        (LAYERS.Rescaling(1 / 255), (0, 255)),
        (LAYERS.Rescaling(1 / 127.5, offset=-1), (0, 255)),
        (LAYERS.Rescaling(2.0, offset=-1), (0, 1)),
        (LAYERS.Rescaling(1 / 16), (0, 16)),
    ],
)
def test_the_input_range_is_what_a_rescaling_says(layer: keras.Layer | None, expected: tuple[float, float]) -> None:
    front = [keras.Sequential([LAYERS.RandomFlip(), layer], name="front")] if layer else []
    model = keras.Sequential([keras.Input((8, 8, 1)), *front, LAYERS.Conv2D(2, 3), LAYERS.Rescaling(7.0)])
    assert input_range_of(image_model_of(model)).limits == pytest.approx(expected)


def test_a_rescaled_model_gives_the_same_pictures(lenet: keras.Model) -> None:
    scaled = keras.Sequential([keras.Input((28, 28, 1)), LAYERS.Rescaling(1 / 255), lenet], name="scaled")
    plain, rescaled = (Session(model, layers="*conv2d_1").render(0)[0] for model in (lenet, scaled))
    assert rescaled.layer == "lenet/conv2d_1"
    difference = plain.tiles.astype(int) - rescaled.tiles.astype(int)
    assert np.abs(difference).max() <= 1


def test_what_a_list_for_all_layers_names_and_a_layer_lacks_is_left_out_and_said(small_model: keras.Model) -> None:
    session = Session(small_model, config=Config(filters=[5, 2, 4, 9]))
    assert {each.layer: each.filters.tolist() for each in session.draw()} == {"conv_a": [2], "conv_b": [5, 2, 4]}
    assert session.describe()[1:] == [
        "Not drawn: filters 5, 4, 9 of conv_a. The layer has 4 filters.",
        "Not drawn: filter 9 of conv_b. The layer has 6 filters.",
    ]
    assert Session(small_model, config=Config(filters=[5])).layers == ["conv_b"]
    with pytest.raises(ConfigError, match=r"`filters` must be within 0 to 3 for layer 'conv_a'. Received: 5"):
        Session(small_model, layers="conv_a", config=Config(filters=[5]))
    with pytest.raises(ConfigError, match=r"`filters` must be within 0 to 3 for layer 'conv_a'. Received: 4"):
        Session(small_model, config=Config(filters={"conv_a": [4]}))
    with pytest.raises(ConfigError, match=r"no layer has \[70, 80\]"):
        Session(small_model, config=Config(filters=[70, 80]))
