import numpy as np
import numpy.typing as npt
import pytest

from tb_filterviz.history import Comparison, History
from tb_filterviz.parts.statistics import STANDARD, Statistic
from tb_filterviz.snapshots import LayerDrawing, LayerSnapshot
from tests import snapshots


def _drawing(value: int, filters: int = 2, size: int = 4) -> LayerDrawing:
    return snapshots.drawing(np.full((filters, size, size, 1), value, np.uint8))


def _logged(history: History, drawing: LayerDrawing, step: int) -> LayerSnapshot:
    """Compare, and remember, as a session does."""
    snapshot = history.compare(drawing, step, "epoch")
    history.remember_drawing(drawing, step)
    return snapshot


def test_a_step_is_compared_with_the_one_before_and_the_first() -> None:
    history = History()
    snapshots = [_logged(history, _drawing(value), step) for step, value in enumerate([0, 51, 204, 153])]
    assert [snapshot.is_first for snapshot in snapshots] == [True, False, False, False]
    assert [float(snapshot.change[0]) for snapshot in snapshots] == pytest.approx([0, 0.2, 0.6, 0.2])
    assert [float(snapshot.change_since_start[0]) for snapshot in snapshots] == pytest.approx([0, 0.2, 0.8, 0.6])


def test_a_step_that_could_not_be_written_compares_again_as_it_did() -> None:
    history = History()
    for step in range(4):
        _logged(history, _drawing(10 * step), step)
    for _ in range(2):  # nothing is remembered
        again = history.compare(_drawing(40), 4, "epoch")
        assert again.change[0] == pytest.approx(10 / 255)
        assert again.change_since_start[0] == pytest.approx(40 / 255)


def test_the_first_step_and_the_last_are_kept_whatever_comes_in_between() -> None:
    history = History()
    for step in (3, 8, 5, 13):
        _logged(history, _drawing(step), step)
    assert [step for step in range(20) if history.holds("conv", step)] == [3, 13]
    assert not history.holds("other", 3)


def test_what_is_earlier_knows_nothing_of_what_is_later() -> None:
    history = History()
    _logged(history, _drawing(100), 7)
    assert _logged(history, _drawing(0), 3).is_first


def test_large_tiles_are_compared_as_they_are_stored() -> None:
    history = History()
    checkered = _drawing(0, size=128)
    checkered.tiles[:, ::2] = 100
    _logged(history, _drawing(50, size=128), 0)
    assert _logged(history, checkered, 1).change.tolist() == [0, 0]  # the average of the two is stored


def test_a_statistic_of_ones_own_looks_back_at_the_stored_tiles() -> None:
    def told(comparison: Comparison) -> npt.NDArray[np.float32]:
        seen.append(comparison)
        now, before = (tiles[:, 0, 0, 0].astype(np.float32) for tiles in (comparison.tiles, comparison.before))
        return np.asarray(now - before)

    seen: list[Comparison] = []
    brighter = Statistic(name="own_brighter", compute=told, description="by how much", reads="history")
    history = History()
    for step, value in enumerate([50, 20, 30]):
        drawing = _drawing(value)
        snapshot = history.compare(drawing, step, "batch", [*STANDARD, brighter])
        history.remember_drawing(drawing, step)
        assert seen[-1].drawing is drawing
        assert [int(tiles.max()) for tiles in (seen[-1].tiles, seen[-1].first)] == [value, 50]
        assert seen[-1].is_first is snapshot.is_first is (step == 0)
        assert snapshot.statistics["own_brighter"].tolist() == [[0, 0], [-30, -30], [10, 10]][step]
        assert snapshot.statistics["own_brighter"].dtype == np.float32
        assert snapshot.scores.tolist() == drawing.scores.tolist()
        assert (snapshot.step, snapshot.unit) == (step, "batch")


def test_a_drawing_resembles_what_another_machine_rounded_differently() -> None:
    history, tiles = History(), np.random.default_rng(0).integers(1, 254, (9, 4, 4, 1), np.uint8)
    history.remember_drawing(snapshots.drawing(tiles), 3)
    assert history.distance(snapshots.drawing(tiles), 3) == 0
    assert history.resembles(snapshots.drawing(tiles + 1), 3)
    assert history.distance(snapshots.drawing(tiles + 1), 3) == pytest.approx(1 / 255)
    assert not history.resembles(snapshots.drawing(255 - tiles), 3)
    assert history.distance(snapshots.drawing(tiles[:8]), 3) == 1  # of another model
