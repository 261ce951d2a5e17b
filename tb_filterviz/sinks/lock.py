"""One writer a run: two lose events in TensorBoard, and would write every step twice."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_OURS: dict[
    str, int
] = {}  # files that this process writes, by descriptor; the lock ends with the process, however it ends


def lock(path: str) -> None:
    """Mark a local event file as being written, for as long as this process lives, or until `release`."""
    with contextlib.suppress(OSError):  # remote, or a file system without locks
        if fcntl is not None:
            descriptor = os.open(path, os.O_RDONLY)
            _OURS[path] = descriptor
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def release(path: str) -> None:
    """The file is not written any more."""
    descriptor = _OURS.pop(path, None)
    if descriptor is not None:
        os.close(descriptor)


def written_by_others(paths: Sequence[str]) -> list[str]:
    """Which of the files another process is writing now, as far as that can be told."""
    return [path for path in paths if path not in _OURS and _is_locked(path)]


def _is_locked(path: str) -> bool:
    if fcntl is None:
        return False
    try:
        with Path(path).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
