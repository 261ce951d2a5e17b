"""Which models the callback draws: parts of them, those that a batch builds, those of signals; and which it refuses."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import FilterLogger, FilterVisualizer, MemorySink, draw, maximize
from tb_filterviz.errors import ModelError, NoConvolutionError, UnknownLayerError, VisualizationWarning
from tests.event_reader import steps

L, ops = keras.layers, keras.ops
Fit = Callable[..., Any]


def _critic(name: str = "critic", *, is_built: bool = True) -> keras.Sequential:
    first = [keras.Input((12, 12, 1))] if is_built else []
    return keras.Sequential([*first, L.Conv2D(4, 3, name="d1"), L.Flatten(), L.Dense(1)], name=name)


class Gan(keras.Model):
    """As the GANs of keras.io are made: two models, a step of its own, no call."""

    def __init__(self, *, is_built: bool = True) -> None:
        super().__init__()
        self.critic = _critic("discriminator", is_built=is_built)
        self.generator = keras.Sequential(
            [keras.Input((5,)), L.Dense(144), L.Reshape((12, 12, 1)), L.Conv2DTranspose(1, 3, padding="same")]
        )

    def train_step(self, data: Any) -> dict[str, Any]:
        import tensorflow as tf

        images = data[0]
        with tf.GradientTape() as tape:
            made = self.generator(ops.ones((ops.shape(images)[0], 5)))
            loss = ops.mean(self.critic(made)) - ops.mean(self.critic(images))
        weights = self.critic.trainable_variables
        self.optimizer.apply(tape.gradient(loss, weights), weights)
        return {"loss": loss}


def _gan(**options: Any) -> Gan:
    model = Gan(**options)
    model.compile(keras.optimizers.Adam(0.01))
    return model


@pytest.mark.parametrize("part", ["critic", "discriminator", "object"])
def test_a_part_of_a_model_without_call_is_drawn(tmp_path: Path, fit: Fit, part: str) -> None:
    model, memory = _gan(), MemorySink()
    fit(model, FilterVisualizer(tmp_path, part=model.critic if part == "object" else part, sinks=[memory]), epochs=2)
    assert steps(tmp_path / "filters", "filters/d1") == [-1, 0, 1]
    (drawn,) = draw(model.critic, verbose=0)
    assert np.array_equal(memory.snapshots[-1].tiles, drawn.tiles)
    assert not np.array_equal(memory.snapshots[0].tiles, drawn.tiles)


def test_without_a_part_it_is_said_which_there_are_and_these_work(tmp_path: Path, fit: Fit) -> None:
    model = _gan()
    with pytest.raises(ModelError) as caught:
        fit(model, FilterVisualizer(tmp_path))
    assert "has no call(), so it cannot be drawn as a whole." in str(caught.value)
    assert "one of part='critic', part='generator'." in str(caught.value)
    with pytest.raises(ModelError, match="has no part 'critics'. Parts of it can: .* part='critic'"):
        fit(model, FilterVisualizer(tmp_path, part="critics"))
    assert not (tmp_path / "filters").exists()
    fit(model, FilterVisualizer(tmp_path, part="critic"), epochs=1)
    assert steps(tmp_path / "filters", "filters/d1") == [-1, 0]


def test_a_part_that_takes_no_images_is_refused_with_what_it_takes(tmp_path: Path, fit: Fit) -> None:
    with pytest.raises(ModelError, match="no picture can be drawn of anything else. It takes: .None, 5."):
        fit(_gan(), FilterVisualizer(tmp_path, part="generator"))


def test_a_part_that_a_batch_builds_is_drawn_from_then_on(tmp_path: Path, fit: Fit) -> None:
    fit(_gan(is_built=False), FilterVisualizer(tmp_path, part="critic"), epochs=2)
    assert steps(tmp_path / "filters", "filters/d1") == [0, 1]


def test_a_model_without_call_and_without_parts_is_refused(tmp_path: Path, fit: Fit) -> None:
    class Nothing(keras.Model):
        def train_step(self, data: Any) -> dict[str, Any]:  # noqa: ARG002
            return {}

    model = Nothing()
    model.compile()
    with pytest.raises(ModelError, match="It holds no other model that could be drawn."):
        fit(model, FilterVisualizer(tmp_path))


class Quickstart(keras.Model):
    """Subclassing as TensorFlow's quickstart for experts teaches it: built by the first batch."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = L.Conv2D(6, 3, activation="relu", name="conv")
        self.flatten = L.Flatten()
        self.dense = L.Dense(10, activation="softmax")

    def call(self, images: Any) -> Any:
        return self.dense(self.flatten(self.conv(images)))


