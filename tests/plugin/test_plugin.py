"""The routes, asked through TensorBoard's own application, on both of its loaders."""

import json
import posixpath
import re
import struct
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto

from tb_filterviz import MemorySink
from tb_filterviz.logs.event_files import filters_metadata
from tb_filterviz.metadata import run_name
from tb_filterviz.parts.statistics import STANDARD
from tb_filterviz.session import Session
from tb_filterviz.sinks.events import EventSink
from tests.plugin.described import FORMAT_1_STATS, JSON, RECIPE, STATISTIC, TILES, encoded
from tests.plugin.measured import write_measured
from tests.plugin.serving import (
    HOSTILE,
    LOADERS,
    Tab,
    layer_events,
    pixels,
    recipe_event,
    scalars,
    tab,
    write,
    write_events,
    write_raw,
)

FULL = (6, 5, 5, 1)


@pytest.fixture(params=LOADERS)
def loader(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_a_session_comes_back_bit_by_bit(loader: str, tmp_path: Path, small_model: keras.Model) -> None:
    session, memory, events = Session(small_model), MemorySink(), EventSink(tmp_path)
    events.begin(session.recipe("logger"))
    for step in (-1, 0, 1):
        session.log(step, [events, memory])
        small_model.set_weights([weights * 1.1 for weights in small_model.get_weights()])
    events.close()
    with tab(tmp_path, loader) as served:
        (run,) = served.get("layers")["runs"]
        assert (run["run"], run["problems"]) == ("filters", [])
        assert run["recipe"] == json.loads(json.dumps(session.recipe("logger")))
        assert [layer["name"] for layer in run["layers"]] == ["conv_a", "conv_b"]
        for layer in run["layers"]:
            kept = [taken for taken in memory.snapshots if taken.layer == layer["name"]]
            assert layer["description"] == kept[0].description
            where = {"run": "filters", "layer": layer["id"]}
            header, tiles = served.tiles(**where)
            assert header["steps"] == [-1, 0, 1]
            assert np.array_equal(tiles, np.stack([taken.tiles for taken in kept]))
            answer = served.get("statistics", **where)["statistics"]
            assert set(answer) == set(kept[0].statistics) == {one["name"] for one in layer["statistics"]}
            for name, rows in answer.items():
                truth = np.stack([taken.statistics[name] for taken in kept])
                assert np.allclose(rows, truth, rtol=1e-4, atol=1e-4 * np.abs(truth).max())


def test_a_log_of_format_1_is_shown_to_the_last_step(loader: str, root: Path) -> None:
    truth = np.load(root / "tests" / "data" / "format_1" / "expected.npz")
    with tab(root / "tests" / "data" / "format_1", loader) as served:
        (run,) = served.get("layers")["runs"]
        assert (run["run"], run["recipe"], run["problems"]) == ("filters", None, [])
        assert [layer["id"] for layer in run["layers"]] == ["conv_a", "conv_b"]
        for layer in run["layers"]:
            assert layer["objective_label"] in ("centre unit", "channel mean")
            assert [(one["name"], one["label"], one["unit"], one["sort"]) for one in layer["statistics"]] == [
                (one.name, one.label, one.unit, one.sort)
                for one in STANDARD
                if one.name not in ("gain", "kept")  # which are of version 2
            ]
            where, name = {"run": "filters", "layer": layer["id"]}, layer["id"]
            header, tiles = served.tiles(**where)
            answer = served.get("statistics", **where)
            assert header["steps"] == answer["steps"] == truth[f"{name}_steps"].tolist() == [-1, 0, 1, 2, 3, 4]
            assert np.array_equal(tiles, truth[f"{name}_tiles"])
            assert np.allclose(answer["statistics"]["score"], truth[f"{name}_scores"], rtol=1e-3, atol=1e-4)
            for statistic in ("responsive", "flat"):
                assert np.array_equal(answer["statistics"][statistic], truth[f"{name}_{statistic}"])
            curves = served.get("curves", **where)["curves"]
            assert [curve["metric"] for curve in curves] == ["mean change", "mean score", "responsive"]


def test_runs_of_one_log_directory_come_in_the_order_of_their_numbers(loader: str, tmp_path: Path) -> None:
    for number in range(1, 12):
        events = [event for step in (0, 1) for event in layer_events(step, 1000 * number + step)]
        write_events(tmp_path / run_name(number), [recipe_event("callback", 1000 * number), *events])
    with tab(tmp_path, loader) as served:
        runs = served.get("layers")["runs"]
        assert [run["run"] for run in runs] == [run_name(number) for number in range(1, 12)]
        assert all(run["recipe"]["written_by"] == "callback" for run in runs)
        assert runs[9]["layers"][0]["last_wall_time"] == 10001


def test_filters_that_were_chosen_are_shown_under_their_numbers(loader: str, tmp_path: Path) -> None:
    write(tmp_path, [0, 1], {"indices": [40, 41, 7, 3, 2, 1]}, {"layer": "b", "position": 1, "indices": range(6)})
    with tab(tmp_path, loader) as served:
        first, second = served.get("layers")["runs"][0]["layers"]
        assert (first["indices"], first["filters"]) == ([40, 41, 7, 3, 2, 1], 6)
        assert second["indices"] is None
        _, tiles = served.tiles(run="filters", layer="conv2d_1", filters=2)
        assert np.array_equal(tiles[:, 0], np.stack([pixels(step, "conv2d_1", FULL)[2] for step in (0, 1)]))


def test_two_hundred_of_two_hundred(loader: str, tmp_path: Path) -> None:
    write(tmp_path, range(-1, 199))
    with tab(tmp_path, loader) as served:
        header, tiles = served.tiles(run="filters", layer="conv2d_1")
        assert (
            header["steps"]
            == served.get("statistics", run="filters", layer="conv2d_1")["steps"]
            == list(range(-1, 199))
        )
        assert np.array_equal(tiles, np.stack([pixels(step, "conv2d_1", FULL) for step in range(-1, 199)]))
        assert served.get("curves", run="filters", layer="conv2d_1")["logged_steps"] == 200
    kept = 200 if loader == "own-reader" else 12  # which reads all, whatever TensorBoard is told to keep
    with tab(tmp_path, loader, samples=12) as served:
        assert len(served.get("statistics", run="filters", layer="conv2d_1")["steps"]) == kept
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


def test_a_restart_shows_the_same_on_all_loaders(loader: str, tmp_path: Path) -> None:
    for steps, began in ((range(-1, 6), 1000), (range(3, 5), 2000)):
        write_events(tmp_path / "filters", [event for step in steps for event in layer_events(step, began + step)])
    with tab(tmp_path, loader) as served:
        header, _ = served.tiles(run="filters", layer="conv2d_1")
        assert header["steps"] == [-1, 0, 1, 2, 3, 4]


def test_scores_that_are_not_finite_are_null(loader: str, tmp_path: Path) -> None:
    write(tmp_path, [0], {"more": {"score": [np.nan, np.inf, 1e-20, 4.5, 6.0, 7.5]}})
    with tab(tmp_path, loader) as served:
        (scores,) = served.get("statistics", run="filters", layer="conv2d_1")["statistics"]["score"]
        assert scores == [None, None, 0.0, 4.5, 6.0, 7.5]


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
            assert served.get("statistics", **where)["steps"] == [0, 1]
            assert len(served.get("curves", **where)["curves"]) == 4


def test_foreign_events_under_our_name_are_named_and_do_no_harm(loader: str, tmp_path: Path) -> None:
    write(tmp_path / "good", [0, 1])
    true, statistic = encoded(TILES), encoded(STATISTIC)
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
            "filterviz/version/tiles": (encoded(TILES, {"version": 99}), np.zeros(FULL, np.uint8)),
            "filterviz/alone/statistics/score": (statistic, np.zeros(6, np.float32)),
            "filterviz/name/statistics/other": (statistic, np.zeros(6, np.float32)),
            "filterviz/recipe": (encoded(RECIPE, {"recipe": 5}), np.uint8(0)),
            "filterviz/no_json/tiles": (b"\xff\x00{", np.zeros(FULL, np.uint8)),
            "filterviz/empty/stats": (b"", np.zeros((5, 6), np.float32)),
            "elsewhere": (true, np.zeros(FULL, np.uint8)),
        },
    )
    with tab(tmp_path, loader) as served:
        runs = {run["run"]: run for run in served.get("layers")["runs"]}
        assert [layer["name"] for layer in runs["good/filters"]["layers"]] == ["conv2d_1"]
        assert runs["worse"]["layers"] == []
        assert len(runs["worse"]["problems"]) >= 6
        assert any("written by a newer tb_filterviz" in problem for problem in runs["worse"]["problems"])
        assert runs["worse"]["recipe"] is None
        for layer in runs["bad"]["layers"]:
            for route in ("tiles", "statistics"):
                answer = served.answer(route, run="bad", layer=layer["id"])
                assert answer.status_code == 400
                assert "holds nothing of the type and shape that its metadata says" in answer.text
        assert served.tiles(run="good/filters", layer="conv2d_1")[0]["steps"] == [0, 1]


