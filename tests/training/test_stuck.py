import dataclasses

import keras
import numpy as np
import pytest

from tb_filterviz import AscentConfig, Config, LayerSnapshot, draw
from tb_filterviz.training.stuck import StuckFilters

STEPS = 8
# When each filter is responsive: 0 always, 1 dies at 3, 2 never wakes, 3 wakes at 2, 4 dies at 1 and comes back at 4,
# 5 dies at 3, 6 dies at 2, comes back, and dies at 6.
RESPONSIVE = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 1, 1, 1, 1],
        [1, 0, 0, 0, 1, 1, 1, 1],
        [1, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 0, 1, 1, 1, 0, 0],
    ],
    np.float32,
)


@pytest.fixture(scope="module")
def snapshot() -> LayerSnapshot:
    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(len(RESPONSIVE), 3, name="conv")])
    (drawn,) = draw(model, config=Config(ascent=AscentConfig(steps=1)), verbose=0)
    return drawn


def _at(snapshot: LayerSnapshot, step: int, layer: str = "conv") -> LayerSnapshot:
    statistics = {**snapshot.statistics, "responsive": RESPONSIVE[:, step]}
    return dataclasses.replace(snapshot, layer=layer, step=step, statistics=statistics)


def test_what_died_is_told_from_what_never_woke(snapshot: LayerSnapshot) -> None:
    stuck = StuckFilters()
    assert stuck.describe() == []
    for step in range(STEPS):
        stuck.add([_at(snapshot, step)])
    assert stuck.describe() == [
        "conv: filters 1, 5 stuck since epoch 3; filter 6 stuck since epoch 6; filter 2 never woke up"
    ]


def test_before_anything_comes_back_it_counts_as_dead(snapshot: LayerSnapshot) -> None:
    stuck = StuckFilters()
    for step in range(3):
        stuck.add([_at(snapshot, step)])
    assert stuck.describe() == [
        "conv: filter 4 stuck since epoch 1; filter 6 stuck since epoch 2; filter 2 never woke up"
    ]


def test_long_lists_are_cut(snapshot: LayerSnapshot) -> None:
    many = np.arange(20, dtype=np.int32)
    dead = dataclasses.replace(
        snapshot, filters=many, unit="batch", statistics={**snapshot.statistics, "responsive": np.zeros(20, np.float32)}
    )
    stuck = StuckFilters()
    stuck.add([dataclasses.replace(dead, layer=f"conv_{i}") for i in range(7)])
    lines = stuck.describe()
    assert lines[0] == "conv_0: filters 0, 1, 2, 3, 4, 5, 6, 7 and 12 more never woke up"
    assert (len(lines), lines[-1]) == (6, "and so in 2 more layers")


def test_of_a_resumed_training_nobody_knows_what_was_before(snapshot: LayerSnapshot) -> None:
    stuck = StuckFilters(is_from_start=False)
    for step in range(4, STEPS):
        stuck.add([_at(snapshot, step)])
    assert stuck.describe() == [
        "conv: filter 6 stuck since epoch 6; filters 1, 2, 5 stuck at every drawing, from epoch 4 on"
    ]
