"""Where snapshots go: event files for TensorBoard, PNG files, memory, or a class of your own."""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

from tb_filterviz.errors import ConfigError
from tb_filterviz.snapshots import LayerSnapshot

AnySink = TypeVar("AnySink", bound="Sink")


@runtime_checkable
class Sink(Protocol):
    """Takes the snapshots of one step after another, in rising order.

    Any object with these three methods is a sink: ``FilterVisualizer("logs", sinks=[MySink()])``. What it raises is
    a `VisualizationWarning` during a training, which goes on. To follow a callback into worker processes or deep
    copies, it has to pickle.

    One that also has ``begin(run_dir: str)`` is told, each time a training, a loop or a backfill takes its run, in
    which folder or at which address its event files are, before its first `write`.
    """

    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:
        """Keep the snapshots of this step, one per layer; when this returns they are safe."""

    def report(self, step: int, text: str) -> None:
        """Keep the reason why there is no picture at this step."""

    def close(self) -> None:
        """Release what is held, at the end of a training. Closing twice is fine; a second training may write again."""


@runtime_checkable
class BeginningSink(Sink, Protocol):
    """A sink that is told where the event files are."""

    def begin(self, run_dir: str) -> None:
        """Learn in which folder, or at which address, the event files of what follows are."""


def begin(sinks: Sequence[Sink], run_dir: str) -> None:
    """Tell those sinks that want to know it where the event files are.

    Raises:
        Exception: whatever the first that failed raised; the others are told all the same.
    """
    beginning = [sink for sink in sinks if isinstance(sink, BeginningSink)]
    for_each(beginning, lambda sink: sink.begin(run_dir))


def for_each(sinks: Iterable[AnySink], call: Callable[[AnySink], object]) -> None:
    """Call all sinks, so that one that fails does not keep others from what they are due.

    Raises:
        Exception: whatever the first that failed raised.
    """
    errors: list[Exception] = []
    for sink in sinks:
        try:
            call(sink)
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]


def checked_sinks(sinks: Sequence[Sink]) -> list[Sink]:
    """Return the sinks as a list.

    Raises:
        ConfigError: if one lacks a method.
    """
    if not isinstance(sinks, Sequence):
        raise ConfigError(f"`sinks` must be a list of sinks. Received: sinks={sinks!r}")
    for sink in sinks:
        if isinstance(sink, type):
            raise ConfigError(f"`sinks` must hold objects, not classes. Received: {sink!r}; give {sink.__name__}(...)")
        missing = [name for name in ("write", "report", "close") if not callable(getattr(sink, name, None))]
        if missing:
            raise ConfigError(f"A sink has the methods write, report and close. {sink!r} has no {missing[0]}.")
    return list(sinks)
