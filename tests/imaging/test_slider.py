import html.parser
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz.imaging.encode import to_png
from tb_filterviz.imaging.slider import (
    ENOUGH_FILTERS,
    WIDEST_PX,
    Slide,
    html_bytes,
    media_type,
    shown_times,
    sizes,
    slider,
    small_grid,
)
from tests.notebooks import pictures

PICTURES = [np.full((3, 4, 1), level, np.uint8) for level in (10, 20, 30)]
HOSTILE = "</div><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"


class Elements(html.parser.HTMLParser):
    """The elements of HTML with their attributes, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _slides(*captions: str) -> list[Slide]:
    return [Slide(to_png(picture), caption) for picture, caption in zip(PICTURES, captions, strict=False)]


def test_without_scripts_the_last_picture_and_its_caption_are_seen() -> None:
    made = slider(_slides("one", "two", "three"), label="Epoch", width_px=40, note="2 of 3 steps")
    (seen,) = pictures(made)
    assert np.array_equal(seen, PICTURES[2])
    page = Elements(made)
    assert page.words == ["three", "2 of 3 steps"]
    assert {tag for tag, _ in page.found} == {"div", "img"}  # no control that would do nothing, no id to be taken twice
    (image,) = [attributes for tag, attributes in page.found if tag == "img"]
    assert (image["alt"], image["width"]) == ("three", "40")
    assert not any("id" in attributes for _, attributes in page.found)


def test_one_picture_has_no_slider() -> None:
    page = Elements(slider(_slides("alone"), label="Epoch", width_px=4, is_enlarged=False))
    (image,) = [attributes for tag, attributes in page.found if tag == "img"]
    assert set(image) == {"src", "alt", "width", "style"}
    assert "pixelated" not in (image["style"] or "")


def test_texts_stay_texts() -> None:
    made = slider(_slides("one", HOSTILE), label=HOSTILE, width_px=4, note=HOSTILE)
    page = Elements(made)
    assert page.words == [HOSTILE, HOSTILE]
    assert [tag for tag, _ in page.found].count("img") == 1
    assert "script" not in [tag for tag, _ in page.found]
    (image,) = [attributes for tag, attributes in page.found if tag == "img"]
    assert (image["alt"], image["data-label"]) == (HOSTILE, HOSTILE)
    assert "onerror" not in image


def test_a_picture_says_what_it_is() -> None:
    assert media_type(to_png(PICTURES[0])) == "image/png"
    assert media_type(b"RIFF....WEBP") == "image/webp"


@given(st.binary(max_size=50))
def test_the_size_of_html_is_known_before(data: bytes) -> None:
    import base64

    assert html_bytes(len(data)) == len(base64.b64encode(data))


@given(count=st.integers(1, 3000), height=st.integers(1, 64), width=st.integers(1, 64))
def test_what_is_shown_has_room(count: int, height: int, width: int) -> None:
    tried = list(sizes(count, max(height, width), least_px=8))
    assert tried[0][0] == count
    assert tried[-1][0] == min(count, ENOUGH_FILTERS)
    for shown, largest_px in tried:
        columns = math.ceil(math.sqrt(shown))
        assert largest_px <= max(height, width)
        assert columns * (largest_px + 1) <= WIDEST_PX or largest_px == 1
    factor = math.ceil(max(height, width) / tried[0][1])
    shown_height, shown_width = -(-height // factor), -(-width // factor)
    scale = small_grid(shown_height, shown_width).scale
    assert scale is not None
    picture_px = math.ceil(math.sqrt(count)) * (scale * shown_width + 1) - 1
    times = shown_times(picture_px, shown_height, shown_width, 64)
    assert times == 1 or picture_px * times <= WIDEST_PX


@pytest.mark.parametrize(("side", "scale", "times"), [(3, 4, 6), (5, 3, 5), (14, 1, 5), (28, 1, 3), (64, 1, 1)])
def test_small_tiles_are_stored_small_and_shown_large(side: int, scale: int, times: int) -> None:
    assert small_grid(side, side).scale == scale
    assert shown_times(100, side, side, 64) == times
