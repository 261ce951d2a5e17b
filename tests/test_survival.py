"""Processes that are killed, disks that are full: nothing that was logged is lost, and nothing is there twice."""

import functools
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_filterviz.metadata import tiles_tag
from tb_filterviz.sinks.events import EventSink
from tests.loaders import found_by_all, steps_of_runs
from tests.processes import run, started

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

_WATCH = """
import io, os, signal, sys

writes, fatal_write = 0, int(sys.argv[2])

def watch(frame, event, function):
    global writes
    is_write = event == "c_return" and getattr(function, "__name__", "") == "write"
    if is_write and isinstance(getattr(function, "__self__", None), io.FileIO):
        writes += 1
        if writes == fatal_write:
            os.kill(os.getpid(), signal.SIGKILL)
"""

_WRITER = f"""
{_WATCH}
import numpy as np
from tb_filterviz import Config, GridConfig
from tb_filterviz.sinks.events import EventSink
from tests.snapshots import snapshot

tiles = np.random.default_rng(0).integers(0, 255, (60, 24, 24, 3), np.uint8)
sink = EventSink(sys.argv[1], Config(grid=GridConfig(top_k=1)))
if fatal_write:
    sys.setprofile(watch)
sink.begin({{"layers": [{{"layer": "conv_a"}}, {{"layer": "conv_b"}}]}})
first = 0 if sink.last_step is None else sink.last_step + 1
for step in range(first, first + 20):  # a reader has to hold what all of the processes have written
    tiles[:, 0, 0, 0] = step % 256
    sink.write(step, [snapshot(tiles, step, layer) for layer in ("conv_a", "conv_b")])
    print(step, flush=True)
signal.pause()
"""


@pytest.mark.parametrize("kills", [4, pytest.param(50, marks=pytest.mark.stress)])
def test_processes_killed_at_random_lose_nothing(tmp_path: Path, kills: int) -> None:
    dice, announced = np.random.default_rng(kills), []
    for _ in range(kills):
        with started("-c", _WRITER, tmp_path, 0, stdout=subprocess.PIPE) as process:
            assert process.stdout
            announced.append(int(process.stdout.readline()))
            time.sleep(dice.uniform(0, 0.06))
            process.kill()
            announced += [int(line) for line in process.stdout.read().splitlines()]
    _assert_nothing_is_lost(tmp_path, announced)


@pytest.mark.parametrize("writes", [range(1, 4), pytest.param(range(1, 11), marks=pytest.mark.slow)], ids=len)
def test_processes_killed_right_after_a_write_lose_nothing(tmp_path: Path, writes: range) -> None:
    announced = []
    for write in writes:  # the head of the file, the recipe or a layer, ...
        done = run("-c", _WRITER, tmp_path, write, status=-signal.SIGKILL)
        announced += [int(line) for line in done.stdout.splitlines()]
    _assert_nothing_is_lost(tmp_path, announced)


def _assert_nothing_is_lost(tmp_path: Path, announced: list[int]) -> None:
    """What processes said they had logged is there once, in both loaders, as it was drawn."""
    assert announced == sorted(set(announced))
    _cut_off_what_is_unfinished(tmp_path)
    runs = steps_of_runs(tmp_path)
    assert list(runs) == ["filters"]
    last = runs["filters"][-1]
    assert runs["filters"] == list(range(last + 1))
    assert set(announced) <= set(runs["filters"])
    assert last - max(announced, default=-1) in (
        0,
        1,
    )  # it may have been killed before it said so
    for tag, at in found_by_all(tmp_path)["filters"].items():
        if tag in (tiles_tag("conv_a", 0), tiles_tag("conv_b", 0)):
            assert all(int(tiles[0, 0, 0, 0]) == step % 256 for step, tiles in at.items())


def _cut_off_what_is_unfinished(log_dir: Path) -> None:
    """Do what the next process does first: the last one may have been killed within a step."""
    sink = EventSink(log_dir)
    sink.begin({"layers": [{"layer": "conv_a"}, {"layer": "conv_b"}]})
    sink.close()


_TRAINING = f"""
{_WATCH}
import keras
import numpy as np
from tb_filterviz import FilterVisualizer

folder = sys.argv[1]
keras.utils.set_random_seed(0)
model = keras.Sequential([
    keras.Input((12, 12, 1)), keras.layers.Conv2D(3, 3, name="conv_a"), keras.layers.ReLU(),
    keras.layers.Conv2D(3, 3, name="conv_b"), keras.layers.Flatten(), keras.layers.Dense(2),
])
model.compile("sgd", "mse")
x, y = np.random.default_rng(0).random((16, 12, 12, 1)), np.zeros((16, 2))
if fatal_write:
    sys.setprofile(watch)

def save(epoch, logs):  # a kill within Keras' own backup damages that
    print(epoch, flush=True)
    np.savez(folder + "/new.npz", epoch, *model.get_weights())
    os.replace(folder + "/new.npz", folder + "/saved.npz")

begin, keeps = 0, keras.callbacks.LambdaCallback(on_epoch_end=save)
if sys.argv[4] == "backup":
    keeps = keras.callbacks.BackupAndRestore(folder + "/backup")
elif os.path.exists(folder + "/saved.npz"):
    saved = np.load(folder + "/saved.npz")
    begin = int(saved["arr_0"]) + 1
    model.set_weights([saved[name] for name in saved.files[1:]])
callbacks = [FilterVisualizer(folder + "/logs"), keeps] if folder else []
model.fit(x, y, initial_epoch=begin, epochs=int(sys.argv[3]), shuffle=False, verbose=0, callbacks=callbacks)
print(sum(np.abs(weights).astype(np.float64).sum() for weights in model.get_weights()).hex())
"""


