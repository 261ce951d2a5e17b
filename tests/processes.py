"""Python in processes of its own: Ctrl-C reaches it whatever shell runs the tests, and none outlives its test."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LIMIT_S = 1500.0  # of a process that hangs; below pytest's own, so that what started it says so


@contextmanager
def _heeding_ctrl_c() -> Iterator[None]:
    """Let processes that begin in this block heed SIGINT, which a shell ignores for what it runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run(*arguments: object, status: int | None = 0, **options: Any) -> "subprocess.CompletedProcess[str]":
    """Run Python to its end, and return what it printed.

    Args:
        arguments: of Python, such as ``"-c", code``.
        status: what it has to end with; None for whatever.
        options: of `subprocess.run`.
    """
    command = [sys.executable, *map(str, arguments)]
    with _heeding_ctrl_c():
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False, **options)
    assert status in (None, done.returncode), f"It ended with {done.returncode}.\n{done.stdout}\n{done.stderr}"
    return done


@contextmanager
def started(*arguments: object, **options: Any) -> Iterator["subprocess.Popen[str]"]:
    """Start Python; at the end of the block it has ended, if need be by force, and its pipes are closed.

    Args:
        arguments: of Python, such as ``"-c", code``.
        options: of `subprocess.Popen`.
    """
    with _heeding_ctrl_c():
        process = subprocess.Popen([sys.executable, *map(str, arguments)], text=True, **options)
    with process:
        try:
            yield process
        finally:
            process.kill()


def interrupt(process: "subprocess.Popen[str]") -> tuple[str, str]:
    """Press Ctrl-C, and return what the process says until it ends; it has to end well."""
    process.send_signal(signal.SIGINT)
    said, error = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, f"It ended with {process.returncode}.\n{error}"
    return said, error
