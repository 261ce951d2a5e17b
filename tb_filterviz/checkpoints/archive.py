"""The zip archives that Keras 3 saves as ``.keras``: a configuration, and the weights as HDF5."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tb_filterviz.error_context import raising_checkpoint_error
from tb_filterviz.errors import CheckpointError

_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_CONFIG_BYTES = 64 << 20
_METADATA_BYTES = 1 << 16
_HIGHEST_RATIO = 20  # Keras does not compress; weights that somebody packed again shrink by a tenth
_UNSUSPICIOUS_BYTES = 16 << 20


def config(path: Path) -> str:
    """Read the model's configuration, as JSON."""
    with _member(path, _CONFIG, largest=_CONFIG_BYTES) as member:
        return member.read().decode("utf-8", "replace")


def keras_version(path: Path) -> str | None:
    """Read which Keras wrote the archive; None if it does not say."""
    with opened(path) as archive:
        if _METADATA not in archive.namelist():
            return None
    with _member(path, _METADATA, largest=_METADATA_BYTES) as member:
        try:
            metadata = json.loads(member.read())
        except (ValueError, RecursionError):  # nothing depends on it but what we know of that Keras
            return None
    version = metadata.get("keras_version") if isinstance(metadata, dict) else None
    return version if isinstance(version, str) else None


@contextmanager
def unpacked_weights(path: Path) -> Iterator[Path]:
    """Copy the weights to an HDF5 file of their own, which goes at the end."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / _WEIGHTS
        with _member(path, _WEIGHTS) as member, target.open("wb") as file:
            shutil.copyfileobj(member, file)
        yield target


def is_archive(path: Path) -> bool:
    """Tell whether it is a zip archive, as a whole."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # one of several disks
        return False


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open the archive for reading.

    Raises:
        CheckpointError: if it is damaged.
    """
    with raising_checkpoint_error(path, "Keras 3 archive"), zipfile.ZipFile(path) as archive:
        yield archive


@contextmanager
def _member(path: Path, name: str, largest: int | None = None) -> Iterator[IO[bytes]]:
    with opened(path) as archive:
        if name not in archive.namelist():
            raise CheckpointError(f"{str(path)!r} is a Keras 3 archive without {name!r}.")
        info = archive.getinfo(name)
        packed_bytes = min(info.compress_size, path.stat().st_size)  # the archive says the former itself
        bound = max(_UNSUSPICIOUS_BYTES, packed_bytes * _HIGHEST_RATIO)
        if info.file_size > (bound if largest is None else min(bound, largest)):
            raise CheckpointError(
                f"{str(path)!r} would unpack {name!r} from {packed_bytes:,} bytes to {info.file_size:,}. "
                "It is damaged or hostile, and was not unpacked."
            )
        with archive.open(info) as member:
            yield member
