"""What the commands share: results go to stdout, everything else to stderr."""

import argparse
import dataclasses
import shlex
import shutil
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tb_filterviz.config import CHANNEL_ORDERS, PRESETS, Config, as_config
from tb_filterviz.parts.objectives import AUTO, OBJECTIVES
from tb_filterviz.parts.statistics import STATISTICS
from tb_filterviz.parts.tones import TONES
from tb_filterviz.startup import start_keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

    from tb_filterviz.checkpoints.formats import Checkpoint


def say(text: str) -> None:
    """Tell the user, not a script."""
    print(text, file=sys.stderr)


def load_keras() -> None:
    """Do the slow part of every command that draws."""
    if "" not in sys.path:
        sys.path.insert(0, "")  # --model package.module:factory is found where it is typed, as `python -m` does
    say("Loading Keras ...")
    start_keras()


def tensorboard_command(log_dir: str | Path) -> str:
    """Say what to type to see what was logged: of this environment, for another one's TensorBoard lacks the tab."""
    ours, found = Path(sys.executable).with_name("tensorboard"), shutil.which("tensorboard")
    is_first = found is not None and Path(found).resolve() == ours.resolve()
    command = str(ours) if ours.exists() and not is_first else "tensorboard"
    return f"{shlex.quote(command)} --logdir {shlex.quote(str(log_dir))}"


def add_architecture_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which model saved weights belong to."""
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
        help="load whatever a model file names, and run its code (Lambda layers): it may do whatever you may do, "
        "so only for files of people whom you trust",
    )
    parser.add_argument(
        "--image-shape",
        type=_sizes,
        metavar="HxW[xC]",
        help="of the images that are drawn, for models that take any, and for a lenet that is not for 28x28: 96x96",
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what says which saved model is meant."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="a model or weights, in any format of Keras")
    add_architecture_arguments(parser)


def load_model(args: argparse.Namespace) -> "keras.Model":
    """Load what `add_model_arguments` asked for; what says nothing of a model is refused before Keras is loaded."""
    from tb_filterviz.checkpoints.formats import recognise

    check_description([recognise(args.model)], args)
    load_keras()
    from tb_filterviz.checkpoints.loading import load_model as load

    return load(args.model, args.architecture, unsafe=args.unsafe, image_shape=args.image_shape)


def check_description(checkpoints: "Sequence[Checkpoint]", args: argparse.Namespace) -> None:
    """Check that it is known which model these are of, as far as that needs no Keras.

    Raises:
        CheckpointError, ConfigError: if not.
    """
    from tb_filterviz.checkpoints.sources import descriptions_for

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that is said when the model is built
        descriptions_for(checkpoints, args.architecture, args.image_shape)


def add_drawing_arguments(parser: argparse.ArgumentParser, *, preset: str = "clean") -> None:
    """Add what says how filters are drawn."""
    parser.add_argument("--preset", choices=PRESETS, default=preset, help=f"how filters are drawn (default: {preset})")
    parser.add_argument("--objective", choices=[AUTO, *OBJECTIVES], help="what is maximized, instead of the preset's")
    parser.add_argument("--tone", choices=[AUTO, *TONES], help="how images become pictures, instead of the preset's")
    parser.add_argument("--statistic", action="append", choices=STATISTICS, help="compute it as well; may be repeated")
    parser.add_argument(
        "--starts", type=int, metavar="N", help="climb from N start noises; pictures are the mean of where they arrive"
    )
    parser.add_argument(
        "--filters", type=_filters, metavar="N", help="draw the first N of a layer, or those of a list: 3,42"
    )
    parser.add_argument(
        "--input-range",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="of the model's inputs (default: as it is found): 0 255",
    )
    parser.add_argument(
        "--channel-order", choices=CHANNEL_ORDERS, help="of the model's images of three channels (default: as found)"
    )


def add_examples_argument(parser: argparse.ArgumentParser) -> None:
    """Add what says on which real images is measured what filters do."""
    parser.add_argument(
        "--examples",
        metavar="digits|FILE.npz|FOLDER",
        help="measure on real images what filters do: digits, which ship with the package, an .npz file of arrays x "
        "(and y), or a folder of images, of which subfolders are classes",
    )


def drawing_config(args: argparse.Namespace) -> Config:
    """Make the configuration that `add_drawing_arguments` asked for."""
    names = ("objective", "tone", "channel_order")
    given: dict[str, Any] = {name: getattr(args, name) for name in names if getattr(args, name)}
    if isinstance(args.filters, int):
        given["max_filters"] = args.filters
    elif args.filters is not None:
        given["filters"] = args.filters
    if args.input_range is not None:
        given["input_range"] = tuple(args.input_range)
    preset = as_config(args.preset)
    if args.starts is not None:
        given["ascent"] = dataclasses.replace(preset.ascent, starts=args.starts)
    return dataclasses.replace(
        preset, image_shape=getattr(args, "image_shape", None), statistics=args.statistic or (), **given
    )


def _filters(text: str) -> int | tuple[int, ...]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise argparse.ArgumentTypeError(f"must be a number, or a list such as 3,42. Received: {text!r}")
    return int(text) if len(parts) == 1 else tuple(map(int, parts))


def _sizes(text: str) -> tuple[int, ...]:
    parts = text.lower().split("x")
    if len(parts) not in (2, 3) or not all(part.isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"must be HxW or HxWxC, such as 96x96. Received: {text!r}")
    return tuple(map(int, parts))
