"""Weights as arguments: for backends that compile only functions of what they are given."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Mapping = Sequence[tuple[Any, Any]]  # variables of Keras, each with the value to be used in its place

_given: ContextVar[Mapping] = ContextVar("given weights", default=())


@contextmanager
def given(mapping: Mapping) -> Iterator[None]:
    """Forward passes of `probe.reach` in this block use these values in place of the variables' own."""
    token = _given.set(mapping)
    try:
        yield
    finally:
        _given.reset(token)


def current() -> Mapping:
    """The values to be used now; empty for the variables' own."""
    return _given.get()
