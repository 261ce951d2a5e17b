"""Damaged files make decoders stumble in ways that no list has; all of them are told in one sentence."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tb_filterviz.errors import CheckpointError, FilterVizError

_OF_THE_MACHINE = {
    errno.ENOENT,
    errno.EACCES,
    errno.EPERM,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EMFILE,
    errno.ENFILE,
    errno.EIO,
    errno.ESTALE,
}


def circumstance(error: BaseException) -> str | None:
    """What went wrong, if it says nothing of the file's content: no permission, no memory, a full disk."""
    if isinstance(error, MemoryError):
        return "There is not enough memory"
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        return os.strerror(error.errno)
    return None


@contextmanager
def told_as_damage(path: Path, what: str) -> Iterator[None]:
    """Around code that only reads `path`, `what` it should be: whatever it raises becomes a `CheckpointError`."""
    try:
        yield
    except FilterVizError:
        raise
    except Exception as error:
        around = circumstance(error)
        if around:
            raise CheckpointError(f"{str(path)!r} cannot be read: {around}.") from error
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise CheckpointError(f"{str(path)!r} is a damaged {what}: {reason}") from error
