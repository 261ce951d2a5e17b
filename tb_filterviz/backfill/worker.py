"""What a process does that draws checkpoints: one model, compiled once, with ever new weights."""

import io
import pickle
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tb_filterviz.checkpoints.architecture import Architecture
from tb_filterviz.checkpoints.formats import Checkpoint
from tb_filterviz.checkpoints.weights import Stored, set_weights
from tb_filterviz.config import Config
from tb_filterviz.errors import ConfigError, FilterVizError, WorkerError
from tb_filterviz.examples.settings import Examples
from tb_filterviz.session import Session
from tb_filterviz.snapshots import LayerDrawing

_ONE_AT_A_TIME = threading.Lock()  # a pool of threads shares the model


OtherInputs = tuple[tuple[str, bytes], ...]  # by name, as .npy: hashable


def packed(other_inputs: Mapping[str, Any]) -> OtherInputs:
    """Pack arrays for another process."""
    contents = []
    for name, value in other_inputs.items():
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(value), allow_pickle=False)
        contents.append((name, buffer.getvalue()))
    return tuple(contents)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that a process has to know to draw like any other.

    Attributes:
        architecture: of the model.
        unsafe: whether code may run that its file holds.
        stored: what there is for its weights.
        config: how filters are drawn.
        layers: paths of the layers to draw.
        other_inputs: what the model's inputs are that are not the image.
        examples: on which is measured what filters do, read already; None for none.
    """

    architecture: Architecture
    unsafe: bool
    stored: Stored
    config: Config
    layers: tuple[str, ...]
    other_inputs: OtherInputs
    examples: Examples | None = None


def packed_job(job: Job) -> bytes:
    """Pickle a job: equal jobs are equal bytes, whatever parts of its owner's it holds.

    Raises:
        ConfigError: if a part cannot reach another process.
    """
    try:
        return pickle.dumps(job)
    except Exception as error:
        raise ConfigError(
            f"What is drawn cannot be sent to other processes: {type(error).__name__}: {error}. The functions of "
            "objectives, tone mappings, statistics and parts of the ascent have to stand at the top of a module."
        ) from error


def draw_with(session: Session, checkpoint: Checkpoint) -> list[LayerDrawing]:
    """Draw what the filters respond to with the weights of the checkpoint.

    Raises:
        CheckpointError: if it cannot be loaded.
    """
    set_weights(session.model, checkpoint)
    return session.draw()


def draw(packed: bytes, checkpoint: Checkpoint) -> list[LayerDrawing]:
    """Draw what the filters respond to with the weights of the checkpoint; the model of the last job is kept.

    Args:
        packed: a `Job`, as `packed_job` makes it.
        checkpoint: whose weights.

    Raises:
        FilterVizError: whatever goes wrong; other exceptions may not find their way back to another process.
    """
    try:
        with _ONE_AT_A_TIME:
            return draw_with(_session(packed), checkpoint)
    except FilterVizError:
        raise
    except Exception as error:
        raise WorkerError(f"{type(error).__name__}: {error}") from None


@lru_cache(maxsize=1)
def _session(packed: bytes) -> Session:
    job: Job = pickle.loads(packed)  # made by the process that started this one
    model = job.architecture.build(unsafe=job.unsafe, stored=job.stored)
    others = {name: np.load(io.BytesIO(content)) for name, content in job.other_inputs}
    return Session(model, layers=job.layers, config=job.config, other_inputs=others, examples=job.examples)
