"""Fuzz one target, guided by coverage.

`python -m tests.fuzz TARGET [--keep] [options of libFuzzer, as -runs=1000000]` begins with the inputs that are kept.
With ``--keep``, what it found is added afterwards, as far as it reaches what the others do not, and what no longer adds
anything is dropped.

`python -m tests.fuzz TARGET [--keep] FILE ...` tries again what made a target fail, which libFuzzer has written to the
working folder. With ``--keep``, it is kept for good once it passes.
"""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.fuzz import corpus

MOST_BYTES = {"recogniser": 8192, "configuration": 300, "metadata": 600, "tiles": 400, "events": 1200}  # of an input
_DEFAULTS = {"timeout": 30, "rss_limit_mb": 3000, "max_total_time": 600, "print_final_stats": 1}


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] not in MOST_BYTES:
        print(f"{__doc__}\nTargets: {', '.join(MOST_BYTES)}", file=sys.stderr)
        return 2
    target, *options = arguments
    is_kept = "--keep" in options
    options = [option for option in options if option != "--keep"]
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as place:
        folder = Path(place)
        program = _program(folder, target)
        files = [option for option in options if not option.startswith("-")]
        if files:
            status = _run(program, *options)
            if status == 0 and is_kept:
                failed = [*corpus.read(target, failed_only=True), *(Path(file).read_bytes() for file in files)]
                corpus.write(target, corpus.read(target), failed)
            return status
        corpus.unpack(target, folder / "kept")
        (folder / "found").mkdir()
        status = _run(program, *_with_defaults(target, options), str(folder / "found"), str(folder / "kept"))
        if status == 0 and is_kept:
            status = _keep(program, target, folder)
        return status


def _program(folder: Path, target: str) -> str:
    """Write what libFuzzer can start anew, with options alone; all it writes is in this folder."""
    (folder / "tmp").mkdir()
    program = folder / "fuzz"
    command = shlex.join([sys.executable, "-m", "tests.fuzz.guided", str(program), target])
    program.write_text(f'#!/bin/sh\nTMPDIR={shlex.quote(str(folder / "tmp"))} exec {command} "$@"\n')
    program.chmod(0o700)
    return str(program)


def _run(program: str, *arguments: str) -> int:
    return subprocess.run(
        [program, *arguments], check=False, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ).returncode


def _with_defaults(target: str, options: list[str]) -> list[str]:
    given = " ".join(options)
    defaults = {**_DEFAULTS, "max_len": MOST_BYTES[target]}
    if "-runs=" in given:
        del defaults["max_total_time"]
    return [*(f"-{name}={value}" for name, value in defaults.items() if f"-{name}=" not in given), *options]


def _keep(program: str, target: str, folder: Path) -> int:
    """Keep the smallest inputs that together reach all that is reached."""
    merged = folder / "merged"
    merged.mkdir()
    status = _run(program, "-set_cover_merge=1", str(merged), str(folder / "kept"), str(folder / "found"))
    if status == 0:
        reached = [path.read_bytes() for path in merged.iterdir()]
        corpus.write(target, reached, corpus.read(target, failed_only=True))
        print(f"{len(corpus.read(target))} inputs are kept.")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
