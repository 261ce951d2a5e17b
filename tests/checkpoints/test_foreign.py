"""Files that are taken for weights, or stand in their place: each is named for what it is; what is advised works."""

import gzip
import json
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tb_filterviz import build_lenet
from tb_filterviz.checkpoints.foreign import what_others_saved
from tb_filterviz.checkpoints.formats import recognise
from tb_filterviz.checkpoints.loading import load_model
from tb_filterviz.errors import CheckpointError

LFS = """version https://git-lfs.github.com/spec/v1
oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
size 12345
"""


def _small() -> keras.Model:
    layers = [keras.Input((6, 6, 1)), keras.layers.Conv2D(3, 3), keras.layers.Flatten(), keras.layers.Dense(2)]
    return keras.Sequential(layers, name="small")


def _tensors() -> bytes:
    header = json.dumps({"conv/kernel": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(8)


def _graph(path: Path) -> None:
    with tf.Graph().as_default() as graph:
        tf.compat.v1.placeholder(tf.float32, (None, 6, 6, 1), name="images")
    path.write_bytes(graph.as_graph_def().SerializeToString())


def _meta_graph(path: Path) -> None:
    with tf.Graph().as_default():
        tf.compat.v1.get_variable("w", initializer=np.zeros(2, np.float32))
        tf.compat.v1.train.export_meta_graph(str(path))


def _program(path: Path) -> None:
    _small().export(path.with_name("exported"), verbose=False)
    shutil.copy(path.with_name("exported") / "saved_model.pb", path)


def _zipped(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, b"")


def _tarred(path: Path) -> None:
    (path.parent / "member").touch()
    with tarfile.open(path, "w") as file:
        file.add(path.parent / "member", "member")


def _events(path: Path) -> None:
    writer = tf.summary.create_file_writer(str(path.parent / "events"))
    writer.flush()
    writer.close()
    (written,) = (path.parent / "events").iterdir()
    shutil.copy(written, path)


JS = {"format": "layers-model", "modelTopology": {"keras_version": "2.15.0"}, "weightsManifest": []}
FROM_KERAS = "which Keras does not read: load the network in Keras, and model.save"
BARE = "an architecture without weights"
ONNX, TFLITE = f"an ONNX model, {FROM_KERAS}", f"a TensorFlow Lite model, {FROM_KERAS}"
YAML = "backend: tensorflow\nclass_name: Sequential\nconfig:\n  name: m\nkeras_version: 2.1.3\n"

FILES: list[tuple[str, Callable[[Path], Any], str]] = [
    ("page.h5", lambda path: path.write_text("\n<!DOCTYPE html>\n<html>"), "a web page in place of the file: download"),
    ("page2.keras", lambda path: path.write_text("<HTML><body>sign in"), "a web page in place of the file"),
    ("denied.h5", lambda path: path.write_text("<?xml version='1.0'?><Error>"), "an answer of a server in place of"),
    ("lfs.h5", lambda path: path.write_text(LFS), "a Git LFS pointer in place of the file; `git lfs pull` gets it"),
    ("annex.h5", lambda path: path.write_text("/annex/objects/SHA256E-s9--ab.h5\n"), "a git-annex pointer in place of"),
    ("model.onnx", lambda path: path.write_bytes(b"\x08\x08\x12\x07tf2onnx\x1a\x051.8.4"), ONNX),
    ("graph.onnx", lambda path: path.write_bytes(b"\x08\x03:\x05\x0a\x03abc"), "an ONNX model"),
    ("model.tflite", lambda path: path.write_bytes(b"\x1c\x00\x00\x00TFL3\x14\x00"), TFLITE),
    ("model.json", lambda path: path.write_text(json.dumps(JS)), f"a TensorFlow.js model, {FROM_KERAS}"),
    ("group1-shard1of1.bin", lambda path: path.write_bytes(bytes(40)), "a part of a TensorFlow.js model"),
    ("frozen.pb", _graph, f"a frozen graph of TensorFlow (GraphDef), {FROM_KERAS}"),
    ("model.ckpt-7.meta", _meta_graph, "the graph of a TensorFlow checkpoint: name the checkpoint beside it"),
    ("saved_model.pb", _program, "the program of a SavedModel: name the folder that it is in"),
    ("m.safetensors", lambda path: path.write_bytes(_tensors()), f"a safetensors file, {FROM_KERAS}"),
    ("lenet.json", lambda path: path.write_text(_small().to_json()), f"{BARE}: it belongs behind --model"),
    ("twice.json", lambda path: path.write_text(json.dumps(_small().to_json())), BARE),
    ("lenet.yaml", lambda path: path.write_text(YAML), f"{BARE}, in YAML, which Keras has given up"),
    ("events.out.tfevents", _events, "one of TensorBoard's event files"),
    ("m.keras.gz", lambda path: path.write_bytes(gzip.compress(b"m")), "compressed; unpack it first"),
    ("m.tar", _tarred, "a tar archive; unpack it first"),
    ("arrays.npz", lambda path: np.savez(path, np.zeros(2)), "a file of NumPy arrays"),
    ("saved_model.zip", lambda path: _zipped(path, "m/saved_model.pb"), "a zip archive with 'm/saved_model.pb' in it"),
    ("weights.zip", lambda path: _zipped(path, "a.txt", "w.h5"), "a zip archive with 'w.h5' in it; unpack it first"),
    ("folder.keras", lambda path: _zipped(path, "m/config.json"), "a zip archive with 'm/config.json' in it; unpack"),
    ("photo.jpg", lambda path: path.write_bytes(b"\xff\xd8\xff\xe0"), "a picture"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "write", "what"), FILES, ids=[name for name, _, _ in FILES])
def test_a_foreign_file_is_named_for_what_it_is(
    tmp_path: Path, name: str, write: Callable[[Path], Any], what: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(CheckpointError) as raised:
        recognise(tmp_path / name)
    assert f"{name}' is not a model or weights that Keras saved: it is {what}" in str(raised.value)


@pytest.mark.parametrize(
    "content", [b"", b"\x08", b"\x0a\x05", b"\x0a\xff\xff\xff", b"\x08\x01\x12\x80", b"{", b'"x', b"[" * 9999]
)
def test_what_is_not_known_is_not_guessed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd").write_bytes(content)
    assert what_others_saved(tmp_path / "odd") is None
    with pytest.raises(CheckpointError, match="it is empty|it begins with"):
        recognise(tmp_path / "odd")


def test_weights_are_not_taken_for_anything_else(tmp_path: Path) -> None:
    model = _small()
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    tf.train.Checkpoint(model=model).write(str(tmp_path / "m"))
    files = [path for path in tmp_path.iterdir() if path.is_file()]
    assert len(files) == 4
    assert [what_others_saved(path) for path in files] == [None] * 4


def test_a_pointer_in_place_of_a_checkpoints_data_is_told(tmp_path: Path) -> None:
    tf.train.Checkpoint(model=_small()).write(str(tmp_path / "ckpt-1"))
    (tmp_path / "ckpt-1.data-00000-of-00001").write_text(LFS)
    with pytest.raises(CheckpointError, match="data-00000-of-00001' is a Git LFS pointer"):
        recognise(tmp_path / "ckpt-1")


def test_what_is_advised_for_an_architecture_works(tmp_path: Path) -> None:
    model = _small()
    model.save_weights(tmp_path / "m.weights.h5")
    (tmp_path / "m.json").write_text(model.to_json())
    (tmp_path / "twice.json").write_text(json.dumps(model.to_json()))
    for architecture in ("m.json", "twice.json"):
        loaded = load_model(tmp_path / "m.weights.h5", tmp_path / architecture)
        assert all(map(np.array_equal, loaded.get_weights(), model.get_weights()))
    (tmp_path / "js.json").write_text(json.dumps(JS))
    with pytest.raises(CheckpointError, match="js.json' is no architecture that Keras wrote: it is a TensorFlow.js"):
        load_model(tmp_path / "m.weights.h5", tmp_path / "js.json")


def test_what_is_advised_for_parts_and_archives_works(tmp_path: Path) -> None:
    model = build_lenet(12, 12)
    model.export(tmp_path / "exported", verbose=False)
    with pytest.raises(CheckpointError, match="name the folder that it is in"):
        recognise(tmp_path / "exported" / "saved_model.pb")
    assert len(load_model(tmp_path / "exported", build_lenet(12, 12)).weights) == 8
    model.save(tmp_path / "m.keras")
    (tmp_path / "m.keras.gz").write_bytes(gzip.compress((tmp_path / "m.keras").read_bytes()))
    (tmp_path / "m.keras").unlink()
    with pytest.raises(CheckpointError, match="compressed; unpack it first"):
        load_model(tmp_path / "m.keras.gz")
    (tmp_path / "m.keras").write_bytes(gzip.decompress((tmp_path / "m.keras.gz").read_bytes()))
    assert len(load_model(tmp_path / "m.keras").weights) == 8
