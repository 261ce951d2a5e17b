"""What the commands share: results go to stdout, everything else to stderr."""

import argparse
import shlex
import shutil
import sys
from pathlib import Path

from tb_filterviz.startup import start_tensorflow


def say(text: str) -> None:
    """Tell the user, not a script."""
    print(text, file=sys.stderr)


def load_tensorflow() -> None:
    """The slow part of every command that draws."""
    say("Loading TensorFlow ...")
    start_tensorflow()


def tensorboard_command(log_dir: Path) -> str:
    """What to type to see what was logged: of this environment, for another one's TensorBoard lacks the tab."""
    ours, found = Path(sys.executable).with_name("tensorboard"), shutil.which("tensorboard")
    is_first = found is not None and Path(found).resolve() == ours.resolve()
    command = str(ours) if ours.exists() and not is_first else "tensorboard"
    return f"{shlex.quote(command)} --logdir {shlex.quote(str(log_dir))}"


def add_architecture_arguments(parser: argparse.ArgumentParser) -> None:
    """What says which model saved weights belong to."""
    parser.add_argument(
        "--model",
        dest="architecture",
        metavar="ARCHITECTURE",
        help="what files of weights belong to: lenet, a file that holds a model (.keras, .json, .h5), "
        "or package.module:factory",
    )
    parser.add_argument(
        "--unsafe",
        action="store_true",
        help="run Python code that a model file holds (Lambda layers): it may do whatever you may do, "
        "so only for files of people whom you trust",
    )
