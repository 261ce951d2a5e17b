"""The inputs that are kept: one zip archive for each target, each input under the hash of what it holds.

Some are kept for what they reach; they are chosen anew by `python -m tests.fuzz TARGET --keep`. Those that once made a
target fail are kept for good.
"""

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "corpus"
MOST_INPUTS = 200
MOST_BYTES = 150_000  # of an archive
_FAILED = "failed-"


def read(target: str, *, failed_only: bool = False) -> list[bytes]:
    path = FOLDER / f"{target}.zip"
    if not path.exists():
        return []
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith(_FAILED) or not failed_only]
        return [archive.read(name) for name in names]


def write(target: str, inputs: Iterable[bytes], failed: Iterable[bytes]) -> None:
    """The same inputs make the same archive."""
    FOLDER.mkdir(exist_ok=True)
    once_failed = set(failed)
    named = {_name(data): data for data in {*inputs} - once_failed}
    named |= {f"{_FAILED}{_name(data)}": data for data in once_failed}
    with zipfile.ZipFile(FOLDER / f"{target}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(named.items()):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def unpack(target: str, folder: Path) -> None:
    folder.mkdir()
    for data in read(target):
        (folder / _name(data)).write_bytes(data)
