"""All layers at once: what they came to, and a few tiles of each."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tensorboard.context import RequestContext
from tensorboard.data.provider import RunTagFilter

from tb_filterviz.imaging.layout import shrink
from tb_filterviz.logs.event_files import filters_metadata, tensor_event
from tb_filterviz.metadata import encode_tiles, tiles_tag
from tb_filterviz.plugin.overview import overview_to_json
from tb_filterviz.plugin.samples import SAMPLED_BYTES
from tb_filterviz.reading.decoded import Place
from tb_filterviz.reading.store import Store
from tests.plugin import planted
from tests.plugin.described import STATISTIC, TILES, encoded
from tests.plugin.measured import write_measured
from tests.plugin.serving import (
    HOSTILE,
    LOADERS,
    Tab,
    layer_events,
    pixels,
    provider,
    snapshot,
    tab,
    write,
    write_events,
    write_raw,
    write_tiles,
)

PLACE = Place(RequestContext(), "", "filters")


@pytest.fixture(params=LOADERS)
def loader(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def expected(served: Tab, run: str, about: dict[str, Any]) -> dict[str, Any]:
    """What the statistics of a layer come to, counted filter by filter."""
    answer = served.get("statistics", run=run, layer=about["id"])
    steps, statistics, formation = answer["steps"], answer["statistics"], answer["formation"]

    def mean(row: list[float | None] | None) -> float | None:
        known = [value for value in row or [] if value is not None]
        return sum(known) / len(known) if known else None

    def last_count(name: str, value: float) -> int | None:
        rows = statistics.get(name)
        return None if rows is None or rows[-1] is None else rows[-1].count(value)

    responsive = statistics.get("responsive")
    outcomes = formation["outcome"]
    settled = [
        steps[0] if outcome == "unmoved" else since
        for outcome, since in zip(outcomes, formation["since"], strict=True)
        if outcome in ("settled", "unmoved")
    ]
    stuck = [since for outcome, since in zip(outcomes, formation["since"], strict=True) if outcome == "stuck"]
    by_half = [step for step in steps if 2 * sum(since <= step for since in settled) >= len(outcomes)]
    change = statistics.get("change", [None] * len(steps))
    return {
        "id": about["id"],
        "filters": about["filters"],
        "steps": steps,
        "change": [None, *(mean(row) for row in change[1:])],
        "responsive": responsive and [None if row is None else sum(value != 0 for value in row) for row in responsive],
        "half_settled": by_half[0] if by_half else None,
        "outcomes": {name: outcomes.count(name) for name in ("settled", "changing", "unmoved", "stuck")},
        "stuck_since": [[step, stuck.count(step)] for step in sorted(set(stuck))],
        "dead": last_count("excited", 0),
        "always_on": last_count("on", 1),
        "last_wall_time": about["last_wall_time"],
        "problem": None,
    }


def check(served: Tab) -> list[dict[str, Any]]:
    """Compare the overview of every run with the statistics of its layers; all of these, one after the other."""
    every = []
    for run in served.get("layers")["runs"]:
        layers = served.get("overview", run=run["run"])["layers"]
        assert [layer["id"] for layer in layers] == [about["id"] for about in run["layers"]]
        for layer, about in zip(layers, run["layers"], strict=True):
            truth = expected(served, run["run"], about)
            change, true_change = layer["change"], truth["change"]
            assert [value is None for value in change] == [value is None for value in true_change]
            assert np.allclose(np.array(change, float), np.array(true_change, float), rtol=1e-3, equal_nan=True)
            assert {**layer, "change": None} == {**truth, "change": None}
            every.append(layer)
    return every


def test_the_overview_is_what_the_statistics_say(loader: str, tmp_path: Path) -> None:
    write_tiles(tmp_path / "planted", planted.tiles(), stuck=planted.stuck())
    write(tmp_path / "chosen", range(-1, 7), {"indices": [40, 41, 7, 3, 2, 1]}, {"layer": "b", "position": 1})
    write(tmp_path / "chosen", range(7, 9), {"indices": [40, 41, 7, 3, 2, 1]}, {"layer": "b", "position": 1})
    write(tmp_path / "short", [3], *({"layer": name, "position": at} for at, name in enumerate(HOSTILE)))
    write_measured(tmp_path / "measured")
    with tab(tmp_path, loader) as served:
        assert len(check(served)) == 1 + 2 + len(HOSTILE) + 1


def test_planted_filters_are_counted(loader: str, tmp_path: Path) -> None:
    write_tiles(tmp_path, planted.tiles(), stuck=planted.stuck())
    with tab(tmp_path, loader) as served:
        (layer,) = served.get("overview", run="filters")["layers"]
    assert layer["outcomes"] == {"settled": 3, "changing": 2, "unmoved": 1, "stuck": 2}
    assert layer["stuck_since"] == [[-1, 1], [3, 1]]
    assert layer["half_settled"] == 8  # unmoved from the start, and settled at 2, 5 and 8: four of eight
    assert layer["change"][0] is None
    assert layer["responsive"] == [int(row.sum()) for row in ~planted.stuck()]
    assert (layer["dead"], layer["always_on"]) == (None, None)


def test_dead_filters_are_counted_where_examples_tell(loader: str, tmp_path: Path) -> None:
    memory = write_measured(tmp_path)
    last = memory.snapshots[-1].responses
    assert last is not None
    with tab(tmp_path, loader) as served:
        (layer,) = served.get("overview", run="filters")["layers"]
    assert layer["dead"] == int((last.excited == 0).sum()) > 0
    assert layer["always_on"] == int((last.on == 1).sum())


def test_a_log_of_format_1_has_an_overview(loader: str, root: Path) -> None:
    with tab(root / "tests" / "data" / "format_1", loader) as served:
        assert len(check(served)) == 2


@pytest.mark.parametrize("names", [("responsive",), ("change",), ("score", "flat"), ("change", "change_since_start")])
def test_what_was_not_logged_is_left_out(loader: str, tmp_path: Path, names: tuple[str, ...]) -> None:
    events = [event for step in range(-1, 6) for event in layer_events(step, 1000.0 + step, statistics=names)]
    write_events(tmp_path / "filters", events)
    with tab(tmp_path, loader) as served:
        (layer,) = served.get("overview", run="filters")["layers"]
        (about,) = served.get("layers")["runs"][0]["layers"]
        truth = expected(served, "filters", about)
    if "score" in names:  # nothing that the overview is made of
        assert layer["steps"] == layer["change"] == []
        assert layer["half_settled"] is None
        assert layer["outcomes"] == dict.fromkeys(("settled", "changing", "unmoved", "stuck"), 0)
    else:
        assert {**layer, "change": None} == {**truth, "change": None}
        assert [value is None for value in layer["change"]] == [value is None for value in truth["change"]]
    assert (layer["responsive"] is None) == ("responsive" not in names)
    assert layer["problem"] is None


def test_changes_that_are_not_finite_leave_the_mean_of_the_others(loader: str, tmp_path: Path) -> None:
    changes = np.array([[9, 9, 9, 9, 9, 9], [np.nan, 0.2, 0.4, np.inf, -np.inf, 0.6], [np.nan] * 6], np.float32)
    events = [
        event
        for step in range(3)
        for event in layer_events(step, 1000.0 + step, statistics=("change",), more={"change": changes[step]})
    ]
    write_events(tmp_path / "filters", events)
    with tab(tmp_path, loader) as served:
        (layer,) = served.get("overview", run="filters")["layers"]
    assert layer["change"] == [None, pytest.approx(0.4), None]


def test_a_layer_that_cannot_be_read_costs_no_other(loader: str, tmp_path: Path) -> None:
    write(tmp_path, range(4), *({"layer": f"conv_{at}", "position": at} for at in range(9)))
    odd = {**STATISTIC, "layer": "odd", "position": 3, "name": "change"}
    write_raw(
        tmp_path / "filters",
        {
            "filterviz/odd/tiles": (
                encoded({**TILES, "layer": "odd", "position": 3}),
                np.zeros((6, 5, 5, 1), np.uint8),
            ),
            "filterviz/odd/statistics/change": (encoded(odd), np.zeros(7, np.float32)),
        },
    )
    with tab(tmp_path, loader) as served:
        layers = {layer["id"]: layer for layer in served.get("overview", run="filters")["layers"]}
        assert list(layers) == [*(f"conv_{at}" for at in range(4)), "odd", *(f"conv_{at}" for at in range(4, 9))]
        odd_one = layers.pop("odd")
        assert "holds nothing of the type and shape that its metadata says" in odd_one["problem"]
        assert (odd_one["steps"], odd_one["filters"], odd_one["half_settled"]) == ([], 6, None)
        abouts = {about["id"]: about for about in served.get("layers")["runs"][0]["layers"]}
        for name, layer in layers.items():
            assert {**layer, "change": None} == {**expected(served, "filters", abouts[name]), "change": None}


class Narrow:
    """A data provider that answers for so many series at once, and cannot read one of them."""

    def __init__(self, data: Any, most: int, broken: str = "") -> None:
        self._data, self._most, self._broken = data, most, broken
        self.reads: list[int] = []

    def list_tensors(self, *given: Any, **named: Any) -> Any:
        return self._data.list_tensors(*given, **named)

    def read_tensors(self, *given: Any, run_tag_filter: RunTagFilter, **named: Any) -> Any:
        tags = sorted(run_tag_filter.tags)
        self.reads.append(len(tags))
        if len(tags) > self._most or self._broken in tags:
            raise RuntimeError("Received message larger than max")
        return self._data.read_tensors(*given, run_tag_filter=run_tag_filter, **named)


@pytest.fixture
def many_layers(tmp_path: Path) -> Iterator[Any]:
    write(tmp_path, range(-1, 5), *({"layer": f"conv_{at}", "position": at} for at in range(20)))
    with provider(tmp_path, "python-loader") as data:
        yield data


def test_all_layers_are_read_at_once_and_once(many_layers: Any) -> None:
    store = Store(watched := Narrow(many_layers, 1000))
    first = overview_to_json(store, PLACE)
    assert len(watched.reads) == 1
    assert overview_to_json(store, PLACE) == first
    assert len(watched.reads) == 1


def test_what_is_too_large_for_one_answer_is_read_in_several(many_layers: Any) -> None:
    truth = overview_to_json(Store(many_layers), PLACE)
    assert overview_to_json(Store(watched := Narrow(many_layers, 7)), PLACE) == truth
    assert len(watched.reads) > 8
    broken = "filterviz/conv_4/statistics/change"
    layers = overview_to_json(Store(Narrow(many_layers, 1000, broken)), PLACE)["layers"]
    assert [layer["id"] for layer in layers if layer["problem"]] == ["conv_4"]
    assert layers[4]["responsive"] == truth["layers"][4]["responsive"]
    assert layers[4]["change"] == [None] * 6
    assert layers[:4] + layers[5:] == truth["layers"][:4] + truth["layers"][5:]


Samples = dict[str, tuple[int, list[int], npt.NDArray[np.uint8]]]


def samples(served: Tab, **query: Any) -> Samples:
    """By layer: the step, the filters' numbers, their tiles."""
    answer = served.answer("samples", **query)
    assert answer.status_code == 200, answer.text
    assert answer.mimetype == "application/octet-stream"
    (length,) = struct.unpack("<I", answer.data[:4])
    header, rest, found = json.loads(answer.data[4 : 4 + length]), answer.data[4 + length :], {}
    for layer in header["layers"]:
        size = int(np.prod(layer["shape"]))
        tiles = np.frombuffer(rest[:size], np.uint8).reshape(layer["shape"])
        found[layer["id"]] = layer["step"], layer["filters"], tiles
        rest = rest[size:]
    assert rest == b""
    return found


