"""The command ``tb-filterviz``: results on stdout, the rest on stderr; exit status 0, 1 (failed) or 2 (usage)."""

import argparse
import contextlib
import dataclasses
import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tb_filterviz.config import PRESETS, Config, as_config
from tb_filterviz.errors import ConfigError, FilterVizError

if TYPE_CHECKING:
    import keras

ARCHITECTURES = ("lenet",)


def _say(text: str) -> None:
    print(text, file=sys.stderr)


@contextlib.contextmanager
def _without_start_up_remarks() -> Iterator[None]:
    """What TensorFlow's native code says of CPUs and absent GPUs is not for our users, and no setting stops it."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as sunk:
        os.dup2(sunk.fileno(), 2)
        try:
            yield
        except BaseException:
            sunk.seek(0)
            os.write(kept, sunk.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _start_tensorflow() -> None:
    _say("Loading TensorFlow ...")
    with _without_start_up_remarks():
        import tensorflow as tf

        tf.zeros(1)  # looks for devices


def _load(path: Path, architecture: str | None) -> "keras.Model":
    _start_tensorflow()
    from tb_filterviz.checkpoints import load_model
    from tb_filterviz.lenet import build_lenet

    return load_model(path, build_lenet() if architecture == "lenet" else None)


def demo(args: argparse.Namespace) -> int:
    """Train LeNet with the callback."""
    if args.epochs < 1:
        raise ConfigError(f"`epochs` must be a positive integer. Received: epochs={args.epochs}")
    log_dir: Path = args.log_dir
    ours = [log_dir / name for name in ("train", "validation", "filters", "checkpoints", "lenet.keras")]
    taken = [path for path in ours if path.exists()]
    if taken and not args.overwrite:
        raise ConfigError(
            f"{str(log_dir)!r} already holds a training ({taken[0].name}). Give another --log-dir, or --overwrite it."
        )
    _start_tensorflow()
    import keras

    from tb_filterviz.callbacks import FilterVisualizer
    from tb_filterviz.datasets import digits, full_mnist
    from tb_filterviz.lenet import build_lenet

    data = full_mnist() if args.full else digits(args.data)
    for path in taken:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    keras.utils.set_random_seed(args.seed)
    _, height, width, depth = data.x_train.shape
    model = build_lenet(width, height, depth, classes=int(data.y_train.max()) + 1)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    visualizer = FilterVisualizer(log_dir, config=args.preset)
    checkpoints = log_dir / "checkpoints"
    _say(f"Training LeNet on {len(data.x_train)} images for {args.epochs} epochs; filters are drawn after each.")
    history = model.fit(
        data.x_train,
        data.y_train,
        validation_data=(data.x_test, data.y_test),
        batch_size=128,
        epochs=args.epochs,
        verbose="auto" if sys.stdout.isatty() else 2,
        callbacks=[
            visualizer,  # first: it says in one sentence what is wrong with a log directory
            keras.callbacks.TensorBoard(str(log_dir), write_graph=False),
            keras.callbacks.ModelCheckpoint(str(checkpoints / "epoch-{epoch:02d}.weights.h5"), save_weights_only=True),
        ],
    )
    model.save(log_dir / "lenet.keras")
    print(f"\nAccuracy on {len(data.x_test)} test images: {history.history['val_accuracy'][-1]:.1%}")
    print(f"Weights of every epoch: {checkpoints}{os.sep}   The trained model: {log_dir / 'lenet.keras'}")
    print("To see the filters of every epoch, type:\n")
    print(f"    {shlex.quote(_tensorboard())} --logdir {shlex.quote(str(log_dir))}\n")
    print("and choose the tab Filters.")
    return 0


def _tensorboard() -> str:
    """The command of this environment: another environment's TensorBoard lacks the tab."""
    ours, found = Path(sys.executable).with_name("tensorboard"), shutil.which("tensorboard")
    is_first = found is not None and Path(found).resolve() == ours.resolve()
    return str(ours) if ours.exists() and not is_first else "tensorboard"


def render(args: argparse.Namespace) -> int:
    """Draw one layer of a saved model."""
    config = as_config(args.preset)
    if args.steps is not None:
        config = dataclasses.replace(config, ascent=dataclasses.replace(config.ascent, steps=args.steps))
    given = {name: getattr(args, name) for name in ("columns", "top_k", "scale") if getattr(args, name) is not None}
    if args.preset == "classic":
        given.setdefault("scale", 1)
    config = dataclasses.replace(config, grid=dataclasses.replace(config.grid, **given))
    return _render(args, config)


def _render(args: argparse.Namespace, config: Config) -> int:
    model = _load(args.model, args.architecture)
    from tb_filterviz.imaging.encode import to_png
    from tb_filterviz.imaging.layout import cell_order, grid
    from tb_filterviz.optvis.probe import select
    from tb_filterviz.session import Session

    layer = args.layer or select(model)[-1].path
    snapshots = Session(model, layers=layer, config=config).render(step=0)
    if len(snapshots) > 1:
        raise ConfigError(f"--layer {layer!r} names {len(snapshots)} layers; render draws one.")
    (snapshot,) = snapshots
    png = to_png(grid(snapshot.tiles, snapshot.scores, snapshot.responsive, snapshot.flat, config.grid))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_bytes(png)
    shown = len(cell_order(snapshot.scores, snapshot.responsive, config.grid))
    _say(f"{snapshot.describe()} {snapshot.describe_outcome()} Shown: {shown}.")
    if snapshot.flat.mean() > 0.5:
        _say("Most are flat: this objective shows nothing in this layer. Try --preset default.")
    print(args.output)
    return 0


