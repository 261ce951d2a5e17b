"""Models in every shape, and the files that a Keras 3 makes of them, with what it predicts.

Imports nothing but Keras and NumPy, so that any Keras 3 can run it: ``python tests/checkpoints/keras3.py FOLDER``.
"""

import json
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

FORMATS = (".keras", ".h5", ".weights.h5")
_SIZE = (8, 8, 2)


def _backbone(name: str = "backbone") -> Any:
    images = keras.Input(_SIZE)
    features = layers.BatchNormalization()(layers.Conv2D(3, 3, padding="same")(images))
    return keras.Model(images, layers.Add()([layers.ReLU()(features), features]), name=name)


def _sequential_backbone(filters: int = 3) -> Any:
    return keras.Sequential(
        [keras.Input(_SIZE), layers.Conv2D(filters, 3, padding="same"), layers.BatchNormalization(), layers.ReLU()],
        name="backbone",
    )


def _head() -> list[Any]:
    return [layers.GlobalAveragePooling2D(), layers.Dense(2)]


def _through(tensor: Any, *parts: Any) -> Any:
    for part in parts:
        tensor = part(tensor)
    return tensor


def _called(model: Any) -> Any:
    """Without an input of its own, and built by a call."""
    model(np.zeros((1, *_SIZE), np.float32))
    return model


def _functional() -> Any:
    images = keras.Input(_SIZE)
    first = layers.Conv2D(3, 3, padding="same", activation="relu")(images)
    second = layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same")(first))
    return keras.Model(images, _through(layers.Concatenate()([first, second]), layers.Dropout(0.2), *_head()))


def _nested(backbone: Any, **arguments: Any) -> Any:
    images = keras.Input(_SIZE)
    return keras.Model(images, _through(backbone(layers.Rescaling(2.0)(images), **arguments), *_head()))


def _output_of_nested() -> Any:
    images = keras.Input(_SIZE)
    return keras.Model(images, _backbone()(images))


def _called_before() -> Any:
    """A backbone that was called outside of this model first."""
    backbone = _sequential_backbone()
    backbone(keras.Input(_SIZE))
    return _nested(backbone)


def _part_of_larger() -> Any:
    """The features of a model, taken from its middle, and called again."""
    larger = _backbone()
    middle = keras.Model(larger.inputs[0], larger.layers[2].output, name="middle")
    return _nested(middle)


def _shared_backbone_in_chain() -> Any:
    backbone = _sequential_backbone(2)
    images = keras.Input(_SIZE)
    return keras.Model(images, _through(images, backbone, layers.ReLU(), backbone, layers.Flatten()))


def _shared_by_two() -> Any:
    """A siamese network, the two sides of which are not alike."""
    backbone = _backbone()
    left, right = keras.Input(_SIZE, name="left"), keras.Input(_SIZE, name="right")
    sides = [layers.GlobalAveragePooling2D()(backbone(side)) for side in (left, right)]
    return keras.Model([left, right], layers.Dense(2)(layers.Subtract()(sides)))


def _inputs(structure: Callable[[Any, Any], Any]) -> Any:
    first, second = keras.Input(_SIZE, name="first"), keras.Input(_SIZE, name="second")
    features = [layers.Conv2D(2 + place, 3)(images) for place, images in enumerate((first, second))]
    joined = layers.Concatenate()([layers.GlobalMaxPooling2D()(tensor) for tensor in features])
    return keras.Model(structure(first, second), layers.Dense(2)(joined))


def _outputs() -> Any:
    images = keras.Input(_SIZE)
    features = layers.Conv2D(3, 3)(images)
    return keras.Model(images, [_through(features, *_head()), _through(features, *_head())])


def _lists_of_one() -> Any:
    images = keras.Input(_SIZE)
    return keras.Model([images], [_through(images, layers.Conv2D(3, 3), *_head())])


def _functions() -> Any:
    images = keras.Input(_SIZE)
    features = layers.Conv2D(4, 3)(images * 2.0 - 1.0)
    gated = ops.relu(features[:, :, :, :2]) * ops.sigmoid(features[:, :, :, 2:]) + 0.5
    return keras.Model(images, layers.Dense(2)(ops.mean(gated, axis=(1, 2))))


def _mixed_precision() -> Any:
    mixed = {"dtype": "mixed_float16"}
    return keras.Sequential(
        [
            keras.Input(_SIZE),
            layers.Conv2D(3, 3, **mixed),
            layers.BatchNormalization(**mixed),
            layers.ReLU(**mixed),
            layers.GlobalAveragePooling2D(**mixed),
            layers.Dense(2, dtype="float32"),
        ]
    )


