"""Checkpoints, batch after batch, into one run: each at its step, none twice, in rising order."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras

from tb_filterviz.backfill.pool import Pool, in_order
from tb_filterviz.backfill.worker import Job, draw, draw_with, packed, packed_job
from tb_filterviz.checkpoints.architecture import Architecture
from tb_filterviz.checkpoints.formats import Checkpoint
from tb_filterviz.checkpoints.sources import ModelSource, descriptions_for
from tb_filterviz.checkpoints.steps import Placement, Steps, place
from tb_filterviz.checkpoints.weights import Stored, finalize, set_weights, stored
from tb_filterviz.config import Config
from tb_filterviz.errors import CheckpointError, FilterVizError, StepError
from tb_filterviz.history import History
from tb_filterviz.optvis.image_model import leaves
from tb_filterviz.session import Session, compared, write_snapshots
from tb_filterviz.sinks import Sink, begin
from tb_filterviz.sinks.events import EventSink
from tb_filterviz.sinks.run_index import RunIndex, read_tiles
from tb_filterviz.snapshots import LayerDrawing

Draw = Callable[[Checkpoint], list[LayerDrawing]]
Placed = tuple[Checkpoint, int]  # and its step


@dataclass(frozen=True, slots=True)
class LogEntry:
    """What became of one checkpoint: `step` is None if it is not known, `error` None if all is well."""

    checkpoint: str
    step: int | None
    error: str | None = None


@dataclass(slots=True)
class LogReport:
    """What became of many checkpoints.

    Attributes:
        logged: those that were written now.
        held: those that the run held already.
        failed: those that could not be logged.
        left_out: those of a folder or a pattern whose names do not say their epochs, and why. Nobody asked for these.
        run: the folder or address of the run.
        notice: why it is a run beside another one; empty if it is not.
        described: which input range was taken, and what cannot be drawn, in a sentence each.
        remark: what was taken for granted, as that a single file is step 0; empty if nothing was.
    """

    logged: list[LogEntry] = field(default_factory=list)
    held: list[LogEntry] = field(default_factory=list)
    failed: list[LogEntry] = field(default_factory=list)
    left_out: list[LogEntry] = field(default_factory=list)
    run: str = ""
    notice: str = ""
    described: Sequence[str] = ()
    remark: str = ""

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
    examples: Any
    steps: Steps
    unsafe: bool
    progress: Progress | None
    may_grow: bool = False  # whether more checkpoints come


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
        self._draw: Draw | None = None

    def add(self, found: Sequence[Checkpoint], wrong: Mapping[Path, CheckpointError]) -> None:
        """Log these checkpoints; those that are `wrong`, or turn out to be, are reported.

        Raises:
            StepError: if the names do not say the steps.
            ModelError, ConfigError: if the model cannot be built or shown.
            WorkerError: if the pool is broken for good.
            LogDirError: if the run cannot be written to.
        """
        said = self._plan.steps if isinstance(self._plan.steps, Mapping) else {}
        for path, error in wrong.items():
            self._report_failure(path, said.get(path), error)
        in_rising_order = self._with_steps(found)
        if not in_rising_order:
            self._tell(self.report.done)
            return
        if self._draw is None:
            self._draw, session = self._prepare([checkpoint for checkpoint, _ in in_rising_order])
            choose = partial(self._going_on, in_rising_order, self._draw)
            recipe = session.recipe("checkpoints")
            self.report.notice = self._events.begin(recipe, None, choose, session.stored_examples)
            self.report.run, self.report.described = self._events.run_dir, session.describe()
            begin(self._sinks, self._events.run_dir)
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

    def finish(self) -> None:
        """Forget the run, if there is nothing in it."""
        if not self.report.logged and not self.report.held:
            self.report.run = self.report.notice = ""

    def _tell(self, total: int) -> None:
        if self._plan.progress is not None:
            self._plan.progress(self.report, total)

    def _with_steps(self, found: Sequence[Checkpoint]) -> list[Placed]:
        """Each that has a step, in rising order; new ones that make all names doubtful are left out."""
        try:
            placement = self._placement(found)
        except StepError:
            if not self._steps_of:
                raise
            placement = self._one_by_one(found)
        new = {checkpoint.path for checkpoint in found} | placement.steps.keys() - self._steps_of.keys()
        self._checkpoints |= {checkpoint.path: checkpoint for checkpoint in found}
        self._steps_of = dict(placement.steps)
        self.report.remark = placement.remark
        self.report.left_out = [LogEntry(str(path), None, why) for path, why in placement.left_out.items()]
        placed = [(self._checkpoints[path], step) for path, step in self._steps_of.items() if path in new]
        return sorted(placed, key=lambda pair: pair[1])

    def _placement(self, found: Sequence[Checkpoint], known: Iterable[Checkpoint] | None = None) -> Placement:
        """Find the steps of all that is known; what was found before has to stay."""
        before = self._checkpoints.values() if known is None else known
        every = {checkpoint.path: checkpoint for checkpoint in (*before, *found)}
        placement = place(list(every.values()), self._plan.steps, may_grow=self._plan.may_grow)
        for path, step in self._steps_of.items():
            if (now := placement.steps.get(path)) != step:
                raise StepError(
                    f"With {str(found[-1])!r}, the names say another step of {str(path)!r} than before: "
                    f"{'none' if now is None else now}, not {step}. Say which with --steps-from 'REGEX'."
                )
        return placement

    def _one_by_one(self, found: Sequence[Checkpoint]) -> Placement:
        """Place these one after another: the names of those before were clear."""
        steps, left_out = (
            dict(self._steps_of),
            {Path(entry.checkpoint): entry.error or "" for entry in self.report.left_out},
        )
        placed = [self._checkpoints[path] for path in steps]
        for checkpoint in found:
            try:
                placement = self._placement([checkpoint], known=placed)
            except StepError as error:
                left_out[checkpoint.path] = str(error)
                continue
            if checkpoint.path in placement.steps:
                steps[checkpoint.path] = placement.steps[checkpoint.path]
                placed.append(checkpoint)
            else:
                left_out[checkpoint.path] = placement.left_out[checkpoint.path]
        return Placement(steps, left_out)

    def _going_on(self, pairs: Sequence[Placed], draw: Draw, indices: Sequence[RunIndex]) -> RunIndex | None:
        """Choose the newest run that the checkpoints go on from."""
        return next((index for index in reversed(indices) if self._goes_on(pairs, draw, index)), None)

    def _goes_on(self, pairs: Sequence[Placed], draw: Draw, index: RunIndex) -> bool:
        """Tell whether the run holds the same pictures of a checkpoint, or else ends before them all."""
        for checkpoint, step in [pair for pair in pairs if pair[1] in index.steps][::-1]:
            ((_, drawings),) = in_order(self._pool, draw, [_anywhere(checkpoint)])
            if isinstance(drawings, Exception):  # that is reported where its turn comes, if it has one
                continue
            assert index.folder is not None
            history = History()
            for layer, tiles in read_tiles(index.folder, step).items():
                history.remember(layer, step, tiles)
            return all(history.holds(each.layer, step) and history.resembles(each, step) for each in drawings)
        return index.last_step is None or index.last_step < pairs[0][1] or any(step in index.steps for _, step in pairs)

    def _is_missing(self, checkpoint: Checkpoint, step: int) -> bool:
        """Tell whether the run lacks this step and has room for it; if not, that is reported."""
        index = self._events.index
        if step in index.steps:
            self.report.held.append(LogEntry(str(checkpoint), step))
            return False
        if index.last_step is not None and index.last_step > step:
            late = StepError(
                f"The run goes on to step {index.last_step} without step {step}, and TensorBoard drops what is before "
                f"a step that it adds. Delete {self._events.run_dir!r} and log all of them again, or log them into "
                "another directory."
            )
            self._report_failure(checkpoint.path, step, late)
            return False
        return True

    def _report_failure(self, path: Path, step: int | None, error: Exception) -> None:
        said = str(error) if isinstance(error, FilterVizError) else f"{type(error).__name__}: {error}"
        self.report.failed.append(LogEntry(str(path), step, said))

    def _write(self, step: int, drawings: Sequence[LayerDrawing]) -> None:
        history = self._events.history
        snapshots = compared(drawings, step, "epoch", history, self._plan.config)
        write_snapshots(snapshots, history, [self._events, *self._sinks])

    def _prepare(self, checkpoints: Sequence[Checkpoint]) -> tuple[Draw, Session]:
        """Make what draws a checkpoint, and a session that draws the same here."""
        plan = self._plan
        if isinstance(plan.model, keras.Model) and self._pool is None:
            session = self._session(plan.model, checkpoints)
            return partial(draw_with, session), session
        architecture, enough, model = self._built(checkpoints)
        session = self._session(model, checkpoints)
        if self._pool is None:
            return partial(draw_with, session), session
        job = Job(
            architecture=architecture,
            unsafe=plan.unsafe,
            stored=enough,
            config=replace(plan.config, input_range=session.input_range, channel_order=session.channel_order),
            layers=tuple(session.layers),
            other_inputs=packed(plan.other_inputs),
            examples=session.examples,
        )
        return partial(draw, packed_job(job)), session

    def _session(self, model: keras.Model, checkpoints: Sequence[Checkpoint]) -> Session:
        plan = self._plan
        if any(isinstance(layer, keras.layers.Normalization) for _, layer in leaves(model)):
            _load_first(model, checkpoints)  # what it was adapted to tells the input range
        session = Session(
            model,
            layers=plan.layers,
            config=plan.config,
            other_inputs=plan.other_inputs,
            examples=plan.examples,
            draws_again=plan.may_grow or len(checkpoints) > 1,
        )
        if plan.config.has_own_parts:  # what is wrong with them shows now, and not for every checkpoint
            session.prepare()
        return session

    def _built(self, checkpoints: Sequence[Checkpoint]) -> tuple[Architecture, Stored, keras.Model]:
        """Build the first architecture that can be, with what is stored for its weights; damaged ones do not count."""
        first_error: CheckpointError | None = None
        for architecture, enough in self._architectures(checkpoints):
            try:
                return architecture, enough, architecture.build(unsafe=self._plan.unsafe, stored=enough)
            except CheckpointError as error:
                first_error = first_error or error
        if first_error is not None:
            raise first_error
        stored(checkpoints[0])  # says what is wrong
        raise CheckpointError(f"Nothing is stored in {str(checkpoints[0])!r}.")

    def _architectures(self, checkpoints: Sequence[Checkpoint]) -> Iterator[tuple[Architecture, Stored]]:
        """List each architecture that may be meant, with each amount of what is stored."""
        plan = self._plan
        if isinstance(plan.model, keras.Model):
            yield Architecture.of(plan.model), Stored(len(plan.model.weights), plan.model.count_params())
            return
        for description, first in descriptions_for(checkpoints, plan.model, plan.config.image_shape):
            tried: set[Stored] = set()
            for checkpoint in (first, *checkpoints):
                with suppress(CheckpointError):
                    enough = stored(checkpoint)
                    if enough not in tried:
                        tried.add(enough)
                        yield Architecture(*description), enough


def _load_first(model: keras.Model, checkpoints: Iterable[Checkpoint]) -> None:
    """Give the model the weights of the first checkpoint that can be loaded."""
    for checkpoint in checkpoints:
        try:
            set_weights(model, checkpoint)
        except CheckpointError:
            continue
        return


def _anywhere(checkpoint: Checkpoint) -> Checkpoint:
    """Make the path hold for a process in another folder as well."""
    return replace(checkpoint, path=checkpoint.path.absolute())


@contextmanager
def weights_kept(model: keras.Model) -> Iterator[None]:
    """Restore the model's weights on exit."""
    values = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    try:
        yield
    finally:
        for variable, value in zip(model.variables, values, strict=True):
            variable.assign(value)
        finalize(model)
