"""`tb-filterviz board`: TensorBoard with the Filters tab in front."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tb_filterviz.cli.console import say
from tb_filterviz.errors import LogDirError

_LOG_DIR = "logs"
_OWN_OPTIONS = ("--open", "-h", "--help")


def with_log_dir(arguments: Sequence[str]) -> list[str]:
    """Put in the default log directory where ``board`` is followed by options alone: `argparse` would not find it."""
    if list(arguments[:1]) != ["board"]:
        return list(arguments)
    place = next((place for place, each in enumerate(arguments[1:], 1) if each not in _OWN_OPTIONS), len(arguments))
    is_given = place < len(arguments) and not arguments[place].startswith("-")
    return [*arguments[:place], *([] if is_given else [_LOG_DIR]), *arguments[place:]]


def add_board(commands: Any) -> None:
    """Add the command and its options."""
    command = commands.add_parser("board", help="start TensorBoard on a log directory, the Filters tab in front")
    command.add_argument("--open", action="store_true", help="show it in the browser")
    command.add_argument(
        "log_dir", nargs="?", default=_LOG_DIR, metavar="LOGDIR", help="as tensorboard --logdir (default: logs)"
    )
    command.add_argument(
        "options", nargs=argparse.REMAINDER, metavar="...", help="options of TensorBoard's, like --port 6007"
    )
    command.set_defaults(run=board)


def board(args: argparse.Namespace) -> int:
    """Serve a log directory, the Filters tab in front."""
    from tb_filterviz.plugin.server import serve

    if not args.log_dir:
        raise LogDirError(f"A log directory needs a name; '.' is the folder you are in. Received: {args.log_dir!r}")
    if "://" not in args.log_dir and not Path(args.log_dir).is_dir():
        say(f"There is no directory {args.log_dir!r} yet: the tab fills as soon as something is logged there.")
    options = [option for option in args.options if option != "--open"]
    return serve(args.log_dir, options, open_browser=args.open or options != args.options)
