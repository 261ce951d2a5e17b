"""`%tensorboard` in a real kernel, whose environment is not on the PATH: each way out of the README is gone."""

import json
import os
import re
import signal
import sysconfig
import urllib.request
from pathlib import Path

import pytest

from tests.notebooks import ROOT, execute, notebook, outputs, running
from tests.plugin import serving
from tests.tensorboard import get
from tests.waiting import until

SCRIPTS = Path(sysconfig.get_path("scripts"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
FOUND = "from tensorboard import manager\n[(info.port, info.pid) for info in manager.get_all()]"


def _lines(mark: str) -> str:
    """A block of the README that is for notebooks."""
    blocks = re.findall(r"^```ipython\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    found: list[str] = [block for block in blocks if mark in block]
    assert len(found) == 1
    return found[0]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The variables of a kernel that was started by its full path, as notebooks start it."""
    kept = [folder for folder in os.environ["PATH"].split(os.pathsep) if not (Path(folder) / "tensorboard").exists()]
    (tmp_path / "info").mkdir()
    return {"PATH": os.pathsep.join(kept), "TMPDIR": str(tmp_path / "info")}


def test_the_lines_alone_say_that_there_is_none(tmp_path: Path, env: dict[str, str]) -> None:
    ran = execute(notebook(_lines("%load_ext"), FOUND), tmp_path, env)
    said = " ".join("".join(outputs(ran.cells[0], "text/plain")).split())
    assert "ERROR: Could not find `tensorboard`" in said
    assert "TENSORBOARD_BINARY" in said
    assert outputs(ran.cells[1], "text/plain") == ["[]"]


@pytest.mark.slow
@pytest.mark.parametrize("way_out", ["TENSORBOARD_BINARY", 'os.environ["PATH"]'])
def test_each_way_out_starts_one_with_the_filters_tab(tmp_path: Path, env: dict[str, str], way_out: str) -> None:
    serving.write(tmp_path / "logs", range(3))
    with running(notebook(_lines(way_out), _lines("%load_ext"), FOUND), tmp_path, env) as ran:
        ((port, pid),) = eval(outputs(ran.cells[2], "text/plain")[0])
        try:
            listed = json.loads(get(f"http://127.0.0.1:{port}/data/plugins_listing"))
            assert listed["filterviz"]["enabled"]
            until(lambda: _holds(port, b"conv2d_1"))
            (frame,) = outputs(ran.cells[1])
            assert "<iframe" in frame
            assert str(port) in frame
        finally:
            os.kill(pid, signal.SIGTERM)


def _holds(port: int, name: bytes) -> None:
    address = f"http://127.0.0.1:{port}/data/plugin/filterviz/layers"
    with urllib.request.urlopen(address) as answer:
        assert name in answer.read()
