"""What the menu "Save" hands over, in both browsers: the very pixels, of what is seen, of a filter, of every epoch."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from selenium.webdriver.common.keys import Keys

from tests.plugin.browser import Browser, needs_browser, view
from tests.plugin.firefox import Firefox, needs_firefox
from tests.plugin.serving import pixels, write
from tests.tensorboard import TensorBoard, tensorboard

pytestmark = pytest.mark.slow

EPOCHS = 4
SHAPE = (6, 5, 5, 1)
FILTER = 4
GAP, CAPTION, NAMES = 4, 22, 16
SLIDER = "input[type=range]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TensorBoard]:
    log_dir = tmp_path_factory.mktemp("logs")
    write(log_dir, range(-1, EPOCHS), {"layer": "conv_a", "shape": SHAPE})
    with tensorboard(log_dir) as started:
        yield started


@pytest.fixture(
    params=[
        pytest.param("window", marks=needs_browser, id="chromium"),
        pytest.param("fox", marks=needs_firefox, id="firefox"),
    ]
)
def tab(request: pytest.FixtureRequest, server: TensorBoard) -> Iterator[Browser | Firefox]:
    opened: Browser | Firefox = request.getfixturevalue(request.param)
    opened.open(view(server, view="grid", filter=FILTER))
    opened.loaded()
    yield opened
    assert opened.complaints() == []


def save(tab: Browser | Firefox, what: str, name: str) -> Path:
    """Choose an entry of the menu; the file, once it is whole and the tab has said so."""
    target = tab.downloads / name
    target.unlink(missing_ok=True)
    tab.click("Save")
    found = tab.run(
        "const all = [...document.querySelectorAll('.menu-item')];"
        "const item = all.find((one) => one.innerText.startsWith(arguments[0]));"
        "item?.click(); return Boolean(item)",
        what,
    )
    assert found, what

    def is_whole() -> bool:
        return target.exists() and target.stat().st_size > 0 and not target.with_name(f"{name}.part").exists()

    tab.wait(is_whole, name)
    tab.wait(
        lambda: f"saved as {name}" in tab.run("return document.querySelector('.stage-hint').innerText"), "the word"
    )
    return target


def at(picture: Image.Image, left: int, top: int, scale: int) -> npt.NDArray[np.uint8]:
    """A tile of 5 x 5 pixels, each `scale` large."""
    middles = (np.arange(5) * scale + scale // 2).astype(int)
    found: npt.NDArray[np.uint8] = np.asarray(picture.convert("L"))[top + middles][:, left + middles]
    return found


def scale_in(tab: Browser | Firefox) -> tuple[int, int]:
    shown: dict[str, Any] = tab.run(
        "const all = [...document.querySelectorAll('.stage .grid')][1].querySelectorAll('[role=option]');"
        "const first = all[0].getBoundingClientRect();"
        "const row = [...all].filter((one) => one.getBoundingClientRect().top === first.top);"
        "return {width: first.width, columns: row.length}"
    )
    return int(shown["width"]) // 5, int(shown["columns"])


def truth(step: int) -> npt.NDArray[np.uint8]:
    return pixels(step, "conv_a", SHAPE)[FILTER, ..., 0]


def test_what_is_seen(tab: Browser | Firefox) -> None:
    scale, columns = scale_in(tab)
    left = GAP + FILTER % columns * (5 * scale + GAP)
    top = CAPTION + GAP + FILTER // columns * (5 * scale + GAP)
    with Image.open(save(tab, "Picture", "filters-conv_a-epoch_3.png")) as picture:
        assert np.array_equal(at(picture, left, top, scale), truth(3))


def test_one_filter(tab: Browser | Firefox) -> None:
    tab.press_at(SLIDER, Keys.HOME)
    with Image.open(save(tab, f"Filter {FILTER}", "filters-conv_a-before_training-filter_4.png")) as picture:
        scale = (picture.width - 2 * GAP) // 5
        assert scale > 50
        assert np.array_equal(at(picture, GAP, CAPTION + GAP, scale), truth(-1))


def test_its_filmstrip(tab: Browser | Firefox) -> None:
    with Image.open(save(tab, "Filmstrip", "filters-conv_a-filter_4.png")) as picture:
        count = EPOCHS + 1
        scale = ((picture.width - GAP) // count - GAP) // 5
        for place in range(count):
            left = GAP + place * (5 * scale + GAP)
            assert np.array_equal(at(picture, left, CAPTION + GAP, scale), truth(place - 1))
        assert picture.height > CAPTION + 5 * scale + NAMES


@pytest.mark.parametrize(("what", "ending"), [("Animated PNG", "png"), ("GIF", "gif")])
def test_every_epoch(tab: Browser | Firefox, what: str, ending: str) -> None:
    scale, columns = scale_in(tab)
    left = GAP + FILTER % columns * (5 * scale + GAP)
    top = CAPTION + GAP + FILTER // columns * (5 * scale + GAP)
    with Image.open(save(tab, what, f"filters-conv_a.{ending}")) as film:
        assert film.n_frames == EPOCHS + 1  # type: ignore[attr-defined]
        for frame in range(film.n_frames):  # type: ignore[attr-defined]
            film.seek(frame)
            assert np.array_equal(at(film, left, top, scale), truth(frame - 1))
    assert tab.run("return document.querySelector('.readout').innerText") == "Epoch 3"  # where one was


def test_a_video_plays_as_long_as_it_should(tab: Browser | Firefox) -> None:
    path = save(tab, "WebM video", "filters-conv_a.webm")
    content = path.read_bytes()
    assert content[:4] == b"\x1a\x45\xdf\xa3"  # EBML
    if isinstance(tab, Browser):
        tab.driver.get(path.as_uri())
    else:
        tab.go(path.as_uri())
    script = (
        "const it = document.querySelector('video'); return it && it.readyState > 1 && [it.duration, it.videoWidth]"
    )
    duration, width = tab.wait(lambda: tab.run(script), "the video")
    assert duration == pytest.approx(EPOCHS / 5 + 1, abs=0.15)
    assert width > 100