def _preprocessing() -> Any:
    normalization = layers.Normalization()
    normalization.adapt(np.random.default_rng(2).random((16, *_SIZE)) * 50)
    steps = [
        layers.RandomFlip("horizontal"),
        layers.RandomRotation(0.1),
        layers.RandomZoom(0.1),
        layers.RandomTranslation(0.1, 0.1),
        layers.RandomContrast(0.1),
        layers.RandomBrightness(0.1),
        layers.Resizing(10, 10),
        layers.CenterCrop(8, 8),
        layers.Rescaling(30.0, offset=1.0),
        normalization,
    ]
    return keras.Sequential([keras.Input(_SIZE), *steps, layers.Conv2D(3, 3), *_head()])


def _layers() -> Any:
    """One of every kind that convolutional networks are made of."""
    convolution = layers.Conv2D(
        4,
        3,
        padding="same",
        groups=2,
        activation="swish",
        kernel_initializer="he_normal",
        kernel_regularizer=keras.regularizers.L2(1e-4),
        kernel_constraint=keras.constraints.MaxNorm(2.0),
    )
    parts = [
        convolution,
        layers.LeakyReLU(negative_slope=0.1),
        layers.SeparableConv2D(4, 3, padding="same", activation=keras.activations.relu6),
        layers.PReLU(shared_axes=[1, 2]),
        layers.LayerNormalization(),
        layers.Conv2D(4, 3, dilation_rate=2, padding="same"),
        layers.ELU(),
        layers.GroupNormalization(groups=2),
        layers.Conv2DTranspose(3, 2, strides=2),
        layers.ReLU(max_value=6.0),
        layers.SpatialDropout2D(0.1),
        layers.GaussianNoise(0.1),
        layers.AveragePooling2D(2),
        layers.ZeroPadding2D(1),
        layers.Cropping2D(1),
        layers.UpSampling2D(interpolation="bilinear"),
        layers.MaxPooling2D(),
        layers.UnitNormalization(),
        layers.Activation("gelu"),
        layers.Permute((2, 1, 3)),
        layers.Reshape((8, 24)),
        layers.Conv1D(4, 3),
        layers.TimeDistributed(layers.Dense(3)),
        layers.Bidirectional(layers.LSTM(2, return_sequences=True)),
        layers.GRU(3, return_sequences=True),
        layers.GlobalMaxPooling1D(),
        layers.Dense(3, use_bias=False),
        layers.Softmax(),
    ]
    return keras.Sequential([keras.Input(_SIZE), *parts])


def _attention() -> Any:
    images = keras.Input(_SIZE)
    patches = layers.Reshape((16, 4))(layers.Conv2D(4, 2, strides=2)(images))
    attended = layers.MultiHeadAttention(num_heads=2, key_dim=2)(patches, patches)
    joined = layers.LayerNormalization()(layers.Average()([patches, layers.Maximum()([attended, patches])]))
    return keras.Model(images, layers.Dense(2)(layers.GlobalAveragePooling1D()(layers.Multiply()([joined, attended]))))


class Subclassed(keras.Model):
    """A model whose file does not say how it is made."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.backbone = _backbone()
        self.blocks = [layers.Conv2D(3, 3, activation="relu"), layers.Conv2D(2, 3)]
        self.head = keras.Sequential(_head(), name="head")

    def call(self, images: Any) -> Any:
        """Answer to images, ``[n, 8, 8, 2]``."""
        return self.head(_through(self.backbone(images), *self.blocks))


class Squared(layers.Layer):
    """A layer that no Keras knows."""

    def call(self, images: Any) -> Any:
        """Square each value."""
        return images * images


def shared_in_chain() -> Any:
    """Make a model that calls a layer twice."""
    convolution = layers.Conv2D(2, 3, padding="same", activation="tanh")
    images = keras.Input(_SIZE)
    return keras.Model(images, _through(images, convolution, layers.ReLU(), convolution, layers.Flatten()))


def subclassed() -> Any:
    """Make a model of a class of one's own."""
    return _called(Subclassed())


def own_layer() -> Any:
    """Make a model with a layer of a class of one's own."""
    return keras.Sequential([keras.Input(_SIZE), layers.Conv2D(3, 3), Squared(), *_head()])


MODELS: dict[str, Callable[[], Any]] = {
    "sequential": lambda: keras.Sequential(
        [keras.Input(_SIZE), layers.Conv2D(3, 3), layers.BatchNormalization(), layers.Flatten(), layers.Dense(2)]
    ),
    "sequential_called": lambda: _called(keras.Sequential([layers.Conv2D(3, 3), *_head()])),
    "functional": _functional,
    "functional_in_sequential": lambda: keras.Sequential([keras.Input(_SIZE), _backbone(), *_head()]),
    "functional_in_sequential_without_input": lambda: keras.Sequential([_backbone(), *_head()]),
    "functional_in_sequential_called": lambda: _called(keras.Sequential([_backbone(), *_head()])),
    "sequential_in_sequential": lambda: keras.Sequential([keras.Input(_SIZE), _sequential_backbone(), *_head()]),
    "functional_in_functional": lambda: _nested(_backbone(), training=False),
    "sequential_in_functional": lambda: _nested(_sequential_backbone(), training=False),
    "three_deep": lambda: _nested(keras.Sequential([_backbone(), layers.Conv2D(3, 1), _backbone_of_features()])),
    "output_of_nested": _output_of_nested,
    "called_before": _called_before,
    "part_of_larger": _part_of_larger,
    "shared_in_chain": shared_in_chain,
    "shared_backbone_in_chain": _shared_backbone_in_chain,
    "shared_by_two": _shared_by_two,
    "two_inputs": lambda: _inputs(lambda first, second: [first, second]),
    "inputs_by_name": lambda: _inputs(lambda first, second: {"first": first, "second": second}),
    "two_outputs": _outputs,
    "lists_of_one": _lists_of_one,
    "functions": _functions,
    "mixed_precision": _mixed_precision,
    "preprocessing": _preprocessing,
    "layers": _layers,
    "attention": _attention,
    "own_layer": own_layer,
    "subclassed": subclassed,
}


