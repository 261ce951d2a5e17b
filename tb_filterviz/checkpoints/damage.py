"""Damaged files make decoders stumble in ways that no list has; all of them are told in one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tb_filterviz.errors import CheckpointError, FilterVizError


@contextmanager
def told_as_damage(path: Path, what: str) -> Iterator[None]:
    """Around code that only reads `path`, `what` it should be: whatever it raises becomes a `CheckpointError`."""
    try:
        yield
    except FilterVizError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise CheckpointError(f"{str(path)!r} is a damaged {what}: {reason}") from error
