"""Every kind of model, on whatever backend Keras runs (KERAS_BACKEND=jax, torch or tensorflow)."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import pytest
from keras import ops

from tb_filterviz import Config
from tb_filterviz.config import AscentConfig
from tb_filterviz.errors import ModelError, UnknownLayerError
from tb_filterviz.optvis import initial_images
from tb_filterviz.optvis.ascent import ascent_of
from tb_filterviz.optvis.canvas import whole_canvas
from tb_filterviz.optvis.image_model import image_model_of, leaves
from tb_filterviz.optvis.layer_calls import select
from tb_filterviz.optvis.layer_info import inspect_layers
from tb_filterviz.parts.objectives import OBJECTIVES
from tb_filterviz.recipe import draws_the_same
from tb_filterviz.session import Session
from tests.parts import own
from tests.rounding import same

L = keras.layers
Array = npt.NDArray[np.float32]


@dataclass
class Case:
    """A model, a layer, and by hand what the layer answers to images ``[n, h, w, c]``, before its activation."""

    model: keras.Model
    layer: str
    respond: Callable[[Any], Any]
    shape: tuple[int, int, int] = (12, 12, 3)
    options: dict[str, Any] = field(default_factory=dict)
    tolerance: float = 1e-4


def _linear(layer: keras.Layer) -> keras.Layer:
    """The layer without its activation, made anew."""
    copy = type(layer).from_config(layer.get_config() | {"activation": None})
    copy.build(layer.get_build_config()["input_shape"])
    copy.set_weights(layer.get_weights())
    return copy


def _chain(*layers: Any) -> Callable[[Any], Any]:
    def run(images: Any) -> Any:
        for layer in layers:
            images = layer(images)
        return images

    return run


def _single(layer: keras.Layer, *, before: tuple[keras.Layer, ...] = (), shape: Any = (12, 12, 3)) -> Case:
    stem = L.Conv2D(6, 3, activation="tanh", name="stem")
    model = keras.Sequential([keras.Input(shape), *before, stem, layer, L.GlobalAveragePooling2D(), L.Dense(2)])
    return Case(model, layer.name, _chain(*before, stem, _linear(layer)), shape)


def _nested() -> Case:
    backbone = keras.Sequential(
        [keras.Input((12, 12, 3)), L.Conv2D(4, 3, activation="elu"), L.Conv2D(5, 3, name="deep")], name="backbone"
    )
    model = keras.Sequential([keras.Input((12, 12, 3)), backbone, L.Flatten(), L.Dense(2)])
    return Case(model, "backbone/deep", _chain(*backbone.layers))


def _deeply_nested() -> Case:
    inner = keras.Sequential([keras.Input((12, 12, 3)), L.Conv2D(4, 3, activation="elu", name="conv")], name="inner")
    images = keras.Input((12, 12, 3))
    middle = keras.Model(images, L.Conv2D(5, 3, name="conv")(inner(images)), name="middle")
    model = keras.Sequential([keras.Input((12, 12, 3)), middle, L.GlobalMaxPooling2D()])
    return Case(model, "middle/conv", _chain(inner.get_layer("conv"), middle.get_layer("conv")))


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.stem = L.Conv2D(4, 3, name="stem")
        self.blocks = [[L.Conv2D(4, 3, padding="same", name=f"block{i}"), L.BatchNormalization()] for i in range(3)]
        self.drop = L.Dropout(0.5)
        self.head = {"classes": L.Dense(2, name="classes")}

    def call(self, images: Any, training: bool = False) -> Any:
        x = self.stem(images)
        for convolution, normalization in self.blocks:
            x = self.drop(ops.tanh(normalization(convolution(x), training=training)), training=training)
        return self.head["classes"](ops.mean(x, axis=(1, 2)))


def _subclassed() -> Case:
    model = Subclassed()
    model(np.zeros((1, 12, 12, 3), np.float32))
    first, second = model.blocks[:2]
    return Case(model, "block1", _chain(model.stem, *first, ops.tanh, second[0]))


def _two_inputs() -> Case:
    image, mask = keras.Input((12, 12, 3), name="image"), keras.Input((12, 12, 1), name="mask")
    stem, layer = L.Conv2D(4, 3, activation="elu"), L.Conv2D(5, 3, name="shown")
    model = keras.Model([mask, image], layer(stem(L.Multiply()([image, mask]))))
    given = np.random.default_rng(1).random((12, 12, 1)).astype(np.float32)
    return Case(
        model,
        "shown",
        lambda images: layer(stem(ops.convert_to_tensor(images * given))),
        options={"other_inputs": {"mask": given}},
    )


class Keyed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.shown = L.Conv2D(4, 3), L.Conv2D(3, 3, name="shown")

    def call(self, inputs: Any) -> Any:
        return self.shown(ops.tanh(self.conv(inputs["image"])) * inputs["gain"][:, None, None, :])


def _keyed_inputs() -> Case:
    model = Keyed()
    gain = np.array([0.5, 2.0, 1.0, -1.0], np.float32)
    model({"image": np.zeros((1, 12, 12, 3), np.float32), "gain": gain[None]})
    return Case(
        model,
        "shown",
        lambda images: model.shown(ops.tanh(model.conv(images)) * ops.convert_to_tensor(gain)),
        options={"other_inputs": {"gain": gain}},
    )


def _shared(call: int) -> Case:
    shared, stem = L.Conv2D(4, 3, padding="same", name="shared"), L.Conv2D(4, 3, activation="elu")
    image = keras.Input((12, 12, 3))
    first = shared(stem(image))
    model = keras.Model(image, L.Add()([first, shared(L.Activation("tanh")(first))]))
    if call == 1:
        return Case(model, "shared", _chain(stem, shared))
    return Case(model, "shared@2", _chain(stem, shared, ops.tanh, shared))


def _channels_first() -> Case:
    layers = [
        L.Conv2D(4, 3, activation="elu", data_format="channels_first"),
        L.Conv2D(5, 3, name="shown", data_format="channels_first"),
    ]
    model = keras.Sequential([keras.Input((3, 12, 10)), *layers])

    def respond(images: Any) -> Any:
        return ops.transpose(_chain(*layers)(ops.transpose(images, (0, 3, 1, 2))), (0, 2, 3, 1))

    return Case(model, "shown", respond, (12, 10, 3))


def _mixed(policy: str, layer: Callable[..., keras.Layer]) -> Case:
    """By hand in float32, with the same weights."""
    stem, shown = L.Conv2D(6, 3, activation="elu", dtype=policy), layer(name="shown", activation="relu", dtype=policy)
    model = keras.Sequential([keras.Input((12, 12, 3)), stem, L.BatchNormalization(dtype=policy), shown])
    layers = [L.Conv2D(6, 3, activation="elu"), L.BatchNormalization(), layer()]
    precise = keras.Sequential([keras.Input((12, 12, 3)), *layers])
    precise.set_weights(model.get_weights())
    return Case(model, "shown", _chain(*layers), tolerance=2e-2)


def _any_size() -> Case:
    layers = [L.Conv2D(4, 3, activation="elu"), L.Conv2D(5, 3, name="shown")]
    model = keras.Sequential([keras.Input((None, None, 3)), *layers])
    return Case(model, "shown", _chain(*layers), (9, 14, 3), {"image_shape": (9, 14)})


def _preprocessing() -> Case:
    normalization = L.Normalization(mean=[0.3, 0.4, 0.5], variance=[0.1, 0.2, 0.3])
    before = (L.Rescaling(2.0, offset=-1.0), normalization, L.Resizing(12, 12))
    layer = L.Conv2D(5, 3, name="shown")
    return _single(layer, before=before, shape=(20, 24, 3))


def _adapted() -> Case:
    normalization = L.Normalization()
    normalization.adapt(np.random.default_rng(3).normal(0.4, 0.3, (50, 12, 12, 3)).astype(np.float32))
    return _single(L.Conv2D(5, 3, name="shown"), before=(normalization,))


def _augmented() -> Case:
    stem, layer = L.Conv2D(4, 3, activation="elu"), L.Conv2D(5, 3, name="shown")
    augmentation = [L.RandomFlip(), L.RandomRotation(0.2), L.RandomContrast(0.2), L.GaussianNoise(0.5)]
    model = keras.Sequential([keras.Input((12, 12, 3)), *augmentation, stem, L.Dropout(0.5), layer])
    return Case(model, "shown", _chain(stem, layer))


def _dense_units() -> Case:
    layers = [L.Conv2D(4, 3, activation="elu"), L.Flatten(), L.Dense(7, activation="softmax", name="shown")]
    model = keras.Sequential([keras.Input((12, 12, 3)), *layers])
    before = _chain(*layers[:-1], _linear(layers[-1]))
    return Case(model, "shown", lambda images: before(images)[:, None, None, :])


def _after_normalization() -> Case:
    normalization = L.BatchNormalization(gamma_initializer="normal", moving_variance_initializer="ones")
    return _single(L.Conv2D(5, 3, name="shown"), before=(L.Conv2D(3, 1, padding="same"), normalization))


HALVES = ("mixed_float16", "mixed_bfloat16")
KINDS = {
    "plain": partial(L.Conv2D, 5, 3),
    "grouped": partial(L.Conv2D, 6, 3, groups=3),
    "separable": partial(L.SeparableConv2D, 5, 3),
    "depthwise": partial(L.DepthwiseConv2D, 3, depth_multiplier=2),
    "transposed": partial(L.Conv2DTranspose, 5, 3, strides=2),
}
CASES: dict[str, Callable[[], Case]] = {
    "nested": _nested,
    "deeply nested": _deeply_nested,
    "subclassed": _subclassed,
    "two inputs": _two_inputs,
    "keyed inputs": _keyed_inputs,
    "shared, first call": lambda: _shared(1),
    "shared, second call": lambda: _shared(2),
    "channels first": _channels_first,
    **{f"{name}, {policy}": partial(_mixed, policy, layer) for policy in HALVES for name, layer in KINDS.items()},
    "any size": _any_size,
    "preprocessing": _preprocessing,
    "adapted normalization": _adapted,
    "augmentation and dropout": _augmented,
    "dense units": _dense_units,
    "normalization": _after_normalization,
    "gray": lambda: _single(L.Conv2D(5, 3, name="shown"), shape=(12, 12, 1)),
    "five channels": lambda: _single(L.Conv2D(5, 3, name="shown"), shape=(12, 12, 5)),
    "fused relu": lambda: _single(L.Conv2D(5, 3, activation="relu", name="shown")),
    "fused sigmoid": lambda: _single(L.Conv2D(5, 3, activation="sigmoid", name="shown")),
    "strides": lambda: _single(L.Conv2D(5, (3, 2), strides=(2, 1), padding="same", name="shown")),
    "dilated": lambda: _single(L.Conv2D(5, 3, dilation_rate=2, name="shown")),
    "grouped": lambda: _single(L.Conv2D(6, 3, groups=3, name="shown")),
    "separable": lambda: _single(L.SeparableConv2D(5, 3, activation="relu", name="shown")),
    "depthwise": lambda: _single(L.DepthwiseConv2D(3, depth_multiplier=2, activation="relu", name="shown")),
    "transposed": lambda: _single(L.Conv2DTranspose(5, 3, strides=2, activation="relu", name="shown")),
}

CONFIG = AscentConfig(steps=6, parts=()).suiting("field", is_colored=False)


def _state(model: keras.Model) -> list[object]:
    """All of a model that a user can see."""
    layers = list(model._flatten_layers())
    return [
        [keras.ops.convert_to_numpy(variable).tobytes() for variable in model.variables],
        [(layer.name, layer.trainable, layer.built, sorted(vars(layer)), len(layer.losses)) for layer in layers],
        [getattr(layer, "activation", None) for layer in layers],
        ["call" in vars(layer) for layer in layers],
        model.compiled,
        [metric.name for metric in model.metrics],
        len(model.losses),
    ]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "objective", ["channel_mean", "center_unit", pytest.param("own_contrast", marks=pytest.mark.slow)]
)
def test_the_score_is_that_of_an_independent_forward_pass(name: str, objective: str) -> None:
    keras.utils.set_random_seed(1)
    case = CASES[name]()
    case.model.compile("sgd", "mse")
    image_model = image_model_of(case.model, **case.options)
    assert image_model.shape == case.shape
    (layer_call,) = select(case.model, case.layer)
    info = inspect_layers(image_model, [layer_call], 1.0).infos[layer_call.path]
    filters = np.arange(info.filters, dtype=np.int32)
    place, gray, noise = layer_call.position, CONFIG.gray, CONFIG.noise
    begin = initial_images.gray_noise(
        filters, image_model.shape, (0.0, 1.0), gray=gray, noise=noise, seed=0, position=place
    )
    expected_at_start = _score(case.respond(begin), objective, filters)
    before = _state(case.model)
    climbing = ascent_of(
        whole_canvas(image_model, info),
        layer_call,
        OBJECTIVES.get(objective, own.contrast),
        batch=len(filters) + 1,  # more than there are
        step_length=CONFIG.step_size / 255,
        config=CONFIG,
    )
    climbed = climbing.climb(begin, filters)
    expected = _score(case.respond(climbed.images), objective, filters)
    largest = np.abs(expected).max()
    np.testing.assert_allclose(climbed.scores[-1], expected, rtol=case.tolerance, atol=case.tolerance * largest)
    np.testing.assert_allclose(climbed.scores[0], expected_at_start, rtol=case.tolerance, atol=case.tolerance * largest)
    assert np.isfinite(climbed.images).all()
    assert (climbed.scores[-1] > climbed.scores[0]).mean() > 0.9
    assert _state(case.model) == before


def _score(response: Any, objective: str, filters: npt.NDArray[np.int32]) -> Array:
    response = ops.convert_to_numpy(ops.cast(response, "float32"))
    channel = response[np.arange(len(filters)), :, :, filters]
    if objective == "channel_mean":
        return np.asarray(channel.mean(axis=(1, 2)))
    if objective == "own_contrast":
        means = response.mean(axis=(1, 2))
        others = (means.sum(axis=1) - means[np.arange(len(filters)), filters]) / (means.shape[1] - 1)
        return np.asarray(channel.mean(axis=(1, 2)) - others)
    return np.asarray(channel[:, channel.shape[1] // 2, channel.shape[2] // 2])


@pytest.mark.parametrize("name", CASES)
def test_a_session_draws_it_with_the_weights_of_now(name: str) -> None:
    keras.utils.set_random_seed(1)
    case = CASES[name]()
    # The range is said: weights of all layers change here, also of those that would tell it.
    config = Config(ascent=CONFIG, image_shape=case.options.get("image_shape"), input_range=(0.0, 1.0))
    others = case.options.get("other_inputs")
    session = Session(case.model, layers=case.layer, config=config, other_inputs=others)
    (first,) = session.draw()
    (again,) = session.draw()
    assert same(first.tiles, again.tiles)
    case.model.set_weights([weights * 1.3 for weights in case.model.get_weights()])
    for layer in case.model._flatten_layers():  # as loading weights does
        if isinstance(layer, L.Normalization):
            layer.finalize_state()
    (changed,) = session.draw()
    assert not np.allclose(first.scores, changed.scores)
    another = Session(case.model, layers=case.layer, config=config, other_inputs=others)
    (fresh,) = another.draw()
    assert draws_the_same(json.loads(json.dumps(session.recipe("callback"))), another.recipe("logger"))
    np.testing.assert_allclose(changed.scores, fresh.scores, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_shown_is_said() -> None:
    two = _two_inputs().model
    with pytest.raises(ModelError, match=r"it has the inputs mask, image\. Give all but the image as other_inputs"):
        image_model_of(two)
    with pytest.raises(ModelError, match=r"has no input 'masque'\. Its inputs: mask, image\."):
        image_model_of(two, other_inputs={"masque": 1})
    any_size = _any_size().model
    with pytest.raises(ModelError, match=r"takes images of any size, \(None, None, 3\)\. Say which to draw"):
        image_model_of(any_size)
    with pytest.raises(ModelError, match=r"takes images of \(None, None, 3\)\. Received: image_shape=\(8, 8, 1\)"):
        image_model_of(any_size, image_shape=(8, 8, 1))
    shared = _shared(2).model
    with pytest.raises(ModelError, match="calls its layer 'shared' 2 times, so there is no 'shared@3'"):
        Session(shared, layers="shared@3")
    integers = keras.Sequential([keras.Input((8, 8, 3), dtype="uint8"), L.Rescaling(1 / 255), L.Conv2D(2, 3)])
    with pytest.raises(ModelError, match="takes images of uint8, through which no gradient can pass"):
        image_model_of(integers)
    volumes = keras.Sequential([keras.Input((8, 8, 1)), L.Reshape((4, 4, 4, 1)), L.Conv3D(2, 2, name="volume")])
    with pytest.raises(ModelError, match=r"Layer 'volume' \(Conv3D\) puts out .*can be shown"):
        Session(volumes, layers="volume")
    with pytest.raises(UnknownLayerError, match="has no layer 'shownn'.*Did you mean 'shown'"):
        Session(any_size, layers="shownn", config=Config(image_shape=(8, 8)))


class _Failing(keras.layers.Layer):
    """Works as long as nothing is computed, as a layer does for which there is no memory, or no kernel."""

    def call(self, inputs: Any) -> Any:
        if not keras.backend.is_keras_tensor(inputs):
            raise MemoryError("no room for this")
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


def test_a_forward_pass_that_fails_is_said_of_the_innermost_layer() -> None:
    images = keras.Input((8, 8, 1))
    backbone = keras.Model(images, _Failing(name="full")(images), name="backbone")
    model = keras.Sequential([keras.Input((8, 8, 1)), backbone, L.Conv2D(2, 3)], name="whole")
    before = [layer.call for _, layer in leaves(model)]
    said = (
        r"Model 'whole' cannot be run on an image of \(8, 8, 1\), in layer 'backbone/full' \(_Failing\): "
        r"MemoryError: .*no room for this"
    )
    with pytest.raises(ModelError, match=said):
        Session(model)
    assert [layer.call for _, layer in leaves(model)] == before


def test_a_gradient_that_fails_is_said_of_the_layer_that_is_drawn() -> None:
    class Once(keras.layers.Layer):
        passes_left = 100

        def call(self, inputs: Any) -> Any:
            Once.passes_left -= 1
            if Once.passes_left < 0:
                raise RuntimeError("no gradient of this")
            return inputs

    model = keras.Sequential([keras.Input((8, 8, 1)), Once(), L.Conv2D(2, 3, name="behind")])
    Once.passes_left = 1  # the first only looks
    with pytest.raises(ModelError, match=r"Layer 'behind' \(Conv2D\) cannot be drawn: RuntimeError: .*no gradient"):
        Session(model, config=Config(input_range=(0.0, 1.0)))
