"""New checkpoints as they appear in a folder, once they are whole."""

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tb_filterviz.checkpoints.folders import candidates
from tb_filterviz.checkpoints.formats import Checkpoint, recognise
from tb_filterviz.checkpoints.weights import stored
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


class Watch:
    """What is in folders, and then what is new or changed there, again and again.

    A checkpoint is passed on when it has not changed between two looks, and can be read; until then those that come
    after it in natural order wait for it, since steps have to rise. One that stays unreadable is given up after a
    while, and passed on as wrong.

    Args:
        paths: folders or files, which need not be there yet.
        poll_s: seconds between two looks.
        idle_s: ends when nothing new has come, and nothing is waited for, for so many seconds; None: never.
        patience_s: seconds after which a file that is unreadable and does not change is given up.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        poll_s: float = 1.0,
        idle_s: float | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._paths, self._poll_s, self._idle_s, self._patience_s = paths, poll_s, idle_s, patience_s
        self._seen: dict[Path, _Seen] = {}
        self.waiting: dict[Path, CheckpointError] = {}  # at the last look, and why

    def batches(self) -> Iterator[Batch]:
        """Yield what is ready, as it gets ready."""
        quiet_since = time.monotonic()
        while True:
            found, wrong = self._look()
            if found or wrong:
                yield found, wrong
            if found or wrong or self.waiting:
                quiet_since = time.monotonic()
            elif self._idle_s is not None and time.monotonic() - quiet_since >= self._idle_s:
                return
            time.sleep(self._poll_s)

    def _look(self) -> Batch:
        found: list[Checkpoint] = []
        wrong: dict[Path, CheckpointError] = {}
        self.waiting = {}
        for candidate in sorted(candidates(self._paths), key=lambda candidate: natural(candidate.path)):
            path, must_be = candidate.path, candidate.must_be
            known = self._seen.get(path)
            if known and known.is_settled and known.fingerprint == _fingerprint(known.files):
                continue
            checkpoint, error = _recognised(path)
            files = checkpoint.files if checkpoint else [path]
            fingerprint = _fingerprint(files)
            if not fingerprint:  # not there, or deleted since
                continue
            if known is None or known.fingerprint != fingerprint:
                known = self._seen[path] = _Seen(files, fingerprint, time.monotonic(), bool(error and not must_be))
                if not known.is_settled:
                    self.waiting[path] = error or CheckpointError(f"{str(path)!r} was still being written.")
                continue
            error = error or (_unreadable(checkpoint) if checkpoint else None)
            if error and time.monotonic() - known.since < self._patience_s:
                self.waiting[path] = error
            elif self.waiting:
                first = next(iter(self.waiting))
                self.waiting[path] = CheckpointError(f"It waited for {str(first)!r}, which comes before it.")
            else:
                known.is_settled = True
                if error:
                    wrong[path] = error
                elif checkpoint:
                    found.append(replace(checkpoint, is_named=candidate.is_named))
        return found, wrong


def _recognised(path: Path) -> tuple[Checkpoint | None, CheckpointError | None]:
    try:
        return recognise(path), None
    except CheckpointError as error:
        return None, error


def _unreadable(checkpoint: Checkpoint) -> CheckpointError | None:
    try:
        stored(checkpoint)
    except CheckpointError as error:
        return error
    return None


def _fingerprint(files: Sequence[Path]) -> Fingerprint:
    try:
        stats = [(str(path), path.stat()) for path in files]
    except OSError:
        return ()
    return tuple((path, stat.st_size, stat.st_mtime_ns) for path, stat in stats)


def natural(path: Path) -> list[tuple[bool, int, str]]:
    """Make a key that sorts ``epoch-9`` before ``epoch-10``."""
    parts = re.split(r"(\d+)", str(path))
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts]
