"""A second wall behind the list of what is allowed: what a thread may not do while it builds a model of a file.

To build a network takes no connection, no other process and no file to write. Python tells a hook of each such attempt
of its own (PEP 578), and the hook forbids it. What native code does, as TensorFlow's own, no hook is told.
"""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import keras

_FORBIDDEN = (
    *(
        "ftplib.",
        "http.",
        "imaplib.",
        "nntplib.",
        "os.",
        "pickle.",
        "poplib.",
        "pty.",
        "shutil.",
        "smtplib.",
        "socket.",
    ),
    *("sqlite3.", "subprocess.", "telnetlib.", "tempfile.", "urllib.", "webbrowser.", "winreg.", "_winapi."),
)
_LOOKING = ("os.fwalk", "os.listdir", "os.scandir", "os.walk")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

_thread = threading.local()


class ConfinedError(PermissionError):
    """What was tried is forbidden while a model of a file is built."""


@contextmanager
def confined() -> Iterator[None]:
    """Keep this thread from connections, other processes and files to write.

    Raises:
        ConfinedError: in place of whatever it ended in, if anything tried. It names the first attempt.
    """
    _prepare()
    attempts: list[str] = []
    _thread.attempts = attempts
    try:
        yield
    except Exception as error:
        if attempts:
            raise ConfinedError(attempts[0]) from error
        raise
    finally:
        _thread.attempts = None


@cache
def _prepare() -> None:
    """Add the hook, once, since it stays for as long as the process lives."""
    keras.ops.zeros(1)  # at its first use, a backend looks for devices and loads their libraries
    sys.addaudithook(_forbid)


def _forbid(event: str, arguments: tuple[Any, ...]) -> None:
    attempts: list[str] | None = getattr(_thread, "attempts", None)
    if attempts is not None and (attempt := _attempt(event, arguments)):
        attempts.append(attempt)
        raise ConfinedError(attempt)


def _attempt(event: str, arguments: tuple[Any, ...]) -> str | None:
    if event == "open":
        path, _, flags = arguments
        return f"write to {path!r}" if (flags or 0) & _WRITING else None
    if event == "ctypes.dlopen":
        return f"load the library {arguments[0]!r}" if arguments[0] else None
    if event.startswith(_FORBIDDEN) and event not in _LOOKING:
        return f"{event}{arguments!r}"[:200]
    return None
