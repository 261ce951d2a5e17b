"""For hand-written training loops, and for after the training."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import keras

from tb_filterviz.checkpoints import ModelSource
from tb_filterviz.checkpoints.naming import find
from tb_filterviz.config import Config, as_config
from tb_filterviz.errors import CheckpointError, ConfigError, StepError
from tb_filterviz.posthoc.log import CheckpointLog, LogPlan, LogReport, Progress, Steps, weights_kept
from tb_filterviz.posthoc.pool import Pool
from tb_filterviz.posthoc.watching import Watch
from tb_filterviz.progress import Cost, shown_if_long
from tb_filterviz.records import LayerSnapshot
from tb_filterviz.session import Session
from tb_filterviz.sinks import Sink
from tb_filterviz.sinks.events import EventSink

Paths = str | Path | Iterable[str | Path]


class FilterLogger:
    """Writes what every filter responds to, whenever it is told to.

    ```python
    with FilterLogger("logs") as logger:
        for epoch in range(5):
            train_one_epoch(model)
            logger.log(model, step=epoch)
    ```

    Args:
        log_dir: where TensorBoard looks; the run is ``<log_dir>/filters``.
        layers: names, paths or patterns (``"conv*"``) of convolutional layers; None for all of them.
        config: a `Config`, or the name of a preset, ``"default"`` or ``"classic"``.
        other_inputs: what the model's inputs are that are not the image, by name, without the batch axis.
        sinks: further places to write to.
        verbose: 0 is silent; 1 says on stderr what drawings of a model will take, and shows how far a long one is.
            Checkpoints have a `progress` of their own.

    Raises:
        ConfigError: if a setting cannot work.
        LogDirError: if nothing can be written to `log_dir`.
    """

    def __init__(
        self,
        log_dir: str | Path = "logs",
        layers: str | Iterable[str] | None = None,
        *,
        config: Config | str = "default",
        other_inputs: Mapping[str, Any] | None = None,
        sinks: Sequence[Sink] = (),
        verbose: int = 1,
    ) -> None:
        if verbose not in (0, 1):
            raise ConfigError(f"`verbose` must be 0 or 1. Received: verbose={verbose!r}")
        self._config = as_config(config)
        self._layers = layers if layers is None or isinstance(layers, str) else tuple(layers)
        self._other_inputs = dict(other_inputs or {})
        self._events = EventSink(str(log_dir), self._config.grid)
        self._extra_sinks = list(sinks)
        self._session: Session | None = None
        self._cost: Cost | None = None
        self._verbose = verbose

    def log(self, model: keras.Model, step: int) -> list[LayerSnapshot]:
        """Draw the filters of `model` as they are now, and write them at `step`.

        Args:
            model: a built Keras model; the same one each time is compiled only once.
            step: above the last one that the run holds; an epoch's index from 0, or -1 for before training.

        Returns:
            What was written, one snapshot per layer.

        Raises:
            StepError: if `step` is not a whole number above the last one.
            ModelError: if the model cannot be shown.
        """
        last = self._events.last_step
        if isinstance(step, bool) or not isinstance(step, int) or (last is not None and step <= last):
            above = "a whole number" if last is None else f"a whole number above {last}, the last one in the run"
            raise StepError(f"`step` must be {above}. Received: step={step!r}")
        if self._session is None or self._session.model is not model:
            history = self._events.held.history
            session = Session(
                model, layers=self._layers, config=self._config, history=history, other_inputs=self._other_inputs
            )
            self._cost = session.prepare()
            self._session = session
            if self._verbose:
                print(f"FilterLogger: {self._cost.describe()}", file=sys.stderr)
        assert self._cost is not None
        with shown_if_long(self._cost, f"Filters at step {step}", self._verbose) as report:
            return self._session.log(step, [self._events, *self._extra_sinks], report)

    def log_checkpoints(
        self,
        paths: Paths,
        model: ModelSource | keras.Model | None = None,
        *,
        steps: str | Sequence[int] | None = None,
        executor: Executor | int | None = None,
        window: int | None = None,
        unsafe: bool = False,
        progress: Progress | None = None,
    ) -> LogReport:
        """Draw the filters of many checkpoints, and write each at the step of its epoch.

        ```python
        FilterLogger("logs").log_checkpoints("logs/checkpoints", "lenet")
        ```

        What the run holds already is passed over, so that the same call again goes on where it was cut off. A
        checkpoint that cannot be loaded is reported, and the others are logged.

        Args:
            paths: files that hold weights, in any format (told by content), and folders of such files.
            model: whose weights they are: ``"lenet"``, ``"package.module:factory"``, a file that holds an
                architecture, a function that makes a model, or a built model, which is afterwards as it was. None if
                the checkpoints say it.
            steps: None takes the epoch from the names (``epoch-07``, ``weights.07-0.12.h5``, ``ckpt-7``): they count
                epochs from 1, and steps from 0, so ``epoch-01`` is step 0. A regular expression has a group around the
                epoch, or one named ``step`` around the step itself. Numbers are the steps of `paths`, one each.
            executor: where to draw: None for here; a number of processes, which are spawned, and replaced if they die;
                or any `concurrent.futures.Executor`. What is drawn is the same, to the byte.
            window: how many checkpoints are given to the executor at once; None for twice its processes, or 16.
            unsafe: run Python code that model files hold (Lambda layers). Only for files of people whom you trust.
            progress: called after each checkpoint with the report so far, and how many checkpoints there are.

        Returns:
            What was logged, what the run held already, and what failed.

        Raises:
            CheckpointError: if there is no checkpoint, or none says what the model looks like.
            StepError: if the names do not say the steps clearly, with the list of them.
            ConfigError: if a setting cannot work.
            ModelError: if the model cannot be shown.
            WorkerError: if the executor is broken and cannot be replaced; what was logged is kept.
        """
        listed = [paths] if isinstance(paths, str | Path) else list(paths)
        said = steps if steps is None or isinstance(steps, str) else _steps_of(listed, steps)
        found, wrong = find(listed)
        if not found:
            reason = next(iter(wrong.values()), "there is no checkpoint in it.")
            raise CheckpointError(f"Nothing to log in {', '.join(map(repr, map(str, listed)))}: {reason}")
        with self._checkpoint_log(self._plan(model, said, unsafe, progress), executor, window) as log:
            log.add(found, wrong)
            return log.report

    def watch(
        self,
        paths: Paths,
        model: ModelSource | keras.Model | None = None,
        *,
        steps: str | None = None,
        poll_s: float = 1.0,
        idle_s: float | None = None,
        executor: Executor | int | None = None,
        window: int | None = None,
        unsafe: bool = False,
        progress: Progress | None = None,
    ) -> LogReport:
        """The same, and then go on as new checkpoints appear, while a training elsewhere writes them.

        A file that is still being written is waited for. Ends with Ctrl-C, or when nothing new came for `idle_s`.

        Args:
            paths: folders, which need not be there yet, or files.
            model: as in `log_checkpoints`.
            steps: None or a regular expression, as in `log_checkpoints`.
            poll_s: seconds between two looks.
            idle_s: seconds without a new checkpoint after which it ends; None for never.
            executor: as in `log_checkpoints`.
            window: as in `log_checkpoints`.
            unsafe: as in `log_checkpoints`.
            progress: as in `log_checkpoints`.

        Raises:
            StepError: and others, as in `log_checkpoints`.
        """
        if poll_s <= 0 or (idle_s is not None and idle_s <= 0):
            raise ConfigError(f"`poll_s` and `idle_s` must be above 0. Received: poll_s={poll_s}, idle_s={idle_s}")
        watch = Watch([paths] if isinstance(paths, str | Path) else list(paths), poll_s=poll_s, idle_s=idle_s)
        with self._checkpoint_log(self._plan(model, steps, unsafe, progress), executor, window) as log:
            try:
                for found, wrong in watch.batches():
                    log.add(found, wrong)
            except KeyboardInterrupt:
                log.end_early(watch.waiting)
            return log.report

    def _plan(
        self, model: ModelSource | keras.Model | None, steps: Steps, unsafe: bool, progress: Progress | None
    ) -> LogPlan:
        return LogPlan(model, self._layers, self._config, self._other_inputs, steps, unsafe, progress)

    @contextmanager
    def _checkpoint_log(
        self, plan: LogPlan, executor: Executor | int | None, window: int | None
    ) -> Iterator[CheckpointLog]:
        with ExitStack() as stack:
            if isinstance(plan.model, keras.Model):
                stack.enter_context(weights_kept(plan.model))
            pool = None if executor is None else stack.enter_context(Pool(executor, window))
            yield CheckpointLog(self._events, self._extra_sinks, plan, pool)

    def close(self) -> None:
        """Close every sink."""
        for sink in (self._events, *self._extra_sinks):
            sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _steps_of(paths: Sequence[str | Path], steps: Sequence[int]) -> dict[Path, int]:
    """The step that was said of each path, by the path of the checkpoint that it is."""
    if len(paths) != len(steps) or not all(isinstance(step, int) and not isinstance(step, bool) for step in steps):
        raise ConfigError(f"`steps` must be a whole number for each of the {len(paths)} paths. Received: {steps!r}")
    if len(set(steps)) < len(steps) or any(abs(step) >= 2**63 for step in steps):
        raise StepError(f"`steps` must differ, and fit 64 bits. Received: {steps!r}")
    said: dict[Path, int] = {}
    for path, step in zip(paths, steps, strict=True):
        found, wrong = find([path])
        checkpoints: list[Path] = [checkpoint.path for checkpoint in found] or list(wrong)
        if len(checkpoints) != 1:
            raise ConfigError(f"`steps` are for single checkpoints; there are {len(checkpoints)} in {str(path)!r}.")
        said[checkpoints[0]] = step
    return said
