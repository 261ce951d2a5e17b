"""Check values that anybody may have written into an event file."""

import re
from collections.abc import Mapping
from typing import Any

from tb_filterviz.errors import SeriesError

LONGEST_TEXT = 1000
MOST_FILTERS = 1 << 16
LARGEST_INDEX = (1 << 31) - 1  # of a filter within its layer


def parse_int(found: Mapping[str, Any], name: str, low: int, high: int) -> int:
    """Read a whole number; without one, the lowest.

    Raises:
        SeriesError: if it is something else, or out of range.
    """
    value = found.get(name, low)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise SeriesError(f"`{name}` must be a whole number from {low} to {high}. Received: {str(value)[:40]}")
    return value


def parse_text(found: Mapping[str, Any], name: str) -> str:
    """Read a string; without one, the empty one.

    Raises:
        SeriesError: if it is something else, or too long.
    """
    value = found.get(name, "")
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise SeriesError(f"`{name}` must be a string of at most {LONGEST_TEXT} characters.")
    return whole_characters(value)


def parse_name(value: object, what: str) -> str:
    """Read the name of a statistic.

    Raises:
        SeriesError: if it does not fit a tag.
    """
    if not isinstance(value, str) or not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", value):
        raise SeriesError(f"{what} must be lower case letters, digits and _. Received: {str(value)[:40]!r}")
    return value


def parse_shape(found: Mapping[str, Any], rank: int) -> tuple[int, ...]:
    """Read the shape of a value.

    Raises:
        SeriesError: if it is not a list of `rank` sizes.
    """
    value = found.get("shape")
    if not isinstance(value, list) or len(value) != rank:
        raise SeriesError(f"`shape` must be a list of {rank} sizes. Received: {str(value)[:40]}")
    return tuple(parse_int({"size": size}, "size", 1, MOST_FILTERS) for size in value)


def parse_indices(found: Mapping[str, Any], count: int, first: int) -> tuple[int, ...]:
    """Read which of the layer's filters these are; without a word on it, `count` of them from `first`.

    Raises:
        SeriesError: if it is not a list of `count` numbers.
    """
    value = found.get("indices")
    if value is None:
        return tuple(range(first, first + count))
    if not isinstance(value, list) or len(value) != count:
        raise SeriesError(f"`indices` must be a list of {count} numbers. Received: {str(value)[:40]}")
    return tuple(parse_int({"index": index}, "index", 0, LARGEST_INDEX) for index in value)


def parse_numbers(found: Mapping[str, Any], name: str, count: int) -> tuple[float, ...]:
    """Read a list of finite numbers.

    Raises:
        SeriesError: if it is not a list of `count` of them.
    """
    value = found.get(name)
    if not isinstance(value, list) or len(value) != count or not all(map(_is_moderate, value)):
        raise SeriesError(f"`{name}` must be a list of {count} numbers. Received: {str(value)[:40]}")
    return tuple(float(each) for each in value)


def _is_moderate(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_INDEX


def parse_whole_numbers(found: Mapping[str, Any], name: str, high: int) -> tuple[int, ...]:
    """Read a list of whole numbers from 0; without one, the empty list.

    Raises:
        SeriesError: if it is something else.
    """
    value = found.get(name, [])
    if not isinstance(value, list):
        raise SeriesError(f"`{name}` must be a list. Received: {str(value)[:40]}")
    return tuple(parse_int({name: each}, name, 0, high) for each in value)


def whole_characters(text: str) -> str:
    """Replace halves of characters, which JSON can hold and no answer can."""
    return text.encode("utf-8", "replace").decode()
