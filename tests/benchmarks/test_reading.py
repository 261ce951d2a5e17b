"""What reading a long run takes, beside TensorBoard's own reader of event files, each in a process of its own.

python -m pytest tests/benchmarks/test_reading.py --override-ini addopts="--import-mode=importlib -s"
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.plugin.serving import write

EPOCHS = 1000
LAYERS = (
    {"layer": "conv2d_1", "shape": (20, 28, 28, 1)},
    {"layer": "conv2d_2", "shape": (50, 28, 28, 1), "position": 1},
)
OURS = """
run = tb_filterviz.read_run(folder)
read = {name: run[name].tiles.shape for name in run}
for name in run: run[name].statistics
"""
ONE_STEP = """
run = tb_filterviz.read_run(folder)
read = run["conv2d_2"].tiles_at(500).shape
"""
THEIRS = """
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util
accumulator = EventAccumulator(folder + "/filters", size_guidance={"tensors": 0})
accumulator.Reload()
tags = [tag for tag in accumulator.Tags()["tensors"] if tag.startswith("filterviz/conv") and "/" in tag[10:]]
read = [np.stack([tensor_util.make_ndarray(event.tensor_proto) for event in accumulator.Tensors(tag)]) for tag in tags]
"""


def measured(script: str, folder: Path) -> tuple[float, float]:
    """Seconds, and MiB above what was held before."""
    program = f"""
import json, sys, time
import numpy as np
import tb_filterviz, tb_filterviz.filter_run
import tensorboard.backend.event_processing.event_accumulator
from tests.memory import forget_peak, peak_mib, resident_mib
folder = {str(folder)!r}
before = resident_mib()
forget_peak()
began = time.perf_counter()
{script}
print(json.dumps([time.perf_counter() - began, peak_mib() - before]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seconds, mib = json.loads(done.stdout.splitlines()[-1])
    return seconds, mib


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    write(folder, range(EPOCHS), *LAYERS)
    return folder


def test_a_thousand_epochs_of_lenet(log_dir: Path) -> None:
    tiles_mib = EPOCHS * 70 * 28 * 28 / 2**20
    size = sum(file.stat().st_size for file in log_dir.rglob("*tfevents*")) / 2**20
    rounds = [(measured(OURS, log_dir), measured(THEIRS, log_dir), measured(ONE_STEP, log_dir)) for _ in range(3)]
    (ours_s, ours_mib), (theirs_s, theirs_mib), (one_s, one_mib) = np.median(rounds, axis=0)
    print(
        f"\n{EPOCHS} epochs of 20 and 50 filters of 28 px, {size:.0f} MiB of files, {tiles_mib:.0f} MiB of tiles:\n"
        f"  read_run, all tiles and statistics: {ours_s:.2f} s, {ours_mib:.0f} MiB\n"
        f"  read_run, all layers at one step:   {one_s:.2f} s, {one_mib:.0f} MiB\n"
        f"  EventAccumulator:                   {theirs_s:.2f} s, {theirs_mib:.0f} MiB\n"
        f"  ratio: {ours_s / theirs_s:.2f} of the time, {ours_mib / theirs_mib:.2f} of the memory"
    )
    assert ours_s < theirs_s
    assert ours_mib < theirs_mib
    assert ours_mib < 5 * tiles_mib
    assert one_mib < tiles_mib
