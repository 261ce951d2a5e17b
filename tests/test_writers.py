"""What others do to a log directory while a training writes to it: what was logged is there, and logging resumes."""

import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tb_filterviz import FilterLogger, FilterVisualizer, LogDirError, MemorySink, VisualizationWarning
from tests.disks import mounted
from tests.loaders import steps_of_runs

LAYERS = keras.layers
X = np.random.default_rng(0).random((16, 12, 12, 1)).astype(np.float32)
Y = np.random.default_rng(1).random((16, 2)).astype(np.float32)
EPOCHS = 8
Act = Callable[[Path], object]
Acts = dict[int, Act]  # what is done to the log directory, at the beginning of an epoch


def _model() -> keras.Model:
    keras.utils.set_random_seed(3)
    layers = [LAYERS.Conv2D(24, 5, name="conv"), LAYERS.Flatten(), LAYERS.Dropout(0.3), LAYERS.Dense(2)]
    model = keras.Sequential([keras.Input((12, 12, 1)), *layers])
    model.compile("sgd", "mse")
    return model


def _trained(*callbacks: keras.callbacks.Callback) -> bytes:
    """The weights after a training, to the bit."""
    model = _model()
    model.fit(X, Y, batch_size=8, epochs=EPOCHS, verbose=0, callbacks=list(callbacks))
    return b"".join(np.ascontiguousarray(weights).tobytes() for weights in model.get_weights())


@pytest.fixture(scope="module")
def weights() -> bytes:
    """Those of a training without us."""
    return _trained()


def _acting(log_dir: Path, acts: Acts) -> keras.callbacks.Callback:
    def act(epoch: int, logs: Any = None) -> None:  # noqa: ARG001  Keras gives it
        if epoch in acts:
            acts[epoch](log_dir)

    return keras.callbacks.LambdaCallback(on_epoch_begin=act)


def _told(log_dir: Path, acts: Acts, weights: bytes, *others: keras.callbacks.Callback) -> tuple[list[int], list[str]]:
    """Train; which steps were logged without a failure, and what was said, with LOG in place of the directory."""
    memory = MemorySink()  # which is given only what the log has taken
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert _trained(_acting(log_dir, acts), FilterVisualizer(log_dir, sinks=[memory]), *others) == weights
    assert {warning.category for warning in caught} <= {VisualizationWarning}
    said = [str(warning.message).replace(str(log_dir), "LOG") for warning in caught]
    return [snapshot.step for snapshot in memory.snapshots], said


def _files(log_dir: Path) -> list[Path]:
    return list((log_dir / "filters").glob("*tfevents*"))


def _delete_files(log_dir: Path) -> None:
    for path in _files(log_dir):
        path.unlink()


def _copy_and_replace_files(log_dir: Path) -> None:
    for path in _files(log_dir):
        shutil.copy(path, path.with_name("copy"))
        path.with_name("copy").replace(path)


def _cut_files(log_dir: Path) -> None:
    for path in _files(log_dir):
        os.truncate(path, 100)


def _replace_by_a_file(path: Path) -> None:
    shutil.rmtree(path)
    path.touch()


def _move_away(log_dir: Path) -> None:
    log_dir.rename(log_dir.with_name("away"))


def _move_away_for_a_file(log_dir: Path) -> None:
    _move_away(log_dir)
    log_dir.touch()


def _move_back(log_dir: Path) -> None:
    shutil.rmtree(log_dir) if log_dir.is_dir() else log_dir.unlink()
    log_dir.with_name("away").rename(log_dir)


_ALL = list(range(-1, EPOCHS))
_GOES_ON = "Writing goes on in a new one, in 'LOG/filters'."
_DELETED = f"The event file in 'LOG/filters' was deleted, with the steps in it. {_GOES_ON}"
_MOVED = f"The event file in 'LOG/filters' was moved, with the steps in it. {_GOES_ON}"
_CHANGED = f"The event file in 'LOG/filters' was changed by somebody else. {_GOES_ON}"
_NO_FOLDER = (
    "No picture of the filters at step 3: LogDirError: Cannot write to the log directory 'LOG': Not a directory. "
    "The training goes on, and further steps are tried."
)

# What is done; the steps that are logged; what is found in the end; what is said.
SITUATIONS: dict[str, tuple[Acts, list[int], dict[str, list[int]], list[str]]] = {
    "log directory deleted": ({3: shutil.rmtree}, _ALL, {"filters": [3, 4, 5, 6, 7]}, [_DELETED]),
    "run deleted": ({3: lambda log: shutil.rmtree(log / "filters")}, _ALL, {"filters": [3, 4, 5, 6, 7]}, [_DELETED]),
    "file deleted": ({3: _delete_files}, _ALL, {"filters": [3, 4, 5, 6, 7]}, [_DELETED]),
    "deleted twice": ({2: shutil.rmtree, 5: shutil.rmtree}, _ALL, {"filters": [5, 6, 7]}, [_DELETED, _DELETED]),
    "log directory renamed": ({3: _move_away}, _ALL, {"filters": [3, 4, 5, 6, 7]}, [_MOVED]),
    "run renamed": (
        {3: lambda log: (log / "filters").rename(log / "moved")},
        _ALL,
        {"filters": [3, 4, 5, 6, 7], "moved": [-1, 0, 1, 2]},
        [_MOVED],
    ),
    "renamed and back": (
        {3: _move_away, 5: _move_back},
        _ALL,
        {"filters": [-1, 0, 1, 2, 5, 6, 7]},
        [_MOVED, _DELETED],
    ),
    "file replaced by its copy": (
        {3: _copy_and_replace_files},
        _ALL,
        {"filters": _ALL},
        [f"The event file in 'LOG/filters' was replaced by another one. {_GOES_ON}"],
    ),
    "file cut": ({3: _cut_files}, _ALL, {"filters": [3, 4, 5, 6, 7]}, [_CHANGED]),
    "run replaced by a file": (
        {3: lambda log: _replace_by_a_file(log / "filters")},
        _ALL,
        {"filters_2": [3, 4, 5, 6, 7]},
        [_DELETED.replace("in 'LOG/filters'.", "in 'LOG/filters_2'.")],
    ),
    "log directory replaced by a file": ({3: _replace_by_a_file}, [-1, 0, 1, 2], {}, [_NO_FOLDER]),
    "log directory replaced by a file for a while": (
        {3: _move_away_for_a_file, 6: _move_back},
        [-1, 0, 1, 2, 6, 7],
        {"filters": [-1, 0, 1, 2, 6, 7]},
        [_NO_FOLDER, _MOVED],
    ),
}

