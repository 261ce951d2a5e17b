"""Which epoch a checkpoint is of, read from its name; and which checkpoints a folder holds."""

import glob
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from tb_filterviz.checkpoints.formats import Checkpoint, Kind, recognise
from tb_filterviz.errors import CheckpointError, ConfigError, StepError

_NUMBER = re.compile(r"\d+(?:\.\d+)*(?:e[+-]?\d+)?", re.IGNORECASE)
_EPOCH_AND_VALUE = re.compile(r"(\d+)\.\d+\.\d+(?:e[+-]?\d+)?", re.IGNORECASE)  # {epoch:02d}.{val_loss:.2f}
_KEYWORD = re.compile(rf"(?:epoch|ckpt)[-_. =]*({_NUMBER.pattern})", re.IGNORECASE)
_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d([-_.]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])|\d\d([-_.])\d\d\2(?:19|20)\d\d)(?!\d)"
)
_MOST_DIGITS = 8  # of an epoch or a count of batches; ten digits are a time
_HIGHEST_STEP = 2**63 - 1  # that event files hold
_SUFFIXES = (".weights.h5", ".weights.json", ".keras", ".hdf5", ".h5", ".index")
_LISTED = 8


def find(paths: Iterable[str | Path]) -> tuple[list[Checkpoint], dict[Path, CheckpointError]]:
    """Find the checkpoints that the paths name, each once, and what is wrong with the others.

    A folder stands for all checkpoints in it (not for those in its sub-folders); what else is in there is passed over,
    unless its name is a checkpoint's.
    """
    found: dict[Path, Checkpoint] = {}
    wrong: dict[Path, CheckpointError] = {}
    for path, is_named in candidates(paths):
        try:
            checkpoint = recognise(path)
        except CheckpointError as error:
            if is_named:
                wrong[path] = error
        else:
            found.setdefault(checkpoint.path, checkpoint)
    return list(found.values()), wrong


def candidates(paths: Iterable[str | Path]) -> list[tuple[Path, bool]]:
    """Every path to look at, and whether it has to be a checkpoint: by its suffix, or because somebody named it.

    A pattern (``run/*.h5``) stands for what it matches, unless there is a file of this name.
    """
    listed = []
    for path in (found for given in paths for found in _expanded(Path(given))):
        try:
            if path.is_dir() and not _is_saved_model(path):
                listed += _members(path)
                continue
        except OSError:  # `recognise` says which
            pass
        listed.append((path, path.name != "checkpoint"))  # TensorFlow's note of the latest: in every glob
    return listed


def _expanded(path: Path) -> list[Path]:
    if not glob.has_magic(str(path)) or os.path.lexists(path):
        return [path]
    return [Path(found) for found in sorted(glob.glob(str(path), recursive=True))] or [path]


def _members(folder: Path) -> list[tuple[Path, bool]]:
    """Leave out hidden files, as macOS puts one beside every file; links to nowhere are for `recognise` to refuse."""
    listed = []
    for member in sorted(folder.iterdir()):
        is_named = member.name.endswith(_SUFFIXES)
        is_candidate = member.is_file() or _is_saved_model(member) or (is_named and not member.is_dir())
        if is_candidate and not member.name.startswith("."):
            listed.append((member, is_named))
    return listed


def _is_saved_model(folder: Path) -> bool:
    return (folder / "saved_model.pb").exists()


def name_of(checkpoint: Checkpoint) -> str:
    """Return the checkpoint's name without what only says its format."""
    name = checkpoint.path.name
    if checkpoint.kind not in (Kind.TF_CHECKPOINT, Kind.SAVED_MODEL):
        name = next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)
    return name


def steps_from_names(checkpoints: Sequence[Checkpoint], pattern: str | None = None) -> list[int]:
    """Find the step of each checkpoint. Names count epochs from 1 and steps from 0, so ``epoch-01`` is step 0.

    Without a pattern, the epoch is the number after ``epoch`` or ``ckpt``, or else the first whole number, if the names
    differ in no other. Dates are no epochs.

    Args:
        checkpoints: in any order.
        pattern: a regular expression to find in the path; its group (the first, or the one named ``epoch``) is the
            epoch, counted from 1. A group named ``step`` is the step itself.

    Raises:
        StepError: if the names do not say, or say the same of two, with the list of them.
        ConfigError: if `pattern` is no such expression.
    """
    steps = _by_pattern(checkpoints, pattern) if pattern else [epoch - 1 for epoch in _epochs(checkpoints)]
    for checkpoint, step in zip(checkpoints, steps, strict=True):
        if step > _HIGHEST_STEP:
            raise StepError(f"{str(checkpoint)!r} would be of step {step}, and {_HIGHEST_STEP} is the highest.")
    repeated = [step for step, times in Counter(steps).items() if times > 1]
    if repeated:
        same = [checkpoint for checkpoint, step in zip(checkpoints, steps, strict=True) if step == repeated[0]]
        raise StepError(
            f"These are of the same step, {repeated[0]}:{_listing(same)}\nName one of them, or see --steps-from."
        )
    return steps