def test_samples_are_tiles_of_the_last_step(loader: str, tmp_path: Path) -> None:
    shapes = {"small": (6, 5, 5, 1), "many": (100, 9, 7, 1), "large": (30, 64, 64, 3), "x" * 300: (3, 20, 20, 3)}
    layers = [{"layer": name, "shape": shape, "position": at} for at, (name, shape) in enumerate(shapes.items())]
    write(tmp_path, range(-1, 4), *layers)
    with tab(tmp_path, loader) as served:
        abouts = served.get("layers")["runs"][0]["layers"]
        found = samples(served, run="filters")
        assert list(found) == [about["id"] for about in abouts]
        for about, shape in zip(abouts, shapes.values(), strict=True):
            step, filters, tiles = found[about["id"]]
            _, latest = served.tiles(run="filters", layer=about["id"], steps="latest", size=48)
            assert step == 3
            assert filters == sorted(set(filters))
            assert len(filters) == min(10, shape[0])
            assert np.array_equal(tiles, latest[0, filters])
            assert np.array_equal(tiles, shrink(pixels(3, about["name"], shape), 48)[filters])
        served.tiles(run="filters", layer="many")  # now in the cache
        again = samples(served, run="filters", count=3, size=5)
        assert [len(filters) for _, filters, _ in again.values()] == [3, 3, 3, 3]
        assert [tiles.shape[1:] for *_, tiles in again.values()] == [(5, 5, 1), (5, 4, 1), (5, 5, 3), (5, 5, 3)]
        _, filters, tiles = again["many"]
        assert np.array_equal(tiles, shrink(pixels(3, "many", (100, 9, 7, 1)), 5)[filters])


