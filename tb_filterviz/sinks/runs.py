"""Which run of a log directory a training is written to: it goes on in its own, or begins one beside the others."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tb_filterviz.logs.storage import Folder
from tb_filterviz.metadata import run_name, run_number
from tb_filterviz.recipe import Recipe, draws_the_same
from tb_filterviz.sinks import lock
from tb_filterviz.sinks.lock import IsLive
from tb_filterviz.sinks.run_index import RunIndex, holds_anything, read_index_to_go_on, read_recipe

Choose = Callable[[Sequence[RunIndex]], RunIndex | None]


@dataclass(slots=True)
class TakenRun:
    """A run that is ours to write.

    Attributes:
        folder: of its event files.
        lock: while it is held, nobody else writes there.
        index: what it holds.
        notice: what to tell the user; empty if there is nothing to tell.
    """

    folder: Folder
    lock: lock.RunLock
    index: RunIndex
    notice: str = ""


def take_run(
    log_dir: Folder, recipe: Recipe, *, before: int | None, choose: Choose, is_live: IsLive = lambda: True
) -> TakenRun:
    """Take the run that goes on, or else a new one.

    Args:
        log_dir: holds the runs ``filters``, ``filters_2``, ...
        recipe: how steps will be drawn. A run that was drawn otherwise does not go on.
        before: the first step to be written; a run that has reached it does not go on. None if that does not matter.
        choose: which of several that may go on does; None for none of them. The last one is the newest.
        is_live: whether the writer goes on, see `lock.take`.

    A run of somebody else, which must not be read or written, stays as it is.

    Raises:
        OSError: whatever the file system or the service says.
    """
    numbers = sorted(number for name in log_dir.folders() if (number := run_number(name)))
    candidates: list[tuple[Folder, RunIndex]] = []
    for number in numbers:
        index = read_index_to_go_on(log_dir.child(run_name(number)), recipe, before)
        if index is not None:
            candidates.append((log_dir.child(run_name(number)), index))
    while candidates:
        chosen = choose([index for _, index in candidates])
        if chosen is None:
            break
        folder = next(folder for folder, index in candidates if index is chosen)
        held = lock.take(folder.address, is_local=folder.can_append, is_live=is_live) if folder.is_writable() else None
        index = None if held is None else read_index_to_go_on(folder, recipe, before)  # as it is now that it is ours
        if held is not None and index is not None and index.steps == chosen.steps:
            _cut(folder, index)
            return TakenRun(folder, held, index)
        if held is not None:
            held.release()
        candidates = [(folder, index) for folder, index in candidates if index is not chosen]
    return _new_run(log_dir, recipe, _taken(log_dir, numbers), is_live)


def _taken(log_dir: Folder, numbers: Sequence[int]) -> list[int]:
    """List the numbers of runs that hold anything; a process may have been killed before it wrote its first step."""
    return [number for number in numbers if holds_anything(log_dir.child(run_name(number)))]


def _new_run(log_dir: Folder, recipe: Recipe, taken: Sequence[int], is_live: IsLive) -> TakenRun:
    number = max(taken, default=0) + 1
    while True:
        folder = log_dir.child(run_name(number))
        if log_dir.exists(run_name(number)):
            is_ours = run_name(number) in log_dir.folders() and folder.is_writable()
            if not is_ours:  # a file of that name, or somebody else's folder
                number += 1
                continue
        folder.make()
        held = lock.take(folder.address, is_local=folder.can_append, is_live=is_live)
        if held is not None and not holds_anything(folder):  # empty still: another may have come and gone
            return TakenRun(folder, held, RunIndex(), _notice(folder, _newest_below(log_dir, number), recipe))
        if held is not None:
            held.release()
        number += 1


def _newest_below(log_dir: Folder, number: int) -> Folder | None:
    """Find the run that a new one is begun beside; None if there is none."""
    below = [there for name in log_dir.folders() if (there := run_number(name)) and there < number]
    return log_dir.child(run_name(max(below))) if below else None


def _notice(folder: Folder, beside: Folder | None, recipe: Recipe) -> str:
    """Say which run is begun beside which, and why, as far as that shows; nothing of the first of all."""
    if beside is None:
        return ""
    found = read_recipe(beside)
    is_alike = found is not None and draws_the_same(recipe, found)
    what = (
        "another training" if is_alike else "another network, or one drawn in another way or measured on other examples"
    )
    return f"This is written to {folder.path!r}, beside {beside.path!r}, which holds {what}."


def _cut(folder: Folder, index: RunIndex) -> None:
    """Cut off a step that a killed process left unfinished: it is written again as a whole, from one network."""
    if index.unfinished is None:
        return
    name, offset = index.unfinished
    if folder.can_append:
        folder.truncate(name, offset)
        return
    with folder.open(name) as file:  # of a log that was copied there: what is whole of it stays
        kept = file.read(offset)
    folder.put(name, kept)
