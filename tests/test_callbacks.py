import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_filterviz import Config, FilterVisualizer, MemorySink, ToneMapping, VisualizationWarning
from tb_filterviz.errors import (
    ConfigError,
    LogDirError,
    ModelError,
    NoConvolutionError,
    UnknownLayerError,
)
from tb_filterviz.snapshots import LayerSnapshot
from tests.event_reader import series, steps

Fit = Callable[..., Any]


def test_every_epoch_is_written_and_one_before(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    fit(small_model, FilterVisualizer(tmp_path))
    for layer in ("conv_a", "conv_b"):
        assert steps(tmp_path / "filters", f"filters/{layer}") == [-1, 0, 1, 2]
        assert steps(tmp_path / "filters", f"filterviz/{layer}/tiles") == [-1, 0, 1, 2]


def test_layers_can_be_chosen_and_the_initial_picture_left_out(
    tmp_path: Path, small_model: keras.Model, fit: Fit
) -> None:
    fit(small_model, FilterVisualizer(tmp_path, ["*_b"], write_initial=False))
    assert steps(tmp_path / "filters", "filters/conv_b") == [0, 1, 2]
    with pytest.raises(KeyError):
        steps(tmp_path / "filters", "filters/conv_a")


@pytest.mark.parametrize("update_freq", ["epoch", "batch", 1, 5])
def test_keras_own_callback_drops_nothing_of_ours(
    tmp_path: Path, small_model: keras.Model, fit: Fit, update_freq: str | int
) -> None:
    fit(small_model, keras.callbacks.TensorBoard(tmp_path, update_freq=update_freq), FilterVisualizer(tmp_path))
    assert steps(tmp_path / "filters", "filters/conv_a") == [-1, 0, 1, 2]
    assert steps(tmp_path / "filters", "filterviz/conv_a/mean_score") == [-1, 0, 1, 2]


@pytest.mark.skipif(
    tuple(map(int, keras.__version__.split(".")[:2])) < (3, 15),
    reason="earlier ones drop none at an epoch's end",
)
def test_keras_own_callback_would_drop_a_plain_summary(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    writer = tf.summary.create_file_writer(str(tmp_path / "plain"))

    class Plain(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            with writer.as_default(epoch):
                tf.summary.scalar("plain", 1.0)

    fit(small_model, keras.callbacks.TensorBoard(tmp_path, update_freq=5), Plain())
    writer.close()
    with pytest.raises(KeyError):
        steps(tmp_path / "plain", "plain")


class _Disturbing(keras.callbacks.Callback):
    """The positive control: it draws from the stream that the model's Dropout draws from."""

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        self.model(np.zeros((1, 12, 12, 1), np.float32), training=True)


def _weights_after_training(fit: Fit, callbacks: Sequence[keras.callbacks.Callback]) -> bytes:
    keras.utils.set_random_seed(11)
    tf.config.experimental.enable_op_determinism()
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            keras.layers.RandomTranslation(0.1, 0.1),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Conv2D(5, 3, activation="relu"),
            keras.layers.Dropout(0.4),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    fit(model, *callbacks, epochs=3, shuffle=True)
    return b"".join(np.ascontiguousarray(weights).tobytes() for weights in model.get_weights())


def test_training_is_bit_identical_with_and_without(tmp_path: Path, fit: Fit) -> None:
    plain = _weights_after_training(fit, [])
    assert _weights_after_training(fit, [FilterVisualizer(tmp_path / "a")]) == plain
    assert _weights_after_training(fit, [FilterVisualizer(tmp_path / "b", update_freq=1, config="classic")]) == plain
    assert _weights_after_training(fit, [_Disturbing()]) != plain


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"update_freq": 0}, ConfigError, "`update_freq` must be 'epoch', a positive count"),
        ({"update_freq": "batch"}, ConfigError, "`update_freq` must be 'epoch'"),
        ({"on_error": "ignore"}, ConfigError, "`on_error` must be 'warn' or 'raise'"),
        ({"config": "clasic"}, ConfigError, "`config` must be a Config or one of"),
        ({"layers": "conv_c"}, UnknownLayerError, "Did you mean 'conv_"),
        ({"log_dir": "/proc/no/such"}, LogDirError, "Cannot write to the log directory '/proc/no/such'"),
    ],
)
def test_wrong_settings_fail_before_the_first_epoch(
    tmp_path: Path,
    small_model: keras.Model,
    fit: Fit,
    settings: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    trained: list[int] = []
    watch = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: trained.append(epoch))  # noqa: ARG005
    with pytest.raises(error, match=message):
        fit(small_model, watch, FilterVisualizer(**{"log_dir": tmp_path, **settings}))
    assert not trained