def lying(tag: str, content: bytes, dtype: int, shape: tuple[int, ...]) -> Event:
    sizes = [TensorShapeProto.Dim(size=size) for size in shape]
    tensor = TensorProto(dtype=dtype, tensor_shape=TensorShapeProto(dim=sizes), tensor_content=b"short")
    value = Summary.Value(tag=tag, tensor=tensor, metadata=filters_metadata(content))
    return Event(step=0, wall_time=1.0, summary=Summary(value=[value]))


def test_a_tensor_that_lies_about_its_size_is_a_sentence(loader: str, tmp_path: Path) -> None:
    write_events(tmp_path / "filters", [lying("filterviz/lying/tiles", encoded(TILES), 4, FULL)])
    with tab(tmp_path, loader) as served:
        assert served.get("layers")["runs"][0]["layers"][0]["id"] == "lying"
        answer = served.answer("tiles", run="filters", layer="lying")
        assert answer.status_code == 400
        refused = "holds nothing of the type" if loader == "own-reader" else "TensorBoard cannot read"
        assert refused in answer.text
        assert "filterviz/lying/tiles" in answer.text


def test_a_statistic_that_lies_leaves_the_others(loader: str, tmp_path: Path) -> None:
    tag = "filterviz/conv2d_1/statistics/liar"
    liar = lying(tag, encoded(STATISTIC, {"name": "liar"}), 1, (6,))
    write_events(tmp_path / "filters", [*layer_events(0, 1.0, statistics=("score", "flat")), liar])
    with tab(tmp_path, loader) as served:
        assert set(served.get("statistics", run="filters", layer="conv2d_1")["statistics"]) == {"score", "flat"}


