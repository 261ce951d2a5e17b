"""The weights of a checkpoint into a model: all of them, or an error and none."""

import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from tb_filterviz.checkpoints import archive, hdf5, tf_checkpoint
from tb_filterviz.checkpoints.formats import Checkpoint, Kind
from tb_filterviz.checkpoints.hdf5 import Array, Shape
from tb_filterviz.checkpoints.saved_model import variables_of
from tb_filterviz.error_context import circumstance
from tb_filterviz.errors import CheckpointError, CheckpointWarning

_SUFFIX = {  # Keras goes by the name
    Kind.WEIGHTS: ".weights.h5",
    Kind.LEGACY_MODEL: ".h5",
    Kind.LEGACY_WEIGHTS: ".h5",
}
_LONGEST_REASON = 400  # characters
_METRICS = ("metrics", "_metrics", "_compile_metrics", "_loss_tracker")  # where `compile` puts them
_WRAPPERS = {  # of tensorflow_model_optimization, by a part of their names; what takes them off again
    "prunelowmagnitude": "strip_pruning(model)",
    "clusterweights": "strip_clustering(model)",
}
_BESIDE_WEIGHTS = (keras.optimizers.Optimizer, keras.metrics.Metric)


def assign_all(model: keras.Model, values: Iterable[Any]) -> None:
    """Set all of `model.weights`, in their order, and what the model derives from them.

    `model.set_weights` leaves the latter as it was: a `Normalization` goes on with its old mean and variance.
    """
    for weight, value in zip(model.weights, values, strict=True):
        weight.assign(value)
    finalize(model)


def finalize(model: keras.Model) -> None:
    """Have every layer, however deep, derive anew what it keeps beside its weights, as after `adapt`."""
    for layer in model._flatten_layers():  # `model.layers` ends at nested models and at wrappers
        if layer.built and layer.weights and hasattr(layer, "finalize_state"):
            layer.finalize_state()


def set_weights(model: keras.Model, checkpoint: Checkpoint) -> int:
    """Set every weight of a built model to what the checkpoint holds.

    Returns:
        How many arrays were set: all that the model has.

    Raises:
        CheckpointError: if the checkpoint is damaged, does not hold all of the model's weights, or holds others
            besides; it names the first that does not fit. The model is as it was before.
    """
    if not model.weights:
        state = "has no weights" if model.built else "is not built; call it once on an image"
        raise CheckpointError(f"{_intro(checkpoint)} cannot be loaded: model {model.name!r} {state}.")
    before = model.get_weights()
    try:
        if checkpoint.kind in (Kind.TF_CHECKPOINT, Kind.SAVED_MODEL):
            _set_from_tensorflow(model, checkpoint)
        else:
            _set_from_hdf5(model, checkpoint)
    except BaseException:
        assign_all(model, before)
        raise
    return len(before)


class Stored(NamedTuple):
    """How much a checkpoint stores; what is an optimizer's may be in it."""

    arrays: int
    numbers: int


def stored(checkpoint: Checkpoint) -> Stored:
    """Count the arrays that the checkpoint stores, and the numbers in them."""
    if checkpoint.kind in (Kind.TF_CHECKPOINT, Kind.SAVED_MODEL):
        shapes = list(tf_checkpoint.Reader(_prefix(checkpoint)).shapes.values())
    elif checkpoint.kind is Kind.MODEL:
        with archive.unpacked_weights(checkpoint.path) as path:
            shapes = [array.shape for array in hdf5.arrays(path, of=checkpoint.path).values()]
    else:
        shapes = [array.shape for array in hdf5.arrays(checkpoint.path).values()]
    return Stored(len(shapes), sum(map(math.prod, shapes)))


@contextmanager
def _hdf5_file(checkpoint: Checkpoint) -> Iterator[Path]:
    """Provide the weights as a file of our own, under a name that Keras takes for what it is."""
    with (
        archive.unpacked_weights(checkpoint.path)
        if checkpoint.kind is Kind.MODEL
        else hdf5.private_copy(checkpoint.path, _SUFFIX[checkpoint.kind])
    ) as path:
        yield path


