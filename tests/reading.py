"""What TensorBoard's own reader finds in a log directory."""

from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util


def read_run(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return accumulator


def series(folder: Path, tag: str) -> dict[int, Any]:
    return {event.step: tensor_util.make_ndarray(event.tensor_proto) for event in read_run(folder).Tensors(tag)}


def steps(folder: Path, tag: str) -> list[int]:
    return [event.step for event in read_run(folder).Tensors(tag)]
