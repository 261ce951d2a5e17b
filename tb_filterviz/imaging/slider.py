"""Pictures under a slider, as HTML that needs no server, no kernel and no other file: for notebooks and pages."""

import base64
import html
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tb_filterviz.config import GridConfig

SMALLEST_STORED_PX = 12  # of a tile's side: a cross over fewer pixels cannot be seen
LEAST_OF_MANY_PX = 16
WIDEST_PX = 1000  # about what a notebook has room for
ENOUGH_FILTERS = 64  # rather these, than more that cannot be seen

# What makes a slider of a picture. It stands in the picture itself, as a notebook may put the same output into a page
# twice, or run no script that stands on its own. Where none may run, the picture stays, and there is no dead control.
# Keys that move a slider stay with it: JupyterLab would move to another cell.
_BEGIN = re.sub(
    r"\s+",
    " ",
    """
const picture = this, frames = (picture.dataset.frames || '').split(' ');
picture.onload = null;
if (frames.length < 2) return;
const captions = JSON.parse(picture.dataset.captions), last = frames.length - 1;
const begin = picture.src.slice(0, picture.src.indexOf(',') + 1), words = picture.parentNode.lastElementChild;
const line = document.createElement('div'), range = document.createElement('input');
const play = document.createElement('button');
line.style.cssText = 'display:flex;gap:.6em;align-items:center;max-width:100%;margin:.4em 0 .1em';
line.style.width = picture.getAttribute('width') + 'px';
line.style.minWidth = 'min(16em, 100%)';
line.dataset.lmSuppressShortcuts = 'true';
line.onkeydown = (event) => {
  if (/^(Arrow|Page|Home|End|Enter| )/.test(event.key)) event.stopPropagation();
};
range.type = 'range';
range.max = last;
range.value = last;
range.style.cssText = 'flex:1;min-width:0;margin:0;accent-color:#2a7de1';
range.setAttribute('aria-label', picture.dataset.label);
play.type = 'button';
play.style.cssText = 'font:inherit;color:inherit;background:none;border:1px solid;border-radius:4px;padding:0 .6em;'
  + 'min-width:4em;cursor:pointer';
let timer = 0;
const show = () => {
  const caption = captions[range.value];
  picture.src = begin + frames[range.value];
  picture.alt = words.textContent = caption;
  range.setAttribute('aria-valuetext', caption);
};
const stop = () => { clearInterval(timer); timer = 0; play.textContent = 'Play'; };
const next = () => {
  if (!picture.isConnected || Number(range.value) === last) { stop(); return; }
  range.value = Number(range.value) + 1;
  show();
};
play.onclick = () => {
  if (timer) { stop(); return; }
  if (Number(range.value) === last) { range.value = 0; show(); }
  timer = setInterval(next, 400);
  play.textContent = 'Stop';
};
range.oninput = () => { stop(); show(); };
range.setAttribute('aria-valuetext', captions[last]);
stop();
line.append(play, range);
picture.after(line);
""",
).strip()


@dataclass(frozen=True, slots=True)
class Slide:
    """What is seen at one place of a slider.

    Attributes:
        picture: an encoded file, PNG, WebP, JPEG or GIF.
        caption: below it.
    """

    picture: bytes
    caption: str


def slider(slides: Sequence[Slide], *, label: str, width_px: int, is_enlarged: bool = True, note: str = "") -> str:
    """Put pictures under a slider, which begins at the last of them; one alone has none.

    Without scripts, as on GitHub or in a notebook that is not trusted, the last picture is seen with its caption.
    Whatever texts hold, they stay texts.

    Args:
        slides: at least one; all of one kind of file.
        label: what the slider is called for those who do not see it.
        width_px: how wide pictures are shown, where there is room.
        is_enlarged: whether that is wider than they are: then pixels stay squares.
        note: what else is to be said, after the caption.

    Returns:
        HTML.
    """
    encoded = [base64.b64encode(slide.picture).decode("ascii") for slide in slides]
    captions = [slide.caption for slide in slides]
    begin = f"data:{media_type(slides[-1].picture)};base64,"
    look = "max-width:100%;height:auto;vertical-align:bottom" + (";image-rendering:pixelated" if is_enlarged else "")
    moved = {
        "onload": _BEGIN,
        "data-label": label,
        "data-captions": json.dumps(captions),
        "data-frames": " ".join(encoded),
    }
    attributes = {
        "src": begin + encoded[-1],
        "alt": captions[-1],
        "width": str(width_px),
        "style": look,
        **(moved if len(slides) > 1 else {}),
    }
    written = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    small = f'<div style="opacity:.75;font-size:.9em">{html.escape(note)}</div>' if note else ""
    # the caption is the last in the block of the picture: that is where the script looks for it
    return (
        f'<div style="max-width:100%"><div style="max-width:100%"><img {written}>'
        f"<div>{html.escape(captions[-1])}</div></div>{small}</div>"
    )


def side_by_side(blocks: Sequence[str]) -> str:
    """Put blocks of HTML beside each other, where there is room, and below each other where there is none."""
    style = "display:flex;flex-wrap:wrap;gap:1em 2.5em;align-items:flex-start"
    return f'<div style="{style}">{"".join(blocks)}</div>'


def html_bytes(picture_bytes: int) -> int:
    """Tell how much of HTML pictures take."""
    return -(-picture_bytes // 3) * 4


def media_type(picture: bytes) -> str:
    """Tell the kind of an encoded picture from its first bytes."""
    kinds = {b"\x89PNG": "image/png", b"RIFF": "image/webp", b"\xff\xd8": "image/jpeg", b"GIF8": "image/gif"}
    return next(kind for begin, kind in kinds.items() if picture.startswith(begin))


def small_grid(height: int, width: int) -> GridConfig:
    """Lay tiles out with few pixels, to be enlarged where they are shown; a filter keeps its place."""
    return GridConfig(scale=max(1, -(-SMALLEST_STORED_PX // max(height, width))), margin_px=1)


def shown_times(picture_px: int, height: int, width: int, tile_px: int) -> int:
    """Tell by what factor a `small_grid` of tiles is enlarged on the screen.

    Args:
        picture_px: the width of the grid.
        height: of a tile.
        width: of a tile.
        tile_px: about how large a tile is to be there.
    """
    side = max(height, width) * (small_grid(height, width).scale or 1)
    return max(1, min(-(-tile_px // side), WIDEST_PX // picture_px))


def sizes(count: int, side_px: int, *, least_px: int) -> Iterator[tuple[int, int]]:
    """List how many filters can be shown, with tiles of how many pixels, from all that there is room for to less.

    Args:
        count: of filters.
        side_px: the longer side of their tiles.
        least_px: tiles are not made smaller than that to save bytes; many not below 16, rather fewer are shown.
    """
    for most in dict.fromkeys((count, min(count, ENOUGH_FILTERS))):
        largest_px = max(1, min(side_px, WIDEST_PX // math.ceil(math.sqrt(most)) - 1))
        yield most, largest_px
        while largest_px // 2 >= (least_px if most <= ENOUGH_FILTERS else max(least_px, LEAST_OF_MANY_PX)):
            largest_px //= 2
            yield most, largest_px
