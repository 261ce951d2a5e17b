"""How a process begins that will draw: without TensorFlow's remarks, and not outliving the one that started it."""

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def _without_remarks() -> Iterator[None]:
    """Silence native log lines that `TF_CPP_MIN_LOG_LEVEL` does not cover, unless the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sunk:
        os.dup2(sunk.fileno(), 2)
        try:
            yield
        except Exception:
            sunk.seek(0)
            os.write(kept, sunk.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def start_keras() -> None:
    """Import Keras with the backend that it is set to, and let that look for devices, in silence unless it fails."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _without_remarks():
        import keras

        keras.ops.zeros(1)


def start_worker() -> None:
    """Begin a new process that a pool has spawned, before its first task."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C ends
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    start_keras()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)  # killed parents cannot tell their pools to stop
