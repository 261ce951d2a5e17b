"""For `model.fit`: decides when filters are drawn; the session decides how."""

import inspect
import sys
import traceback
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import keras
import numpy as np

from tb_filterviz.config import Config, as_config
from tb_filterviz.errors import ConfigError, VisualizationWarning
from tb_filterviz.optvis import backends
from tb_filterviz.progress import shown_if_long
from tb_filterviz.session import Session
from tb_filterviz.sinks import Sink, checked_sinks
from tb_filterviz.sinks.events import EventSink
from tb_filterviz.sinks.storage import folder_of
from tb_filterviz.snapshots import StepUnit

Schedule = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class _EverySoMany:
    """A schedule that reaches other processes, as a function within a function does not."""

    batches: int

    def __call__(self, batches: int) -> bool:
        return batches % self.batches == 0


def _as_schedule(update_freq: str | int | Schedule) -> Schedule | None:
    """Return which counts of batches are drawn; None for the end of every epoch."""
    if update_freq == "epoch":
        return None
    if callable(update_freq):
        return update_freq
    if isinstance(update_freq, int | np.integer) and not isinstance(update_freq, bool) and update_freq >= 1:
        return _EverySoMany(int(update_freq))
    raise ConfigError(
        "`update_freq` must be 'epoch', a positive count of batches, or a function of the batches so far. "
        f"Received: update_freq={update_freq!r}"
    )