@functools.cache
def _train_without_us(root: Path, epochs: int) -> str:
    """The sum of the weights that such a training ends with, wherever it was killed and went on."""
    return run("-c", _TRAINING, "", 0, epochs, "backup", cwd=root).stdout.split()[-1]


@pytest.mark.stress
def test_a_training_killed_at_random_loses_no_epoch_and_ends_the_same(tmp_path: Path, root: Path) -> None:
    dice, announced, weights = np.random.default_rng(0), [], ""
    for kills_left in reversed(range(11)):
        with started("-c", _TRAINING, tmp_path, 0, 40, "own", cwd=root, stdout=subprocess.PIPE) as process:
            assert process.stdout
            if kills_left:
                announced.append(int(process.stdout.readline()))
                time.sleep(dice.uniform(0, 0.1))
                process.kill()
            *lines, last = process.stdout.read().splitlines() or [""]
            weights = "" if kills_left else last
            announced += [int(line) for line in (lines if not kills_left else [*lines, *last.split()])]
    assert weights == _train_without_us(root, 40)
    found = {step for steps in steps_of_runs(tmp_path / "logs").values() for step in steps}
    assert set(announced) <= found
    assert found == set(range(-1, 40))


_WHOLE = {"filters": [-1, 0, 1, 2, 3]}


def _killed(fatal_write: int, cut: int, expected: dict[str, list[int]], mark: pytest.MarkDecorator) -> Any:
    return pytest.param(fatal_write, cut, expected, marks=mark)


@pytest.mark.parametrize(
    ("fatal_write", "cut", "expected"),
    [
        _killed(1, 0, _WHOLE, pytest.mark.slow),  # the head of the file alone
        _killed(2, 0, _WHOLE, pytest.mark.stress),  # the recipe is there, and no step
        _killed(3, 0, _WHOLE, pytest.mark.slow),  # the first layer of the first step
        _killed(4, 0, _WHOLE, pytest.mark.stress),  # both layers of the first step
        _killed(4, 9, _WHOLE, pytest.mark.slow),  # the last record cut off
        _killed(5, 0, _WHOLE, pytest.mark.stress),  # the first layer of step 0
        # Step 0, but not the backup.
        _killed(6, 0, {"filters": [-1, 0], "filters_2": [-1, 0, 1, 2, 3]}, pytest.mark.slow),
        _killed(6, 9, _WHOLE, pytest.mark.slow),  # both layers of step 0, the last record cut off
        _killed(7, 0, _WHOLE, pytest.mark.stress),  # the first layer of step 1
        # Step 1, but not the backup: it is trained again.
        _killed(8, 0, {"filters": [-1, 0, 1], "filters_2": [0, 1, 2, 3]}, pytest.mark.slow),
    ],
)
def test_a_training_killed_within_a_step_goes_on_in_its_run(
    tmp_path: Path, root: Path, fatal_write: int, cut: int, expected: dict[str, list[int]]
) -> None:
    def train(fatal_write: int) -> "subprocess.CompletedProcess[str]":
        return run("-c", _TRAINING, tmp_path, fatal_write, 4, "backup", status=None, cwd=root)

    assert train(fatal_write).returncode == -signal.SIGKILL
    if cut:
        (file,) = (tmp_path / "logs" / "filters").glob("*tfevents*")
        file.write_bytes(file.read_bytes()[:-cut])
    done = train(0)
    assert done.returncode == 0
    assert done.stdout.split()[-1] == _train_without_us(root, 4)
    assert steps_of_runs(tmp_path / "logs") == expected


_FULL_DISK = """
import resource, signal, sys, warnings
import keras
import numpy as np
from tb_filterviz import FilterVisualizer

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limits = resource.getrlimit(resource.RLIMIT_FSIZE)

def fill(epoch, logs):
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]) if epoch in (1, 2) else limits)

keras.utils.set_random_seed(0)
model = keras.Sequential([
    keras.Input((12, 12, 1)), keras.layers.Conv2D(3, 3, name="conv_a"), keras.layers.Flatten(), keras.layers.Dense(2),
])
model.compile("adam", "mse")
x, y = np.random.default_rng(0).random((16, 12, 12, 1)), np.zeros((16, 2))
callbacks = [keras.callbacks.LambdaCallback(on_epoch_begin=fill)]
if sys.argv[1] != "without":
    callbacks.append(FilterVisualizer(sys.argv[1]))
warnings.simplefilter("always")
model.fit(x, y, epochs=5, verbose=0, callbacks=callbacks)
print(float(sum(np.abs(weights).astype(np.float64).sum() for weights in model.get_weights())).hex())
"""


@pytest.mark.slow
def test_a_disk_that_is_full_for_a_while_costs_the_steps_of_that_while(tmp_path: Path, root: Path) -> None:
    def train(log_dir: str) -> tuple[str, str]:
        command = ["-c", _FULL_DISK, log_dir]
        done = run(*command, cwd=root)
        return done.stdout, done.stderr

    weights, said = train(str(tmp_path))
    assert steps_of_runs(tmp_path) == {"filters": [-1, 0, 3, 4]}
    (told,) = [line for line in said.splitlines() if "VisualizationWarning: No picture" in line]
    assert "at step 1: LogDirError: Cannot write to the log directory" in told
    assert "File too large" in told
    assert weights == train("without")[0]
