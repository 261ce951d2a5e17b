"""Which step each checkpoint is of, by its name or as somebody says, and which are left out."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from tb_filterviz.checkpoints.epochs import epochs_of, families, patterns_for, says_the_same, what_tells_apart
from tb_filterviz.checkpoints.folders import Source, find, name_of
from tb_filterviz.checkpoints.formats import Checkpoint
from tb_filterviz.errors import ConfigError, StepError

Steps = str | Mapping[Path, int] | None  # a pattern, what was said of each, or what the names say

_HIGHEST_STEP = 2**63 - 1  # that event files hold
_LISTED = 8


class _NoStep(NamedTuple):
    """Why there is no step: of one that is left out, and before a list of those that are refused."""

    of_it: str
    of_these: str


_NO_EPOCH = _NoStep(
    "its name does not say clearly of which epoch it is", "The names do not say clearly of which epoch these are"
)
_Reading = int | _NoStep


@dataclass(frozen=True, slots=True)
class Placement:
    """What was found of each checkpoint.

    Attributes:
        steps: of those that have one.
        left_out: the others, which nobody named, and why.
        remark: what was taken for granted; empty if nothing was.
    """

    steps: Mapping[Path, int]
    left_out: Mapping[Path, str] = field(default_factory=dict)
    remark: str = ""


def said_steps(paths: Sequence[Source], steps: str | Sequence[int] | None) -> Steps:
    """Map each path to the step that was given for it, by the path of the checkpoint that it is; patterns stay.

    Raises:
        ConfigError: if there is not one whole number for each, or a path is of several checkpoints.
        StepError: if the numbers cannot be steps.
    """
    if steps is None or isinstance(steps, str):
        return steps
    if len(paths) != len(steps) or not all(isinstance(step, int) and not isinstance(step, bool) for step in steps):
        raise ConfigError(f"`steps` must be a whole number for each of the {len(paths)} paths. Received: {steps!r}")
    if len(set(steps)) < len(steps) or any(abs(step) >= 2**63 for step in steps):
        raise StepError(f"`steps` must differ, and fit 64 bits. Received: {steps!r}")
    said: dict[Path, int] = {}
    for path, step in zip(paths, steps, strict=True):
        found, wrong = find([path])
        checkpoints: list[Path] = [checkpoint.path for checkpoint in found] or list(wrong)
        if len(checkpoints) != 1:
            raise ConfigError(f"`steps` are for single checkpoints; there are {len(checkpoints)} in {str(path)!r}.")
        said[checkpoints[0]] = step
    return said


def steps_from_names(checkpoints: Sequence[Checkpoint], pattern: str | None = None) -> list[int]:
    """Find the step of each checkpoint, as `place` does, as if each had been named.

    Raises:
        StepError: if the names do not say, or say the same of two, with the list of them.
        ConfigError: if `pattern` is no such expression.
    """
    steps = place([replace(checkpoint, is_named=True) for checkpoint in checkpoints], pattern).steps
    return [steps[checkpoint.path] for checkpoint in checkpoints]


def place(checkpoints: Sequence[Checkpoint], steps: Steps = None, *, may_grow: bool = False) -> Placement:
    """Find the step of each checkpoint. Names count epochs from 1 and steps from 0, so ``epoch-01`` is step 0.

    Without a pattern, the epoch is what `epochs_of` reads in the names. Of a folder or a pattern of files, what does
    not say its epoch is left out. A checkpoint that is the only one, and whose name says no epoch, is step 0.

    Args:
        checkpoints: in any order.
        steps: a regular expression to find in the path; its group (the first, or the one named ``epoch``) is the
            epoch, counted from 1. A group named ``step`` is the step itself. Or the step of each path; or None.
        may_grow: others may come. A single one without an epoch is then left out, as are all if none says its epoch.

    Raises:
        StepError: if the names of those that somebody named do not say, or say the same of two, with the list of
            them; and if nothing is left.
        ConfigError: if `steps` is no such expression.
    """
    if isinstance(steps, Mapping):
        return Placement({checkpoint.path: steps[checkpoint.path] for checkpoint in checkpoints})
    if steps is not None:
        readings = list(map(_reader(steps), checkpoints))
    else:
        epochs = epochs_of(_labels(checkpoints))
        if len(checkpoints) == 1 and epochs == [None] and not may_grow:
            return _only_one(checkpoints[0])
        readings = [_NO_EPOCH if epoch is None else _storable(epoch - 1) for epoch in epochs]
    _refuse_what_has_none(checkpoints, readings, may_grow=may_grow)
    readings = _without_repeated(checkpoints, readings)
    pairs = list(zip(checkpoints, readings, strict=True))
    return Placement(
        {checkpoint.path: reading for checkpoint, reading in pairs if isinstance(reading, int)},
        {checkpoint.path: reading.of_it for checkpoint, reading in pairs if not isinstance(reading, int)},
    )


def _only_one(checkpoint: Checkpoint) -> Placement:
    remark = (
        f"{str(checkpoint)!r} does not say clearly in its name of which epoch it is, so it is step 0. Another step: "
        "--step N (steps=[N] in Python)."
    )
    return Placement({checkpoint.path: 0}, remark=remark)


def _reader(pattern: str) -> Callable[[Checkpoint], _Reading]:
    """Make what finds the step in a path, as the expression says."""
    expression = checked_pattern(pattern)
    group = next((name for name in ("step", "epoch") if name in expression.groupindex), None)

    def reading(checkpoint: Checkpoint) -> _Reading:
        match = expression.search(checkpoint.path.as_posix())
        if not match:
            no_match = f"'{pattern}' does not find an epoch in"
            return _NoStep(f"{no_match} its name", f"{no_match} the name of")
        text = match[group or 1]
        if not text or not text.isdecimal():
            no_number = f"'{pattern}' finds what is not a whole number: {text!r}"
            return _NoStep(no_number, f"{no_number}, in the name of")
        return _storable(int(text) - (group != "step"))

    return reading


def checked_pattern(pattern: str) -> re.Pattern[str]:
    """Compile what finds an epoch.

    Raises:
        ConfigError: if it is no regular expression, or has no group.
    """
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"`steps` must be a regular expression: {error}. Received: {pattern!r}") from error
    if not expression.groups:
        raise ConfigError(f"`steps` must have a group around the epoch, as in 'epoch-(\\d+)'. Received: {pattern!r}")
    return expression


def _storable(step: int) -> _Reading:
    if step <= _HIGHEST_STEP:
        return step
    too_high = f"would be of step {step}, and {_HIGHEST_STEP} is the highest"
    return _NoStep(f"it {too_high}", f"These {too_high}")


def _refuse_what_has_none(checkpoints: Sequence[Checkpoint], readings: Sequence[_Reading], *, may_grow: bool) -> None:
    """Refuse those that somebody named; and all, if nothing is left."""
    without = [pair for pair in zip(checkpoints, readings, strict=True) if not isinstance(pair[1], int)]
    refused = [pair for pair in without if pair[0].is_named]
    if not refused and len(without) == len(checkpoints) and not may_grow:
        refused = without
    reason = next((reading for _, reading in refused if not isinstance(reading, int)), None)
    if reason is None:
        return
    alike = [checkpoint for checkpoint, reading in refused if reading == reason]
    advice = [_LEAVE_OUT] if len(refused) < len(checkpoints) else [_how_to_say(alike)] if reason == _NO_EPOCH else []
    raise StepError("\n".join([f"{reason.of_these}:{_listing(alike)}", *advice]))


_LEAVE_OUT = (
    "Leave them out of the command, or name their folder or a pattern in quotes ('folder/*.h5'): of these, what does "
    "not say its epoch is left out."
)
_ONE_OF_THEM = (
    "Log one of them: it is step 0, or what --step says. Or give them names with their epochs: epoch-01, epoch-02."
)


def _how_to_say(doubtful: Sequence[Checkpoint]) -> str:
    """Say what helps; an expression only if it finds a step of its own for each."""
    labels = _labels(doubtful)
    ways = []
    if word := what_tells_apart(labels):
        ways.append(f"The numbers after {word!r} tell trainings apart: log each into a --logdir of its own.")
    for pattern in patterns_for(labels):
        steps = [reading for reading in map(_reader(pattern), doubtful) if isinstance(reading, int)]
        if len(set(steps)) == len(doubtful):
            ways.append(f"If these are epochs of one training: --steps-from '{pattern}' (steps=... in Python).")
            break
    return " ".join([*ways, "Or log one of them: it is step 0, or what --step says." if ways else _ONE_OF_THEM])


def _without_repeated(checkpoints: Sequence[Checkpoint], readings: Sequence[_Reading]) -> list[_Reading]:
    """Leave one checkpoint of each step: one that is named, or is among more that are named alike."""
    by_step: dict[int, list[int]] = {}
    for at, reading in enumerate(readings):
        if isinstance(reading, int):
            by_step.setdefault(reading, []).append(at)
    if all(len(places) == 1 for places in by_step.values()):
        return list(readings)
    labels = _labels(checkpoints)
    placed = [at for places in by_step.values() for at in places]
    groups = [[placed[each] for each in family] for family in families([labels[at] for at in placed])]
    size_of = {at: len(group) for group in groups for at in group}
    kept = list(readings)
    for step, places in by_step.items():
        if len(places) == 1:
            continue
        chosen = _of_the_same_step(checkpoints, labels, places, size_of)
        if chosen is None:
            raise StepError(
                f"These are of the same step, {step}:{_listing([checkpoints[at] for at in places])}\n"
                "Name one of them; or if they are of several trainings, log each training into a --logdir of its own; "
                "or see --steps-from."
            )
        for at in places:
            if at != chosen:
                kept[at] = _NoStep(f"it is of the same step as {str(checkpoints[chosen])!r}, {step}", "")
    return kept


def _of_the_same_step(
    checkpoints: Sequence[Checkpoint], labels: Sequence[str], places: Sequence[int], size_of: Mapping[int, int]
) -> int | None:
    """Choose one; None if two were named, or nothing says which."""
    named = [each for each in places if checkpoints[each].is_named]
    if named:
        return named[0] if len(named) == 1 else None
    largest = max(size_of[each] for each in places)
    first, *others = [each for each in places if size_of[each] == largest]
    return first if all(says_the_same(labels[first], labels[each]) for each in others) else None


def _labels(checkpoints: Sequence[Checkpoint]) -> list[str]:
    """Return the names; with the folders in which they differ, if they are in several."""
    folders = [checkpoint.path.absolute().parent for checkpoint in checkpoints]
    common = os.path.commonpath(folders) if folders else ""
    return [
        (folder.relative_to(common) / name_of(checkpoint)).as_posix()
        for folder, checkpoint in zip(folders, checkpoints, strict=True)
    ]


def _listing(checkpoints: Sequence[Checkpoint]) -> str:
    lines = [f"\n  {checkpoint}" for checkpoint in checkpoints[:_LISTED]]
    more = len(checkpoints) - _LISTED
    return "".join(lines) + (f"\n  ... and {more} more" if more > 0 else "")
