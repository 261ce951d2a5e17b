"""How a run was drawn, as its recipe says; of any size and shape, since anybody may have written it."""

import math
from typing import Any

from tb_filterviz.errors import SeriesError
from tb_filterviz.reading.descriptions import decode
from tb_filterviz.reading.validation import LONGEST_TEXT, whole_characters

LARGEST_RECIPE_BYTES = 512 << 10  # ten times that of a network of 500 layers
DEEPEST = 12


def read_recipe(content: bytes) -> dict[str, Any]:
    """Read the recipe in the metadata of its tag, as JSON that any browser can take.

    Raises:
        SeriesError: if there is none, or one that nobody would want to read.
    """
    if len(content) > LARGEST_RECIPE_BYTES:
        raise SeriesError(f"the recipe is above {LARGEST_RECIPE_BYTES >> 10} KiB")
    found = decode(content)
    recipe = found.get("recipe")
    if found.get("kind") != "recipe" or not isinstance(recipe, dict):
        raise SeriesError("its metadata holds no recipe")
    cleaned: dict[str, Any] = _cleaned(recipe, DEEPEST)
    return cleaned


def _cleaned(value: Any, depth: int) -> Any:
    """Shorten long texts, replace what is no number or half a character, refuse what is nested too deeply."""
    if depth < 0:
        raise SeriesError(f"the recipe is nested more than {DEEPEST} deep")
    if isinstance(value, dict):
        return {_cleaned(name, depth): _cleaned(inner, depth - 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner, depth - 1) for inner in value]
    if isinstance(value, str):
        return whole_characters(value[:LONGEST_TEXT])
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
