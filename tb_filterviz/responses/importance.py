"""What a network loses without a filter: by the slope of its loss, and by leaving the filter out.

Every filter gets a factor of 1, by which all that it passes on is multiplied. The slope of an example's loss to that
factor is the sum over the filter's units of the loss' gradient times what the unit passes on: to first order, what the
loss changes by when the filter falls silent. All filters of all layers are measured in one backward pass.

Source: Molchanov et al. (2017), "Pruning Convolutional Neural Networks for Resource Efficient Inference", equation 8:
the mean over examples of the slope's absolute value; there, divided by the number of units as well. With a factor of 0,
the same forward pass gives the exact accuracy without the filter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from tb_filterviz.errors import ConfigError
from tb_filterviz.examples.example_set import ExampleSet
from tb_filterviz.optvis import backends
from tb_filterviz.optvis.image_model import ImageModel
from tb_filterviz.optvis.probe import channel_axis, untouched
from tb_filterviz.responses.measure import changed_at_outlets
from tb_filterviz.responses.outlets import Outlet
from tb_filterviz.snapshots import Values

Array = npt.NDArray[np.float32]
Loss = Callable[[Any, Any], Any]  # of targets and answers, [n] or a scalar


@dataclass(frozen=True, slots=True)
class Importance:
    """Measures what hangs on each filter, again and again; compiled when it first runs.

    Attributes:
        examples: with targets.
        batches: gives images and targets, float ``[batch, ...]``, and how many of these count.
        channels: of each layer, how many filters it has.
        slopes: compiled; of factors ``[batch, all filters]``, images and targets: losses, and slopes of the factors.
        answers: compiled; of factors and images, what the model answers.
    """

    examples: ExampleSet
    batches: Callable[[], Any]
    channels: Sequence[int]
    slopes: Callable[..., Any]
    answers: Callable[..., Any]

    def by_slope(self) -> list[Values]:
        """Measure importance by Taylor expansion, float32 ``[filters]`` of each layer, in units of the loss."""
        total, count = np.zeros(sum(self.channels)), 0
        for images, targets, those in self.batches():
            ones = np.ones((len(images), sum(self.channels)), np.float32)
            _, slopes = self.slopes(*map(ops.convert_to_tensor, (ones, images, targets)))
            total += np.abs(ops.convert_to_numpy(slopes)[:those].astype(np.float64)).sum(axis=0)
            count += those
        return self._by_layer(total / count)

    def accuracy(self, left_out: int | None = None) -> float:
        """Measure the share of examples that are told right, with one filter left out, or none.

        Args:
            left_out: its place among the filters of all layers.
        """
        labels, right, count = self.examples.labels, 0, 0
        assert labels is not None
        for images, _, those in self.batches():
            factors = np.ones((len(images), sum(self.channels)), np.float32)
            if left_out is not None:
                factors[:, left_out] = 0
            answers = ops.convert_to_numpy(self.answers(*map(ops.convert_to_tensor, (factors, images))))
            right += int((told(answers)[:those] == labels[count : count + those]).sum())
            count += those
        return right / count

    def by_ablation(self, filters: Sequence[Sequence[int]]) -> list[Values]:
        """Measure how much accuracy is lost without each filter, float32 ``[filters]`` of each layer.

        Args:
            filters: of each layer, those that are left out, one after the other; others are not a number.
        """
        firsts = np.cumsum([0, *self.channels])
        places = [int(first) + filter_ for first, some in zip(firsts, filters, strict=False) for filter_ in some]
        with_all, lost = self.accuracy(), np.full(sum(self.channels), np.nan)
        for place in places:
            lost[place] = with_all - self.accuracy(place)
        return self._by_layer(lost)

    def _by_layer(self, values: npt.NDArray[np.float64]) -> list[Values]:
        return [each.astype(np.float32) for each in np.split(values, np.cumsum(self.channels)[:-1])]


def told(answers: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Read classes from answers ``[n, outputs]``: the largest; of one output, above one half, or 0 if it is a logit."""
    if answers.shape[1] > 1:
        return np.asarray(answers.argmax(axis=1), np.int64)
    least = 0.5 if _are_probabilities(answers) else 0.0
    return (answers[:, 0] > least).astype(np.int64)


