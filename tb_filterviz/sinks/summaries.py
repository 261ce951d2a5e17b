"""What every log shows of a snapshot: its pictures and its curves, under the same names everywhere."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tb_filterviz.config import Config, GridConfig
from tb_filterviz.imaging.layout import grid_for_a_screen
from tb_filterviz.metadata import image_tag, map_image_tag, scalar_tag
from tb_filterviz.parts.statistics import STATISTICS, Statistic, statistics_of
from tb_filterviz.snapshots import LayerSnapshot


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureSummary:
    """A picture of the Images tab.

    Attributes:
        tag: its name, ``filters/conv2d_1``.
        pixels: uint8 ``[h, w, c]``, ``c`` 1 (gray) or 3 (RGB).
        description: what it shows, in a sentence that holds for every step.
    """

    tag: str
    pixels: npt.NDArray[np.uint8]
    description: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CurveSummary:
    """A point of a curve.

    Attributes:
        tag: its name, ``filterviz/conv2d_1/mean_score``.
        label: what the tab calls the curve.
        value: may be not a number.
    """

    tag: str
    label: str
    value: np.float32


def pictures_of(snapshot: LayerSnapshot, config: GridConfig) -> Iterator[PictureSummary]:
    """List the grid of a layer; then where its filters answer to each example, if that is wanted as pictures."""
    cells = (snapshot.scores, snapshot.responsive, snapshot.flat)
    grid = grid_for_a_screen(snapshot.tiles, *cells, config)
    yield PictureSummary(tag=image_tag(snapshot.layer), pixels=grid, description=snapshot.describe())
    responses = snapshot.responses
    if responses is None or responses.maps is None or not responses.maps_as_images:
        return
    for place, example in enumerate(responses.mapped):
        maps = grid_for_a_screen(responses.maps[:, place, ..., None], *cells, replace(config, marks=False))
        text = f"Where the filters of {snapshot.layer} answer to example {example}, each to its own scale."
        yield PictureSummary(tag=map_image_tag(snapshot.layer, example), pixels=maps, description=text)


def curves_of(snapshot: LayerSnapshot, statistics: Mapping[str, Statistic]) -> Iterator[CurveSummary]:
    """List the mean of each statistic that has a curve, and something to say at this step.

    Args:
        snapshot: of the layer.
        statistics: what is known of them, by name; others have no curve.
    """
    for name, values in snapshot.statistics.items():
        statistic = statistics.get(name)
        if statistic is None or not statistic.has_curve:
            continue
        if snapshot.is_first and statistic.reads in ("history", "revisit"):
            continue
        known = values[~np.isnan(values)] if statistic.reads == "responses" else values
        mean = np.float32(known.mean() if len(known) else np.nan)
        yield CurveSummary(tag=scalar_tag(snapshot.layer, statistic.curve), label=statistic.curve_label, value=mean)


def known_statistics(config: Config) -> dict[str, Statistic]:
    """List by name all statistics of this package, and those of a configuration, which may be of one's own."""
    return {**STATISTICS, **{statistic.name: statistic for statistic in statistics_of(config.statistics)}}
