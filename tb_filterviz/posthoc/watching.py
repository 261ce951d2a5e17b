"""New checkpoints as they appear in a folder, once they are whole."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tb_filterviz.checkpoints import Checkpoint, recognise
from tb_filterviz.checkpoints.naming import candidates
from tb_filterviz.checkpoints.weights import stored_numbers
from tb_filterviz.errors import CheckpointError

PATIENCE_S = 30.0  # for a file that stays unreadable and unchanged

Fingerprint = tuple[tuple[str, int, int], ...]  # of each file its path, size and time
Batch = tuple[list[Checkpoint], dict[Path, CheckpointError]]


@dataclass(slots=True)
class _Seen:
    """What was there at the last look: the files, as what they were seen, since when, and whether all is said of it."""

    files: Sequence[Path]
    fingerprint: Fingerprint
    since: float
    is_settled: bool = False


def settled(
    paths: Sequence[str | Path], *, poll_s: float = 1.0, idle_s: float | None = None, patience_s: float = PATIENCE_S
) -> Iterator[Batch]:
    """What is in the folders, and then what is new or changed there, again and again.

    A checkpoint is passed on when it has not changed between two looks, and can be read; until then those that come
    after it in natural order wait for it, since steps have to rise. One that stays unreadable is given up after a
    while, and passed on as wrong.

    Args:
        paths: folders or files, which need not be there yet.
        poll_s: seconds between two looks.
        idle_s: ends when nothing new has come for so many seconds; None: never.
        patience_s: seconds after which a file that is unreadable and does not change is given up.
    """
    seen: dict[Path, _Seen] = {}
    quiet_since = time.monotonic()
    while idle_s is None or time.monotonic() - quiet_since < idle_s:
        found, wrong = _look(paths, seen, patience_s)
        if found or wrong:
            quiet_since = time.monotonic()
            yield found, wrong
            quiet_since = time.monotonic()
        time.sleep(poll_s)


def _look(paths: Sequence[str | Path], seen: dict[Path, _Seen], patience_s: float) -> Batch:
    found: list[Checkpoint] = []
    wrong: dict[Path, CheckpointError] = {}
    is_blocked = False
    for path, is_named in sorted(candidates(paths), key=lambda candidate: natural(candidate[0])):
        known = seen.get(path)
        if known and known.is_settled and known.fingerprint == _fingerprint(known.files):
            continue
        checkpoint, error = _recognised(path)
        files = checkpoint.files if checkpoint else [path]
        fingerprint = _fingerprint(files)
        if not fingerprint:  # not there, or deleted since
            continue
        if known is None or known.fingerprint != fingerprint:
            known = seen[path] = _Seen(files, fingerprint, time.monotonic(), is_settled=bool(error and not is_named))
            is_blocked = is_blocked or not known.is_settled
            continue
        error = error or (_unreadable(checkpoint) if checkpoint else None)
        is_blocked = is_blocked or (error is not None and time.monotonic() - known.since < patience_s)
        if is_blocked:
            continue
        known.is_settled = True
        if error:
            wrong[path] = error
        elif checkpoint:
            found.append(checkpoint)
    return found, wrong


def _recognised(path: Path) -> tuple[Checkpoint | None, CheckpointError | None]:
    try:
        return recognise(path), None
    except CheckpointError as error:
        return None, error
    except OSError as error:
        return None, CheckpointError(f"{str(path)!r} cannot be read: {error}")


def _unreadable(checkpoint: Checkpoint) -> CheckpointError | None:
    try:
        stored_numbers(checkpoint)
    except CheckpointError as error:
        return error
    return None


def _fingerprint(files: Sequence[Path]) -> Fingerprint:
    try:
        stats = [(str(path), path.stat()) for path in files]
    except FileNotFoundError:
        return ()
    return tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)


def natural(path: Path) -> list[tuple[bool, int, str]]:
    """A key that sorts ``epoch-9`` before ``epoch-10``."""
    parts = re.split(r"(\d+)", str(path))
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
