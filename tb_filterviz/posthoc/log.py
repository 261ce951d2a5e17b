"""Checkpoints, batch after batch, into one run: each at its step, none twice, in rising order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras

from tb_filterviz.checkpoints import Architecture, Checkpoint, ModelSource, architecture_of
from tb_filterviz.checkpoints.naming import steps_from_names
from tb_filterviz.checkpoints.weights import Stored, finalize, stored
from tb_filterviz.config import Config
from tb_filterviz.errors import CheckpointError, FilterVizError, StepError
from tb_filterviz.posthoc.job import Job, draw, draw_with, packed
from tb_filterviz.posthoc.pool import Pool, in_order
from tb_filterviz.records import LayerDrawing
from tb_filterviz.session import Session
from tb_filterviz.sinks import Sink
from tb_filterviz.sinks.events import EventSink

Steps = str | Mapping[Path, int] | None  # a pattern, what was said of each, or what the names say


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What became of one checkpoint: `step` is None if that could not be told, `error` None if all is well."""

    checkpoint: str
    step: int | None
    error: str | None = None


@dataclass(slots=True)
class LogReport:
    """What became of many: written now, in the run already, or not to be had."""

    logged: list[LogEntry] = field(default_factory=list)
    held: list[LogEntry] = field(default_factory=list)
    failed: list[LogEntry] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many checkpoints something became of."""
        return len(self.logged) + len(self.held) + len(self.failed)


Progress = Callable[[LogReport, int], None]


@dataclass(frozen=True, slots=True)
class LogPlan:
    """How checkpoints are logged: what `FilterLogger.log_checkpoints` says of these."""

    model: ModelSource | keras.Model | None
    layers: str | Sequence[str] | None
    config: Config
    other_inputs: Mapping[str, Any]
    steps: Steps
    unsafe: bool
    progress: Progress | None


class CheckpointLog:
    """A run that checkpoints are added to, batch after batch.

    Args:
        events: the run.
        sinks: further places to write to.
        plan: how.
        pool: where they are drawn; None for here.
    """

    def __init__(self, events: EventSink, sinks: Sequence[Sink], plan: LogPlan, pool: Pool | None) -> None:
        self.report = LogReport()
        self._events, self._sinks, self._plan, self._pool = events, sinks, plan, pool
        self._steps_of: dict[Path, int] = {}
        self._checkpoints: dict[Path, Checkpoint] = {}
        self._unfinished: dict[Path, int] = {}
        self._draw: Callable[[Checkpoint], list[LayerDrawing]] | None = None
        self._layers: list[str] = []

    def add(self, found: Sequence[Checkpoint], wrong: Mapping[Path, CheckpointError]) -> None:
        """Log these checkpoints; those that are `wrong`, or turn out to be, are reported.

        Raises:
            StepError: if the steps cannot be told, or are in the run already with other pictures.
            ModelError, ConfigError: if the model cannot be built or shown.
            WorkerError: if the pool is broken for good.
            LogDirError: if the run cannot be written to.
        """
        said = self._plan.steps if isinstance(self._plan.steps, Mapping) else {}
        for path, error in wrong.items():
            self._report_failure(path, said.get(path), error)
        in_rising_order = self._with_steps(found)
        if not in_rising_order:
            return
        if self._draw is None:
            self._draw = self._prepare([checkpoint for checkpoint, _ in in_rising_order])
            self._check_same_run(in_rising_order, self._draw)
        total = self.report.done + len(in_rising_order)
        missing = [pair for pair in in_rising_order if self._is_missing(*pair)]
        self._unfinished |= {checkpoint.path: step for checkpoint, step in missing}
        self._tell(total)
        outcomes = in_order(self._pool, self._draw, [_anywhere(checkpoint) for checkpoint, _ in missing])
        for (checkpoint, step), (_, outcome) in zip(missing, outcomes, strict=True):
            if isinstance(outcome, Exception):
                self._report_failure(checkpoint.path, step, outcome)
            else:
                self._write(step, outcome)
                self.report.logged.append(LogEntry(str(checkpoint), step))
            del self._unfinished[checkpoint.path]
            self._tell(total)

    def end_early(self, waiting: Mapping[Path, CheckpointError]) -> None:
        """Report what was waited for, and what was not drawn yet."""
        for path, error in waiting.items():
            self._report_failure(path, self._steps_of.get(path), error)
        for path, step in self._unfinished.items():
            self._report_failure(path, step, CheckpointError("It was not drawn before the end."))

    def _tell(self, total: int) -> None:
        if self._plan.progress is not None:
            self._plan.progress(self.report, total)

    def _with_steps(self, found: Sequence[Checkpoint]) -> list[tuple[Checkpoint, int]]:
        """Each with its step, in rising order; new ones that make all names doubtful are reported."""
        try:
            self._place(found)
            placed = list(found)
        except StepError:
            if not self._steps_of:
                raise
            placed = []
            for checkpoint in found:  # the names of those before were clear
                try:
                    self._place([checkpoint])
                    placed.append(checkpoint)
                except StepError as error:
                    self._report_failure(checkpoint.path, None, error)
        return sorted(((each, self._steps_of[each.path]) for each in placed), key=lambda pair: pair[1])

    def _place(self, found: Sequence[Checkpoint]) -> None:
        """Tell the steps of all that is known; what was told before has to stay."""
        known = self._checkpoints | {checkpoint.path: checkpoint for checkpoint in found}
        if isinstance(self._plan.steps, Mapping):
            steps = {path: self._plan.steps[path] for path in known}
        else:
            steps = dict(zip(known, steps_from_names(list(known.values()), self._plan.steps), strict=True))
        moved = [path for path, step in self._steps_of.items() if steps[path] != step]
        if moved:
            raise StepError(
                f"With {str(found[-1])!r}, the names say another step of {str(moved[0])!r} than before: "
                f"{steps[moved[0]]}, not {self._steps_of[moved[0]]}. Say which with --steps-from 'REGEX'."
            )
        self._steps_of, self._checkpoints = steps, known

    def _check_same_run(
        self, pairs: Sequence[tuple[Checkpoint, int]], draw: Callable[[Checkpoint], list[LayerDrawing]]
    ) -> None:
        """Draw again the last checkpoint of which the run holds pictures: are they the same?"""
        history = self._events.held.history
        known = [pair for pair in pairs if any(history.holds(layer, pair[1]) for layer in self._layers)]
        if not known:
            return
        checkpoint, step = known[-1]
        ((_, drawings),) = in_order(self._pool, draw, [_anywhere(checkpoint)])
        if isinstance(drawings, Exception):  # that is reported where its turn comes, if it has one
            return
        for drawing in drawings:
            if history.holds(drawing.layer, step) and not history.resembles(drawing, step):
                raise StepError(
                    f"{self._events.run_dir!r} holds step {step} already, with other pictures of {drawing.layer!r} "
                    f"than {str(checkpoint)!r} gives: it is of another training, or was drawn with other settings. "
                    "Use another log directory."
                )

    def _is_missing(self, checkpoint: Checkpoint, step: int) -> bool:
        """Whether the run lacks this step and has room for it; if not, that is reported."""
        held = self._events.held
        lacking = [layer for layer in self._layers if not held.has_whole(layer, step)]
        if not lacking:
            self.report.held.append(LogEntry(str(checkpoint), step))
            return False
        for layer in lacking:
            last = held.last_whole(layer)
            if last is not None and last > step:
                late = StepError(
                    f"The run goes on to step {last} without step {step} of {layer!r}, and TensorBoard drops what is "
                    f"before a step that it adds. Delete {self._events.run_dir!r} and log all of them again, or log "
                    "them into another directory."
                )
                self._report_failure(checkpoint.path, step, late)
                return False
        return True

    def _report_failure(self, path: Path, step: int | None, error: Exception) -> None:
        said = str(error) if isinstance(error, FilterVizError) else f"{type(error).__name__}: {error}"
        self.report.failed.append(LogEntry(str(path), step, said))

    def _write(self, step: int, drawings: Sequence[LayerDrawing]) -> None:
        snapshots = [self._events.held.history.snapshot(drawing, step, "epoch") for drawing in drawings]
        for sink in self._sinks:
            sink.write(step, snapshots)
        self._events.complete(step, snapshots)  # last: what the run holds is done

    def _prepare(self, checkpoints: Sequence[Checkpoint]) -> Callable[[Checkpoint], list[LayerDrawing]]:
        """What draws, and which layers."""
        plan = self._plan
        if isinstance(plan.model, keras.Model) and self._pool is None:
            return self._here(plan.model)
        architecture, enough = self._architecture(checkpoints)
        draw_here = self._here(architecture.build(unsafe=plan.unsafe, stored=enough))
        if self._pool is None:
            return draw_here
        others = packed(plan.other_inputs)
        return partial(draw, Job(architecture, plan.unsafe, enough, plan.config, tuple(self._layers), others))

    def _here(self, model: keras.Model) -> Callable[[Checkpoint], list[LayerDrawing]]:
        plan = self._plan
        session = Session(model, layers=plan.layers, config=plan.config, other_inputs=plan.other_inputs)
        self._layers = session.layers
        return partial(draw_with, session)

    def _architecture(self, checkpoints: Sequence[Checkpoint]) -> tuple[Architecture, Stored]:
        """The first that can be had, and what is stored for its weights; damaged checkpoints do not count."""
        model = self._plan.model
        if isinstance(model, keras.Model):
            return Architecture.of(model), Stored(len(model.weights), model.count_params())
        *rest, last = checkpoints
        for checkpoint in rest:
            with suppress(CheckpointError):
                return architecture_of(checkpoint, model), stored(checkpoint)
        return architecture_of(last, model), stored(last)


def _anywhere(checkpoint: Checkpoint) -> Checkpoint:
    """By a path that holds for a process in another folder as well."""
    return replace(checkpoint, path=checkpoint.path.absolute())


@contextmanager
def weights_kept(model: keras.Model) -> Iterator[None]:
    """The model is afterwards what it was before."""
    values = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    try:
        yield
    finally:
        for variable, value in zip(model.variables, values, strict=True):
            variable.assign(value)
        finalize(model)
