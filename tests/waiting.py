"""Waits that end with what is asserted, so that a slow machine makes them long, not wrong."""

import time
import urllib.error
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 200.0  # with nothing new to be seen

_Seen = TypeVar("_Seen")


def _always() -> bool:
    return True


def until(check: Callable[[], _Seen], *, lives: Callable[[], bool] = _always) -> _Seen:
    """Run a check again and again until none of its assertions fails, and return what it returns.

    Its failure is raised once it has stayed the same for `PATIENCE_S`, or when what is waited for has ended.

    Args:
        check: asserts what is to come; what it asks may also not be there yet, or be refused by a server.
        lives: whether the process that is waited for still runs.
    """
    last, since = "", time.monotonic()
    while True:
        lived = lives()
        try:
            return check()
        except (AssertionError, LookupError, FileNotFoundError, urllib.error.HTTPError) as failure:
            if repr(failure) != last:
                last, since = repr(failure), time.monotonic()
            if not lived or time.monotonic() - since > PATIENCE_S:
                raise
        time.sleep(0.05)
