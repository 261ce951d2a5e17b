"""Statistics: one number for every filter at every step, beside its picture.

Whether a filter is *responsive* or *stuck*, whether its picture is *flat*, and how much it changed is decided here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from tb_filterviz.errors import ConfigError
from tb_filterviz.parts.registry import check_callable, check_texts, registered, resolve

if TYPE_CHECKING:
    from tb_filterviz.history import Comparison
    from tb_filterviz.optvis.maximize import Maximized
    from tb_filterviz.optvis.revisit import Revisit
    from tb_filterviz.snapshots import LayerResponses

Values = npt.NDArray[np.float32]
Unit = Literal["number", "share", "flag"]
Sort = Literal["ascending", "descending"]

SAME_PICTURE = 0.01  # RMS difference of tiles, of 1, up to which two pictures count as the same
STILL = 0.05  # of `change`: a picture that moves no further rests


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """What is computed for every filter, stored beside its picture, and shown in the tab.

    ```python
    def peak(maximized):
        return maximized.peaks

    statistic = Statistic(name="peak", label="peak", compute=peak, description="largest response of any unit")
    FilterVisualizer("logs", config=Config(statistics=[statistic]))
    ```

    Attributes:
        name: lower case letters, digits and ``_``; it is part of a tag.
        compute: a function of one argument that returns ``[n]`` numbers or truth values. With ``reads="ascent"`` the
            argument is a `Maximized`: images, scores over the steps, peaks, of a batch of filters. With
            ``reads="history"`` it is a `Comparison`: the tiles of now, of the step before, and of the run's first. With
            ``reads="revisit"`` it is a `Revisit`: images and kernels of now and of the step before, and how far the
            network's score rises with any images. Where the step before was drawn by another process (in a run that
            goes on, or from checkpoints), the statistic is not a number. With ``reads="responses"`` it is a
            `LayerResponses`, what the filters answer to examples.
        description: what it says, in a sentence or less.
        label: what the tab calls it; without it, the name.
        reads: see `compute`.
        unit: ``"number"``; ``"share"``, shown in percent; or ``"flag"``, 0 or 1.
        sort: which end comes first when the tab sorts filters by it; None: it does not sort by it.
        has_curve: True if its mean over the filters of a layer is logged as a scalar.

    Raises:
        ConfigError: if a field cannot work.
    """

    name: str
    compute: Callable[[Any], Any]
    description: str
    label: str = ""
    reads: Literal["ascent", "history", "revisit", "responses"] = "ascent"
    unit: Unit = "number"
    sort: Sort | None = "descending"
    has_curve: bool = True

    def __post_init__(self) -> None:
        check_texts("statistic", name=self.name, label=self.label, description=self.description, is_tag=True)
        check_callable("statistic", self.name, "compute", self.compute)
        for field, choices in (
            ("reads", ("ascent", "history", "revisit", "responses")),
            ("unit", ("number", "share", "flag")),
            ("sort", (None, "ascending", "descending")),
        ):
            if getattr(self, field) not in choices:
                raise ConfigError(
                    f"`{field}` of statistic {self.name!r} must be one of {choices}. "
                    f"Received: {field}={getattr(self, field)!r}"
                )

    @property
    def curve(self) -> str:
        """The name of its curve: ``share_responsive``, ``mean_score``."""
        return f"{'share' if self.unit == 'flag' else 'mean'}_{self.name}"

    @property
    def curve_label(self) -> str:
        """What the tab calls its curve."""
        return (self.label or self.name) if self.unit == "flag" else f"mean {self.label or self.name}"

    def values(self, argument: Any, filters: int) -> Values:
        """Compute float32 ``[filters]``.

        Raises:
            ConfigError: if it fails, or returns anything else.
        """
        try:
            values = np.asarray(self.compute(argument))
        except Exception as error:
            raise ConfigError(f"Statistic {self.name!r} failed: {type(error).__name__}: {error}") from error
        if values.shape != (filters,) or values.dtype.kind not in "biuf":
            raise ConfigError(
                f"Statistic {self.name!r} must return a number for each of {filters} filters. "
                f"Received: an array of shape {values.shape} and dtype {values.dtype}"
            )
        if self.unit == "flag" and not np.isin(values, (0, 1)).all():
            raise ConfigError(
                f"Statistic {self.name!r} has the unit 'flag', so it must return 0 or 1. Received: {values}"
            )
        return np.asarray(values, np.float32)


def _score(maximized: "Maximized") -> npt.NDArray[np.float32]:
    return np.asarray(maximized.scores[-1])


def _gain(maximized: "Maximized") -> npt.NDArray[np.float32]:
    return maximized.gains


def _responsive(maximized: "Maximized") -> npt.NDArray[np.bool_]:
    return is_responsive(
        maximized.scores, maximized.peaks, maximized.images, stays_positive=maximized.config.ascent.stays_positive
    )


def _flat(maximized: "Maximized") -> npt.NDArray[np.bool_]:
    return is_flat(maximized.shown(maximized.start), maximized.shown(maximized.images))


def _kept(maximized: "Maximized") -> npt.NDArray[np.float32]:
    return maximized.kept


def _agreement(maximized: "Maximized") -> npt.NDArray[np.float32]:
    return maximized.agreement


def _change(comparison: "Comparison") -> npt.NDArray[np.float32]:
    return relative_change(comparison.before, comparison.tiles, difference_between_filters(comparison.first))


def _change_since_start(comparison: "Comparison") -> npt.NDArray[np.float32]:
    return relative_change(comparison.first, comparison.tiles, difference_between_filters(comparison.first))


def _transfer(revisit: "Revisit") -> npt.NDArray[np.float32]:
    now, before = revisit.rises(revisit.images), revisit.rises(revisit.before)
    return np.asarray(np.where(now > 0, 1 - before / np.where(now > 0, now, 1), np.nan), np.float32)


def _kernel_change(revisit: "Revisit") -> npt.NDArray[np.float32]:
    now, before = revisit.kernels, revisit.kernels_before
    if now is None or before is None:
        return np.full(len(revisit.images), np.nan, np.float32)
    sizes = np.linalg.norm(now, axis=1) * np.linalg.norm(before, axis=1)
    return np.asarray(1 - (now * before).sum(axis=1) / np.maximum(sizes, 1e-30), np.float32)


def _excited(responses: "LayerResponses") -> npt.NDArray[np.float32]:
    return responses.excited


def _on(responses: "LayerResponses") -> npt.NDArray[np.float32]:
    return responses.on


def _selectivity(responses: "LayerResponses") -> npt.NDArray[np.float32]:
    means = responses.class_means
    return np.full(len(responses.on), np.nan, np.float32) if means is None else selectivity_of(means)


def _best_class(responses: "LayerResponses") -> npt.NDArray[np.float32]:
    means = responses.class_means
    if means is None:
        return np.full(len(responses.on), np.nan, np.float32)
    known = np.nan_to_num(means, nan=-1.0)
    return np.where(known.max(axis=1) > 0, known.argmax(axis=1), np.nan).astype(np.float32)


def _importance(responses: "LayerResponses") -> npt.NDArray[np.float32]:
    return _or_unknown(responses.importance, len(responses.on))


def _ablation(responses: "LayerResponses") -> npt.NDArray[np.float32]:
    return _or_unknown(responses.ablation, len(responses.on))


def _or_unknown(values: npt.NDArray[np.float32] | None, count: int) -> npt.NDArray[np.float32]:
    return np.full(count, np.nan, np.float32) if values is None else values


def selectivity_of(class_means: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Compute the class selectivity index of filters, 0 to 1, float32 ``[n]``.

    ``(largest - rest) / (largest + rest)``, of a filter's largest mean response to a class, and the mean of those to
    all other classes: 0 answers all classes alike, 1 a single one. Not a number where nothing is answered at all.

    Source: Morcos et al. (2018), "On the importance of single directions for generalization".

    Args:
        class_means: ``[n, classes]``, from 0; classes without examples are not a number, and do not count.
    """
    known = ~np.isnan(class_means)
    values = np.where(known, class_means, 0)
    largest, others = values.max(axis=1), known.sum(axis=1) - 1
    rest = (values.sum(axis=1) - largest) / np.maximum(others, 1)
    total = largest + rest
    is_known = (total > 0) & (others > 0)
    return np.where(is_known, (largest - rest) / np.where(total > 0, total, 1), np.nan).astype(np.float32)


