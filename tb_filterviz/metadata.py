"""The contract between what writes filters and what shows them: run names, tags, and the metadata of each series."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tb_filterviz.examples.stored import StoredExamples
from tb_filterviz.parts.statistics import Statistic
from tb_filterviz.snapshots import LayerSnapshot

PLUGIN_NAME = "filterviz"
METADATA_VERSION = 2  # every version from 1 to this one can be read
RUN_NAME = "filters"

ResponseKind = Literal["patches", "classes", "maps", "map_scales"]
KernelKind = Literal["channels", "slices", "effective"]

# TensorBoard reads a tag's whole series in one answer of at most 256 MiB: this leaves room for 2000 steps.
TILES_BYTES_PER_TAG = 128 * 1024
STORED_TILE_PX = 64  # larger tiles are stored smaller: the tab shows many at once

RECIPE_TAG = f"{PLUGIN_NAME}/recipe"
FAILURES_TAG = f"{PLUGIN_NAME}/failures"


def run_name(number: int) -> str:
    """Name the run number 1, 2, ... of a log directory: ``filters``, ``filters_2``, ..."""
    return RUN_NAME if number == 1 else f"{RUN_NAME}_{number}"


def run_number(name: str) -> int | None:
    """Tell which number a run's name has; None if it is no run of ours."""
    found = re.fullmatch(rf"{RUN_NAME}(?:_([2-9]|[1-9][0-9]{{1,8}}))?", name)
    return int(found[1] or 1) if found else None


def safe_tag(name: str) -> str:
    """Replace the characters that TensorBoard's readers trip over; the true name is in the metadata."""
    return re.sub(r'["\\\x00-\x1f\x7f]', "_", name)


def image_tag(layer: str) -> str:
    """Name the tag of the rendered grid."""
    return f"{RUN_NAME}/{safe_tag(layer)}"


def map_image_tag(layer: str, example: int) -> str:
    """Name the tag of the rendered grid of maps on one example."""
    return f"{RUN_NAME}_maps/{safe_tag(layer)}/example_{example}"


def tiles_tag(layer: str, part: int) -> str:
    """Name the tag of the tiles; large layers continue in ``tiles_1``, ``tiles_2`` and so on."""
    return f"{PLUGIN_NAME}/{safe_tag(layer)}/tiles" + (f"_{part}" if part else "")


def statistic_tag(layer: str, name: str) -> str:
    """Name the tag of one statistic."""
    return f"{PLUGIN_NAME}/{safe_tag(layer)}/statistics/{name}"


def scalar_tag(layer: str, name: str) -> str:
    """Name the tag of one curve."""
    return f"{PLUGIN_NAME}/{safe_tag(layer)}/{name}"


def last_tag(layer: str) -> str:
    """Name the tag that is written last of a layer: a step that has it is whole."""
    return scalar_tag(layer, "share_responsive")


def examples_tag(part: int) -> str:
    """Name the tag of a part of the examples."""
    return f"{PLUGIN_NAME}/examples" + (f"_{part}" if part else "")


def responses_tag(layer: str, kind: ResponseKind, part: int = 0) -> str:
    """Name the tag of what a layer's filters answer to examples: ``patches``, ``classes``, ``maps``, ``map_scales``."""
    return f"{PLUGIN_NAME}/{safe_tag(layer)}/responses/{kind}" + (f"_{part}" if part else "")


def kernels_tag(layer: str, kind: KernelKind, part: int = 0) -> str:
    """Name the tag of the kernels of a layer: ``channels``, ``slices``, ``effective``."""
    return f"{PLUGIN_NAME}/{safe_tag(layer)}/kernels/{kind}" + (f"_{part}" if part else "")


