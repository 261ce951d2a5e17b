"""For `model.fit`: decides when filters are drawn; the session decides how."""

import traceback
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from tb_filterviz.config import Config, as_config
from tb_filterviz.errors import ConfigError, VisualizationWarning
from tb_filterviz.optvis import backends
from tb_filterviz.progress import Cost, shown_if_long
from tb_filterviz.records import StepUnit
from tb_filterviz.session import Session
from tb_filterviz.sinks import Sink
from tb_filterviz.sinks.events import EventSink

Schedule = Callable[[int], bool]


def _as_schedule(update_freq: str | int | Schedule) -> Schedule | None:
    """Which counts of batches are drawn; None for the end of every epoch."""
    if update_freq == "epoch":
        return None
    if callable(update_freq):
        return update_freq
    if isinstance(update_freq, int) and not isinstance(update_freq, bool) and update_freq >= 1:
        every = update_freq
        return lambda batches: batches % every == 0
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
        log_dir: where TensorBoard looks; the run is ``<log_dir>/filters``, next to those of Keras' own callback.
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
        self.log_dir = str(log_dir)
        self._config = as_config(config)
        self._layers = layers if layers is None or isinstance(layers, str) else tuple(layers)
        self._schedule = _as_schedule(update_freq)
        self._other_inputs = dict(other_inputs or {})
        self._write_initial = write_initial
        self._on_error = on_error
        self._extra_sinks = list(sinks)
        self._sinks: list[Sink] = []
        self._session: Session | None = None
        self._cost: Cost | None = None
        self._is_said = False
        self._is_begun = False
        self._last_step: int | None = None
        self._batches = 0  # in all epochs of this training
        self._batches_before_epoch = 0
        if self._schedule is not None:  # Keras waits for every batch if a callback has this method
            self.on_train_batch_end = self._after_batch

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002  Keras gives it
        """Open the log and prepare the layers; whatever is wrong shows here."""
        self._close()
        if not backends.current().is_chief(self.model):
            return
        if self._session is None or self._session.model is not self.model:
            unit: StepUnit = "epoch" if self._schedule is None else "batch"
            session = Session(
                self.model, layers=self._layers, config=self._config, unit=unit, other_inputs=self._other_inputs
            )
            self._cost, self._is_said = session.prepare(), False
            self._session = session
        events = EventSink(self.log_dir, self._config.grid)
        self._session.history = events.held.history
        self._sinks = [events, *self._extra_sinks]
        if self._verbose and self._cost is not None and not self._is_said:
            print(f"FilterVisualizer: {self._cost.describe()}")
            self._is_said = True
        self._last_step = events.last_step
        self._is_begun = False
        self._batches = self._batches_before_epoch = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:  # noqa: ARG002
        """Before the first epoch: the untrained network."""
        self._batches_before_epoch = self._batches
        if self._is_begun or not self._sinks:
            return
        self._is_begun = True
        first = epoch if self._schedule is None else 1
        if self._last_step is not None and self._last_step >= first:
            warnings.warn(
                f"{self.log_dir!r} already holds filters up to step {self._last_step}, and this training begins at "
                f"step {first}: TensorBoard will mix the two. Use another log_dir, or fit(initial_epoch=...).",
                VisualizationWarning,
                stacklevel=2,
            )
        elif self._write_initial and (self._last_step is None or self._last_step < first - 1):
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
        if self._schedule is not None and self._last_step != self._batches:
            self._draw(self._batches)
        self._close()

    @property
    def _verbose(self) -> int:
        """As `fit` was told."""
        verbose = (self.params or {}).get("verbose") if keras.config.is_interactive_logging_enabled() else 0
        return 1 if verbose == "auto" else int(verbose or 0)

    def _draw(self, step: int) -> None:
        if self._session is None or self._cost is None or not self._sinks:
            return
        # On JAX, weights are in the trainer's hands while batches run, and asking for the model syncs them.
        _ = self.model
        try:
            with shown_if_long(self._cost, f"Filters at step {step}", self._verbose) as report:
                self._session.log(step, self._sinks, report)
            self._last_step = step
        except Exception as error:
            if self._on_error == "raise":
                raise
            self._report(step, error)

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
            sink.close()
        self._sinks = []
