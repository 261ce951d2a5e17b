"""Disks that are soon full."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(place: Path, size: str) -> Iterator[Path]:
    """Mount a disk of that size, such as ``64k``, in a new folder; whoever may not is told that the test is skipped."""
    place.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", place], capture_output=True, check=False
    )
    if mount.returncode:
        pytest.skip(f"only root can mount a small disk: {mount.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)
