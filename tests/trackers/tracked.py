"""Trainings that are written to a tracker, and what TensorBoard finds of them."""

import io
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import numpy.typing as npt
from PIL import Image
from tensorboard.util import tensor_util

from tb_filterviz import AscentConfig, Config, FilterVisualizer, VisualizationWarning, build_lenet, digits
from tb_filterviz.metadata import PLUGIN_NAME
from tb_filterviz.sinks import AnySink, Sink
from tests.event_reader import read_run
from tests.loaders import steps_of_runs

TINY = Config(filters=[0, 7, 3], ascent=AscentConfig(steps=2))
Pixels = npt.NDArray[np.uint8]
At = tuple[str, int]  # a tag, and a step


class Logged(NamedTuple):
    """Pictures, uint8 ``[h, w, c]``, and points of curves."""

    pictures: dict[At, Pixels]
    points: dict[At, float]


def as_pixels(image: Image.Image) -> Pixels:
    """A picture as an array, uint8 ``[h, w, c]``."""
    array = np.asarray(image)
    return array[..., None] if array.ndim == 2 else array


def found_in(run_dir: Path) -> Logged:
    """What TensorBoard's own reader finds of ours that is for its Images and Scalars tabs."""
    run, logged = read_run(run_dir), Logged({}, {})
    for tag in run.Tags()["tensors"]:
        plugin = run.SummaryMetadata(tag).plugin_data.plugin_name
        for event in run.Tensors(tag):
            value = tensor_util.make_ndarray(event.tensor_proto)
            if plugin == "images":
                logged.pictures[tag, event.step] = as_pixels(Image.open(io.BytesIO(value[2])))
            elif plugin == "scalars":
                logged.points[tag, event.step] = float(value)
    assert {tag.split("/")[0] for tag, _ in logged.points} == {PLUGIN_NAME}
    return logged


def same(tracked: Logged, logged: Logged) -> bool:
    """Whether both hold the same pictures, to the pixel, and the same points, at the same steps."""
    assert tracked.pictures.keys() == logged.pictures.keys()
    assert tracked.points.keys() == logged.points.keys()
    np.testing.assert_equal(tracked.points, logged.points)
    return all(np.array_equal(tracked.pictures[at], logged.pictures[at]) for at in logged.pictures)


def visualizer(log_dir: Path, *sinks: Sink, **options: Any) -> FilterVisualizer:
    return FilterVisualizer(log_dir, "conv2d_*", config=TINY, sinks=sinks, verbose=0, **options)


def train(*callbacks: keras.callbacks.Callback, epochs: int = 2) -> keras.Model:
    """Train a LeNet on a few digits."""
    data = digits()
    keras.utils.set_random_seed(0)
    model = build_lenet()
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(data.x_train[:32], data.y_train[:32], epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model


def train_while_losing(lose: Callable[[int, Any], None], log_dir: Path, sink: Sink) -> list[str]:
    """What is said in a training at whose epochs' ends a tracker loses what it has; nothing else may suffer."""
    losing = keras.callbacks.LambdaCallback(on_epoch_end=lose)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = train(losing, visualizer(log_dir, sink))
    said = [str(each.message) for each in caught if each.category is VisualizationWarning]
    assert said[0].startswith("No picture of the filters at step 0: ")
    assert all(np.array_equal(*pair) for pair in zip(model.get_weights(), train().get_weights(), strict=True))
    assert steps_of_runs(log_dir) == {"filters": [-1, 0, 1]}
    return said


def pickled(sink: AnySink) -> AnySink:
    copied: AnySink = pickle.loads(pickle.dumps(sink))
    return copied