def importance_of(
    image_model: ImageModel,
    outlets: Sequence[Outlet],
    channels: Sequence[int],
    examples: ExampleSet,
    batches: Callable[[], Any],
) -> Importance:
    """Make what measures importance.

    Args:
        image_model: the model.
        outlets: where each layer is read.
        channels: how many filters each has.
        examples: with targets.
        batches: see `Importance`.

    Raises:
        ConfigError: if there is no loss, or it does not take the targets.
    """
    loss, is_sum = loss_of(image_model, examples, batches)
    firsts = np.cumsum([0, *channels])

    def answers(factors: Any, images: Any) -> Any:
        def scaled(place: int, output: Any) -> Any:
            own = factors[:, int(firsts[place]) : int(firsts[place + 1])]
            rank = len(output.shape)
            shape = [output.shape[0], *[1] * (rank - 1)]
            shape[channel_axis(outlets[place].layer_call.layer) if rank > 2 else -1] = channels[place]
            return output * ops.cast(ops.reshape(own, shape), output.dtype)

        return changed_at_outlets(image_model, outlets, images, scaled)

    def losses(factors: Any, images: Any, targets: Any) -> Any:
        # of the mean of a batch, as Keras' losses are, times its size, each example's slope is its own
        answered = answers(factors, images)
        with untouched(image_model):
            mean = ops.mean(ops.cast(loss(targets, answered), "float32"))
        return ops.reshape(mean if is_sum else mean * images.shape[0], (1,))

    backend, model = backends.current(), image_model.model
    return Importance(
        examples=examples,
        batches=batches,
        channels=channels,
        slopes=backend.compiled(backend.value_and_gradient(losses), model),
        answers=backend.compiled(answers, model),
    )


def loss_of(image_model: ImageModel, examples: ExampleSet, batches: Callable[[], Any]) -> tuple[Loss, bool]:
    """Choose the loss that importance is measured in: the one that the model was compiled with, or cross-entropy.

    Returns:
        The loss, and whether it sums over a batch; if not, it averages.

    Raises:
        ConfigError: if there are no labels, or nothing says how answers are compared with them.
    """
    if examples.targets is None:
        raise ConfigError(
            "Importance is measured by the loss, and `examples` has no labels: give a pair (images, labels), or "
            "Examples(..., importance='never')."
        )
    images, targets, _ = next(iter(batches()))
    with untouched(image_model):
        answered = image_model.look(ops.convert_to_tensor(images))
    shape = tuple(getattr(answered, "shape", ()))
    if len(shape) != 2:
        raise ConfigError(
            "Importance and ablation need a model that answers an image with one row of numbers; this one answers "
            f"{shape or type(answered).__name__}. Examples(..., importance='never') leaves them out."
        )
    compiled = getattr(image_model.model, "_compile_loss", None)
    candidates: list[Loss] = [] if compiled is None else [_compiled(image_model.model)]
    if examples.labels is not None and len(examples.class_names) == max(shape[1], 2):  # or else it is no classifier
        candidates.append(_cross_entropy(shape[1], _are_probabilities(ops.convert_to_numpy(answered))))
    first_error: Exception | None = None
    for loss in candidates:
        try:
            with untouched(image_model):
                value, of_one = (
                    float(np.mean(ops.convert_to_numpy(loss(ops.convert_to_tensor(given), answers))))
                    for given, answers in (
                        (np.repeat(targets[:1], len(targets), axis=0), ops.repeat(answered[:1], len(targets), axis=0)),
                        (targets[:1], answered[:1]),
                    )
                )
                loss(ops.convert_to_tensor(targets), answered)
        except Exception as error:  # a loss for rows with a single 1 refuses numbers of classes, as do many
            first_error = first_error or error
            continue
        if np.isfinite(value):
            return loss, len(targets) > 1 and abs(value) > abs(of_one) * (1 + len(targets)) / 2
    reason = f" ({type(first_error).__name__}: {' '.join(str(first_error).split())[:150]})" if first_error else ""
    raise ConfigError(
        f"Importance is measured by the loss, and the model has none that takes these labels{reason}. Compile it with "
        "its loss, or give Examples(..., importance='never')."
    )


def _compiled(model: keras.Model) -> Loss:
    return lambda targets, answers: model.compute_loss(y=targets, y_pred=answers)


def _are_probabilities(answers: npt.NDArray[Any]) -> bool:
    rows = np.asarray(answers, np.float64)
    sums_to_one = bool(np.allclose(rows.sum(axis=1), 1, atol=1e-3)) if rows.shape[1] > 1 else True
    return bool((rows >= 0).all() and (rows <= 1).all() and sums_to_one)


def _cross_entropy(classes: int, are_probabilities: bool) -> Loss:
    from_logits = not are_probabilities

    def loss(targets: Any, answers: Any) -> Any:
        answers = ops.cast(answers, "float32")
        if classes == 1:
            return ops.binary_crossentropy(
                ops.reshape(ops.cast(targets, "float32"), (-1, 1)), answers, from_logits=from_logits
            )
        if len(targets.shape) == 2 and targets.shape[1] == classes:
            return ops.categorical_crossentropy(ops.cast(targets, "float32"), answers, from_logits=from_logits)
        flat = ops.reshape(ops.cast(targets, "int32"), (-1,))
        return ops.sparse_categorical_crossentropy(flat, answers, from_logits=from_logits)

    return loss
