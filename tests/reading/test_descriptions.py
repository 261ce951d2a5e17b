import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz.errors import SeriesError
from tb_filterviz.reading.descriptions import (
    ExamplesDescription,
    KernelsDescription,
    ResponsesDescription,
    StatisticsDescription,
    TilesDescription,
    describe,
)
from tests.plugin.described import EXAMPLES, FORMAT_1_STATS, JSON, PATCHES, STATISTIC, TILES, encoded


def test_a_statistic_says_what_the_tab_needs() -> None:
    about = describe(encoded(STATISTIC))
    assert isinstance(about, StatisticsDescription)
    (statistic,) = about.statistics
    assert statistic.to_json() == {
        "name": "score",
        "label": "score",
        "description": "the objective's value on the finished picture",
        "unit": "number",
        "sort": "descending",
    }
    odd = describe(encoded(STATISTIC, {"value_unit": "furlong", "sort": ["up"], "label": "", "description": ""}))
    assert isinstance(odd, StatisticsDescription)
    assert odd.statistics[0].to_json() == {
        "name": "score",
        "label": "score",
        "description": "",
        "unit": "number",
        "sort": None,
    }


def test_format_1_is_told_what_it_did_not_say() -> None:
    stats = describe(encoded(FORMAT_1_STATS, {"rows": ["change", "home_made"]}))
    assert isinstance(stats, StatisticsDescription)
    assert [(one.name, one.label, one.unit) for one in stats.statistics] == [
        ("change", "change", "share"),
        ("home_made", "home_made", "number"),
    ]
    old = {name: value for name, value in TILES.items() if name not in ("objective_label", "description")}
    tiles = describe(encoded(old, {"version": 1}))
    assert isinstance(tiles, TilesDescription)
    assert (tiles.objective_label, tiles.description) == (
        "channel mean",
        "the mean of each filter's response over the image",
    )
    unknown = describe(encoded(old, {"version": 1, "objective": "mine"}))
    assert isinstance(unknown, TilesDescription)
    assert (unknown.objective_label, unknown.description) == ("mine", "mine")


@pytest.mark.parametrize(
    ("true", "changed", "message"),
    [
        (TILES, {"version": 3}, "written by a newer tb_filterviz, in format 3; this one reads up to 2"),
        (TILES, {"version": 0}, "not metadata of filterviz"),
        (TILES, {"version": True}, "not metadata of filterviz"),
        (TILES, {"kind": "pictures"}, "`kind` must be one of tiles, statistic, stats"),
        (TILES, {"kind": ["tiles"]}, "`kind` must be one of tiles, statistic, stats"),
        (TILES, {"shape": [6, 5, 5]}, "`shape` must be a list of 4 sizes"),
        (TILES, {"shape": [6, 5, 5, 2]}, "1 or 3 channels"),
        (TILES, {"shape": [6, 5, 5, -1]}, "`size` must be a whole number"),
        (TILES, {"shape": [60000, 60000, 60000, 3]}, "too large"),
        (TILES, {"filters": 10**12}, "`filters` must be a whole number from 1 to 65536"),
        (TILES, {"filters": True}, "`filters` must be a whole number"),
        (TILES, {"layer": ["a"]}, "`layer` must be a string"),
        (TILES, {"layer": "a" * 2000}, "`layer` must be a string of at most 1000"),
        (TILES, {"description": {}}, "`description` must be a string"),
        (TILES, {"first_filter": "x"}, "`first_filter` must be"),
        (TILES, {"indices": [1, 2]}, "`indices` must be a list of 6 numbers"),
        (TILES, {"indices": [0, 1, 2, 3, 4, -5]}, "`index` must be a whole number from 0"),
        (STATISTIC, {"shape": [5]}, "its shape says 5 filters, `filters` says 6"),
        (STATISTIC, {"shape": [1, 6]}, "`shape` must be a list of 1 sizes"),
        (STATISTIC, {"name": "<b>"}, "`name` must be lower case letters"),
        (STATISTIC, {"name": None}, "`name` must be lower case letters"),
        (STATISTIC, {"label": 5}, "`label` must be a string"),
        (PATCHES, {"shape": [6, 2, 3]}, "patches have 4 numbers each. Received: 3"),
        (PATCHES, {"footprint": None}, "`footprint` must say which pixels"),
        (PATCHES, {"footprint": {"box": [1, 2, 3]}}, "`box` must be a list of 4 numbers"),
        (PATCHES, {"footprint": {"box": [1, 2, 3, float("inf")]}}, "`box` must be a list of 4 numbers"),
        (EXAMPLES, {"sizes": [3, 3]}, "`shape` must be the sum of `sizes`"),
        (EXAMPLES, {"sizes": [], "shape": [0]}, "`shape` must be the sum of `sizes`"),
        (EXAMPLES, {"media_type": "text/html"}, "`media_type` must be one of image/png, image/jpeg"),
        (EXAMPLES, {"labels": [1]}, "`labels` must be one for each of 2 pictures"),
        (EXAMPLES, {"class_names": [1]}, "`class_names` must be a list of names"),
        (FORMAT_1_STATS, {"rows": ["a"]}, "`rows` must be 2 different names"),
        (FORMAT_1_STATS, {"rows": ["a", "a"]}, "`rows` must be 2 different names"),
        (FORMAT_1_STATS, {"rows": ["<b>", "a"]}, "a name in `rows` must be lower case letters"),
        (FORMAT_1_STATS, {"shape": [2, 5]}, "its shape says 5 filters, `filters` says 6"),
    ],
)
def test_wrong_metadata_is_refused_with_a_sentence(true: dict[str, Any], changed: dict[str, Any], message: str) -> None:
    with pytest.raises(SeriesError, match=message):
        describe(encoded(true, changed))


def test_half_a_character_in_a_name_does_not_reach_an_answer() -> None:
    about = describe(encoded(TILES, {"layer": "a\ud800"}))
    assert isinstance(about, TilesDescription)
    assert about.layer == "a?"


@given(content=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_garbage_raises_nothing_but_our_own_error(content: bytes) -> None:
    with pytest.raises(SeriesError):
        describe(content)


def test_numbers_and_nesting_that_python_does_not_take_are_refused() -> None:
    for content in (b"[" * 100_000 + b"]" * 100_000, b'{"version": 1' + b"1" * 5000 + b"}", b"\xff\x00{"):
        with pytest.raises(SeriesError):
            describe(content)


@given(
    true=st.sampled_from([TILES, STATISTIC, FORMAT_1_STATS, PATCHES, EXAMPLES]),
    changed=st.dictionaries(
        st.sampled_from(sorted({*TILES, *STATISTIC, *FORMAT_1_STATS, *PATCHES, *EXAMPLES})) | st.just("indices"),
        JSON,
        min_size=1,
        max_size=4,
    ),
)
def test_damaged_metadata_is_described_or_refused(true: dict[str, Any], changed: dict[str, Any]) -> None:
    try:
        about = describe(encoded(true, changed))
    except SeriesError:
        return
    if isinstance(about, ExamplesDescription):
        assert about.shape == (sum(about.sizes),)
        assert len(about.labels) in (0, len(about.sizes))
        return
    assert all(1 <= size <= 1 << 16 for size in about.shape)
    if isinstance(about, TilesDescription):
        assert len(about.indices) == about.shape[0]
    elif isinstance(about, ResponsesDescription | KernelsDescription):
        assert about.first_filter >= 0
    else:
        json.dumps([one.to_json() for one in about.statistics], allow_nan=False)
