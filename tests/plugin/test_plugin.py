"""The routes, asked through TensorBoard's own application, on both of its loaders."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tb_filterviz import MemorySink
from tb_filterviz.records import STATS_ROWS, encode_metadata
from tb_filterviz.session import Session
from tb_filterviz.sinks.events import EventSink
from tests.plugin.serving import HOSTILE, LOADERS, Tab, pixels, scalars, snapshot, tab, write, write_raw

FULL = (6, 5, 5, 1)


@pytest.fixture(params=LOADERS)
def loader(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_session_comes_back_bit_by_bit(loader: str, tmp_path: Path, small_model: keras.Model) -> None:
    session, memory = Session(small_model), MemorySink()
    events = EventSink(str(tmp_path))
    for step in (-1, 0, 1):
        session.log(step, [events, memory])
        small_model.set_weights([weights * 1.1 for weights in small_model.get_weights()])
    with tab(tmp_path, loader) as served:
        (run,) = served.get("layers")["runs"]
        assert (run["run"], run["problems"]) == ("filters", [])
        assert [layer["name"] for layer in run["layers"]] == ["conv_a", "conv_b"]
        for layer in run["layers"]:
            kept = [taken for taken in memory.snapshots if taken.layer == layer["name"]]
            header, tiles = served.tiles(run="filters", layer=layer["id"])
            assert header["steps"] == [-1, 0, 1]
            assert np.array_equal(tiles, np.stack([taken.tiles for taken in kept]))
            stats = served.get("stats", run="filters", layer=layer["id"])
            assert list(stats["rows"]) == list(STATS_ROWS)
            for row, name in enumerate(STATS_ROWS):
                truth = np.stack([taken.stats()[row] for taken in kept])
                assert np.allclose(stats["rows"][name], truth, rtol=1e-4, atol=1e-4 * np.abs(truth).max())


def test_two_hundred_of_two_hundred(loader: str, tmp_path: Path) -> None:
    write(tmp_path, range(-1, 199))
    with tab(tmp_path, loader) as served:
        header, tiles = served.tiles(run="filters", layer="conv2d_1")
        assert header["steps"] == served.get("stats", run="filters", layer="conv2d_1")["steps"] == list(range(-1, 199))
        assert np.array_equal(tiles, np.stack([pixels(step, "conv2d_1", FULL) for step in range(-1, 199)]))
        assert served.get("curves", run="filters", layer="conv2d_1")["logged_steps"] == 200
    with tab(tmp_path, loader, samples=12) as served:
        assert len(served.get("stats", run="filters", layer="conv2d_1")["steps"]) == 12
        assert served.get("curves", run="filters", layer="conv2d_1")["logged_steps"] == 200


def test_some_steps_some_filters_a_smaller_size(loader: str, tmp_path: Path) -> None:
    write(tmp_path, range(-1, 9), {"shape": (6, 9, 9, 3)})
    with tab(tmp_path, loader) as served:
        where = {"run": "filters", "layer": "conv2d_1"}
        for query, steps, filters in (
            ({"from": 3, "to": 5, "filters": "2-4"}, [3, 4, 5], slice(2, 5)),
            ({"to": -1}, [-1], slice(0, 6)),
            ({"from": 7, "filters": 5}, [7, 8], slice(5, 6)),
            ({"steps": "latest"}, [8], slice(0, 6)),
            ({"from": 100}, [], slice(0, 6)),
        ):
            header, tiles = served.tiles(**where, **query)
            assert header["steps"] == steps
            truth = [pixels(step, "conv2d_1", (6, 9, 9, 3))[filters] for step in steps]
            assert np.array_equal(tiles, np.stack(truth) if truth else tiles[:0])
        _, small = served.tiles(**where, size=5)
        assert small.shape == (10, 6, 5, 5, 3)


def test_the_curves_of_the_same_training(loader: str, tmp_path: Path) -> None:
    write(tmp_path / "a", range(-1, 3))
    write(tmp_path / "b", range(1, 4), {"unit": "batch"})
    scalars(tmp_path / "a" / "train", {"epoch_accuracy": [(0, 0.5), (1, 0.75)], "epoch_loss": [(0, 1), (1, np.nan)]})
    scalars(tmp_path / "a" / "validation", {"epoch_accuracy": [(0, 0.25)], "other": [(0, 3.0)]})
    scalars(tmp_path / "a" / "deeper" / "train", {"epoch_accuracy": [(0, 0.1)]})
    scalars(tmp_path / "b" / "train", {"batch_loss": [(1, 2.0)], "epoch_loss": [(0, 1.0)]})
    with tab(tmp_path, loader) as served:
        curves = served.get("curves", run="a/filters", layer="conv2d_1")["curves"]
        assert {(curve["metric"], curve["of"]) for curve in curves} == {
            ("mean score", ""),
            ("responsive", ""),
            ("mean change", ""),
            ("accuracy", "train"),
            ("accuracy", "validation"),
            ("loss", "train"),
        }
        points = {(curve["metric"], curve["of"]): curve["points"] for curve in curves}
        assert points["accuracy", "train"] == [[0, 0.5], [1, 0.75]]
        assert points["loss", "train"] == [[0, 1.0], [1, None]]
        assert [step for step, _ in points["mean score", ""]] == [-1, 0, 1, 2]
        curves = served.get("curves", run="b/filters", layer="conv2d_1")["curves"]
        assert [(curve["metric"], curve["of"]) for curve in curves if curve["of"]] == [("loss", "train")]


def test_a_restart_shows_the_same_on_both_loaders(loader: str, tmp_path: Path) -> None:
    write(tmp_path, range(-1, 6))
    write(tmp_path, range(3, 5))
    with tab(tmp_path, loader) as served:
        header, _ = served.tiles(run="filters", layer="conv2d_1")
        assert header["steps"] == [-1, 0, 1, 2, 3, 4]


def test_scores_that_are_not_finite_are_null(loader: str, tmp_path: Path) -> None:
    taken = snapshot(0)
    taken.scores[:3] = [np.nan, np.inf, 1e-20]
    sink = EventSink(str(tmp_path))
    sink.write(0, [taken])
    sink.close()
    with tab(tmp_path, loader) as served:
        (scores,) = served.get("stats", run="filters", layer="conv2d_1")["rows"]["score"]
        assert scores[:2] == [None, None]
        assert scores[3:] == [4.5, 6.0, 7.5]


def test_hostile_names_come_back_as_they_are(loader: str, tmp_path: Path) -> None:
    layers = [{"layer": name, "position": position} for position, name in enumerate(HOSTILE)]
    run = "<b onclick=alert(1)>'&"
    write(tmp_path / run, [0, 1], *layers)
    with tab(tmp_path, loader) as served:
        (listed,) = served.get("layers")["runs"]
        assert listed["run"] == f"{run}/filters"
        assert [layer["name"] for layer in listed["layers"]] == list(HOSTILE)
        for layer in listed["layers"]:
            where = {"run": listed["run"], "layer": layer["id"]}
            header, tiles = served.tiles(**where)
            assert header["steps"] == [0, 1]
            assert np.array_equal(tiles[1], pixels(1, layer["name"], FULL))
            assert served.get("stats", **where)["steps"] == [0, 1]
            assert len(served.get("curves", **where)["curves"]) == 3


def test_foreign_events_under_our_name_are_named_and_do_no_harm(loader: str, tmp_path: Path) -> None:
    write(tmp_path / "good", [0, 1])
    true = encode_metadata(snapshot(0), kind="tiles", shape=FULL, part=slice(0, 6))
    other_version = json.dumps({**json.loads(true), "version": 99}).encode()
    values: dict[str, Any] = {
        "dtype": np.zeros(FULL, np.float32),
        "rank": np.zeros((6, 5, 5), np.uint8),
        "size": np.zeros((7, 5, 5, 1), np.uint8),
        "text": np.array([b"<script>"], object),
    }
    write_raw(tmp_path / "bad", {f"filterviz/{name}/tiles": (true, value) for name, value in values.items()})
    write_raw(
        tmp_path / "worse",
        {
            "filterviz/version/tiles": (other_version, np.zeros(FULL, np.uint8)),
            "filterviz/no_json/tiles": (b"\xff\x00{", np.zeros(FULL, np.uint8)),
            "filterviz/empty/stats": (b"", np.zeros((5, 6), np.float32)),
            "elsewhere": (true, np.zeros(FULL, np.uint8)),
        },
    )
    with tab(tmp_path, loader) as served:
        runs = {run["run"]: run for run in served.get("layers")["runs"]}
        assert [layer["name"] for layer in runs["good/filters"]["layers"]] == ["conv2d_1"]
        assert runs["worse"]["layers"] == []
        assert len(runs["worse"]["problems"]) >= 4
        for layer in runs["bad"]["layers"]:
            for route in ("tiles", "stats"):
                answer = served.answer(route, run="bad", layer=layer["id"])
                assert answer.status_code == 400
                assert "holds nothing of the type and shape that its metadata says" in answer.text
        assert served.tiles(run="good/filters", layer="conv2d_1")[0]["steps"] == [0, 1]


def test_a_tensor_that_lies_about_its_size_is_a_sentence(loader: str, tmp_path: Path) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    sizes = [TensorShapeProto.Dim(size=size) for size in FULL]
    value = TensorProto(dtype=4, tensor_shape=TensorShapeProto(dim=sizes), tensor_content=b"short")
    summary = Summary.Value(tag="filterviz/lying/tiles", tensor=value)
    summary.metadata.plugin_data.plugin_name = "filterviz"
    summary.metadata.plugin_data.content = encode_metadata(snapshot(0), kind="tiles", shape=FULL, part=slice(0, 6))
    summary.metadata.data_class = 2
    writer = EventFileWriter(str(tmp_path / "filters"))
    writer.add_event(Event(step=0, wall_time=1.0, summary=Summary(value=[summary])))
    writer.close()
    with tab(tmp_path, loader) as served:
        assert served.get("layers")["runs"][0]["layers"][0]["id"] == "lying"
        answer = served.answer("tiles", run="filters", layer="lying")
        assert answer.status_code == 400
        assert "TensorBoard cannot read filterviz/lying/tiles" in answer.text


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    log_dir = tmp_path_factory.mktemp("small")
    write(log_dir, [0, 1])
    with tab(log_dir, "python-loader") as served:
        yield served


@pytest.mark.parametrize(
    ("route", "query", "status", "message"),
    [
        ("tiles", {}, 400, "`run` is missing"),
        ("tiles", {"run": "filters"}, 400, "`layer` is missing"),
        ("stats", {"run": "no", "layer": "conv2d_1"}, 404, "run 'no' has no layer 'conv2d_1'. Its layers: none."),
        ("curves", {"run": "filters", "layer": "no"}, 404, "Its layers: conv2d_1."),
        ("tiles", {"run": "filters", "layer": "conv2d_1", "filters": "3-2"}, 400, "`filters` must be one filter or"),
        ("tiles", {"run": "filters", "layer": "conv2d_1", "filters": "0-6"}, 400, "within 0-5. Received: '0-6'"),
        ("tiles", {"run": "filters", "layer": "conv2d_1", "filters": "1;drop"}, 400, "`filters` must be"),
        ("tiles", {"run": "filters", "layer": "conv2d_1", "from": "1e3"}, 400, "`from` must be a whole number"),
        ("tiles", {"run": "filters", "layer": "conv2d_1", "to": "٣"}, 400, "`to` must be a whole number"),
        ("tiles", {"run": "filters", "layer": "conv2d_1", "size": "0"}, 400, "`size` must be a whole number from 1"),
        ("tiles", {"run": "filters", "layer": "conv2d_1", "steps": "some"}, 400, "`steps` must be all or latest"),
    ],
)
def test_wrong_questions_get_a_sentence(
    small: Tab, route: str, query: dict[str, str], status: int, message: str
) -> None:
    answer = small.answer(route, **query)
    assert answer.status_code == status
    assert message in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Type"].startswith("text/plain")


QUESTIONS = st.dictionaries(
    st.sampled_from(["run", "layer", "steps", "from", "to", "filters", "size", "tag"]),
    st.text(max_size=30) | st.integers().map(str) | st.sampled_from(["filters", "conv2d_1", "latest", "0-5", "-1"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(route=st.sampled_from(["layers", "stats", "tiles", "curves"]), query=QUESTIONS)
def test_no_question_breaks_a_route(small: Tab, route: str, query: dict[str, str]) -> None:
    answer = small.answer(route, **query)
    assert answer.status_code in (200, 400, 404)
    assert answer.data


@pytest.mark.parametrize("route", ["layers", "stats", "tiles", "curves", "static/index.js"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_routes_can_only_be_read(small: Tab, route: str, method: str) -> None:
    answer = small.answer(route, method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert "can only be read" in answer.text


def test_head_is_get_without_a_body(small: Tab) -> None:
    for route in ("layers", "static/style.css"):
        head, whole = small.answer(route, "HEAD"), small.answer(route)
        assert head.status_code == 200
        assert head.data == b""
        assert head.headers["Content-Type"] == whole.headers["Content-Type"]


@pytest.mark.parametrize(
    "path",
    [
        "plugin.py",
        "../plugin.py",
        "..%2fplugin.py",
        "%2e%2e/plugin.py",
        "../../../../../../etc/passwd",
        "/etc/passwd",
        "..\\plugin.py",
        "index.js/../../plugin.py",
        "style.css%00",
        "",
    ],
)
def test_nothing_else_is_served(small: Tab, path: str) -> None:
    assert small.answer(f"/data/plugin/filterviz/static/{path}").status_code == 404


def test_every_static_file_is_served_and_every_import_is_a_static_file(small: Tab, root: Path) -> None:
    files = {path.name for path in (root / "tb_filterviz" / "plugin" / "static").iterdir()}
    for name in files:
        answer = small.answer(f"static/{name}")
        assert answer.status_code == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "charset=utf-8" in answer.headers["Content-Type"]
        for imported in re.findall(r'from "\./([^"]+)"', answer.text):
            assert imported in files


def test_the_tab_shows_itself_as_soon_as_there_is_something(small: Tab) -> None:
    listing = json.loads(small.answer("/data/plugins_listing").data)["filterviz"]
    assert listing["enabled"]
    assert listing["tab_name"] == "Filters"
    page = small.answer("/data/plugin_entry.html", name="filterviz")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def test_the_answers_are_those_of_the_document(small: Tab, root: Path) -> None:
    document = (root / "tb_filterviz" / "plugin" / "http_api.md").read_text(encoding="utf-8")
    examples = dict(re.findall(r"^## `/(\w+)[^\n]*\n.*?```json\n(.*?)```", document, re.DOTALL | re.MULTILINE))
    where = {"run": "filters", "layer": "conv2d_1"}
    answers: dict[str, Any] = {
        "layers": small.get("layers"),
        "stats": small.get("stats", **where),
        "tiles": small.tiles(**where)[0],
        "curves": small.get("curves", **where),
    }
    assert set(examples) == set(answers)

    def same_shape(example: Any, answer: Any) -> bool:
        if isinstance(example, dict):
            return example.keys() == answer.keys() and all(same_shape(example[name], answer[name]) for name in example)
        if isinstance(example, list):
            return isinstance(answer, list) and (not example or not answer or same_shape(example[0], answer[0]))
        return isinstance(answer, type(example))

    for route, example in examples.items():
        assert same_shape(json.loads(example), answers[route]), route


def test_a_series_above_tensorboards_limit_is_a_sentence(loader: str, tmp_path: Path) -> None:
    shape = (64, 128, 128, 1)  # 1 MiB a value, eight times what is ever written
    content = encode_metadata(snapshot(0, shape=shape), kind="tiles", shape=shape, part=slice(0, 64))
    write_raw(tmp_path / "huge", {"filterviz/huge/tiles": (content, np.zeros(shape, np.uint8))}, range(260))
    with tab(tmp_path, loader) as served:
        header, _ = served.tiles(run="huge", layer="huge", steps="latest")
        assert header["steps"] == [259]
        answer = served.answer("tiles", run="huge", layer="huge")
        assert answer.status_code == 400
        assert "TensorBoard cannot read" in answer.text or "more than 128 MiB at once" in answer.text
