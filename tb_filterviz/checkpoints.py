"""Any file that Keras wrote, to a model with its weights; recognised by content, not by extension."""

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

import h5py
import keras

from tb_filterviz.errors import CheckpointError

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Kind(Enum):
    """What a file holds, and the suffix that Keras wants for it."""

    MODEL = ".keras"
    LEGACY_MODEL = ".h5"
    WEIGHTS = ".weights.h5"
    LEGACY_WEIGHTS = ".hdf5"

    @property
    def has_architecture(self) -> bool:
        """Whether the file says what the model looks like."""
        return self in (Kind.MODEL, Kind.LEGACY_MODEL)


def recognise(path: Path) -> Kind:
    """What the file holds.

    Raises:
        CheckpointError: if it is nothing that Keras wrote.
    """
    if not path.exists():
        raise CheckpointError(f"There is no file {str(path)!r}.")
    if path.is_dir():
        raise CheckpointError(f"{str(path)!r} is a folder. Give a file of weights or a model that Keras saved.")
    with path.open("rb") as file:
        signature = file.read(8)
    if signature.startswith(b"PK") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if "config.json" in archive.namelist():
                return Kind.MODEL
    elif signature == _HDF5_SIGNATURE:
        kind = _recognise_hdf5(path)
        if kind is not None:
            return kind
    raise CheckpointError(
        f"{str(path)!r} is not a model or weights that Keras saved (a .keras archive or an HDF5 file of weights). "
        f"It begins with {signature!r}."
    )


def _recognise_hdf5(path: Path) -> Kind | None:
    try:
        with h5py.File(path, "r") as file:
            if "model_config" in file.attrs:
                return Kind.LEGACY_MODEL
            if "layer_names" in file.attrs:
                return Kind.LEGACY_WEIGHTS
            return Kind.WEIGHTS if "layers" in file or "vars" in file else None
    except OSError as error:
        raise CheckpointError(f"{str(path)!r} is a damaged HDF5 file: {error}") from error


@contextmanager
def _with_suffix(path: Path, suffix: str) -> Iterator[str]:
    """The file under a name that Keras accepts: it goes by the suffix."""
    if path.name.endswith(suffix) and not (suffix == ".h5" and path.name.endswith(".weights.h5")):
        yield str(path)
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / f"file{suffix}"
        link.symlink_to(path.resolve())
        yield str(link)


def load_model(path: str | Path, architecture: keras.Model | None = None) -> keras.Model:
    """The model that the file holds, or `architecture` with the weights that it holds.

    Args:
        path: a ``.keras`` archive, or HDF5: a whole model or weights only, of Keras 3 or Keras 2.
        architecture: a built model; needed for files of weights only. Its weights are set in place.

    Raises:
        CheckpointError: if the file is damaged, is something else, does not fit, or needs an architecture.
    """
    path = Path(path)
    kind = recognise(path)
    if architecture is None and not kind.has_architecture:
        raise CheckpointError(
            f"{str(path)!r} holds weights only, not the model that they belong to. Say which: --model lenet on the "
            "command line, architecture=... in Python."
        )
    with _with_suffix(path, kind.value) as readable:
        try:
            if architecture is None:
                return keras.saving.load_model(readable, compile=False)
            architecture.load_weights(readable)
            return architecture
        except Exception as error:  # Keras raises whatever the file makes it stumble over
            summary = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise CheckpointError(f"Keras could not load {str(path)!r}: {summary}") from error
