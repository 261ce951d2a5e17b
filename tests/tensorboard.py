"""A real TensorBoard, in a process of its own."""

import json
import re
import subprocess
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tb_filterviz.logs.event_files import events
from tb_filterviz.metadata import PLUGIN_NAME
from tests.processes import LIMIT_S, interrupt, started
from tests.waiting import PATIENCE_S, until

_Seen = TypeVar("_Seen")


@contextmanager
def board(*arguments: str, cwd: Path | None = None) -> Iterator[str]:
    """Run `tb-filterviz board`, and yield the line that it prints; it has to end well at Ctrl-C."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with started("-m", "tb_filterviz", "board", *arguments, "--port", "0", cwd=cwd, **pipes) as served:
        assert served.stdout
        yield served.stdout.readline()
        interrupt(served)


def get(address: str) -> bytes:
    """What a server answers, however long that takes it."""
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
        content: bytes = answer.read()
    return content


class TensorBoard:
    """What a TensorBoard serves.

    Args:
        process: its own.
        address: where it answers.
        log_dirs: what it looks at, by what it puts before the names of runs.
    """

    def __init__(self, process: "subprocess.Popen[str]", address: str, log_dirs: Mapping[str, Path]) -> None:
        self.process, self.address, self._log_dirs = process, address, log_dirs

    def get(self, path: str, **query: str) -> bytes:
        return get(self.address + path + ("?" + urllib.parse.urlencode(query) if query else ""))

    def get_json(self, path: str, **query: str) -> Any:
        return json.loads(self.get(path, **query))

    def until(self, check: Callable[[], _Seen]) -> _Seen:
        """Wait until a check of what is served holds: a run is listed long before all of it has been read."""
        return until(check, lives=lambda: self.process.poll() is None)

    def wait_until_read(self) -> None:
        """Wait until everything that is now in the log directory is served."""
        written = [_Written(log_dir, prefix) for prefix, log_dir in self._log_dirs.items()]
        for each in written:
            self.until(lambda each=each: each.check(self))  # type: ignore[misc]


class _Written:
    """What a log directory holds, which a TensorBoard is to serve."""

    def __init__(self, log_dir: Path, prefix: str) -> None:
        self._pictures: set[str] = set()  # runs that hold anything of ours
        self._last: dict[str, tuple[str, float, int]] = {}  # by run, the last point of a curve: its tag, time and step
        for path in sorted(log_dir.rglob("*tfevents*")):
            run = (Path(prefix) / path.parent.relative_to(log_dir)).as_posix()
            with path.open("rb") as stream:
                for event, _ in events(stream):
                    for value in event.summary.value:
                        kind = value.metadata.plugin_data.plugin_name
                        if kind == "scalars":
                            self._last[run] = value.tag, event.wall_time, event.step
                        elif kind == PLUGIN_NAME:
                            self._pictures.add(run)

    def check(self, server: TensorBoard) -> None:
        """Assert that all of it is served: a file is read from its beginning, so its last point comes last."""
        for run, (tag, *last) in self._last.items():
            points = [point[:2] for point in server.get_json("data/plugin/scalars/scalars", run=run, tag=tag)]
            assert last in points, f"{tag} of {run!r} ends with {points[-1:]} instead of {last}"
        if self._pictures:
            served = {run["run"] for run in server.get_json("data/plugin/filterviz/layers")["runs"]}
            assert self._pictures <= served, f"it serves {served} of {self._pictures}"
            assert server.get_json("data/plugins_listing")[PLUGIN_NAME]["enabled"], "it does not show the tab"


@contextmanager
def tensorboard(
    log_dir: Path | Mapping[str, Path] | None,
    *options: str,
    package_from: Path | None = None,
    command: Sequence[str] = ("-m", "tensorboard.main"),
) -> Iterator[TensorBoard]:
    """Run a TensorBoard on a port of its own; it has read what it is to show, and has ended at the end of the block.

    Args:
        log_dir: what it looks at, or several by name; None if the command says it.
        options: more of TensorBoard's.
        package_from: a folder to run it in.
        command: what to run with Python.
    """
    log_dirs = log_dir if isinstance(log_dir, Mapping) else {} if log_dir is None else {"": log_dir}
    if isinstance(log_dir, Mapping):
        options = ("--logdir_spec", ",".join(f"{name}:{path}" for name, path in log_dir.items()), *options)
    elif log_dir is not None:
        options = ("--logdir", str(log_dir), *options)
    arguments = (*command, "--host", "127.0.0.1", "--port", "0", *options)
    with (
        tempfile.NamedTemporaryFile() as said,  # not a pipe, which would have to be emptied
        started(*arguments, cwd=package_from, stdout=said, stderr=subprocess.STDOUT) as process,
    ):
        address = until(lambda: _address(Path(said.name)), lives=lambda: process.poll() is None)
        server = TensorBoard(process, address, log_dirs)
        try:
            server.wait_until_read()
            yield server
        finally:
            process.terminate()
            process.wait(timeout=LIMIT_S)


def _address(said: Path) -> str:
    text = said.read_text(encoding="utf-8")
    found = re.search(r"http://127\.0\.0\.1:\d+/(\w+/)*(?=\W)", text)
    assert found, f"TensorBoard did not start: {text}"
    return found[0]
