"""One writer a run: two lose events in TensorBoard, and would write every step twice."""

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

IsLive = Callable[[], bool]

_guard = threading.RLock()
_held: dict[str, "RunLock"] = {}  # by this process


@dataclass(eq=False, slots=True)
class RunLock:
    """A run's folder, held by this writer alone until `release`, or until the process ends, however it ends.

    Attributes:
        path: of the folder.
        descriptor: of the open folder; None where the file system has no locks, and only this process is known.
        is_live: whether what writes goes on; a training that an exception ended cannot release anything.
        process: that took it.
        is_held: False once it was released, by its writer or because that does not go on.
    """

    path: str
    descriptor: int | None
    is_live: IsLive
    process: int = field(default_factory=os.getpid)
    is_held: bool = True

    def is_of(self, path: str) -> bool:
        """Tell whether the folder of this path is held, and not another that took its place."""
        if self.descriptor is None:
            return self.is_held
        try:
            return os.path.samestat(os.fstat(self.descriptor), os.stat(path))
        except OSError:
            return False

    def release(self) -> None:
        """Let others write. Twice is fine."""
        with _guard:
            self.is_held = False
            if self.descriptor is not None and fcntl is not None:
                if os.getpid() == self.process:  # a forked child ends without letting go of what is its parent's
                    fcntl.flock(self.descriptor, fcntl.LOCK_UN)  # not only closed: such a child may have it open
                os.close(self.descriptor)
                self.descriptor = None
            if _held.get(self.path) is self:
                del _held[self.path]


def take(path: str, *, is_local: bool, is_live: IsLive) -> RunLock | None:
    """Take a run's folder, which is there; None if another writer has it, in this process or, locally, in any other.

    Args:
        path: of the folder, absolute where it is local.
        is_local: False for a remote folder, of which only this process is known.
        is_live: whether the writer goes on; once it does not, this process may take the folder again.
    """
    with _guard:
        other = _held.get(path)
        if other is not None and not other.is_live():
            other.release()
        descriptor = os.open(path, os.O_RDONLY) if is_local and fcntl is not None else None
        if descriptor is not None and fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except OSError:  # a file system without locks
                os.close(descriptor)
                descriptor = None
        if descriptor is None and path in _held:
            return None
        _held[path] = RunLock(path, descriptor, is_live)
        return _held[path]
