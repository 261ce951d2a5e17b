"""What a run of W&B has written for its upload.

Its file is a row of blocks of 32 KiB, in the format of LevelDB's logs: a chunk is a checksum, a length, a type and a
payload; a record is one chunk (type 1), or a first, middle ones and a last (2, 3, 4). Records are W&B's own messages.
"""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from wandb.proto import wandb_internal_pb2 as messages

from tests.trackers.tracked import Logged, as_pixels

_BLOCK = 32 * 1024
_HEAD = struct.Struct("<IHB")


def _payloads(data: bytes) -> Iterator[bytes]:
    place, parts = 7, b""  # after the file's own head
    while place + _HEAD.size <= len(data):
        left = _BLOCK - place % _BLOCK
        if left < _HEAD.size:
            place += left
            continue
        _, length, kind = _HEAD.unpack_from(data, place)
        place += _HEAD.size + length
        parts += data[place - length : place]
        if kind in (1, 4):
            yield parts
            parts = b""


def _row(history: Any) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for item in history.item:
        *outer, last = item.nested_key or [item.key]
        inner = row
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = json.loads(item.value_json)
    return row


class Written(NamedTuple):
    """A run: when it began, its rows, which keys are drawn over which, by pattern, and whether and how it ended."""

    files: Path
    began: int
    rows: list[dict[str, Any]]
    step_keys: dict[str, str]
    exit_code: int | None


def written(folder: Path) -> Written:
    """Read a run's folder, ``wandb/offline-run-...``."""
    (file,) = folder.glob("*.wandb")
    began, rows, step_keys, exit_code = 0, [], {}, None
    for payload in _payloads(file.read_bytes()):
        record = messages.Record.FromString(payload)
        if record.HasField("run"):
            began = began or record.run.start_time.ToNanoseconds()
        elif record.HasField("history"):
            rows.append(_row(record.history))
        elif record.HasField("metric") and record.metric.glob_name:
            step_keys[record.metric.glob_name] = record.metric.step_metric
        elif record.HasField("exit"):
            exit_code = record.exit.exit_code
    return Written(folder / "files", began, rows, step_keys, exit_code)


def tracked(run: Written) -> Logged:
    """What is in a run of ours, each at the step that stands in its row."""
    logged = Logged({}, {})
    for row in run.rows:
        for key, value in row.items():
            if key.startswith("filters"):
                with Image.open(run.files / value["path"]) as image:
                    logged.pictures[key, row["filterviz/step"]] = as_pixels(image)
            elif key.startswith("filterviz/") and key != "filterviz/step" and not isinstance(value, dict):
                logged.points[key, row["filterviz/step"]] = float(value)
    return logged
