"""A function that is compiled when it first runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Compiled:
    """A function that is compiled when it first runs, once for each kind of arguments.

    Attributes:
        run: the function.
        forget: free what was compiled, which may be more than the model; it is compiled anew when it next runs.
    """

    run: Callable[..., Any]
    forget: Callable[[], None]

    def __call__(self, *arrays: Any) -> Any:
        """Run it."""
        return self.run(*arrays)
