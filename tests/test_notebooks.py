"""Notebooks, run by real kernels, turned into pages, and looked at in a real browser."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import numpy.typing as npt
import pytest
from nbconvert import HTMLExporter
from selenium.webdriver.common.keys import Keys

from tb_filterviz import FilterRun, GridConfig, read_run
from tests.make_notebooks import WITH_OUTPUTS
from tests.notebooks import EXAMPLES, Notebook, execute, outputs, pictures
from tests.plugin import serving
from tests.plugin.browser import AXE, Browser, browser, check_accessibility, needs_browser

NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
COLAB_ONLY = "colab-only"

READ_PICTURE = """
const [range] = arguments, picture = range.parentNode.previousElementSibling;
return picture.decode().then(() => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [picture.naturalWidth, picture.naturalHeight];
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  return [canvas.height, canvas.width, [...pixels], picture.alt, picture.parentNode.lastElementChild.innerText];
});
"""


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile"), width=1000, height=900) as opened:
        yield opened


def _open(window: Browser, page: Path) -> list[Any]:
    """The sliders of a page from a file, once they are there."""
    window.driver.get(page.as_uri())
    window.wait(lambda: window.all("input[type=range]"), "a slider")
    return window.all("input[type=range]")


def _seen(window: Browser, slider: Any) -> tuple[npt.NDArray[np.uint8], str]:
    """What is above a slider, uint8 ``[h, w, 3]``, and its caption, which a reader of screens hears as well."""
    height, width, pixels, spoken, caption = window.run(READ_PICTURE, slider)
    assert spoken == caption == slider.get_attribute("aria-valuetext")
    return np.array(pixels, np.uint8).reshape(height, width, 4)[..., :3], caption


def _check_slider(window: Browser, slider: Any, run: FilterRun, layer: str) -> None:
    """By keyboard alone, every step is reached, and is what the run holds."""
    series = run[layer]
    steps = series.steps.tolist()
    scale = -(-12 // max(series.tile_shape[:2]))
    assert slider.get_attribute("aria-label") == f"Epoch of {layer}"
    window.run("arguments[0].focus()", slider)
    moves = [(Keys.HOME, at) if at == 0 else (Keys.RIGHT, at) for at in range(len(steps))]
    for key, at in [
        (None, len(steps) - 1),
        *moves,
        (Keys.HOME, 0),
        (Keys.END, len(steps) - 1),
        (Keys.LEFT, len(steps) - 2),
    ]:
        if key is not None:
            window.press(key)
        seen, caption = _seen(window, slider)
        expected = series.grid(steps[at], GridConfig(scale=scale, margin_px=1))
        assert np.array_equal(seen, np.broadcast_to(expected, seen.shape)), (layer, steps[at])
        when = "before training" if steps[at] < 0 else f"epoch {steps[at]}"
        assert caption.startswith(f"{layer}, {when}")


def _check_console(window: Browser) -> None:
    assert window.driver.get_log("browser") == []  # type: ignore[no-untyped-call]


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("colours", ["", "background: #111; color: #ddd"], ids=["light", "dark"])
def test_sliders_move_by_keyboard_several_on_a_page(window: Browser, tmp_path: Path, colours: str) -> None:
    runs: list[FilterRun] = []
    for name, steps in (("a", 5), ("b", 3)):
        layers: list[dict[str, Any]] = [{"layer": "conv"}, {"layer": "deep", "shape": (9, 14, 14, 3), "position": 1}]
        serving.write(tmp_path / name, range(-1, steps), *layers)
        runs.append(read_run(tmp_path / name))
    page = tmp_path / "page.html"
    blocks = "".join(run._repr_html_() for run in [*runs, runs[0]])  # the same output twice
    page.write_text(f"<!doctype html><html lang=en><title>Runs</title><body style='{colours}'><main>{blocks}</main>")
    sliders = _open(window, page)
    assert len(sliders) == 6
    shown = [(run, layer) for run in [*runs, runs[0]] for layer in run]
    for place, (run, layer) in enumerate(shown):
        others = [slider.get_attribute("value") for slider in sliders[place + 1 :]]
        _check_slider(window, sliders[place], run, layer)
        assert [slider.get_attribute("value") for slider in sliders[place + 1 :]] == others
    if AXE.exists():
        check_accessibility(window)
    _check_console(window)


@needs_browser
def test_play_shows_one_step_after_the_other(window: Browser, tmp_path: Path) -> None:
    serving.write(tmp_path, range(4))
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html>{read_run(tmp_path)['conv2d_1']._repr_html_()}")
    (slider,) = _open(window, page)
    window.run(
        "window.seen = []; const [range] = arguments;"
        "new MutationObserver(() => seen.push(range.value)).observe(range, {attributeFilter: ['aria-valuetext']})",
        slider,
    )
    (play,) = window.all("button")
    play.send_keys(Keys.ENTER)
    assert play.text == "Stop"
    window.wait(lambda: play.text == "Play", "the end")
    assert window.run("return window.seen") == ["0", "1", "2", "3"]
    play.click()
    window.wait(lambda: slider.get_attribute("value") == "1", "the second step")
    play.click()
    assert play.text == "Play"
    _check_console(window)


@needs_browser
def test_where_scripts_do_not_run_there_is_the_last_picture_and_no_control(window: Browser, tmp_path: Path) -> None:
    serving.write(tmp_path, range(4))
    page = tmp_path / "page.html"
    policy = "<meta http-equiv='Content-Security-Policy' content=\"script-src 'none'\">"
    page.write_text(f"<!doctype html>{policy}{read_run(tmp_path)._repr_html_()}")
    window.driver.get(page.as_uri())
    picture = window.one("img")
    assert window.run("return arguments[0].naturalWidth", picture) == 3 * 16 - 1
    assert "conv2d_1, epoch 3" in window.text()
    assert window.all("input, button") == []
    window.driver.get_log("browser")  # type: ignore[no-untyped-call]  # says that a script was not run


def _without(notebook: Notebook, tag: str) -> list[str]:
    """Take out the cells with a tag, and return what they hold."""
    left_out = [cell.source for cell in notebook.cells if tag in cell.metadata.get("tags", [])]
    notebook.cells = [cell for cell in notebook.cells if tag not in cell.metadata.get("tags", [])]
    return left_out


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_runs_and_its_page_can_be_used(path: Path, window: Browser, tmp_path: Path) -> None:
    written = nbformat.read(path, as_version=4)
    left_out = _without(written, COLAB_ONLY)
    print(f"Left out, as they install from a registry or start a server: {left_out}")
    assert len(left_out) == (2 if path.stem == "colab" else 0)
    execute(written, tmp_path)
    run = read_run(tmp_path / "logs")
    assert run.layers == ["conv2d_1", "conv2d_2"]
    assert (tmp_path / "filters.gif").read_bytes()[:4] == b"GIF8"
    assert b"conv2d_2" in (tmp_path / "filters.html").read_bytes()
    exporter = HTMLExporter(mathjax_url="", require_js_url="", mermaid_js_url="")
    page, _ = exporter.from_notebook_node(written)
    (tmp_path / "notebook.html").write_text(page, encoding="utf-8")
    sliders = _open(window, tmp_path / "notebook.html")
    assert len(sliders) == 2
    for slider, layer in zip(sliders, run.layers, strict=True):
        _check_slider(window, slider, run, layer)
    _check_console(window)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_kept_of_a_notebook_is_small_and_of_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    kept = nbformat.read(path, as_version=4)
    cells = [cell for cell in kept.cells if cell.cell_type == "code"]
    nbformat.validate(kept)
    assert not re.search(r'"(/|[A-Z]:\\\\)|/(home|root|tmp|Users)/', text)
    assert kept.metadata.kernelspec.name == "python3"
    if path.name not in WITH_OUTPUTS:
        assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)
        return
    assert len(text) < 1_000_000
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [
        each for cell in cells for each in cell.outputs if each.output_type == "error" or each.get("name") == "stderr"
    ]


def test_a_page_of_a_repository_shows_pictures_of_the_notebook() -> None:
    """What stays of its outputs without a script, as on GitHub."""
    kept = nbformat.read(EXAMPLES / "lenet.ipynb", as_version=4)
    cells = [cell for cell in kept.cells if cell.cell_type == "code"]
    seen = [picture.shape for cell in cells for made in outputs(cell) for picture in pictures(made)]
    tiny, small = (4 * 16 - 1, 5 * 16 - 1, 1), (7 * 15 - 1, 8 * 15 - 1, 1)
    assert seen == [tiny, small, tiny, small]
    assert sum(len(outputs(cell, "image/png")) for cell in cells) == 3


def test_notebooks_are_json_as_a_diff_can_show() -> None:
    for path in NOTEBOOKS:
        text = path.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
