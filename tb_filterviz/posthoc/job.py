"""What a process does that draws checkpoints: one model, compiled once, with ever new weights."""

import io
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from tb_filterviz.checkpoints import Architecture, Checkpoint
from tb_filterviz.checkpoints.weights import Stored, set_weights
from tb_filterviz.config import Config
from tb_filterviz.errors import FilterVizError, WorkerError
from tb_filterviz.records import LayerDrawing
from tb_filterviz.session import Session

_ONE_AT_A_TIME = threading.Lock()  # a pool of threads shares the model


OtherInputs = tuple[tuple[str, bytes], ...]  # by name, as .npy: hashable


def packed(other_inputs: Mapping[str, Any]) -> OtherInputs:
    """Arrays as they travel to another process."""
    contents = []
    for name, value in other_inputs.items():
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(value), allow_pickle=False)
        contents.append((name, buffer.getvalue()))
    return tuple(contents)


@dataclass(frozen=True, slots=True)
class Job:
    """All that a process has to know to draw like any other: small, hashable, and picklable."""

    architecture: Architecture
    unsafe: bool
    stored: Stored  # what there is for its weights
    config: Config
    layers: tuple[str, ...]  # their paths
    other_inputs: OtherInputs


def draw_with(session: Session, checkpoint: Checkpoint) -> list[LayerDrawing]:
    """What the filters respond to with the weights of the checkpoint.

    Raises:
        CheckpointError: if it cannot be loaded.
    """
    set_weights(session.model, checkpoint)
    return session.draw()


def draw(job: Job, checkpoint: Checkpoint) -> list[LayerDrawing]:
    """The same, in a process that keeps the model of its last job.

    Raises:
        FilterVizError: whatever goes wrong; other exceptions may not find their way back to another process.
    """
    try:
        with _ONE_AT_A_TIME:
            return draw_with(_session(job), checkpoint)
    except FilterVizError:
        raise
    except Exception as error:
        raise WorkerError(f"{type(error).__name__}: {error}") from None


@lru_cache(maxsize=1)
def _session(job: Job) -> Session:
    model = job.architecture.build(unsafe=job.unsafe, stored=job.stored)
    others = {name: np.load(io.BytesIO(content)) for name, content in job.other_inputs}
    return Session(model, layers=job.layers, config=job.config, other_inputs=others)
