"""Tasks on many processes, their results in order, and what to do when one of the processes dies."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

from tb_filterviz.errors import ConfigError, WorkerError
from tb_filterviz.startup import start_worker

Item = TypeVar("Item")
Result = TypeVar("Result")

_ATTEMPTS_ALONE = 2


class Pool:
    """Where tasks run: an executor, or so many processes of our own, which are replaced when they die.

    Args:
        executor: any `concurrent.futures.Executor`, or a number of processes; they are spawned, since a fork of a
            process that has used TensorFlow hangs.
        window: how many tasks are given out at once; None for twice the processes, or 16.

    Raises:
        ConfigError: if either is nothing of the kind.
    """

    def __init__(self, executor: Executor | int, window: int | None = None) -> None:
        is_count = isinstance(executor, int) and not isinstance(executor, bool) and executor >= 1
        if not is_count and not isinstance(executor, Executor):
            raise ConfigError(
                "`executor` must be a concurrent.futures.Executor or a positive number of processes. "
                f"Received: executor={executor!r}"
            )
        if window is not None and (isinstance(window, bool) or not isinstance(window, int) or window < 1):
            raise ConfigError(f"`window` must be a positive integer. Received: window={window!r}")
        self._processes = executor if isinstance(executor, int) else None
        self._executor = executor if isinstance(executor, Executor) else None
        self.window = window or (2 * self._processes if self._processes else 16)
        self.generation = 0  # how often dead processes were replaced

    def submit(self, task: Callable[[Item], Result], item: Item) -> Future[Result]:
        """Give out a task; that the executor is broken shows in the future."""
        if self._executor is None:
            self._executor = self._spawned()
        try:
            return self._executor.submit(task, item)
        except BrokenExecutor as error:
            failed: Future[Result] = Future()
            failed.set_exception(error)
            return failed

    def _spawned(self) -> Executor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._processes, mp_context=context, initializer=start_worker)

    def _replace(self, error: BrokenExecutor) -> None:
        if self._processes is None:
            raise WorkerError(
                f"The executor is broken: {error} What was logged is kept. Give a number of processes in its place, "
                "and those that die are replaced."
            ) from error
        self.close()
        self._executor = self._spawned()
        self.generation += 1
        try:
            self._executor.submit(os.getpid).result()
        except BrokenExecutor as second:
            raise WorkerError(
                f"Worker processes cannot start: {second} If this is a script, what it does must stand under "
                "`if __name__ == '__main__':`, since every worker imports it."
            ) from second

    def alone(
        self, task: Callable[[Item], Result], item: Item, error: BrokenExecutor, generation: int
    ) -> Result | Exception:
        """Try again, with no other task around, what was in work when a process of that generation died."""
        for _ in range(_ATTEMPTS_ALONE):
            if generation == self.generation:
                self._replace(error)
            generation = self.generation
            try:
                return self.submit(task, item).result()
            except BrokenExecutor as again:
                error = again
            except Exception as failure:
                return failure
        self._replace(error)
        return WorkerError(f"Every process that drew it died ({1 + _ATTEMPTS_ALONE} times; out of memory?).")

    def close(self) -> None:
        """End our own processes, after what they are doing; an executor that was given is left as it is."""
        if self._processes is not None and self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def in_order(
    pool: Pool | None, task: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[tuple[Item, Result | Exception]]:
    """Yield each item with its result, or with what the task raised, in the order of the items.

    Args:
        pool: where the tasks run; None for here, one after another.
        task: a function that can be pickled, as must be the items and results.
        items: taken as there is room in the pool's window.

    Raises:
        WorkerError: if the pool is broken and cannot be replaced.
    """
    if pool is None:
        for item in items:
            yield item, _outcome(lambda item=item: task(item))  # type: ignore[misc]
        return
    ahead = iter(items)
    given_out: deque[tuple[Item, int, Future[Result]]] = deque()
    while True:
        if all(generation == pool.generation for _, generation, _ in given_out):  # else some have to be tried alone
            for item in islice(ahead, pool.window - len(given_out)):
                given_out.append((item, pool.generation, pool.submit(task, item)))
        if not given_out:
            return
        item, generation, future = given_out.popleft()
        outcome = _outcome(future.result)
        if isinstance(outcome, CancelledError):
            raise WorkerError(
                "The executor gave up what it was given (did its cluster end?). What was logged is kept; the same "
                "again goes on from there."
            ) from outcome
        if isinstance(outcome, BrokenExecutor):
            outcome = pool.alone(task, item, outcome, generation)
        yield item, outcome


def _outcome(compute: Callable[[], Any]) -> Any:
    try:
        return compute()
    except (Exception, CancelledError) as error:
        return error