def test_a_model_without_convolutions_fails_before_the_first_epoch(tmp_path: Path, fit: Fit) -> None:
    model = keras.Sequential([keras.Input((12, 12, 1)), keras.layers.Flatten(), keras.layers.Dense(10)], name="flat")
    model.compile("sgd", "mse")
    with pytest.raises(NoConvolutionError, match="'flat' has no convolutional layer"):
        fit(model, FilterVisualizer(tmp_path))


def test_an_unbuilt_model_is_drawn_from_its_first_epoch_on_and_before_it_if_it_is_built(
    tmp_path: Path, fit: Fit
) -> None:
    model = keras.Sequential([keras.layers.Conv2D(3, 3, name="first"), keras.layers.Flatten(), keras.layers.Dense(10)])
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    built = keras.models.clone_model(model)
    built.build((None, 12, 12, 1))
    for name, each, expected in (("late", model, [0]), ("built", built, [-1, 0])):
        each.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        fit(each, FilterVisualizer(tmp_path / name), epochs=1)
        assert steps(tmp_path / name / "filters", "filters/first") == expected


class _FailingSink(MemorySink):
    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:
        if step == 1:
            raise OSError("planted failure")
        super().write(step, snapshots)


def test_a_failure_in_mid_training_warns_and_training_goes_on(
    tmp_path: Path, small_model: keras.Model, fit: Fit
) -> None:
    sink = _FailingSink()
    with pytest.warns(VisualizationWarning, match=r"at step 1: OSError: planted failure\. The training goes on"):
        history = fit(small_model, FilterVisualizer(tmp_path, sinks=[sink]))
    assert history.epoch == [0, 1, 2]
    assert sorted({snapshot.step for snapshot in sink.snapshots}) == [-1, 0, 2]
    assert [step for step, _ in sink.reports] == [1]
    (text,) = series(tmp_path / "filters", "filterviz/failures").values()
    assert b"planted failure" in text.item()


def test_a_failure_of_the_pictures_themselves_warns_as_well(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    failing = ToneMapping(name="failing", apply=_FailsLater(), description="works until an epoch is over")
    with pytest.warns(
        VisualizationWarning, match="at step 2: ConfigError: Tone mapping .failing. failed: ZeroDivisionError"
    ):
        history = fit(
            small_model,
            FilterVisualizer(tmp_path, config=Config(tone=failing)),
            keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: _FailsLater.fail_at(epoch)),  # noqa: ARG005
        )
    assert history.epoch == [0, 1, 2]


