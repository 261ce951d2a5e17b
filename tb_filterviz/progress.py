"""What drawing costs, said once, and how far a long work is."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

Report = Callable[[float, float, str], None]  # how much is done, of how much, in any unit; and the same in words

_LONG_S = 5.0
_BETWEEN_LINES_S = 10.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a session's drawings cost.

    Attributes:
        filters: how many are drawn, in all layers.
        layers: how many there are of these.
        compile_s: what compiling took, in seconds.
        draw_s: about what each drawing takes, in seconds, without writing it.
        is_compiled: False on PyTorch, where nothing is.
        examples: how many images are measured as well.
        examples_s: about what that takes at each drawing, in seconds.
    """

    filters: int
    layers: int
    compile_s: float
    draw_s: float
    is_compiled: bool = True
    examples: int = 0
    examples_s: float = 0.0

    @property
    def is_long(self) -> bool:
        """Whether a drawing takes long enough to need a progress bar."""
        return self.whole_s >= _LONG_S

    @property
    def whole_s(self) -> float:
        """About what a drawing and its examples take, in seconds."""
        return self.draw_s + self.examples_s

    def describe(self) -> str:
        """Say so in a sentence or two."""
        what = f"{_counted(self.filters, 'filter')} of {_counted(self.layers, 'layer')}"
        compiled = f", compiled in {spoken(self.compile_s)}, once" if self.is_compiled else ""
        said = f"{what}{compiled}; a drawing takes about {spoken(self.draw_s)}"
        said += f", and its {_counted(self.examples, 'example')} {spoken(self.examples_s)}." if self.examples else "."
        if self.is_long:
            said += " To draw less: layers, and max_filters or the ascent's steps in a Config."
        return said


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def spoken(seconds: float) -> str:
    """Word a time: "0.06 s", "12 s", "25 min", "3.5 h"."""
    if seconds < 0.01:
        return "0.01 s"
    if seconds < 10:
        return f"{seconds:.2g} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


_SAID: set[str] = set()


def say_once(sentences: Iterable[str], verbose: int) -> None:
    """Say on stderr, each sentence once in a process; with `verbose` 0, never."""
    for sentence in sentences:
        if verbose and sentence not in _SAID:
            _SAID.add(sentence)
            print(f"tb_filterviz: {sentence}", file=sys.stderr)


@contextmanager
def shown(title: str) -> Iterator[Report]:
    """Show how far a work is: a bar on a terminal or in a notebook, elsewhere a line from time to time."""
    try:
        import rich.console
        import rich.progress
    except ImportError:  # a machine that only shows logs has no more than tensorboard, numpy and pillow
        yield _lines(title)
        return
    console = rich.console.Console(stderr=True)
    if not (console.is_terminal or console.is_jupyter):
        yield _lines(title)
        return
    columns = (
        rich.progress.TextColumn("{task.description}", markup=False),
        rich.progress.BarColumn(),
        rich.progress.TaskProgressColumn(),
        rich.progress.TextColumn("left:"),
        rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total, words: bar.update(task, completed=done, total=total, description=f"{title}: {words}")


def _lines(title: str) -> Report:
    began: tuple[float, float] | None = None
    last = time.monotonic()

    def report(done: float, total: float, words: str) -> None:
        nonlocal began, last
        now = time.monotonic()
        began = began or (now, done)
        if now - last < _BETWEEN_LINES_S:
            return
        last = now
        went = done - began[1]
        left = f", {spoken((total - done) * (now - began[0]) / went)} left" if went else ""
        print(f"{title}: {words}{left}", file=sys.stderr, flush=True)

    return report


@contextmanager
def shown_once_long(title: str, verbose: int) -> Iterator[Report]:
    """Show how far a work of unknown length is, as soon as it turns out to be long; with `verbose` 0, never."""
    began, bar = time.monotonic(), ExitStack()
    shown_report: Report | None = None

    def report(done: float, total: float, words: str) -> None:
        nonlocal shown_report
        is_long = done > 0 and (time.monotonic() - began) * total / done >= _LONG_S
        if shown_report is None and verbose and is_long and done < total:
            shown_report = bar.enter_context(shown(title))
        if shown_report is not None:
            shown_report(done, total, words)

    with bar:
        yield report


@contextmanager
def shown_if_long(cost: Cost, title: str, verbose: int) -> Iterator[Report | None]:
    """Show how far a drawing is, if it is long and `verbose` is not 0."""
    if not (verbose and cost.is_long):
        yield None
        return
    print(file=sys.stderr)  # a bar of Keras' may stand in this line
    with shown(title) as report:
        yield report
