import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz.errors import SeriesError
from tb_filterviz.plugin.catalog import describe, layers
from tb_filterviz.records import encode_metadata, stats_tag, tile_parts, tiles_tag
from tests.plugin.serving import snapshot

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
TRUE_METADATA = json.loads(encode_metadata(snapshot(0), kind="tiles", shape=(6, 5, 5, 1), part=slice(0, 6)))


def listed(content: bytes, step: int = 3) -> Any:
    return SimpleNamespace(plugin_content=content, max_step=step, max_wall_time=float(step))


def series_of(shape: tuple[int, int, int, int], layer: str = "conv2d_1", position: int = 0) -> dict[str, Any]:
    taken = snapshot(0, layer, shape, position=position)
    tags = {}
    for number, part in enumerate(tile_parts(taken.tiles)):
        content = encode_metadata(taken, kind="tiles", shape=taken.tiles[part].shape, part=part)
        tags[tiles_tag(layer, number)] = listed(content)
    tags[stats_tag(layer)] = listed(encode_metadata(taken, kind="stats", shape=taken.stats().shape))
    return tags


def test_layers_are_put_together_from_their_parts_in_the_models_order() -> None:
    tags = {**series_of((90, 48, 48, 3), "z/a", 1), **series_of((6, 5, 5, 1), "y", 0)}
    found, problems = layers(tags)
    assert problems == []
    assert [layer.id for layer in found] == ["y", "z/a"]
    assert [part.about.first_filter for part in found[1].parts] == [0, 18, 36, 54, 72]
    assert found[1].stats is not None
    assert found[1].to_json()["tile"] == [48, 48, 3]


def test_a_layer_whose_parts_have_not_all_arrived_is_named_not_shown() -> None:
    tags = series_of((90, 48, 48, 3))
    del tags["filterviz/conv2d_1/tiles_4"]
    found, problems = layers(tags)
    assert found == []
    assert problems == ["filterviz/conv2d_1: it holds 72 of 90 filters so far"]
    del tags["filterviz/conv2d_1/tiles_2"]
    assert layers(tags)[1] == ["filterviz/conv2d_1: its tiles do not go on after filter 35"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"version": 2}, "not of this version"),
        ({"kind": "pictures"}, "`kind` must be tiles or stats"),
        ({"shape": [6, 5, 5]}, "`shape` must be a list of 4 sizes"),
        ({"shape": [6, 5, 5, 2]}, "1 or 3 channels"),
        ({"shape": [6, 5, 5, -1]}, "`size` must be a whole number"),
        ({"shape": [60000, 60000, 60000, 3]}, "too large"),
        ({"filters": 10**12}, "`filters` must be a whole number from 1 to 65536"),
        ({"filters": True}, "`filters` must be a whole number"),
        ({"layer": ["a"]}, "`layer` must be a string"),
        ({"layer": "a" * 2000}, "`layer` must be a string of at most 1000"),
        ({"first_filter": "x"}, "`first_filter` must be"),
        ({"kind": "stats", "shape": [2, 6], "rows": ["a"]}, "`rows` must be 2 names"),
        ({"kind": "stats", "shape": [1, 6], "rows": ["<b>"]}, "`rows` must be 1 names"),
        ({"kind": "stats", "shape": [1, 5], "rows": ["score"]}, "its shape says 5 filters, `filters` says 6"),
    ],
)
def test_wrong_metadata_is_refused_with_a_sentence(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(SeriesError, match=message):
        describe(json.dumps({**TRUE_METADATA, **changed}).encode())
    found, problems = layers({"filterviz/a/tiles": listed(json.dumps({**TRUE_METADATA, **changed}).encode())})
    assert found == []
    assert len(problems) == 1


def test_half_a_character_in_a_name_does_not_reach_an_answer() -> None:
    content = json.dumps({**TRUE_METADATA, "layer": "a\ud800"}).encode()
    assert describe(content).layer == "a?"


@given(content=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_garbage_metadata_raises_nothing_but_our_own_error(content: bytes) -> None:
    with pytest.raises(SeriesError):
        describe(content)


def test_metadata_nested_too_deeply_is_refused() -> None:
    with pytest.raises(SeriesError):
        describe(b"[" * 100_000 + b"]" * 100_000)


@given(changed=st.dictionaries(st.sampled_from(sorted(TRUE_METADATA)) | st.just("rows"), JSON, min_size=1, max_size=4))
def test_damaged_metadata_is_described_or_refused(changed: dict[str, Any]) -> None:
    try:
        about = describe(json.dumps({**TRUE_METADATA, **changed}).encode())
    except SeriesError:
        return
    assert about.kind in ("tiles", "stats")
    assert all(1 <= size <= 1 << 16 for size in about.shape)


TAGS = st.text() | st.from_regex(r"filterviz/.*/(tiles|tiles_1|stats)")
CONTENTS = st.binary() | st.just(json.dumps(TRUE_METADATA).encode())


@given(tags=st.dictionaries(TAGS, CONTENTS, max_size=5))
def test_garbage_tags_are_layers_or_problems(tags: dict[str, bytes]) -> None:
    found, problems = layers({tag: listed(content) for tag, content in tags.items()})
    json.dumps([layer.to_json() for layer in found])
    assert len(found) + len(problems) <= 2 * len(tags)
    assert found or problems or not tags