def is_responsive(
    scores: npt.NDArray[np.float32],
    peaks: npt.NDArray[np.float32],
    images: npt.NDArray[np.float32],
    *,
    stays_positive: bool,
) -> npt.NDArray[np.bool_]:
    """Tell which filters are not stuck, bool ``[n]``.

    A filter is stuck when its score did not rise, or is not finite, or when no unit of it is above 0 even on the
    picture made for it; with `stays_positive`, as in the article, when its score was not above 0 at any step.
    Stuck is not *dead*: a dead unit is active on no data at all; from a stuck one, the ascent found no way up.

    Args:
        scores: ``[steps + 1, n]``, in the order of the steps.
        peaks: ``[n]``, the largest response of any unit.
        images: ``[n, h, w, c]``.
        stays_positive: see above.
    """
    finite = np.isfinite(scores).all(axis=0) & np.isfinite(images).all(axis=(1, 2, 3))
    if stays_positive:
        return np.asarray(finite & (scores > 0).all(axis=0))
    return np.asarray(finite & (peaks > 0) & (scores[-1] > scores[0]))


def is_flat(start: npt.NDArray[np.float32], images: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Tell where the ascent changed all inner pixels alike, bool ``[n]``: the picture says nothing about the filter.

    Inner is the middle half; alike means a standard deviation below 2 % of the largest change.

    Args:
        start: ``[n, h, w, c]``, before the ascent.
        images: the same, after it.
    """
    change = images - start
    height, width = change.shape[1:3]
    inner = change[:, height // 4 : height - height // 4, width // 4 : width - width // 4]
    return np.asarray(inner.std(axis=(1, 2)).max(axis=-1) < 0.02 * np.abs(change).max(axis=(1, 2, 3)))


def rms_change(before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Compute the root mean square difference of tiles uint8 ``[n, h, w, c]``, in [0, 1], float32 ``[n]``."""
    difference = (after.astype(np.float32) - before.astype(np.float32)) / 255
    return np.asarray(np.sqrt(np.square(difference).mean(axis=(1, 2, 3))), np.float32)


def difference_between_filters(tiles: npt.NDArray[np.uint8]) -> float:
    """Compute the root mean square difference between tiles ``[n, h, w, c]`` of different filters, over all pairs.

    It is ``sqrt(2 * variance over the filters)``, mean over the pixels. Of a single filter, it is what pictures of its
    contrast that have nothing to do with each other differ by, ``sqrt(2)`` times its standard deviation.
    """
    values = tiles.astype(np.float32) / 255
    variance = values.var(axis=0, ddof=1) if len(tiles) > 1 else values.var(axis=(1, 2))
    return float(np.sqrt(2 * variance.mean()))


def relative_change(
    before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8], between_filters: float
) -> npt.NDArray[np.float32]:
    """Compute how far each tile moved, as a share of how far tiles of different filters are apart, float32 ``[n]``.

    ``rms(after - before) / rms(first_f - first_g)``, the latter over all filters ``f != g`` at the run's first step, so
    that it is the same for the whole run: 0 is the same picture, 1 is as far as to another filter's.

    Args:
        before: uint8 ``[n, h, w, c]``.
        after: the same, later.
        between_filters: `difference_between_filters`, in [0, 1]; at least 0.05 counts, as tiles that hardly differ tell
            no measure.
    """
    return np.asarray(rms_change(before, after) / max(between_filters, 0.05), np.float32)


