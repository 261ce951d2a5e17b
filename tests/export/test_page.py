"""The tab as one page: opened as a file, in two browsers, with no server and no network."""

import base64
import html
import json
import re
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from selenium.webdriver.common.keys import Keys

from tb_filterviz import ConfigError, SeriesError, StepError, UnknownLayerError, read_run, read_runs
from tb_filterviz.export.page import _modules, page, question
from tb_filterviz.plugin.plugin import STATIC
from tests.plugin.browser import Browser, needs_browser
from tests.plugin.firefox import Firefox, needs_firefox
from tests.plugin.measured import write_measured
from tests.plugin.serving import HOSTILE, LOADERS, pixels, scalars, tab, write

SHAPE = (6, 5, 5, 1)
LARGE = (40, 70, 66, 3)
SLIDER = "input[type=range]"
ASK = """
const [route, query, done] = arguments;
import("filters/data/saved_page.js").then(({ savedPage }) => savedPage.answer(route, query))
  .then((answer) => answer.arrayBuffer())
  .then((bytes) => done(btoa(Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join(""))))
  .catch((error) => done({ error: error.message }));
"""


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trainings, one of which was measured on examples, with Keras' curves."""
    folder = tmp_path_factory.mktemp("logs")
    write_measured(folder / "measured")
    write(
        folder / "drawn",
        range(-1, 5),
        {"layer": "conv_a", "shape": SHAPE},
        {"layer": "b", "position": 1, "shape": LARGE},
    )
    write(folder / "again", range(4), {"layer": "conv_a", "shape": SHAPE})
    scalars(folder / "drawn" / "validation", {"epoch_accuracy": [(epoch, 0.5 + epoch / 10) for epoch in range(5)]})
    return folder


