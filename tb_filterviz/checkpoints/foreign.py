"""What a file is that Keras did not save, in words: a web page, a pointer, a network of other programs."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tb_filterviz.checkpoints import archive

_HEAD_BYTES = 4096
_LARGEST_JSON_BYTES = 64 << 20
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_FROM_KERAS = "which Keras does not read: load the network in Keras, and model.save('....keras') it"
_SIGNATURES = {
    b"\x80": "a Python pickle, which may run code when it is opened",
    b"\x93NUMPY": "a NumPy array",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"PK": "a zip archive",
    b"\x1f\x8b": "compressed; unpack it first",
    b"BZh": "compressed; unpack it first",
    b"\xfd7zXZ\x00": "compressed; unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed; unpack it first",
    b"7z\xbc\xaf\x27\x1c": "compressed; unpack it first",
    b"Rar!": "compressed; unpack it first",
}


def describe(path: Path) -> str:
    """Say what a file is, as "it is ...", or what it begins with."""
    head = _head(path)
    if not head:
        return "it is empty"
    if head.startswith(_HDF5_SIGNATURE):
        return "it is HDF5 without any weights"
    known = what_others_saved(path)
    if known:
        return f"it is {known}"
    if head.startswith(b"PK"):
        return f"it is {_zip(path)}"
    named = [text for start, text in _SIGNATURES.items() if head.startswith(start)]
    if head[257:262] == b"ustar":
        named = ["a tar archive; unpack it first"]
    return f"it is {named[0]}" if named else f"it begins with {head[:8]!r}"


def what_others_saved(path: Path) -> str | None:
    """Say which program's network a file holds, or what stands for it; None if that is not known."""
    head = _head(path)
    return next((text for say in _KNOWN if (text := say(path, head))), None)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD_BYTES)


def _page(_: Path, head: bytes) -> str | None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head")):
        return "a web page in place of the file: download what the page offers, not the page"
    return "an answer of a server in place of the file; download it again" if text.startswith(b"<?xml") else None


def pointer(path: Path) -> str | None:
    """Say what stands in place of the file, which is elsewhere; None if the file itself is there."""
    return _pointer(path, _head(path))


def _pointer(_: Path, head: bytes) -> str | None:
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "a Git LFS pointer in place of the file; `git lfs pull` gets it"
    if re.match(rb"(\.\./)*(\.git)?/annex/objects/", head):
        return "a git-annex pointer in place of the file; `git annex get` gets it"
    return None


def _json(path: Path, head: bytes) -> str | None:
    if head.lstrip()[:1] not in (b"{", b'"') or path.stat().st_size > _LARGEST_JSON_BYTES:
        return None
    try:
        content: Any = json.loads(path.read_bytes())
        content = json.loads(content) if isinstance(content, str) else content
    except (ValueError, RecursionError):
        return None
    if not isinstance(content, dict):
        return None
    if "weightsManifest" in content or "modelTopology" in content:
        return f"a TensorFlow.js model, {_FROM_KERAS}"
    if "class_name" in content and "config" in content:
        return "an architecture without weights: it belongs behind --model (model=... in Python), and weights before it"
    return None


def _yaml(_: Path, head: bytes) -> str | None:
    is_keras = re.match(rb"(backend|class_name|keras_version): ", head) and b"class_name: " in head
    return (
        "an architecture without weights, in YAML, which Keras has given up: build it in Python, and say --model "
        "package.module:factory"
        if is_keras
        else None
    )


def _flatbuffer(_: Path, head: bytes) -> str | None:
    return f"a TensorFlow Lite model, {_FROM_KERAS}" if head[4:8] == b"TFL3" else None


def _tensorflow_js_shard(path: Path, _: bytes) -> str | None:
    is_shard = re.fullmatch(r"(group\d+|weights)[-_]?shard\d+of\d+(\.bin)?", path.name)
    return f"a part of a TensorFlow.js model, {_FROM_KERAS}" if is_shard else None


def _safetensors(path: Path, head: bytes) -> str | None:
    length = int.from_bytes(head[:8], "little")
    is_header = head[8:9] == b"{" and 2 <= length <= path.stat().st_size - 8
    return f"a safetensors file, {_FROM_KERAS}" if is_header else None


def _event_file(_: Path, head: bytes) -> str | None:
    return "one of TensorBoard's event files" if b"brain.Event:" in head[:64] else None


def _protobuf(_: Path, head: bytes) -> str | None:
    """Tell messages apart by their first fields: they have no signature."""
    try:
        if head[0] == 0x0A:
            return _graph(head)
        if head[:3] == b"\x08\x01\x12" and head[_varint(head, 3)[1]] == 0x0A:
            return "the program of a SavedModel: name the folder that it is in"
        if head[0] == 0x08 and 1 <= head[1] <= 32 and head[2] in (0x12, 0x1A, 0x22, 0x32, 0x3A, 0x42):
            return f"an ONNX model, {_FROM_KERAS}" if _is_onnx(head) else None
    except IndexError:
        pass
    return None


def _graph(head: bytes) -> str | None:
    length, at = _varint(head, 1)
    if head[at] == 0x12:
        is_list = head[_varint(head, at + 1)[1]] == 0x0A  # of the operations that a graph uses
        return "the graph of a TensorFlow checkpoint: name the checkpoint beside it" if is_list else None
    if head[at] != 0x0A:
        return None
    name_bytes, at_name = _varint(head, at + 1)
    after = at_name + name_bytes
    is_node = name_bytes < length and head[at_name:after].isascii() and head[after] in (0x12, 0x1A)
    return f"a frozen graph of TensorFlow (GraphDef), {_FROM_KERAS}" if is_node else None


def _is_onnx(head: bytes) -> bool:
    """Tell whether a name of its producer, or the graph itself, follows the version."""
    length, at = _varint(head, 3)
    return head[2] != 0x12 or head[at : at + length].isascii()


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a whole number as protobuf writes it, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


_KNOWN: tuple[Callable[[Path, bytes], str | None], ...] = (
    _page,
    _pointer,
    _json,
    _yaml,
    _flatbuffer,
    _tensorflow_js_shard,
    _safetensors,
    _event_file,
    _protobuf,
)


def _zip(path: Path) -> str:
    if not archive.is_archive(path):
        return "a zip archive that breaks off; the file is truncated"
    with archive.opened(path) as members:
        names = members.namelist()
    if any(name.endswith("data.pkl") for name in names):
        return "a PyTorch file"
    if names and all(name.endswith(".npy") for name in names):
        return "a file of NumPy arrays"
    inner = [
        name for name in names if re.search(r"\.(h5|hdf5|keras|index)$|(^|/)(config\.json|saved_model\.pb)$", name)
    ]
    return f"a zip archive with {inner[0]!r} in it; unpack it first" if inner else "a zip archive"
