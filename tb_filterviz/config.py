"""Settings: frozen, keyword-only, validated once."""

import dataclasses
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from tb_filterviz.errors import ConfigError
from tb_filterviz.parts.ascent_part import AscentPart
from tb_filterviz.parts.ascent_parts import ascent_parts_of
from tb_filterviz.parts.objectives import AUTO, Objective, objective_of
from tb_filterviz.parts.preconditioners import ColorDecorrelation, SpectralDecay
from tb_filterviz.parts.statistics import Statistic, agreement, statistics_of
from tb_filterviz.parts.tones import ToneMapping, tone_of
from tb_filterviz.parts.transformations import Jitter

Order = Literal["index", "score"]
ChannelOrder = Literal["auto", "rgb", "bgr"]
Drawn = Literal["linear", "field", "texture"]  # what is drawn of a filter
Indices = tuple[int, ...]
Filters = Indices | tuple[tuple[str, Indices], ...]  # of every layer, or by the layers that a pattern names
Bound = float | tuple[float, ...]  # of all channels, or of each
Range = tuple[Bound, Bound]

CHANNEL_ORDERS = get_args(ChannelOrder)


def _require(holds: bool, name: str, demand: str, received: object) -> None:
    if not holds:
        raise ConfigError(f"`{name}` must be {demand}. Received: {name}={received!r}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@dataclass(frozen=True, kw_only=True, slots=True)
class AscentConfig:
    """How the pictures start, how far and how fast they climb.

    Intensities are on a scale of 0 to 255, stretched to the model's own input range. What is None is chosen for each
    layer by what is drawn of it (source: measured, see `docs/design.md`):

    | | the filter is linear in the image | its receptive field (a local objective) | its texture |
    | --- | --- | --- | --- |
    | `steps` | 20 | 20 | 32 |
    | `step_size` | 4 | 8 | 2.5 |
    | `noise` | 2 | 2 | 2 |
    | `parts` | none | ``"spectral_decay"``, for colours ``"color_decorrelation"`` | the same, `Jitter(4, 5, 0.05)` |

    Attributes:
        steps: ascent steps per picture.
        step_size: length of one step, RMS over the image, in units of the input range / 255.
        gray: where a picture starts, 0 to 255.
        noise: width of the uniform noise around the gray, 0 to 255.
        starts: from how many start noises a picture climbs. Of several, it is the mean of where they arrive, and the
            statistic ``"agreement"``, on request, says how alike these are. Textures, whose place the noise decides,
            wash out.
        final_score: True scores the finished picture; False takes the score before the last step, as the article does.
        stays_positive: True makes a filter stuck whose score was not above 0 at any step: the article stops there.
        epsilon: added to the gradient's RMS, which is small in large images.
        canvas_px: how many pixels a side a picture needs at most. A local objective climbs on its receptive field
            alone, where that gives the same picture (no layer below looks at the whole image), others on an image of
            this size, if the model can be run on one, or a signal of as many values, to 1024. None: always on the
            whole image.
        filters_per_batch: filters that climb together; None for as many as the memory allows, to 64.
        memory_mb: MiB that an ascent may take, about.
        parts: transformations, regularizers, preconditioners and projections, see `AscentPart`.

    Raises:
        ConfigError: if a setting cannot work.
    """

    steps: int | None = None
    step_size: float | None = None
    gray: float = 128.0
    noise: float | None = None
    final_score: bool = True
    stays_positive: bool = False
    epsilon: float = 1e-12
    starts: int = 1
    canvas_px: int | None = 96
    filters_per_batch: int | None = None
    memory_mb: float = 1024.0
    parts: Sequence[AscentPart | str] | None = None

    def __post_init__(self) -> None:
        steps, size, noise = self.steps, self.step_size, self.noise
        _require(steps is None or _is_count(steps), "steps", "None or a positive integer", steps)
        _require(size is None or (_is_finite(size) and size > 0), "step_size", "None or a positive number", size)
        _require(_is_finite(self.gray), "gray", "a finite number", self.gray)
        _require(noise is None or (_is_finite(noise) and noise >= 0), "noise", "None, or a number from 0 on", noise)
        for name in ("epsilon", "memory_mb"):
            value = getattr(self, name)
            _require(_is_finite(value) and value > 0, name, "a positive number", value)
        _require(_is_count(self.starts), "starts", "a positive integer", self.starts)
        for name in ("canvas_px", "filters_per_batch"):
            value = getattr(self, name)
            _require(value is None or _is_count(value), name, "None or a positive integer", value)
        if self.parts is not None:
            object.__setattr__(self, "parts", ascent_parts_of(self.parts))

    @property
    def ascent_parts(self) -> tuple[AscentPart, ...]:
        """The parts themselves, not their names."""
        return ascent_parts_of(self.parts or ())

    def suiting(self, drawn: Drawn, *, is_colored: bool) -> "SuitedAscentConfig":
        """Choose what is None for what is drawn of a filter, in images that are or are not of colours."""
        given = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        chosen = {name: value for name, value in _SUITING[drawn].items() if given[name] is None}
        if "parts" in chosen and not is_colored:  # a part that changes nothing would have to be explained
            chosen["parts"] = tuple(part for part in chosen["parts"] if not isinstance(part, ColorDecorrelation))
        return SuitedAscentConfig(**{**given, **chosen})


@dataclass(frozen=True, kw_only=True, slots=True)
class SuitedAscentConfig(AscentConfig):
    """An `AscentConfig` in which nothing is left open."""

    steps: int
    step_size: float
    noise: float
    parts: Sequence[AscentPart | str]


_SMOOTH = (SpectralDecay(), ColorDecorrelation())
_FIELD: dict[str, Any] = {"steps": 20, "step_size": 8.0, "noise": 2.0, "parts": _SMOOTH}
_SUITING: dict[Drawn, dict[str, Any]] = {
    "linear": {**_FIELD, "step_size": 4.0, "parts": ()},
    "field": _FIELD,
    "texture": {
        "steps": 32,
        "step_size": 2.5,
        "noise": 2.0,
        "parts": (*_SMOOTH, Jitter(shift=4.0, rotation=5.0, scale=0.05)),
    },
}


@dataclass(frozen=True, kw_only=True, slots=True)
class GridConfig:
    """How the tiles of a layer are laid out in one picture.

    Attributes:
        columns: tiles in a row; None for nearly square.
        order: ``"index"``, a filter keeps its place for the whole run, or ``"score"``, best first.
        top_k: how many tiles at most; None for all.
        margin_px: black pixels between tiles.
        scale: whole factor by which tiles are enlarged; None enlarges small ones to about 64 px.
        show_stuck: False leaves stuck filters out.
        marks: cross out stuck tiles, underline flat ones.

    Raises:
        ConfigError: if a setting cannot work.
    """

    columns: int | None = None
    order: Order = "index"
    top_k: int | None = None
    margin_px: int = 5
    scale: int | None = None
    show_stuck: bool = True
    marks: bool = True

    def __post_init__(self) -> None:
        for name in ("columns", "top_k", "scale"):
            value = getattr(self, name)
            _require(value is None or _is_count(value), name, "None or a positive integer", value)
        _require(self.order in get_args(Order), "order", f"one of {get_args(Order)}", self.order)
        margin = self.margin_px
        _require(margin == 0 or _is_count(margin), "margin_px", "zero or a positive integer", margin)


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """How filters are drawn. `Config()` is the preset ``"clean"``, `Config.classic()` the article's procedure.

    Attributes:
        objective: what is maximized: an `Objective`, or the name of one. ``"auto"`` takes the centre unit where the
            filter is linear in the image, or sees little of it; else the channel's mean.
        small_field_px: how many pixels a side are little. Up to twice as many are, where a side of the image is too
            short for two such fields, so that no texture shows. 0 takes the channel's mean wherever that is not flat.
        tone: how images become pictures: a `ToneMapping`, or the name of one. ``"auto"`` standardizes receptive fields,
            whose colours count, as a whole, and textures by channel, over which a cast of one colour lies.
        contrast: standard deviation of a picture after tone mapping, where 1 is the full range.
        crop: cut the picture of a centre unit to its receptive field.
        input_range: ``(low, high)`` of the model's inputs, each a number, or one for each channel. None finds it: from
            what the model computes before its first weights; from examples, if they are given, where that does not tell
            or only about; from the documentation of `keras.applications`. Where nothing tells, it is (0, 1).
        channel_order: of the model's images of three channels: ``"rgb"``, ``"bgr"``, or ``"auto"``, which finds that
            networks are given blue first whose documentation says so, if their inputs have the range that it says.
            Pictures are always shown as red, green, blue.
        image_shape: ``(height, width)`` or ``(height, width, channels)``, for models that take images of any size.
        filters: which filters to draw, in any order: a list for every layer, or a mapping from names, paths or
            patterns of layers to lists. None for all, also of layers that the mapping does not name. What a list names
            and a layer lacks is left out, and said.
        max_filters: how many of a layer at most, where `filters` does not name them: the first ones; None for all.
        statistics: what is computed for every filter beside the standard ones: each a `Statistic`, or the name of one.
        kernels: whether the layers' own weights are logged as pictures: each kernel in its strongest input channels,
            and what it comes to on the image, where the layers below can be made linear.
        seed: of the start noise, which is the same at every step.
        ascent: how far and how fast to climb.
        grid: how tiles are laid out in one picture.

    Raises:
        ConfigError: if a setting cannot work.
    """

    objective: Objective | str = AUTO
    small_field_px: int = 16
    tone: ToneMapping | str = AUTO
    contrast: float = 0.2
    crop: bool = True
    input_range: Range | None = None
    channel_order: ChannelOrder = "auto"
    image_shape: tuple[int, ...] | None = None
    filters: Sequence[int] | Mapping[str, Sequence[int]] | Filters | None = None
    max_filters: int | None = None
    statistics: Sequence[Statistic | str] = ()
    kernels: bool = True
    seed: int = 0
    ascent: AscentConfig = field(default_factory=AscentConfig)
    grid: GridConfig = field(default_factory=GridConfig)

    def __post_init__(self) -> None:
        if self.objective != AUTO:
            objective_of(self.objective)
        if self.tone != AUTO:
            tone_of(self.tone)
        least = self.small_field_px
        _require(least == 0 or _is_count(least), "small_field_px", "zero or a positive integer", least)
        limits = self.input_range
        _require(limits is None or _is_range(limits), "input_range", "(low, high) with low < high", limits)
        _require(self.channel_order in CHANNEL_ORDERS, "channel_order", f"one of {CHANNEL_ORDERS}", self.channel_order)
        sizes = self.image_shape
        is_shape = sizes is None or (len(sizes) in (2, 3) and all(map(_is_count, sizes)))
        _require(is_shape, "image_shape", "(height, width) or (height, width, channels)", sizes)
        for name in ("input_range", "image_shape"):
            object.__setattr__(self, name, _as_tuples(getattr(self, name)))
        object.__setattr__(self, "filters", _as_filters(self.filters))
        most = self.max_filters
        _require(most is None or _is_count(most), "max_filters", "None or a positive integer", most)
        _require(isinstance(self.ascent, AscentConfig), "ascent", "an AscentConfig", self.ascent)
        is_list = isinstance(self.statistics, Sequence) and not isinstance(self.statistics, str)
        _require(is_list, "statistics", "a list of statistics", self.statistics)
        object.__setattr__(self, "statistics", tuple(self.statistics))
        _require(isinstance(self.kernels, bool), "kernels", "True or False", self.kernels)
        if agreement in statistics_of(self.statistics) and self.ascent.starts == 1:
            raise ConfigError(
                "The statistic 'agreement' compares pictures from several start noises: it needs "
                "AscentConfig(starts=2) or more, or --starts 2 on the command line."
            )
        _require(_is_finite(self.contrast) and self.contrast > 0, "contrast", "a positive number", self.contrast)
        _require(self.seed == 0 or _is_count(self.seed), "seed", "zero or a positive integer", self.seed)
        _require(isinstance(self.grid, GridConfig), "grid", "a GridConfig", self.grid)

    @property
    def has_own_parts(self) -> bool:
        """Whether parts were given as objects, which may be wrong."""
        parts = (self.objective, self.tone, *self.statistics, *(self.ascent.parts or ()))
        return not all(isinstance(part, str) for part in parts)

    @property
    def is_filters_for_all(self) -> bool:
        """Whether one list of filters was given for every layer."""
        return bool(self.filters) and not isinstance(self.filters[0], tuple)  # type: ignore[index]

    @property
    def filters_by_pattern(self) -> tuple[tuple[str, Indices], ...]:
        """The chosen filters, with the pattern of the layers that they are of."""
        chosen: Any = self.filters
        return () if not chosen else chosen if isinstance(chosen[0], tuple) else (("*", chosen),)

    @classmethod
    def plain(cls) -> "Config":
        """Make what the first edition drew by default: the channel's mean of the whole image, and nothing smoothed.

        20 steps of size 4 from gray with noise of 20; the centre unit only where a filter is linear in the image.
        """
        whole = AscentConfig(steps=20, step_size=4.0, noise=20.0, canvas_px=None, parts=())
        return cls(small_field_px=0, tone="standardized", ascent=whole)

    @classmethod
    def classic(cls) -> "Config":
        """Make the procedure of the article of January 2018, exactly.

        The channel's mean, a start of ``(u - 0.5) * 20 + 128`` whatever the model's inputs are, 20 steps of size 1,
        filters whose score was ever not above 0 left out, the best 36 on a 6 x 6 grid with margins of 5 pixels.
        """
        return cls(
            objective="channel_mean",
            tone="standardized",
            input_range=(0.0, 255.0),
            contrast=0.1,
            ascent=AscentConfig(
                steps=20,
                step_size=1.0,
                noise=20.0,
                epsilon=1e-5,
                final_score=False,
                stays_positive=True,
                canvas_px=None,
                parts=(),
            ),
            grid=GridConfig(columns=6, order="score", top_k=36, show_stuck=False),
        )


PRESETS = {"clean": Config, "plain": Config.plain, "classic": Config.classic}


def as_grid_config(config: "Config | GridConfig | None") -> "GridConfig":
    """Take how tiles are laid out from whatever says it; None is the default."""
    return config.grid if isinstance(config, Config) else config or GridConfig()


def as_config(config: Config | str) -> Config:
    """Return a `Config`, or make the preset of that name.

    Raises:
        ConfigError: if it is neither.
    """
    if isinstance(config, Config):
        return config
    _require(isinstance(config, str) and config in PRESETS, "config", f"a Config or one of {tuple(PRESETS)}", config)
    return PRESETS[config]()


def as_indices(filters: object) -> Indices:
    """Return the filters as a tuple of whole numbers.

    Raises:
        ConfigError: if they are not a list of different whole numbers from 0.
    """
    demand = "a list of different whole numbers from 0"
    _require(isinstance(filters, Iterable) and not isinstance(filters, str), "filters", demand, filters)
    try:
        indices = tuple(map(operator.index, filters))  # type: ignore[call-overload]
    except TypeError:
        _require(False, "filters", demand, filters)
    holds = bool(indices) and min(indices) >= 0 and len(set(indices)) == len(indices)
    _require(holds and not any(isinstance(one, bool) for one in filters), "filters", demand, filters)  # type: ignore[attr-defined]
    return indices


def _as_filters(filters: Any) -> Filters | None:
    pairs = list(filters.items()) if isinstance(filters, Mapping) else filters
    if pairs is None or (isinstance(filters, Mapping) and not pairs):
        return None
    is_by_layer = isinstance(pairs, list | tuple) and bool(pairs) and all(map(_is_pair, pairs))
    if not is_by_layer:
        return as_indices(filters)
    for pattern, _ in pairs:
        _require(isinstance(pattern, str), "filters", "a list, or a mapping from names of layers to lists", filters)
    return tuple((pattern, as_indices(chosen)) for pattern, chosen in pairs)


def _is_range(limits: Any) -> bool:
    """Tell whether these are a low and a high bound, each a number, or one for each channel."""
    if not _is_pair(limits):
        return False
    bounds = [bound if isinstance(bound, list | tuple) else (bound,) for bound in limits]
    if not all(bounds) or not all(_is_finite(value) for bound in bounds for value in bound):
        return False
    most = max(map(len, bounds))
    if any(len(bound) not in (1, most) for bound in bounds):
        return False
    low, high = (list(bound) * (most // len(bound)) for bound in bounds)
    return all(lowest < highest for lowest, highest in zip(low, high, strict=True))


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list | tuple) else value


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2


_COST_ONLY = ("filters_per_batch", "memory_mb")  # no picture differs by these


def to_json(config: Config) -> dict[str, Any]:
    """List all settings by name, as JSON can hold them; parts are named, with what they say of themselves."""
    return {each.name: _value_to_json(each.name, getattr(config, each.name)) for each in dataclasses.fields(config)}


def _value_to_json(name: str, value: Any) -> Any:
    if isinstance(value, AscentConfig | GridConfig):
        return {each.name: _value_to_json(each.name, getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Objective | ToneMapping | Statistic):
        return value.name
    if name == "filters" and value and isinstance(value[0], tuple):
        return [[pattern, list(chosen)] for pattern, chosen in value]  # in their order: the first that fits counts
    if isinstance(value, tuple | list):
        return [_value_to_json("", each) for each in value]
    if isinstance(value, AscentPart):
        names: list[str] = [each.name for each in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else []
        fields = {each: getattr(value, each) for each in names}
        plain = {each: held for each, held in fields.items() if isinstance(held, str | int | float | bool | None)}
        return {"name": value.name, **plain}  # the fingerprint in the recipe tells what is not plain
    return value


def drawn_by(ascent: AscentConfig) -> dict[str, Any]:
    """List, as JSON can hold it, what makes the pictures of an ascent differ from those of another."""
    return {name: value for name, value in _value_to_json("", ascent).items() if name not in _COST_ONLY}


def identity(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of `to_json` what makes pictures differ: two configurations of one identity draw the same."""
    known = to_json(Config())  # what a version did not know yet, it drew as the default does
    kept = {**known, **{name: value for name, value in settings.items() if name not in ("statistics", "kernels")}}
    for name in ("ascent", "grid"):
        given = kept[name] if isinstance(kept[name], Mapping) else {}
        kept[name] = {each: value for each, value in {**known[name], **given}.items() if each not in _COST_ONLY}
    return kept


def from_json(settings: Mapping[str, Any]) -> Config:
    """Make the configuration that `to_json` listed.

    Raises:
        ConfigError: if it names a part that only its owner has, or a setting that is not known here.
    """
    known = {each.name for each in dataclasses.fields(Config)}
    unknown = sorted(set(settings) - known)
    _require(not unknown, "settings", f"among {sorted(known)}", unknown)
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()
    }
    for name, kind in (("ascent", AscentConfig), ("grid", GridConfig)):
        if name in values:
            try:
                values[name] = kind(**values[name])
            except TypeError as error:
                raise ConfigError(f"`{name}` holds settings that are not known here: {error}") from error
    return Config(**values)