def test_samples_are_spread_over_all_filters(loader: str, tmp_path: Path) -> None:
    write(tmp_path, [0], {"layer": "one", "shape": (100, 5, 5, 1)}, {"layer": "parts", "shape": (48, 64, 64, 3)})
    with tab(tmp_path, loader) as served:
        abouts = {about["id"]: about for about in served.get("layers")["runs"][0]["layers"]}
        assert len(abouts["parts"]["parts"]) == 5
        found = samples(served, run="filters", count=12)
    for name, count in (("one", 100), ("parts", 48)):
        _, filters, _ = found[name]
        assert len(filters) == 12
        assert filters[0] < count / 8
        assert filters[-1] >= count * 7 / 8
        assert max(np.diff(filters)) <= 2 * count / 12


def test_samples_are_of_filters_that_respond_where_others_are_stuck(loader: str, tmp_path: Path) -> None:
    alive = {"many": range(20, 40), "few": (3, 17, 31), "none": ()}
    layers = [
        {
            "layer": name,
            "shape": (40, 5, 5, 1),
            "position": at,
            "indices": range(100, 140),
            "more": {"responsive": np.isin(np.arange(40), list(those))},
        }
        for at, (name, those) in enumerate(alive.items())
    ]
    write(tmp_path, range(2), *layers)
    with tab(tmp_path, loader) as served:
        found = samples(served, run="filters", count=8)
    for name, those in alive.items():
        _, filters, tiles = found[name]
        places = [filter_ - 100 for filter_ in filters]
        assert len(filters) == 8
        assert len(set(places) & set(those)) == min(8, len(those))
        assert np.array_equal(tiles, pixels(1, name, (40, 5, 5, 1))[places])


