"""SavedModel folders: where their values are, and how Keras 2 described the model. No program in them is loaded."""

import json
from collections.abc import Iterator
from pathlib import Path

from google.protobuf import unknown_fields
from google.protobuf.empty_pb2 import Empty

from tb_filterviz.error_context import raising_checkpoint_error


def variables_of(saved_model: Path) -> Path:
    """Return the prefix of the checkpoint inside a SavedModel."""
    return saved_model / "variables" / "variables"


def saved_model_config(saved_model: Path) -> str | None:
    """Read the configuration that Keras 2 put beside a SavedModel's program, as JSON; None if there is none."""
    metadata = saved_model / "keras_metadata.pb"
    if not metadata.is_file():  # nor a pipe or a device, which may never end
        return None
    with raising_checkpoint_error(metadata, "description of a SavedModel"):
        for node in _texts_of_nodes(metadata.read_bytes()):
            described = json.loads(node) if node.startswith("{") else {}
            config = described.get("model_config") or described
            if config.get("class_name") in ("Sequential", "Functional", "Model"):
                return json.dumps({"class_name": config["class_name"], "config": config["config"]})
    return None


def _texts_of_nodes(content: bytes) -> Iterator[str]:
    """List the texts in a SavedMetadata message's nodes, the model first; TensorFlow does not publish its type."""
    for node in _fields(content):
        for data in _fields(node):
            yield data.decode("utf-8", "replace")


def _fields(content: bytes) -> list[bytes]:
    message = Empty()
    message.ParseFromString(content)
    return [field.data for field in unknown_fields.UnknownFieldSet(message) if isinstance(field.data, bytes)]
