"""What is forbidden while a model of a file is built: also to classes that the caller has registered."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from tb_filterviz import CheckpointError, load_model
from tb_filterviz.checkpoints.confined import ConfinedError, confined

ATTEMPTS: dict[str, Callable[[Path], Any]] = {
    "write": lambda folder: (folder / "new").write_text("x"),
    "append": lambda folder: (folder / "old").open("a"),
    "os.open": lambda folder: os.open(folder / "new", os.O_CREAT | os.O_WRONLY),
    "remove": lambda folder: (folder / "old").unlink(),
    "rename": lambda folder: (folder / "old").rename(folder / "new"),
    "make a folder": lambda folder: (folder / "new").mkdir(),
    "link": lambda folder: (folder / "new").symlink_to(folder / "old"),
    "connect": lambda _: socket.create_connection(("127.0.0.1", 9)),
    "resolve": lambda _: socket.getaddrinfo("localhost", 9),
    "run": lambda _: subprocess.run([sys.executable, "-c", "pass"], check=True),
    "system": lambda _: os.system("true"),
}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_it_is_forbidden_within_and_allowed_after(tmp_path: Path, name: str) -> None:
    (tmp_path / "old").write_text("old")
    with pytest.raises(ConfinedError), confined():
        ATTEMPTS[name](tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert (tmp_path / "old").read_text() == "old"
    (tmp_path / "another").write_text("written")


def test_files_can_be_read_and_modules_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_module_of_this_test.py").write_text("VALUE = 7")
    monkeypatch.syspath_prepend(str(tmp_path))
    with confined():
        import a_module_of_this_test  # type: ignore[import-not-found]

        assert (tmp_path / "a_module_of_this_test.py").read_text() == "VALUE = 7"
    assert a_module_of_this_test.VALUE == 7


def test_other_threads_go_on_writing(tmp_path: Path) -> None:
    with confined():
        thread = threading.Thread(target=(tmp_path / "training").write_text, args=("weights",))
        thread.start()
        thread.join()
    assert (tmp_path / "training").read_text() == "weights"


@keras.saving.register_keras_serializable("tests")
class Writing(keras.layers.Layer):
    """A caller's own class, which keeps something in a file."""

    def __init__(self, path: str, **settings: Any) -> None:
        super().__init__(**settings)
        self.kept_in = path
        Path(path).write_text("written")

    def call(self, images: Any) -> Any:
        return images

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "path": self.kept_in}


def test_a_class_of_the_callers_is_kept_from_it_and_the_way_out_works(tmp_path: Path) -> None:
    layers = [keras.Input((6, 6, 1)), Writing(str(tmp_path / "mark")), keras.layers.Conv2D(2, 3)]
    keras.Sequential(layers).save(tmp_path / "m.keras")
    (tmp_path / "mark").unlink()
    with pytest.raises(CheckpointError, match=r"tried to write to .*mark', which no network needs\. .*--unsafe"):
        load_model(tmp_path / "m.keras")
    assert not (tmp_path / "mark").exists()
    load_model(tmp_path / "m.keras", unsafe=True)
    assert (tmp_path / "mark").exists()
