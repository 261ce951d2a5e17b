"""Read untrusted HDF5 files: never out of the file, never more than it holds."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import h5py

from tb_filterviz.error_context import raising_checkpoint_error
from tb_filterviz.errors import CheckpointError

if sys.platform != "win32":
    import fcntl

Shape = tuple[int, ...]


class Array(NamedTuple):
    """What the file says of an array, without reading it."""

    shape: Shape
    is_integer: bool


_DEEPEST = 64  # groups in groups
_HIGHEST_RATIO = 20  # of what all arrays declare to what the file is; weights compress by a tenth
_UNSUSPICIOUS_BYTES = 64 << 20
_LEAST_BYTES_OF_A_NUMBER = 4  # in memory


@contextmanager
def opened(path: Path, *, of: Path | None = None) -> Iterator[h5py.File]:
    """Open the file for reading, without the lock that would make a training fail which wants to write it.

    Args:
        path: the file.
        of: what it was taken from, for messages.

    Raises:
        CheckpointError: if it is damaged, or another process is writing it.
    """
    with raising_checkpoint_error(of or path, "HDF5 file"):
        _check_nobody_writes(path)
        with h5py.File(path, "r", locking=False) as file:
            yield file


@contextmanager
def private_copy(path: Path, suffix: str) -> Iterator[Path]:
    """Copy the file under a name with the suffix, which goes at the end. Keras would lock the file itself.

    Raises:
        CheckpointError: if the file is being written.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / f"file{suffix}"
        with raising_checkpoint_error(path, "HDF5 file"):
            _check_nobody_writes(path)
            before = path.stat()
            shutil.copyfile(path, copy)
            _check_nobody_writes(path)
            after = path.stat()
        if (before.st_size, before.st_mtime_ns, before.st_ino) != (after.st_size, after.st_mtime_ns, after.st_ino):
            raise CheckpointError(f"{str(path)!r} changed while it was read.")
        yield copy


def _check_nobody_writes(path: Path) -> None:
    """HDF5 locks a file for as long as it writes it; to ask for that lock takes it for a moment."""
    if sys.platform == "win32":
        return
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CheckpointError(f"{str(path)!r} is being written: another process holds it open.") from error
        except OSError:  # not every file system has locks
            return
        fcntl.flock(file, fcntl.LOCK_UN)


def arrays(path: Path, *, of: Path | None = None) -> dict[str, Array]:
    """Every array in the file, by its path there.

    Args:
        path: the file.
        of: the archive that it was unpacked from, if so.

    Raises:
        CheckpointError: if the file is damaged, points to other files, or declares far more than there is.
    """
    source = of or path
    most_bytes = max(_UNSUSPICIOUS_BYTES, _HIGHEST_RATIO * source.stat().st_size)
    found, declared_bytes = {}, 0
    with opened(path, of=of) as file:
        for where, member in _walk(file, source, set()):
            declared_bytes += max(member.nbytes, member.size * _LEAST_BYTES_OF_A_NUMBER)
            if declared_bytes > most_bytes:
                raise CheckpointError(
                    f"{str(source)!r} has {source.stat().st_size:,} bytes, and declares arrays of {declared_bytes:,} "
                    f"up to {where!r}. It is damaged or hostile."
                )
            found[where.lstrip("/")] = Array(member.shape or (), member.dtype.kind in "iu")
    return found


def _walk(group: h5py.Group, path: Path, seen: set[int], depth: int = 0) -> Iterator[tuple[str, h5py.Dataset]]:
    if depth > _DEEPEST:
        raise CheckpointError(f"{str(path)!r} nests groups more than {_DEEPEST} deep. That is not a file of weights.")
    for name in group:
        where = f"{group.name.rstrip('/')}/{name}"
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise CheckpointError(f"{str(path)!r} holds a link at {where!r}. Files of weights do not; not followed.")
        member = group[name]
        address = h5py.h5o.get_info(member.id).addr
        if address in seen:
            continue
        seen.add(address)
        if isinstance(member, h5py.Group):
            yield from _walk(member, path, seen, depth + 1)
        elif isinstance(member, h5py.Dataset):
            if member.is_virtual or member.external:
                raise CheckpointError(
                    f"{str(path)!r} keeps {where!r} in another file. Files of weights do not; not read."
                )
            if member.shape is not None:
                yield where, member


def attribute(path: Path, name: str, group: str = "/") -> str | None:
    """Read a text that is kept beside the arrays; None if there is none."""
    with opened(path) as file:
        is_here = group == "/" or isinstance(file.get(group, getlink=True), h5py.HardLink)
        value = file[group].attrs.get(name) if is_here else None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else None
