"""Where a log directory is: a folder of this machine, or one that fsspec reaches (``s3://``, ``gs://``, ``memory://``).

Names are names, never patterns: a folder may be called ``runs[1]``. Nothing is remembered between calls, as other
processes write there too.
"""

import errno
import io
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import PurePath
from typing import Any, BinaryIO, ClassVar, NamedTuple, Protocol

from tb_filterviz.errors import LogDirError

try:
    import fsspec  # type: ignore[import-untyped,unused-ignore]
except ImportError:  # only remote log directories need it
    fsspec = None

_INSTALL = 'pip install "tb_filterviz[remote]"'
_LOCAL = frozenset({"file", "local"})
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}  # of the others, fsspec says which
# Known without fsspec too, so that Path("s3://bucket") never becomes a local folder called "s3:".
_USUAL = _LOCAL | {*_PACKAGES, "abfs", "abfss", "az", "ftp", "hdfs", "hf", "http", "https", "memory", "sftp", "ssh"}
# Object stores have no folders to make; s3fs would make a missing bucket instead, which is not ours to do.
_BUCKETS = frozenset({*_PACKAGES, "abfs", "abfss", "az", "oci", "oss", "tos"})
_BLOCK_BYTES = 4 * 1024 * 1024  # to read ahead; s3fs alone would fetch 50 MiB at a time
_ATTEMPTS = 20
_CODES = {FileNotFoundError: errno.ENOENT, FileExistsError: errno.EEXIST, PermissionError: errno.EACCES}


class Folder(Protocol):
    """One folder, and the files directly in it.

    Attributes:
        path: as a user would write it.
        address: the same, for whatever becomes the working folder.
        can_append: whether a file can grow after it was made; if not, `put` is the only way to write.
    """

    @property
    def path(self) -> str: ...  # noqa: D102

    @property
    def address(self) -> str: ...  # noqa: D102

    @property
    def can_append(self) -> bool: ...  # noqa: D102

    def child(self, name: str) -> "Folder":
        """Name a sub-folder, which need not exist."""

    def make(self) -> None:
        """Make the folder and all above it; fine if it is there."""

    def names(self) -> list[str]:
        """List the files directly in it, sorted; none if it is not there."""

    def folders(self) -> list[str]:
        """List the folders directly in it, sorted; none if it is not there."""

    def open(self, name: str) -> BinaryIO:
        """Open a file for reading from its beginning, without loading all of it."""

    def create(self, name: str) -> io.RawIOBase:
        """Create a file that must not exist, unbuffered; only where files can grow."""

    def put(self, name: str, data: bytes) -> None:
        """Write a whole file at once: readers see all of it or nothing."""

    def exists(self, name: str) -> bool:
        """Tell whether there is a file or folder of this name."""

    def size(self, name: str) -> int:
        """Measure a file, in bytes."""

    def truncate(self, name: str, size: int) -> None:
        """Cut a file to its first ``size`` bytes; only where files can grow."""

    def delete(self, name: str) -> None:
        """Delete a file."""

    def is_writable(self) -> bool:
        """Tell whether this user may make files in the folder, which is there; of a remote one nobody knows: True."""

    def missing(self) -> "Sequence[Folder]":
        """List this folder and those above it that are not there, the innermost first; none in a remote store."""

    def remove_if_empty(self) -> None:
        """Delete the folder if there is nothing in it; fine if it is not there."""

    def check_writable(self) -> None:
        """Make the folder, really write a small file, and leave all as it was; raises what stands in the way."""


class RunPlace(NamedTuple):
    """Where a run lies: in which log directory, under which name."""

    log_dir: Folder
    name: str


