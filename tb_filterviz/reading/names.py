"""The order of names."""

import re


def natural_order(name: str) -> list[str | int]:
    """Order names so that ``filters_2`` comes before ``filters_10``."""
    return [int(part) if at % 2 else part for at, part in enumerate(re.split(r"([0-9]{1,18})", name))]
