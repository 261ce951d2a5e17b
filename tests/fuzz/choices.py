"""Choices that are read from bytes: the same bytes choose the same, with or without a fuzzer."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")

_NUMBERS = (0, 1, 2, 3, 5, 6, 7, 20, 28, 64, 100, 255, 256, 65535, 65536, 65537, 1 << 26, 1 << 31, 1 << 53, 1 << 63)
_HUGE = 10**400
_DEEP = (1, 2, 3, 4, 5, 6, 7, 8, 70, 300)


class Choices:
    """Bytes, taken from the front; when there are none left, every choice is the first."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def has_ended(self) -> bool:
        return self._at >= len(self._data)

    def take(self, count: int) -> bytes:
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def rest(self) -> bytes:
        return self.take(len(self._data))

    def below(self, count: int) -> int:
        """A number from 0 to `count` - 1, which is below 256."""
        return (self.take(1) or b"\0")[0] % count

    def is_so(self) -> bool:
        return self.below(2) == 1

    def one_of(self, options: Sequence[Item]) -> Item:
        return options[self.below(len(options))]

    def some(self, make: Callable[[], Item], most: int = 4) -> list[Item]:
        return [make() for _ in range(self.below(most + 1)) if not self.has_ended]

    def number(self) -> int:
        kind = self.below(8)
        if kind < 4:
            return self.below(12)
        if kind < 6:
            return self.one_of(_NUMBERS) * (-1 if kind == 5 else 1)
        return int.from_bytes(self.take(2), "little", signed=True) if kind == 6 else _HUGE

    def real(self) -> float:
        return self.one_of((0.0, 0.5, -1.0, 1e-300, 1e300, 3.4e38, float("inf"), float("-inf"), float("nan")))

    def text(self, words: Sequence[str]) -> str:
        kind = self.below(8)
        if kind < 6:
            return self.one_of(words)
        if kind == 6:
            return self.take(self.below(9)).decode("utf-8", "surrogateescape")
        return self.one_of(words) * 900

    def json(self, words: Sequence[str], depth: int = 6) -> Any:
        """Any value of JSON, its keys and texts often among `words`."""
        kind = self.below(12)
        if self.has_ended:
            return None
        if kind < 3:
            return self.text(words)
        if kind < 5:
            return self.number()
        if kind < 8:
            return (self.real(), self.is_so(), None)[kind - 5]
        if depth == 0:
            return []
        if kind == 11:
            return nested(self.json(words, 0), self.one_of(_DEEP))
        if kind == 8:
            return self.some(lambda: self.json(words, depth - 1))
        return {self.text(words): self.json(words, depth - 1) for _ in range(self.below(5))}


def nested(value: Any, times: int) -> Any:
    for _ in range(times):
        value = [value]
    return value