@dataclass(frozen=True, slots=True)
class LocalFolder:
    """A folder of this machine."""

    path: str
    address: str = field(default="", compare=False)  # absolute: the working folder may become another
    can_append: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", self.address or os.path.abspath(self.path))

    def _file(self, name: str) -> str:
        return os.path.join(self.address, name)

    def _entries(self, is_wanted: Callable[[os.DirEntry[str]], bool]) -> list[str]:
        try:
            with os.scandir(self.address) as entries:
                return sorted(entry.name for entry in entries if is_wanted(entry))
        except (FileNotFoundError, NotADirectoryError):
            return []

    def child(self, name: str) -> "LocalFolder":  # noqa: D102  as in Folder, like all below
        return LocalFolder(os.path.join(self.path, name), self._file(name))

    def make(self) -> None:  # noqa: D102
        for _ in range(_ATTEMPTS):
            try:
                os.makedirs(self.address, exist_ok=True)
            except (FileNotFoundError, FileExistsError):  # another process only checks, and removes what it made
                continue
            return
        os.makedirs(self.address, exist_ok=True)

    def names(self) -> list[str]:  # noqa: D102
        return self._entries(os.DirEntry.is_file)

    def folders(self) -> list[str]:  # noqa: D102
        return self._entries(os.DirEntry.is_dir)

    def open(self, name: str) -> BinaryIO:  # noqa: D102
        return open(self._file(name), "rb")

    def create(self, name: str) -> io.FileIO:  # noqa: D102
        return open(self._file(name), "xb", buffering=0)

    def put(self, name: str, data: bytes) -> None:  # noqa: D102
        unfinished = self._file(f".{secrets.token_hex(8)}")  # a name that TensorBoard does not look at
        try:
            with open(unfinished, "xb") as file:
                file.write(data)
            os.replace(unfinished, self._file(name))
        except BaseException:
            with suppress(OSError):
                os.unlink(unfinished)
            raise

    def exists(self, name: str) -> bool:  # noqa: D102
        return os.path.lexists(self._file(name))  # a link that leads nowhere is in the way as well

    def size(self, name: str) -> int:  # noqa: D102
        return os.path.getsize(self._file(name))

    def truncate(self, name: str, size: int) -> None:  # noqa: D102
        os.truncate(self._file(name), size)

    def delete(self, name: str) -> None:  # noqa: D102
        os.unlink(self._file(name))

    def is_writable(self) -> bool:  # noqa: D102
        return os.access(self.address, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)

    def missing(self) -> "Sequence[LocalFolder]":  # noqa: D102
        folders = _with_all_above(self.address)
        return [LocalFolder(folder) for folder in takewhile(lambda folder: not os.path.isdir(folder), folders)]

    def remove_if_empty(self) -> None:  # noqa: D102
        with suppress(OSError):
            os.rmdir(self.address)

    def check_writable(self) -> None:  # noqa: D102
        missing = self.missing()
        try:
            self._write_and_delete()
        finally:
            for folder in missing:
                folder.remove_if_empty()

    def _write_and_delete(self) -> None:
        name = f".tb_filterviz-{secrets.token_hex(8)}"  # others may check at the same moment
        for attempts_left in reversed(range(_ATTEMPTS)):
            self.make()
            try:
                self.put(name, b"can be deleted\n")
            except FileNotFoundError:  # as in `make`
                if attempts_left:
                    continue
                raise
            break
        self.delete(name)


def _with_all_above(path: str) -> Iterator[str]:
    """List a folder and all above it."""
    while True:
        yield path
        above = os.path.dirname(path)
        if above == path:
            return
        path = above