@pytest.fixture(scope="module")
def saved(log_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return read_runs(log_dir).save(tmp_path_factory.mktemp("saved") / "filters.html")


@pytest.fixture(
    params=[
        pytest.param("window", marks=needs_browser, id="chromium"),
        pytest.param("fox", marks=needs_firefox, id="firefox"),
    ]
)
def alone(request: pytest.FixtureRequest) -> Iterator[Browser | Firefox]:
    opened: Browser | Firefox = request.getfixturevalue(request.param)
    yield opened
    assert opened.complaints() == []


def at(page_file: Path, **view: Any) -> str:
    return f"{page_file.as_uri()}#filterviz" + "".join(f"&p.filterviz.{name}={value}" for name, value in view.items())


def shows(tiles: npt.NDArray[np.uint8], step: int) -> bool:
    """Whether a grid of `conv_a` shows a step; filters 2 and 3 have marks."""
    return np.array_equal(
        np.delete(tiles[..., :1], [2, 3], axis=0), np.delete(pixels(step, "conv_a", SHAPE), [2, 3], 0)
    )


def read(route: str, content: bytes) -> Any:
    """What an answer says, however its JSON is spaced."""
    if route == "example":
        return content
    if route not in ("tiles", "maps", "kernels", "samples"):
        return json.loads(content)
    (length,) = struct.unpack("<I", content[:4])
    return json.loads(content[4 : 4 + length]), content[4 + length :]


def test_every_picture_of_every_epoch(alone: Browser | Firefox, saved: Path) -> None:
    alone.open_alone(at(saved, run="drawn/filters", layer="conv_a", view="grid", step=-1))
    alone.loaded()
    for step in range(-1, 5):
        assert shows(alone.tiles("Filters", *SHAPE[1:3]), step)
        alone.press_at(SLIDER, Keys.ARROW_RIGHT)
    assert "Epoch 4" in alone.text()


def test_a_filter_with_its_examples_its_classes_and_its_maps(alone: Browser | Firefox, saved: Path) -> None:
    alone.open_alone(at(saved, run="measured/filters", layer="made", view="grid", filter=1))
    alone.loaded()
    alone.wait(lambda: "Excited most by" in alone.text(), "what excites the filter")
    assert "squares" in alone.text()
    alone.wait(
        lambda: alone.run(
            "return [...document.querySelectorAll('.side canvas')].filter((one) => one.getContext('2d')"
            ".getImageData(0, 0, one.width, one.height).data.some((value, at) => at % 4 < 3 && value > 0)).length > 9"
        ),
        "the examples, painted",
    )


def test_nothing_is_asked_of_the_network_and_the_page_says_when_it_was_saved(
    alone: Browser | Firefox, saved: Path
) -> None:
    alone.open_alone(at(saved))
    alone.wait(lambda: "Saved on " in alone.text(), "when it was saved")
    alone.settle()
    assert "Live" not in alone.text()
    fetched = alone.run("return performance.getEntriesByType('resource').map((one) => one.name.slice(0, 5))")
    assert set(fetched) <= {"data:", "blob:"}


@pytest.mark.slow
def test_the_address_names_the_place_and_leads_to_it(alone: Browser | Firefox, saved: Path) -> None:
    alone.open_alone(at(saved, run="drawn/filters", layer="conv_a", view="grid", filter=2, step=1))
    alone.loaded()
    alone.press_at(SLIDER, Keys.ARROW_RIGHT)
    alone.wait(lambda: "p.filterviz.step=2" in alone.hash(), "the step in the address")
    alone.open_alone(saved.as_uri() + alone.hash())
    alone.loaded()
    assert "Epoch 2" in alone.text()
    assert "Filter 2" in alone.text()


@pytest.mark.slow
@needs_browser
def test_trainings_are_compared_and_a_picture_is_saved(window: Browser, saved: Path) -> None:
    window.open_alone(at(saved, run="drawn/filters", layer="conv_a", view="compare", run2="again/filters"))
    window.wait(lambda: "similarity" in window.text().lower(), "how alike the two are")
    window.open_alone(at(saved, run="drawn/filters", layer="conv_a", view="grid"))
    window.loaded()
    window.click("Save")
    window.run("[...document.querySelectorAll('.menu-item')][0].click()")
    window.wait(lambda: list(window.downloads.glob("*.png")), "the picture")
    assert window.complaints() == []


@needs_browser
def test_it_answers_what_the_server_answers(window: Browser, log_dir: Path, saved: Path) -> None:
    window.open_alone(at(saved))

    def answer(route: str, **query: Any) -> Any:
        said = window.driver.execute_async_script(ASK, route, query)
        return said if isinstance(said, dict) else base64.b64decode(said)

    measured = {"run": "measured/filters", "layer": "made"}
    drawn = {"run": "drawn/filters", "layer": "b"}
    other = {"run2": "again/filters", "layer2": "conv_a"}
    questions: list[tuple[str, dict[str, Any]]] = [
        *(("tiles", {**drawn, "filters": chosen}) for chosen in ("0-39", "3", "7-9")),
        *(("tiles", {**drawn, "size": size}) for size in (64, 35, 22, 7, 1)),
        ("tiles", {**drawn, "steps": "latest", "size": 20}),
        ("tiles", {**drawn, "from": 2}),
        ("tiles", {**drawn, "from": 1, "to": 3, "filters": "1-2"}),
        ("tiles", {**drawn, "from": 9}),
        *(("statistics", where) for where in (measured, drawn)),
        ("curves", drawn),
        ("overview", {"run": "drawn/filters"}),
        ("samples", {"run": "drawn/filters", "count": 12, "size": 48}),
        ("results", {}),
        ("examples", {"run": "measured/filters"}),
        *(("example", {"run": "measured/filters", "index": index, "version": "x"}) for index in (0, 1, 7)),
        *(("responses", {**measured, "filter": filter_}) for filter_ in (0, 3)),
        *(("maps", {**measured, "example": example}) for example in range(3)),
        ("kernels", measured),
        *(("similar", {**drawn, "filter": filter_, "step": step}) for filter_ in (0, 5) for step in (-1, 4)),
        ("match", {"run": "drawn/filters", "layer": "conv_a", **other}),
    ]
    with tab(log_dir, LOADERS[-1]) as served:
        for route, query in questions:
            expected = served.answer(route, **query)
            assert expected.status_code == 200, (route, query, expected.text)
            assert read(route, answer(route, **query)) == read(route, expected.data), (route, query)
        listed = served.get("layers")["runs"]
    assert json.loads(answer("layers"))["runs"] == listed
    assert answer("match", run="drawn/filters", layer="b", run2="x", layer2="y") == {
        "error": "This page was saved without that."
    }


@needs_browser
def test_some_steps_of_one_layer_without_what_takes_room(window: Browser, log_dir: Path, tmp_path: Path) -> None:
    few = read_runs(log_dir).save(
        tmp_path / "few.html", run="drawn/filters", layer="conv_a", every=4, leave_out=["likeness"]
    )
    window.open_alone(at(few, view="grid"))
    window.loaded()
    assert "with 3 of 6 steps of drawn/filters" in window.text()
    assert "3 of 3 pictures" in window.text()
    for step in (4, 3, -1):
        assert shows(window.tiles("Filters", *SHAPE[1:3]), step)
        window.press_at(SLIDER, Keys.ARROW_LEFT)
    without = read_run(log_dir / "measured").save(tmp_path / "without.html", leave_out=["examples", "kernels"])
    window.open_alone(at(without, view="grid", filter=1))
    window.loaded()
    assert "Excited most by" not in window.text()
    assert "Maps" not in window.text()
    assert "Kernels" not in window.text()
    assert window.complaints() == []


@pytest.mark.slow
@needs_browser
def test_names_that_want_to_be_code(window: Browser, tmp_path: Path) -> None:
    layers = [{"layer": name, "position": place} for place, name in enumerate(HOSTILE)]
    write(tmp_path / "hostile", [0, 1], *layers)
    window.open_alone(at(read_run(tmp_path / "hostile").save(tmp_path / "page.html")))
    window.wait(lambda: "Saved on" in window.text(), "the page")
    window.settle()
    assert window.run("return window.hacked ?? null") is None
    assert HOSTILE[0] in window.text()
    assert window.complaints() == []


def test_modules_import_each_other_by_names_that_are_there() -> None:
    modules = _modules()
    assert len(modules) == sum(name.endswith(".js") for name in STATIC)
    imported = [name for text in modules.values() for name in re.findall(r'(?:from|import) "([^"]+)"', text)]
    assert len(imported) > 100
    assert set(imported) <= set(modules)
    assert not any(re.search(r'(?:from|import)\s*\(?\s*"\.', text) for text in modules.values())


@pytest.mark.slow
def test_it_says_what_takes_the_room_and_each_way_out_leads_out(log_dir: Path) -> None:
    runs = list(read_runs(log_dir).values())
    whole = len(page(runs)) / 1e6
    limit = whole - 0.1
    with pytest.raises(ConfigError, match=f"The page would have {whole:.1f} MB") as said:
        page(runs, max_mb=limit)
    every = re.search(r"every=(\d+), or --every \1", str(said.value))
    more = re.search(r"max_mb=(\d+), or --max-mb \1", str(said.value))
    assert every
    assert more
    assert len(page(runs, max_mb=limit, every=int(every[1]))) < limit * 1e6
    assert len(page(runs, max_mb=int(more[1]))) == pytest.approx(whole * 1e6, rel=0.01)
    measured = [read_run(log_dir / "measured")]
    limit = len(page(measured, leave_out=["examples"])) / 1e6 + 0.002
    with pytest.raises(ConfigError, match="or --leave-out examples") as said:
        page(measured, max_mb=limit)
    assert page(measured, max_mb=limit, leave_out=["examples"])


def test_what_is_not_there(log_dir: Path) -> None:
    drawn = [read_run(log_dir / "drawn")]
    with pytest.raises(UnknownLayerError, match="No run has a layer 'conv_z'. Layers: conv_a, b"):
        page(drawn, layers=["conv_z"])
    with pytest.raises(StepError, match=r"among those that were logged: -1, 0, 1, 2, 3, 4. Received: steps=\[7\]"):
        page(drawn, steps=[7])
    with pytest.raises(ConfigError, match="`leave_out` may hold examples, maps, kernels, likeness. Received: 'tiles'"):
        page(drawn, leave_out=["tiles"])  # type: ignore[list-item]


def test_how_far_it_is_is_told(log_dir: Path) -> None:
    told: list[tuple[float, float, str]] = []
    page([read_run(log_dir / "drawn")], report=lambda *said: told.append(said))
    assert [done for done, _, _ in told] == [0, 1, 2, 3]
    assert {total for _, total, _ in told} == {3}
    assert told[1][2] == "filters, conv_a"


def test_a_question_is_written_alike_in_both_languages() -> None:
    assert question("tiles", {"run": 'a "b"/é\\', "layer": 3}) == '["tiles",["layer","3"],["run","a \\"b\\"/é\\\\"]]'


def test_tiles_that_are_too_many_for_one_answer_are_in_the_page(log_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tb_filterviz.export.page._TILES_BYTES", 6 * LARGE[1] * LARGE[2] * LARGE[3] * 7)  # of 7 filters
    content = page([read_run(log_dir / "drawn")], layers=["b"]).decode()
    asked = [json.loads(html.unescape(found)) for found in re.findall(r'data-answer="([^"]*)"', content)]
    chunks = [dict(query[1:]).get("filters") for query in asked if query[0] == "tiles"]
    assert chunks == [None, "0-27", "28-39"]  # stored tiles are averaged down to 35 x 33 px: a quarter


def test_an_answer_that_fails_is_no_page(log_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(log_dir / "drawn", tmp_path / "logs")
    run = read_run(tmp_path / "logs")
    assert run["conv_a"].steps.tolist() == list(range(-1, 5))
    for file in (tmp_path / "logs" / "filters").iterdir():
        file.write_bytes(b"")
    with pytest.raises(SeriesError, match="holds nothing"):
        run.save(tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_layers_that_stand_elsewhere_are_compared_by_their_names(tmp_path: Path) -> None:
    write(tmp_path / "one", [0], {"layer": "first"}, {"layer": "last", "position": 1})
    write(tmp_path / "two", [0], {"layer": "first"}, {"layer": "new", "position": 1}, {"layer": "last", "position": 2})
    content = page(list(read_runs(tmp_path).values())).decode()
    asked = [json.loads(html.unescape(found)) for found in re.findall(r'data-answer="([^"]*)"', content)]
    pairs = {
        (query["run"], query["layer"], query["layer2"])
        for name, *rest in asked
        if name == "match"
        for query in [dict(rest)]
    }
    assert ("two/filters", "last", "last") in pairs  # at position 2, where the other has none
    assert ("one/filters", "last", "new") in pairs