def test_moments_that_are_none_do_no_harm(tmp_path: Path) -> None:
    """The fast loader drops such events by itself."""
    moments = enumerate((np.nan, np.inf, 5.0))
    write_events(tmp_path / "filters", [event for step, at in moments for event in layer_events(step, at)])
    with tab(tmp_path, "python-loader") as served:
        for route in ("statistics", "curves"):
            assert "NaN" not in served.answer(route, run="filters", layer="conv2d_1").text
        assert served.tiles(run="filters", layer="conv2d_1")[0]["steps"] == [0, 1, 2]
        assert "NaN" not in served.answer("layers").text


CHANGES = st.dictionaries(
    st.sampled_from([*sorted({*TILES, *STATISTIC, *FORMAT_1_STATS, *RECIPE}), "indices"]), JSON, max_size=3
)


@settings(max_examples=15)
@given(changes=st.tuples(CHANGES, CHANGES, CHANGES, CHANGES))
def test_no_metadata_breaks_a_route(changes: tuple[dict[str, Any], ...]) -> None:
    contents = [
        encoded(true, one) for true, one in zip((TILES, STATISTIC, FORMAT_1_STATS, RECIPE), changes, strict=True)
    ]
    values = [
        ("filterviz/a/tiles", np.zeros(FULL, np.uint8)),
        ("filterviz/a/statistics/score", np.zeros(6, np.float32)),
        ("filterviz/a/stats", np.zeros((2, 6), np.float32)),
        ("filterviz/recipe", np.uint8(0)),
    ]
    with tempfile.TemporaryDirectory() as folder:
        raw = {tag: (content, value) for (tag, value), content in zip(values, contents, strict=True)}
        write_raw(Path(folder) / "filters", raw, (0, 1))
        with tab(Path(folder), "python-loader") as served:
            (run,) = served.get("layers")["runs"]
            for layer in run["layers"]:
                where = {"run": "filters", "layer": layer["id"]}
                for route in ("tiles", "statistics", "curves"):
                    assert served.answer(route, **where).status_code in (200, 400)
                again = {"run2": "filters", "layer2": layer["id"]}
                assert served.answer("match", **where, **again).status_code in (200, 400, 404)
                assert served.answer("similar", **where, filter=0).status_code in (200, 400, 404)
            for route in ("overview", "samples"):
                assert served.answer(route, run="filters").status_code == (200 if run["layers"] else 404)
            assert served.answer("results").status_code == 200


