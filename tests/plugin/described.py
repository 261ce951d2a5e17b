"""Metadata as it is written, and as anybody may have written it instead."""

import json
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from hypothesis import strategies as st

from tb_filterviz.examples.stored import StoredExamples
from tb_filterviz.metadata import (
    encode_examples,
    encode_recipe,
    encode_statistic,
    encode_tiles,
    statistic_tag,
    tile_parts,
    tiles_tag,
)
from tb_filterviz.parts.statistics import STATISTICS
from tests.plugin.serving import recipe, snapshot

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
)
TILES = json.loads(encode_tiles(snapshot(0), (6, 5, 5, 1), slice(0, 6)))
STATISTIC = json.loads(encode_statistic(snapshot(0), STATISTICS["score"]))
PATCHES = {
    **{name: STATISTIC[name] for name in ("version", "layer", "position", "unit", "filters")},
    "kind": "patches",
    "shape": [6, 2, 4],
    "first_filter": 0,
    "read_at": "conv2d_1",
    "is_gated": True,
    "footprint": {"box": [1, 1, 3, 3], "unit": [2, 2], "strides": [1.0, 1.0]},
}
EXAMPLES = json.loads(
    encode_examples(
        StoredExamples(
            first=0,
            count=2,
            shape=(5, 5, 1),
            sides=(5, 5),
            media_type="image/png",
            pictures=(b"abc", b"de"),
            labels=(0, 1),
            class_names=("one", "two"),
            mapped=(0,),
        )
    )
)
RECIPE = json.loads(encode_recipe(recipe([snapshot(0)])))
FORMAT_1_STATS = {
    **{name: TILES[name] for name in ("layer", "position", "unit", "objective", "receptive_field", "channels")},
    "version": 1,
    "kind": "stats",
    "filters": 6,
    "shape": [2, 6],
    "rows": ["score", "responsive"],
}


def encoded(true: Mapping[str, Any], changed: Mapping[str, Any] | None = None) -> bytes:
    return json.dumps({**true, **(changed or {})}).encode()


def listed(content: bytes, step: int = 3) -> Any:
    """What a data provider says of a series."""
    return SimpleNamespace(plugin_content=content, max_step=step, max_wall_time=float(step))


def series_of(
    shape: tuple[int, int, int, int],
    layer: str = "conv2d_1",
    position: int = 0,
    indices: Sequence[int] | None = None,
    statistics: Sequence[str] = ("score", "change"),
) -> dict[str, Any]:
    """What a data provider says of the series of a layer."""
    taken = snapshot(0, layer, shape, position=position, indices=indices)
    tags = {}
    for number, part in enumerate(tile_parts(taken.tiles)):
        tags[tiles_tag(layer, number)] = listed(encode_tiles(taken, taken.tiles[part].shape, part))
    for name in statistics:
        tags[statistic_tag(layer, name)] = listed(encode_statistic(taken, STATISTICS[name]))
    return tags
