"""What weights a model is left with: those of the file, or its own."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_filterviz.checkpoints.loading import load_weights
from tb_filterviz.checkpoints.weights import assign_all
from tb_filterviz.errors import CheckpointError

IMAGES = np.random.default_rng(0).random((2, 6, 6, 1)).astype(np.float32)


class _Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.normalization, self.convolution = keras.layers.Normalization(), keras.layers.Conv2D(2, 3)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return self.convolution(self.normalization(images))


def _normalization(model: keras.Model) -> keras.layers.Normalization:
    return next(layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.Normalization))


def _normalizing(kind: str, scale: float) -> keras.Model:
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Normalization(), keras.layers.Conv2D(2, 3)]
    if kind == "subclassed":
        model: keras.Model = _Subclassed()
    elif kind == "nested":
        inner = keras.Sequential([keras.Input((6, 6, 1)), *layers])
        model = keras.Sequential([keras.Input((6, 6, 1)), inner, keras.layers.ReLU()])
    else:
        model = keras.Sequential([keras.Input((6, 6, 1)), *layers])
    _normalization(model).adapt(np.random.default_rng(2).random((8, 6, 6, 1)) * scale)
    model(IMAGES)
    return model


NORMALIZING = ["flat", "nested", "subclassed"]


@pytest.mark.parametrize("kind", NORMALIZING)
def test_a_normalization_is_what_the_checkpoint_says(tmp_path: Path, kind: str) -> None:
    saved = _normalizing(kind, 100.0)
    saved.save_weights(tmp_path / "saved.weights.h5")
    tf.train.Checkpoint(model=saved).write(str(tmp_path / "saved"))
    for file in ("saved", "saved.weights.h5"):
        other = _normalizing(kind, 1.0)
        load_weights(other, tmp_path / file)
        np.testing.assert_allclose(other(IMAGES), saved(IMAGES))


@pytest.mark.parametrize("kind", NORMALIZING)
def test_a_normalization_is_as_before_if_a_load_is_refused(tmp_path: Path, kind: str) -> None:
    wider = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Normalization(), keras.layers.Conv2D(3, 3)])
    wider.save_weights(tmp_path / "saved.weights.h5")
    tf.train.Checkpoint(model=wider).write(str(tmp_path / "saved"))
    model = _normalizing(kind, 10.0)
    before = model(IMAGES)
    for file in ("saved", "saved.weights.h5"):
        with pytest.raises(CheckpointError, match="do not fit"):
            load_weights(model, tmp_path / file)
        np.testing.assert_array_equal(model(IMAGES), before)


def test_assigned_values_take_effect() -> None:
    model, other = _normalizing("nested", 3.0), _normalizing("nested", 50.0)
    assign_all(model, other.get_weights())
    np.testing.assert_array_equal(model(IMAGES), other(IMAGES))


def test_a_model_without_weights_yet_is_refused(tmp_path: Path) -> None:
    saved = _normalizing("subclassed", 1.0)
    saved.save_weights(tmp_path / "saved.weights.h5")
    tf.train.Checkpoint(model=saved).write(str(tmp_path / "saved"))
    for file in ("saved", "saved.weights.h5"):
        with pytest.raises(CheckpointError, match="is not built; call it once on an image"):
            load_weights(_Subclassed(), tmp_path / file)


class _Adversarial(keras.Model):
    """With optimizers, and a compiled part, of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.critic = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(2, 3)])
        self.forger = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)])
        self.tracker = keras.metrics.Mean()
        self.built = True

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return self.critic(images)

    def compile_parts(self) -> None:
        self.critic.compile("adam", "mse")
        self.critic.fit(IMAGES, np.zeros((2, 4, 4, 2)), verbose=0)
        self.critic_optimizer = keras.optimizers.Adam()
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.9)
        self.optimizers = {"forger": keras.optimizers.SGD(schedule, momentum=0.9)}
        self.critic_optimizer.build(self.critic.trainable_variables)
        self.optimizers["forger"].build(self.forger.trainable_variables)


def test_the_states_of_any_optimizers_are_left_out(tmp_path: Path) -> None:
    saved = _Adversarial()
    saved.compile_parts()
    saved.save_weights(tmp_path / "with.weights.h5")
    saved.save(tmp_path / "with.keras")
    _Adversarial().save_weights(tmp_path / "without.weights.h5")
    for file in ("with.weights.h5", "with.keras"):
        for is_compiled in (False, True):
            model = _Adversarial()
            if is_compiled:
                model.compile_parts()
                model.critic_optimizer.iterations.assign(7)
            assert load_weights(model, tmp_path / file) == 4
            assert all(map(np.array_equal, model.get_weights(), saved.get_weights()))
            assert not is_compiled or model.critic_optimizer.iterations == 7
            assert load_weights(model, tmp_path / "without.weights.h5") == 4


class _OddNames(keras.Model):
    def __init__(self, *, is_whole: bool) -> None:
        super().__init__()
        self.body = keras.layers.Conv2D(2, 3)
        if is_whole:
            self._loss_tracker = keras.layers.Conv2D(2, 3)
            self.optimizer = keras.layers.Dense(2)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        images = self.body(images)
        return self.optimizer(self._loss_tracker(images)) if hasattr(self, "_loss_tracker") else images


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_layers_named_like_optimizers_and_metrics_are_layers(tmp_path: Path) -> None:
    def named(*names: str) -> keras.Model:
        return keras.Sequential([keras.Input((6, 6, 1)), *(keras.layers.Conv2D(1, 1, name=name) for name in names)])

    for suffix in (".weights.h5", ".h5", ".keras"):
        path = tmp_path / f"saved{suffix}"
        saved = named("first", "metrics", "optimizer")
        saved.save_weights(path) if suffix == ".weights.h5" else saved.save(path)
        assert load_weights(named("first", "metrics", "optimizer"), path) == 6
        with pytest.raises(CheckpointError, match="do not fit"):
            load_weights(named("first"), path)
    whole = _OddNames(is_whole=True)
    whole(IMAGES)
    whole.save_weights(tmp_path / "odd.weights.h5")
    other = _OddNames(is_whole=True)
    other(IMAGES)
    assert load_weights(other, tmp_path / "odd.weights.h5") == 6
    np.testing.assert_array_equal(other(IMAGES), whole(IMAGES))


class _Counting(keras.layers.Layer):
    def __init__(self, *, keeps: bool) -> None:
        super().__init__()
        self.keeps = keeps
        self.seen = self.add_weight(shape=(2,), dtype="int32", initializer="zeros", trainable=False)

    def call(self, images: tf.Tensor) -> tf.Tensor:
        return images

    def load_own_variables(self, store: dict[str, np.ndarray]) -> None:
        if self.keeps:
            super().load_own_variables(store)


def test_whole_numbers_have_to_be_set_as_well(tmp_path: Path) -> None:
    def counting(*, keeps: bool) -> keras.Model:
        return keras.Sequential([keras.Input((6, 6, 1)), keras.layers.Conv2D(1, 1), _Counting(keeps=keeps)])

    saved = counting(keeps=True)
    saved.layers[-1].seen.assign([61, 3])
    saved.save_weights(tmp_path / "saved.weights.h5")
    other = counting(keeps=True)
    assert load_weights(other, tmp_path / "saved.weights.h5") == 3
    np.testing.assert_array_equal(other.layers[-1].seen, [61, 3])
    with pytest.raises(CheckpointError, match="they set 2 of its 3 arrays"):
        load_weights(counting(keeps=False), tmp_path / "saved.weights.h5")
