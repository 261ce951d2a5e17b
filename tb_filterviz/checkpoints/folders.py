"""Which checkpoints are meant by files, folders and patterns."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from tb_filterviz.checkpoints.foreign import what_others_saved
from tb_filterviz.checkpoints.formats import Checkpoint, Kind, recognise
from tb_filterviz.errors import CheckpointError

_SUFFIXES = (".weights.h5", ".weights.json", ".keras", ".hdf5", ".h5", ".index")


Source = str | Path | Checkpoint


class Candidate(NamedTuple):
    """A path to look at.

    Attributes:
        path: the file or folder.
        is_named: whether somebody named it, and not its folder or a pattern.
        must_be: whether it has to be a checkpoint: because it was named, or by its suffix.
    """

    path: Path
    is_named: bool
    must_be: bool


def find(paths: Iterable[Source]) -> tuple[list[Checkpoint], dict[Path, CheckpointError]]:
    """Find the checkpoints that the paths name, each once, and what is wrong with the others.

    A folder stands for all checkpoints in it (not for those in its sub-folders); what else is in there is passed over,
    unless its name is a checkpoint's. What was found before is taken as it is.
    """
    found: dict[Path, Checkpoint] = {}
    wrong: dict[Path, CheckpointError] = {}
    for given in paths:
        if isinstance(given, Checkpoint):
            _keep(given, found)
            continue
        for path, is_named, must_be in candidates([given]):
            try:
                _keep(replace(recognise(path), is_named=is_named), found)
            except CheckpointError as error:
                if must_be:
                    wrong[path] = error
    return list(found.values()), wrong


def _keep(checkpoint: Checkpoint, found: dict[Path, Checkpoint]) -> None:
    """Add a checkpoint; one that was named as well as found in a folder is named."""
    if checkpoint.is_named or checkpoint.path not in found:
        found[checkpoint.path] = checkpoint


def find_any(paths: Sequence[Source]) -> tuple[list[Checkpoint], dict[Path, CheckpointError]]:
    """Find the checkpoints as `find` does, at least one.

    Raises:
        CheckpointError: if there is none, with what there is instead.
    """
    found, wrong = find(paths)
    if not found:
        reason = next(iter(wrong.values()), None) or _instead([path for path in paths if isinstance(path, str | Path)])
        raise CheckpointError(f"Nothing to log in {', '.join(map(repr, map(str, paths)))}: {reason}")
    return found, wrong


def _instead(paths: Sequence[str | Path]) -> str:
    """Say what is where no checkpoint is: networks of other programs, or sub-folders that hold some."""
    for path in (candidate.path for candidate in candidates(paths)):
        foreign = what_others_saved(path) if path.is_file() else None
        if foreign:
            return f"there is no checkpoint in it, and {path.name!r} is {foreign}."
    for folder in (path for path in map(Path, paths) if path.is_dir()):
        for below in sorted(path for path in folder.iterdir() if path.is_dir()):
            if find([below])[0]:
                return f"there is no checkpoint in it, but there is in {str(below)!r}: name that folder."
    return "there is no checkpoint in it."


def candidates(paths: Iterable[str | Path]) -> Iterator[Candidate]:
    """List every path to look at.

    A pattern (``run/*.h5``) stands for what it matches, unless there is a file of this name.

    Raises:
        CheckpointError: if one has no name: it would stand for the folder that one happens to be in.
    """
    for text in paths:
        if text == "":
            raise CheckpointError("A path of checkpoints needs a name; '.' is the folder you are in. Received: ''")
        given = Path(text)
        for path in _expanded(given):
            try:
                if path.is_dir() and not _is_saved_model(path):
                    yield from _members(path)
                    continue
            except OSError:  # `recognise` says which
                pass
            is_note = path.name == "checkpoint"  # TensorFlow's note of the latest: in every glob
            yield Candidate(path, is_named=path == given and not is_note, must_be=not is_note)


def _expanded(path: Path) -> list[Path]:
    if not glob.has_magic(str(path)) or os.path.lexists(path):
        return [path]
    return [Path(found) for found in sorted(glob.glob(str(path), recursive=True))] or [path]


def _members(folder: Path) -> list[Candidate]:
    """Leave out hidden files, as macOS puts one beside every file; links to nowhere are for `recognise` to refuse."""
    found = []
    for member in sorted(folder.iterdir()):
        must_be = member.name.endswith(_SUFFIXES)
        is_candidate = member.is_file() or _is_saved_model(member) or (must_be and not member.is_dir())
        if is_candidate and not member.name.startswith("."):
            found.append(Candidate(member, is_named=False, must_be=must_be))
    return found


def _is_saved_model(folder: Path) -> bool:
    return (folder / "saved_model.pb").exists()


def listed(paths: str | Path | Iterable[Source]) -> list[Source]:
    """List what may be one path."""
    return [paths] if isinstance(paths, str | Path) else list(paths)


def name_of(checkpoint: Checkpoint) -> str:
    """Return the checkpoint's name without what only says its format."""
    name = checkpoint.path.name
    if checkpoint.kind not in (Kind.TF_CHECKPOINT, Kind.SAVED_MODEL):
        name = next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)
    return name
