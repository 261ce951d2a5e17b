"""Filters that are alike are found: planted ones, in pictures that moved, of other sizes and colours, or by answers."""

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tb_filterviz import Examples
from tb_filterviz.errors import SeriesError
from tb_filterviz.plugin import similarity
from tb_filterviz.plugin.similarity import best_pairs, picture_similarity, response_similarity
from tb_filterviz.session import Session
from tb_filterviz.sinks.events import EventSink
from tests.plugin.serving import LOADERS, Tab, layer_events, tab, write, write_events, write_tiles
from tests.responses import planted

Tiles = npt.NDArray[np.uint8]
SIZE = 24


@pytest.fixture(params=LOADERS)
def loader(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def canvases(count: int, size: int = SIZE, channels: int = 1, seed: int = 0, margin: int = 4) -> Tiles:
    """Smooth random pictures, none like another, each larger than `size` by a margin at every side."""
    rng, side = np.random.default_rng(seed), size + 2 * margin
    coarse = rng.normal(size=(count, side // 3 + 2, side // 3 + 2, channels))
    fine = coarse.repeat(3, axis=1).repeat(3, axis=2)[:, :side, :side]
    return np.asarray(np.clip(128 + 45 * fine, 0, 255), np.uint8)


def cut(pictures: Tiles, down: int = 0, right: int = 0, margin: int = 4) -> Tiles:
    """What is seen of pictures that are moved."""
    side = pictures.shape[1] - 2 * margin
    return pictures[:, margin - down : margin - down + side, margin - right : margin - right + side]


def correlation(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> float:
    a, b = (np.asarray(each, np.float64).ravel() for each in (one, other))
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])


def largest_correlation(one: Tiles, other: Tiles) -> float:
    """The same as is computed for all pairs at once, pixel by pixel for one."""
    height, width = one.shape[:2]
    furthest = [side // 8 if side >= 8 else int(side >= 5) for side in (height, width)]
    best = -1.0
    for down, right in itertools.product(*(range(-most, most + 1) for most in furthest)):
        rows = [row for row in range(height) if 0 <= row + down < height]
        columns = [column for column in range(width) if 0 <= column + right < width]
        here = one[np.ix_(rows, columns)]
        there = other[np.ix_([row + down for row in rows], [column + right for column in columns])]
        best = max(best, correlation(here, there))
    return best


@settings(max_examples=25)
@given(
    sides=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    counts=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    channels=st.sampled_from([1, 3]),
    seed=st.integers(0, 1000),
)
def test_similarity_is_the_largest_correlation_over_small_shifts(
    sides: tuple[int, int], counts: tuple[int, int], channels: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    one, other = (rng.integers(0, 256, (count, *sides, channels)).astype(np.uint8) for count in counts)
    expected = [[largest_correlation(a, b) for b in other] for a in one]
    found = picture_similarity(one, other)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(picture_similarity(other, one), found.T, atol=1e-5)
    np.testing.assert_allclose(picture_similarity(one, one), picture_similarity(one, one.copy()), atol=1e-5)


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (0, -2), (3, 3), (-3, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_that_moved_are_the_same(shift: tuple[int, int], channels: int) -> None:
    pictures, order = canvases(12, channels=channels), np.random.default_rng(1).permutation(12)
    found = picture_similarity(cut(pictures), cut(pictures, *shift)[order])
    rows, columns = best_pairs(found)
    assert order[columns].tolist() == rows.tolist()
    assert found[rows, columns].min() > 0.999
    assert np.sort(found, axis=1)[:, -2].max() < 0.9


def test_pictures_that_moved_too_far_are_not() -> None:
    pictures = canvases(6, margin=9)
    moved = picture_similarity(cut(pictures, margin=9), cut(pictures, 8, 8, margin=9))
    assert np.diag(moved).max() < 0.9


def test_what_a_smaller_picture_shows_is_compared_on_the_smaller_one() -> None:
    pictures = cut(canvases(10))
    for factor in (2, 3):
        larger = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
        found = picture_similarity(larger, pictures)
        assert np.diag(found).min() > 0.999
        assert np.argmax(found, axis=1).tolist() == list(range(10))
    wide = picture_similarity(pictures[:, :, :20], pictures[:, :20])  # of other sides each, to 20 by 20
    assert wide.shape == (10, 10)
    assert np.argmax(wide, axis=1).tolist() == list(range(10))


def test_colour_is_compared_with_gray_by_brightness() -> None:
    gray = cut(canvases(8)).astype(int)
    red, blue = np.random.default_rng(3).integers(-20, 20, (2, *gray.shape))
    coloured = np.concatenate([gray + red, gray - red - blue, gray + blue], axis=3).clip(0, 255).astype(np.uint8)
    for one, other in ((gray.astype(np.uint8), coloured), (coloured, gray.astype(np.uint8))):
        assert np.diag(picture_similarity(one, other)).min() > 0.98


def test_pictures_of_one_brightness_and_other_colours_are_not_the_same() -> None:
    pattern = cut(canvases(1)).astype(int) - 128
    red, blue = (np.concatenate([128 + pattern * sign for sign in signs], axis=3) for signs in ((1, 0, -1), (-1, 0, 1)))
    both = np.concatenate([red, blue]).clip(0, 255).astype(np.uint8)
    found = picture_similarity(both, both)
    assert found[0, 0] > 0.999
    assert found[0, 1] < 0.5


def test_flat_pictures_are_like_no_other_not_even_themselves() -> None:
    pictures = cut(canvases(4))
    pictures[1], pictures[2] = 77, 130
    pictures[2, 3, 3] = 131  # as rounding may leave it
    found = picture_similarity(pictures, pictures)
    assert not found[1:3].any()
    assert not found[:, 1:3].any()
    assert found[0, 0] > 0.999


def test_large_layers_are_compared_small_and_still_found() -> None:
    """The pictures have details of four pixels, as those of trained networks have."""
    pictures, order = cut(canvases(700, size=40, channels=3)), np.random.default_rng(2).permutation(700)
    rows, columns = best_pairs(picture_similarity(pictures, pictures[order]))
    assert order[columns].tolist() == rows.tolist()


@pytest.mark.parametrize(("before", "after"), [(28, 28), (64, 32), (33, 32), (7, 3), (5, 1)])
def test_resizing_keeps_the_mean_and_whole_factors_are_block_means(before: int, after: int) -> None:
    tiles = cut(canvases(2, size=before))
    small = similarity._resized(tiles, after, after)
    np.testing.assert_allclose(small.mean(axis=(1, 2)), tiles.mean(axis=(1, 2)), rtol=1e-4)
    if before % after == 0:
        blocks = tiles.reshape(2, after, before // after, after, before // after, 1).mean(axis=(2, 4))
        np.testing.assert_allclose(small, blocks, rtol=1e-5)


def test_answers_are_compared_as_they_stand() -> None:
    rng = np.random.default_rng(4)
    one, other = (rng.integers(0, 256, (count, 3, 6, 5)).astype(np.uint8) for count in (4, 7))
    other[2] = 9
    found = response_similarity(one, other)
    np.testing.assert_allclose(found, [[correlation(a, b) for b in other] for a in one], atol=1e-5)
    assert not found[:, 2].any()


@settings(max_examples=25)
@given(rows=st.integers(1, 5), columns=st.integers(1, 5), seed=st.integers(0, 1000))
def test_pairs_are_the_best_of_all_ways_to_pair(rows: int, columns: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    tall = values if rows <= columns else values.T
    ways = itertools.permutations(range(tall.shape[1]), tall.shape[0])
    best = max(sum(tall[row, column] for row, column in enumerate(way)) for way in ways)
    one, other = best_pairs(values)
    assert len(set(one.tolist())) == len(set(other.tolist())) == min(rows, columns)
    assert values[one, other].sum() == pytest.approx(best, abs=1e-5)


def match(served: Tab, one: str, other: str, **query: Any) -> Any:
    where = {"layer": "conv2d_1", "layer2": "conv2d_1", **query}
    return served.get("match", run=f"{one}/filters", run2=f"{other}/filters", **where)


def paired(answer: Any) -> dict[int, int]:
    """The other filter by filter; similarities fall into what is matched and what is not."""
    pairs = answer["pairs"]
    assert pairs == sorted(pairs)
    assert answer["matched"] == sum(alike >= answer["threshold"] for *_, alike in pairs)
    assert len({other for _, other, _ in pairs}) == len(pairs)
    return {filter_: other for filter_, other, _ in pairs}


def test_a_planted_permutation_is_found(loader: str, tmp_path: Path) -> None:
    """The other's pictures moved by a pixel or two, are brighter, and have other numbers."""
    pictures, order = canvases(15, channels=3), np.random.default_rng(5).permutation(15)
    noise = canvases(15, channels=3, seed=9)
    write_tiles(tmp_path / "one", np.stack([cut(noise), cut(pictures)]))
    moved = (cut(pictures, 2, -1)[order] * 0.8 + 40).astype(np.uint8)
    write_tiles(tmp_path / "other", np.stack([moved, cut(noise)[::-1]]))
    numbers = {"indices": 100 + 7 * order, "more": {"responsive": np.ones(15)}}
    write(tmp_path / "numbered", [0], {"shape": moved.shape, "tiles": moved, **numbers})
    with tab(tmp_path, loader) as served:
        found = match(served, "one", "other", step=0, step2=-1)
        assert found["by"] == "pictures"
        assert paired(found) == {int(filter_): place for place, filter_ in enumerate(order)}
        assert min(alike for *_, alike in found["pairs"]) > 0.99
        assert found["matched"] == 15
        assert found["chance"] < found["threshold"] < 0.9
        back = match(served, "other", "one", step=-1, step2=0)
        assert paired(back) == {other: filter_ for filter_, other in paired(found).items()}
        assert (back["threshold"], back["chance"]) == (
            pytest.approx(found["threshold"], abs=1e-3),
            pytest.approx(found["chance"], abs=1e-3),
        )
        last = match(served, "one", "other")  # where the other has nothing but noise
        assert last == match(served, "one", "other", step=0, step2=0)
        assert last["matched"] <= 3
        numbered = match(served, "one", "numbered", step=0)
        assert paired(numbered) == {filter_: 100 + 7 * filter_ for filter_ in range(15)}


def test_where_nothing_is_to_be_found_hardly_anything_is_matched(loader: str, tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("other", 2)):
        write_tiles(tmp_path / name, cut(canvases(60, seed=seed))[None])
    with tab(tmp_path, loader) as served:
        found = match(served, "one", "other")
        assert len(found["pairs"]) == 60
        assert found["matched"] <= 6
        alike = np.mean([alike for *_, alike in found["pairs"]])
        assert found["chance"] == pytest.approx(alike, abs=0.05)


def test_stuck_filters_and_flat_pictures_are_not_matched(loader: str, tmp_path: Path) -> None:
    pictures = cut(canvases(10))
    pictures[7] = 128
    stuck = np.isin(np.arange(10), (2, 5))
    write_tiles(tmp_path / "one", np.stack([pictures, pictures]), stuck=np.stack([~stuck, stuck]))
    write_tiles(tmp_path / "other", pictures[None, ::-1])
    with tab(tmp_path, loader) as served:
        assert paired(match(served, "one", "other")) == {
            place: 9 - place for place in range(10) if place not in (2, 5, 7)
        }
        assert paired(match(served, "one", "other", step=-1)) == {2: 7, 5: 4}
        assert paired(match(served, "other", "one"))[9] == 0


def test_a_smaller_layer_is_found_in_a_larger_one(loader: str, tmp_path: Path) -> None:
    """Its pictures are of half the size as well."""
    pictures, chosen = cut(canvases(30)), np.array([20, 3, 11, 29])
    write_tiles(tmp_path / "small", pictures[chosen][None])
    write_tiles(tmp_path / "large", pictures.repeat(2, axis=1).repeat(2, axis=2)[None])
    with tab(tmp_path, loader) as served:
        found, back = match(served, "small", "large"), match(served, "large", "small")
        assert paired(found) == dict(enumerate(chosen.tolist()))
        assert paired(back) == {filter_: place for place, filter_ in enumerate(chosen.tolist())}
        assert found["matched"] == back["matched"] == 4


def test_single_filters_are_paired_though_nothing_says_how_alike_different_ones_are(
    loader: str, tmp_path: Path
) -> None:
    write_tiles(tmp_path / "one", cut(canvases(1))[None])
    write_tiles(tmp_path / "other", cut(canvases(1, seed=1))[None])
    write_tiles(tmp_path / "flat", np.full((1, 3, 9, 9, 1), 7, np.uint8))
    with tab(tmp_path, loader) as served:
        assert match(served, "one", "one")["matched"] == 1
        found = match(served, "one", "other")
        assert (paired(found), found["matched"], found["threshold"]) == ({0: 0}, 0, 1)
        assert match(served, "one", "flat")["pairs"] == []
        assert match(served, "flat", "flat")["pairs"] == []


def write_permuted(log_dir: Path, order: Sequence[int], maps: int | list[int] = 4, steps: Sequence[int] = (0,)) -> None:
    """A run of detectors in another order, measured on the same images."""
    model = planted.network()
    kernel, bias = model.get_layer("made").get_weights()
    model.get_layer("made").set_weights([kernel[..., list(order)], bias[list(order)]])
    session = Session(model, examples=Examples(planted.images(), maps=maps))
    events = EventSink(log_dir, session.config)
    events.begin(session.recipe("logger"), steps[0], examples=session.stored_examples)
    for step in steps:
        session.log(step, [events])
    events.close()


def test_filters_that_answer_alike_are_found_by_their_answers(loader: str, tmp_path: Path) -> None:
    order = [planted.DOT, planted.DEAD, planted.EDGE, planted.ALWAYS, planted.BLOB]
    write_permuted(tmp_path / "one", range(5))
    write_permuted(tmp_path / "other", order)
    write_permuted(tmp_path / "others", order, maps=[5, 4, 3, 2])
    made = {"layer": "made", "layer2": "made"}
    with tab(tmp_path, loader) as served:
        found = match(served, "one", "other", **made)
        assert found["by"] == "responses"
        # what is off on all images, or everywhere the same, cannot be told from others by its answers
        answering = (planted.EDGE, planted.BLOB, planted.DOT)
        assert paired(found) == {filter_: order.index(filter_) for filter_ in answering}
        assert min(alike for *_, alike in found["pairs"]) > 0.999
        assert found["matched"] == 3
        assert match(served, "one", "others", **made)["by"] == "pictures"  # of other examples, maps say nothing
        near = served.get("similar", run="one/filters", layer="made", filter=planted.EDGE)
        assert (near["by"], len(near["similar"])) == ("responses", 2)
        assert served.get("similar", run="one/filters", layer="made", filter=planted.DEAD)["similar"] == []


def test_the_most_similar_filters_of_a_layer_come_first(loader: str, tmp_path: Path) -> None:
    pictures, stuck = cut(canvases(14)), np.arange(14) == 6
    for place in range(3, 9):  # ever less of filter 0
        share = (9 - place) / 7
        pictures[place] = (share * pictures[0] + (1 - share) * pictures[place]).astype(np.uint8)
    numbers = 50 - np.arange(14)
    write(
        tmp_path,
        [0],
        {"shape": pictures.shape, "tiles": pictures, "indices": numbers, "more": {"responsive": ~stuck}},
    )
    with tab(tmp_path, loader) as served:
        where = {"run": "filters", "layer": "conv2d_1"}
        found = served.get("similar", **where, filter=50)
        assert found["by"] == "pictures"
        assert [filter_ for filter_, _ in found["similar"]][:4] == [47, 46, 45, 43]  # 44 is stuck
        assert len(found["similar"]) == 8
        truth = {int(numbers[at]): largest_correlation(pictures[0], pictures[at]) for at in range(1, 14)}
        for filter_, alike in found["similar"]:
            assert alike == pytest.approx(truth[filter_], abs=1e-3)
        assert served.get("similar", **where, filter=44)["similar"] == []
        assert served.answer("similar", **where, filter=0).status_code == 404


def test_what_was_found_before_is_not_computed_again_until_something_was_written(tmp_path: Path) -> None:
    """The second training goes on: then its filters are those of the first, in another order."""
    pictures = cut(canvases(8))

    def write_step(name: str, step: int, tiles: Tiles) -> None:
        events = layer_events(step, 1000.0 + step, statistics=(), shape=tiles.shape, tiles=tiles)
        write_events(tmp_path / name / "filters", events)

    write_step("one", 0, pictures)
    write_step("other", 0, pictures[::-1])
    with tab(tmp_path, "python-loader") as served:
        first = match(served, "one", "other")
        kept = dict(served.plugin.matcher._matrices)
        assert len(kept) == 3  # of the two with each other, and of each with itself
        assert match(served, "one", "other") == first
        assert all(served.plugin.matcher._matrices[key] is matrix for key, matrix in kept.items())
        served.get("similar", run="one/filters", layer="conv2d_1", filter=3)
        assert served.plugin.matcher._matrices.keys() == kept.keys()
        write_step("other", 1, np.roll(pictures, 3, axis=0))
        served.plugin._provider._multiplexer.Reload()
        second = match(served, "one", "other")
    assert paired(first) == {place: 7 - place for place in range(8)}
    assert paired(second) == {place: (place + 3) % 8 for place in range(8)}


def test_without_scipy_a_sentence_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiles(tmp_path / "one", cut(canvases(3))[None])
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(SeriesError, match="pip install scipy"):
        best_pairs(np.eye(3, dtype=np.float32))
    with tab(tmp_path, "python-loader") as served:
        where = {"run": "one/filters", "layer": "conv2d_1"}
        answer = served.answer("match", **where, run2="one/filters", layer2="conv2d_1")
        assert answer.status_code == 400
        assert answer.text.endswith("Pairing filters takes SciPy, which is not installed here: pip install scipy")
        assert served.get("similar", **where, filter=1)["similar"]  # takes none


ONE, OTHER = {"run": "filters", "layer": "conv2d_1"}, {"run2": "filters", "layer2": "conv2d_1"}


@pytest.mark.parametrize(
    ("route", "query", "status", "said"),
    [
        ("match", ONE, 400, "`run2` is missing"),
        ("match", {**ONE, "run2": "filters"}, 400, "`layer2` is missing"),
        ("match", {**ONE, **OTHER, "layer2": "no"}, 404, "has no layer 'no'. Its layers: conv2d_1."),
        ("match", {**ONE, **OTHER, "run": "no"}, 404, "run 'no' has no layer"),
        ("match", {**ONE, **OTHER, "step": "x"}, 400, "`step` must be a whole number"),
        ("match", {**ONE, **OTHER, "step2": 7}, 404, "nothing was logged at step 7"),
        ("similar", ONE, 400, "`filter` is missing"),
        ("similar", {**ONE, "filter": 6}, 404, "has no picture of filter 6."),
        ("similar", {**ONE, "filter": "x"}, 400, "`filter` must be a whole number"),
        ("similar", {**ONE, "filter": 1, "step": -1}, 404, "nothing was logged at step -1"),
    ],
)
def test_wrong_questions_get_a_sentence(small: Tab, route: str, query: dict[str, Any], status: int, said: str) -> None:
    answer = small.answer(route, **query)
    assert answer.status_code == status
    assert said in answer.text
    assert small.answer(route, "POST").status_code == 405
