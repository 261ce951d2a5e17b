"""Names: their order, and many of them in a row."""

import re
from collections.abc import Iterable


def natural_order(name: str) -> list[str | int]:
    """Order names so that ``filters_2`` comes before ``filters_10``."""
    return [int(part) if at % 2 else part for at, part in enumerate(re.split(r"([0-9]{1,18})", name))]


def listed(names: Iterable[object], most: int) -> str:
    """Name the first of them, and say with dots that there are more."""
    shown = [str(name) for name in names]
    return ", ".join(shown[:most]) + (", ..." if len(shown) > most else "")
