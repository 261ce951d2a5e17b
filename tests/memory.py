"""How much memory a process has held at most."""

from pathlib import Path

import pytest

needs_peak = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of a process by itself"
)


def peak_mib() -> float:
    """Since this process began, or since `forget_peak`, in MiB.

    `getrusage` would not do: there, a new process begins with the peak of the one that started it, so that in a long
    run of tests nothing that it does shows.
    """
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


def forget_peak() -> None:
    """Begin anew, with what is held now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
