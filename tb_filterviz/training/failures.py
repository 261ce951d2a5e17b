"""What of a training could not be drawn or written: told once, however often it happens."""

from itertools import groupby

from tb_filterviz.logs.storage import reason_of


class Failures:
    """The failures of one training, by what went wrong, each with its steps."""

    def __init__(self) -> None:
        self._steps: dict[str, list[int]] = {}

    def add(self, step: int, error: Exception) -> bool:
        """Remember a failure.

        Returns:
            Whether it is the first of its kind.
        """
        steps = self._steps.setdefault(f"{type(error).__name__}: {reason_of(error)}", [])
        steps.append(step)
        return len(steps) == 1

    def describe(self) -> list[str]:
        """Say, in a sentence each, what went wrong more than once, and at which steps."""
        return [f"Failed at steps {spans(steps)}: {what}." for what, steps in self._steps.items() if len(steps) > 1]


def spans(steps: list[int]) -> str:
    """Word rising numbers: ``"3 to 5, 7"``."""
    found = []
    for _, pairs in groupby(enumerate(steps), key=lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in pairs]
        found.append(str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}")
    return ", ".join(found)
