"""How fast checkpoints are logged, against starting afresh for each (load, build, trace, draw), and in how much memory.

python -m pytest tests/benchmarks/test_checkpoints.py --override-ini addopts="--import-mode=importlib -s"
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from tb_filterviz import FilterLogger, build_lenet
from tb_filterviz.backfill.run import LogReport
from tests.event_reader import difference, steps

ROOT = Path(__file__).parent.parent.parent
CHECKPOINTS = 100
NAIVE = 10  # a tenth of them will do

_LOG = """
import sys, time
from tb_filterviz import FilterLogger
from tests.memory import peak_mib, resident_mib

samples = []

def progress(report, total):
    samples.append((time.perf_counter(), resident_mib()))

if __name__ == "__main__":
    workers = int(sys.argv[3])
    with FilterLogger(sys.argv[2]) as logger:
        began = time.perf_counter()
        report = logger.log_checkpoints(sys.argv[1], "lenet", executor=workers or None, progress=progress)
    assert len(report.logged) == len(samples) - 1, report.failed
    (first, at_10), (last, at_end) = samples[10], samples[-1]
    print((len(samples) - 11) / (last - first), len(report.logged) / (last - began), at_10, at_end, peak_mib())
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    keras.utils.set_random_seed(0)
    model = build_lenet()
    start = model.get_weights()
    rng = np.random.default_rng(0)
    for epoch in range(1, CHECKPOINTS + 1):
        model.set_weights([value + rng.normal(0, 0.02, value.shape) for value in start])
        model.save_weights(folder / f"epoch-{epoch:03d}.weights.h5")
    return folder


def _log(saved: Path, log_dir: Path, workers: int) -> tuple[float, float, float, float, float]:
    arguments = [sys.executable, "-c", _LOG, str(saved), str(log_dir), str(workers)]
    if workers:  # spawned processes import the script that started them: it has to be a file
        log_dir.mkdir(parents=True)
        script = log_dir / "log.py"
        script.write_text(_LOG)
        arguments[1:3] = [str(script)]
    here = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=550, check=False, env=here)
    assert done.returncode == 0, done.stderr
    warm, all_in_all, at_10, at_end, peak = map(float, done.stdout.split())
    return warm, all_in_all, at_10, at_end, peak


def _naive_rate(saved: Path, log_dir: Path) -> float:
    """Checkpoints a second for whoever starts afresh for each, in a process that is warm."""
    files = sorted(saved.iterdir())[: NAIVE + 1]
    marks: list[float] = []
    for epoch, path in enumerate(files):
        marks.append(time.perf_counter())
        model = build_lenet()
        model.load_weights(path)
        with FilterLogger(log_dir / str(epoch)) as logger:
            logger.log(model, step=epoch)
    marks.append(time.perf_counter())
    return NAIVE / (marks[-1] - marks[1])


def test_checkpoints_per_second(saved: Path, tmp_path: Path) -> None:
    naive = _naive_rate(saved, tmp_path / "naive")
    rates = {}
    for name, workers in (("serial", 0), ("two workers", 2)):
        warm, all_in_all, at_10, at_end, peak = _log(saved, tmp_path / name, workers)
        rates[name] = warm
        print(
            f"\n{name:12} {warm:5.1f} checkpoints/s ({all_in_all:.1f} with the start of everything), "
            f"{warm / naive:.1f} times the naive loop; memory {at_10:.0f} MiB after 10, {at_end:.0f} after "
            f"{CHECKPOINTS}, peak {peak:.0f}",
            end="",
        )
        assert at_end < 1.1 * at_10
    print(f"\nnaive loop   {naive:5.1f} checkpoints/s")
    assert difference(tmp_path / "serial" / "filters", tmp_path / "two workers" / "filters") == ""
    assert steps(tmp_path / "serial" / "filters", "filters/conv2d_1") == list(range(CHECKPOINTS))
    assert rates["serial"] > 2 * naive
    assert rates["two workers"] > 0.8 * rates["serial"]


def test_a_second_log_of_the_same_costs_little(saved: Path, tmp_path: Path) -> None:
    def log() -> tuple[LogReport, float]:
        started = time.perf_counter()
        with FilterLogger(tmp_path) as logger:
            report = logger.log_checkpoints(sorted(saved.iterdir())[:50], "lenet")
        return report, time.perf_counter() - started

    first, drawing = log()
    second, passing_over = log()
    assert (len(first.logged), len(second.held)) == (50, 50)
    print(f"\n50 checkpoints drawn in {drawing:.2f} s, passed over in {passing_over:.2f} s")
    assert passing_over < drawing / 3
