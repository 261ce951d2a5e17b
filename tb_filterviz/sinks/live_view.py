"""What filters look like now, in one output of a notebook, which is replaced at every step."""

import secrets
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from tb_filterviz.errors import VisualizationWarning
from tb_filterviz.imaging import layout
from tb_filterviz.imaging.captions import spoken_marks, spoken_step
from tb_filterviz.imaging.encode import to_png
from tb_filterviz.imaging.slider import Slide, html_bytes, shown_times, side_by_side, sizes, slider, small_grid
from tb_filterviz.snapshots import LayerSnapshot

MOST_LAYERS = 4  # spread over the network
MOST_BYTES = 500_000  # of HTML, at each step
_MARKUP_BYTES = 1000  # of a layer
_LEAST_PX = 8  # of a tile's side
_TILE_PX = 40  # about, on the screen: what follows is to be seen as well


class LiveView:
    """Shows the last step in the cell of a notebook that runs; another cell has an output of its own.

    Nothing that goes wrong with it disturbs a training: that is a `VisualizationWarning`, once.
    """

    def __init__(self) -> None:
        self._cell: int | None = None
        self._display_id = ""
        self._has_failed = False

    def write(self, step: int, snapshots: Sequence[LayerSnapshot]) -> None:
        """Show some of the layers, in place of those of the step before."""
        if self._has_failed or not has_kernel():
            return
        try:
            said = f"Filters, {spoken_step(step, snapshots[0].unit)}"
            self._show({"text/html": live_html(snapshots), "text/plain": said})
        except Exception as error:
            self._has_failed = True
            reason = f"{type(error).__name__}: {error}"
            warnings.warn(
                f"Filters are not shown any more while they train: {reason}", VisualizationWarning, stacklevel=2
            )

    def _show(self, bundle: dict[str, str]) -> None:
        from IPython.display import display, update_display  # loaded already: this is its process

        cell = _shell().execution_count
        if self._cell == cell:
            update_display(bundle, raw=True, display_id=self._display_id)
        else:
            self._cell, self._display_id = cell, f"tb_filterviz-{secrets.token_hex(8)}"
            display(bundle, raw=True, display_id=self._display_id)

    def report(self, step: int, text: str) -> None:
        """Do nothing: the picture of the step before stays."""

    def close(self) -> None:
        """Do nothing: the last picture stays, and a next training in the same cell replaces it."""

    def __getstate__(self) -> dict[str, Any]:
        """Leave the output behind: it belongs to the cell, not to a copy."""
        return {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        LiveView.__init__(self)


def _shell() -> Any:
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()


def has_kernel() -> bool:
    """Tell whether this process is the kernel of a notebook, which can show pictures."""
    return getattr(_shell(), "kernel", None) is not None


def live_html(snapshots: Sequence[LayerSnapshot]) -> str:
    """Show some layers of one step, within half a megabyte."""
    chosen = [snapshots[place] for place in layout.spread(len(snapshots), MOST_LAYERS)]
    blocks: list[str] = []
    left = MOST_BYTES
    for at, snapshot in enumerate(chosen):
        blocks.append(_layer_html(snapshot, left // (len(chosen) - at)))
        left -= len(blocks[-1])
    more = f"<div>{len(chosen)} of {len(snapshots)} layers</div>" if len(chosen) < len(snapshots) else ""
    return f"<div>{side_by_side(blocks)}{more}</div>"


def _layer_html(snapshot: LayerSnapshot, most_bytes: int) -> str:
    height, width = snapshot.tiles.shape[1:3]
    for count, largest_px in sizes(len(snapshot.tiles), max(height, width), least_px=_LEAST_PX):
        tiles = layout.shrink(snapshot.tiles[:count], largest_px)
        config = small_grid(tiles.shape[1], tiles.shape[2])
        responsive, flat = snapshot.responsive[:count], snapshot.flat[:count]
        picture = layout.grid(tiles, snapshot.scores[:count], responsive, flat, config)
        encoded = to_png(picture)
        if html_bytes(len(encoded)) + _MARKUP_BYTES <= most_bytes:
            break
    marks = spoken_marks(responsive, flat)
    caption = f"{snapshot.layer}, {spoken_step(snapshot.step, snapshot.unit)}" + (f"; {marks}" if marks else "")
    times = shown_times(picture.shape[1], tiles.shape[1], tiles.shape[2], _TILE_PX)
    note = f"The first {count} of {len(snapshot.tiles)} filters" if count < len(snapshot.tiles) else ""
    return slider(
        [Slide(encoded, caption)], label="", width_px=picture.shape[1] * times, is_enlarged=times > 1, note=note
    )
