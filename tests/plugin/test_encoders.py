"""What the tab saves as an animation, read by Pillow."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageSequence

from tests.processes import LIMIT_S

FRONTEND = Path(__file__).parents[1] / "frontend"
NODE = shutil.which("node")


def version(node: str | None) -> tuple[int, int]:
    if not node:
        return 0, 0
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout  # such as v20.19.0
    major, minor = said.strip().removeprefix("v").split(".")[:2]
    return int(major), int(minor)


pytestmark = pytest.mark.skipif(
    version(NODE) < (20, 19), reason="no Node.js from 20.19 on, which runs what the tab saves films by"
)

Frames = npt.NDArray[np.uint8]  # [n, height, width, 3]


def films(folder: Path, frames: Frames, delays_ms: Sequence[float]) -> tuple[Path, Path]:
    """Write frames by the tab's own encoders: an animated PNG, and a GIF."""
    count, height, width, _ = frames.shape
    opaque = np.full((count, height, width, 1), 255, np.uint8)
    (folder / "frames.rgba").write_bytes(np.concatenate([frames, opaque], axis=3).tobytes())
    about = {"width": width, "height": height, "delays_ms": list(delays_ms)}
    (folder / "frames.json").write_text(json.dumps(about), encoding="utf-8")
    command = [NODE or "", str(FRONTEND / "encode.js"), str(folder / "frames"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "film.png", folder / "film.gif"


def read(path: Path) -> tuple[Frames, list[float]]:
    """Every frame as it is seen, and how long it stays."""
    with Image.open(path) as film:
        assert film.info["loop"] == 0  # for ever
        seen = [(np.asarray(one.convert("RGB")), one.info["duration"]) for one in ImageSequence.Iterator(film)]
    return np.stack([pixels for pixels, _ in seen]), [duration for _, duration in seen]


def sheet(step: int) -> Image.Image:
    """Draw a sheet of tiles in few colours: text, grays where letters end, moving stripes, an orange mark."""
    image = Image.new("RGB", (121, 77), (38, 38, 38))
    draw = ImageDraw.Draw(image)
    draw.text((4, 2), f"conv2d_1  epoch {step}", fill=(241, 241, 241))
    for tile in range(6):
        left, top = 4 + 19 * tile, 20 + 9 * (tile % 2)
        for row in range(16):
            shade = (row * (tile + 1) + 3 * step) % 16 * 15
            draw.line((left, top + row, left + 15, top + row), fill=(shade, shade, shade))
    draw.line((4, 20, 19, 35), fill=(255, 140, 0))
    return image


def few_colours(count: int) -> Frames:
    return np.stack([np.asarray(sheet(step)) for step in range(count)])


def many_colours(count: int) -> Frames:
    """The sheet, every tile in smooth colours that turn, with a little noise."""
    frames = few_colours(count)
    rows, columns = np.mgrid[:32, :121]
    rng = np.random.default_rng(5)
    for step, frame in enumerate(frames):
        waves = [np.sin((rows * (1 + channel) + columns + 9 * step) / 17) for channel in range(3)]
        noise = rng.integers(-4, 5, (32, 121, 3))
        frame[45:] = np.clip(128 + 110 * np.stack(waves, axis=2) + noise, 0, 255)
    return frames


def test_few_colours_are_exact_in_either_format(tmp_path: Path) -> None:
    frames = few_colours(7)
    assert len(np.unique(frames.reshape(-1, 3), axis=0)) < 256
    png, gif = films(tmp_path, frames, [80] * 6 + [1000])
    for path in (png, gif):
        seen, delays_ms = read(path)
        np.testing.assert_array_equal(seen, frames)
        assert delays_ms == [80] * 6 + [1000]


def test_many_colours_are_exact_as_png_and_close_as_gif(tmp_path: Path) -> None:
    frames = many_colours(5)
    assert len(np.unique(frames.reshape(-1, 3), axis=0)) > 10000
    png, gif = films(tmp_path, frames, [125, 125, 125, 125, 1000])
    seen, delays_ms = read(png)
    np.testing.assert_array_equal(seen, frames)
    assert delays_ms == [125, 125, 125, 125, 1000]
    close, delays_ms = read(gif)
    errors = np.abs(close.astype(int) - frames)
    assert errors.mean() < 3
    assert errors[:, :20].mean() < 0.5, "letters"
    assert delays_ms == [130, 120, 130, 120, 1000]


def test_what_does_not_change_is_one_frame_that_stays(tmp_path: Path) -> None:
    frames = few_colours(3)[[0, 0, 0, 1, 1, 2]]
    for path in films(tmp_path, frames, [100] * 5 + [1000]):
        seen, delays_ms = read(path)
        np.testing.assert_array_equal(seen, frames[[0, 3, 5]])
        assert delays_ms == [300, 200, 1000]


def test_a_single_frame_is_a_picture(tmp_path: Path) -> None:
    frames = few_colours(1)
    for path in films(tmp_path, frames, [1000]):
        with Image.open(path) as picture:
            np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), frames[0])
