"""The command ``tb-filterviz``: results on stdout, the rest on stderr; exit status 0, 1 (failed) or 2 (usage)."""

import argparse
import signal
import threading
from collections.abc import Sequence

from tb_filterviz.cli.board import add_board
from tb_filterviz.cli.console import say
from tb_filterviz.cli.demo import add_demo
from tb_filterviz.cli.layers import add_layers
from tb_filterviz.cli.log import add_log
from tb_filterviz.cli.render import add_render
from tb_filterviz.errors import ConfigError, FilterVizError


def build_parser() -> argparse.ArgumentParser:
    """Build the command line, without Keras."""
    parser = argparse.ArgumentParser(
        prog="tb-filterviz",
        description="Watch a convolutional network's filters form, epoch by epoch, in TensorBoard.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (add_demo, add_log, add_render, add_layers, add_board):
        add(commands)
    return parser


def _as_ctrl_c(number: int, frame: object) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, 1 if it failed, 2 if it was asked for something that cannot be.
    """
    args = build_parser().parse_args(argv)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _as_ctrl_c)
    try:
        status: int = args.run(args)
    except ConfigError as error:
        say(f"tb-filterviz: {error}")
        return 2
    except (FilterVizError, OSError) as error:
        say(f"tb-filterviz: {error}")
        return 1
    except KeyboardInterrupt:
        say("Interrupted. What was logged is kept.")
        return 130
    return status
