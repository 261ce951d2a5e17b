import json
import re
from pathlib import Path

import pytest

from tb_filterviz.cli.board import with_log_dir
from tests.plugin.serving import write
from tests.tensorboard import board, get


@pytest.mark.parametrize(
    ("given", "understood"),
    [
        ("board", "board logs"),
        ("board elsewhere", "board elsewhere"),
        ("board --port 6007", "board logs --port 6007"),
        ("board --port=6007 --bind_all", "board logs --port=6007 --bind_all"),
        ("board --open", "board --open logs"),
        ("board --open --port 6007", "board --open logs --port 6007"),
        ("board --open elsewhere --port 6007", "board --open elsewhere --port 6007"),
        ("layers model.keras --json", "layers model.keras --json"),
    ],
)
def test_the_log_directory_may_be_left_out(given: str, understood: str) -> None:
    assert with_log_dir(given.split()) == understood.split()


def test_board_alone_serves_logs(tmp_path: Path) -> None:
    write(tmp_path / "logs", [0, 1])
    with board(cwd=tmp_path) as line:
        found = re.fullmatch(r"Filters: (http://\S+:\d+/)#filterviz   \(Ctrl\+C ends\)\n", line)
        assert found, line
        assert json.loads(get(f"{found[1]}data/environment"))["data_location"] == "logs"
