import json
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tb_filterviz import cli
from tests.plugin.serving import write


def test_board_serves_a_log_directory_with_the_tab_in_front(tmp_path: Path) -> None:
    write(tmp_path, [0, 1])
    command = [sys.executable, "-m", "tb_filterviz", "board", str(tmp_path), "--port", "0", "--path_prefix", "/here"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
    served = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    signal.signal(signal.SIGINT, before)
    try:
        assert served.stdout
        line = served.stdout.readline()
        found = re.fullmatch(r"Filters: (http://\S+:\d+/here/)#filterviz   \(Ctrl\+C ends\)\n", line)
        assert found, line
        with urllib.request.urlopen(f"{found[1]}data/plugins_listing", timeout=30) as answer:
            assert json.load(answer)["filterviz"]["tab_name"] == "Filters"
        served.send_signal(signal.SIGINT)
        assert served.wait(timeout=30) == 0
    finally:
        served.kill()
        served.wait()
        assert served.stdout
        served.stdout.close()


def test_options_that_tensorboard_does_not_take(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["board", str(tmp_path), "--no_such_option"])
    assert ended.value.code == 2
    assert "--no_such_option" in capfd.readouterr().err
    assert cli.main(["board", str(tmp_path / "new"), "--logdir_spec", "a:b"]) == 2
    said = capfd.readouterr().err
    assert "There is no directory" in said
    assert "logdir_spec" in said
