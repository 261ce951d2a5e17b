import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tb_filterviz import FilterLogger, cli
from tb_filterviz.logs.storage import folder_of
from tb_filterviz.sinks.run_index import read_run_index
from tests.backfill import networks
from tests.event_reader import difference, steps
from tests.processes import interrupt, run, started
from tests.waiting import until

PLAIN = "tests.backfill.networks:plain"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    networks.save_epochs(folder, range(1, 31))
    return folder


LOG = ("-m", "tb_filterviz", "log")


def test_a_folder_is_logged_and_the_rest_is_said(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(path) for path in sorted(saved.iterdir())[:3]]
    assert cli.main(["log", *files, "--model", PLAIN, "--logdir", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert "Logged: 3 checkpoints (steps 0 to 2) in " in printed.out
    assert f"--logdir {tmp_path}" in printed.out
    assert cli.main(["log", *files[2:], "--model", PLAIN, "--logdir", str(tmp_path)]) == 0
    assert "There already: 1 checkpoint (step 2)" in capsys.readouterr().out
    assert steps(tmp_path / "filters", "filters/conv_a") == [0, 1, 2]


def test_scripts_read_json_and_the_exit_status(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "epoch-02.weights.h5"
    broken.write_text("broken")
    files = [str(saved / "epoch-01.weights.h5"), str(broken), str(saved / "epoch-03.weights.h5")]
    options = ["--model", PLAIN, "--logdir", str(tmp_path), "--layer", "conv_b", "--json"]
    assert cli.main(["log", *files, *options]) == 1
    printed = capsys.readouterr()
    said: dict[str, Any] = json.loads(printed.out)
    assert [(entry["step"], entry["error"]) for entry in said["logged"]] == [(0, None), (2, None)]
    assert [Path(entry["checkpoint"]) for entry in said["failed"]] == [broken]
    assert said["run"] == str(tmp_path / "filters")
    assert printed.err.count(str(broken)) == 1
    assert "is not a model or weights that Keras saved" in printed.err


def test_one_checkpoint_may_be_given_its_step(saved: Path, tmp_path: Path) -> None:
    file = str(saved / "epoch-05.weights.h5")
    assert cli.main(["log", file, "--model", PLAIN, "--logdir", str(tmp_path), "--step", "70"]) == 0
    assert cli.main(["log", file, "--model", PLAIN, "--logdir", str(tmp_path), r"--steps-from=-(\d+)\.weights"]) == 0
    assert steps(tmp_path / "filters", "filters/conv_a") == [70]
    assert steps(tmp_path / "filters_2", "filters/conv_a") == [4]  # below it: a run of its own


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["absent"], 1, "Nothing to log in 'absent': There is no file 'absent'."),
        (["SAVED"], 1, "holds weights only (Keras 3 weights), not the model that they belong to"),
        (["SAVED", "--model", "vgg"], 2, "`model` must be 'lenet', a file"),
        (["SAVED", "--model", "lenet"], 1, "do not fit 'lenet'"),
        (["SAVED", "--model", PLAIN, "--layer", "conv_c"], 1, "no layer 'conv_c'"),
        (["SAVED", "--model", PLAIN, "--step", "1"], 2, "`steps` are for single checkpoints"),
        (["SAVED", "--model", PLAIN, "--steps-from", "x"], 2, "must have a group around the epoch"),
        (["SAVED", "--model", PLAIN, "--workers", "0"], 2, "--workers must be a positive number. Received: 0"),
        (["SAVED", "--model", PLAIN, "--idle", "1"], 2, "--idle goes with --watch."),
        (["SAVED", "--model", PLAIN, "--watch", "--step", "1"], 2, "--step is for one checkpoint"),
        (["SAVED", "--model", PLAIN, "--watch", "--idle", "0"], 2, "must be above 0"),
        (["SAVED", "--model", PLAIN, "--logdir", "/proc/no"], 1, "Cannot write to the log directory '/proc/no'"),
        pytest.param(
            ["SAVED", "--model", PLAIN, "--dask", "tcp://127.0.0.1:9"],
            1,
            "No Dask scheduler answers at",
            marks=pytest.mark.slow,  # 10 s for an answer
        ),
    ],
)
def test_mistakes_get_one_sentence_and_a_status(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, message: str
) -> None:
    named = [str(saved) if argument == "SAVED" else argument for argument in arguments]
    log_dir = [] if "--logdir" in arguments else ["--logdir", str(tmp_path)]
    assert cli.main(["log", *named, *log_dir]) == status
    printed = capsys.readouterr()
    assert message in printed.err
    assert "Traceback" not in printed.err
    assert len(printed.err) < 6000


def test_many_failures_are_cut_short(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["log", str(saved), "--model", "lenet", "--logdir", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert "Logged: 0 checkpoints" in printed.out
    assert "Failed: 30 checkpoints (steps 0 to 29)" in printed.err
    assert "... and 20 more; --json lists all" in printed.err


def _workers_of(pid: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("workers", [[], ["--workers", "2"]], ids=["here", "workers"])
def test_killed_in_the_middle_it_is_readable_and_the_same_command_completes_it(
    saved: Path, tmp_path: Path, root: Path, workers: list[str]
) -> None:
    arguments = [*LOG, saved, "--model", PLAIN, "--logdir", tmp_path, *workers]
    with started(*arguments, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=root) as process:

        def some_are_logged() -> None:
            assert sum(path.stat().st_size for path in tmp_path.glob("filters/*tfevents*")) > 60_000

        until(some_are_logged, lives=lambda: process.poll() is None)
        children = _workers_of(process.pid)
        process.kill()
    logged = steps(tmp_path / "filters", "filterviz/conv_b/share_responsive")
    assert logged == list(range(len(logged)))
    assert 0 < len(logged) < 30

    def workers_have_ended() -> None:
        assert [pid for pid in children if Path(f"/proc/{pid}").exists()] == []

    until(workers_have_ended)  # by themselves
    run(*arguments, cwd=root)
    with FilterLogger(tmp_path / "at_once") as logger:
        logger.log_checkpoints(saved, PLAIN)
    assert difference(tmp_path / "filters", tmp_path / "at_once" / "filters") == ""


@pytest.mark.slow
def test_ctrl_c_ends_watching_with_a_summary(saved: Path, tmp_path: Path, root: Path) -> None:
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.PIPE}
    unbuffered = os.environ | {"PYTHONUNBUFFERED": "1"}
    arguments = [*LOG, saved, "--model", PLAIN, "--logdir", tmp_path, "--watch"]
    with started(*arguments, cwd=root, env=unbuffered, **pipes) as process:

        def all_are_logged() -> None:
            assert read_run_index(folder_of(tmp_path / "filters")).last_step == 29

        until(all_are_logged, lives=lambda: process.poll() is None)
        out, err = interrupt(process)
    assert "Logged: 30 checkpoints (steps 0 to 29)" in out
    assert "Traceback" not in err


@pytest.mark.slow
def test_dask_workers_draw(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        options = ["--model", PLAIN, "--logdir", str(tmp_path), "--dask", address]
        assert cli.main(["log", str(saved), *options]) == 0
    assert "Logged: 30 checkpoints" in capsys.readouterr().out
    assert steps(tmp_path / "filters", "filters/conv_a") == list(range(30))
