"""How much memory a process holds, by Linux' account of it."""

from pathlib import Path


def resident_mib(process: int | str = "self") -> float:
    """What a process holds now, in MiB."""
    return _told(process, "VmRSS")


def peak_mib() -> float:
    """The most that this process has held since it began, or since `forget_peak`, in MiB.

    `getrusage` would not do: there, a new process begins with the peak of the one that started it, so that in a long
    run of tests nothing that it does shows.
    """
    return _told("self", "VmHWM")


def forget_peak() -> None:
    """Begin anew, with what is held now."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def _told(process: int | str, name: str) -> float:
    lines = Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024
