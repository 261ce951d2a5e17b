"""Settings: frozen, keyword-only, validated once."""

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from tb_filterviz.errors import ConfigError

Objective = Literal["channel_mean", "center_unit"]
Order = Literal["index", "score"]


def _require(holds: bool, name: str, demand: str, received: object) -> None:
    if not holds:
        raise ConfigError(f"`{name}` must be {demand}. Received: {name}={received!r}")


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@dataclass(frozen=True, kw_only=True, slots=True)
class AscentConfig:
    """How the pictures start, how far and how fast they climb.

    Intensities are on a scale of 0 to 255, stretched to the model's own input range.
    """

    steps: int = 20  # ascent steps per picture
    step_size: float = 4.0  # length of one step, RMS over the image, in units of the input range / 255
    gray: float = 128.0  # where a picture starts
    noise: float = 20.0  # width of the uniform noise around the gray
    final_score: bool = (
        True  # score the finished picture; False: the score before the last step, as the article prints it
    )
    stays_positive: bool = False  # True: a score not above 0 at any step makes a filter stuck (the article stops there)
    epsilon: float = 1e-12  # added to the gradient's RMS, which is small in large images
    filters_per_batch: int | None = None  # filters that climb together; None: as many as the memory allows, to 64
    memory_mb: float = 1024.0  # about what an ascent may take

    def __post_init__(self) -> None:
        _require(_is_count(self.steps), "steps", "a positive integer", self.steps)
        _require(math.isfinite(self.step_size) and self.step_size > 0, "step_size", "a positive number", self.step_size)
        _require(math.isfinite(self.gray), "gray", "a finite number", self.gray)
        _require(math.isfinite(self.noise) and self.noise >= 0, "noise", "zero or a positive number", self.noise)
        for name in ("epsilon", "memory_mb"):
            value = getattr(self, name)
            _require(math.isfinite(value) and value > 0, name, "a positive number", value)
        size = self.filters_per_batch
        _require(size is None or _is_count(size), "filters_per_batch", "None or a positive integer", size)


@dataclass(frozen=True, kw_only=True, slots=True)
class GridConfig:
    """How the tiles of a layer are laid out in one picture."""

    columns: int | None = None  # None: nearly square
    order: Order = "index"  # "index": a filter keeps its place for the whole run; "score": best first
    top_k: int | None = None  # how many tiles at most; None: all
    margin_px: int = 5  # black pixels between tiles
    scale: int | None = None  # whole factor by which tiles are enlarged; None: small ones to about 64 px
    show_stuck: bool = True  # False: stuck filters are left out
    marks: bool = True  # cross out stuck tiles, underline flat ones in the margin

    def __post_init__(self) -> None:
        for name in ("columns", "top_k", "scale"):
            value = getattr(self, name)
            _require(value is None or _is_count(value), name, "None or a positive integer", value)
        _require(self.order in get_args(Order), "order", f"one of {get_args(Order)}", self.order)
        margin = self.margin_px
        _require(margin == 0 or _is_count(margin), "margin_px", "zero or a positive integer", margin)


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """How filters are drawn. `Config()` is the default preset, `Config.classic()` the article's procedure."""

    objective: Objective | Literal["auto"] = "auto"  # "auto": the channel's mean, or the centre unit where that is flat
    crop: bool = True  # cut a centre unit's picture to its receptive field
    input_range: tuple[float, float] | None = None  # of the model's inputs; None: from a Rescaling layer, else (0, 1)
    image_shape: tuple[int, ...] | None = None  # (height, width[, channels]), for models that take any
    max_filters: int | None = None  # the first so many of a layer; None: all
    contrast: float = 0.2  # standard deviation of a picture after tone mapping, 1 is the full range
    seed: int = 0  # of the start noise, which is the same at every step
    ascent: AscentConfig = field(default_factory=AscentConfig)
    grid: GridConfig = field(default_factory=GridConfig)

    def __post_init__(self) -> None:
        objectives = ("auto", *get_args(Objective))
        _require(self.objective in objectives, "objective", f"one of {objectives}", self.objective)
        limits = self.input_range
        if limits is not None:
            is_range = len(limits) == 2 and all(map(math.isfinite, limits)) and limits[0] < limits[1]
            _require(is_range, "input_range", "(low, high) with low < high", limits)
        sizes = self.image_shape
        is_shape = sizes is None or (len(sizes) in (2, 3) and all(map(_is_count, sizes)))
        _require(is_shape, "image_shape", "(height, width) or (height, width, channels)", sizes)
        most = self.max_filters
        _require(most is None or _is_count(most), "max_filters", "None or a positive integer", most)
        _require(math.isfinite(self.contrast) and self.contrast > 0, "contrast", "a positive number", self.contrast)
        _require(self.seed == 0 or _is_count(self.seed), "seed", "zero or a positive integer", self.seed)

    @classmethod
    def classic(cls) -> "Config":
        """The procedure of the article of January 2018, exactly.

        The channel's mean, a start of ``(u - 0.5) * 20 + 128`` whatever the model's inputs are, 20 steps of size 1,
        filters whose score was ever not above 0 left out, the best 36 on a 6 x 6 grid with margins of 5 pixels.
        """
        return cls(
            objective="channel_mean",
            input_range=(0.0, 255.0),
            contrast=0.1,
            ascent=AscentConfig(step_size=1.0, epsilon=1e-5, final_score=False, stays_positive=True),
            grid=GridConfig(columns=6, order="score", top_k=36, show_stuck=False),
        )


PRESETS = {"default": Config, "classic": Config.classic}


def as_config(config: Config | str) -> Config:
    """A `Config`, or the name of a preset, as a `Config`.

    Raises:
        ConfigError: if it is neither.
    """
    if isinstance(config, Config):
        return config
    _require(isinstance(config, str) and config in PRESETS, "config", f"a Config or one of {tuple(PRESETS)}", config)
    return PRESETS[config]()
