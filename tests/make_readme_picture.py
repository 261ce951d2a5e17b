"""Make the README's picture from the logs of `tb-filterviz demo`: LeNet before, early in and after training.

Run: python tests/make_readme_picture.py logs examples/filters.png
"""

import io
import sys
from pathlib import Path

from PIL import Image, ImageDraw
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

CAPTION_PX = 26
GAP_PX = 16
LAYERS = ("conv2d_1", "conv2d_2")
STEPS = {-1: "before training", 0: "after 1 epoch", 4: "after 5 epochs"}


def main(log_dir: str, output: str) -> None:
    """Put the grids of the run side by side."""
    run = EventAccumulator(str(Path(log_dir) / "filters"), size_guidance={"tensors": 0})
    run.Reload()
    rows = []
    for layer in LAYERS:
        events = {event.step: event.tensor_proto for event in run.Tensors(f"filters/{layer}")}
        rows.append([Image.open(io.BytesIO(tensor_util.make_ndarray(events[step])[2])) for step in STEPS])
    column = max(grid.width for row in rows for grid in row)
    width = len(STEPS) * (column + GAP_PX) + GAP_PX
    height = sum(CAPTION_PX + row[0].height + GAP_PX for row in rows) + GAP_PX
    picture = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(picture)
    top = GAP_PX
    for layer, row in zip(LAYERS, rows, strict=True):
        for number, (grid, caption) in enumerate(zip(row, STEPS.values(), strict=True)):
            left = GAP_PX + number * (column + GAP_PX) + (column - grid.width) // 2
            draw.text((left, top), f"{layer}, {caption}", fill="black", font_size=20)
            picture.paste(grid, (left, top + CAPTION_PX))
        top += CAPTION_PX + row[0].height + GAP_PX
    picture.save(output, optimize=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
