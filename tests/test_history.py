import numpy as np
import pytest

from tb_filterviz.history import History
from tb_filterviz.records import LayerDrawing


def _drawing(value: int, filters: int = 2, size: int = 4) -> LayerDrawing:
    everything = np.ones(filters, np.bool_)
    return LayerDrawing(
        layer="conv",
        position=0,
        objective="channel_mean",
        receptive_field=False,
        channels="gray",
        tiles=np.full((filters, size, size, 1), value, np.uint8),
        scores=np.zeros(filters, np.float32),
        responsive=everything,
        flat=~everything,
    )


def test_a_step_is_compared_with_the_one_before_and_the_first() -> None:
    history = History()
    snapshots = [history.snapshot(_drawing(value), step, "epoch") for step, value in enumerate([0, 51, 204, 153])]
    assert [snapshot.is_first for snapshot in snapshots] == [True, False, False, False]
    assert [float(snapshot.change[0]) for snapshot in snapshots] == pytest.approx([0, 0.2, 0.6, 0.2])
    assert [float(snapshot.change_since_start[0]) for snapshot in snapshots] == pytest.approx([0, 0.2, 0.8, 0.6])


def test_the_last_step_drawn_again_compares_as_it_did() -> None:
    history = History()
    for step in range(5):
        history.snapshot(_drawing(10 * step), step, "epoch")
    again = history.snapshot(_drawing(40), 4, "epoch")
    assert again.change[0] == pytest.approx(10 / 255)
    assert again.change_since_start[0] == pytest.approx(40 / 255)


def test_what_is_earlier_knows_nothing_of_what_is_later() -> None:
    history = History()
    history.snapshot(_drawing(100), 7, "epoch")
    assert history.snapshot(_drawing(0), 3, "epoch").is_first


def test_another_model_begins_anew() -> None:
    history = History()
    history.snapshot(_drawing(100), 0, "epoch")
    other = history.snapshot(_drawing(0, filters=3), 1, "epoch")
    assert other.is_first
    assert other.change.tolist() == [0, 0, 0]


def test_large_tiles_are_compared_as_they_are_stored() -> None:
    history = History()
    checkered = _drawing(0, size=128)
    checkered.tiles[:, ::2] = 100
    history.snapshot(_drawing(50, size=128), 0, "epoch")
    assert history.snapshot(checkered, 1, "epoch").change.tolist() == [0, 0]  # the average of the two is stored