def _by_pattern(checkpoints: Sequence[Checkpoint], pattern: str) -> list[int]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"`steps` must be a regular expression: {error}. Received: {pattern!r}") from error
    if not expression.groups:
        raise ConfigError(f"`steps` must have a group around the epoch, as in 'epoch-(\\d+)'. Received: {pattern!r}")
    group = next((name for name in ("step", "epoch") if name in expression.groupindex), None)
    matches = [expression.search(checkpoint.path.as_posix()) for checkpoint in checkpoints]
    unmatched = [checkpoint for checkpoint, match in zip(checkpoints, matches, strict=True) if not match]
    if unmatched:
        raise StepError(f"{pattern!r} does not find an epoch in the name of:{_listing(unmatched)}")
    texts = [match[group or 1] for match in matches if match]
    if not all(text and text.isdecimal() for text in texts):
        raise StepError(
            f"{pattern!r} finds what is not a whole number: {next(t for t in texts if not t or not t.isdecimal())!r}"
        )
    return [int(text) - (group != "step") for text in texts]


def _epochs(checkpoints: Sequence[Checkpoint]) -> list[int]:
    labels = _labels(checkpoints)
    said = [_after_keyword(label) for label in labels]
    if all(epoch is not None for epoch in said):
        return [epoch for epoch in said if epoch is not None]
    column = _telling_column(labels)
    if column is not None:
        return column
    doubtful = [checkpoint for checkpoint, epoch in zip(checkpoints, said, strict=True) if epoch is None]
    raise StepError(
        f"The names do not say clearly of which epoch these are:{_listing(doubtful)}\n"
        r"Say it with --steps-from 'REGEX' (steps='REGEX' in Python), a group around the epoch: 'model_(\d+)'; "
        "or give one checkpoint its --step."
    )


def _after_keyword(label: str) -> int | None:
    numbers = _KEYWORD.findall(label)
    if len(numbers) != 1:
        return None
    with_value = _EPOCH_AND_VALUE.fullmatch(numbers[0])
    text = with_value[1] if with_value else numbers[0]
    return int(text) if text.isdecimal() else None  # a loss may follow the word as well


def _telling_column(labels: Sequence[str]) -> list[int] | None:
    """Return the epochs, if the names differ in one whole number and it is the first; None if there is any doubt.

    Numbers that stand alone come before those at a letter: of ``lenet5-1``, the 1 is the first.
    """
    if len({re.sub(_NUMBER, "#", label) for label in labels}) != 1 or any(map(_DATE.search, labels)):
        return None
    columns = [column for column in zip(*map(_NUMBER.finditer, labels), strict=True) if _whole(column)]
    telling = [column for column in columns if len(labels) == 1 or len(set(_whole(column))) > 1]
    alone = [column for column in columns if not any(map(_is_at_a_letter, column))]
    if len(telling) != 1 or telling[0] is not (alone or columns)[0]:
        return None
    epochs = _whole(telling[0])
    return epochs if max(epochs) < 10**_MOST_DIGITS else None


def _whole(column: Sequence[re.Match[str]]) -> list[int]:
    """Return the numbers of one place in all names, if they are whole or epochs with a value behind; else nothing."""
    texts = [number[0] for number in column]
    if all(text.isdecimal() for text in texts):
        return [int(text) for text in texts]
    with_values = [_EPOCH_AND_VALUE.fullmatch(text) for text in texts]
    is_padded = any(match and len(match[1]) > 1 and match[1][0] == "0" for match in with_values)  # 1.52.01: which?
    return [int(match[1]) for match in with_values if match] if is_padded and all(with_values) else []


def _is_at_a_letter(number: re.Match[str]) -> bool:
    around = number.string[max(0, number.start() - 1) : number.start()] + number.string[number.end() :][:1]
    return any(character.isalpha() for character in around)


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
