"""A model file can do nothing: no known way leaves a mark, through whatever door; where code is allowed, it does."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import keras
import pytest

from tb_filterviz import CheckpointError, FilterLogger, load_model
from tb_filterviz.cli import main
from tests.checkpoints.harm import LARGE, WAYS, Way, functional, h5_file, json_file, keras_file, watched

pytestmark = [
    pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file"),
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="only Linux tells a process' own peak"),
]
WITH_EFFECT = [name for name, way in WAYS.items() if way.has_effect and name not in LARGE]
FEW = ["a program, named", "CVE-2025-9905", "a package beside the file", "a program as an activation"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, in which Python looks for packages first, as it does with ``python -m``."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("keras_cv")]:
        del sys.modules[name]


def _keras(way: Way, folder: Path) -> tuple[Path, Path | None]:
    return keras_file(folder / "m.keras", way.layer(folder)), None


def _h5(way: Way, folder: Path) -> tuple[Path, Path | None]:
    return h5_file(folder / "m.h5", way.layer(folder)), None


def _json(way: Way, folder: Path) -> tuple[Path, Path | None]:
    keras.saving.deserialize_keras_object(functional()).save_weights(folder / "w.weights.h5")
    return folder / "w.weights.h5", json_file(folder / "m.json", way.layer(folder))


@pytest.mark.parametrize("door", [_keras, _h5, _json])
@pytest.mark.parametrize("name", WAYS)
def test_no_way_leaves_a_mark(folder: Path, name: str, door: Callable[[Way, Path], tuple[Path, Path | None]]) -> None:
    way = WAYS[name]
    path, model = door(way, folder)
    mark = watched(folder, lambda: load_model(path, model))
    assert not way.is_done(mark)
    if name == "a program as a loss":  # how a model was trained is not looked at
        assert mark.model is not None
    else:
        assert isinstance(mark.error, CheckpointError)
        assert "is not built: layer 'harm'" in str(mark.error)


@pytest.mark.parametrize("name", WITH_EFFECT)
def test_the_mark_is_there_where_code_is_allowed(folder: Path, name: str) -> None:
    way = WAYS[name]
    path, _ = _keras(way, folder)
    assert way.is_done(watched(folder, lambda: load_model(path, unsafe=True)))


_MEASURED = """
import subprocess
import sys
from pathlib import Path
from tb_filterviz import load_model
from tests.checkpoints.harm import WAYS, keras_file, watched

way, folder = WAYS[sys.argv[1]], Path(sys.argv[2])
path = keras_file(folder / "m.keras", way.layer(folder))
for unsafe in (False, True):
    print(way.is_done(watched(folder, lambda: load_model(path, unsafe=unsafe))))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_memory_is_taken_only_where_code_is_allowed(tmp_path: Path, name: str) -> None:
    """In a process of its own: TensorFlow keeps what it has freed, so a second time nothing would show."""
    command = [sys.executable, "-c", _MEASURED, name, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["False", "True"]


@pytest.mark.parametrize("command", ["layers", "render", "log", "log --model"])
@pytest.mark.parametrize("name", FEW)
def test_no_command_leaves_a_mark(folder: Path, name: str, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    way, path = WAYS[name], folder / "epoch-1.keras"
    keras_file(path, way.layer(folder))
    arguments = {
        "layers": ["layers", str(path)],
        "render": ["render", str(path), "--layer", "conv", "--output", str(folder / "grid.png")],
        "log": ["log", str(path), "--logdir", str(folder / "logs")],
        "log --model": [
            *("log", str(folder / "w.weights.h5"), "--model", str(folder / "m.json")),
            *("--logdir", str(folder / "logs")),
        ],
    }[command]
    keras.saving.deserialize_keras_object(functional()).save_weights(folder / "w.weights.h5")
    json_file(folder / "m.json", way.layer(folder))
    (folder / "mark").unlink(missing_ok=True)
    assert main(arguments) == 1
    assert not (folder / "mark").exists()
    assert "is not built: layer 'harm'" in " ".join(capsys.readouterr().err.split())


def test_no_worker_leaves_a_mark(folder: Path) -> None:
    names = [name for name in WITH_EFFECT if WAYS[name].layer.__name__ != "<lambda>" or name in FEW]
    harmless = keras.saving.deserialize_keras_object(functional())
    harmless.save(folder / "epoch-0.keras")
    for epoch, name in enumerate(names, start=1):
        keras_file(folder / f"epoch-{epoch}.keras", WAYS[name].layer(folder))
    (folder / "mark").unlink(missing_ok=True)
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as executor,
        FilterLogger(folder / "logs", "conv") as logger,
    ):
        report = logger.log_checkpoints(folder, executor=executor)
    assert not (folder / "mark").exists()
    print(report)
