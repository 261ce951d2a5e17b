"""What fails while a model runs, in its own code, in the backend or for want of memory, said of where it fails."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tb_filterviz.errors import FilterVizError, ModelError


@contextmanager
def told_of(what: Callable[[], str], *, advice: str = "") -> Iterator[None]:
    """A block that raises nothing but our own errors.

    Args:
        what: says, once something has failed, what cannot be done.
        advice: what may help.

    Raises:
        ModelError: if anything fails, with what it says itself.
    """
    try:
        yield
    except FilterVizError:
        raise
    except Exception as error:
        lines = [line.strip() for line in re.sub(r"\x1b\[\d*m", "", str(error)).splitlines() if line.strip()]
        reason = " ".join(lines[:2])  # Keras says first where it was, then what
        raise ModelError(f"{what()}: {type(error).__name__}: {reason}{advice and f' ({advice})'}") from error
