import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tb_filterviz.backfill.pool import Pool, in_order
from tb_filterviz.errors import ConfigError, WorkerError


def _square_or_die(item: tuple[int, str]) -> int:
    number, fate = item
    if fate == "die":
        os._exit(3)
    if fate == "once":
        path = Path(os.environ["TB_FILTERVIZ_TEST_ONCE"])
        if path.exists():
            path.unlink()
            os._exit(3)
    if fate == "raise":
        raise ValueError(f"no square of {number}")
    time.sleep(0.02 * (number % 3))  # later ones may be done first
    return number * number


def _told(outcomes: list[object]) -> list[object]:
    return [outcome if isinstance(outcome, int) else type(outcome) for outcome in outcomes]


@pytest.fixture
def quick_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that need no TensorFlow."""
    from tb_filterviz.backfill import pool

    monkeypatch.setattr(pool, "start_worker", os.getpid)


@pytest.mark.usefixtures("quick_workers")
def test_results_come_in_order_whatever_happens_to_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "once").touch()
    monkeypatch.setenv("TB_FILTERVIZ_TEST_ONCE", str(tmp_path / "once"))
    fates = {3: "raise", 5: "once", 11: "die", 12: "raise"}
    items = [(number, fates.get(number, "")) for number in range(16)]
    expected: list[object] = [number * number for number in range(16)]
    expected[3] = expected[12] = ValueError
    expected[11] = WorkerError
    with Pool(2) as pool:
        outcomes = dict(in_order(pool, _square_or_die, items))
    assert list(outcomes) == items
    assert _told(list(outcomes.values())) == expected
    assert "3 times" in str(outcomes[11, "die"])


def test_here_and_in_threads_it_is_the_same() -> None:
    items = [(number, "raise" if number == 2 else "") for number in range(9)]
    expected = [ValueError if number == 2 else number * number for number in range(9)]
    assert _told([outcome for _, outcome in in_order(None, _square_or_die, items)]) == expected
    with ThreadPoolExecutor(3) as threads, Pool(threads) as pool:
        assert _told([outcome for _, outcome in in_order(pool, _square_or_die, items)]) == expected


def test_only_a_window_of_items_is_taken_at_once() -> None:
    taken = []

    def items() -> object:
        for number in range(20):
            taken.append(number)
            yield number, ""

    with ThreadPoolExecutor(2) as threads, Pool(threads, window=3) as pool:
        for done, _ in enumerate(in_order(pool, _square_or_die, items())):  # type: ignore[arg-type]
            assert len(taken) <= done + 3
    assert len(taken) == 20


@pytest.mark.usefixtures("quick_workers")
def test_an_executor_that_was_given_cannot_be_replaced() -> None:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as given, Pool(given) as pool:
        results = in_order(pool, _square_or_die, [(1, ""), (2, "die")])
        assert next(results)[1] == 1
        with pytest.raises(WorkerError, match=r"The executor is broken: .* Give a number of processes"):
            next(results)


def test_workers_that_cannot_start_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    from tb_filterviz.backfill import pool as module

    monkeypatch.setattr(module, "start_worker", os.abort)
    with Pool(1) as pool, pytest.raises(WorkerError, match=r"Worker processes cannot start: .* `if __name__ =="):
        list(in_order(pool, _square_or_die, [(1, "")]))


@pytest.mark.parametrize(("executor", "window"), [(0, None), (-1, None), (True, None), ("2", None), (2, 0), (2, 1.5)])
def test_what_is_no_pool_is_refused(executor: object, window: object) -> None:
    with pytest.raises(ConfigError, match="must be a"):
        Pool(executor, window)  # type: ignore[arg-type]
