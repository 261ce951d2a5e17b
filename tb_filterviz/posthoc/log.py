"""Checkpoints, batch after batch, into one run: each at its step, none twice, in rising order."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import keras

from tb_filterviz.checkpoints import Architecture, Checkpoint, ModelSource, architecture_of
from tb_filterviz.checkpoints.naming import steps_from_names
from tb_filterviz.checkpoints.weights import stored_numbers
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
class _Drawn:
    """What draws: a model here, and the job that describes it to other processes."""

    session: Session
    task: Callable[[Checkpoint], list[LayerDrawing]]


class CheckpointLog:
    """A run that checkpoints are added to.

    Args:
        events: the run.
        sinks: further places to write to.
        layers: names, paths or patterns; None for all.
        config: how filters are drawn.
        other_inputs: what the model's inputs are that are not the image, by name.
        model: whose weights they are; None if the checkpoints say it.
        steps: where they go.
        unsafe: run code that model files hold.
        pool: where they are drawn; None for here.
        progress: told after every checkpoint, with the report so far and how many there are.
    """

    def __init__(
        self,
        events: EventSink,
        sinks: Sequence[Sink],
        *,
        layers: Sequence[str] | str | None,
        config: Config,
        other_inputs: Mapping[str, Any],
        model: ModelSource | Architecture | keras.Model | None,
        steps: Steps,
        unsafe: bool,
        pool: Pool | None,
        progress: Progress | None,
    ) -> None:
        self.report = LogReport()
        self._events, self._sinks = events, sinks
        self._layers, self._config, self._other_inputs = layers, config, other_inputs
        self._model, self._unsafe, self._steps, self._pool = model, unsafe, steps, pool
        self._progress = progress
        self._steps_of: dict[Path, int] = {}
        self._checkpoints: dict[Path, Checkpoint] = {}
        self._drawn: _Drawn | None = None

    def add(self, found: Sequence[Checkpoint], wrong: Mapping[Path, CheckpointError]) -> None:
        """Log these checkpoints; those that are `wrong`, or turn out to be, are reported.

        Raises:
            StepError: if the steps cannot be told; nothing was logged then.
            ModelError, ConfigError: if the model cannot be built or shown.
            WorkerError: if the pool is broken for good.
            LogDirError: if the run cannot be written to.
        """
        for path, error in wrong.items():
            self._report_failure(path, self._known_step(path), error)
        if not found:
            return
        in_rising_order = self._with_steps(found)
        drawn = self._drawn or self._prepare([checkpoint for checkpoint, _ in in_rising_order])
        self._drawn = drawn
        total = self.report.done + len(in_rising_order)
        missing = [pair for pair in in_rising_order if self._is_missing(*pair, layers=drawn.session.layers)]
        self._tell(total)
        steps = iter([step for _, step in missing])
        for checkpoint, outcome in in_order(self._pool, drawn.task, [checkpoint for checkpoint, _ in missing]):
            step = next(steps)
            if isinstance(outcome, Exception):
                self._report_failure(checkpoint.path, step, outcome)
            else:
                self._write(drawn.session, step, outcome)
                self.report.logged.append(LogEntry(str(checkpoint), step))
            self._tell(total)

    def _tell(self, total: int) -> None:
        if self._progress is not None:
            self._progress(self.report, total)

    def _known_step(self, path: Path) -> int | None:
        return self._steps.get(path) if isinstance(self._steps, Mapping) else None

    def _with_steps(self, found: Sequence[Checkpoint]) -> list[tuple[Checkpoint, int]]:
        """Each with its step, in rising order; earlier batches have to agree."""
        everything = [*self._checkpoints.values(), *found]
        unique = list({checkpoint.path: checkpoint for checkpoint in everything}.values())
        if isinstance(self._steps, Mapping):
            steps = {checkpoint.path: self._steps[checkpoint.path] for checkpoint in unique}
        else:
            told = steps_from_names(unique, self._steps)
            steps = {checkpoint.path: step for checkpoint, step in zip(unique, told, strict=True)}
        moved = [path for path, step in self._steps_of.items() if steps[path] != step]
        if moved:
            raise StepError(
                f"With the new checkpoint {str(found[-1])!r}, the names say another step of {str(moved[0])!r} than "
                f"before: {steps[moved[0]]}, not {self._steps_of[moved[0]]}. Say which with --steps-from 'REGEX'."
            )
        self._steps_of = steps
        self._checkpoints = {checkpoint.path: checkpoint for checkpoint in unique}
        return sorted(((checkpoint, steps[checkpoint.path]) for checkpoint in found), key=lambda pair: pair[1])

    def _is_missing(self, checkpoint: Checkpoint, step: int, layers: Sequence[str]) -> bool:
        """Whether the run lacks this step and has room for it; if not, that is reported."""
        held = self._events.held
        lacking = [layer for layer in layers if not held.has_whole(layer, step)]
        if not lacking:
            self.report.held.append(LogEntry(str(checkpoint), step))
            return False
        for layer in lacking:
            last = held.last_whole(layer)
            if last is not None and last > step:
                late = StepError(
                    f"The run goes on to step {last} without step {step} of {layer!r}, and TensorBoard drops what is "
                    "written before. Log all of them into another directory."
                )
                self._report_failure(checkpoint.path, step, late)
                return False
        return True

    def _report_failure(self, path: Path, step: int | None, error: Exception) -> None:
        said = str(error) if isinstance(error, FilterVizError) else f"{type(error).__name__}: {error}"
        self.report.failed.append(LogEntry(str(path), step, said))

    def _write(self, session: Session, step: int, drawings: Sequence[LayerDrawing]) -> None:
        snapshots = [self._events.held.history.snapshot(drawing, step, session.unit) for drawing in drawings]
        for sink in self._sinks:
            sink.write(step, snapshots)
        self._events.complete(step, snapshots)  # last: what the run holds is done

    def _prepare(self, checkpoints: Sequence[Checkpoint]) -> _Drawn:
        model, layers, config = self._model, self._layers, self._config
        if isinstance(model, keras.Model) and self._pool is None:
            session = Session(model, layers=layers, config=config, other_inputs=self._other_inputs)
            return _Drawn(session, partial(draw_with, session))
        architecture, most_weights = self._architecture(checkpoints)
        built = architecture.build(unsafe=self._unsafe, most_weights=most_weights)
        session = Session(built, layers=layers, config=config, other_inputs=self._other_inputs)
        if self._pool is None:
            return _Drawn(session, partial(draw_with, session))
        job = Job(architecture, self._unsafe, most_weights, config, tuple(session.layers), packed(self._other_inputs))
        return _Drawn(session, partial(draw, job))

    def _architecture(self, checkpoints: Sequence[Checkpoint]) -> tuple[Architecture, int]:
        """The first that can be had, and how many weights there are for it; damaged checkpoints do not count."""
        if isinstance(self._model, keras.Model):
            return Architecture.of(self._model), self._model.count_params()
        failure: CheckpointError | None = None
        for checkpoint in checkpoints:
            try:
                return architecture_of(checkpoint, self._model), stored_numbers(checkpoint)
            except CheckpointError as error:
                failure = failure or error
        assert failure is not None  # there is a checkpoint
        raise failure


@contextmanager
def weights_kept(model: keras.Model) -> Iterator[None]:
    """The model is afterwards what it was before."""
    values = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    try:
        yield
    finally:
        for variable, value in zip(model.variables, values, strict=True):
            variable.assign(value)
