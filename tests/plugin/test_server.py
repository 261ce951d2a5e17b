import json
import re
from pathlib import Path

import pytest

from tb_filterviz import cli
from tests.plugin.serving import write
from tests.tensorboard import board, get


def test_board_serves_a_log_directory_with_the_tab_in_front(tmp_path: Path) -> None:
    write(tmp_path, [0, 1])
    with board(str(tmp_path), "--path_prefix", "/here") as line:
        found = re.fullmatch(r"Filters: (http://\S+:\d+/here/)#filterviz   \(Ctrl\+C ends\)\n", line)
        assert found, line
        assert json.loads(get(f"{found[1]}data/plugins_listing"))["filterviz"]["tab_name"] == "Filters"


def test_options_that_tensorboard_does_not_take(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["board", str(tmp_path), "--no_such_option"])
    assert ended.value.code == 2
    assert "--no_such_option" in capfd.readouterr().err
    assert cli.main(["board", str(tmp_path / "new"), "--logdir_spec", "a:b"]) == 2
    said = capfd.readouterr().err
    assert "There is no directory" in said
    assert "logdir_spec" in said
