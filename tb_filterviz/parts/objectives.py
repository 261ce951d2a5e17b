"""Objectives: from what a layer answers to an image, to the one score that the ascent raises."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tb_filterviz.errors import ConfigError
from tb_filterviz.parts.registry import LONGEST_TEXT, check_callable, check_texts, registered, resolve

AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What is maximized: a score of image ``i`` for its filter ``f_i``.

    Objectives add, subtract and scale: ``channel_mean - 0.5 * other`` is an objective.

    ```python
    from keras import ops

    def mean_square(response):  # at the top of a module, so that worker processes can import it
        return ops.mean(ops.square(response), axis=(1, 2))

    energy = Objective(name="energy", score=mean_square, description="the mean square of each filter's response")
    tb_filterviz.maximize(model, "conv2d_2", [3, 42], config=Config(objective=energy))
    ```

    Attributes:
        name: what it is called in settings and in the log.
        score: with ``reads="own"`` a function ``score(response)`` of float32 ``[n, h, w]``, what filter ``f_i`` answers
            to image ``i`` before the layer's own activation; with ``reads="all"`` a function
            ``score(responses, filters)`` of float32 ``[n, h, w, channels]`` and int32 ``[n]``. Returns scores ``[n]``.
            Written with `keras.ops`, it runs on every backend.
        description: completes the sentence "The inputs that maximize ...".
        label: what the tab calls it; without it, the name.
        reads: ``"own"``, the filter's own channel (which may cost far less), or ``"all"`` channels of the layer.
        is_linear: True if the score is linear, up to a constant, in the response. Then the layer itself can be left out
            of the steps of the ascent, where it is linear in its input. Wrongly said, pictures are wrong.
        is_local: True if the score depends on the centre unit ``(h // 2, w // 2)`` alone, so that pictures can be cut
            to what this unit sees, its receptive field.

    Raises:
        ConfigError: if a field cannot work.
    """

    name: str
    score: Callable[..., Any]
    description: str
    label: str = ""
    reads: Literal["own", "all"] = "own"
    is_linear: bool = False
    is_local: bool = False

    def __post_init__(self) -> None:
        check_texts("objective", name=self.name, label=self.label, description=self.description)
        check_callable("objective", self.name, "score", self.score)
        if self.reads not in ("own", "all"):
            raise ConfigError(f"`reads` of objective {self.name!r} must be 'own' or 'all'. Received: {self.reads!r}")

    def __add__(self, other: "Objective") -> "Objective":
        if not isinstance(other, Objective):
            return NotImplemented
        return _weighted_sum((*_terms(self), *_terms(other)))

    def __sub__(self, other: "Objective") -> "Objective":
        if not isinstance(other, Objective):
            return NotImplemented
        return self + -other

    def __mul__(self, factor: float) -> "Objective":
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not math.isfinite(factor):
            return NotImplemented
        return _weighted_sum(tuple((weight * factor, objective) for weight, objective in _terms(self)))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> "Objective":
        if isinstance(divisor, bool) or not isinstance(divisor, int | float) or not divisor:
            return NotImplemented
        return self * (1 / divisor)

    def __radd__(self, start: object) -> "Objective":
        return self if start == 0 else NotImplemented  # what `sum` begins with

    def __neg__(self) -> "Objective":
        return -1.0 * self


Terms = tuple[tuple[float, Objective], ...]


@dataclass(frozen=True)
class _WeightedSum:
    """The scores of several objectives, summed. A class and no closure: it has to reach other processes."""

    terms: Terms

    def __call__(self, response: Any, filters: Any = None) -> Any:
        own = response if filters is None else own_channel(response, filters)
        total: Any = 0.0
        for weight, objective in self.terms:
            score = objective.score(response, filters) if objective.reads == "all" else objective.score(own)
            total = total + weight * score
        return total


def _terms(objective: Objective) -> Terms:
    return objective.score.terms if isinstance(objective.score, _WeightedSum) else ((1.0, objective),)


def _weighted_sum(terms: Terms) -> Objective:
    if len(terms) == 1 and terms[0][0] == 1:
        return terms[0][1]
    return Objective(
        name=_joined(terms, " + ", " - ", " * ", lambda objective: objective.name),
        score=_WeightedSum(terms),
        description=_joined(terms, " plus ", " minus ", " times ", lambda objective: objective.description),
        label=_joined(terms, " + ", " − ", " × ", lambda objective: objective.label or objective.name),  # noqa: RUF001
        reads="all" if any(objective.reads == "all" for _, objective in terms) else "own",
        is_linear=all(objective.is_linear for _, objective in terms),
        is_local=all(objective.is_local for _, objective in terms),
    )


def _joined(terms: Terms, plus: str, minus: str, times: str, text_of: Callable[[Objective], str]) -> str:
    text = ""
    for weight, objective in terms:
        size = abs(weight)
        term = text_of(objective) if size == 1 else f"{size:g}{times}{text_of(objective)}"
        sign = minus if weight < 0 else plus
        text += (sign if text else "minus " if weight < 0 and minus == " minus " else "-" if weight < 0 else "") + term
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."


def own_channel(responses: Any, filters: Any) -> Any:
    """Pick from ``[n, h, w, channels]`` what filter ``filters[i]`` answers to image ``i``: ``[n, h, w]``."""
    from keras import ops  # here, so that settings can be made where Keras is not installed

    return ops.take_along_axis(responses, ops.reshape(filters, (-1, 1, 1, 1)), axis=-1)[..., 0]


def _channel_mean(response: Any) -> Any:
    from keras import ops

    return ops.mean(response, axis=(1, 2))


def _center_unit(response: Any) -> Any:
    return response[:, response.shape[1] // 2, response.shape[2] // 2]


channel_mean = Objective(
    name="channel_mean",
    score=_channel_mean,
    description="the mean of each filter's response over the image",
    label="channel mean",
    is_linear=True,
)
"""The mean over height and width, ``[n, h, w]`` to ``[n]``: what lucid calls *channel*.

Source: Erhan et al. (2009), "Visualizing higher-layer features of a deep network"; F. Chollet (2016).
"""

center_unit = Objective(
    name="center_unit",
    score=_center_unit,
    description="the response of each filter's centre unit",
    label="centre unit",
    is_linear=True,
    is_local=True,
)
"""The unit in the middle, ``[n, h, w]`` to ``[n]``: what lucid calls *neuron*. Its picture is a receptive field."""

OBJECTIVES = registered((channel_mean, center_unit))


def objective_of(objective: object) -> Objective:
    """Return the objective itself, or the one of that name.

    Raises:
        ConfigError: if it is neither.
    """
    return resolve(objective, OBJECTIVES, Objective, "objective", also=[AUTO])