@pytest.mark.parametrize(
    ("route", "query", "status", "message"),
    [
        ("tiles", {}, 400, "`run` is missing"),
        ("tiles", {"run": "filters"}, 400, "`layer` is missing"),
        ("statistics", {"run": "no", "layer": "conv2d_1"}, 404, "run 'no' has no layer 'conv2d_1'. Its layers: none."),
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


ROUTES = ["layers", "statistics", "tiles", "curves", "overview", "samples", "match", "similar", "results"]
QUESTIONS = st.dictionaries(
    st.sampled_from(
        ["run", "layer", "steps", "from", "to", "filters", "size", "tag", "run2", "layer2", "step", "filter", "count"]
    ),
    st.text(max_size=30) | st.integers().map(str) | st.sampled_from(["filters", "conv2d_1", "latest", "0-5", "-1"]),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(route=st.sampled_from(ROUTES), query=QUESTIONS)
def test_no_question_breaks_a_route(small: Tab, route: str, query: dict[str, str]) -> None:
    answer = small.answer(route, **query)
    assert answer.status_code in (200, 400, 404)
    assert answer.data


@pytest.mark.parametrize("route", [*ROUTES, "static/index.js"])
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
    static = root / "tb_filterviz" / "plugin" / "static"
    files = {path.relative_to(static).as_posix() for path in static.rglob("*") if path.is_file()}
    for name in files:
        answer = small.answer(f"static/{name}")
        assert answer.status_code == 200
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "charset=utf-8" in answer.headers["Content-Type"]
        for imported in re.findall(r'from "(\.[^"]+)"', answer.text):
            assert posixpath.normpath(posixpath.join(posixpath.dirname(name), imported)) in files


def test_browsers_keep_static_files_until_they_are_others(small: Tab) -> None:
    listing = json.loads(small.answer("/data/plugins_listing").data)["filterviz"]
    path = listing["loading_mechanism"]["module_path"]
    kept = small.answer(f"/{path.lstrip('/')}" if path.startswith("data") else path)
    assert kept.status_code == 200
    assert kept.headers["Cache-Control"] == "private, max-age=31536000"
    plain = small.answer("static/index.js")
    assert plain.data == kept.data
    assert "max-age" not in plain.headers.get("Cache-Control", "")


def test_the_tab_shows_itself_as_soon_as_there_is_something(small: Tab) -> None:
    listing = json.loads(small.answer("/data/plugins_listing").data)["filterviz"]
    assert listing["enabled"]
    assert listing["tab_name"] == "Filters"
    page = small.answer("/data/plugin_entry.html", name="filterviz")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]


def header_of(content: bytes) -> Any:
    (length,) = struct.unpack("<I", content[:4])
    return json.loads(content[4 : 4 + length])


def test_the_answers_are_those_of_the_document(small: Tab, root: Path, tmp_path: Path) -> None:
    document = (root / "tb_filterviz" / "plugin" / "http_api.md").read_text(encoding="utf-8")
    sections = (re.match(r"`/(\w+).*?```json\n(.*?)```", section, re.DOTALL) for section in document.split("\n## "))
    examples = {found[1]: found[2] for found in sections if found}
    write_measured(tmp_path)
    where = {"run": "filters", "layer": "conv2d_1"}
    answers: dict[str, Any] = {
        "layers": small.get("layers"),
        "statistics": small.get("statistics", **where),
        "tiles": small.tiles(**where)[0],
        "curves": small.get("curves", **where),
        "overview": small.get("overview", run="filters"),
        "samples": header_of(small.answer("samples", run="filters").data),
    }
    write(tmp_path / "trained", [0])
    scalars(tmp_path / "trained" / "validation", {"epoch_accuracy": [(0, 0.5)]})
    with tab(tmp_path, "python-loader") as measured:
        results = measured.get("results")["runs"]
        answers["results"] = {"runs": {"filters": results["trained/filters"]}}
        made = {"run": "filters", "layer": "made"}
        answers["examples"] = measured.get("examples", run="filters")
        answers["responses"] = measured.get("responses", **made, filter=1)
        answers["match"] = measured.get("match", **made, run2="filters", layer2="made")
        answers["similar"] = measured.get("similar", **made, filter=1)
        answers["kernels"] = measured.get("layers")["runs"][0]["layers"][0]["kernels"]
    assert set(examples) == set(answers)
    (run,) = answers["layers"]["runs"]
    run["recipe"] = {name: run["recipe"][name] for name in ("written_by", "unit", "input_range")}  # the document's part

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
    content = encoded(TILES, {"shape": list(shape), "filters": 64})
    write_raw(tmp_path / "huge", {"filterviz/huge/tiles": (content, np.zeros(shape, np.uint8))}, range(260))
    with tab(tmp_path, loader) as served:
        header, _ = served.tiles(run="huge", layer="huge", steps="latest")
        assert header["steps"] == [259]
        answer = served.answer("tiles", run="huge", layer="huge")
        assert answer.status_code == 400
        assert "TensorBoard cannot read" in answer.text or "more than 128 MiB at once" in answer.text