score = Statistic(
    name="score", label="score", compute=_score, description="the objective's value on the finished picture"
)
gain = Statistic(
    name="gain",
    label="gain",
    compute=_gain,
    description="how far the score is above that of noise, in standard deviations of the filter's answer to noise; "
    "comparable between layers and runs",
)
responsive = Statistic(
    name="responsive",
    label="responsive",
    compute=_responsive,
    description="the ascent found its way up; the others are stuck",
    unit="flag",
    sort=None,
)
flat = Statistic(
    name="flat",
    label="flat",
    compute=_flat,
    description="the ascent changed all inner pixels alike",
    unit="flag",
    sort=None,
    has_curve=False,
)
kept = Statistic(
    name="kept",
    label="kept score",
    compute=_kept,
    description="how much of the score's rise the smoothing of the picture leaves: low where it hides what the filter "
    "responds to, as in untrained networks",
    unit="share",
)
agreement = Statistic(
    name="agreement",
    label="agreement",
    compute=_agreement,
    description="how alike pictures from several start noises are, as a correlation: 1 if the noise decides nothing",
)
change = Statistic(
    name="change",
    label="change",
    compute=_change,
    description="how far the picture moved since the step before: 0 % not at all, 100 % as far as to another filter's",
    reads="history",
    unit="share",
    sort=None,
)
change_since_start = Statistic(
    name="change_since_start",
    label="change since start",
    compute=_change_since_start,
    description="how far the picture is from the run's first: 0 % the same, 100 % as far as another filter's",
    reads="history",
    unit="share",
    has_curve=False,
)

