"""What a file is, told from what it holds and never from its name."""

import ast
import json
import re
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tb_filterviz.checkpoints import archive, foreign, hdf5
from tb_filterviz.errors import CheckpointError

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_TABLE_FOOTER = bytes.fromhex("57fb808b247547db")  # of TensorFlow's tables: the index of a checkpoint is one


class Kind(Enum):
    """The kinds of files that hold weights, each with a description."""

    MODEL = "a Keras 3 archive"
    WEIGHTS = "Keras 3 weights"
    LEGACY_MODEL = "a whole model of Keras 2 in HDF5"
    LEGACY_WEIGHTS = "Keras 2 weights in HDF5"
    TF_CHECKPOINT = "a TensorFlow checkpoint"
    SAVED_MODEL = "a SavedModel"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file, or the files that belong together, with weights.

    Attributes:
        path: the file; of a TensorFlow checkpoint its prefix (``ckpt-7``), of a SavedModel its folder.
        kind: what it is.
        is_named: whether somebody named it, and not its folder or a pattern.
    """

    path: Path
    kind: Kind
    is_named: bool = field(default=True, compare=False)

    def __str__(self) -> str:
        return str(self.path)

    @property
    def files(self) -> list[Path]:
        """Every file that has to be whole before the checkpoint can be read."""
        if self.kind is Kind.TF_CHECKPOINT:
            return sorted(_parts(self.path))
        if self.kind is Kind.SAVED_MODEL:
            return sorted(path for path in self.path.rglob("*") if path.is_file())
        return [self.path]


def _parts(prefix: Path) -> list[Path]:
    pattern = re.compile(re.escape(prefix.name) + r"\.(index|data-\d{5}-of-\d{5})")
    return [path for path in prefix.parent.iterdir() if pattern.fullmatch(path.name)]


def recognise(path: str | Path) -> Checkpoint:
    """Tell what the file or folder holds.

    Args:
        path: a file, a SavedModel's folder, a folder with a TensorFlow checkpoint (its latest is taken), or the
            prefix or any file of a TensorFlow checkpoint.

    Raises:
        CheckpointError: if it is nothing that holds a model's weights, or is damaged.
    """
    path = Path(path)
    try:
        return _recognise_folder(path) if path.is_dir() else _recognise_file(path)
    except OSError as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from error


def _recognise_file(path: Path) -> Checkpoint:
    data_of = re.fullmatch(r"(.+)\.data-\d{5}-of-\d{5}", path.name)
    index = path.with_name(f"{data_of[1] if data_of else path.name}.index")
    if data_of or (not path.exists() and index.exists()):
        path = index
    if not path.exists():
        is_link = path.is_symlink()
        raise CheckpointError(f"There is no file {str(path)!r}{', only a link to where it was' if is_link else ''}.")
    if not path.is_file():
        raise CheckpointError(f"{str(path)!r} is neither a file nor a folder, and was not opened.")
    if _is_shard(path):
        raise CheckpointError(
            f"{str(path)!r} is one of several files of weights into which Keras split a large model (max_shard_size). "
            "Load it in Keras and save it as one file: model.save_weights('....weights.h5')."
        )
    with path.open("rb") as file:
        signature = file.read(8)
        file.seek(max(0, path.stat().st_size - len(_TABLE_FOOTER)))
        footer = file.read()
    if signature == _HDF5_SIGNATURE:
        kind = _recognise_hdf5(path)
    elif signature.startswith(b"PK"):
        kind = _recognise_zip(path)
    elif footer == _TABLE_FOOTER:
        return _recognise_tf_checkpoint(path)
    else:
        kind = None
    if kind is None:
        raise CheckpointError(f"{str(path)!r} is not a model or weights that Keras saved: {foreign.describe(path)}.")
    return Checkpoint(path, kind)


def _is_shard(path: Path) -> bool:
    """Of ``m.weights.json``, which lists the parts, and ``m_00000.weights.h5``, ``m_00001.weights.h5``, ..."""
    if path.name.endswith(".weights.json"):
        return True
    part_of = re.fullmatch(r"(.+)_\d{5}\.weights\.h5", path.name)
    return part_of is not None and path.with_name(f"{part_of[1]}.weights.json").exists()


def _recognise_zip(path: Path) -> Kind | None:
    if not archive.is_archive(path):
        return None
    with archive.opened(path) as members:
        return Kind.MODEL if "config.json" in members.namelist() else None


def _recognise_hdf5(path: Path) -> Kind | None:
    with hdf5.opened(path) as file:
        if "model_config" in file.attrs:
            return Kind.LEGACY_MODEL
        if "layer_names" in file.attrs:
            return Kind.LEGACY_WEIGHTS
    holds_variables = any("vars" in where.split("/") for where in hdf5.names(path))
    return Kind.WEIGHTS if holds_variables else None


def _recognise_tf_checkpoint(index: Path) -> Checkpoint:
    name = index.name.removesuffix(".index")
    if name in (index.name, "", "."):
        raise CheckpointError(
            f"{str(index)!r} is the index of a TensorFlow checkpoint under another name. TensorFlow finds its data by "
            "the name: give it back its own, which ends in .index, next to its .data files."
        )
    prefix = index.with_name(name)
    shards = [int(path.name[-5:]) for path in _parts(prefix) if path != index]
    if len(shards) < max(shards, default=1):
        raise CheckpointError(
            f"{str(prefix)!r} is a TensorFlow checkpoint that is not whole: {len(shards)} of its "
            f"{max(shards, default=1)} data files ({prefix.name}.data-?????-of-?????) are there."
        )
    for part in _parts(prefix):
        if not part.is_file():
            raise CheckpointError(f"{str(part)!r} is not a file, and was not opened.")
        if (pointer := foreign.pointer(part)) is not None:
            raise CheckpointError(f"{str(part)!r} is {pointer}.")
    return Checkpoint(prefix, Kind.TF_CHECKPOINT)


def _recognise_folder(folder: Path) -> Checkpoint:
    if (folder / "saved_model.pb").exists() and (folder / "variables").is_dir():
        _recognise_tf_checkpoint(folder / "variables" / "variables.index")
        return Checkpoint(folder, Kind.SAVED_MODEL)
    latest = _latest(folder / "checkpoint")
    if latest and not (folder / latest).is_dir():
        return _recognise_file(folder / latest)
    raise CheckpointError(f"{str(folder)!r} is a folder, and neither a SavedModel nor that of a TensorFlow checkpoint.")


def _latest(state: Path) -> str:
    """Read which checkpoint of its folder TensorFlow's note names; empty if it names none."""
    if not state.is_file():
        return ""
    named = re.match(r'model_checkpoint_path: ("(?:[^"\\]|\\.)*")', state.read_text("utf-8", "replace"))
    return Path(_unquoted(named[1])).name if named else ""


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:  # octal escapes, as TensorFlow writes what is not ASCII
        pass
    try:
        return bytes(ast.literal_eval(f"b{text}")).decode("utf-8", "replace")
    except (SyntaxError, ValueError):
        return ""
