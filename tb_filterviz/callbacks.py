"""For `model.fit`: decides when filters are drawn; the session decides how."""

import threading
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from tb_filterviz.config import Config, as_config
from tb_filterviz.errors import ConfigError, UnbuiltModelError, VisualizationWarning
from tb_filterviz.examples.settings import as_settings
from tb_filterviz.export.notebook import run_html
from tb_filterviz.filter_run import FilterRun, read_written
from tb_filterviz.imaging.captions import spoken_step
from tb_filterviz.logs.storage import RunPlace, folder_of, reason_of
from tb_filterviz.optvis import backends
from tb_filterviz.optvis.layer_calls import as_patterns, check_keras_model
from tb_filterviz.parts.statistics import statistics_of
from tb_filterviz.progress import shown_if_long, spoken
from tb_filterviz.recipe import with_training
from tb_filterviz.session import Session, with_examples
from tb_filterviz.sinks import Sink, begin, checked_sinks
from tb_filterviz.sinks.events import EventSink
from tb_filterviz.sinks.live_view import LiveView, has_kernel
from tb_filterviz.snapshots import LayerSnapshot, StepUnit
from tb_filterviz.training.dead import describe_dead
from tb_filterviz.training.failures import Failures
from tb_filterviz.training.fit import AfterOthers, Fit, current_fit, goes_on, may_change_weights, watch
from tb_filterviz.training.hyperparameters import hyperparameters
from tb_filterviz.training.parts import as_part, part_of
from tb_filterviz.training.schedule import Schedule, TimeBudget, batch_schedule, epoch_schedule, schedule_to_json
from tb_filterviz.training.stuck import StuckFilters


