"""Event files, written and read without TensorFlow.

An event file is a row of records; a record is the length of its payload, a checksum of that, the payload, and a
checksum of the payload, which is an `Event`. Source: tensorflow/core/lib/io/record_writer.h.
"""

import itertools
import os
import re
import socket
import struct
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
from google.protobuf.message import DecodeError
from tensorboard.compat.proto.event_pb2 import Event, SourceMetadata
from tensorboard.compat.proto.summary_pb2 import DATA_CLASS_TENSOR, Summary, SummaryMetadata
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import crc32c as pure_python_crc32c
from tensorboard.plugins.image import metadata as images
from tensorboard.plugins.scalar import metadata as scalars
from tensorboard.plugins.text import metadata as texts
from tensorboard.util import tensor_util

from tb_filterviz.logs.storage import Folder, LocalFolder
from tb_filterviz.metadata import PLUGIN_NAME

try:
    import google_crc32c
except ImportError:  # a machine that only shows logs has no more than tensorboard, numpy and pillow
    google_crc32c = None  # type: ignore[assignment,unused-ignore]

MAX_RECORD_BYTES = 64 * 1024 * 1024  # records of ours are far smaller: a length above this is damage
MAX_PARSED_BYTES = 1024 * 1024  # only pictures of ours are larger: many small messages take 40 times their size
WRITER = "tb_filterviz"  # stands in the first event of each file of ours
_STEP_AND_TIME = re.compile(rb"(\x09.{8})?(\x10[\x80-\xff]{0,9}[\x00-\x7f])?", re.DOTALL)  # a double and a varint
_HEADER = struct.Struct("<QI")  # length of the payload, checksum of the length
_FOOTER = struct.Struct("<I")  # checksum of the payload
# Pure Python sums up 9 MB/s, the package 12 GB/s: to write or read a run of 10 MB takes 1.2 s, or a hundredth of that.
_is_fast = google_crc32c is not None and google_crc32c.implementation == "c"
_crc32c: Callable[[bytes], int] = google_crc32c.value if _is_fast else pure_python_crc32c
_count = itertools.count()


def _checksum(data: bytes) -> int:
    crc = _crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF  # masked, as a record may hold records


def frame(payload: bytes) -> bytes:
    """Pack a record."""
    length = struct.pack("<Q", len(payload))
    return b"".join((_HEADER.pack(len(payload), _checksum(length)), payload, _FOOTER.pack(_checksum(payload))))