transfer = Statistic(
    name="transfer",
    label="old picture fails",
    compute=_transfer,
    description="how much less the picture of the step before excites the filter than its picture of now, both at one "
    "contrast, over gray: 0 % as much, 100 % no more than gray; below 10 % nothing has changed",
    reads="revisit",
    unit="share",
)
"""``1 - (s(x_before) - s(gray)) / (s(x_now) - s(gray))`` with the score ``s`` of now: two more forward passes."""
kernel_change = Statistic(
    name="kernel_change",
    label="kernel change",
    compute=_kernel_change,
    description="1 - cosine of the filter's own kernel to that of the step before: 0 % the same direction; it sees "
    "nothing of the layers below",
    reads="revisit",
    unit="share",
)

excited = Statistic(
    name="excited",
    label="excited by",
    compute=_excited,
    description="the share of the examples that switch the filter on anywhere: 0 % is a dead filter",
    reads="responses",
    unit="share",
)
on = Statistic(
    name="on",
    label="on",
    compute=_on,
    description="the share of the filter's units that are on, over all examples: 100 % is a filter that is always on, "
    "so that its activation does nothing",
    reads="responses",
    unit="share",
)
selectivity = Statistic(
    name="selectivity",
    label="selectivity",
    compute=_selectivity,
    description="how far the filter answers one class more than the others: 0 % all alike, 100 % a single one",
    reads="responses",
    unit="share",
)
best_class = Statistic(
    name="best_class",
    label="best class",
    compute=_best_class,
    description="the class that the filter answers most, counted from 0",
    reads="responses",
    sort="ascending",
    has_curve=False,
)
importance = Statistic(
    name="importance",
    label="importance",
    compute=_importance,
    description="about how much an example's loss would change if the filter fell silent, to first order",
    reads="responses",
)
ablation = Statistic(
    name="ablation",
    label="accuracy lost without it",
    compute=_ablation,
    description="how much accuracy the examples lose if the filter is left out: exact",
    reads="responses",
    unit="share",
)
RESPONSES = (excited, on, selectivity, best_class, importance, ablation)  # of runs with examples

STANDARD = (gain, score, kept, responsive, flat, change, change_since_start)  # of every layer at every step
STATISTICS = registered((*STANDARD, agreement, transfer, kernel_change, *RESPONSES))


def statistics_of(statistics: Sequence[object]) -> tuple[Statistic, ...]:
    """List the standard statistics, and those that are given by name or as objects, each once.

    Raises:
        ConfigError: if one is neither, or two of different kind have one name.
    """
    chosen = {statistic.name: statistic for statistic in STANDARD}
    for given in statistics:
        statistic = resolve(given, STATISTICS, Statistic, "statistics")
        if chosen.setdefault(statistic.name, statistic) != statistic:
            raise ConfigError(f"`statistics` holds two different ones of the name {statistic.name!r}.")
    return tuple(chosen.values())
