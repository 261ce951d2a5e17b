"""Pictures one after the other, as files that play."""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tb_filterviz.errors import ConfigError
from tb_filterviz.imaging.encode import to_image
from tb_filterviz.imaging.layout import Pixels

HOLD_S = 1.0  # so much longer, the last picture stays
ANIMATIONS = (".gif", ".webp", ".apng", ".mp4")
_MP4_PACKAGE = "imageio_ffmpeg"
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "GIF": {"optimize": False, "disposal": 1},
    "WEBP": {"lossless": True, "quality": 60, "method": 4},
    "PNG": {"default_image": False},
}


def check_can_play(suffix: str) -> None:
    """Check that animations with this ending can be written here.

    Raises:
        ConfigError: if not.
    """
    if suffix == ".mp4" and importlib.util.find_spec(_MP4_PACKAGE) is None:
        raise ConfigError('An .mp4 file needs an encoder: pip install "tb_filterviz[mp4]". Or write .webp or .gif.')


def write_animation(path: Path, frames: Sequence[Pixels], fps: float) -> None:
    """Write an animation that plays again and again; its last picture stays a second longer.

    Whether there is an encoder says `check_can_play`.

    Args:
        path: ends in ``.gif``, ``.webp``, ``.apng``, ``.png`` or ``.mp4``. WebP and APNG keep every pixel as it is; GIF
            keeps gray ones, and chooses 256 colours for each picture; MP4 (H.264) keeps none.
        frames: uint8 ``[h, w, c]``, all of one shape, ``c`` 1 or 3.
        fps: pictures a second.
    """
    if path.suffix.lower() == ".mp4":
        _write_mp4(path, frames, fps)
        return
    images = [to_image(frame) for frame in frames]
    durations = [round(1000 / fps)] * len(images)
    durations[-1] += round(1000 * HOLD_S)
    first, rest = images[0], images[1:]
    kind = {".gif": "GIF", ".webp": "WEBP"}.get(path.suffix.lower(), "PNG")
    if kind == "GIF":
        first, *rest = [_with_palette(image) for image in images]
    first.save(path, kind, save_all=True, append_images=rest, duration=durations, loop=0, **_OPTIONS[kind])


def _with_palette(image: Image.Image) -> Image.Image:
    if image.mode == "L":
        return image
    return image.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _write_mp4(path: Path, frames: Sequence[Pixels], fps: float) -> None:
    import imageio_ffmpeg

    height, width = (side + side % 2 for side in frames[0].shape[:2])  # H.264 halves the sides of colours
    writer = imageio_ffmpeg.write_frames(
        str(path),
        (width, height),
        fps=fps,
        codec="libx264",
        macro_block_size=1,
        output_params=["-crf", "16", "-pix_fmt", "yuv420p", "-movflags", "+faststart"],
        ffmpeg_log_level="error",
    )
    writer.send(None)
    try:
        for frame in [*frames, *[frames[-1]] * round(HOLD_S * fps)]:
            whole = np.zeros((height, width, 3), np.uint8)
            whole[: frame.shape[0], : frame.shape[1]] = frame
            writer.send(whole)
    finally:
        writer.close()
