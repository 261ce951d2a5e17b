"""Runs of a network made by hand, measured on images made by hand, as the callback would write them."""

from pathlib import Path

import keras
import numpy as np

from tb_filterviz import Examples, MemorySink
from tb_filterviz.session import Session
from tb_filterviz.sinks.events import EventSink
from tests.responses import planted

STEPS = (-1, 0, 1)
CLASSES = ("bars", "squares", "dots")


def write_measured(log_dir: Path, examples: Examples | None = None) -> MemorySink:
    """A run in which detectors weaken from step to step, so that fewer examples excite them."""
    model, memory = planted.network(), MemorySink()
    examples = examples or Examples(planted.images(), class_names=CLASSES, maps=3)
    session, events = Session(model, examples=examples), EventSink(log_dir, Session(model, examples=examples).config)
    events.begin(session.recipe("logger"), STEPS[0], examples=session.stored_examples)
    for step in STEPS:
        session.log(step, [events, memory])
        kernel, bias = model.get_layer("made").get_weights()
        model.get_layer("made").set_weights([kernel, bias - np.float32(0.45) * np.array([1, 1, 1, 0, 0], np.float32)])
    events.close()
    return memory


def write_colored(log_dir: Path) -> tuple[MemorySink, Examples]:
    """A run on images of three channels that are too large to be stored as they are."""
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((300, 280, 3)), keras.layers.Conv2D(3, 5, strides=4, activation="relu")])
    rng = np.random.default_rng(2)
    smooth = np.repeat(np.repeat(rng.random((6, 30, 28, 3)), 10, axis=1), 10, axis=2).astype(np.float32)
    examples, memory = Examples(smooth, maps=[5, 2]), MemorySink()
    session = Session(model, examples=examples)
    events = EventSink(log_dir, session.config)
    events.begin(session.recipe("logger"), 0, examples=session.stored_examples)
    session.log(0, [events, memory])
    events.close()
    return memory, examples
