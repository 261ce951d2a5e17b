"""Any saved model or file of weights, to a model with its weights."""

from collections.abc import Sequence
from pathlib import Path

import keras

from tb_filterviz.checkpoints.architecture import Architecture
from tb_filterviz.checkpoints.formats import Checkpoint, recognise
from tb_filterviz.checkpoints.sources import ModelSource, description_for
from tb_filterviz.checkpoints.weights import set_weights, stored


def architecture_of(
    checkpoint: Checkpoint, model: ModelSource | Architecture | None = None, image_shape: Sequence[int] | None = None
) -> Architecture:
    """Find the architecture that a checkpoint belongs to: as `model` says, or else as the checkpoint itself does.

    Raises:
        CheckpointError: if the checkpoint holds weights only, and `model` is None.
        ConfigError: if `model` says nothing that is known.
    """
    if isinstance(model, Architecture):
        return model
    return Architecture(*description_for(checkpoint, model, image_shape))


def load_model(
    path: str | Path,
    model: ModelSource | Architecture | keras.Model | None = None,
    *,
    unsafe: bool = False,
    image_shape: Sequence[int] | None = None,
) -> keras.Model:
    """Load a model with the weights that the file holds.

    Args:
        path: Keras 3 (``.keras``, ``.weights.h5``), Keras 2 (whole models or weights in HDF5), a TensorFlow
            checkpoint, or a SavedModel; told by content, whatever its name.
        model: the architecture: ``"lenet"``, ``"package.module:factory"``, a file that holds one, or a function; or
            a built model, whose weights are set in place. None if the file itself says it.
        unsafe: load whatever the file names, and run its code. Only for files of people whom you trust.
        image_shape: ``(height, width)`` of the images of a ``"lenet"`` that is not for 28 x 28 pixels.

    Raises:
        CheckpointError: if the file is damaged, is something else, does not fit, or needs an architecture.
        ConfigError: if `model` is nothing that is known.
    """
    checkpoint = recognise(path)
    if isinstance(model, keras.Model):
        built = model
    else:
        built = architecture_of(checkpoint, model, image_shape).build(unsafe=unsafe, stored=stored(checkpoint))
    set_weights(built, checkpoint)
    return built


def load_weights(model: keras.Model, path: str | Path) -> int:
    """Set all weights of a built model to what the file holds.

    Returns:
        How many arrays were set.

    Raises:
        CheckpointError: if the file is damaged, is something else, or does not fit; the model is then as it was.
    """
    return set_weights(model, recognise(path))