def read_records(stream: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Read payloads, each with the offset its record ends at, up to the first record that is cut off or damaged.

    When a stream has grown, it can be read on from the last of these offsets.
    """
    end = stream.tell()
    while len(header := stream.read(_HEADER.size)) == _HEADER.size:
        length, checksum = _HEADER.unpack(header)
        if checksum != _checksum(header[:8]) or length > MAX_RECORD_BYTES:
            return
        payload, footer = stream.read(length), stream.read(_FOOTER.size)
        if len(payload) < length or len(footer) < _FOOTER.size or _FOOTER.unpack(footer)[0] != _checksum(payload):
            return
        end += _HEADER.size + length + _FOOTER.size
        yield payload, end


def events(stream: BinaryIO, max_parsed_bytes: int = MAX_PARSED_BYTES) -> Iterator[tuple[Event, int]]:
    """Read events, each with the offset its record ends at, up to the first that is cut off or damaged.

    Of one above `max_parsed_bytes`, which may be somebody else's, only the step and the time are read.
    """
    for payload, end in read_records(stream):
        try:
            event = Event.FromString(payload if len(payload) <= max_parsed_bytes else _step_and_time(payload))
        except DecodeError:
            return
        yield event, end


def event_at(stream: BinaryIO, began: int, ended: int) -> Event | None:
    """Read again an event whose record lies between two offsets; None if something else is there by now."""
    stream.seek(began + _HEADER.size)
    try:
        return Event.FromString(stream.read(max(0, ended - began - _HEADER.size - _FOOTER.size)))
    except DecodeError:
        return None


def _step_and_time(payload: bytes) -> bytes:
    """Cut an event to its first two fields: protocol buffers write fields in their order."""
    found = _STEP_AND_TIME.match(payload)
    return found[0] if found else b""


def event_file_names(folder: Folder) -> list[str]:
    """List the names of a run's event files, in the order in which TensorBoard reads them."""
    return sorted(name for name in folder.names() if "tfevents" in name)


class EventFile(Protocol):
    """A new event file. One that failed, or was rewound, has ended: what follows belongs in a new one.

    That is for a TensorBoard that looks on: what it has read it does not read again, so it would go on in the middle of
    some record, and show nothing more of the file.

    Attributes:
        name: of the file in its folder; in a remote one of the last file, empty if there is none yet.
    """

    name: str

    def write(self, events: Sequence[Event]) -> None:
        """Append events: all of them, or none if it raises."""

    def flush(self) -> None:
        """Store what was written. Local files have it stored already, and safe from the end of this process."""

    def mark(self) -> int:
        """Tell how much was written, for `rewind`."""

    def rewind(self, to: int) -> None:
        """Take back what was written since a mark, and not yet flushed in a remote folder."""

    def what_happened(self) -> str:
        """Say what others did to the file, so that it cannot be written any more; empty if nothing is known of that."""

    def close(self) -> None:
        """Flush, and release the file. Closing twice is fine."""


def new_event_file(folder: Folder) -> EventFile:
    """Begin an event file in a folder that exists, under a name that sorts after all that are there."""
    return LocalEventFile(folder) if isinstance(folder, LocalFolder) else RemoteEventFile(folder)


class LocalEventFile:
    """An event file that grows."""

    def __init__(self, folder: LocalFolder) -> None:
        self.name = _name(_number_after(_newest(folder)))
        self._path = os.path.join(folder.address, self.name)
        self._file = folder.create(self.name)
        self._close = weakref.finalize(self, self._file.close)  # also when nobody closes it
        self._status = os.fstat(self._file.fileno())
        self._end = 0
        self._has_ended = False
        try:
            self.write([_first_event()])
        except BaseException:
            self.close()
            with suppress(OSError):
                folder.delete(self.name)
            raise

    def write(self, events: Sequence[Event]) -> None:  # noqa: D102  as in EventFile, like all below
        if self._has_ended:
            raise ValueError(f"The event file {self._path!r} has ended: go on in a new one.")
        rest = memoryview(_records(events))
        try:
            while rest:  # one write, unless the disk is about to be full
                rest = rest[self._file.write(rest) :]
        except BaseException:
            self._has_ended = True
            with suppress(OSError):
                self._file.truncate(self._end)
            raise
        self._end = self._file.tell()

    def flush(self) -> None:  # noqa: D102
        pass

    def mark(self) -> int:  # noqa: D102
        return self._end

    def rewind(self, to: int) -> None:  # noqa: D102
        if to < self._end:
            self._has_ended = True
            self._file.truncate(to)
            self._end = to

    def what_happened(self) -> str:  # noqa: D102
        try:
            found = os.stat(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return "was deleted, with the steps in it" if self._is_deleted() else "was moved, with the steps in it"
        except OSError:  # nothing can be looked at for now, which says nothing of the file
            return ""
        if not os.path.samestat(found, self._status):
            return "was replaced by another one"
        return "" if found.st_size == self._end else "was changed by somebody else"

    def _is_deleted(self) -> bool:
        return self._file.closed or os.fstat(self._file.fileno()).st_nlink == 0

    def close(self) -> None:  # noqa: D102
        self._close()


class RemoteEventFile:
    """A row of event files: most remote stores cannot append, so each flush puts a file of its own."""

    def __init__(self, folder: Folder) -> None:
        self.name = ""
        self._folder = folder
        self._number = _newest(folder)
        self._records = bytearray()

    def write(self, events: Sequence[Event]) -> None:  # noqa: D102  as in EventFile, like all below
        self._records += _records(events)

    def flush(self) -> None:  # noqa: D102
        if not self._records:
            return
        data = _records([_first_event()]) + self._records
        self._records.clear()  # so that a step that could not be stored is no part of the next
        self._number = _number_after(self._number)
        name = _name(self._number)
        self._folder.put(name, bytes(data))
        self.name = name

    def mark(self) -> int:  # noqa: D102
        return len(self._records)

    def rewind(self, to: int) -> None:  # noqa: D102
        del self._records[to:]

    def what_happened(self) -> str:  # noqa: D102
        is_there = not self.name or self._folder.exists(self.name)
        return "" if is_there else "was deleted, with the steps in it"

    def close(self) -> None:  # noqa: D102
        self.flush()


def _newest(folder: Folder) -> int:
    return max(
        (int(found[1]) for name in folder.names() if (found := re.search(r"tfevents\.(\d{10})", name))), default=0
    )


def _number_after(newest: int) -> int:
    """Count the seconds, as the names of event files do, but never the same second twice.

    TensorBoard reads the files of a run in the order of their names. Those there may be of this very second, or of a
    machine whose clock is ahead.
    """
    return max(int(time.time()), newest + 1)


def _name(number: int) -> str:
    host = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname())
    return f"events.out.tfevents.{number:010d}.{host}.{os.getpid()}.{next(_count)}.v2"


def _records(events: Sequence[Event]) -> bytes:
    return b"".join(frame(event.SerializeToString()) for event in events)


def _first_event() -> Event:
    return Event(wall_time=time.time(), file_version="brain.Event:2", source_metadata=SourceMetadata(writer=WRITER))


def tensor_event(
    step: int, tag: str, value: npt.ArrayLike, metadata: SummaryMetadata, wall_time: float | None = None
) -> Event:
    """Make the event of one value of a series.

    Args:
        step: of the training; may be negative.
        tag: of the series.
        value: an array of any shape and type, a number, or bytes or a list of bytes (`numpy` would drop zeros at their
            end, so these are no array).
        metadata: see below. TensorBoard goes by the first of a series.
        wall_time: in seconds; None for now.
    """
    if isinstance(value, np.ndarray):
        value = value.astype(value.dtype.newbyteorder("="), copy=False)  # TensorBoard would store the bytes as they are
    tensor = tensor_util.make_tensor_proto(value)
    summary = Summary(value=[Summary.Value(tag=tag, tensor=tensor, metadata=metadata)])
    return Event(step=step, wall_time=time.time() if wall_time is None else wall_time, summary=summary)


def scalar_metadata(display_name: str = "", description: str = "") -> SummaryMetadata:
    """Describe a curve for the Scalars tab; its values are numbers, not arrays of one."""
    return scalars.create_summary_metadata(display_name=display_name, description=description)


def image_metadata(display_name: str = "", description: str = "") -> SummaryMetadata:
    """Describe pictures for the Images tab; a value is ``[width, height, PNG]``, all of them bytes."""
    return images.create_summary_metadata(display_name=display_name, description=description)


def text_metadata(display_name: str = "", description: str = "") -> SummaryMetadata:
    """Describe texts for the Text tab; a value is Markdown, as UTF-8 bytes."""
    return texts.create_summary_metadata(display_name=display_name, description=description)


def filters_metadata(content: bytes) -> SummaryMetadata:
    """Describe a series for the Filters tab, with what a function of `tb_filterviz.metadata` encoded."""
    data: Any = SummaryMetadata.PluginData(plugin_name=PLUGIN_NAME, content=content)
    return SummaryMetadata(plugin_data=data, data_class=DATA_CLASS_TENSOR)  # without, the fast loader drops the series
