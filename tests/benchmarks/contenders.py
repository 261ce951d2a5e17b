"""Pictures of filters by the recipes of others, of the same network: images in 0 to 1, float32 ``[n, h, w, c]``."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import ops

Images = npt.NDArray[np.float32]


def _below(model: keras.Model, layer: str) -> keras.Model:
    return keras.Model(model.inputs[0], model.get_layer(layer).output)


def _frequencies(height: int, width: int) -> npt.NDArray[np.float64]:
    return np.asarray(np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)))


def lucid(model: keras.Model, layer: str, filters: Sequence[int], seed: int, *, steps: int = 64) -> Images:
    """Draw by the recipe of lucid: Fourier coefficients scaled by 1/f, a sigmoid, Adam at 0.05, jitter and rotation.

    Source: C. Olah, A. Mordvintsev, L. Schubert (2017), "Feature Visualization", and its code.
    """
    below, (height, width, channels) = _below(model, layer), model.input_shape[1:]
    scale = np.sqrt(height * width) / np.maximum(_frequencies(height, width), 1 / max(height, width))
    dice, count = np.random.default_rng(seed), len(filters)
    start = dice.normal(0, 0.01, (2, count, channels, *scale.shape)).astype(np.float32)
    spectrum = tf.Variable(start)
    optimizer = keras.optimizers.Adam(0.05)
    chosen = tf.constant(list(filters))

    def image() -> Any:
        signal = tf.signal.irfft2d(tf.complex(*tf.unstack(spectrum * scale.astype(np.float32))), [height, width]) / 4
        return tf.sigmoid(tf.transpose(signal, (0, 2, 3, 1)))

    @tf.function  # type: ignore[untyped-decorator]
    def step(matrix: Any) -> Any:
        with tf.GradientTape() as tape:
            moved = ops.image.affine_transform(image(), tf.repeat(matrix[None], count, 0), fill_mode="nearest")
            maps = below(moved, training=False)
            loss = -tf.reduce_sum(tf.gather(tf.reduce_mean(maps, (1, 2)), chosen, axis=1, batch_dims=0) * tf.eye(count))
        return tape.gradient(loss, spectrum)

    optimizer.build([spectrum])
    for _ in range(steps):
        angle, (down, right) = np.deg2rad(dice.uniform(-5, 5)), dice.uniform(-2, 2, 2)
        cosine, sine = np.cos(angle), np.sin(angle)
        y, x = (height - 1) / 2, (width - 1) / 2
        shift = (x - cosine * (x + right) + sine * (y + down), y - sine * (x + right) - cosine * (y + down))
        matrix = [cosine, -sine, shift[0], sine, cosine, shift[1], 0, 0]
        optimizer.apply([step(tf.constant(matrix, tf.float32))], [spectrum])
    return np.asarray(image(), np.float32)


def _units(filters: Sequence[int]) -> Callable[[Any], list[Any]]:
    return lambda maps: [maps[i, maps.shape[1] // 2, maps.shape[2] // 2, each] for i, each in enumerate(filters)]


def tf_keras_vis(
    model: keras.Model, layer: str, filters: Sequence[int], seed: int, *, is_tuned: bool = False, steps: int = 200
) -> Images:
    """Draw by tf-keras-vis as it comes, on the model's own range; or tuned: the centre unit, total variation alone."""
    from tf_keras_vis.activation_maximization import ActivationMaximization
    from tf_keras_vis.activation_maximization.regularizers import TotalVariation2D
    from tf_keras_vis.utils.scores import CategoricalScore

    maximization = ActivationMaximization(_below(model, layer), clone=False)
    shape = (len(filters), *model.input_shape[1:])
    start = np.random.default_rng(seed).uniform(0.45, 0.55, shape).astype(np.float32)
    if is_tuned:
        drawn = maximization(
            _units(filters),
            seed_input=start,
            steps=50,
            input_range=(0.0, 1.0),
            input_modifiers=None,
            regularizers=[TotalVariation2D(weight=0.5)],
            optimizer=keras.optimizers.Adam(0.05),
        )
    else:
        drawn = maximization(CategoricalScore(list(filters)), seed_input=start, steps=steps, input_range=(0.0, 1.0))
    return np.asarray(drawn, np.float32).reshape(shape)


def xplique(
    model: keras.Model, layer: str, filters: Sequence[int], seed: int, *, is_tuned: bool = False, steps: int = 256
) -> Images:
    """Draw by xplique's `optimize` as it comes, on images of 512 pixels; or tuned: of the model's own size.

    Tuned for small receptive fields: the centre unit, and no transformations.
    """
    from xplique.features_visualizations import Objective, optimize

    keras.utils.set_random_seed(seed)
    height, width, channels = model.input_shape[1:]
    options: dict[str, Any] = {"nb_steps": steps}
    if is_tuned:
        options |= {"custom_shape": None, "nb_steps": 64}
    if is_tuned and channels == 1:
        options |= {"transformations": None}
        below = _below(model, layer)
        _, height_above, width_above, channels_above = below.output.shape
        first = (height_above // 2 * width_above + width_above // 2) * channels_above  # of the centre unit, flattened
        objective = Objective.neuron(below, layer, [first + each for each in filters])
    else:
        objective = Objective.channel(_below(model, layer), layer, list(filters))
    images, _ = optimize(objective, **options)
    drawn = tf.image.resize(images[-1], (height, width))
    return np.asarray(drawn, np.float32).reshape(len(filters), height, width, channels)
