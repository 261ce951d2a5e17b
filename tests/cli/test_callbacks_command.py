"""The ready-made callbacks reach whoever has the command, as files of their own."""

import ast
from pathlib import Path

import pytest

from tb_filterviz import cli, gallery


def _files(root: Path) -> dict[str, str]:
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((root / "callbacks").glob("*.py"))}


def test_each_is_listed_with_what_it_is_for(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["callbacks"]) == 0
    listed = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _ in listed] == list(_files(root)) == gallery.names()
    for name, purpose in listed:
        assert purpose == (ast.get_docstring(ast.parse(_files(root)[name])) or "").splitlines()[0]
        assert purpose.endswith(".")


def test_one_is_printed_as_it_is(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, text in _files(root).items():
        assert cli.main(["callbacks", name]) == 0
        assert capsys.readouterr().out == text
    assert cli.main(["callbacks", "every_epoch.py"]) == 0
    assert capsys.readouterr().out == _files(root)["every_epoch"]


def test_one_is_written_into_a_new_file(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "mine.py"
    assert cli.main(["callbacks", "every_trial", "-o", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}\n"
    assert path.read_bytes() == (root / "callbacks" / "every_trial.py").read_bytes()


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, other = tmp_path / "mine.py", tmp_path / "other.py"
    path.write_text("mine")
    assert cli.main(["callbacks", "every_epoch", "-o", str(path)]) == 2
    assert path.read_text() == "mine"
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"tb-filterviz: {str(path)!r} is there already, and is left as it is. Give another name to -o.\n"
    assert cli.main(["callbacks", "every_epoch", "-o", str(other)]) == 0
    assert "def build(" in other.read_text()


def test_a_name_that_is_none_is_refused_with_those_that_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["callbacks", "every_epok", "-o", str(tmp_path / "new" / "mine.py")]) == 2
    assert list(tmp_path.iterdir()) == []
    names = ", ".join(gallery.names())
    assert capsys.readouterr().err == (
        f"tb-filterviz: There is no callback 'every_epok'. There are: {names}. Did you mean 'every_epoch'?\n"
    )
    assert cli.main(["callbacks", "every_epoch"]) == 0


def test_a_file_for_no_callback_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["callbacks", "-o", str(tmp_path / "mine.py")]) == 2
    assert list(tmp_path.iterdir()) == []
    assert "-o goes with the name of a callback, one of: classic_grid, " in capsys.readouterr().err
    assert cli.main(["callbacks", "classic_grid", "-o", str(tmp_path / "mine.py")]) == 0
