"""What drawing costs, said once, and how far a long drawing is."""

from collections.abc import Callable
from dataclasses import dataclass

import keras

Progress = Callable[[int, int], None]  # how many filters are drawn, of how many
_LONG_S = 5.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What a session's drawings cost.

    Attributes:
        filters: how many are drawn, in all layers.
        layers: how many there are of these.
        compile_s: what compiling took, once, in seconds.
        draw_s: about what each drawing takes, in seconds.
    """

    filters: int = 0
    layers: int = 0
    compile_s: float = 0.0
    draw_s: float = 0.0

    @property
    def is_long(self) -> bool:
        """Whether one would ask oneself what is going on."""
        return self.draw_s >= _LONG_S

    def describe(self) -> str:
        """A sentence or two."""
        what = f"{_counted(self.filters, 'filter')} of {_counted(self.layers, 'layer')}"
        said = f"{what}, compiled in {spoken(self.compile_s)}, once; a drawing takes about {spoken(self.draw_s)}."
        if self.is_long:
            said += " To draw less: layers, and max_filters or the ascent's steps in a Config."
        return said

    def say(self, verbose: int) -> None:
        """Print it, once, unless `verbose` is 0."""
        if verbose:
            print(f"tb_filterviz: {self.describe()}")

    def bar(self, step: int, verbose: int) -> Progress | None:
        """A bar of Keras' for one drawing, if it is long.

        Args:
            step: that is drawn.
            verbose: as in `keras.Model.fit`: 0 is silent, 1 is a bar that moves, 2 a line at the end.
        """
        if not (verbose and self.is_long):
            return None
        print(f"\ntb_filterviz draws step {step}:")
        bar = keras.utils.Progbar(self.filters, verbose=verbose, unit_name="filter")
        return lambda drawn, _: bar.update(drawn)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def spoken(seconds: float) -> str:
    """As one says it: "0.06 s", "12 s", "25 min", "3.5 h"."""
    if seconds < 1:
        return f"{seconds:.1g} s"
    if seconds < 100:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
