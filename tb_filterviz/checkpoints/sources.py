"""Where it is said what a model looks like: a file, a function of the user's, or the name of LeNet. Without Keras."""

import json
import os
import re
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tb_filterviz.checkpoints import archive, foreign, hdf5
from tb_filterviz.checkpoints.formats import Checkpoint, Kind, recognise
from tb_filterviz.checkpoints.lenet_sizes import lenet_sizes
from tb_filterviz.checkpoints.saved_model import saved_model_config
from tb_filterviz.errors import CheckpointError, ConfigError

if TYPE_CHECKING:
    import keras

ModelSource = str | Path | Callable[[], "keras.Model"]

_LENET = "tb_filterviz.lenet:build_lenet"
_ENOUGH = 5  # checkpoints that say the same
_VERSION = r"\d{1,4}(\.\w{1,12}){1,4}"
_SUFFIXES = (".keras", ".json", ".h5", ".hdf5")


class Description(NamedTuple):
    """What says how to build a model.

    Attributes:
        origin: who says it, for messages.
        config: a configuration of Keras, as JSON; None if there is a factory.
        factory: ``package.module:factory``; None if there is a configuration.
        arguments: what the factory takes.
        written_by: the version of the Keras that wrote the configuration, if it is known.
    """

    origin: str
    config: str | None = None
    factory: str | None = None
    arguments: tuple[int, ...] = ()
    written_by: str | None = None


def described(source: ModelSource) -> Description:
    """Find the description that a user means.

    Args:
        source: ``"lenet"``; ``"package.module:factory"``; a file that holds an architecture (``.keras``, ``.json``, a
            whole ``.h5``, a SavedModel of Keras 2); or a function of a module, without arguments.

    Raises:
        ConfigError: if it is none of these.
        CheckpointError: if the file cannot be used.
    """
    if callable(source) and not isinstance(source, Path):
        name = getattr(source, "__qualname__", "")
        if not name.isidentifier() or source.__module__ == "__main__":
            raise ConfigError(
                f"`model` must be a function of a module that can be imported. Received: model={source!r}"
            )
        return Description(f"{source.__module__}:{name}", factory=f"{source.__module__}:{name}")
    if source == "lenet":
        return Description("lenet", factory=_LENET)
    if Path(source).exists():
        return _in_file(Path(source))
    module_name, _, name = str(source).partition(":")
    if name.isidentifier() and all(part.isidentifier() for part in module_name.split(".")):
        return Description(str(source), factory=str(source))
    if isinstance(source, Path) or source.endswith(_SUFFIXES) or "/" in source or os.sep in source:
        raise ConfigError(f"`model` names a file that is not there. Received: model={str(source)!r}")
    raise ConfigError(
        "`model` must be 'lenet', a file that holds an architecture (.keras, .json, .h5), or 'package.module:factory'. "
        f"Received: model={str(source)!r}"
    )


def _in_file(path: Path) -> Description:
    if path.is_file():
        with path.open("rb") as file:
            start = file.read(64).lstrip()[:2]
        if start[:1] == b"{" or start == b'"{':  # of a text that was written as JSON once more
            return Description(repr(str(path)), config=_json_text(path))
    stored = stored_description(recognise(path))
    if stored is None:
        raise CheckpointError(
            f"{str(path)!r} holds weights only, and says nothing of the model's architecture. Name a file of the whole "
            "model, 'lenet', or package.module:factory."
        )
    return stored


def _json_text(path: Path) -> str:
    text = path.read_text("utf-8", "replace")
    try:
        content: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text  # for Keras to refuse
    if isinstance(content, str):
        return content
    if not (isinstance(content, dict) and "class_name" in content):
        raise CheckpointError(f"{str(path)!r} is no architecture that Keras wrote: {foreign.describe(path)}.")
    return text


def stored_description(checkpoint: Checkpoint) -> Description | None:
    """Read the description that the checkpoint itself holds; None if it holds weights only."""
    config = written_by = None
    if checkpoint.kind is Kind.MODEL:
        config, written_by = archive.config(checkpoint.path), archive.keras_version(checkpoint.path)
    elif checkpoint.kind is Kind.LEGACY_MODEL:
        config = hdf5.attribute(checkpoint.path, "model_config")
        written_by = hdf5.attribute(checkpoint.path, "keras_version")
    elif checkpoint.kind is Kind.SAVED_MODEL:
        config = saved_model_config(checkpoint.path)
    if written_by and not re.fullmatch(_VERSION, written_by):
        written_by = None
    return None if config is None else Description(repr(str(checkpoint.path)), config=config, written_by=written_by)


def description_for(
    checkpoint: Checkpoint, source: ModelSource | None, image_shape: Sequence[int] | None = None
) -> Description:
    """Find the description of the model that a checkpoint is of: as `source` says, or else as it says itself.

    Args:
        checkpoint: with weights.
        source: as `described` takes it; ``"lenet"`` is the LeNet that fits the weights. None if nobody said it.
        image_shape: of a LeNet's images, if they are not as the article's.

    Raises:
        CheckpointError: if the checkpoint holds weights only, and `source` is None; or if the file cannot be used.
        ConfigError: if `source` says nothing that is known.
    """
    if source == "lenet":
        return Description("lenet", factory=_LENET, arguments=lenet_sizes(checkpoint, image_shape))
    if source is not None:
        return described(source)
    stored = stored_description(checkpoint)
    if stored is None:
        raise CheckpointError(
            f"{str(checkpoint)!r} holds weights only ({checkpoint.kind.value}), not the model that they belong to. "
            "Say which: --model lenet, --model FILE or --model package.module:factory on the command line, "
            "model=... in Python."
        )
    return stored


def descriptions_for(
    checkpoints: Sequence[Checkpoint], source: ModelSource | None, image_shape: Sequence[int] | None = None
) -> list[tuple[Description, Checkpoint]]:
    """Find every description of the model that checkpoints are of, each with the first of those that have it.

    That of most comes first, so that a stranger among them does not decide; damaged ones do not count. Where enough say
    the same, the rest is not asked.

    Raises:
        CheckpointError: if none says it, or can be read.
        ConfigError: if `source` says nothing that is known.
    """
    if source is not None and source != "lenet":
        return [(described(source), checkpoint) for checkpoint in checkpoints[:1]]
    said: dict[Hashable, list[tuple[Description, Checkpoint]]] = {}
    first_error: CheckpointError | None = None
    for checkpoint in checkpoints:
        try:
            description = description_for(checkpoint, source, image_shape)
        except CheckpointError as error:
            first_error = first_error or error
        else:
            alike = said.setdefault(_what_it_builds(description), [])
            alike.append((description, checkpoint))
            if len(alike) == _ENOUGH:
                break
    if first_error is not None and not said:
        raise first_error
    return [pairs[0] for pairs in sorted(said.values(), key=len, reverse=True)]


def _what_it_builds(description: Description) -> Hashable:
    """Return what is equal for descriptions of one network: learning rates are kept beside it, and change."""
    if description.config is None:
        return (description.factory, description.arguments)
    try:
        content = json.loads(description.config)
        return json.dumps({key: content.get(key) for key in ("class_name", "config")}, sort_keys=True)
    except (ValueError, RecursionError, AttributeError):
        return description.config