@dataclass(frozen=True, slots=True)
class RemoteFolder:
    """A folder that fsspec reaches. Most such stores cannot append, so none is asked to."""

    path: str
    _system: Any  # fsspec.AbstractFileSystem
    _root: str  # the path as `_system` writes it
    _has_buckets: bool
    can_append: ClassVar[bool] = False

    @property
    def address(self) -> str:  # noqa: D102
        return self.path

    def _file(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"

    @property
    def _fresh(self) -> Any:
        self._system.invalidate_cache()  # not every system can be made without a cache of its listings
        return self._system

    def _entries(self, *, folders: bool) -> list[str]:
        try:
            found: list[Mapping[str, Any]] = self._fresh.ls(self._root, detail=True)
        except FileNotFoundError:
            return []
        paths = [each["name"].strip("/") for each in found if (each["type"] == "directory") is folders]
        root = self._root.strip("/")  # which object stores may list as well
        return sorted(path.rpartition("/")[2] for path in paths if path != root)

    def child(self, name: str) -> "RemoteFolder":  # noqa: D102  as in Folder, like all below
        return RemoteFolder(f"{self.path.rstrip('/')}/{name}", self._system, self._file(name), self._has_buckets)

    def make(self) -> None:  # noqa: D102
        if not self._has_buckets:
            self._system.makedirs(self._root, exist_ok=True)

    def names(self) -> list[str]:  # noqa: D102
        return self._entries(folders=False)

    def folders(self) -> list[str]:  # noqa: D102
        return self._entries(folders=True)

    def open(self, name: str) -> BinaryIO:  # noqa: D102
        file: BinaryIO = self._fresh.open(self._file(name), "rb", block_size=_BLOCK_BYTES)
        return file

    def create(self, name: str) -> io.RawIOBase:  # noqa: D102
        raise io.UnsupportedOperation(f"files of {self.path!r} cannot grow, so {name!r} has to be put as a whole")

    def put(self, name: str, data: bytes) -> None:  # noqa: D102
        self._system.pipe_file(self._file(name), data)

    def exists(self, name: str) -> bool:  # noqa: D102
        try:  # fsspec's own `exists` takes every error for a no
            self._fresh.info(self._file(name))
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:  # noqa: D102
        return int(self._fresh.info(self._file(name))["size"])

    def truncate(self, name: str, size: int) -> None:  # noqa: D102
        raise io.UnsupportedOperation(f"files of {self.path!r} cannot be cut, so {name!r} cannot become {size} bytes")

    def delete(self, name: str) -> None:  # noqa: D102
        self._system.rm_file(self._file(name))

    def is_writable(self) -> bool:  # noqa: D102
        return True

    def missing(self) -> "Sequence[RemoteFolder]":  # noqa: D102
        return []

    def remove_if_empty(self) -> None:  # noqa: D102
        if not self._has_buckets and not self._fresh.ls(self._root, detail=False):
            with suppress(OSError, NotImplementedError):
                self._system.rmdir(self._root)

    def check_writable(self) -> None:  # noqa: D102
        self.make()
        name = ".tb_filterviz"  # always the same: where deleting is forbidden, as in an archive, one remains, not many
        self.put(name, b"can be deleted\n")
        with suppress(PermissionError, FileNotFoundError):
            self.delete(name)


def folder_of(log_dir: str | PurePath) -> Folder:
    """Find the folder that a user means.

    ``scheme://`` is remote, also after `pathlib` made ``scheme:/`` of it; ``file://`` is this machine, and so is all
    that has no scheme; ``~`` is the home folder there.

    Raises:
        LogDirError: if it is no name of a folder, or nothing here can reach it.
    """
    if not isinstance(log_dir, str | PurePath):
        raise LogDirError(f"A log directory is a string or a path. Received: {log_dir!r}")
    text = log_dir.as_posix() if isinstance(log_dir, PurePath) else log_dir
    if not text or "\0" in text:
        raise LogDirError(f"A log directory needs a name, without NUL characters. Received: {log_dir!r}")
    before, is_address, _ = text.partition("://")
    if is_address and "::" in before:
        raise LogDirError(
            f"A log directory cannot be a chain of addresses. Give the last one alone. Received: {text!r}"
        )
    # One letter would be a Windows drive. Of "s3://", pathlib leaves "s3:".
    address = re.fullmatch(r"([A-Za-z][\w+.-]+):(?:/(/?)(.*))?", text, re.DOTALL)
    if address is None or not (address[2] or _is_known(address[1].lower())):
        return LocalFolder(os.path.expanduser(log_dir))
    scheme, rest = address[1].lower(), address[3] or ""
    if not rest.strip("/"):
        raise LogDirError(f"A log directory needs a name after {scheme}://. Received: {text!r}")
    if scheme in _LOCAL:
        return LocalFolder(_of_this_machine(rest if address[2] else f"/{rest}"))
    return _remote_folder(scheme, f"{scheme}://{rest}")


def _is_known(scheme: str) -> bool:
    return scheme in _USUAL or (fsspec is not None and _is_known_to_fsspec(scheme))


def _is_known_to_fsspec(scheme: str) -> bool:
    return scheme in fsspec.registry or scheme in fsspec.available_protocols()


def _of_this_machine(path: str) -> str:
    has_drive = os.name == "nt" and re.match(r"/[A-Za-z]:/", path)  # file:///C:/logs
    return path[1:] if has_drive else path


def _remote_folder(scheme: str, address: str) -> RemoteFolder:
    install = f"Install what it needs: {_INSTALL} {_PACKAGES.get(scheme, '')}".rstrip()
    if fsspec is None:
        raise LogDirError(f"{address!r} cannot be reached without the package fsspec. {install}")
    if not _is_known_to_fsspec(scheme):
        raise LogDirError(
            f"{address!r} cannot be reached: nothing is known of {scheme}://. Known: s3://, gs://, abfs://, hdfs://, "
            f"memory:// and the others of fsspec; each needs a package of its own, as in: {_INSTALL} s3fs"
        )
    try:
        kind = fsspec.get_filesystem_class(scheme)
        # A system of its own: one that was made earlier may have other credentials, or another endpoint.
        system = kind(**kind._get_kwargs_from_urls(address), skip_instance_cache=True)
        return RemoteFolder(address, system, kind._strip_protocol(address), scheme in _BUCKETS)
    except ImportError as error:
        raise LogDirError(f"{address!r} cannot be reached: {reason_of(error)}. {install}") from error
    except (AttributeError, TypeError, ValueError) as error:  # of systems that want more than an address
        raise LogDirError(f"{address!r} cannot be a log directory: {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    """Say what the system or the service said, in its own short words: ``"No space left on device"``."""
    answer = getattr(error, "response", None)  # of botocore
    said = answer.get("Error", {}).get("Message") if isinstance(answer, Mapping) else None
    words = str(said or getattr(error, "strerror", None) or error).strip() or type(error).__name__
    first = words.splitlines()[0].rstrip(".")
    code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), None)
    is_path_only = first.startswith("/") or " " not in first  # memory:// says which file is missing, and no more
    return f"{os.strerror(code)}: {first}" if code and is_path_only else first
