"""`tb-filterviz board`: TensorBoard with the Filters tab in front."""

import argparse
from pathlib import Path
from typing import Any

from tb_filterviz.cli.console import say


def add_board(commands: Any) -> None:
    """Add the command and its options."""
    command = commands.add_parser("board", help="start TensorBoard on a log directory, the Filters tab in front")
    command.add_argument("--open", action="store_true", help="show it in the browser")
    command.add_argument("log_dir", metavar="LOGDIR", help="as tensorboard --logdir")
    command.add_argument(
        "options", nargs=argparse.REMAINDER, metavar="...", help="options of TensorBoard's, like --port 6007"
    )
    command.set_defaults(run=board)


def board(args: argparse.Namespace) -> int:
    """Serve a log directory, the Filters tab in front."""
    from tb_filterviz.plugin.server import serve

    if "://" not in args.log_dir and not Path(args.log_dir).is_dir():
        say(f"There is no directory {args.log_dir!r} yet: the tab fills as soon as something is logged there.")
    return serve(args.log_dir, args.options, open_browser=args.open)