def _prefix(checkpoint: Checkpoint) -> Path:
    return variables_of(checkpoint.path) if checkpoint.kind is Kind.SAVED_MODEL else checkpoint.path


def _set_from_hdf5(model: keras.Model, checkpoint: Checkpoint) -> None:
    if checkpoint.kind in (Kind.LEGACY_MODEL, Kind.LEGACY_WEIGHTS):
        _warn_of_flipped_kernels(checkpoint)
    with _hdf5_file(checkpoint) as path:
        arrays = hdf5.arrays(path, of=checkpoint.path)
        unset = _weights_left_unset(model, lambda: _load_with_keras(model, path, checkpoint))
    _check_none_unset(model, unset, checkpoint)
    _check_none_unused(model, _of_the_model(arrays, model, checkpoint.kind), checkpoint)


def _of_the_model(arrays: dict[str, Array], model: keras.Model, kind: Kind) -> dict[str, Shape]:
    """Leave out the states of optimizers, metrics and random number generators."""
    optimizers = {  # as Keras saves them: the number of iterations first
        name.removesuffix("/vars/0")
        for name, array in arrays.items()
        if name.endswith("/vars/0") and array.is_integer and array.shape == ()
    }

    def is_of_the_model(name: str) -> bool:
        if kind is Kind.LEGACY_MODEL:
            return name.startswith("model_weights/")
        return kind is Kind.LEGACY_WEIGHTS or not _is_beside(name, model, optimizers)

    return {
        name: array.shape
        for name, array in arrays.items()
        if is_of_the_model(name) and "seed_generator" not in name.split("/")
    }


def _is_beside(name: str, owner: Any, optimizers: set[str]) -> bool:
    """Tell whether an array belongs to an optimizer or a metric: by the model's attribute, or else by its looks."""
    groups = name.split("/")[:-1]
    for depth, group in enumerate(groups):
        owner = getattr(owner, group, None)
        if isinstance(owner, keras.Layer):
            continue
        is_metric = group in _METRICS and groups[depth - 1 : depth] != ["layers"]
        if isinstance(owner, _BESIDE_WEIGHTS) or is_metric or "/".join(groups[: depth + 1]) in optimizers:
            return True
    return False


def _load_with_keras(model: keras.Model, path: Path, checkpoint: Checkpoint) -> None:
    is_legacy = checkpoint.kind in (Kind.LEGACY_MODEL, Kind.LEGACY_WEIGHTS)
    try:
        with warnings.catch_warnings():  # what Keras leaves out with a warning, we find and refuse
            warnings.filterwarnings("ignore", message="Skipping nested container", category=UserWarning)
            model.load_weights(str(path), **({} if is_legacy else {"objects_to_skip": _beside_weights(model)}))
    except Exception as error:  # Keras raises whatever the file makes it stumble over
        if around := circumstance(error):
            raise CheckpointError(f"{_intro(checkpoint)} cannot be loaded: {around}.") from error
        wrapped = advice_if_wrapped(" ".join(hdf5.arrays(path, of=checkpoint.path)))
        raise CheckpointError(
            f"{_intro(checkpoint)} do not fit {model.name!r}. {wrapped or _first_mismatch(error)}"
        ) from error


def advice_if_wrapped(text: str) -> str:
    """Say what helps if a text names layers that prune or cluster others; empty if it does not."""
    squeezed = text.lower().replace("_", "")
    strips = [strip for part, strip in _WRAPPERS.items() if part in squeezed]
    return (
        f"Its layers are still wrapped for pruning or clustering: in the program that made it, {strips[0]} of "
        "tensorflow_model_optimization first, then save that."
        if strips
        else ""
    )


def _beside_weights(model: keras.Model) -> list[Any]:
    """Optimizers and metrics: Keras would load their states as well, and refuse files that have none."""

    def members(value: Any) -> Iterable[Any]:
        return value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else [value]

    attributes = [value for layer in model._flatten_layers() for value in vars(layer).values()]
    return [member for value in attributes for member in members(value) if isinstance(member, _BESIDE_WEIGHTS)]


