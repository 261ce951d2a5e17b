import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz import records


@given(st.text())
def test_tags_hold_nothing_that_readers_trip_over(name: str) -> None:
    tag = records.image_tag(name)
    assert not set(tag) & {'"', "\\", "\n", "\x00", "\x7f"}
    assert len(tag) == len("filters/") + len(name)


@given(count=st.integers(1, 600), side=st.integers(1, 64), channels=st.sampled_from([1, 3]))
def test_tile_parts_cover_every_filter_once_and_stay_small(count: int, side: int, channels: int) -> None:
    tiles = np.zeros((count, side, side, channels), np.uint8)
    parts = records.tile_parts(tiles)
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(count))
    for part in parts:
        assert tiles[part].nbytes <= records.TILES_BYTES_PER_TAG or part.stop - part.start == 1


@given(st.binary(max_size=60))
def test_foreign_metadata_is_refused_with_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  JSON's own errors are ValueErrors, too
        records.decode_metadata(content)
