"""Which filters no example switches on at the end of a training, and which are never off."""

from collections.abc import Iterable

import numpy as np

from tb_filterviz.snapshots import LayerSnapshot
from tb_filterviz.training.stuck import listed

_LAYERS = 5


def describe_dead(snapshots: Iterable[LayerSnapshot], examples: int) -> list[str]:
    """Name, for each layer that has any, the filters that are dead, and those that are always on.

    Args:
        snapshots: of the last step, with responses.
        examples: how many images were measured.
    """
    lines = []
    for snapshot in snapshots:
        found = snapshot.responses
        if found is None:
            continue
        kinds = {f"dead: none of {examples} examples switches them on": found.excited == 0, "always on": found.on == 1}
        parts = [f"{listed(snapshot.filters[are])} {words}" for words, are in kinds.items() if np.any(are)]
        if parts:
            lines.append(f"{snapshot.layer}: {'; '.join(parts)}")
    more = len(lines) - _LAYERS
    return lines[:_LAYERS] + ([f"and so in {more} more layers"] if more > 0 else [])
