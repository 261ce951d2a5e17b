"""For hand-written training loops, and for after the training."""

import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import keras
import numpy as np

from tb_filterviz.backfill.pool import Pool
from tb_filterviz.backfill.run import CheckpointLog, LogPlan, LogReport, Progress, weights_kept
from tb_filterviz.backfill.watch import Watch
from tb_filterviz.checkpoints.folders import Source, find_any, listed
from tb_filterviz.checkpoints.sources import ModelSource
from tb_filterviz.checkpoints.steps import Steps, checked_pattern, said_steps
from tb_filterviz.config import Config, as_config
from tb_filterviz.errors import ConfigError, StepError
from tb_filterviz.examples.settings import as_settings
from tb_filterviz.filter_run import FilterRun, read_written
from tb_filterviz.logs.storage import RunPlace
from tb_filterviz.optvis.layer_calls import as_patterns, check_keras_model
from tb_filterviz.progress import shown_if_long
from tb_filterviz.session import Session, with_examples
from tb_filterviz.sinks import Sink, begin, checked_sinks
from tb_filterviz.sinks.events import EventSink
from tb_filterviz.snapshots import LayerSnapshot

Paths = str | Path | Iterable[Source]


_MODELS_KEPT = 4  # with what was compiled for them: two that take turns are common, as in a GAN


class _Latest:
    """Remembers the snapshots of the last step: a sink."""

    def __init__(self) -> None:
        self.snapshots: list[LayerSnapshot] = []

    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:  # noqa: ARG002  each knows its step
        self.snapshots = list(snapshots)

    def report(self, step: int, text: str) -> None:
        """Keep what was there."""

    def close(self) -> None:
        """Keep what was there."""


@dataclass(slots=True)
class _LoggedModel:
    """What is kept of a model: what draws it, and the run that it is written to."""

    session: Session
    events: EventSink


