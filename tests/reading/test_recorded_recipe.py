import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz.errors import SeriesError
from tb_filterviz.reading.recorded_recipe import DEEPEST, LARGEST_RECIPE_BYTES, read_recipe
from tests.plugin.described import JSON, RECIPE, encoded


def nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(depth):
        found = {"a": found}
    return found


def test_a_recipe_comes_back_as_it_was_written() -> None:
    assert read_recipe(encoded(RECIPE)) == RECIPE["recipe"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"recipe": None}, "holds no recipe"),
        ({"recipe": []}, "holds no recipe"),
        ({"kind": "tiles"}, "holds no recipe"),
        ({"version": 3}, "written by a newer tb_filterviz"),
        ({"recipe": {"a": "b" * LARGEST_RECIPE_BYTES}}, "above 512 KiB"),
        ({"recipe": nested(DEEPEST + 1)}, "nested more than 12 deep"),
    ],
)
def test_a_recipe_that_is_none_is_refused_with_a_sentence(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(SeriesError, match=message):
        read_recipe(encoded(RECIPE, changed))


@given(content=st.dictionaries(st.text(), JSON).map(lambda value: encoded(RECIPE, {"recipe": value})))
def test_whatever_it_holds_can_be_answered(content: bytes) -> None:
    answer = json.dumps(read_recipe(content), allow_nan=False, ensure_ascii=False).encode()
    assert len(answer) < 10 * len(content)


def test_texts_are_cut_and_odd_numbers_dropped() -> None:
    content = b'{"version": 2, "kind": "recipe", "recipe": {"a": NaN, "b": [-Infinity, 1.5], "\\ud800": "%s"}}' % (
        b"x" * 5000
    )
    assert read_recipe(content) == {"a": None, "b": [None, 1.5], "?": "x" * 1000}