class _FailsLater:
    is_failing = False

    @classmethod
    def fail_at(cls, epoch: int) -> None:
        cls.is_failing = epoch == 1

    def __call__(self, images: Any, contrast: float) -> Any:
        assert contrast > 0
        return np.uint8(1 // (not self.is_failing)) * np.zeros(images.shape, np.uint8)


def test_on_error_raise_raises(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    with pytest.raises(OSError, match="planted failure"):
        fit(small_model, FilterVisualizer(tmp_path, sinks=[_FailingSink()], on_error="raise"))


def test_batches_can_be_counted_instead(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    fit(small_model, FilterVisualizer(tmp_path, update_freq=4), epochs=5)
    assert steps(tmp_path / "filters", "filters/conv_a") == [0, 4, 8, 10]  # the trained network comes last
    content = MemorySink()
    fit(small_model, FilterVisualizer(tmp_path / "b", update_freq=lambda n: n in (1, 3), sinks=[content]), epochs=2)
    assert [snapshot.step for snapshot in content.snapshots if snapshot.layer == "conv_a"] == [0, 1, 3, 4]
    assert {snapshot.unit for snapshot in content.snapshots} == {"batch"}


def test_several_batches_at_once_are_counted(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    small_model.compile("adam", "sparse_categorical_crossentropy", steps_per_execution=2)
    fit(small_model, FilterVisualizer(tmp_path, update_freq=3), epochs=3)
    assert steps(tmp_path / "filters", "filters/conv_a") == [0, 4, 6]


def test_keras_is_not_made_to_wait_for_batches_when_epochs_are_drawn() -> None:
    assert keras.src.utils.is_default(FilterVisualizer().on_train_batch_end)
    assert not keras.src.utils.is_default(FilterVisualizer(update_freq=2).on_train_batch_end)


def test_a_resumed_training_goes_on_and_compiles_nothing_anew(
    tmp_path: Path, small_model: keras.Model, fit: Fit
) -> None:
    memory = MemorySink()
    visualizer = FilterVisualizer(tmp_path, sinks=[memory])
    fit(small_model, visualizer, epochs=2)
    session = visualizer._session
    fit(small_model, visualizer, initial_epoch=2, epochs=4)
    assert visualizer._session is session
    assert steps(tmp_path / "filters", "filters/conv_a") == [-1, 0, 1, 2, 3]
    assert [snapshot.is_first for snapshot in memory.snapshots if snapshot.layer == "conv_a"] == [True] + [False] * 4


def test_a_second_epoch_traces_nothing(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    calls: list[int] = []

    class Counting(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            calls.append(1)  # runs in Python only while something is traced
            return inputs

    model = keras.Sequential([keras.Input((12, 12, 1)), Counting(), *small_model.layers])
    model.compile("adam", "sparse_categorical_crossentropy")
    counts: list[int] = []
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: counts.append(len(calls)))  # noqa: ARG005
    fit(model, FilterVisualizer(tmp_path), count, epochs=4)
    assert counts[0] > 0
    assert len(set(counts)) == 1


def test_start_noise_is_the_same_at_every_epoch(small_model: keras.Model) -> None:
    from tb_filterviz.session import Session

    session = Session(small_model, config=Config(crop=False))
    first, second = session.render(0), session.render(1)
    for before, after in zip(first, second, strict=True):
        assert np.array_equal(before.tiles, after.tiles)
        assert after.change.max() == 0


def test_under_a_mirrored_strategy(tmp_path: Path, fit: Fit) -> None:
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        model = keras.Sequential(
            [
                keras.Input((12, 12, 1)),
                keras.layers.Conv2D(3, 3, name="a"),
                keras.layers.Flatten(),
                keras.layers.Dense(10),
            ]
        )
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    fit(model, FilterVisualizer(tmp_path), epochs=1)
    assert steps(tmp_path / "filters", "filters/a") == [-1, 0]


def test_mixed_precision_is_drawn_too(small_model: keras.Model) -> None:
    from tb_filterviz.session import Session

    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = keras.models.clone_model(small_model)
    finally:
        keras.config.set_dtype_policy("float32")
    half.set_weights(small_model.get_weights())
    for low, full in zip(Session(half).render(0), Session(small_model).render(0), strict=True):
        np.testing.assert_allclose(low.scores, full.scores, rtol=0.05, atol=0.01)


def test_several_models_give_no_retracing_warning(small_model: keras.Model, caplog: pytest.LogCaptureFixture) -> None:
    from tb_filterviz.session import Session

    for _ in range(4):
        Session(keras.models.clone_model(small_model)).render(0)
    assert "retracing" not in caplog.text


def test_the_model_must_take_an_image(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((None, None, 1)), keras.layers.Conv2D(1, 3), keras.layers.GlobalMaxPooling2D()]
    )
    model.compile("sgd", "mse")
    with pytest.raises(ModelError, match="takes images of any size"):
        model.fit(np.zeros((4, 8, 8, 1)), np.zeros((4, 1)), verbose=0, callbacks=[FilterVisualizer(tmp_path)])


def test_no_warning_in_an_ordinary_training(tmp_path: Path, small_model: keras.Model, fit: Fit) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(small_model, FilterVisualizer(tmp_path))