class FilterLogger:
    """Writes what every filter responds to, whenever `log` is called.

    ```python
    with FilterLogger("logs") as logger:
        for epoch in range(5):
            train_one_epoch(model)
            logger.log(model, step=epoch)
    ```

    Args:
        log_dir: where TensorBoard looks, a folder or an address such as ``s3://bucket/logs``. The run is
            ``<log_dir>/filters``; it holds one training, drawn one way, and any other one gets a run beside it.
        layers: names, paths or patterns (``"conv*"``) of convolutional layers, or layers themselves; None for all
            convolutional ones.
        config: a `Config`, or the name of a preset, ``"clean"``, ``"plain"`` or ``"classic"``.
        other_inputs: what the model's inputs are that are not the image, by name, without the batch axis.
        examples: real images on which is measured what filters do, as `Examples` takes them; they tell the input range
            as well. None for none.
        sinks: further places to write to.
        verbose: 0 is silent; 1 says on stderr which input range was taken, what cannot be drawn and what drawings of a
            model will take, and shows how far a long one is.
            Checkpoints have a `progress` of their own.

    Raises:
        ConfigError: if a setting cannot work.
        LogDirError: if nothing can be written to `log_dir`.
    """

    def __init__(
        self,
        log_dir: str | Path = "logs",
        layers: str | keras.Layer | Iterable[str | keras.Layer] | None = None,
        *,
        config: Config | str = "clean",
        other_inputs: Mapping[str, Any] | None = None,
        examples: Any = None,
        sinks: Sequence[Sink] = (),
        verbose: int = 1,
    ) -> None:
        if verbose not in (0, 1):
            raise ConfigError(f"`verbose` must be 0 or 1. Received: verbose={verbose!r}")
        self._examples = as_settings(examples)
        self._config = with_examples(as_config(config), self._examples)
        self._layers = as_patterns(layers)
        self._other_inputs = dict(other_inputs or {})
        self._log_dir = log_dir
        self._extra_sinks = checked_sinks(sinks)
        self._logged: list[_LoggedModel] = []
        self._verbose = verbose
        self._latest = _Latest()
        self._written: RunPlace | None = None
        self._event_sink()

    def log(self, model: keras.Model, step: int) -> list[LayerSnapshot]:
        """Draw the filters of `model` as they are now, and write them at `step`.

        A step that is not above the last one of the model's run begins a new run beside it, and says so. Another
        network has a run of its own; one that is alike, as a loop loads it anew for every epoch, goes on in the same.

        Args:
            model: a built Keras model; the same one each time is compiled only once.
            step: an epoch's index from 0, or -1 for before training.

        Returns:
            What was written, one snapshot per layer.

        Raises:
            StepError: if `step` is not a whole number.
            ModelError: if the model cannot be shown.
            LogDirError: if it cannot be written.
        """
        if isinstance(step, bool) or not isinstance(step, int | np.integer) or abs(int(step)) >= 2**63:
            raise StepError(f"`step` must be a whole number of at most 64 bits. Received: step={step!r}")
        step = int(step)
        logged = self._logged_model(model, step)
        session, events = logged.session, logged.events
        if not events.is_begun or (events.last_step is not None and step <= events.last_step):
            events = logged.events = self._begun(session, step)
        session.history = events.history
        assert session.cost is not None
        with shown_if_long(session.cost, f"Filters at step {step}", self._verbose) as report:
            try:
                return session.log(step, [events, *self._extra_sinks, self._latest], report)
            finally:
                self._written = events.place

    @property
    def snapshots(self) -> list[LayerSnapshot]:
        """What was logged last, one snapshot per layer; empty before anything was."""
        return list(self._latest.snapshots)

    @property
    def run(self) -> FilterRun:
        """The run that was written last, at all of its steps, read anew each time.

        Raises:
            LogDirError: if nothing has been written yet, or nothing is left of it.
        """
        return read_written(
            self._written, "This logger has written nothing yet. Call `log` or `log_checkpoints` first."
        )

    def _logged_model(self, model: keras.Model, step: int) -> "_LoggedModel":
        """Find or make what is kept of a model; of the last few, so that two can take turns."""
        for logged in self._logged:
            if logged.session.model is model:
                self._logged.remove(logged)
                self._logged.append(logged)
                return logged
        session = Session(
            model,
            layers=self._layers,
            config=self._config,
            other_inputs=self._other_inputs,
            examples=self._examples,
        )
        for sentence in (session.prepare().describe(), *session.describe()):
            self._say(sentence)
        self._logged.append(_LoggedModel(session, self._begun(session, step)))
        forgotten, self._logged = self._logged[:-_MODELS_KEPT], self._logged[-_MODELS_KEPT:]
        for logged in forgotten:
            if not any(logged.events is kept.events for kept in self._logged):
                logged.events.close()
        return self._logged[-1]

    def _begun(self, session: Session, step: int) -> EventSink:
        """Find the run that a model goes on in, or begin one: a loop may load another model for every epoch."""
        recipe = session.recipe("logger")
        open_runs = [logged.events for logged in self._logged if logged.events.goes_on(recipe, step)]
        if open_runs:
            chosen = session.closest([events.index for events in open_runs])
            return next(events for events in open_runs if events.index is chosen)
        events = self._event_sink()
        self._say(events.begin(recipe, step, session.closest, session.stored_examples))
        try:
            begin(self._extra_sinks, events.run_dir)
        except BaseException:
            events.discard_if_empty()  # the next call tries again
            raise
        return events

    def _event_sink(self) -> EventSink:
        return EventSink(self._log_dir, self._config)

    def _say(self, text: str) -> None:
        if text and self._verbose:
            print(f"FilterLogger: {text}", file=sys.stderr)

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
        checkpoint that cannot be loaded is reported, and the others are logged. What is in a folder, or matches a
        pattern, and does not say its epoch, as ``best.keras``, is left out, and reported as well. What is refused
        leaves nothing in the log directory.

        Args:
            paths: files that hold weights, in any format (told by content), folders of such files, and patterns.
            model: whose weights they are: ``"lenet"``, ``"package.module:factory"``, a file that holds an
                architecture, a function that makes a model, or a built model, which is afterwards as it was. None if
                the checkpoints say it.
            steps: None takes the epoch from the names (``epoch-07``, ``weights.07-0.12.h5``, ``ckpt-7``): they count
                epochs from 1, and steps from 0, so ``epoch-01`` is step 0. A regular expression has a group around the
                epoch, or one named ``step`` around the step itself. Numbers are the steps of `paths`, one each. A
                single file whose name says no epoch is step 0.
            executor: where to draw: None for here; a number of processes, which are spawned, and replaced if they die;
                or any `concurrent.futures.Executor`. What is drawn is the same, to the byte.
            window: how many checkpoints are given to the executor at once; None for twice its processes, or 16.
            unsafe: load whatever model files name, and run their code. Only for files of people whom you trust.
            progress: called after each checkpoint with the report so far, and how many checkpoints there are.

        Returns:
            What was logged, what the run held already, what failed, and what was left out.

        Raises:
            CheckpointError: if there is no checkpoint, or none says what the model looks like.
            StepError: if the names of files do not say the steps clearly, or nothing in a folder does, with the list.
            ConfigError: if a setting cannot work.
            ModelError: if the model cannot be shown.
            WorkerError: if the executor is broken and cannot be replaced; what was logged is kept.
        """
        _check_source(model)
        every = listed(paths)
        said = said_steps(every, steps)
        found, wrong = find_any(every)
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
        """Log checkpoints, and go on as new ones appear while a training elsewhere writes them.

        A file that is still being written is waited for. Ends with Ctrl-C, or when nothing new came for `idle_s`.

        Args:
            paths: folders, which need not be there yet, or files.
            model: whose weights they are, as `log_checkpoints` takes it.
            steps: None, or a regular expression, as `log_checkpoints` takes it.
            poll_s: seconds between two looks.
            idle_s: seconds without a new checkpoint after which it ends; None for never.
            executor: where to draw: None for here, a number of processes, or a `concurrent.futures.Executor`.
            window: how many checkpoints are given to the executor at once; None for twice its processes, or 16.
            unsafe: load whatever model files name, and run their code. Only for files of people whom you trust.
            progress: called after each checkpoint with the report so far, and how many checkpoints there are.

        Returns:
            What was logged, what the run held already, and what failed.

        Raises:
            StepError: if the names do not say the steps clearly. Other errors are those of `log_checkpoints`.
        """
        _check_source(model)
        if poll_s <= 0 or (idle_s is not None and idle_s <= 0):
            raise ConfigError(f"`poll_s` and `idle_s` must be above 0. Received: poll_s={poll_s}, idle_s={idle_s}")
        if steps is not None:
            checked_pattern(steps)
        watch = Watch([str(path) for path in listed(paths)], poll_s=poll_s, idle_s=idle_s)
        plan = self._plan(model, steps, unsafe, progress, may_grow=True)
        with self._checkpoint_log(plan, executor, window) as log:
            try:
                for found, wrong in watch.batches():
                    log.add(found, wrong)
            except KeyboardInterrupt:
                log.end_early(watch.waiting)
            return log.report

    def _plan(
        self,
        model: ModelSource | keras.Model | None,
        steps: Steps,
        unsafe: bool,
        progress: Progress | None,
        *,
        may_grow: bool = False,
    ) -> LogPlan:
        return LogPlan(
            model, self._layers, self._config, self._other_inputs, self._examples, steps, unsafe, progress, may_grow
        )

    @contextmanager
    def _checkpoint_log(
        self, plan: LogPlan, executor: Executor | int | None, window: int | None
    ) -> Iterator[CheckpointLog]:
        self._close_runs()  # the checkpoints may go on in one of them
        events = self._event_sink()
        with ExitStack() as stack:
            stack.callback(events.discard_if_empty)
            if isinstance(plan.model, keras.Model):
                stack.enter_context(weights_kept(plan.model))
            pool = None if executor is None else stack.enter_context(Pool(executor, window))
            log = CheckpointLog(events, [*self._extra_sinks, self._latest], plan, pool)
            yield log
            log.finish()
            if log.report.run:
                self._written = events.place
            for sentence in (log.report.remark, log.report.notice, *log.report.described):
                self._say(sentence)

    def _close_runs(self) -> None:
        for logged in self._logged:
            logged.events.close()

    def close(self) -> None:
        """Close every sink."""
        self._close_runs()
        for sink in self._extra_sinks:
            sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _check_source(model: object) -> None:
    """See that a model of something else is not taken for a function that makes one."""
    if not (model is None or isinstance(model, str | Path | type) or inspect.isroutine(model)):
        check_keras_model(model)