def tile_parts(tiles: npt.NDArray[np.uint8]) -> list[slice]:
    """Cut filters ``[n, h, w, c]`` into ranges of at most `TILES_BYTES_PER_TAG`, at least one filter each."""
    per_part = max(1, TILES_BYTES_PER_TAG // max(1, tiles[0].nbytes)) if len(tiles) else 1
    return [slice(first, min(first + per_part, len(tiles))) for first in range(0, len(tiles), per_part)]


def _encoded(kind: str, content: Mapping[str, Any]) -> bytes:
    return json.dumps({"version": METADATA_VERSION, "kind": kind, **content}, sort_keys=True).encode()


def _of_layer(snapshot: LayerSnapshot) -> dict[str, Any]:
    return {
        "layer": snapshot.layer,
        "position": snapshot.position,
        "unit": snapshot.unit,
        "filters": len(snapshot.tiles),
    }


def encode_tiles(snapshot: LayerSnapshot, shape: Sequence[int], part: slice) -> bytes:
    """Describe one part of a layer's tiles, in JSON that is constant for a tag: TensorBoard keeps only the first.

    Args:
        snapshot: of the layer.
        shape: of a value, ``[n, h, w, c]``.
        part: which of the snapshot's filters it holds.
    """
    content = {
        **_of_layer(snapshot),
        "objective": snapshot.objective,
        "objective_label": snapshot.objective_label,
        "description": snapshot.description,
        "receptive_field": snapshot.receptive_field,
        "channels": snapshot.channels,
        "shape": list(shape),
        "first_filter": part.start,
    }
    indices = snapshot.filters[part].tolist()
    if indices != list(range(part.start, part.stop)):
        content["indices"] = indices
    return _encoded("tiles", content)


def encode_statistic(snapshot: LayerSnapshot, statistic: Statistic) -> bytes:
    """Describe one statistic of a layer, with what the tab has to know of it."""
    return _encoded(
        "statistic",
        {
            **_of_layer(snapshot),
            "shape": [len(snapshot.tiles)],
            "name": statistic.name,
            "label": statistic.label or statistic.name,
            "description": statistic.description,
            "value_unit": statistic.unit,
            "sort": statistic.sort,
        },
    )


def encode_responses(snapshot: LayerSnapshot, kind: ResponseKind, shape: Sequence[int], first_filter: int = 0) -> bytes:
    """Describe a part of what a layer's filters answer to examples.

    Args:
        snapshot: of the layer, with responses.
        kind: which of them.
        shape: of a value, ``[n, ...]``.
        first_filter: which of the snapshot's filters is its first.
    """
    responses = snapshot.responses
    assert responses is not None
    footprint = responses.footprint
    return _encoded(
        kind,
        {
            **_of_layer(snapshot),
            "shape": list(shape),
            "first_filter": first_filter,
            "read_at": responses.read_at,
            "is_gated": responses.is_gated,
            "footprint": {
                "box": [footprint.top, footprint.left, footprint.height, footprint.width],
                "unit": [footprint.row, footprint.column],
                "strides": list(footprint.strides),
            },
        },
    )


def encode_kernels(snapshot: LayerSnapshot, kind: KernelKind, shape: Sequence[int], first_filter: int = 0) -> bytes:
    """Describe a part of a layer's kernels.

    Args:
        snapshot: of the layer.
        kind: which pictures of them.
        shape: of a value, ``[n, ...]``.
        first_filter: which of the snapshot's filters is its first.
    """
    return _encoded(kind, {**_of_layer(snapshot), "shape": list(shape), "first_filter": first_filter})


def encode_examples(stored: StoredExamples) -> bytes:
    """Describe a part of the examples: whose pictures they are, and where each ends."""
    return _encoded(
        "examples",
        {
            "first": stored.first,
            "count": stored.count,
            "image_shape": list(stored.shape),
            "sides": list(stored.sides),
            "media_type": stored.media_type,
            "sizes": [len(picture) for picture in stored.pictures],
            "shape": [sum(map(len, stored.pictures))],
            "labels": list(stored.labels),
            "class_names": list(stored.class_names),
            "mapped": list(stored.mapped),
        },
    )


def encode_recipe(recipe: Mapping[str, Any]) -> bytes:
    """Hold the recipe of a run, see `recipe`."""
    return _encoded("recipe", {"recipe": recipe})


def decode_metadata(content: bytes) -> dict[str, Any]:
    """Read what one of the functions above wrote, in this version or one before.

    Raises:
        ValueError: if it is not JSON, not an object, or of a version after ours.
    """
    try:
        decoded = json.loads(content)
    except RecursionError as error:
        raise ValueError("Not metadata: nested too deeply.") from error
    version = decoded.get("version") if isinstance(decoded, dict) else None
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ValueError(f"Not metadata of {PLUGIN_NAME}. Received: {content[:80]!r}")
    if version > METADATA_VERSION:
        raise ValueError(
            f"Written by a newer tb_filterviz, in format {version}; this one reads up to {METADATA_VERSION}."
        )
    found: dict[str, Any] = decoded
    return found