def _first_mismatch(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    if "Example error message for object" in text:
        text = text.partition("\n\n")[2] or text
    text = re.sub(r"<\w*Variable path=([^,>]+).*", r"\1", text, flags=re.DOTALL)  # it goes on with all values
    return " ".join(text.partition("\n\n")[0].split())[:_LONGEST_REASON]


def _intro(checkpoint: Checkpoint) -> str:
    return f"The weights in {str(checkpoint)!r} ({checkpoint.kind.value})"


def _weights_left_unset(model: keras.Model, load: Callable[[], None]) -> list[int]:
    """List the weights that `load` does not touch: those that keep a mark, whatever the mark."""
    suspects = [place for place, weight in enumerate(model.weights) if weight.dtype != "bool"]
    for mark in (61.0, 3.0):  # exact in every type; by chance, a file may hold one of them, not both
        for place in suspects:
            weight = model.weights[place]
            weight.assign(keras.ops.full(weight.shape, mark, weight.dtype))
        load()
        values = [np.asarray(keras.ops.convert_to_numpy(model.weights[place]), np.float32) for place in suspects]
        suspects = [
            place for place, value in zip(suspects, values, strict=True) if value.size and (value == mark).all()
        ]
        if not suspects:
            break
    return suspects


def _check_none_unset(model: keras.Model, unset: list[int], checkpoint: Checkpoint) -> None:
    if unset:
        first = model.weights[unset[0]]
        raise CheckpointError(
            f"{_intro(checkpoint)} do not fit {model.name!r}: they set {len(model.weights) - len(unset)} of its "
            f"{len(model.weights)} arrays. The first without a value is {first.path!r}, of shape {tuple(first.shape)}."
        )


def _check_none_unused(model: keras.Model, stored: dict[str, Shape], checkpoint: Checkpoint) -> None:
    unmatched = Counter(tuple(weight.shape) for weight in model.weights)
    for name, shape in stored.items():
        unmatched[shape] -= 1
        if unmatched[shape] < 0:
            raise CheckpointError(
                f"{_intro(checkpoint)} do not fit {model.name!r}: there are {len(stored)} arrays in it, and the model "
                f"has {len(model.weights)}. The first that it has no place for is {name!r}, of shape {shape}."
            )


def _set_from_tensorflow(model: keras.Model, checkpoint: Checkpoint) -> None:
    reader = tf_checkpoint.Reader(_prefix(checkpoint))
    pairs = reader.pairs(model)
    _check_none_unset(model, [place for place in range(len(model.weights)) if place not in pairs], checkpoint)
    for place, key in pairs.items():
        weight, shape = model.weights[place], reader.shapes.get(key)
        if shape != tuple(weight.shape):
            raise CheckpointError(
                f"{_intro(checkpoint)} do not fit {model.name!r}: {weight.path!r} is of shape {tuple(weight.shape)}, "
                f"and {key!r} of {shape}."
            )
    _check_none_unused(model, _near(set(pairs.values()), reader), checkpoint)
    assign_all(model, (reader.value(pairs[place]) for place in range(len(model.weights))))


def _near(used: set[str], reader: tf_checkpoint.Reader) -> dict[str, Shape]:
    """List what a TensorFlow checkpoint keeps beside the weights: not its optimizer, counters, averages."""

    def place(key: str) -> str:
        return key.split("/")[0].rstrip("0123456789")

    places = {place(key) for key in used}
    beside = ("OPTIMIZER_SLOT", "optimizer", "keras_api", "_metrics", "loss_tracker")
    return {
        key: shape
        for key, shape in reader.shapes.items()
        if key in used
        or (place(key) in places and shape and key not in reader.integers and not any(word in key for word in beside))
    }


def _warn_of_flipped_kernels(checkpoint: Checkpoint) -> None:
    backend = hdf5.attribute(checkpoint.path, "backend") or hdf5.attribute(checkpoint.path, "backend", "model_weights")
    if backend not in (None, "tensorflow", "jax", "torch"):
        warnings.warn(
            f"{str(checkpoint)!r} was written by Keras on {backend}, which may keep the kernels of convolutions "
            "rotated by 180 degrees. They are used as they are: compare the model's predictions with what they "
            "ought to be.",
            CheckpointWarning,
            stacklevel=2,
        )