def _backbone_of_features() -> Any:
    features = keras.Input((8, 8, 3))
    return keras.Model(features, layers.ReLU()(layers.Conv2D(2, 3, name="deepest")(features)), name="deeper")


def inputs_of(name: str, images: Any) -> Any:
    """Arrange ``[2, 2, 8, 8, 2]`` as the model of that name wants its inputs."""
    if name == "inputs_by_name":
        return {"first": images[0], "second": images[1]}
    return [images[0], images[1]] if name in ("two_inputs", "shared_by_two") else images[0]


def predicted_by(model: Any, name: str, images: Any) -> Any:
    """List what the model predicts, an array for each output."""
    predicted = model(inputs_of(name, images), training=False)
    return [keras.ops.convert_to_numpy(made) for made in (predicted if isinstance(predicted, list) else [predicted])]


def _settled(model: Any, name: str, images: Any) -> Any:
    """Train for one step, for an optimizer's state, and make all weights, and averages, such as tell in predictions."""
    model.compile("adam", keras.losses.MeanSquaredError())
    targets = model.predict(inputs_of(name, images), verbose=0)
    model.fit(inputs_of(name, images), targets, epochs=1, verbose=0)
    dice = np.random.default_rng(3)
    for weight in model.weights:
        value = np.asarray(keras.ops.convert_to_numpy(weight.value))
        if "variance" in weight.name and "moving" in weight.name:
            weight.assign(value * dice.uniform(0.5, 1.5, value.shape))
        elif weight.trainable or "moving" in weight.name:
            weight.assign(value + dice.normal(0, 0.2, value.shape))
    return model


def write(name: str, folder: Path) -> dict[str, str]:
    """Save a model in every format, and what it predicts: ``images``, and ``output_0`` onwards, in ``NAME.npz``.

    Returns:
        What came of it, for each file: whether this Keras could save it, and predicts the same from what it saved.
    """
    keras.utils.set_random_seed(5)
    images = np.random.default_rng(0).random((2, 2, *_SIZE)).astype(np.float32)
    model = _settled(MODELS[name](), name, images)
    outputs = predicted_by(model, name, images)
    named = {f"output_{place}": value for place, value in enumerate(outputs)}
    np.savez(folder / f"{name}.npz", images=images, **named)
    outcomes = {}
    for suffix in FORMATS:
        path = folder / f"{name}{suffix}"
        try:
            model.save_weights(path) if suffix == ".weights.h5" else model.save(path)
        except Exception as error:  # not every Keras saves every model in every format
            path.unlink(missing_ok=True)
            outcomes[path.name] = f"not saved: {error}"
            continue
        if suffix != ".weights.h5":
            outcomes[path.name] = _reload(path, name, images, outputs)
    return outcomes


def difference(predicted: list[Any], outputs: list[Any]) -> float:
    """Return the largest difference between predictions."""
    return max(float(np.abs(made - output).max()) for made, output in zip(predicted, outputs, strict=True))


def _reload(path: Path, name: str, images: Any, outputs: list[Any]) -> str:
    try:
        model = keras.saving.load_model(path, {"Squared": Squared, "Subclassed": Subclassed}, compile=False)
        apart = difference(predicted_by(model, name, images), outputs)
    except Exception as error:  # of this Keras
        return f"not loaded: {error}"
    return "same" if apart < 1e-5 else f"differs by {apart:.1g}"


def main() -> None:
    """Write all models into a folder of the name of this Keras, such as ``FOLDER/3.8.0``, and what it makes of them."""
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1]) / keras.__version__
    folder.mkdir(parents=True, exist_ok=True)
    outcomes: dict[str, str] = {}
    for name in MODELS:
        try:
            outcomes |= write(name, folder)
        except Exception:  # of this Keras; the others are wanted all the same
            outcomes[name] = traceback.format_exc()
    (folder / "writer.json").write_text(json.dumps(outcomes, indent=1), "utf-8")


if __name__ == "__main__":
    main()
