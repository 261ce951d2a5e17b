"""Read a folder of images."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from tb_filterviz.errors import ConfigError
from tb_filterviz.examples.example_set import ExampleSet, example_set, spread

_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
_MOST_LISTED = 200_000  # files; a folder of more is read no further


def read_folder(folder: Path, most: int, shape: tuple[int, int, int], class_names: Sequence[str] | None) -> ExampleSet:
    """Read images of a folder; subfolders are classes, in the order of their names.

    Images are cut to the model's proportions at their middle, and resized.

    Args:
        folder: where they are.
        most: how many are read, spread evenly over the files in the order of their names.
        shape: ``(height, width, channels)`` of the model's image; channels are 1 or 3.
        class_names: None takes the names of the subfolders.

    Raises:
        ConfigError: if there are no images, or none can be read.
    """
    if shape[2] not in (1, 3) or shape[0] == 1:
        raise ConfigError(
            f"A folder of images goes with models of images in gray or in colours. This one takes {shape}: "
            "give an array as examples."
        )
    files = _images_below(folder)
    classes = sorted({path.relative_to(folder).parts[0] for path in files if path.parent != folder})
    if not files:
        kinds = ", ".join(sorted(each[1:] for each in _ENDINGS))
        raise ConfigError(f"`examples` names the folder {str(folder)!r}, in which there are no images ({kinds}).")
    has_classes = bool(classes) and all(path.parent != folder for path in files)
    chosen = [files[place] for place in spread(len(files), most)]
    pictures, kept, unreadable = [], [], []
    for path in chosen:
        try:
            pictures.append(_picture(path, shape))
            kept.append(path)
        except Exception:  # damaged files make decoders raise whatever they like
            unreadable.append(path.name)
    if not pictures:
        raise ConfigError(
            f"`examples` names the folder {str(folder)!r}, of whose images none can be read: "
            f"{', '.join(unreadable[:3])}."
        )
    labels = [classes.index(path.relative_to(folder).parts[0]) for path in kept] if has_classes else None
    more = f"; {len(unreadable)} could not be read, {unreadable[0]} first" if unreadable else ""
    return example_set(
        np.stack(pictures),
        None if labels is None else np.array(labels, np.int32),
        shape=shape,
        class_names=class_names or (classes if has_classes else None),
        origin=f"images of {folder}{more}",
        are_pictures=True,
    )


def _images_below(folder: Path) -> list[Path]:
    found: list[Path] = []
    for path in folder.rglob("*"):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.suffix.lower() in _ENDINGS and not is_hidden and path.is_file():
            found.append(path)
        if len(found) >= _MOST_LISTED:
            break
    return sorted(found)


def _picture(path: Path, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    height, width, channels = shape
    with warnings.catch_warnings(), Image.open(path) as opened:
        warnings.simplefilter("ignore")  # of odd palettes
        turned = ImageOps.exif_transpose(opened)
        picture = turned.convert("L" if channels == 1 else "RGB")
    fitted = ImageOps.fit(picture, (width, height), Image.Resampling.BILINEAR)
    return np.asarray(fitted, np.uint8).reshape(shape)
