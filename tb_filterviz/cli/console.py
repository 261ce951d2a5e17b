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
    if "" not in sys.path:
        sys.path.insert(0, "")  # --model package.module:factory is found where it is typed, as `python -m` does
    say("Loading TensorFlow ...")
    start_tensorflow()


def tensorboard_command(log_dir: str | Path) -> str:
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
    parser.add_argument(
        "--image-shape",
        type=_sizes,
        metavar="HxW[xC]",
        help="of the images that are drawn, for models that take any: 96x96",
    )


def add_filters_argument(parser: argparse.ArgumentParser) -> None:
    """How many filters of a layer are drawn."""
    parser.add_argument("--filters", type=int, metavar="N", help="draw the first N of a layer (default: all)")


def _sizes(text: str) -> tuple[int, ...]:
    parts = text.lower().split("x")
    if len(parts) not in (2, 3) or not all(part.isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"must be HxW or HxWxC, such as 96x96. Received: {text!r}")
    return tuple(map(int, parts))
