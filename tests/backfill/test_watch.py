import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import pytest

from tb_filterviz import FilterLogger
from tb_filterviz.backfill.run import LogReport
from tb_filterviz.backfill.watch import Watch, natural
from tb_filterviz.errors import ConfigError
from tests.backfill import networks
from tests.event_reader import difference, steps

PLAIN = "tests.backfill.networks:plain"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    networks.save_epochs(folder, range(1, 12))
    return folder


def _name(epoch: int) -> str:
    return f"epoch-{epoch:02d}.weights.h5"


class _Clock:
    """Time that goes on only while somebody sleeps; meanwhile another does the next part of its work."""

    def __init__(self, work: Iterator[None]) -> None:
        self._work, self.now_s = work, 0.0

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        next(self._work, None)


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[None]], _Clock]:
    """Between two looks, what it is given runs to its next `yield`."""

    def begin(work: Iterator[None]) -> _Clock:
        clock = _Clock(work)
        monkeypatch.setattr("tb_filterviz.backfill.watch.time", clock)
        return clock

    return begin


Meanwhile = Callable[[Iterator[None]], _Clock]


def _watched(folder: Path, log_dir: Path) -> LogReport:
    with FilterLogger(log_dir) as logger:
        return logger.watch(folder, PLAIN, poll_s=0.2, idle_s=3.0)


