import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tb_filterviz.cli import main
from tests.plugin.serving import write


@pytest.fixture
def log_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    layers = {"layer": "conv_a"}, {"layer": "conv_b", "position": 1, "shape": (9, 4, 4, 1)}
    write(tmp_path / "logs", range(-1, 9), *layers)
    return tmp_path / "logs"


def test_a_page_of_logs_is_what_no_argument_gives(log_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export"]) == 0
    said = capsys.readouterr()
    assert said.out == "filters.html\n"
    assert said.err.startswith("filters.html: 0.")
    assert "MB. It opens in any browser, without a server." in said.err
    page = (log_dir.parent / "filters.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "conv_b" in page


def test_several_files_at_once(log_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["--layer", "conv_a", "--filters", "4,1", "--every", "3"]
    assert main(["export", str(log_dir), "-o", "a.gif", "-o", "t.csv", *chosen]) == 0
    assert capsys.readouterr().out == "a.gif\nt.csv\n"
    with Image.open("a.gif") as image:
        assert image.n_frames == 4  # type: ignore[attr-defined]
    rows = list(csv.DictReader(Path("t.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["layer"], row["step"], row["filter"]) for row in rows[:3]] == [
        ("conv_a", "-1", "4"),
        ("conv_a", "-1", "1"),
        ("conv_a", "2", "4"),
    ]
    assert {row["step"] for row in rows} == {"-1", "2", "5", "8"}


def test_a_picture_as_it_is_wanted(log_dir: Path) -> None:
    options = ["--steps", "3", "--scale", "2", "--columns", "3", "--no-caption"]
    assert main(["export", "logs", "-o", "grid.png", *options]) == 0
    with Image.open("grid.png") as image:
        assert image.size == (3 * 8 + 2 * 5, 3 * 8 + 2 * 5)
    assert main(["export", str(log_dir), "-o", "strip.png", "--kind", "filmstrip", "--white"]) == 0
    with Image.open("strip.png") as image:
        assert np.asarray(image.convert("L"))[0, 0] == 255


def test_the_runs_that_are_meant(log_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(log_dir / "other", [0], {"layer": "conv_a"})
    assert main(["export", "-o", "t.csv", "--run", "other/filters"]) == 0
    assert len(Path("t.csv").read_text(encoding="utf-8").splitlines()) == 1 + 6
    assert main(["export", "-o", "t.csv", "--run", "nobody"]) == 2
    assert "must name runs that are there: filters, other/filters. Received: run=['nobody']" in capsys.readouterr().err


def test_a_page_that_is_too_large_leaves_nothing(log_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(log_dir), "--max-mb", "0.1"]) == 2
    assert "or more room (max_mb=1, or --max-mb 1)" in capsys.readouterr().err
    assert list(Path.cwd().glob("*.html")) == []
    assert main(["export", str(log_dir), "--max-mb", "1"]) == 0


@pytest.mark.parametrize(
    ("given", "status", "message"),
    [
        (["-o", "a.pdf"], 2, "The name must end in one of .png, .gif,"),
        (["nowhere"], 1, "There is no log directory 'nowhere'"),
        (["-o", "a.gif", "--layer", "conv_z"], 1, "has no layer 'conv_z'. Its layers: conv_a, conv_b"),
        (["-o", "a.gif", "--steps", "77"], 1, "must be among those that were logged: -1, 0, 1"),
        (["-o", "a.gif", "--every", "0"], 2, "`every` must be a positive integer"),
    ],
)
def test_what_cannot_be_exported(
    given: list[str], status: int, message: str, log_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert log_dir.exists()
    assert main(["export", *given]) == status
    assert message in capsys.readouterr().err


def test_numbers_that_are_none(log_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["export", str(log_dir), "--filters", "3;4"])
    assert ended.value.code == 2
    assert "must be whole numbers, such as 3,17. Received: '3;4'" in capsys.readouterr().err


def test_nothing_heavy_is_loaded(log_dir: Path) -> None:
    script = (
        "import sys; from tb_filterviz.cli import main; assert main(['export']) == 0\n"
        "print([name for name in ('tensorflow', 'keras', 'pandas', 'pyarrow') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=log_dir.parent
    )
    assert done.stdout == "filters.html\n[]\n"
