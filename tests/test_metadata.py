import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tb_filterviz import Statistic, metadata
from tb_filterviz.parts.statistics import STANDARD
from tests.snapshots import snapshot

TILES = np.zeros((5, 8, 6, 3), np.uint8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)


@given(st.text())
def test_tags_hold_nothing_that_readers_trip_over(name: str) -> None:
    tag = metadata.image_tag(name)
    assert not set(tag) & {'"', "\\", "\n", "\x00", "\x7f"}
    assert len(tag) == len("filters/") + len(name)


@given(count=st.integers(1, 600), side=st.integers(1, 64), channels=st.sampled_from([1, 3]))
def test_tile_parts_cover_every_filter_once_and_stay_small(count: int, side: int, channels: int) -> None:
    tiles = np.zeros((count, side, side, channels), np.uint8)
    parts = metadata.tile_parts(tiles)
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(count))
    for part in parts:
        assert tiles[part].nbytes <= metadata.TILES_BYTES_PER_TAG or part.stop - part.start == 1


@given(st.binary(max_size=60))
def test_foreign_metadata_is_refused_with_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  JSON's own errors are ValueErrors, too
        metadata.decode_metadata(content)


def test_metadata_says_which_filters_tiles_are_of() -> None:
    taken = snapshot(TILES, 3, "block/conv", position=2, unit="batch")
    assert metadata.decode_metadata(metadata.encode_tiles(taken, (5, 8, 6, 3), slice(0, 5))) == {
        "version": 2,
        "kind": "tiles",
        "layer": "block/conv",
        "position": 2,
        "unit": "batch",
        "filters": 5,
        "objective": "channel_mean",
        "objective_label": "channel mean",
        "description": "the mean of each filter's response over the image",
        "receptive_field": False,
        "channels": "RGB",
        "shape": [5, 8, 6, 3],
        "first_filter": 0,
    }


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60, unique=True), st.integers(1, 60))
def test_indices_are_said_where_they_do_not_follow_from_the_place(indices: list[int], size: int) -> None:
    taken = snapshot(np.zeros((len(indices), 1, 1, 1), np.uint8), filters=indices)
    found: list[int] = []
    for first in range(0, len(indices), size):
        part = slice(first, min(first + size, len(indices)))
        decoded = metadata.decode_metadata(metadata.encode_tiles(taken, (part.stop - first, 1, 1, 1), part))
        assert decoded["first_filter"] == first
        found += decoded.get("indices", range(first, part.stop))
    assert found == indices


def test_indices_are_not_said_of_a_whole_layer() -> None:
    taken = snapshot(TILES)
    parts = [slice(0, 3), slice(3, 5)]
    decoded = [metadata.decode_metadata(metadata.encode_tiles(taken, (2, 8, 6, 3), part)) for part in parts]
    assert [each.get("indices") for each in decoded] == [None, None]


def test_metadata_of_a_layer_is_the_same_at_every_step() -> None:
    first, later = (snapshot(TILES + step, step, is_first=not step, score=np.full(5, step)) for step in (0, 7))
    part = slice(0, 5)
    assert metadata.encode_tiles(first, TILES.shape, part) == metadata.encode_tiles(later, TILES.shape, part)
    for statistic in STANDARD:
        assert metadata.encode_statistic(first, statistic) == metadata.encode_statistic(later, statistic)


def test_metadata_says_what_a_statistic_is() -> None:
    darkness = Statistic(name="own_darkness", compute=np.mean, description="how dark", unit="share", sort="ascending")
    decoded = metadata.decode_metadata(metadata.encode_statistic(snapshot(TILES, layer="conv"), darkness))
    assert {name: decoded[name] for name in ("kind", "layer", "filters", "shape")} == {
        "kind": "statistic",
        "layer": "conv",
        "filters": 5,
        "shape": [5],
    }
    assert [decoded[name] for name in ("name", "label", "description")] == ["own_darkness", "own_darkness", "how dark"]
    assert [decoded[name] for name in ("value_unit", "sort")] == ["share", "ascending"]


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text())))
def test_a_recipe_comes_back_as_it_was(recipe: dict[str, Any]) -> None:
    decoded = metadata.decode_metadata(metadata.encode_recipe(recipe))
    assert decoded == {"version": 2, "kind": "recipe", "recipe": recipe}


@pytest.mark.parametrize("version", [1, 2])
def test_this_version_and_the_one_before_are_read(version: int) -> None:
    content = {"version": version, "kind": "tiles", "layer": "conv"}
    assert metadata.decode_metadata(json.dumps(content).encode()) == content


@pytest.mark.parametrize("version", [0, -1, True, False, None, 1.0, "1", [1]])
def test_what_has_no_version_is_no_metadata(version: Any) -> None:
    with pytest.raises(ValueError, match="Not metadata of filterviz. Received: b.*version"):
        metadata.decode_metadata(json.dumps({"version": version}).encode())


@pytest.mark.parametrize("version", [3, 2**70])
def test_metadata_of_a_later_version_says_who_can_read_it(version: int) -> None:
    said = f"Written by a newer tb_filterviz, in format {version}; this one reads up to 2."
    with pytest.raises(ValueError, match=said):
        metadata.decode_metadata(json.dumps({"version": version, "kind": "tiles"}).encode())


@given(JSON)
def test_whatever_json_there_is_has_a_known_version_or_is_refused(content: Any) -> None:
    try:
        assert metadata.decode_metadata(json.dumps(content).encode())["version"] in (1, 2)
    except ValueError:
        version = content.get("version") if isinstance(content, dict) else None
        assert isinstance(version, bool) or version not in (1, 2) or isinstance(version, float)


def test_metadata_that_is_nested_too_deeply_is_refused() -> None:
    for content in (b"[" * 100_000, b'{"a":' * 100_000):
        with pytest.raises(ValueError, match="nested too deeply"):
            metadata.decode_metadata(content)


@given(st.integers(1, 10**9 - 1))
@example(1)
@example(2)
@example(10)
def test_a_runs_number_and_name_say_the_same(number: int) -> None:
    assert metadata.run_number(metadata.run_name(number)) == number


@given(st.from_regex(r"filters(_\w*)?", fullmatch=True) | st.text())
@example("filters_")
@example("filters_0")
@example("filters_1")
@example("filters_02")
@example("filters_x")
@example("filters_-2")
@example("filters_2\n")
@example("filters_1\u0663")  # an Arabic three
@example("filters_2_2")
@example("Filters")
def test_names_that_are_no_runs_of_ours_have_no_number(name: str) -> None:
    number = metadata.run_number(name)
    assert number is None or metadata.run_name(number) == name


def test_every_tag_of_a_layer_is_another() -> None:
    tags = [metadata.image_tag("conv"), metadata.last_tag("conv")]
    tags += [metadata.tiles_tag("conv", part) for part in range(3)]
    for statistic in STANDARD:
        tags += [metadata.statistic_tag("conv", statistic.name), metadata.scalar_tag("conv", statistic.curve)]
    assert len(set(tags)) == len(tags) - 1  # the last tag is that of a curve
    assert metadata.last_tag("conv") in {metadata.scalar_tag("conv", each.curve) for each in STANDARD if each.has_curve}
