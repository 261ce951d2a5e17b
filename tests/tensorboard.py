"""A real TensorBoard, in a process of its own."""

import json
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def board(*arguments: str, cwd: Path | None = None) -> Iterator[str]:
    """Run `tb-filterviz board`, and yield the line that it prints; it has to end well at Ctrl-C."""
    command = [sys.executable, "-m", "tb_filterviz", "board", *arguments, "--port", "0"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
    served = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=cwd)
    signal.signal(signal.SIGINT, before)
    try:
        assert served.stdout
        yield served.stdout.readline()
        served.send_signal(signal.SIGINT)
        assert served.wait(timeout=30) == 0
    finally:
        served.kill()
        served.wait()
        assert served.stdout
        served.stdout.close()


class TensorBoard:
    """A TensorBoard on a port of its own."""

    def __init__(
        self,
        log_dir: Path | None,
        *options: str,
        package_from: Path | None = None,
        command: Sequence[str] = ("-m", "tensorboard.main"),
    ) -> None:
        self.process = subprocess.Popen(
            [
                sys.executable,
                *command,
                *([] if log_dir is None else ["--logdir", str(log_dir)]),
                "--host",
                "127.0.0.1",
                "--port",
                "0",
                *options,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=package_from,
        )
        assert self.process.stdout
        for line in self.process.stdout:
            found = re.search(r"http://127\.0\.0\.1:(\d+)/(\w+/)*", line)
            if found:
                self.address = found[0]
                return
        raise AssertionError("TensorBoard did not start")

    def get(self, path: str, **query: str) -> bytes:
        with urllib.request.urlopen(
            self.address + path + ("?" + urllib.parse.urlencode(query) if query else ""), timeout=30
        ) as answer:
            content: bytes = answer.read()
        return content

    def get_json(self, path: str, **query: str) -> Any:
        return json.loads(self.get(path, **query))

    def wait_for(self, path: str, run: str) -> Any:
        for _ in range(120):
            listed = self.get_json(path)
            if run in listed:
                return listed
            time.sleep(0.5)
        raise AssertionError(f"{run!r} never came up in {path}")

    def wait_for_steps(self, run: str, layer: str, steps: list[int]) -> None:
        """Wait until all of a run is read: it is listed as soon as its first event is."""
        for _ in range(120):
            read = self.get_json("data/plugin/filterviz/statistics", run=run, layer=layer)["steps"]
            if read == steps:
                return
            time.sleep(0.5)
        raise AssertionError(f"of {run!r}, only {read} came up")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)
        assert self.process.stdout
        self.process.stdout.close()
