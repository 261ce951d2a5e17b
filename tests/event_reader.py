"""What TensorBoard's own reader finds in a log directory."""

from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from tb_filterviz.metadata import RECIPE_TAG, decode_metadata


def read_run(folder: Path) -> EventAccumulator:
    accumulator = EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return accumulator


def series(folder: Path, tag: str) -> dict[int, Any]:
    return {event.step: tensor_util.make_ndarray(event.tensor_proto) for event in read_run(folder).Tensors(tag)}


def steps(folder: Path, tag: str) -> list[int]:
    return [event.step for event in read_run(folder).Tensors(tag)]


def recipe_of(folder: Path) -> dict[str, Any]:
    """The run's first recipe."""
    content = read_run(folder).SummaryMetadata(RECIPE_TAG).plugin_data.content
    recipe: dict[str, Any] = decode_metadata(content)["recipe"]
    return recipe


def difference(folder: Path, other: Path, but: str = "") -> str:
    """The first tag and step at which two runs differ; empty if they hold the same, to the bit.

    Args:
        folder: of one.
        other: of the other.
        but: tags that hold this are passed over.
    """
    runs = read_run(folder), read_run(other)
    tags = [set(run.Tags()["tensors"]) - {RECIPE_TAG} for run in runs]  # which says who wrote it, in every file
    tags = [{tag for tag in of_run if not (but and but in tag)} for of_run in tags]
    if tags[0] != tags[1]:
        return f"tags {tags[0] ^ tags[1]}"
    for tag in sorted(tags[0]):
        events = [[(event.step, event.tensor_proto) for event in run.Tensors(tag)] for run in runs]
        if [step for step, _ in events[0]] != [step for step, _ in events[1]]:
            return f"{tag}: steps {[[step for step, _ in each] for each in events]}"
        for (step, one), (_, two) in zip(*events, strict=True):
            if one != two:
                return f"{tag} at step {step}"
    return ""
