"""A whole training on whatever backend Keras runs (KERAS_BACKEND=jax, torch or tensorflow)."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import AscentConfig, AscentPart, Config, FilterLogger, FilterVisualizer, maximize
from tb_filterviz.session import Session
from tests.backfill import networks
from tests.event_reader import difference, steps
from tests.processes import run
from tests.rounding import same


def _model() -> keras.Model:
    model = networks.counting()
    model.add(keras.layers.Dropout(0.2, name="dropout"))
    model.add(keras.layers.Dense(2, name="out"))
    model.compile("adam", "mse")
    return model


def _train(*callbacks: keras.callbacks.Callback, epochs: int = 3) -> keras.Model:
    keras.utils.set_random_seed(4)
    model, rng = _model(), np.random.default_rng(0)
    x, y = rng.random((32, 10, 10, 1), np.float32), rng.random((32, 2), np.float32)
    model.fit(x, y, batch_size=8, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model


def test_a_training_is_drawn_and_not_disturbed(tmp_path: Path) -> None:
    without = _train()
    drawn = _train(FilterVisualizer(tmp_path, on_error="raise"))
    by_batches = _train(FilterVisualizer(tmp_path / "batches", update_freq=2, on_error="raise"))
    for model in (drawn, by_batches):
        assert all(map(same, without.get_weights(), model.get_weights()))
    assert steps(tmp_path / "filters", "filters/conv_a") == [-1, 0, 1, 2]
    assert steps(tmp_path / "batches" / "filters", "filters/conv_b") == [0, 2, 4, 6, 8, 10, 12]


def test_weights_saved_and_logged_afterwards_give_the_same(tmp_path: Path) -> None:
    save = keras.callbacks.ModelCheckpoint(str(tmp_path / "epoch-{epoch}.weights.h5"), save_weights_only=True)
    _train(FilterVisualizer(tmp_path / "during", write_initial=False, on_error="raise"), save)
    with FilterLogger(tmp_path / "afterwards") as logger:
        report = logger.log_checkpoints([tmp_path], _model)
    assert [entry.step for entry in report.logged] == [0, 1, 2], report.failed
    assert difference(tmp_path / "during" / "filters", tmp_path / "afterwards" / "filters") == ""


def test_what_was_compiled_for_a_layer_is_forgotten_and_its_pictures_stay_the_same() -> None:
    keras.utils.set_random_seed(4)
    model = _model()
    again, once = Session(model), Session(model, draws_again=False)
    expected = again.draw()
    for drawings in (once.draw(), once.draw()):
        for drawing, kept in zip(drawings, expected, strict=True):
            assert np.abs(drawing.tiles.astype(int) - kept.tiles).max() <= 1
            assert same(drawing.statistics["score"], kept.statistics["score"])


def test_textures_are_drawn_in_batches_of_any_size() -> None:
    keras.utils.set_random_seed(4)
    layers = [keras.layers.Conv2D(5, 3, activation="relu"), keras.layers.Conv2D(5, 3, name="shown")]
    model = keras.Sequential([keras.Input((40, 36, 3)), *layers])
    for per_batch in (1, 2, 5):
        ascent = AscentConfig(steps=8, filters_per_batch=per_batch)
        found = maximize(model, "shown", config=Config(objective="channel_mean", ascent=ascent), verbose=0)
        assert found.images.shape == (5, 40, 36, 3)
        assert (found.scores[-1] > found.scores[0]).all()
        assert ((found.kept > 0) & (found.kept < 1)).all()
        assert found.tone.name == "standardized_by_channel"


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch runs as it is called: nothing is compiled")
def test_later_epochs_and_trainings_compile_nothing(tmp_path: Path) -> None:
    keras.utils.set_random_seed(4)
    model, callback = _model(), FilterVisualizer(tmp_path, on_error="raise")
    traces: list[int] = []

    class Count(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            traces.append(networks.Counting.traces)

    x, y = np.ones((16, 10, 10, 1), np.float32), np.zeros((16, 2), np.float32)
    model.fit(x, y, epochs=3, verbose=0, callbacks=[callback, Count()])
    model.fit(x, y, initial_epoch=3, epochs=6, verbose=0, callbacks=[callback, Count()])
    assert len(traces) == 6
    assert traces[0] > 0
    assert len(set(traces)) == 1


# `model.save` is left out: Keras' own way of writing a model's configuration loads TensorFlow, where it is installed.
_NO_TENSORFLOW = """
import sys
import keras
import numpy as np
from tb_filterviz import AscentConfig, AscentPart, Config, FilterLogger, FilterVisualizer, maximize, maximize

log_dir, layers = sys.argv[1], keras.layers
model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3, name="conv"), layers.Flatten(), layers.Dense(1)])
model.compile("adam", "mse")
for initial in (0, 1):
    callbacks = [FilterVisualizer(log_dir, on_error="raise")]
    x, y = np.ones((4, 8, 8, 1)), np.zeros((4, 1))
    model.fit(x, y, initial_epoch=initial, epochs=initial + 1, verbose=0, callbacks=callbacks)
maximize(model, "conv", [1])
model.save_weights(log_dir + "/epoch-3.weights.h5")
with FilterLogger(log_dir) as logger:
    assert logger.log_checkpoints(log_dir + "/epoch-3.weights.h5", model).logged
    logger.log(model, 3)
loaded = sorted({name.partition(".")[0] for name in sys.modules} & {"tensorflow", "tf_keras"})
assert not loaded, loaded
"""


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="on TensorFlow, Keras itself loads it")
def test_a_training_on_another_backend_loads_no_tensorflow(tmp_path: Path) -> None:
    run("-c", _NO_TENSORFLOW, tmp_path)


class _Asking(AscentPart):
    """Changes nothing, and notes what the backend is told while it computes."""

    name = "asking"
    description = "asks the backend"

    def __init__(self) -> None:
        self.said: list[bool] = []

    def transform(self, images: Any, step: Any) -> Any:  # noqa: ARG002
        import torch

        self.said.append(torch.backends.cudnn.deterministic and not torch.backends.cudnn.benchmark)
        return images


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="only PyTorch asks at every call")
def test_a_gpu_is_asked_to_compute_the_same_each_time_and_only_for_drawing() -> None:
    import torch

    cudnn, part = torch.backends.cudnn, _Asking()
    cudnn.benchmark = True
    try:
        model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, name="conv"), keras.layers.ReLU()])
        maximize(model, "conv", config=Config(ascent=AscentConfig(parts=[part])))
        assert part.said
        assert all(part.said)
        assert (cudnn.deterministic, cudnn.benchmark) == (False, True)
    finally:
        cudnn.benchmark = False
