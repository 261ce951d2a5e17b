"""`tb-filterviz log`: saved weights into a run that TensorBoard shows."""

import argparse
import contextlib
import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tb_filterviz.cli.console import (
    add_architecture_arguments,
    add_drawing_arguments,
    add_examples_argument,
    check_description,
    drawing_config,
    load_keras,
    say,
    tensorboard_command,
)
from tb_filterviz.errors import ConfigError, WorkerError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from tb_filterviz.backfill.run import LogEntry, LogReport
    from tb_filterviz.checkpoints.formats import Checkpoint
    from tb_filterviz.progress import Report

_OUTCOMES = ("logged", "held", "failed", "left_out")
_LISTED = 10


def add_log(commands: Any) -> None:
    """Add the command and its options."""
    command = commands.add_parser("log", help="draw the filters of saved weights, of any number of epochs")
    command.add_argument(
        "paths", nargs="+", metavar="PATH", help="files of weights or models, folders of them, or patterns"
    )
    command.add_argument(
        "--logdir", "--log-dir", default="logs", help="where TensorBoard looks, a folder or a URL (default: logs)"
    )
    add_architecture_arguments(command)
    command.add_argument("--layer", action="append", help="name, path or pattern; may be repeated (default: all)")
    add_drawing_arguments(command)
    add_examples_argument(command)
    where = command.add_mutually_exclusive_group()
    where.add_argument(
        "--steps-from",
        metavar="REGEX",
        help="finds the epoch in the path, as its group, counted from 1: 'model_(\\d+)'; "
        "a group (?P<step>\\d+) is TensorBoard's step itself",
    )
    where.add_argument("--step", type=int, help="the step of the one checkpoint that is given")
    pool = command.add_mutually_exclusive_group()
    pool.add_argument("--workers", type=int, metavar="N", help="draw in so many processes")
    pool.add_argument("--dask", metavar="ADDRESS", help="draw on the cluster of this Dask scheduler")
    command.add_argument("--watch", action="store_true", help="go on as new checkpoints appear, until Ctrl-C")
    command.add_argument("--idle", type=float, metavar="SECONDS", help="with --watch: end after so long without any")
    command.add_argument("--json", action="store_true", help="say what became of each as JSON, for scripts")
    command.set_defaults(run=log)


def log(args: argparse.Namespace) -> int:
    """Log checkpoints."""
    _check_options(args)
    config = drawing_config(args)
    steps = args.steps_from if args.step is None else [args.step]
    paths = _found(args, steps)
    with contextlib.ExitStack() as stack:
        executor, window = (args.workers, None) if args.dask is None else stack.enter_context(_dask(args.dask))
        load_keras()
        from tb_filterviz.logger import FilterLogger
        from tb_filterviz.progress import shown

        started = time.monotonic()
        logger = stack.enter_context(FilterLogger(args.logdir, args.layer, config=config, examples=args.examples))
        last = _LastReport(stack.enter_context(shown("Watching (Ctrl-C ends)" if args.watch else "Checkpoints")))
        options: dict[str, Any] = {
            "steps": steps,
            "executor": executor,
            "window": window,
            "unsafe": args.unsafe,
            "progress": last,
        }
        status = 0
        try:
            if args.watch:
                report = logger.watch(paths, args.architecture, idle_s=args.idle, **options)
            else:
                report = logger.log_checkpoints(paths, args.architecture, **options)
        except KeyboardInterrupt:
            report, status = last.report, 130
    _summarize(report, args.logdir, time.monotonic() - started, as_json=args.json)
    return status or (1 if report.failed else 0)


def _check_options(args: argparse.Namespace) -> None:
    if args.idle is not None and not args.watch:
        raise ConfigError("--idle goes with --watch.")
    if args.idle is not None and args.idle <= 0:
        raise ConfigError(f"--idle must be above 0. Received: {args.idle}")
    if args.step is not None and args.watch:
        raise ConfigError("--step is for one checkpoint, and --watch for many.")
    if args.workers is not None and args.workers < 1:
        raise ConfigError(f"--workers must be a positive number. Received: {args.workers}")