class FilterVisualizer(keras.callbacks.Callback):
    """Draws what every filter of a model's convolutional layers responds to, while the model trains.

    ```python
    model.fit(x, y, epochs=5, callbacks=[FilterVisualizer(log_dir="logs")])
    ```

    The training itself is not disturbed: its weights are the same, to the bit, with and without this callback. Unless
    `fit` is told to be silent (``verbose=0``), what compiling took and what drawings will take is said once, before
    the first epoch, and a bar shows how far a long drawing is.

    Args:
        log_dir: where TensorBoard looks, a folder (``~`` is the home folder) or an address such as
            ``s3://bucket/logs``. The run is ``<log_dir>/filters``, next to those of Keras' own callback. It holds one
            training, drawn one way: one that is resumed (`initial_epoch`, `BackupAndRestore`) goes on in its run, any
            other one begins a run beside it, ``filters_2``, and says so.
        layers: names, paths or patterns (``"conv*"``) of convolutional layers, or layers themselves; None for all
            convolutional ones.
        part: which model inside the trained one is drawn, by its attribute or its layer's name (``"critic"``), or
            itself: for GANs, distillers and others that have no `call` of their own; None for the trained one.
        update_freq: ``"epoch"`` draws at ends of epochs, and steps are epochs as in `keras.callbacks.TensorBoard`; a
            number draws every so many batches, and steps are batches; so does a function that is asked with the count
            of batches so far. What `fit` leaves is always drawn last, also if `EarlyStopping` restores the best
            weights or an optimizer averages them: then the last step shows these.
        every: of the epochs, draw every so many only, or those for whose index from 0 a function is true.
        budget: draw less often where drawing would take more than this share of the training's time: 0.01 is 1 %.
            Before the training and at its end, filters are drawn all the same.
        write_initial: draw once before the training, at the step before its first: -1 for epochs, 0 for batches. A
            model that its first batch builds is drawn from the end of its first epoch on.
        config: a `Config`, or the name of a preset, ``"clean"``, ``"plain"`` or ``"classic"``.
        other_inputs: what the model's inputs are that are not the image, by name, without the batch axis.
        examples: real images on which is measured what filters do: which of them excite a filter most, whether it is
            dead, which classes it serves, where it answers, what hangs on it. An array ``[n, h, w, c]`` as the model is
            given it, a pair of images and labels, or whatever else `Examples` takes, which also says what is measured.
            They tell the input range as well. What the training is fed stays as it is, to the last random number.
        sinks: further places to write to.
        logs_prefix: put the curves of every layer into the `logs` of each epoch, where `EarlyStopping`, `CSVLogger` and
            `History` find them, if they come after this callback: ``"filters/"`` makes
            ``filters/conv2d_2/share_responsive``. Where an epoch is not drawn, the values are those of before; before
            anything was drawn, there are none.
        verbose: 0 is silent; 1 or more says once what was taken and what drawings cost, and at the end which filters
            died; None does as `fit` is told.
        live: show some layers in the notebook while they train, in one output that is replaced at every drawing. None
            does so in a notebook, unless it is to be silent, or the callback is a copy, as a search of
            hyper-parameters makes one for each trial.
        on_error: what a failure in the middle of the training does: ``"warn"`` says so, in a `VisualizationWarning`
            and in TensorBoard's Text tab, and lets the training go on; ``"raise"`` stops it.

    Raises:
        ConfigError: if a setting cannot work.
        LogDirError: if `log_dir` can be no folder. What only shows with the model (`ModelError`) or on opening the log
            is raised when the training begins, before its first epoch.
    """

    def __init__(
        self,
        log_dir: str | Path = "logs",
        layers: str | keras.Layer | Iterable[str | keras.Layer] | None = None,
        *,
        part: str | keras.Model | None = None,
        update_freq: Literal["epoch"] | int | Schedule = "epoch",
        every: int | Schedule = 1,
        budget: float | None = None,
        write_initial: bool = True,
        config: Config | str = "clean",
        other_inputs: Mapping[str, Any] | None = None,
        examples: Any = None,
        sinks: Sequence[Sink] = (),
        logs_prefix: str | None = None,
        verbose: int | None = None,
        live: bool | None = None,
        on_error: Literal["warn", "raise"] = "warn",
    ) -> None:
        super().__init__()
        _check_choice("on_error", on_error, ("warn", "raise"))
        if verbose is not None and (isinstance(verbose, bool) or not isinstance(verbose, int) or verbose < 0):
            raise ConfigError(f"`verbose` must be None, or a number from 0. Received: verbose={verbose!r}")
        if not isinstance(live, bool | None):
            raise ConfigError(f"`live` must be True, False or None. Received: live={live!r}")
        if live and not has_kernel():
            raise ConfigError(
                "`live=True` needs a notebook, whose kernel runs this. Leave it out: then it is on there."
            )
        if not isinstance(logs_prefix, str | None):
            raise ConfigError(f"`logs_prefix` must be a string, or None. Received: logs_prefix={logs_prefix!r}")
        folder_of(log_dir)  # whether it can be one
        self.log_dir = str(log_dir)
        self._examples = as_settings(examples)
        self._config = with_examples(as_config(config), self._examples)
        self._layers = as_patterns(layers)
        self._part = as_part(part)
        self._schedule = batch_schedule(update_freq)
        if self._schedule is not None and every != 1:
            raise ConfigError("`every` is for epochs: with `update_freq`, batches are counted, which it says itself.")
        self._every = epoch_schedule(every)
        self._budget = TimeBudget(budget)
        self._schedule_json = schedule_to_json(update_freq, every, budget)
        self._other_inputs = dict(other_inputs or {})
        self._write_initial = write_initial
        self._on_error = on_error
        self._extra_sinks = checked_sinks(sinks)
        self._logs_prefix = logs_prefix
        self._said_verbose = verbose
        self._wants_live = live
        self._live_view = LiveView()
        self._forget_training()

    def _forget_training(self) -> None:
        """Set what belongs to one training, and neither to a copy nor to another process."""
        self._session: Session | None = None
        self._is_session_said = False
        self._events: EventSink | None = None
        self._fit: Fit | None = None
        self._end_watch: Callable[[], None] | None = None
        self._ending = threading.RLock()  # a `fit` that ended of an exception is seen by another thread
        self._last_step: int | None = None
        self._begin_training()
        if self._schedule is not None:  # Keras waits for every batch if a callback has this method
            self.on_train_batch_end = self._after_batch

    def _begin_training(self) -> None:
        self._last: AfterOthers | None = None
        self._pending: list[LayerSnapshot] | None = None  # drawn, and not written before others have had their say
        self._may_change = False
        self._drawn_weights: int | None = None
        self._epoch: int | None = None  # the last one that ended
        self._first_epoch = 0
        self._batches = 0  # in all epochs of this run
        self._batches_before_epoch = 0
        self._is_waiting = False  # for the first batch to build the model
        self._is_budget_said = False
        self._curves: dict[str, float] = {}
        self._hyperparameters: Mapping[str, Any] = {}
        self._stuck = StuckFilters()
        self._last_drawn: Sequence[LayerSnapshot] = ()
        self._written: RunPlace | None = None
        self._failures = Failures()
        self._budget.begin()

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what a copy cannot have: the model, what was compiled for it, and open files."""
        live = (
            "_last_drawn",
            "_written",
            "_session",
            "_events",
            "_fit",
            "_end_watch",
            "_ending",
            "_last",
            "_pending",
            "_model",
            "on_train_batch_end",
        )
        return {name: value for name, value in vars(self).items() if name not in live}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._wants_live = self._wants_live or False  # a search makes a copy for each of its many trials
        self._model = None
        self._forget_training()

    @property
    def snapshots(self) -> list[LayerSnapshot]:
        """What the last training drew last, one snapshot per layer; empty before it has drawn."""
        return list(self._last_drawn)

    @property
    def run(self) -> FilterRun:
        """What the last training has written, at all of its steps, read anew each time.

        Raises:
            LogDirError: if it has written nothing yet, or nothing is left of it.
        """
        return read_written(self._written, "This callback has written nothing yet. Give it to `model.fit` first.")

    def __repr__(self) -> str:
        last = self._last_drawn
        said = (
            f"{len(last)} layers drawn, the last time {spoken_step(last[0].step, last[0].unit)}"
            if last
            else "nothing drawn yet"
        )
        return f"<FilterVisualizer of {self.log_dir!r}: {said}>"

    def _repr_html_(self) -> str:
        if self._written is None:
            return "<div>Nothing has been drawn yet. After <code>model.fit</code>, this shows how filters formed.</div>"
        return run_html(self.run, "callback.run")

    def set_model(self, model: keras.Model) -> None:
        """Take the model that is trained.

        Raises:
            ModelError: if it is none of Keras 3.
        """
        is_wrapped = not isinstance(model, keras.Model) and hasattr(model, "module")  # by torch, to distribute it
        check_keras_model(model.module if is_wrapped else model)
        super().set_model(model)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002  Keras gives it
        """Prepare the layers, and see whether the log can be written; whatever is wrong shows here."""
        self._close()
        self._begin_training()
        if not backends.current().is_chief(self.model):
            return
        self._fit = current_fit()
        self._hyperparameters = hyperparameters(self.model, self.params or {}, self._fit)
        self._may_change = may_change_weights(self._fit, self.model)
        self._last = AfterOthers.joined(self, self._fit.callbacks)
        self._events = EventSink(self.log_dir, self._config, is_live=partial(goes_on, weakref.ref(self._fit)))
        self._end_watch = watch(self._fit, self._release)
        try:
            self._prepare()
        except UnbuiltModelError:
            part_of(self.model, self._part)  # or else there is nothing that a batch could build
            self._is_waiting = True
            self._say("The model is built by its first batch, so filters are drawn from the end of the first epoch on.")

    def _prepare(self) -> Session:
        drawn = part_of(self.model, self._part)
        if self._session is None or self._session.model is not drawn:
            unit: StepUnit = "epoch" if self._schedule is None else "batch"
            session = Session(
                drawn,
                layers=self._layers,
                config=self._config,
                unit=unit,
                other_inputs=self._other_inputs,
                examples=self._examples,
                is_training=True,
            )
            session.prepare()
            self._session, self._is_session_said = session, False
        if self._verbose and not self._is_session_said and self._session.cost is not None:
            for sentence in (self._session.cost.describe(), *self._session.describe()):
                self._say(sentence)
            self._is_session_said = True
        return self._session

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Before the first epoch: choose the run, and draw the untrained network."""
        if self._session is not None and not self._is_waiting:
            self._begin(self._session, epoch, can_draw=self._write_initial)
        self._batches_before_epoch = self._batches
        if self._epoch is None:
            self._first_epoch = epoch

    def _begin(self, session: Session, epoch: int, *, can_draw: bool) -> None:
        """Take the run, unless that is done; draw the network as it is, unless it has been trained since."""
        if self._events is None or self._events.is_begun:
            return
        is_resumed, counts_batches = epoch > 0, self._schedule is not None
        recipe = with_training(session.recipe("callback", self._schedule_json), self._hyperparameters)
        if is_resumed:  # batches are counted on from where the run ended
            before = None if counts_batches else epoch
            notice = self._events.begin(recipe, before, session.closest, session.stored_examples)
        else:  # a killed process may have written what was before the training
            notice = self._events.begin(recipe, int(counts_batches), session.unchanged_since, session.stored_examples)
        session.history = self._events.history
        self._written = self._events.place
        self._say(notice)
        self._begin_sinks(self._events.run_dir)
        self._budget.begin()
        self._last_step = self._events.last_step
        if counts_batches:
            self._batches += self._last_step or 0
            self._batches_before_epoch += self._last_step or 0
        first = self._batches + 1 if counts_batches else epoch
        self._stuck = StuckFilters(is_from_start=can_draw and not is_resumed and self._last_step is None)
        if can_draw and (self._last_step is None or self._last_step < first - 1):
            self._draw_and_write(first - 1)

    def _begin_sinks(self, run_dir: str) -> None:
        try:
            begin(self._extra_sinks, run_dir)
        except Exception as error:
            if self._on_error == "raise":
                raise
            said = f"A sink could not begin: {type(error).__name__}: {error}. The training goes on."
            warnings.warn(said, VisualizationWarning, stacklevel=2)

    def _begin_late(self, epoch: int) -> None:
        """Begin with a model that has just been built, if it is what was waited for."""
        if not self._is_waiting:
            return
        try:
            session = self._prepare()
            self._is_waiting = False
            self._begin(session, epoch, can_draw=False)
        except Exception as error:
            if self._on_error == "raise":
                raise
            self._is_waiting = False
            self._report(epoch, error)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Draw the epoch, if epochs are what is drawn, and this one is due."""
        if epoch == self._epoch:  # the callback stands in the list twice
            return
        self._epoch = epoch
        if self._schedule is None or not self._is_last_epoch:  # else what its last batch left is completed at the end
            self._write_pending()  # unless that is done
        self._begin_late(epoch)
        if self._schedule is None and self._every(epoch) and self._is_affordable():
            self._pending = self._draw(epoch)
            if self._last is None or not (self._may_change or self._is_last_epoch):
                self._write_pending()
        if logs is not None:
            logs.update(self._curves)

    def _after_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Draw, if the schedule names a batch that has just been trained; several may have been at once."""
        before, self._batches = self._batches, self._batches_before_epoch + batch + 1
        assert self._schedule is not None
        if any(self._schedule(count) for count in range(before + 1, self._batches + 1)):
            self._begin_late(self._epoch + 1 if self._epoch is not None else 0)
            if self._is_affordable():
                self._pending = self._draw(self._batches)
                if not (self._is_last_batch(batch) and self._last is not None):
                    self._write_pending()

    def after_epoch_of_all(self) -> None:
        """After all callbacks have seen an epoch's end: write it, unless it is the last, which may change yet."""
        if not (self._is_last_epoch or self.model.stop_training):
            self._write_pending()

    def _is_last_batch(self, batch: int) -> bool:
        """Tell whether a batch of the epoch that runs is known to be the training's last."""
        params = self.params or {}
        steps, epochs = params.get("steps"), params.get("epochs")
        running = self._epoch + 1 if self._epoch is not None else self._first_epoch
        return steps is not None and epochs is not None and batch + 1 >= steps and running + 1 >= epochs

    @property
    def _is_last_epoch(self) -> bool:
        """Whether the epoch that ended is known to be the last, unless somebody stops the training earlier."""
        epochs = (self.params or {}).get("epochs")
        return epochs is not None and self._epoch is not None and self._epoch + 1 >= epochs

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Draw the trained network, if it has not been, and close the log; after all other callbacks."""
        if self._last is None:
            self.finish()

    def finish(self) -> None:
        """Draw what `fit` leaves, if it has not been, name what died, and close the log."""
        session, events = self._session, self._events
        _ = self.model  # on JAX, asking for it brings the trainer's weights into it
        if session is not None and events is not None and events.is_begun:
            is_changed = self._drawn_weights is not None and session.weights_fingerprint() != self._drawn_weights
            trained = self._epoch if self._schedule is None else self._batches
            if self._pending is not None and is_changed and self._schedule is not None:
                self._write_pending()
                self._draw_and_write(self._batches + 1, is_end=True)
            elif self._pending is not None and is_changed:
                step, self._pending = self._pending[0].step, None
                self._say(f"Step {step} shows the weights that fit leaves, which are not those of the last batch.")
                self._draw_and_write(step, is_end=True)
            elif self._pending is not None:
                self._pending = self._completed(self._pending)
                self._write_pending()
            elif trained is not None and (self._last_step is None or self._last_step < trained):
                self._draw_and_write(trained, is_end=True)
            elif is_changed and trained is not None:
                self._draw_and_write(trained + 1, is_end=True)
            for line in self._failures.describe():
                self._say(line)
            for line in [*self._stuck.describe(), *describe_dead(self._last_drawn, session.example_count)]:
                self._say(f"{line}.")
        self._close()

    @property
    def _verbose(self) -> int:
        """How much is to be said: 0 is nothing."""
        if self._said_verbose is not None:
            return self._said_verbose
        verbose = (self.params or {}).get("verbose") if keras.config.is_interactive_logging_enabled() else 0
        return 1 if verbose == "auto" else int(verbose or 0)

    def _say(self, text: str) -> None:
        if text and self._verbose:
            print(f"FilterVisualizer: {text}")

    @property
    def _sinks(self) -> list[Sink]:
        if self._events is None:
            return []
        is_live = bool(self._verbose) if self._wants_live is None else self._wants_live
        return [self._events, *self._extra_sinks, *([self._live_view] if is_live else [])]

    def _is_affordable(self) -> bool:
        if self._session is None or self._session.cost is None or self._budget.allows(self._session.cost.whole_s):
            return True
        if not self._is_budget_said:
            taken, share = spoken(self._session.cost.whole_s), self._budget.share or 0
            self._say(
                f"Draws less often: a drawing takes {taken}, and the budget is {share:.2g} of the training's time."
            )
            self._is_budget_said = True
        return False

    def _draw(self, step: int) -> list[LayerSnapshot] | None:
        session = self._session
        if session is None or session.cost is None or self._events is None or not self._events.is_begun:
            return None
        # On JAX, weights are in the trainer's hands while batches run, and asking for the model syncs them.
        _ = self.model
        try:
            with (
                self._budget.drawing(),
                shown_if_long(session.cost, f"Filters at step {step}", self._verbose) as report,
            ):
                snapshots = session.compare(session.draw(report), step)
                is_compared = self._may_change or self._is_last_epoch
                self._drawn_weights = session.weights_fingerprint() if is_compared else None
                self._learn(snapshots)
        except Exception as error:
            if self._on_error == "raise":
                raise
            self._report(step, error)
            return None
        return snapshots

    def _learn(self, snapshots: Sequence[LayerSnapshot]) -> None:
        """Take from snapshots what is told at the end, and what goes into Keras' logs."""
        self._stuck.add(snapshots)
        self._last_drawn = snapshots
        if self._logs_prefix is not None:
            shown = [statistic for statistic in statistics_of(self._config.statistics) if statistic.has_curve]
            self._curves = {
                f"{self._logs_prefix}{snapshot.layer}/{each.curve}": float(np.nanmean(snapshot.statistics[each.name]))
                for snapshot in snapshots
                for each in shown
                if each.name in snapshot.statistics
            }

    def _write_pending(self) -> None:
        pending, self._pending, session = self._pending, None, self._session
        if pending is None or session is None or self._events is None:
            return
        try:
            with self._budget.drawing():
                session.write(pending, self._sinks)
        except Exception as error:
            if self._on_error == "raise":
                raise
            self._report(pending[0].step, error)
        finally:
            self._last_step, self._written = self._events.last_step, self._events.place

    def _completed(self, snapshots: list[LayerSnapshot]) -> list[LayerSnapshot]:
        """Add what is measured at the end of a training; a failure costs no more than that."""
        assert self._session is not None
        self._say(self._session.describe_end())
        try:
            completed = self._session.measured_at_end(snapshots)
            self._learn(completed)
        except Exception as error:
            if self._on_error == "raise":
                raise
            self._report(snapshots[0].step, error)
            return snapshots
        return completed

    def _draw_and_write(self, step: int, *, is_end: bool = False) -> None:
        self._pending = self._draw(step)
        if is_end and self._pending is not None:
            self._pending = self._completed(self._pending)
        self._write_pending()

    def _report(self, step: int, error: Exception) -> None:
        message = f"No picture of the filters at step {step}: {type(error).__name__}: {error}"
        details = "".join(traceback.format_exception(error))
        for sink in self._sinks:
            try:
                sink.report(step, f"{message}\n\n```\n{details}```")
            except Exception as second:  # the sink itself may be what fails: the training goes on all the same
                if reason_of(second) != reason_of(error):
                    message += f" (and it could not be logged: {second})"
        if self._failures.add(step, error):
            said = f"{message.rstrip('.')}. The training goes on, and further steps are tried."
            warnings.warn(said, VisualizationWarning, stacklevel=3)

    def _release(self) -> None:
        """Let others write to the run of a training that an exception ended, of which Keras tells nobody."""
        with self._ending:
            if self._fit is None or goes_on(weakref.ref(self._fit)):
                return
            if self._events is not None and self._events.is_held:
                self._write_pending()
                self._events.release()
            self._fit = None  # which holds the frames of `fit`, and with them its data

    def _close(self) -> None:
        with self._ending:
            if self._end_watch is not None:
                self._end_watch()
            if self._events is not None and self._events.is_held:  # or else another training has taken the run
                self._write_pending()  # of one that an exception ended
            for sink in self._sinks:
                try:
                    sink.close()
                except Exception as error:
                    if self._on_error == "raise":
                        raise
                    warnings.warn(f"{type(sink).__name__} did not close: {error}", VisualizationWarning, stacklevel=2)
            self._events = self._fit = self._end_watch = self._last = self._pending = None


def _check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    if isinstance(value, bool) or value not in choices:
        listed = ", ".join(map(repr, choices[:-1]))
        raise ConfigError(f"`{name}` must be {listed} or {choices[-1]!r}. Received: {name}={value!r}")
