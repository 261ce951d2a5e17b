"""One way to save: the name of a file says what it becomes."""

import os
import re
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, get_args

import numpy as np
import numpy.typing as npt

from tb_filterviz.config import GridConfig
from tb_filterviz.errors import ConfigError
from tb_filterviz.export.choosing import chosen_steps, whole_numbers
from tb_filterviz.export.frames import alike, grids, strip
from tb_filterviz.export.page import Part, Report, page
from tb_filterviz.export.tables import check_package, columns_of, cuts_of, write_csv, write_npz, write_parquet
from tb_filterviz.imaging.animation import ANIMATIONS, check_can_play, write_animation
from tb_filterviz.imaging.encode import to_png
from tb_filterviz.imaging.layout import Pixels
from tb_filterviz.reading.names import listed

if TYPE_CHECKING:
    from tb_filterviz.filter_run import FilterRun, FilterRuns, LayerSeries

Numbers = Sequence[int] | npt.NDArray[np.integer[Any]]
Kind = Literal["grid", "filmstrip", "animation"]
Background = Literal["black", "white"]
TABLES = (".csv", ".parquet", ".npz")
PAGES = (".html",)
PICTURES = (".png",)
ENDINGS = (*PICTURES, *ANIMATIONS, *TABLES, *PAGES)
MAX_MB = 50.0
FASTEST_GIF = 50
_LONGEST_PX = {".webp": 16383, ".gif": 65535, ".mp4": 16384}


class Options(TypedDict, total=False):
    """What there is to choose; see `save`."""

    run: str | Sequence[str] | None
    layer: str | Sequence[str] | None
    filters: Numbers | None
    steps: Numbers | None
    every: int
    kind: Kind | None
    columns: int | None
    scale: int | None
    fps: float
    caption: bool
    background: Background
    max_mb: float
    leave_out: Part | Collection[Part]
    report: Report | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Look:
    """How a picture looks; see `save`."""

    filters: Sequence[int] | None
    steps: Sequence[int] | None
    every: int
    kind: Kind | None
    config: GridConfig
    fps: float
    has_caption: bool
    ground: int


def save(
    source: "FilterRun | FilterRuns",
    path: str | Path,
    *,
    run: str | Sequence[str] | None = None,
    layer: str | Sequence[str] | None = None,
    filters: Numbers | None = None,
    steps: Numbers | None = None,
    every: int = 1,
    kind: Kind | None = None,
    columns: int | None = None,
    scale: int | None = None,
    fps: float = 4.0,
    caption: bool = True,
    background: Background = "black",
    max_mb: float = MAX_MB,
    leave_out: Part | Collection[Part] = (),
    report: Report | None = None,
) -> Path:
    """Save a run, or several, as the name of the file ends.

    What cannot be read, or has none of the chosen steps, is left out of tables and pages: a `VisualizationWarning`.

    - ``.html``: the Filters tab as one page that needs no server and no network, with all that the tab shows.
    - ``.png``: the grid of a layer at its last step, or at ``steps=[3]``; ``kind="filmstrip"``: filters as rows, steps
      as columns; ``kind="animation"``, or ``.apng``: an animated PNG.
    - ``.gif``, ``.webp``, ``.mp4``: the grid of a layer, step after step.
    - ``.csv``, ``.parquet``: a row for each filter at each step, a column for each statistic.
    - ``.npz``: arrays, ``conv2d_2/tiles`` uint8 ``[s, n, h, w, c]``, ``conv2d_2/steps``, ``conv2d_2/gain`` and so on.

    Args:
        source: what `read_run` or `read_runs` gave. Pictures are of one run: of several, the one written last.
        path: of the file. One that is there is replaced, as soon as the new one is whole.
        run: of several, the name or names of those that are meant; None for all.
        layer: name or names; None for the last layer in a picture, and for all in a table or page.
        filters: their numbers, in the order in which pictures show them; None for all, and in a filmstrip for the eight
            of the largest gain. A page has all.
        steps: those that are meant; None for all.
        every: of the steps, every so many only, and the last.
        kind: of picture, where the name leaves that open.
        columns: tiles in a row of a grid; None for nearly square.
        scale: whole factor by which tiles are enlarged; None enlarges small ones to about 64 px.
        fps: steps a second, in an animation, 0.1 to 100; in a GIF to 50, since browsers play faster ones slowly.
        caption: whether layer and step stand below a grid.
        background: behind words, ``"black"`` or, for paper, ``"white"``.
        max_mb: how large a page may become, in millions of bytes.
        leave_out: what a page goes without: the real ``"examples"``, ``"maps"``, ``"kernels"``, and ``"likeness"``,
            which says what filters are most like one.
        report: told how far a page is: how much is done, of how much, and what.

    Returns:
        The path of the file.

    Raises:
        ConfigError: if the ending is unknown, an option cannot work, or a package is missing.
        UnknownLayerError, StepError: if there is no such layer or step.
        OSError: if the file cannot be written.
    """
    target = Path(path)
    ending = check_ending(path)
    for name, value, choices in (("kind", kind, get_args(Kind)), ("background", background, get_args(Background))):
        if value is not None and value not in choices:
            raise ConfigError(f"`{name}` must be one of {', '.join(map(repr, choices))}. Received: {name}={value!r}")
    _check_number("fps", fps, 0.1, FASTEST_GIF if ending == ".gif" else 100)
    _check_number("max_mb", max_mb, 0, 1e6)
    named = [layer] if isinstance(layer, str) else None if layer is None else list(layer)
    chosen, places = whole_numbers("steps", steps), whole_numbers("filters", filters)
    runs = _chosen_runs(source.by_name, run)
    if ending in PAGES:
        parts = {leave_out} if isinstance(leave_out, str) else set(leave_out)
        content = page(runs, layers=named, steps=chosen, every=every, max_mb=max_mb, leave_out=parts, report=report)
        return _written(target, lambda unfinished: unfinished.write_bytes(content))
    if ending in TABLES:
        return _save_table(runs, target, named, places, chosen, every)
    look = _Look(
        filters=places,
        steps=chosen,
        every=every,
        kind=kind,
        config=GridConfig(columns=columns, scale=scale),
        fps=fps,
        has_caption=caption,
        ground=255 if background == "white" else 0,
    )
    return _save_picture(_layer_for_a_picture(runs, named), target, look)


