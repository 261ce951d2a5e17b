"""Processes that are killed, disks that are full: nothing that was logged is lost, and nothing is there twice."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tb_filterviz.metadata import tiles_tag
from tb_filterviz.sinks.events import EventSink
from tests.loaders import found_by_both, steps_of_runs
from tests.processes import run, started

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")

_WRITER = """
import sys
import numpy as np
from tb_filterviz import Config, GridConfig
from tb_filterviz.sinks.events import EventSink
from tests.snapshots import snapshot

tiles = np.random.default_rng(0).integers(0, 255, (300, 48, 48, 3), np.uint8)
sink = EventSink(sys.argv[1], Config(grid=GridConfig(top_k=1)))
sink.begin({"layers": [{"layer": "conv_a"}, {"layer": "conv_b"}]})
step = -1 if sink.last_step is None else sink.last_step
while True:
    step += 1
    tiles[:, 0, 0, 0] = step % 256
    sink.write(step, [snapshot(tiles, step, layer) for layer in ("conv_a", "conv_b")])
    print(step, flush=True)
"""


@pytest.mark.parametrize("kills", [4, pytest.param(25, marks=pytest.mark.slow)])
def test_processes_killed_at_random_lose_nothing(tmp_path: Path, kills: int) -> None:
    dice, announced = np.random.default_rng(kills), []
    for _ in range(kills):
        with started("-c", _WRITER, tmp_path, stdout=subprocess.PIPE) as process:
            assert process.stdout
            announced.append(int(process.stdout.readline()))
            time.sleep(dice.uniform(0, 0.06))
            process.kill()
            announced += [int(line) for line in process.stdout.read().splitlines()]
    assert announced == sorted(set(announced))
    _cut_off_what_is_unfinished(tmp_path)
    runs = steps_of_runs(tmp_path)
    assert list(runs) == ["filters"]
    last = runs["filters"][-1]
    assert runs["filters"] == list(range(last + 1))
    assert last - announced[-1] in (0, 1)  # one may have been written, and the process killed before it said so
    for tag, at in found_by_both(tmp_path)["filters"].items():
        if tag in (tiles_tag("conv_a", 0), tiles_tag("conv_b", 0)):
            assert all(int(tiles[0, 0, 0, 0]) == step % 256 for step, tiles in at.items())


def _cut_off_what_is_unfinished(log_dir: Path) -> None:
    """Do what the next process does first: the last one may have been killed within a step."""
    sink = EventSink(log_dir)
    sink.begin({"layers": [{"layer": "conv_a"}, {"layer": "conv_b"}]})
    sink.close()


_TRAINING = """
import io, os, signal, sys
import keras
import numpy as np
from tb_filterviz import FilterVisualizer

folder, fatal_write = sys.argv[1], int(sys.argv[2])
writes = 0

def watch(frame, event, function):
    global writes
    is_write = event == "c_return" and getattr(function, "__name__", "") == "write"
    if is_write and isinstance(getattr(function, "__self__", None), io.FileIO):
        writes += 1
        if writes == fatal_write:
            os.kill(os.getpid(), signal.SIGKILL)

keras.utils.set_random_seed(0)
model = keras.Sequential([
    keras.Input((12, 12, 1)), keras.layers.Conv2D(3, 3, name="conv_a"), keras.layers.ReLU(),
    keras.layers.Conv2D(3, 3, name="conv_b"), keras.layers.Flatten(), keras.layers.Dense(2),
])
model.compile("adam", "mse")
x, y = np.random.rand(16, 12, 12, 1), np.zeros((16, 2))
if fatal_write:
    sys.setprofile(watch)
callbacks = [FilterVisualizer(folder + "/logs"), keras.callbacks.BackupAndRestore(folder + "/backup")]
model.fit(x, y, epochs=4, verbose=2, callbacks=callbacks)
"""

_WHOLE = {"filters": [-1, 0, 1, 2, 3]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fatal_write", "cut", "expected"),
    [
        (2, 0, _WHOLE),  # the recipe is there, and no step
        (3, 0, _WHOLE),  # the first layer of the first step
        (6, 9, _WHOLE),  # both layers of step 0, the last record cut off
        (7, 0, _WHOLE),  # the first layer of step 1
        (8, 0, {"filters": [-1, 0, 1], "filters_2": [0, 1, 2, 3]}),  # step 1, but not the backup: it is trained again
    ],
)
def test_a_training_killed_within_a_step_goes_on_in_its_run(
    tmp_path: Path, root: Path, fatal_write: int, cut: int, expected: dict[str, list[int]]
) -> None:
    def train(fatal_write: int) -> int:
        command = ["-c", _TRAINING, str(tmp_path), str(fatal_write)]
        return run(*command, status=None, cwd=root).returncode

    assert train(fatal_write) == -signal.SIGKILL
    if cut:
        (file,) = (tmp_path / "logs" / "filters").glob("*tfevents*")
        file.write_bytes(file.read_bytes()[:-cut])
    assert train(0) == 0
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
    told = [line for line in said.splitlines() if "VisualizationWarning: No picture" in line]
    assert len(told) == 2
    assert "at step 1: LogDirError: Cannot write to the log directory" in told[0]
    assert "File too large" in told[0]
    assert weights == train("without")[0]
