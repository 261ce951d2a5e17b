import dataclasses

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz import Config, GridConfig
from tb_filterviz.imaging.layout import MARK_RGB, automatic_scale, grid, grid_for_a_screen, shrink
from tests.snapshots import drawing


def _tiles(count: int, side: int = 4, channels: int = 1) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(count).integers(1, 255, (count, side, side, channels), np.uint8)


def _draw(
    tiles: npt.NDArray[np.uint8], config: GridConfig, **changes: npt.NDArray[np.generic]
) -> npt.NDArray[np.uint8]:
    count = len(tiles)
    values = {
        "scores": np.arange(count, dtype=np.float32),
        "responsive": np.ones(count, bool),
        "flat": np.zeros(count, bool),
    }
    return grid(tiles, **{**values, **changes}, config=config)


@given(
    count=st.integers(1, 40),
    columns=st.none() | st.integers(1, 9),
    margin=st.integers(0, 7),
    scale=st.integers(1, 3),
    channels=st.sampled_from([1, 3]),
)
def test_every_tile_lands_intact(count: int, columns: int | None, margin: int, scale: int, channels: int) -> None:
    tiles = _tiles(count, channels=channels)
    picture = _draw(tiles, GridConfig(columns=columns, margin_px=margin, scale=scale))
    per_row = min(columns or int(np.ceil(np.sqrt(count))), count)
    side = 4 * scale
    found = 0
    for index in range(count):
        top, left = (index // per_row) * (side + margin), (index % per_row) * (side + margin)
        cell = picture[top : top + side, left : left + side]
        for y in range(scale):
            for x in range(scale):
                assert np.array_equal(cell[y::scale, x::scale], tiles[index])
        found += int(cell.astype(int).sum())
    assert picture.astype(int).sum() == found  # and nothing else is drawn
    assert picture.shape[1] == per_row * (side + margin) - margin


@pytest.mark.parametrize("left", [36, 50, 20, 0])
def test_the_classic_grid_is_193_pixels_whatever_is_left(left: int) -> None:
    config = Config.classic().grid
    picture = _draw(_tiles(50, 28), dataclasses.replace(config, scale=1), responsive=np.arange(50) < left)
    assert picture.shape == (193, 193, 1)
    lit = [(picture[r * 33 : r * 33 + 28, c * 33 : c * 33 + 28] > 0).any() for r in range(6) for c in range(6)]
    assert sum(lit) == min(left, 36)
    assert lit == sorted(lit, reverse=True)


def test_the_best_come_first() -> None:
    tiles = np.arange(1, 6, dtype=np.uint8).reshape(5, 1, 1, 1)
    scores = np.array([0.1, np.nan, 3.0, -1.0, 2.0], np.float32)
    picture = _draw(tiles, GridConfig(columns=4, order="score", top_k=4, margin_px=0, scale=1), scores=scores)
    assert picture[..., 0].tolist() == [[3, 5, 1, 4]]


def test_a_stuck_tile_is_crossed_out_and_a_flat_one_underlined_in_their_places() -> None:
    tiles = _tiles(3, 28)
    responsive, flat = np.array([True, False, True]), np.array([False, False, True])
    picture = _draw(tiles, GridConfig(columns=3, scale=1), responsive=responsive, flat=flat)
    assert picture.shape[-1] == 3
    plain, stuck, underlined = (picture[:, left : left + 28] for left in (0, 33, 66))
    assert np.array_equal(plain, tiles[0].repeat(3, axis=-1))
    for corner in (stuck[0, 0], stuck[-1, -1], stuck[0, -1], stuck[-1, 0], underlined[-1, 5]):
        assert tuple(corner) == MARK_RGB
    assert stuck.mean() < plain.mean() / 1.5
    assert np.array_equal(underlined[:-1], tiles[2][:-1].repeat(3, axis=-1))


@given(st.integers(1, 300), st.integers(1, 300))
def test_the_automatic_scale_is_the_smallest_that_is_legible(height: int, width: int) -> None:
    scale, side = automatic_scale(height, width), max(height, width)
    assert side * scale >= 64
    assert scale == 1 or side * (scale - 1) < 64


@given(side=st.integers(1, 200), limit=st.integers(1, 64))
def test_shrunk_tiles_fit_and_keep_their_mean(side: int, limit: int) -> None:
    tiles = np.full((2, side, side, 1), 77, np.uint8)
    small = shrink(tiles, limit)
    assert max(small.shape[1:3]) <= limit
    assert (small == 77).all()


def _on_a_screen(tiles: npt.NDArray[np.uint8], config: GridConfig) -> npt.NDArray[np.uint8]:
    count = len(tiles)
    return grid_for_a_screen(tiles, np.ones(count, np.float32), np.ones(count, bool), np.zeros(count, bool), config)


@pytest.mark.parametrize(("count", "side", "width"), [(512, 224, 23 * 80 - 5), (81, 224, 9 * 229 - 5), (4, 1500, 1505)])
def test_a_picture_of_many_large_tiles_suits_a_screen(count: int, side: int, width: int) -> None:
    tiles = np.full((count, side, side, 1), 200, np.uint8)
    columns = int(np.ceil(np.sqrt(count)))
    for scale in (1, None):
        assert drawing(tiles).grid(GridConfig(scale=scale)).shape[1] == columns * (side + 5) - 5
    assert _on_a_screen(tiles, GridConfig(scale=1)).shape[1] == columns * (side + 5) - 5
    picture = _on_a_screen(tiles, GridConfig())
    assert picture.shape[1] == width
    assert set(np.unique(picture)) == {0, 200}


def test_small_tiles_are_the_same_on_a_screen() -> None:
    tiles = _tiles(50, 28)
    assert np.array_equal(_on_a_screen(tiles, GridConfig()), drawing(tiles).grid(GridConfig()))
