"""Waits that end with what is asserted, so that a slow machine makes them long, not wrong."""

import time
import urllib.error
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 240.0  # with nothing new to be seen; pytest's own limit on a test is far above it

_Seen = TypeVar("_Seen")


def always() -> bool:
    """There is no process that might end."""
    return True


def until(check: Callable[[], _Seen], *, lives: Callable[[], bool] = always) -> _Seen:
    """Run a check again and again until none of its assertions fails, and return what it returns.

    The last failure is raised once it has stayed the same for `PATIENCE_S`, or what is waited for has ended.

    Args:
        check: asserts what is to come; what it has yet to find may also be missing, or be refused by a server.
        lives: whether the process that is waited for still runs.
    """
    last, since = "", time.monotonic()
    while True:
        lived = lives()
        try:
            return check()
        except (AssertionError, LookupError, urllib.error.HTTPError) as failure:
            if repr(failure) != last:
                last, since = repr(failure), time.monotonic()
            elif not lived or time.monotonic() - since > PATIENCE_S:
                raise
        time.sleep(0.05)
