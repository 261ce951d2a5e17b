"""Whatever fails in other people's code becomes one of our errors, in one sentence."""

import errno
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tb_filterviz.errors import CheckpointError, ConfigError, FilterVizError, ModelError

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


@contextmanager
def raising_model_error(what: Callable[[], str], *, advice: str = "") -> Iterator[None]:
    """Re-raise whatever fails while a model runs, in its own code, in the backend or for want of memory.

    Args:
        what: says, once something has failed, what cannot be done.
        advice: what may help.

    Raises:
        ModelError: if anything fails, with what it says itself. Our own errors pass as they are.
    """
    try:
        yield
    except FilterVizError:
        raise
    except Exception as error:
        lines = [line.strip() for line in re.sub(r"\x1b\[\d*m", "", str(error)).splitlines() if line.strip()]
        reason = " ".join(lines[:2])  # Keras says first where it was, then what
        if refused := re.search(r"('[^']*') is not a valid (?:root )?scope name", reason):
            raise ModelError(
                f"{what()}: TensorFlow does not take the name {refused[1]}, only letters from a to z, digits, and "
                "behind these . _ - and /. Rename it in Keras, with layer.name = '...' or model.name = '...'."
            ) from error
        raise ModelError(f"{what()}: {type(error).__name__}: {reason}{advice and f' ({advice})'}") from error


_MISTAKES = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, NameError, AssertionError)


@contextmanager
def raising_for_part(part: str, call: str) -> Iterator[None]:
    """Re-raise mistakes in a function that a user gave, so that they are not taken for the model's.

    Args:
        part: which part it is of.
        call: how it is called.

    Raises:
        ConfigError: if it raises what mistakes in code raise.
    """
    try:
        yield
    except FilterVizError:
        raise
    except _MISTAKES as error:
        raise ConfigError(f"{part} failed: {type(error).__name__}: {error}. It is called as {call}.") from error


def circumstance(error: BaseException) -> str | None:
    """Tell what went wrong if it says nothing of a file's content: no permission, no memory, a full disk."""
    if isinstance(error, MemoryError):
        return "There is not enough memory"
    if isinstance(error, OSError) and error.errno in _OF_THE_MACHINE:
        return os.strerror(error.errno)
    return None


@contextmanager
def raising_checkpoint_error(path: Path, what: str) -> Iterator[None]:
    """Re-raise whatever fails while a file is read: damaged ones make decoders stumble in ways that no list has.

    Args:
        path: the file.
        what: what it should be.

    Raises:
        CheckpointError: if anything fails. Our own errors pass as they are.
    """
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