def _found(args: argparse.Namespace, steps: str | list[int] | None) -> "list[Checkpoint | Path]":
    """Find the checkpoints; what names and files alone rule out is refused before Keras is loaded."""
    from tb_filterviz.checkpoints.folders import find_any
    from tb_filterviz.checkpoints.steps import checked_pattern, place, said_steps
    from tb_filterviz.sinks.events import EventSink

    EventSink(args.logdir)  # refuses where nothing can be written
    if args.steps_from is not None:
        checked_pattern(args.steps_from)
    if args.watch:
        return list(map(Path, args.paths))
    found, wrong = find_any(args.paths)
    placed = place(found, said_steps(args.paths, steps)).steps
    check_description([checkpoint for checkpoint in found if checkpoint.path in placed], args)
    return [*found, *wrong]


class _LastReport:
    """Keeps the last report of the progress, for when there is no end to it."""

    def __init__(self, show: "Report") -> None:
        from tb_filterviz.backfill.run import LogReport

        self.report = LogReport()
        self._show = show

    def __call__(self, report: "LogReport", total: int) -> None:
        self.report = report
        self._show(report.done, total, f"{report.done} of {total}")


@contextlib.contextmanager
def _dask(address: str) -> "Iterator[tuple[Executor, int]]":
    try:
        from distributed import Client
    except ImportError as error:
        raise ConfigError("--dask needs Dask: pip install 'tb_filterviz[dask]'") from error
    try:
        client = Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise WorkerError(f"No Dask scheduler answers at {address!r}: {error}") from error
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            say(f"The scheduler at {address} has no workers yet; waiting for them.")
        yield client.get_executor(pure=False, retries=2), max(16, 2 * threads)


def _summarize(report: "LogReport", log_dir: str, seconds: float, *, as_json: bool) -> None:
    run = report.run or log_dir
    into = f", into {report.run}" if report.run else ""
    if as_json:
        said = {name: [dataclasses.asdict(entry) for entry in getattr(report, name)] for name in _OUTCOMES}
        print(json.dumps({"run": run, **said, "seconds": round(seconds, 3)}, indent=2))
    else:
        rate = f", {len(report.logged) / seconds:.1f}/s" if report.logged else ""
        print(f"Logged: {_counted(report.logged)} in {seconds:.1f} s{rate}{into}")
        for entry in report.logged[:1]:
            print(f"  step {entry.step}: {entry.checkpoint}")
        if len(report.logged) > 2:
            print("  ...")
        for entry in report.logged[1:][-1:]:
            print(f"  step {entry.step}: {entry.checkpoint}")
        if report.held:
            print(f"There already: {_counted(report.held)}")
    for title, entries in (("Left out", report.left_out), ("Failed", report.failed)):
        if entries:
            say(f"{title}: {_counted(entries)}")
        for entry in entries[:_LISTED]:
            said_already = title == "Failed" and Path(entry.checkpoint).name in (entry.error or "")
            say(f"  {entry.error}" if said_already else f"  {entry.checkpoint}: {entry.error}")
        if len(entries) > _LISTED:
            say(f"  ... and {len(entries) - _LISTED} more{'' if as_json else '; --json lists all'}")
    if report.failed and report.logged:
        say("Steps only rise: to add one of these later, log all again into another directory.")
    if not as_json and (report.logged or report.held):
        print(f"To see the filters of every epoch, type:\n\n    {tensorboard_command(log_dir)}\n")


def _counted(entries: "Sequence[LogEntry]") -> str:
    steps = [entry.step for entry in entries if entry.step is not None]
    count = f"{len(entries)} checkpoint{'' if len(entries) == 1 else 's'}"
    if not steps:
        return count
    return f"{count} (step {steps[0]})" if len(steps) == 1 else f"{count} (steps {min(steps)} to {max(steps)})"