def test_of_a_huge_layer_few_parts_are_read(tmp_path: Path) -> None:
    huge = [{"layer": f"huge_{at}", "shape": (210, 64, 64, 3), "position": at} for at in range(12)]
    write(tmp_path, [0], *huge)
    with provider(tmp_path, "python-loader") as data:
        served = Tab(Narrow(data, 1000))
        assert len(served.get("layers")["runs"][0]["layers"][0]["parts"]) == 21
        watched: Any = served.plugin.store._provider
        watched.reads.clear()
        found = samples(served, run="filters", count=12)
        assert watched.reads[0] == 12  # whether they are responsive
        assert sum(watched.reads[1:]) * 10 * 64 * 64 * 3 <= SAMPLED_BYTES
        for at, (_, filters, tiles) in enumerate(found.values()):
            assert len(filters) == 12
            assert filters[-1] >= 150
            assert np.array_equal(tiles, shrink(pixels(0, f"huge_{at}", (210, 64, 64, 3)), 48)[filters])


def test_a_step_that_is_being_written_is_shown_as_far_as_it_goes(loader: str, tmp_path: Path) -> None:
    """One of two parts of a layer is at its next step already."""
    shape = (16, 64, 64, 3)
    write(tmp_path, range(2), {"layer": "large", "shape": shape, "more": {"responsive": np.ones(16)}})
    taken = snapshot(2, "large", shape)
    content = encode_tiles(taken, (10, *shape[1:]), slice(0, 10))
    event = tensor_event(2, tiles_tag("large", 0), taken.tiles[:10], filters_metadata(content))
    write_events(tmp_path / "filters", [event])
    with tab(tmp_path, loader) as served:
        assert served.get("layers")["runs"][0]["layers"][0]["parts"] == [0, 10]
        step, filters, tiles = samples(served, run="filters", count=8, size=64)["large"]
        assert (step, filters) == (2, [0, 2, 4, 6, 8])
        assert np.array_equal(tiles, taken.tiles[filters])
        similar = served.get("similar", run="filters", layer="large", filter=12)
        assert similar == served.get("similar", run="filters", layer="large", filter=12, step=1)
        assert similar != served.get("similar", run="filters", layer="large", filter=12, step=0)
        assert served.answer("similar", run="filters", layer="large", filter=12, step=2).status_code == 404


def test_a_layer_without_readable_tiles_has_no_samples(loader: str, tmp_path: Path) -> None:
    write(tmp_path, range(2), {"layer": "good"})
    content = encoded({**TILES, "layer": "bad", "position": 1})
    write_raw(tmp_path / "filters", {"filterviz/bad/tiles": (content, np.zeros((7, 5, 5, 1), np.uint8))})
    with tab(tmp_path, loader) as served:
        assert len(served.get("layers")["runs"][0]["layers"]) == 2
        assert list(samples(served, run="filters")) == ["good"]


@pytest.mark.parametrize(
    ("route", "query", "status", "said"),
    [
        ("overview", {}, 400, "`run` is missing"),
        ("samples", {}, 400, "`run` is missing"),
        ("overview", {"run": "other"}, 404, "run 'other' has no layers."),
        ("samples", {"run": "other"}, 404, "run 'other' has no layers."),
        ("samples", {"run": "filters", "count": 0}, 400, "`count` must be a whole number from 1 to 64"),
        ("samples", {"run": "filters", "count": 65}, 400, "Received: '65'"),
        ("samples", {"run": "filters", "size": "x"}, 400, "`size` must be a whole number"),
    ],
)
def test_wrong_questions_get_a_sentence(
    tmp_path: Path, route: str, query: dict[str, Any], status: int, said: str
) -> None:
    write(tmp_path, [0])
    with tab(tmp_path, "python-loader") as served:
        answer = served.answer(route, **query)
        assert answer.status_code == status
        assert said in answer.text
        assert served.answer(route, "POST", run="filters").status_code == 405
