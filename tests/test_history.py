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
    tiles = np.zeros((3, 4, 4, 1), np.uint8)
    tiles[1], tiles[2, :2] = 100, 100
    apart = np.sqrt((100**2 + 100**2 / 2 + 100**2 / 2) / 3)  # of the three pairs of filters
    moved = [snapshots.drawing(tiles + np.uint8(by)) for by in (0, 10, 40, 30)]
    logged = [_logged(history, drawing, step) for step, drawing in enumerate(moved)]
    assert [snapshot.is_first for snapshot in logged] == [True, False, False, False]
    for each, change, since_start in zip(logged, (0, 10, 30, 10), (0, 10, 40, 30), strict=True):
        assert each.change == pytest.approx(change / apart)
        assert each.change_since_start == pytest.approx(since_start / apart)


def test_a_filter_that_becomes_another_has_changed_by_about_one() -> None:
    history, tiles = History(), np.random.default_rng(3).integers(0, 256, (12, 9, 9, 3), np.uint8)
    _logged(history, snapshots.drawing(tiles), 0)
    turned = _logged(history, snapshots.drawing(np.roll(tiles, 1, axis=0)), 1)
    assert turned.change == pytest.approx(np.ones(12), abs=0.15)
    assert turned.change.mean() == pytest.approx(1, abs=0.02)


def test_one_filter_is_measured_by_its_own_contrast() -> None:
    history = History()
    one, other = np.random.default_rng(3).integers(0, 256, (2, 1, 20, 20, 1), np.uint8)
    _logged(history, snapshots.drawing(one), 0)
    assert _logged(history, snapshots.drawing(other), 1).change == pytest.approx(1, abs=0.1)


def test_a_step_that_could_not_be_written_compares_again_as_it_did() -> None:
    history = History()
    for step in range(4):
        _logged(history, _drawing(10 * step), step)
    for _ in range(2):  # nothing is remembered
        again = history.compare(_drawing(40), 4, "epoch")
        assert again.change[0] == pytest.approx(10 / 255 / 0.05)  # all filters are alike, so this is what counts
        assert again.change_since_start[0] == pytest.approx(40 / 255 / 0.05)


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