def _quickstart() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = Quickstart()
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_a_model_that_its_first_batch_builds_is_drawn_from_its_first_epoch_on(
    tmp_path: Path, fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    model, memory = _quickstart(), MemorySink()
    visualizer = FilterVisualizer(tmp_path, sinks=[memory], verbose=1)
    fit(model, visualizer)
    said = capsys.readouterr().out
    assert said.count("is built by its first batch, so filters are drawn from the end of the first epoch on") == 1
    assert "6 filters of 1 layer" in said
    assert steps(tmp_path / "filters", "filters/conv") == [0, 1, 2]
    (drawn,) = draw(model, verbose=0)
    assert np.array_equal(memory.snapshots[-1].tiles, drawn.tiles)
    fit(model, visualizer, epochs=5, initial_epoch=3)
    assert steps(tmp_path / "filters", "filters/conv") == [0, 1, 2, 3, 4]


@pytest.mark.slow
def test_it_trains_to_the_same_weights(tmp_path: Path, fit: Fit) -> None:
    plain, shown = _quickstart(), _quickstart()
    fit(plain)
    fit(shown, FilterVisualizer(tmp_path))
    assert all(np.array_equal(a, b) for a, b in zip(plain.get_weights(), shown.get_weights(), strict=True))


def test_so_is_one_of_which_batches_are_drawn(tmp_path: Path, fit: Fit) -> None:
    fit(_quickstart(), FilterVisualizer(tmp_path, update_freq=3), epochs=4)
    assert steps(tmp_path / "filters", "filters/conv") == [3, 6, 8]


def test_what_cannot_be_drawn_once_it_is_built_warns_and_training_goes_on(tmp_path: Path, fit: Fit) -> None:
    with pytest.warns(VisualizationWarning, match="No picture of the filters at step 0: UnknownLayerError"):
        history = fit(_quickstart(), FilterVisualizer(tmp_path, "nothing"))
    assert len(history.history["loss"]) == 3
    with pytest.raises(UnknownLayerError, match="has no layer 'nothing'. Its convolutional layers: conv."):
        fit(_quickstart(), FilterVisualizer(tmp_path, "nothing", on_error="raise"))


class Auxiliary(keras.Model):
    """Has a head that only trains."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.head = L.Conv2D(4, 3, name="used"), L.Conv2D(10, 10, name="head")
        self.aux = L.Conv2D(10, 10, name="aux")

    def build(self, shape: Any) -> None:
        self.used.build(shape)
        for head in (self.head, self.aux):
            head.build((None, 10, 10, 4))
        self.built = True

    def call(self, images: Any, training: bool = False) -> Any:
        maps = self.used(images)
        found = ops.reshape(self.head(maps), (-1, 10))
        return found + ops.reshape(self.aux(maps), (-1, 10)) if training else found


def test_a_layer_that_inference_never_calls_is_left_out_and_said_once(
    tmp_path: Path, fit: Fit, capsys: pytest.CaptureFixture[str]
) -> None:
    model = Auxiliary()
    model.build((None, 12, 12, 1))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for layers in (None, "*"):
        fit(model, FilterVisualizer(tmp_path / str(layers).strip("*"), layers, verbose=1), epochs=2)
        said = capsys.readouterr().out
        assert said.count("Not drawn: aux. ") == 1
        assert f"model {model.name!r} never calls its layer 'aux' in inference" in said
    folder = tmp_path / "None" / "filters"
    assert steps(folder, "filters/used") == steps(folder, "filters/head") == [-1, 0, 1]
    for named in ("aux", ["used", "aux"]):
        with pytest.raises(ModelError, match="never calls its layer 'aux' in inference, so there is nothing to draw"):
            fit(model, FilterVisualizer(tmp_path / "named", named))
    fit(model, FilterVisualizer(tmp_path / "named", "used"), epochs=1)
    assert steps(tmp_path / "named" / "filters", "filters/used") == [-1, 0]


def test_layers_may_be_given_themselves(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    second = small_model.get_layer("conv_b")
    fit(small_model, FilterVisualizer(tmp_path / "one", second), epochs=1)
    fit(small_model, FilterVisualizer(tmp_path / "list", [second, "conv_a"]), epochs=1)
    assert steps(tmp_path / "one" / "filters", "filters/conv_b") == [-1, 0]
    with pytest.raises(KeyError):
        steps(tmp_path / "one" / "filters", "filters/conv_a")
    assert steps(tmp_path / "list" / "filters", "filters/conv_a") == [-1, 0]


def test_signals_are_drawn_as_bands(tmp_path: Path) -> None:
    """Of filters that look for one frequency each, by its spectrum."""
    rng, time = np.random.default_rng(0), np.arange(128)
    frequencies = np.array([4, 10, 20])
    kernels = np.cos(2 * np.pi * np.arange(33)[:, None, None] * frequencies / 128).astype(np.float32)
    model = keras.Sequential(
        [
            keras.Input((128, 1)),
            L.Conv1D(3, 33, activation="relu", padding="same", name="waves"),
            L.Conv1D(3, 1, activation="relu", name="mixed"),
            L.GlobalAveragePooling1D(),
            L.Dense(3, activation="softmax"),
        ]
    )
    model.get_layer("waves").set_weights([kernels, np.zeros(3, np.float32)])
    model.get_layer("mixed").set_weights([np.eye(3, dtype=np.float32)[None], np.zeros(3, np.float32)])
    labels = rng.integers(0, 3, 64)
    signals = np.cos(2 * np.pi * (time * frequencies[labels][:, None] / 128 + rng.random((64, 1))))[..., None]
    model.compile("adam", "sparse_categorical_crossentropy")
    visualizer = FilterVisualizer(tmp_path, write_initial=False, examples=signals)
    model.fit(signals, labels, epochs=1, verbose=0, callbacks=[visualizer])
    assert steps(tmp_path / "filters", "filters/waves") == [0]
    found = maximize(model, "mixed", examples=signals, verbose=0)
    assert found.input_range == (-1, 1)
    assert found.images.shape == (3, 1, 128, 1)
    spectra = np.abs(np.fft.rfft(found.images[:, 0, :, 0] - found.images.mean(axis=(1, 2))))
    assert spectra[:, 2:30].argmax(axis=1) + 2 == pytest.approx(frequencies, abs=1)
    assert found.tiles().shape == (3, 32, 128, 1)
    assert (found.tiles() == found.tiles()[:, :1]).all()


def test_what_has_nothing_to_draw_is_told_apart() -> None:
    dense = keras.Sequential([keras.Input((8, 8, 1)), L.Flatten(), L.Dense(5, name="units")], name="dense")
    with pytest.raises(NoConvolutionError) as caught:
        draw(dense)
    assert str(caught.value) == (
        "Model 'dense' has no convolutional layer of images or signals, so there is no filter to show. Its layers: "
        "Dense, Flatten, InputLayer. Units of another layer can be drawn by its name: layers='units'."
    )
    (drawn,) = draw(dense, layers="units", verbose=0)
    assert drawn.tiles.shape == (5, 8, 8, 1)
    table = keras.Sequential([keras.Input((64,)), L.Dense(5, name="units")], name="table")
    for layers in (None, "units"):
        with pytest.raises(ModelError, match="'table' must take one image .*, or one signal .* It takes: .None, 64."):
            draw(table, layers)


def _legacy_model() -> Any:
    tf_keras = importlib.import_module("tf_keras")
    images = tf_keras.Input((12, 12, 1))
    maps = tf_keras.layers.Conv2D(3, 3)(images)
    model = tf_keras.Model(images, tf_keras.layers.Dense(2)(tf_keras.layers.Flatten()(maps)))
    model.compile("adam", "mse")
    return model


def test_models_of_keras_2_are_told_apart_at_every_door(tmp_path: Path) -> None:
    model = _legacy_model()
    message = r"This is a model of Keras 2 \(tf_keras\), and tb_filterviz draws those of Keras 3. Save it"
    doors: list[Callable[[], Any]] = [
        lambda: model.fit(
            np.zeros((4, 12, 12, 1)), np.zeros((4, 2)), verbose=0, callbacks=[FilterVisualizer(tmp_path)]
        ),
        lambda: FilterLogger(tmp_path, verbose=0).log(model, 0),
        lambda: FilterLogger(tmp_path, verbose=0).log_checkpoints(tmp_path, model),
        lambda: draw(model),
        lambda: maximize(model, "conv2d"),
    ]
    for door in doors:
        with pytest.raises(ModelError, match=message):
            door()
    model.save(tmp_path / "model.keras")
    report = FilterLogger(tmp_path / "logs", verbose=0).log_checkpoints([tmp_path / "model.keras"], steps=[0])
    assert [entry.step for entry in report.logged] == [0]


def test_what_is_no_model_at_all_is_told_apart() -> None:
    wrong: Any
    for wrong, message in (
        (object(), "`model` must be a Keras model. Received: an object of class builtins.object"),
        (None, "`model` must be a Keras model. Received: an object of class builtins.NoneType"),
        (L.Conv2D(3, 3, name="conv"), "'conv' is a layer. Make a model of it: keras.Sequential"),
    ):
        with pytest.raises(ModelError, match=message):
            draw(wrong)
    layer = L.Conv2D(3, 3, name="conv")
    assert len(draw(keras.Sequential([keras.Input((8, 8, 1)), layer]), verbose=0)) == 1
