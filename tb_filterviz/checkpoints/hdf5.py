"""Looking into HDF5 files of strangers: never out of the file, never more than it holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import h5py

from tb_filterviz.checkpoints.damage import told_as_damage
from tb_filterviz.errors import CheckpointError

Shape = tuple[int, ...]


class Array(NamedTuple):
    """What the file says of an array, without reading it."""

    shape: Shape
    is_integer: bool


_DEEPEST = 64  # groups in groups
_HIGHEST_RATIO = 1000  # of what an array declares to what the file stores of it; deflate cannot do more
_UNSUSPICIOUS_BYTES = 1 << 20


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """The file, open for reading.

    Raises:
        CheckpointError: if it is damaged.
    """
    with told_as_damage(path, "HDF5 file"), h5py.File(path, "r") as file:
        yield file


def arrays(path: Path) -> dict[str, Array]:
    """Every array in the file, by its path there.

    Raises:
        CheckpointError: if the file is damaged, points to other files, or declares more than it stores.
    """
    with opened(path) as file:
        return dict(_walk(file, path, set()))


def _walk(group: h5py.Group, path: Path, seen: set[int], depth: int = 0) -> Iterator[tuple[str, Array]]:
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
            _check_stored_here(member, where, path)
            yield where.lstrip("/"), Array(member.shape or (), member.dtype.kind in "iu")


def _check_stored_here(array: h5py.Dataset, where: str, path: Path) -> None:
    if array.is_virtual or array.external:
        raise CheckpointError(f"{str(path)!r} keeps {where!r} in another file. Files of weights do not; not read.")
    stored = array.id.get_storage_size()
    if array.nbytes > max(_UNSUSPICIOUS_BYTES, stored * _HIGHEST_RATIO):
        raise CheckpointError(
            f"{str(path)!r} declares {array.nbytes:,} bytes at {where!r} and stores {stored:,}. "
            "It is damaged or hostile."
        )


def attribute(path: Path, name: str, group: str = "/") -> str | None:
    """A text that is kept beside the arrays; None if there is none."""
    with opened(path) as file:
        is_here = group == "/" or isinstance(file.get(group, getlink=True), h5py.HardLink)
        value = file[group].attrs.get(name) if is_here else None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value if isinstance(value, str) else None
