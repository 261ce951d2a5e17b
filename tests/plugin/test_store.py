from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tensorboard import errors
from tensorboard.context import RequestContext

from tb_filterviz.errors import SeriesError
from tb_filterviz.imaging import layout
from tb_filterviz.plugin.catalog import Series, describe
from tb_filterviz.plugin.store import Cache, Decoded, Place, Store, decode, shrink
from tb_filterviz.records import encode_metadata
from tests.plugin.serving import LOADERS, pixels, provider, snapshot, write

ABOUT = describe(encode_metadata(snapshot(0), kind="tiles", shape=(6, 5, 5, 1), part=slice(0, 6)))
SERIES = Series(tag="filterviz/conv2d_1/tiles", about=ABOUT, last_step=2, last_wall_time=2.0)
ALL = (-(1 << 60), 1 << 60)


def datum(step: int, value: Any) -> Any:
    return SimpleNamespace(step=step, wall_time=float(step), numpy=value)


def tiles(value: int) -> Any:
    return np.full((6, 5, 5, 1), value, np.uint8)


def test_a_restart_replaces_what_it_writes_again() -> None:
    decoded = decode([datum(step, tiles(step)) for step in (0, 1, 2, 3, 1, 2)], SERIES)
    assert decoded.steps.tolist() == [0, 1, 2]
    assert decoded.values[:, 0, 0, 0, 0].tolist() == [0, 1, 2]


VALUES = st.builds(
    lambda dtype, shape: np.zeros(shape, dtype),
    st.sampled_from(["u1", "f4", "i8", "?", "O", "S3"]),
    st.sampled_from([(6, 5, 5, 1), (6, 5, 5), (0,), (), (5, 6)]),
)


@given(data=st.lists(st.tuples(st.integers(-5, 5), VALUES | st.none() | st.text()), max_size=8))
def test_values_of_another_type_or_shape_are_passed_over(data: list[tuple[int, Any]]) -> None:
    try:
        decoded = decode([datum(step, value) for step, value in data], SERIES)
    except SeriesError:
        assert not any(
            isinstance(value, np.ndarray) and value.dtype == np.uint8 and value.shape == (6, 5, 5, 1)
            for _, value in data
        )
        return
    assert (np.diff(decoded.steps) > 0).all()
    assert decoded.values.shape == (len(decoded.steps), 6, 5, 5, 1)


@settings(max_examples=30)
@given(height=st.integers(1, 40), width=st.integers(1, 40), largest=st.integers(1, 45))
def test_shrinking_is_that_of_the_writer(height: int, width: int, largest: int) -> None:
    full = np.random.default_rng(0).integers(0, 256, (2, 3, height, width, 1)).astype(np.uint8)
    small = shrink(full, largest)
    for got, before in zip(small, full, strict=True):
        assert np.abs(got.astype(int) - layout.shrink(before, largest).astype(int)).max(initial=0) <= 1


def test_the_cache_is_bounded_and_forgets_what_has_grown() -> None:
    def decoded(size: int) -> Decoded:
        return Decoded(np.arange(1), np.arange(1.0), np.zeros((1, size), np.uint8))

    def named(tag: str, last_step: int = 0) -> Series:
        return Series(tag=tag, about=ABOUT, last_step=last_step, last_wall_time=0.0)

    cache, place = Cache(100), Place(None, "", "run")
    cache.put(place, named("a"), decoded(60))
    cache.put(place, named("b"), decoded(30))
    assert cache.get(place, named("a")) is not None
    cache.put(place, named("c"), decoded(20))
    assert cache.get(place, named("b")) is None  # least recently used
    assert cache.get(place, named("a")) is not None
    assert cache.get(place, named("a", last_step=1)) is None
    assert cache.get(Place(None, "", "other"), named("a")) is None
    cache.put(place, named("d"), decoded(101))
    assert cache.get(place, named("d")) is None
    assert cache.nbytes <= 100


@pytest.mark.parametrize("loader", LOADERS)
def test_large_layers_come_in_any_cut(loader: str, tmp_path: Path) -> None:
    shape = (40, 64, 64, 3)
    write(tmp_path, range(-1, 4), {"layer": "large", "shape": shape})
    truth = np.stack([pixels(step, "large", shape) for step in range(-1, 4)])
    with provider(tmp_path, loader) as data:
        store = Store(data, cache_bytes=truth[:, :10].nbytes * 2)
        place = Place(RequestContext(), "", "filters")
        layer = store.layer(place, "large")
        assert len(layer.parts) == 4
        latest = store.tiles(place, layer, range(40), steps=None, largest_px=64)
        assert latest.steps.tolist() == [3]
        assert np.array_equal(latest.values, truth[-1:])
        assert store.cache.nbytes == 0
        every = store.tiles(place, layer, range(40), steps=ALL, largest_px=64)
        assert np.array_equal(every.values, truth)
        assert 0 < store.cache.nbytes <= truth[:, :10].nbytes * 2
        some = store.tiles(place, layer, range(7, 23), steps=(0, 1), largest_px=64)
        assert some.steps.tolist() == [0, 1]
        assert np.array_equal(some.values, truth[1:3, 7:23])
        small = store.tiles(place, layer, range(7, 8), steps=(2, 2), largest_px=32)
        assert small.values.shape == (1, 1, 32, 32, 3)
        assert store.tiles(place, layer, range(3), steps=(50, 60), largest_px=64).values.shape == (0, 3, 64, 64, 3)
        with pytest.raises(errors.NotFoundError, match="has no layer 'small'. Its layers: large"):
            store.layer(place, "small")


def test_a_series_is_read_once_however_many_ask_for_it(tmp_path: Path) -> None:
    write(tmp_path, range(5))
    with provider(tmp_path, "python-loader") as data:

        class Counting:
            reads = 0

            def list_tensors(self, *given: Any, **named: Any) -> Any:
                return data.list_tensors(*given, **named)

            def read_tensors(self, *given: Any, **named: Any) -> Any:
                Counting.reads += 1
                return data.read_tensors(*given, **named)

        store, place = Store(Counting()), Place(RequestContext(), "", "filters")
        layer = store.layer(place, "conv2d_1")
        with ThreadPoolExecutor(8) as asking:
            read = list(asking.map(lambda _: store.series(place, layer.parts[0]), range(8)))
        assert Counting.reads == 1
        assert all(one is read[0] for one in read)
