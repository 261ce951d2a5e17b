"""How a run shows itself in a notebook: its layers under sliders, within a size that a notebook can hold."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tensorboard import errors

from tb_filterviz.errors import FilterVizError
from tb_filterviz.imaging.captions import spoken_marks, spoken_step, spoken_steps
from tb_filterviz.imaging.encode import to_png
from tb_filterviz.imaging.layout import LEGIBLE_PX, Pixels, spread
from tb_filterviz.imaging.slider import (
    Slide,
    html_bytes,
    shown_times,
    side_by_side,
    sizes,
    slider,
    small_grid,
)
from tb_filterviz.reading.names import listed

if TYPE_CHECKING:
    from tb_filterviz.filter_run import FilterRun, FilterRuns, LayerSeries

MOST_BYTES = 4_000_000  # of HTML, of a run
MOST_STEPS = 40
MOST_LAYERS = 6  # with pictures
MOST_NAMES = 60  # of layers without, and of runs
_ENOUGH_STEPS = 12
_LEAST_PX = 16  # of a tile's side
_TILE_PX = 48  # about, on the screen, where layers stand side by side
_MARKUP_BYTES = 4000  # of a slider without its pictures
_STEP_BYTES = 120  # of a step without its picture


@dataclass(frozen=True, slots=True)
class _Fit:
    """How much of a layer is shown.

    Attributes:
        filters: their numbers; None for all.
        largest_px: of a tile's side.
        steps: how many at most.
    """

    filters: list[int] | None
    largest_px: int
    steps: int


def layer_html(layer: "LayerSeries", most_bytes: int = MOST_BYTES, tile_px: int = LEGIBLE_PX) -> str:
    """Show a layer at its steps, under a slider that begins at the last.

    Args:
        layer: of a run.
        most_bytes: about how large the HTML may be: of a layer for which that is too little, fewer filters, smaller
            tiles or fewer steps are shown, and that is said.
        tile_px: about how large a tile is to be on the screen.

    Returns:
        HTML that needs nothing else.
    """
    known = layer.steps.tolist()
    budget = max(most_bytes - _MARKUP_BYTES, 0)
    fit = _fit(layer, known, budget)
    slides = [_slide(layer, step, fit) for step in _spread_steps(known, fit.steps)]
    while len(slides) > 1 and _size(slides) > budget:  # steps between were larger than the first and the last
        fewer = max(1, min(len(slides) - 1, len(slides) * budget // _size(slides)))
        slides = [_slide(layer, step, fit) for step in _spread_steps(known, fewer)]
    picture = _picture(layer, known[-1], fit)
    times = shown_times(picture.shape[1], *_shown_sides(layer, fit), tile_px)
    return slider(
        slides,
        label=f"{layer.unit.capitalize()} of {layer.name}",
        width_px=picture.shape[1] * times,
        is_enlarged=times > 1,
        note=_note(layer, fit, len(slides), len(known)),
    )


def run_html(run: "FilterRun", name: str = "run", most_bytes: int = MOST_BYTES) -> str:
    """Show a run: its first layers under sliders, the others by their names.

    Args:
        run: which.
        name: what the user calls it, for a line of Python that shows another layer.
        most_bytes: about how large the HTML may be.

    Returns:
        HTML that needs nothing else.
    """
    title = f"<b>{html.escape(run.name)}</b>, in {html.escape(run.log_dir)}"
    return _titled(title, run, name, most_bytes)


def _titled(title: str, run: "FilterRun", name: str, most_bytes: int) -> str:
    shown, others = run.layers[:MOST_LAYERS], run.layers[MOST_LAYERS:]
    blocks: list[str] = []
    left = most_bytes
    for at, layer in enumerate(shown):
        blocks.append(layer_or_reason(run[layer], left // (len(shown) - at), _TILE_PX))
        left -= len(blocks[-1])
    more = ""
    if others:
        hint = f"<code>{html.escape(name)}[{html.escape(repr(others[-1]))}]</code>"
        named = html.escape(listed(others, MOST_NAMES))
        more = f"<div>{len(others)} more layers: {named}. To see one of them: {hint}</div>"
    return f'<div><div style="margin-bottom:.6em">{title}</div>{side_by_side(blocks)}{more}</div>'


def runs_html(runs: "FilterRuns") -> str:
    """Show the runs of a log directory: a table of them, and the one that was written last."""
    newest = runs.newest
    names = list(runs)
    shown = [name for name in names if name in names[:MOST_NAMES] or name == newest.name]
    head = "".join(f'<th style="text-align:left">{title}</th>' for title in ("run", "layers", "steps", "last accuracy"))
    rows = "".join(f"<tr>{_cells(runs[name])}</tr>" for name in shown)
    more = f"<div>and {len(names) - len(shown)} more</div>" if len(names) > len(shown) else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"
    name = f"runs[{newest.name!r}]"
    title = f"The newest, <code>{html.escape(name)}</code>:"
    return f"<div>{table}{_titled(title, newest, name, MOST_BYTES - len(table))}</div>"


def layer_or_reason(layer: "LayerSeries", most_bytes: int = MOST_BYTES, tile_px: int = LEGIBLE_PX) -> str:
    """Show a layer as `layer_html` does; of one that cannot be read, why, so that others are seen all the same."""
    try:
        return layer_html(layer, most_bytes, tile_px)
    except (FilterVizError, errors.PublicError) as error:
        return f"<div>{html.escape(layer.name)} cannot be shown: {html.escape(str(error))}</div>"


def _cells(run: "FilterRun") -> str:
    first = run[run.layers[0]]
    try:
        steps = spoken_steps(first.steps.tolist(), first.unit)
    except FilterVizError:
        steps = "cannot be read"
    texts = (run.name, str(len(run)), steps, _last_accuracy(run))
    return "".join(f'<td style="text-align:left">{html.escape(text)}</td>' for text in texts)


def _last_accuracy(run: "FilterRun") -> str:
    """Name the last accuracy that Keras logged beside a run, of validation data if there are any."""
    curves = {name: curve for name, curve in run.curves.items() if name.endswith("accuracy") and len(curve.values)}
    for name in sorted(curves, key=lambda each: not each.startswith("validation/")):
        return f"{curves[name].values[-1]:.1%} ({name.rpartition('/')[0]})"
    return ""


def _fit(layer: "LayerSeries", known: Sequence[int], budget: int) -> _Fit:
    """Choose how much of a layer is shown: smaller tiles before fewer filters, and these before very few steps."""
    wanted = min(len(known), MOST_STEPS)
    fit = _Fit(None, 0, 1)
    for count, largest_px in sizes(len(layer.filters), max(layer.tile_shape[:2]), least_px=_LEAST_PX):
        filters = None if count == len(layer.filters) else layer.filters[:count].tolist()
        fit = _Fit(filters, largest_px, 1)
        a_step = max(_size([_slide(layer, step, fit)]) for step in {known[0], known[-1]})
        steps = min(wanted, max(1, budget // a_step))
        fit = _Fit(filters, largest_px, steps)
        if steps >= min(wanted, _ENOUGH_STEPS):
            break
    return fit


def _spread_steps(known: Sequence[int], count: int) -> list[int]:
    return [known[-1]] if count == 1 else [known[at] for at in spread(len(known), count)]


def _picture(layer: "LayerSeries", step: int, fit: _Fit) -> Pixels:
    config = small_grid(*_shown_sides(layer, fit))
    return layer.grid(step, config, filters=fit.filters, largest_px=fit.largest_px)


def _shown_sides(layer: "LayerSeries", fit: _Fit) -> tuple[int, int]:
    height, width = layer.tile_shape[:2]
    factor = math.ceil(max(height, width) / fit.largest_px)
    return math.ceil(height / factor), math.ceil(width / factor)


def _slide(layer: "LayerSeries", step: int, fit: _Fit) -> Slide:
    marks = spoken_marks(*layer.marks(step, fit.filters))
    caption = f"{layer.name}, {spoken_step(step, layer.unit)}" + (f"; {marks}" if marks else "")
    return Slide(to_png(_picture(layer, step, fit)), caption)


def _size(slides: Sequence[Slide]) -> int:
    return sum(html_bytes(len(slide.picture)) + _STEP_BYTES for slide in slides)


def _note(layer: "LayerSeries", fit: _Fit, steps: int, known: int) -> str:
    parts = []
    if fit.filters is not None:
        parts.append(f"the first {len(fit.filters)} of {len(layer.filters)} filters")
    if steps < known:
        parts.append(f"{steps} of {known} steps")
    height, width = _shown_sides(layer, fit)
    if (height, width) != tuple(layer.tile_shape[:2]):
        parts.append(f"tiles averaged down to {width} x {height} px")
    said = ", ".join(parts)
    return said[:1].upper() + said[1:]