def layers(args: argparse.Namespace) -> int:
    """List what can be shown."""
    model = _load(args.model, args.architecture)
    from tb_filterviz.optvis import probe, start, views

    shape = probe.input_shape(model)
    low, high = start.input_range(model)
    targets = probe.select(model)
    rows: list[dict[str, Any]] = []
    for target in targets:
        view = views.choose_view(model, target, shape, high - low, Config())
        height, width, filters = probe.response_shape(model, target, shape)
        size = (view.box.height, view.box.width) if view.box else shape[:2]
        rows.append(
            {
                "position": target.position,
                "layer": target.path,
                "kind": type(target.layer).__name__,
                "filters": filters,
                "output": [height, width, filters],
                "objective": view.objective,
                "tile": list(size),
            }
        )
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    widest = max(len(target.path) for target in targets)
    print(f"{'layer':{widest}}  {'kind':16}  filters  {'output':14}  objective (tile)")
    for row in rows:
        output, tile = (" x ".join(map(str, row[name])) for name in ("output", "tile"))
        print(
            f"{row['layer']:{widest}}  {row['kind']:16}  {row['filters']:7}  {output:14}  {row['objective']} ({tile})"
        )
    return 0


def board(args: argparse.Namespace) -> int:
    """Serve a log directory, the Filters tab in front."""
    from tb_filterviz.plugin.board import board as serve

    if "://" not in args.log_dir and not Path(args.log_dir).is_dir():
        _say(f"There is no directory {args.log_dir!r} yet: the tab fills as soon as something is logged there.")
    return serve(args.log_dir, args.options, open_browser=args.open)


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", type=Path, help="a model or weights that Keras saved")
    parser.add_argument(
        "--model",
        dest="architecture",
        choices=ARCHITECTURES,
        help="the architecture that a file of weights belongs to",
    )


def build_parser() -> argparse.ArgumentParser:
    """The command line, without TensorFlow."""
    parser = argparse.ArgumentParser(
        prog="tb-filterviz",
        description="Watch a convolutional network's filters form, epoch by epoch, in TensorBoard.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("demo", help="train LeNet on real digits, and draw its filters at every epoch")
    command.add_argument("--log-dir", type=Path, default=Path("logs"), help="where TensorBoard looks (default: logs)")
    command.add_argument("--epochs", type=int, default=5, help="default: 5")
    command.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
    command.add_argument("--preset", choices=PRESETS, default="default", help="how filters are drawn")
    source = command.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, metavar="FILE.npz", help="images to train on instead of the embedded ones")
    source.add_argument("--full", action="store_true", help="train on all of MNIST, which Keras downloads")
    command.add_argument("--overwrite", action="store_true", help="replace the training that the log directory holds")
    command.set_defaults(run=demo)

    command = commands.add_parser("render", help="draw the filters of one layer of a saved model as a PNG")
    _add_model_arguments(command)
    command.add_argument("-o", "--output", type=Path, default=Path("filters.png"), help="default: filters.png")
    command.add_argument("--layer", help="name, path or pattern (default: the last convolutional layer)")
    command.add_argument("--preset", choices=PRESETS, default="classic", help="default: classic, the article's picture")
    command.add_argument("--steps", type=int, help="ascent steps")
    command.add_argument("--columns", type=int, help="tiles in a row")
    command.add_argument("--top-k", type=int, help="how many tiles at most")
    command.add_argument("--scale", type=int, help="whole factor by which tiles are enlarged")
    command.set_defaults(run=render)

    command = commands.add_parser("layers", help="list the layers of a saved model that can be shown")
    _add_model_arguments(command)
    command.add_argument("--json", action="store_true", help="for scripts")
    command.set_defaults(run=layers)

    command = commands.add_parser("board", help="start TensorBoard on a log directory, the Filters tab in front")
    command.add_argument("--open", action="store_true", help="show it in the browser")
    command.add_argument("log_dir", metavar="LOGDIR", help="as tensorboard --logdir")
    command.add_argument(
        "options", nargs=argparse.REMAINDER, metavar="...", help="options of TensorBoard's, like --port 6007"
    )
    command.set_defaults(run=board)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, 1 if it failed, 2 if it was asked for something that cannot be.
    """
    args = build_parser().parse_args(argv)
    try:
        status: int = args.run(args)
    except ConfigError as error:
        _say(f"tb-filterviz: {error}")
        return 2
    except (FilterVizError, OSError) as error:
        _say(f"tb-filterviz: {error}")
        return 1
    except KeyboardInterrupt:
        _say("Interrupted. What was logged is kept.")
        return 130
    return status
