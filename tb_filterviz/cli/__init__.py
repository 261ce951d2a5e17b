"""The command ``tb-filterviz``: results on stdout, the rest on stderr; exit status 0, 1 (failed) or 2 (usage)."""

import argparse
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tb_filterviz import __version__
from tb_filterviz.cli.board import add_board, with_log_dir
from tb_filterviz.cli.callbacks import add_callbacks
from tb_filterviz.cli.console import say
from tb_filterviz.cli.demo import add_demo
from tb_filterviz.cli.export import add_export
from tb_filterviz.cli.layers import add_layers
from tb_filterviz.cli.log import add_log
from tb_filterviz.cli.render import add_render
from tb_filterviz.errors import CheckpointWarning, ConfigError, FilterVizError, VisualizationWarning


def build_parser() -> argparse.ArgumentParser:
    """Build the command line, without Keras."""
    parser = argparse.ArgumentParser(
        prog="tb-filterviz",
        description="Watch a convolutional network's filters form, epoch by epoch, in TensorBoard.",
    )
    parser.add_argument("--version", action="version", version=f"tb-filterviz {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (add_demo, add_log, add_render, add_layers, add_callbacks, add_board, add_export):
        add(commands)
    return parser


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Print our warnings as our other messages are, without the place in the code."""
    usual = warnings.formatwarning

    def formatted(message: Warning | str, category: type[Warning], *place: Any, **line: Any) -> str:
        is_ours = issubclass(category, CheckpointWarning | VisualizationWarning)
        return f"tb-filterviz: {message}\n" if is_ours else usual(message, category, *place, **line)

    warnings.formatwarning = formatted
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _as_ctrl_c(number: int, frame: object) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, 1 if it failed, 2 if it was asked for something that cannot be.
    """
    args = build_parser().parse_args(with_log_dir(sys.argv[1:] if argv is None else argv))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _as_ctrl_c)
    try:
        with _warnings_in_one_line():
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
