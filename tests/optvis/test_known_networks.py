import inspect
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz.config import Range
from tb_filterviz.errors import ConfigError
from tb_filterviz.optvis.image_model import image_model_of
from tb_filterviz.optvis.input_range import InputRange, input_range_of

L, A = keras.layers, keras.applications

# What keras.io documents: the networks that bring pixels to a range themselves, and the others by preprocess_input.
_THEMSELVES = ("EfficientNet", "ConvNeXt", "MobileNetV3")
_MEANS = (103.939, 116.779, 123.68)
_BGR = tuple(-mean for mean in _MEANS), tuple(round(255 - mean, 3) for mean in _MEANS)
_TORCH = (-2.1179, -2.0357, -1.8044), (2.2489, 2.4286, 2.64)
_OTHERS: dict[str, Range] = {
    **dict.fromkeys(["VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152"], _BGR),
    **dict.fromkeys(["DenseNet121", "DenseNet169", "DenseNet201"], _TORCH),
}
NETWORKS = [name for name, value in vars(A).items() if inspect.isfunction(value)]
SMALL = ["MobileNetV2", "MobileNetV3Small", "VGG16", "ConvNeXtTiny"]


def _check_documented(name: str) -> None:
    side = 75 if name.startswith(("Inception", "Xception")) else 32
    options = {"weights": None, "include_top": False, "input_shape": (side, side, 3)}
    documented: Range = (0, 255) if name.startswith(_THEMSELVES) else _OTHERS.get(name, (-1, 1))
    backbone = getattr(A, name)(**options)
    found = input_range_of(image_model_of(backbone))
    np.testing.assert_allclose(found.limits[0], documented[0], rtol=1e-3)
    np.testing.assert_allclose(found.limits[1], documented[1], rtol=1e-3)
    assert not found.is_assumed
    assert found.channel_order == ("bgr" if documented == _BGR else "rgb")
    assert ("If yours is another: input_range=" in found.describe()) is not name.startswith(_THEMSELVES)
    inside = keras.Sequential([keras.Input((side, side, 3)), backbone, L.GlobalAveragePooling2D(), L.Dense(2)])
    assert input_range_of(image_model_of(inside)) == found


def _network(name: str = "vgg16", *, prepares: bool = False, reverses: bool = False) -> keras.Model:
    x = image = keras.Input((16, 16, 3))
    if reverses:
        x = x[..., ::-1]
    if prepares:
        x = A.vgg16.preprocess_input(x)
    return keras.Model(image, L.Conv2D(2, 3, name="drawn")(x), name=name)


@pytest.mark.parametrize(
    ("model", "options", "order"),
    [
        (_network(), {}, "bgr"),
        (_network("mine"), {}, "rgb"),
        (_network("mine"), {"said": _BGR}, "bgr"),
        (_network("mine"), {"said": tuple(bound[::-1] for bound in _BGR)}, "rgb"),
        (_network(), {"said": (0.0, 1.0)}, "rgb"),
        (_network(), {"said": (0.0, 1.0), "order": "bgr"}, "bgr"),
        (_network(), {"order": "rgb"}, "rgb"),
        (_network(), {"said": tuple(bound[::-1] for bound in _BGR)}, "rgb"),
        (_network(prepares=True), {}, "rgb"),
        (_network(reverses=True), {}, "rgb"),
        (_network(), {"examples": np.linspace(-100, 120, 768).reshape(1, 16, 16, 3)}, "bgr"),
        (_network(), {"examples": np.linspace(-2, 2, 768).reshape(1, 16, 16, 3)}, "rgb"),
        (_network(), {"examples": np.linspace(0, 255, 768).reshape(1, 16, 16, 3)}, "rgb"),
    ],
)
def test_blue_comes_first_where_that_is_documented_and_the_inputs_are_as_documented(
    model: keras.Model, options: dict[str, Any], order: str
) -> None:
    found = input_range_of(image_model_of(model), **options)
    assert found.channel_order == order
    assert ("blue, green, red" in found.describe()) is (order == "bgr" and "order" not in options)


def test_the_documented_range_of_a_network_behind_a_reversal_is_reversed() -> None:
    found = input_range_of(image_model_of(_network(reverses=True)))
    np.testing.assert_allclose(found.limits, [bound[::-1] for bound in _BGR], rtol=1e-3)


def test_three_channels_of_a_signal_are_no_colors() -> None:
    model = keras.Sequential([keras.Input((32, 3)), L.Conv1D(2, 3)], name="vgg16")
    assert input_range_of(image_model_of(model)).channel_order == "rgb"
    with pytest.raises(ConfigError, match="`channel_order` is of images of 3 channels"):
        input_range_of(image_model_of(model), order="bgr")


def test_gray_images_have_no_order_of_colors() -> None:
    model = keras.Sequential([keras.Input((8, 8, 1)), L.Conv2D(2, 3)])
    with pytest.raises(
        ConfigError, match=r"of 3 channels. The model takes images of \(8, 8, 1\). Received: channel_order='bgr'"
    ):
        input_range_of(image_model_of(model), order="bgr")


@pytest.mark.parametrize("name", SMALL)
def test_networks_of_keras_have_their_documented_range(name: str) -> None:
    _check_documented(name)


@pytest.mark.stress
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in SMALL])
def test_all_networks_of_keras_have_their_documented_range(name: str) -> None:
    _check_documented(name)


@pytest.mark.parametrize(
    ("name", "channels"), [("vgg16", 1), ("densenet121", 4), ("resnet50_cifar", 3), ("my_vgg16", 3)]
)
def test_a_name_alone_does_not_decide_of_another_network(name: str, channels: int) -> None:
    images = keras.Input((32, 32, channels))
    model = keras.Model(images, L.Conv2D(2, 3)(images), name=name)
    assert input_range_of(image_model_of(model)).is_assumed


def test_preprocessing_in_front_of_a_network_comes_before_its_documentation() -> None:
    backbone = A.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3))
    images = keras.Input((32, 32, 3))
    model = keras.Model(images, backbone(A.mobilenet_v2.preprocess_input(images)))
    assert input_range_of(image_model_of(model)) == InputRange((0, 255), "the model brings it to -1 to 1")