LIKE_OTHERS = {
    "run deleted",
    "deleted twice",
    "log directory replaced by a file",
    "log directory renamed",
    "renamed and back",
    "file replaced by its copy",
}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets nobody delete a file that is open")
@pytest.mark.parametrize(
    ("acts", "logged", "found", "said"),
    [
        pytest.param(*situation, id=name, marks=[pytest.mark.slow] if name in LIKE_OTHERS else [])
        for name, situation in SITUATIONS.items()
    ],
)
def test_whatever_is_done_to_the_log_directory_the_training_logs_on(
    tmp_path: Path, weights: bytes, acts: Acts, logged: list[int], found: dict[str, list[int]], said: list[str]
) -> None:
    log_dir = tmp_path / "logs"
    assert _told(log_dir, acts, weights) == (logged, said)
    if log_dir.is_dir():
        assert steps_of_runs(log_dir) == found


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other permissions")
@pytest.mark.parametrize("name", [".", "filters"], ids=["log directory", "run"])
def test_what_cannot_be_looked_at_for_a_while_loses_nothing(
    open_path: Path, weights: bytes, as_nobody: Callable[[], AbstractContextManager[None]], name: str
) -> None:
    def set_mode(mode: int) -> Act:
        return lambda log_dir: (log_dir / name).chmod(mode)

    with as_nobody():
        log_dir = open_path / "logs"
        assert _told(log_dir, {3: set_mode(0), 6: set_mode(0o755)}, weights) == (_ALL, [])
    assert steps_of_runs(log_dir) == {"filters": _ALL}


def test_another_working_folder_changes_nothing(
    tmp_path: Path, weights: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    acts: Acts = {3: lambda _: os.chdir("elsewhere"), 5: lambda _: _delete_files(tmp_path / "logs")}
    logged, said = _told(Path("logs"), acts, weights)
    assert (logged, len(said)) == (_ALL, 1)
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert steps_of_runs(tmp_path / "logs") == {"filters": [5, 6, 7]}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    with mounted(tmp_path / "disk", "1m") as place:
        yield place


@pytest.mark.parametrize("left_kib", [0, 8, *(pytest.param(left, marks=pytest.mark.slow) for left in (4, 12, 16))])
def test_a_full_disk_is_said_once_and_logging_resumes_when_there_is_room(
    disk: Path, weights: bytes, left_kib: int
) -> None:
    def fill(log_dir: Path) -> None:
        status = os.statvfs(log_dir)
        (disk / "others").write_bytes(bytes(status.f_bavail * status.f_frsize - (left_kib << 10)))

    acts: Acts = {2: fill, 5: lambda _: (disk / "others").unlink()}
    logged, said = _told(disk / "logs", acts, weights)
    missing = sorted(set(_ALL) - set(logged))
    assert set(missing) <= {2, 3, 4}
    assert missing[-1] == 4  # by then, it is full
    assert said == [
        f"No picture of the filters at step {missing[0]}: LogDirError: Cannot write to the log directory 'LOG': "
        "No space left on device. The training goes on, and further steps are tried."
    ]
    assert steps_of_runs(disk / "logs") == {"filters": logged}


def test_a_loop_of_ones_own_is_told_of_a_full_disk_and_may_go_on(disk: Path) -> None:
    model = _model()
    with FilterLogger(disk / "logs", verbose=0) as logger:
        logger.log(model, 0)
        (disk / "others").write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize))
        for step in (1, 2):
            with pytest.raises(LogDirError, match=r"Cannot write to the log directory '.*': No space left on device$"):
                logger.log(model, step)
        (disk / "others").unlink()
        logger.log(model, 3)
    assert steps_of_runs(disk / "logs") == {"filters": [0, 3]}


def test_what_fails_at_every_step_is_said_once_and_counted_at_the_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    visualizer = FilterVisualizer(tmp_path / "logs", verbose=1)
    acts: Acts = {3: lambda log_dir: _replace_by_a_file(log_dir), 6: Path.unlink}
    with pytest.warns(VisualizationWarning) as told:
        _trained(_acting(tmp_path / "logs", acts), visualizer)
    assert len([warning for warning in told if "No picture" in str(warning.message)]) == 1
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "Failed" in line]
    reason = f"Cannot write to the log directory {str(tmp_path / 'logs')!r}: Not a directory"
    assert line == f"FilterVisualizer: Failed at steps 3 to 5: LogDirError: {reason}."


def test_a_callback_that_stands_in_the_list_twice_draws_once(tmp_path: Path, weights: bytes) -> None:
    memory = MemorySink()
    visualizer = FilterVisualizer(tmp_path, sinks=[memory])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _trained(visualizer, visualizer) == weights
    assert [snapshot.step for snapshot in memory.snapshots] == _ALL
    assert steps_of_runs(tmp_path) == {"filters": _ALL}