def _check_number(name: str, value: object, low: float, high: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high or not value:
        raise ConfigError(f"`{name}` must be a number above {low:g}, up to {high:g}. Received: {name}={value!r}")


def check_ending(path: str | Path) -> str:
    """Check that the name of a file says what it becomes, and return its ending.

    Raises:
        ConfigError: if it does not.
    """
    ending = Path(path).suffix.lower()
    if re.match(r"[A-Za-z][\w+.-]+:/", Path(path).as_posix()):  # one letter would be a Windows drive
        raise ConfigError(f"Files are saved on this machine; copy them elsewhere from there. Received: {str(path)!r}")
    if ending not in ENDINGS:
        raise ConfigError(f"The name must end in one of {', '.join(ENDINGS)}. Received: {str(path)!r}")
    return ending


def is_page(path: str | Path) -> bool:
    """Tell whether a file of this name becomes a page."""
    return Path(path).suffix.lower() in PAGES


def _chosen_runs(runs: "Mapping[str, FilterRun]", chosen: str | Sequence[str] | None) -> "list[FilterRun]":
    names = [chosen] if isinstance(chosen, str) else list(dict.fromkeys(runs if chosen is None else chosen))
    unknown = [name for name in names if name not in runs]
    if unknown or not names:
        raise ConfigError(f"`run` must name runs that are there: {listed(runs, 20)}. Received: run={chosen!r}")
    return [runs[name] for name in names]


def _layer_for_a_picture(runs: "list[FilterRun]", named: list[str] | None) -> "LayerSeries":
    run = max(runs, key=lambda each: each.last_wall_time)
    if named is not None and len(named) != 1:
        raise ConfigError(f"A picture is of one layer. Received: layer={named!r}")
    return run[named[0]] if named else run[run.layers[-1]]


def _save_table(
    runs: "list[FilterRun]",
    path: Path,
    named: list[str] | None,
    filters: Sequence[int] | None,
    steps: Sequence[int] | None,
    every: int,
) -> Path:
    cuts = cuts_of(runs, named, steps, every, filters)
    ending = path.suffix.lower()
    if ending == ".npz":
        return _written(path, lambda unfinished: write_npz(unfinished, cuts, with_run=len(runs) > 1))
    if ending == ".parquet":
        check_package("pyarrow", "A .parquet file")
    write = write_csv if ending == ".csv" else write_parquet
    return _written(path, lambda unfinished: write(unfinished, columns_of(cuts)))


def _save_picture(layer: "LayerSeries", path: Path, look: _Look) -> Path:
    ending = path.suffix.lower()
    known = layer.steps.tolist()
    draw = partial(grids, layer, filters=look.filters, config=look.config, has_caption=look.has_caption)
    kind = look.kind or ("grid" if ending in PICTURES else "animation")
    if kind != "animation" and ending not in PICTURES:
        raise ConfigError(f"A {kind} is one picture, so its name ends in .png. Received: {str(path)!r}")
    if kind == "animation":
        check_can_play(ending)
        chosen = chosen_steps(known, look.steps, look.every)
        frames = alike(list(draw(chosen, ground=look.ground)), look.ground)
        _check_sides(ending, frames[0])
        return _written(path, lambda unfinished: write_animation(unfinished, frames, look.fps))
    if kind == "filmstrip":
        is_open = look.steps is None and look.every == 1
        spread = None if is_open else chosen_steps(known, look.steps, look.every)
        picture = strip(layer, spread, filters=look.filters, scale=look.config.scale, ground=look.ground)
        return _written(path, lambda unfinished: unfinished.write_bytes(to_png(picture)))
    chosen = known[-1:] if look.steps is None else chosen_steps(known, look.steps, 1)
    if len(chosen) != 1 or look.every != 1:
        received = f"steps={look.steps!r}, every={look.every}"
        raise ConfigError(f"A grid is of one step. Received: {received}. Of several: kind='filmstrip', or a .gif")
    (picture,) = draw(chosen, ground=look.ground)
    return _written(path, lambda unfinished: unfinished.write_bytes(to_png(picture)))


def _check_sides(ending: str, frame: Pixels) -> None:
    most, longest = _LONGEST_PX.get(ending, 1 << 31), max(frame.shape[:2])
    if longest > most:
        raise ConfigError(
            f"A {ending} has sides of at most {most} px, and this one would have {longest}: choose a smaller scale, "
            "fewer filters or other columns."
        )


def _written(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file beside its place, and move it there once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{secrets.token_hex(8)}{path.suffix.lower()}")
    try:
        write(unfinished)
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise
    return path