def test_what_a_training_writes_is_logged_as_it_comes_and_never_half(
    saved: Path, tmp_path: Path, meanwhile: Meanwhile
) -> None:
    folder = tmp_path / "later"  # not there yet

    def train() -> Iterator[None]:
        yield
        folder.mkdir()
        for epoch in range(1, 12):
            content = (saved / _name(epoch)).read_bytes()
            with (folder / _name(epoch)).open("wb") as file:
                for start in range(0, len(content), len(content) // 2 + 1):
                    file.write(content[start : start + len(content) // 2 + 1])
                    file.flush()
                    yield
                    yield from (None for _ in range(3) if epoch in (2, 7))  # longer than a look

    meanwhile(train())
    report = _watched(folder, tmp_path)
    assert not report.failed
    assert [entry.step for entry in report.logged] == list(range(11))
    with FilterLogger(tmp_path / "afterwards") as logger:
        logger.log_checkpoints(saved, PLAIN)
    assert difference(tmp_path / "filters", tmp_path / "afterwards" / "filters") == ""


def test_a_file_that_another_holds_open_is_waited_for(saved: Path, tmp_path: Path, meanwhile: Meanwhile) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    shutil.copy(saved / _name(1), folder)
    shutil.copy(saved / _name(3), folder)

    def train() -> Iterator[None]:
        with h5py.File(saved / _name(2)) as whole, h5py.File(folder / _name(2), "w") as file:
            for name in whole:
                whole.copy(name, file)
                file.flush()
                yield from (None for _ in range(4))

    meanwhile(train())
    report = _watched(folder, tmp_path)
    assert not report.failed
    assert [entry.step for entry in report.logged] == [0, 1, 2]


def test_what_stays_unreadable_is_given_up_and_said(saved: Path, tmp_path: Path, meanwhile: Meanwhile) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    (folder / "notes.txt").write_text("not a checkpoint")
    for epoch in (1, 2, 3):
        shutil.copy(saved / _name(epoch), folder)
    (folder / _name(2)).write_bytes(b"half of it")
    clock = meanwhile(iter(()))
    batches = list(Watch([folder], poll_s=0.1, idle_s=0.5, patience_s=1.0).batches())
    assert clock.now_s == pytest.approx(1.5, abs=0.2)
    assert [[checkpoint.path.name for checkpoint in found] for found, _ in batches] == [[_name(1)], [_name(3)]]
    assert [[path.name for path in wrong] for _, wrong in batches] == [[], [_name(2)]]


def test_what_is_there_is_logged_however_short_it_waits(saved: Path) -> None:
    batches = list(Watch([saved / _name(1)], poll_s=0.2, idle_s=0.01).batches())
    assert [[checkpoint.path.name for checkpoint in found] for found, _ in batches] == [[_name(1)]]


def test_steps_go_on_over_restarts_and_deletions(saved: Path, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    for first in (1, 4):
        for old in folder.iterdir():
            old.unlink()
        for epoch in range(first, first + 3):
            shutil.copy(saved / _name(epoch), folder)
        with FilterLogger(tmp_path) as logger:
            logger.watch(folder, PLAIN, poll_s=0.1, idle_s=0.3)  # by a real clock
    assert steps(tmp_path / "filters", "filters/conv_b") == list(range(6))


def test_what_says_no_epoch_is_left_out_and_the_others_go_on(saved: Path, tmp_path: Path, meanwhile: Meanwhile) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    shutil.copy(saved / _name(1), folder / "w.1.h5")

    def train() -> Iterator[None]:
        yield from (None for _ in range(5))
        shutil.copy(saved / _name(2), folder / "best.h5")
        shutil.copy(saved / _name(3), folder / "w.3.h5")

    meanwhile(train())
    report = _watched(folder, tmp_path)
    assert [entry.step for entry in report.logged] == [0, 2]
    assert not report.failed
    assert [(Path(entry.checkpoint).name, entry.step, entry.error) for entry in report.left_out] == [
        ("best.h5", None, "its name does not say clearly of which epoch it is")
    ]


def test_watching_begins_before_any_name_says_an_epoch(saved: Path, tmp_path: Path, meanwhile: Meanwhile) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    shutil.copy(saved / _name(1), folder / "best.h5")
    shutil.copy(saved / _name(5), folder / "cnn_5.h5")  # alone, that says nothing

    def train() -> Iterator[None]:
        yield from (None for _ in range(5))
        shutil.copy(saved / _name(6), folder / "cnn_6.h5")

    meanwhile(train())
    report = _watched(folder, tmp_path)
    assert [entry.step for entry in report.logged] == [4, 5]
    assert [Path(entry.checkpoint).name for entry in report.left_out] == ["best.h5"]


def test_names_that_say_other_steps_than_before_are_left_out_with_the_way_that_works(
    saved: Path, tmp_path: Path, meanwhile: Meanwhile
) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    shutil.copy(saved / _name(1), folder / "w-01-5.h5")

    def train() -> Iterator[None]:
        yield from (None for _ in range(5))
        shutil.copy(saved / _name(2), folder / "w-01-6.h5")  # so the second number tells

    meanwhile(train())
    report = _watched(folder, tmp_path)
    assert [entry.step for entry in report.logged] == [0]
    ((name, error),) = [(Path(entry.checkpoint).name, entry.error or "") for entry in report.left_out]
    assert name == "w-01-6.h5"
    assert "Say which with --steps-from 'REGEX'" in error
    with FilterLogger(tmp_path / "again") as logger:
        again = logger.watch(folder, PLAIN, poll_s=0.2, idle_s=1.0, steps=r"w-01-(\d+)")
    assert [entry.step for entry in again.logged] == [4, 5]


def test_what_is_still_waited_for_at_the_end_is_reported(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "saved"
    folder.mkdir()
    for epoch in (1, 2, 3):
        shutil.copy(saved / _name(epoch), folder)
    (folder / _name(2)).write_bytes(b"half of it")
    looks = iter(range(8))

    def sleep(_: float) -> None:
        if next(looks, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr("tb_filterviz.backfill.watch.time.sleep", sleep)
    with FilterLogger(tmp_path) as logger:
        report = logger.watch(folder, PLAIN)
    assert [entry.step for entry in report.logged] == [0]
    assert {Path(entry.checkpoint).name for entry in report.failed} == {_name(2), _name(3)}
    assert "It waited for" in (report.failed[1].error or "")


@pytest.mark.parametrize("setting", [{"poll_s": 0.0}, {"idle_s": -1.0}])
def test_times_have_to_be_above_0(tmp_path: Path, setting: dict[str, float]) -> None:
    with FilterLogger(tmp_path) as logger, pytest.raises(ConfigError, match="must be above 0"):
        logger.watch(tmp_path, PLAIN, **setting)  # type: ignore[arg-type]


def test_natural_order() -> None:
    names = ["epoch-10", "epoch-9", "a/ckpt-2", "epoch-009b", "epoch-1"]
    assert sorted(map(Path, names), key=natural) == [
        Path(name) for name in ("a/ckpt-2", "epoch-1", "epoch-009b", "epoch-9", "epoch-10")
    ]
