from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard import errors
from tensorboard.context import RequestContext
from tensorboard.data.provider import RunTagFilter

from tb_filterviz.errors import SeriesError
from tb_filterviz.reading.decoded import Place
from tb_filterviz.reading.store import Store
from tests.plugin.serving import LOADERS, layer_events, pixels, provider, write, write_events

ALL = (-(1 << 60), 1 << 60)
PLACE = Place(RequestContext(), "", "filters")
STANDARD = {"gain", "score", "responsive", "flat", "change", "change_since_start"}


@pytest.mark.parametrize("loader", LOADERS)
def test_large_layers_come_in_any_cut(loader: str, tmp_path: Path) -> None:
    shape = (40, 64, 64, 3)
    write(tmp_path, range(-1, 4), {"layer": "large", "shape": shape})
    truth = np.stack([pixels(step, "large", shape) for step in range(-1, 4)])
    with provider(tmp_path, loader) as data:
        store = Store(data, cache_bytes=truth[:, :10].nbytes * 2)
        layer = store.layer(PLACE, "large")
        assert len(layer.parts) == 4
        latest = store.tiles(PLACE, layer, range(40), steps=None, largest_px=64)
        assert latest.steps.tolist() == [3]
        assert np.array_equal(latest.values, truth[-1:])
        assert store.cache.nbytes == 0
        every = store.tiles(PLACE, layer, range(40), steps=ALL, largest_px=64)
        assert np.array_equal(every.values, truth)
        assert 0 < store.cache.nbytes <= truth[:, :10].nbytes * 2
        some = store.tiles(PLACE, layer, range(7, 23), steps=(0, 1), largest_px=64)
        assert some.steps.tolist() == [0, 1]
        assert np.array_equal(some.values, truth[1:3, 7:23])
        small = store.tiles(PLACE, layer, range(7, 8), steps=(2, 2), largest_px=32)
        assert small.values.shape == (1, 1, 32, 32, 3)
        assert store.tiles(PLACE, layer, range(3), steps=(50, 60), largest_px=64).values.shape == (0, 3, 64, 64, 3)
        with pytest.raises(errors.NotFoundError, match="has no layer 'small'. Its layers: large"):
            store.layer(PLACE, "small")


class Watched:
    """A data provider that counts, and fails where it is told to."""

    def __init__(self, data: Any, broken: str = "", most: int = 1000) -> None:
        self.data = data
        self.broken = broken
        self.most = most
        self.reads: list[list[str]] = []

    def list_tensors(self, *given: Any, **named: Any) -> Any:
        return self.data.list_tensors(*given, **named)

    def read_tensors(self, *given: Any, run_tag_filter: RunTagFilter, **named: Any) -> Any:
        tags = sorted(run_tag_filter.tags)
        self.reads.append(tags)
        if self.broken and any(tag.endswith(self.broken) for tag in tags):
            raise ValueError("damaged")
        if len(tags) > self.most:
            raise RuntimeError("Received message larger than max")
        return self.data.read_tensors(*given, run_tag_filter=run_tag_filter, **named)


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Any]:
    write(tmp_path, range(5))
    with provider(tmp_path, "python-loader") as found:
        yield found


def test_a_series_is_read_once_however_many_ask_for_it(data: Any) -> None:
    store = Store(watched := Watched(data))
    layer = store.layer(PLACE, "conv2d_1")
    with ThreadPoolExecutor(8) as asking:
        read = list(asking.map(lambda _: store.series(PLACE, layer.parts[0]), range(8)))
    assert len(watched.reads) == 1
    assert all(one is read[0] for one in read)


def test_the_statistics_of_a_layer_are_read_in_one_call(data: Any) -> None:
    store = Store(watched := Watched(data))
    layer = store.layer(PLACE, "conv2d_1")
    for _ in range(3):
        assert set(store.statistics(PLACE, layer).by_name) == STANDARD
    assert len(watched.reads) == 1


def test_statistics_that_are_too_many_for_one_call_come_in_several(data: Any) -> None:
    store = Store(watched := Watched(data, most=2))
    assert set(store.statistics(PLACE, store.layer(PLACE, "conv2d_1")).by_name) == STANDARD
    assert [len(tags) for tags in watched.reads] == [6, 3, 1, 2, 3, 1, 2]


def test_a_damaged_statistic_does_not_keep_one_from_the_others(data: Any) -> None:
    store = Store(Watched(data, broken="/flat"))
    table = store.statistics(PLACE, store.layer(PLACE, "conv2d_1"))
    assert set(table.by_name) == STANDARD - {"flat"}
    assert table.steps.tolist() == [0, 1, 2, 3, 4]
    store = Store(Watched(data, most=0))
    with pytest.raises(SeriesError, match="TensorBoard cannot read filterviz/conv2d_1/statistics/.*larger than max"):
        store.statistics(PLACE, store.layer(PLACE, "conv2d_1"))


def test_a_layer_without_statistics_has_the_steps_of_its_tiles(tmp_path: Path) -> None:
    write_events(
        tmp_path / "filters", [event for step in range(3) for event in layer_events(step, step, statistics=())]
    )
    with provider(tmp_path, "python-loader") as found:
        store = Store(found)
        table = store.statistics(PLACE, store.layer(PLACE, "conv2d_1"))
    answer = table.to_json()
    assert {"steps": [0, 1, 2], "wall_times": [0.0, 1.0, 2.0], "statistics": {}}.items() <= answer.items()
    assert answer["formation"]["outcome"] == [None] * 6
