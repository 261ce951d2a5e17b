"""`tb-filterviz demo`: a training to look at, in one command."""

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from tb_filterviz.cli.console import add_drawing_arguments, drawing_config, load_keras, say, tensorboard_command
from tb_filterviz.errors import ConfigError
from tb_filterviz.logs.storage import folder_of


def add_demo(commands: Any) -> None:
    """Add the command and its options."""
    command = commands.add_parser("demo", help="train LeNet on real digits, and draw its filters at every epoch")
    command.add_argument("--log-dir", "--logdir", default="logs", help="where TensorBoard looks (default: logs)")
    command.add_argument("--epochs", type=int, default=5, help="default: 5")
    command.add_argument("--seed", type=int, default=0, help="of the training (default: 0)")
    command.add_argument("--layer", action="append", help="name or pattern; may be repeated (default: all)")
    add_drawing_arguments(command)
    source = command.add_mutually_exclusive_group()
    source.add_argument("--data", type=Path, metavar="FILE.npz", help="images to train on instead of the embedded ones")
    source.add_argument("--full", action="store_true", help="train on all of MNIST, which Keras downloads")
    command.add_argument("--overwrite", action="store_true", help="replace the training that the log directory holds")
    command.set_defaults(run=demo)


def demo(args: argparse.Namespace) -> int:
    """Train LeNet with the callback."""
    if args.epochs < 1:
        raise ConfigError(f"`epochs` must be a positive integer. Received: epochs={args.epochs}")
    config = drawing_config(args)
    folder_of(args.log_dir)  # refuses what is no name
    log_dir = Path(args.log_dir)
    ours = [log_dir / name for name in ("train", "validation", "filters", "checkpoints", "lenet.keras")]
    taken = [path for path in ours if path.exists()]
    if taken and not args.overwrite:
        raise ConfigError(
            f"{str(log_dir)!r} already holds a training ({taken[0].name}). Give another --log-dir, or --overwrite it."
        )
    load_keras()
    import keras

    from tb_filterviz.callbacks import FilterVisualizer
    from tb_filterviz.datasets import digits, full_mnist
    from tb_filterviz.examples.settings import Examples
    from tb_filterviz.lenet import build_lenet
    from tb_filterviz.optvis.maximize import model_ascents

    data = full_mnist() if args.full else digits(args.data)
    keras.utils.set_random_seed(args.seed)
    _, height, width, depth = data.x_train.shape
    model = build_lenet(width, height, depth, classes=int(data.y_train.max()) + 1)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model_ascents(model, args.layer, config)  # what cannot be drawn is refused before the old training is deleted
    is_as_trained = config.input_range is None or tuple(config.input_range) == (0.0, 1.0)
    # the article's scale of 0 to 255 is that of its pictures: this network has never been given such numbers
    examples = Examples((data.x_test, data.y_test)) if is_as_trained else None
    visualizer = FilterVisualizer(log_dir, examples=examples, layers=args.layer, config=config)
    for path in taken:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    checkpoints = log_dir / "checkpoints"
    say(f"Training LeNet on {len(data.x_train)} images for {args.epochs} epochs; filters are drawn after each.")

    def save_untrained(logs: Any) -> None:  # noqa: ARG001  Keras gives it
        checkpoints.mkdir(parents=True, exist_ok=True)
        model.save_weights(checkpoints / "epoch-00.weights.h5")

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
            keras.callbacks.LambdaCallback(on_train_begin=save_untrained),
            keras.callbacks.ModelCheckpoint(str(checkpoints / "epoch-{epoch:02d}.weights.h5"), save_weights_only=True),
        ],
    )
    model.save(log_dir / "lenet.keras")
    print(f"\nAccuracy on {len(data.x_test)} test images: {history.history['val_accuracy'][-1]:.1%}")
    print(f"Weights of every epoch: {checkpoints}{os.sep}   The trained model: {log_dir / 'lenet.keras'}")
    print("To see the filters of every epoch, type:\n")
    print(f"    {tensorboard_command(log_dir)}\n\nand choose the tab Filters.")
    return 0
