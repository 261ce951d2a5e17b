"""Read untrusted HDF5 files: never out of the file, never more than it holds."""

import math
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

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


_NUMBERS = "biufcV"  # V: the types that NumPy does not know, as bfloat16
_DEEPEST = 64  # groups in groups
_HIGHEST_RATIO = 20  # of what all arrays declare to what the file is; weights compress by a tenth
_UNSUSPICIOUS_BYTES = 64 << 20
_LEAST_BYTES_OF_A_NUMBER = 4  # in memory
_HEAP = b"GCOL\x01\x00\x00\x00"  # what a global heap, and its version, begins with
_HEADER_BYTES = 16  # of such a heap, and of each object in it, in files with addresses of 8 bytes
_BLOCK_BYTES = 1 << 20


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
        of: what it was copied or unpacked from, if so.

    Raises:
        CheckpointError: if the file is damaged, points to other files, or declares far more than there is.
    """
    source = of or path
    _check_heaps(path, source)
    most_bytes = max(_UNSUSPICIOUS_BYTES, _HIGHEST_RATIO * source.stat().st_size)
    found, declared_bytes = {}, 0
    with opened(path, of=of) as file:
        for where in _walk(file, source, set()):
            member = file[where]
            if member.is_virtual or member.external:
                raise CheckpointError(
                    f"{str(source)!r} keeps {where!r} in another file. Files of weights do not; not read."
                )
            if member.shape is None:
                continue
            if member.dtype.kind not in _NUMBERS or member.dtype.names is not None:
                raise CheckpointError(f"{str(source)!r} holds no numbers in {where!r}, but {member.dtype}; not read.")
            declared_bytes += max(member.nbytes, member.size * _LEAST_BYTES_OF_A_NUMBER, _bytes_of_a_chunk(member))
            if declared_bytes > most_bytes:
                raise CheckpointError(
                    f"{str(source)!r} has {source.stat().st_size:,} bytes, and declares arrays of {declared_bytes:,} "
                    f"up to {where!r}. It is damaged or hostile."
                )
            found[where.lstrip("/")] = Array(member.shape, member.dtype.kind in "iu")
    return found


def _bytes_of_a_chunk(array: h5py.Dataset) -> int:
    """Return how much is unpacked at once to read any of it, which may be far more than the array."""
    return math.prod(array.chunks) * array.dtype.itemsize if array.chunks else 0


def names(path: Path) -> list[str]:
    """List the path of every array in the file, as its groups tell: of a large file, that is a small part.

    Raises:
        CheckpointError: if the file is damaged, or holds links.
    """
    with opened(path) as file:
        return [where.lstrip("/") for where in _walk(file, path, set())]


def _walk(group: h5py.Group, path: Path, seen: set[tuple[int, int]], depth: int = 0) -> Iterator[str]:
    """Find every array, without opening it: that alone can take for ever, see `_check_heaps`."""
    if depth > _DEEPEST:
        raise CheckpointError(f"{str(path)!r} nests groups more than {_DEEPEST} deep. That is not a file of weights.")
    for name in group:
        where = f"{group.name.rstrip('/')}/{name}"
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise CheckpointError(f"{str(path)!r} holds a link at {where!r}. Files of weights do not; not followed.")
        about = h5py.h5g.get_objinfo(group.id, name.encode("utf-8", "surrogateescape"))
        if about.objno in seen:
            continue
        seen.add(about.objno)
        if about.type == h5py.h5g.GROUP:
            yield from _walk(group[name], path, seen, depth + 1)
        elif about.type == h5py.h5g.DATASET:
            yield where


def attribute(path: Path, name: str, group: str = "/") -> str | None:
    """Read a text that is kept beside the arrays; None if there is none."""
    with opened(path) as file:
        is_here = group == "/" or isinstance(file.get(group, getlink=True), h5py.HardLink)
        attributes: Any = file[group].attrs if is_here else {}
        is_one = name in attributes and attributes.get_id(name).shape == ()  # many could all be one long text
        if is_one and attributes.get_id(name).dtype.hasobject:
            _check_heaps(path, path)
        value = attributes[name] if is_one else None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else None


def _check_heaps(path: Path, source: Path) -> None:
    """Refuse a heap in which HDF5 would search for ever, with no way to stop it: blocks of zeros, as a crash leaves.

    Texts of any length are kept in global heaps, and where virtual arrays are. In each, objects follow one another; the
    number 0 stands for what is free up to the end, its own header included. HDF5 does not check that this is more than
    nothing, nor that sums of sizes stay below 2**64, above which they are nothing again.
    Source: HDF5 File Format Specification, version 3.0, III.E, "Disk Format: Level 1E - Global Heap".

    Raises:
        CheckpointError: if there is such a heap, or the file has other addresses than Keras writes.
    """
    with raising_checkpoint_error(source, "HDF5 file"), path.open("rb") as file:
        start = file.read(_HEADER_BYTES)
        if start[13:15] != b"\x08\x08" if start[8] < 2 else start[9:11] != b"\x08\x08":
            raise CheckpointError(
                f"{str(source)!r} is no HDF5 file as Keras writes it: its addresses are not of 8 bytes."
            )
        objects_left = path.stat().st_size // _HEADER_BYTES  # more only if heaps overlap
        for heap in list(_places_of(_HEAP, file)):
            for number, size, space in _objects_of(heap, file):
                objects_left -= 1
                if objects_left < 0 or size > space or (number == 0 and size < _HEADER_BYTES):
                    raise CheckpointError(f"{str(source)!r} is a damaged HDF5 file: its texts are overwritten.")


def _objects_of(heap: int, file: BinaryIO) -> Iterator[tuple[int, int, int]]:
    """List the numbers and sizes of the objects in the heap at an offset, each with the space from there to its end."""
    file.seek(heap + len(_HEAP))
    end = heap + int.from_bytes(file.read(8), "little")
    at = heap + _HEADER_BYTES
    while at + _HEADER_BYTES <= end:
        file.seek(at)
        header = file.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES:
            return
        number, size = int.from_bytes(header[:2], "little"), int.from_bytes(header[8:], "little")
        yield number, size, end - at
        at += size if number == 0 else _HEADER_BYTES + (size + 7) // 8 * 8


def _places_of(signature: bytes, file: BinaryIO) -> Iterator[int]:
    file.seek(0)
    begins, before = 0, b""
    while block := file.read(_BLOCK_BYTES):
        content = before + block
        at = content.find(signature)
        while at >= 0:
            yield begins + at
            at = content.find(signature, at + 1)
        before = content[1 - len(signature) :]
        begins += len(content) - len(before)
