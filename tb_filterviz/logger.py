"""For hand-written training loops, and for after the training."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import keras

from tb_filterviz.config import Config, as_config
from tb_filterviz.errors import StepError
from tb_filterviz.history import History
from tb_filterviz.records import LayerSnapshot
from tb_filterviz.session import Session
from tb_filterviz.sinks import Sink
from tb_filterviz.sinks.events import EventSink


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
        sinks: further places to write to.

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
        sinks: Sequence[Sink] = (),
    ) -> None:
        self._config = as_config(config)
        self._layers = layers if layers is None or isinstance(layers, str) else tuple(layers)
        self._events = EventSink(str(log_dir), self._config.grid)
        self._sinks = [self._events, *sinks]
        self._history = History(*self._events.held.first_and_last_tiles())
        self._session: Session | None = None

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
            self._session = Session(model, layers=self._layers, config=self._config, history=self._history)
        return self._session.log(step, self._sinks)

    def close(self) -> None:
        """Close every sink."""
        for sink in self._sinks:
            sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
