"""Parts of one's own, as a user's module holds them: worker processes import it."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz import AscentPart, Comparison, Config, Maximized, Objective, Statistic, ToneMapping, maximize

Images = npt.NDArray[np.float32]


def mean_square(response: Any) -> Any:
    return ops.mean(ops.square(response), axis=(1, 2))


def own_minus_others(responses: Any, filters: Any) -> Any:
    means = ops.mean(responses, axis=(1, 2))
    own = ops.take_along_axis(means, ops.reshape(filters, (-1, 1)), axis=1)[:, 0]
    return own - (ops.sum(means, axis=1) - own) / (means.shape[1] - 1)


energy = Objective(name="own_energy", score=mean_square, description="the mean square of each filter's response")
contrast = Objective(
    name="own_contrast",
    score=own_minus_others,
    description="how much more each filter responds than the others",
    label="own contrast",
    reads="all",
    is_linear=True,
)


def stretch(images: Images, contrast: float) -> npt.NDArray[np.uint8]:  # noqa: ARG001
    low, high = images.min((1, 2, 3), keepdims=True), images.max((1, 2, 3), keepdims=True)
    return np.asarray((images - low) / np.maximum(high - low, 1e-9) * 255, np.uint8)


stretched = ToneMapping(name="own_stretched", apply=stretch, description="darkest to brightest value")


def _peak(maximized: Maximized) -> Images:
    return maximized.peaks


def _darker(comparison: Comparison) -> npt.NDArray[np.bool_]:
    means = [tiles.mean(axis=(1, 2, 3)) for tiles in (comparison.tiles, comparison.before)]
    return np.asarray(means[0] < means[1])


peak = Statistic(name="own_peak", compute=_peak, description="largest response of any unit")
darker = Statistic(name="own_darker", compute=_darker, description="than before", reads="history", unit="flag")


@dataclass(frozen=True)
class Decay(AscentPart):
    name = "own_decay"
    description = "values that are far from 0 cost"
    weight: float = 0.1

    def penalty(self, images: Any) -> Any:
        return self.weight * ops.mean(ops.square(images), axis=(1, 2, 3))


@dataclass(frozen=True)
class Blur(AscentPart):
    name = "own_blur"
    description = "the gradient is smoothed"
    times: int = 4

    def precondition(self, gradient: Any) -> Any:
        for axis in [1, 2] * self.times:
            both = ops.roll(gradient, 1, axis=axis) + ops.roll(gradient, -1, axis=axis)
            gradient = gradient / 2 + both / 4
        return gradient


@dataclass(frozen=True)
class Jitter(AscentPart):
    name = "own_jitter"
    description = "the model is shown the image moved, at every step otherwise"
    rows: tuple[int, ...] = (0, 3)
    columns: tuple[int, ...] = (0, 0)

    def transform(self, images: Any, step: Any) -> Any:
        _, height, width, _ = images.shape
        for axis, size, table in ((1, height, self.rows), (2, width, self.columns)):
            moves = (np.arange(size) - np.array(table, np.int32)[:, None]) % size  # [steps, size]
            images = ops.take(images, ops.take(ops.convert_to_tensor(moves), step % len(table), axis=0), axis=axis)
        return images


@dataclass(frozen=True)
class KeptGray(AscentPart):
    name = "kept_gray"
    description = "the mean of every image stays"
    gray: float = 0.5

    def project(self, images: Any) -> Any:
        return images - ops.mean(images, axis=(1, 2, 3), keepdims=True) + self.gray


@dataclass(frozen=True)
class Clipped(AscentPart):
    name = "clipped"
    description = "values stay in their range"
    low: float = 0.4
    high: float = 0.6

    def project(self, images: Any) -> Any:
        return ops.clip(images, self.low, self.high)


class Idle(AscentPart):
    name = "idle"
    description = "takes no part"


def drawn(config: Config) -> bytes:
    """What is drawn of a model whose weights are the same in every process."""
    model = keras.Sequential(
        [
            keras.Input((10, 10, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Conv2D(5, 3, name="shown"),
        ]
    )
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.3, weights.shape) for weights in model.get_weights()])
    return maximize(model, "shown", [4, 0], config=config).images.tobytes()