class FilterVisualizer(keras.callbacks.Callback):
    """Draws what every filter of a model's convolutional layers responds to, while the model trains.

    ```python
    model.fit(x, y, epochs=5, callbacks=[FilterVisualizer(log_dir="logs")])
    ```

    The training itself is not disturbed: its weights are the same, to the bit, with and without this callback. Unless
    `fit` is told to be silent (``verbose=0``), what compiling took and what drawings will take is said once, before
    the first epoch, and a bar shows how far a long drawing is.

    Args:
        log_dir: where TensorBoard looks, a folder or an address such as ``s3://bucket/logs``. The run is
            ``<log_dir>/filters``, next to those of Keras' own callback. It holds one training, drawn one way: one that
            is resumed (`initial_epoch`, `BackupAndRestore`) goes on in its run, any other one begins a run beside it,
            ``filters_2``, and says so.
        layers: names, paths or patterns (``"conv*"``) of convolutional layers; None for all of them.
        update_freq: ``"epoch"`` draws at the end of every epoch, and steps are epochs as in
            `keras.callbacks.TensorBoard`; a number draws every so many batches, and steps are batches; so does a
            function that is asked with the count of batches so far. The trained network is always drawn last.
        write_initial: draw once before the training, at the step before its first: -1 for epochs, 0 for batches.
        config: a `Config`, or the name of a preset, ``"default"`` or ``"classic"``.
        other_inputs: what the model's inputs are that are not the image, by name, without the batch axis.
        sinks: further places to write to.
        on_error: what a failure in the middle of the training does: ``"warn"`` says so, in a `VisualizationWarning`
            and in TensorBoard's Text tab, and lets the training go on; ``"raise"`` stops it.

    Raises:
        ConfigError: if a setting cannot work. What only shows with the model (`ModelError`) or on opening the log
            (`LogDirError`) is raised when the training begins, before its first epoch.
    """

    def __init__(
        self,
        log_dir: str | Path = "logs",
        layers: str | Iterable[str] | None = None,
        *,
        update_freq: Literal["epoch"] | int | Schedule = "epoch",
        write_initial: bool = True,
        config: Config | str = "default",
        other_inputs: Mapping[str, Any] | None = None,
        sinks: Sequence[Sink] = (),
        on_error: Literal["warn", "raise"] = "warn",
    ) -> None:
        super().__init__()
        if on_error not in ("warn", "raise"):
            raise ConfigError(f"`on_error` must be 'warn' or 'raise'. Received: on_error={on_error!r}")
        folder_of(log_dir)  # whether it can be one
        self.log_dir = str(log_dir)
        self._config = as_config(config)
        self._layers = layers if layers is None or isinstance(layers, str) else tuple(layers)
        self._schedule = _as_schedule(update_freq)
        self._other_inputs = dict(other_inputs or {})
        self._write_initial = write_initial
        self._on_error = on_error
        self._extra_sinks = checked_sinks(sinks)
        self._forget_training()

    def _forget_training(self) -> None:
        """Set what belongs to one training, and neither to a copy nor to another process."""
        self._session: Session | None = None
        self._events: EventSink | None = None
        self._fit: _Fit | None = None
        self._is_cost_said = False
        self._last_step: int | None = None
        self._batches = 0  # in all epochs of this run
        self._batches_before_epoch = 0
        if self._schedule is not None:  # Keras waits for every batch if a callback has this method
            self.on_train_batch_end = self._after_batch

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what a copy cannot have: the model, what was compiled for it, and open files."""
        live = ("_session", "_events", "_fit", "_model", "on_train_batch_end")
        return {name: value for name, value in vars(self).items() if name not in live}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._model = None
        self._forget_training()

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002  Keras gives it
        """Prepare the layers, and see whether the log can be written; whatever is wrong shows here."""
        self._close()
        if not backends.current().is_chief(self.model):
            return
        if self._session is None or self._session.model is not self.model:
            unit: StepUnit = "epoch" if self._schedule is None else "batch"
            session = Session(
                self.model, layers=self._layers, config=self._config, unit=unit, other_inputs=self._other_inputs
            )
            session.prepare()
            self._session, self._is_cost_said = session, False
        self._fit = _Fit(_caller_of_callbacks())
        self._events = EventSink(self.log_dir, self._config, is_live=partial(_goes_on, weakref.ref(self._fit)))
        if self._verbose and self._session.cost is not None and not self._is_cost_said:
            print(f"FilterVisualizer: {self._session.cost.describe()}")
            self._is_cost_said = True

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Before the first epoch: choose the run, and draw the untrained network."""
        if self._session is not None and self._events is not None and not self._events.is_begun:
            self._begin(self._session, self._events, epoch)
        self._batches_before_epoch = self._batches

    def _begin(self, session: Session, events: EventSink, epoch: int) -> None:
        is_resumed, counts_batches = epoch > 0, self._schedule is not None
        if is_resumed:  # batches are counted on from where the run ended
            notice = events.begin(session.recipe("callback"), None if counts_batches else epoch, session.closest)
        else:  # a killed process may have written what was before the training
            notice = events.begin(session.recipe("callback"), int(counts_batches), session.unchanged_since)
        session.history = events.history
        if notice and self._verbose:
            print(f"FilterVisualizer: {notice}")
        self._last_step = events.last_step
        self._batches = (self._last_step or 0) if counts_batches else 0
        first = self._batches + 1 if counts_batches else epoch
        if self._write_initial and (self._last_step is None or self._last_step < first - 1):
            self._draw(first - 1)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Draw the epoch, if epochs are what is drawn."""
        if self._schedule is None:
            self._draw(epoch)

    def _after_batch(self, batch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Draw, if the schedule names a batch that has just been trained; several may have been at once."""
        before, self._batches = self._batches, self._batches_before_epoch + batch + 1
        assert self._schedule is not None
        if any(self._schedule(count) for count in range(before + 1, self._batches + 1)):
            self._draw(self._batches)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Draw the trained network, if it has not been, and close the log."""
        is_begun = self._events is not None and self._events.is_begun
        if self._schedule is not None and is_begun and self._last_step != self._batches:
            self._draw(self._batches)
        self._close()

    @property
    def _verbose(self) -> int:
        """How much `fit` is to say: 0 is nothing."""
        verbose = (self.params or {}).get("verbose") if keras.config.is_interactive_logging_enabled() else 0
        return 1 if verbose == "auto" else int(verbose or 0)

    @property
    def _sinks(self) -> list[Sink]:
        return [] if self._events is None else [self._events, *self._extra_sinks]

    def _draw(self, step: int) -> None:
        session = self._session
        if session is None or session.cost is None or self._events is None:
            return
        # On JAX, weights are in the trainer's hands while batches run, and asking for the model syncs them.
        _ = self.model
        try:
            with shown_if_long(session.cost, f"Filters at step {step}", self._verbose) as report:
                session.log(step, self._sinks, report)
        except Exception as error:
            if self._on_error == "raise":
                raise
            self._report(step, error)
        finally:
            self._last_step = self._events.last_step

    def _report(self, step: int, error: Exception) -> None:
        message = f"No picture of the filters at step {step}: {type(error).__name__}: {error}"
        details = "".join(traceback.format_exception(error))
        for sink in self._sinks:
            try:
                sink.report(step, f"{message}\n\n```\n{details}```")
            except Exception as second:  # the sink itself may be what fails: the training goes on all the same
                message += f" (and it could not be logged: {second})"
        warnings.warn(f"{message.rstrip('.')}. The training goes on.", VisualizationWarning, stacklevel=3)

    def _close(self) -> None:
        for sink in self._sinks:
            try:
                sink.close()
            except Exception as error:
                if self._on_error == "raise":
                    raise
                warnings.warn(f"{type(sink).__name__} did not close: {error}", VisualizationWarning, stacklevel=2)
        self._events = self._fit = None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class _Fit:
    """The `fit` that a callback serves.

    Attributes:
        frame: of its call; None if something else calls the callback.
    """

    frame: FrameType | None


def _goes_on(fit_of_callback: "weakref.ref[_Fit]") -> bool:
    """Tell whether a callback's `fit` goes on: Keras tells no callback that an exception ended it.

    The reference is weak, since whoever holds the frame of `fit` holds its model and data as well.
    """
    fit = fit_of_callback()
    return fit is not None and (fit.frame is None or _is_running(fit.frame))


def _caller_of_callbacks() -> FrameType | None:
    """Find the frame of `fit`, or of what else calls the callbacks, from within one of them."""
    frame, is_seen = sys._getframe(1), False
    while frame.f_back is not None and not (is_seen and not _is_of_callback_list(frame)):
        frame = frame.f_back
        is_seen = is_seen or _is_of_callback_list(frame)
    return frame if is_seen else None


def _is_of_callback_list(frame: FrameType) -> bool:
    return frame.f_code.co_filename == inspect.getfile(keras.callbacks.CallbackList)


def _is_running(frame: FrameType) -> bool:
    """Tell whether a frame is on the stack of any thread."""
    for top in sys._current_frames().values():
        each: FrameType | None = top
        while each is not None:
            if each is frame:
                return True
            each = each.f_back
    return False
