"""Files that Keras 2 wrote, made by tf-keras, its last version, with what its models predict."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras import layers

IMAGES = np.random.default_rng(0).random((4, 8, 8, 1)).astype(np.float32)


def _input_shape() -> Any:
    return tf_keras.Sequential(
        [
            layers.Conv2D(4, 3, padding="same", input_shape=(8, 8, 1), activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.SeparableConv2D(5, 3),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.Dropout(0.2),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ],
        name="with_input_shape",
    )


def _input_layer() -> Any:
    return tf_keras.Sequential(
        [
            tf_keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3),
            layers.LeakyReLU(0.1),
            layers.Conv2DTranspose(3, 2),
            layers.Flatten(),
            layers.Dense(3),
        ],
        name="with_input_layer",
    )


def _functional() -> Any:
    images = layers.Input((8, 8, 1))
    first = layers.Conv2D(4, 3, padding="same")(images)
    second = layers.Conv2D(4, 3, padding="same")(first)
    normalized = layers.BatchNormalization()(layers.add([first, second]))
    pooled = layers.GlobalAveragePooling2D()(layers.ReLU()(normalized))
    return tf_keras.Model(images, layers.Dense(2)(pooled), name="functional")


def _nested() -> Any:
    backbone = tf_keras.Sequential([layers.Conv2D(4, 3, input_shape=(8, 8, 1)), layers.ReLU()], name="backbone")
    images = layers.Input((8, 8, 1))
    features = layers.Flatten()(layers.Conv2D(2, 3)(backbone(images)))
    return tf_keras.Model(images, layers.Dense(2)(features), name="nested")


def _nested_first() -> Any:
    images = layers.Input((8, 8, 1))
    features = layers.Conv2D(4, 3, padding="same")(images)
    backbone = tf_keras.Model(images, layers.add([layers.ReLU()(features), features]), name="backbone")
    return tf_keras.Sequential([backbone, layers.GlobalAveragePooling2D(), layers.Dense(2)], name="nested_first")


def _called_twice(between: Callable[[Any], Any], after: Callable[[Any], Any]) -> Any:
    """A nested model of which the second call makes, or helps to make, the output."""
    backbone = tf_keras.Sequential(
        [tf_keras.Input((8, 8, 2)), layers.Conv2D(2, 3, padding="same", activation="relu")], name="backbone"
    )
    images = layers.Input((8, 8, 1))
    return tf_keras.Model(images, after(backbone(between(backbone(layers.Conv2D(2, 1)(images))))), name="twice")


def _preprocessing() -> Any:
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(2).random((16, 8, 8, 1)) * 50)
    return tf_keras.Sequential(
        [
            tf_keras.Input((8, 8, 1)),
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(0.1),
            layers.RandomZoom(0.1),
            layers.Rescaling(2.0),
            normalization,
            layers.Conv2D(4, 3),
            layers.Flatten(),
            layers.Dense(2),
        ],
        name="preprocessing",
    )


MODELS: dict[str, Callable[[], Any]] = {
    "input_shape": _input_shape,
    "input_layer": _input_layer,
    "functional": _functional,
    "nested": _nested,
    "nested_first": _nested_first,
    "preprocessing": _preprocessing,
    "twice": lambda: _called_twice(layers.ReLU(), layers.Flatten()),
    "twice_for_output": lambda: _called_twice(layers.Conv2D(2, 3, padding="same"), lambda made: made),
}

# What is written, and from which of the others its architecture may come; None: it holds its own
FILES = {
    "whole.h5": None,
    "whole.keras": None,
    "saved_model": None,
    "weights.h5": "whole.keras",
    "weights_v3.weights.h5": "whole.h5",
    "checkpoint/ckpt-3": "whole.keras",
    "trackable": "whole.h5",
    "with_optimizer": "saved_model",
}


def save_everything(name: str, folder: Path) -> None:
    """Train a model for a moment, save it in every format of Keras 2, and what it predicts as ``predicted.npy``."""
    tf_keras.utils.set_random_seed(5)
    model = MODELS[name]()
    model.compile("adam", "mse")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf-keras says that its formats are old: that is why we write them
        model.fit(IMAGES, np.random.default_rng(1).random((4, *model.output_shape[1:])), epochs=3, verbose=0)
        model.save(folder / "whole.h5")
        model.save(folder / "whole.keras")
        model.save(folder / "saved_model", save_format="tf")
        model.save_weights(folder / "weights.h5")
        model.save_weights(folder / "weights_v3.weights.h5")
        model.save_weights(str(folder / "checkpoint" / "ckpt-3"))
        tf.train.Checkpoint(model=model).save(str(folder / "trackable" / "c"))
        tf.train.Checkpoint(net=model, optimizer=model.optimizer).save(str(folder / "with_optimizer" / "c"))
        np.save(folder / "predicted.npy", model.predict(IMAGES, verbose=0))
