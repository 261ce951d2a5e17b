"""Which runs are of one training: only there are filters of one number the same filter.

In another training, filter 5 learns something else than in this one. Logs say less of it than one would wish: a recipe
names the network and how it was drawn, not the weights. So two runs count as of one training if

- they stand in one log directory, and their recipes name the same network;
- they were drawn in different ways: what is drawn in one way of one training goes into one run;
- both were written at the same time, during the training; or one of them was drawn from saved weights, and there is no
  second training that these might be of.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from tb_filterviz.metadata import run_number
from tb_filterviz.reading.catalog import Run
from tb_filterviz.reading.curves import split_run
from tb_filterviz.recipe import drawing_of, network_of


@dataclass(frozen=True, slots=True)
class _Said:
    """What a run says of its training.

    Attributes:
        drawing: what makes its pictures differ from others of the same weights.
        is_saved: True if it was drawn from saved weights.
        begun: when it began to be written, in seconds.
        last: when it was written last.
    """

    drawing: str
    is_saved: bool
    begun: float
    last: float


def trainings(runs: Mapping[str, Run]) -> dict[str, str]:
    """Name the training of each run: by the first of its runs."""
    said: dict[tuple[str, str], dict[str, _Said]] = defaultdict(dict)  # by log directory and network
    for name, run in runs.items():
        log_dir, own_name = split_run(name)
        network = network_of(run.recipe) if run.recipe else None
        if run.recipe and network and run.begun is not None and run_number(own_name) is not None:
            drawing, is_saved = _text(drawing_of(run.recipe)), run.recipe.get("written_by") == "checkpoints"
            said[log_dir, _text(network)][name] = _Said(drawing, is_saved, run.begun, run.last_wall_time)
    order = {name: place for place, name in enumerate(runs)}
    first = {name: name for name in runs}
    for beside in said.values():
        for one, other in combinations(beside, 2):
            if _is_one_training(beside, one, other):
                kept, joined = sorted((first[one], first[other]), key=order.__getitem__)
                first.update({name: kept for name in beside if first[name] == joined})
    return first


def _is_one_training(beside: Mapping[str, _Said], one: str, other: str) -> bool:
    """Tell it of two runs among all those of one network in one log directory."""
    this, that = beside[one], beside[other]
    if this.drawing == that.drawing:
        return False
    if this.is_saved or that.is_saved:
        return _is_alone(beside, one) and _is_alone(beside, other)
    return this.begun <= that.last and that.begun <= this.last


def _is_alone(beside: Mapping[str, _Said], name: str) -> bool:
    """Tell whether the runs that a run may belong to can be of one training: none of them drawn as another one is."""
    drawings = [each.drawing for each in beside.values() if each.drawing != beside[name].drawing]
    return len(set(drawings)) == len(drawings)


def _text(found: Any) -> str:
    return json.dumps(found, sort_keys=True)
