"""`tb-filterviz render` and `layers`: one saved model, looked at."""

import argparse
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tb_filterviz.cli.console import add_architecture_arguments, add_filters_argument, load_tensorflow, say
from tb_filterviz.config import PRESETS, Config, as_config
from tb_filterviz.errors import ConfigError

if TYPE_CHECKING:
    import keras


def add_render(commands: Any) -> None:
    """The command and its options."""
    command = commands.add_parser("render", help="draw the filters of one layer of a saved model as a PNG")
    _add_model_arguments(command)
    command.add_argument("-o", "--output", type=Path, default=Path("filters.png"), help="default: filters.png")
    command.add_argument("--layer", help="name, path or pattern (default: the last convolutional layer)")
    command.add_argument("--preset", choices=PRESETS, default="classic", help="default: classic, the article's picture")
    command.add_argument("--steps", type=int, help="ascent steps")
    add_filters_argument(command)
    command.add_argument("--columns", type=int, help="tiles in a row")
    command.add_argument("--top-k", type=int, help="how many tiles at most")
    command.add_argument("--scale", type=int, help="whole factor by which tiles are enlarged")
    command.set_defaults(run=render)


def add_layers(commands: Any) -> None:
    """The command and its options."""
    command = commands.add_parser("layers", help="list the layers of a saved model that can be shown")
    _add_model_arguments(command)
    command.add_argument("--json", action="store_true", help="for scripts")
    command.set_defaults(run=layers)


def _add_model_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", type=Path, help="a model or weights, in any format of Keras")
    add_architecture_arguments(parser)


def _load(args: argparse.Namespace) -> "keras.Model":
    load_tensorflow()
    from tb_filterviz.checkpoints import load_model

    return load_model(args.model, args.architecture, unsafe=args.unsafe)


def render(args: argparse.Namespace) -> int:
    """Draw one layer of a saved model."""
    config = as_config(args.preset)
    if args.steps is not None:
        config = dataclasses.replace(config, ascent=dataclasses.replace(config.ascent, steps=args.steps))
    given = {name: getattr(args, name) for name in ("columns", "top_k", "scale") if getattr(args, name) is not None}
    if args.preset == "classic":
        given.setdefault("scale", 1)
    config = dataclasses.replace(config, image_shape=args.image_shape, max_filters=args.filters)
    config = dataclasses.replace(config, grid=dataclasses.replace(config.grid, **given))
    return _render(args, config)


def _render(args: argparse.Namespace, config: Config) -> int:
    model = _load(args)
    from tb_filterviz.imaging.encode import to_png
    from tb_filterviz.imaging.layout import cell_order, grid_of
    from tb_filterviz.optvis.probe import select
    from tb_filterviz.progress import shown_if_long
    from tb_filterviz.session import Session

    layer = args.layer or select(model)[-1].path
    session = Session(model, layers=layer, config=config)
    if len(session.layers) > 1:
        raise ConfigError(f"--layer {layer!r} names {len(session.layers)} layers; render draws one.")
    cost = session.prepare()
    if cost.is_long:
        say(cost.describe())
    with shown_if_long(cost, "Filters", 1) as report:
        (snapshot,) = session.render(0, report)
    png = to_png(grid_of(snapshot, config.grid))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_bytes(png)
    shown = len(cell_order(snapshot.scores, snapshot.responsive, config.grid))
    say(f"{snapshot.describe()} {snapshot.describe_outcome()} Shown: {shown}.")
    if snapshot.flat.mean() > 0.5:
        say("Most are flat: this objective shows nothing in this layer. Try --preset default.")
    print(args.output)
    return 0


def layers(args: argparse.Namespace) -> int:
    """List what can be shown."""
    model = _load(args)
    from tb_filterviz.optvis import probe, start, views
    from tb_filterviz.optvis.subject import subject_of

    low, high = start.input_range(model)
    subject, targets = subject_of(model, image_shape=args.image_shape), probe.select(model)
    rows: list[dict[str, Any]] = []
    for target, seen, view in views.look_at(subject, targets, high - low, Config()):
        size = (view.box.height, view.box.width) if view.box else subject.shape[:2]
        rows.append(
            {
                "position": target.position,
                "layer": target.path,
                "kind": type(target.layer).__name__,
                "filters": seen.filters,
                "output": [seen.height, seen.width, seen.filters],
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
