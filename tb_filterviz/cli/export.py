"""`tb-filterviz export`: what was logged, as files to send."""

import argparse
from typing import Any

from tb_filterviz.cli.console import say


def add_export(commands: Any) -> None:
    """Add the command and its options."""
    command = commands.add_parser(
        "export",
        help="save what was logged as a page, pictures, an animation or a table",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=(
            "Save what was logged. The name of the file says what it becomes:\n"
            "  .html                        the Filters tab as one page, without server or network\n"
            "  .png                         the grid of a layer; --kind filmstrip: filters by steps\n"
            "  .gif .webp .apng .mp4        the grid of a layer, step after step\n"
            "  .csv .parquet                a row for each filter at each step\n"
            "  .npz                         tiles and statistics as NumPy arrays"
        ),
    )
    command.add_argument("log_dir", nargs="?", default="logs", metavar="LOGDIR", help="default: logs")
    command.add_argument(
        "-o", "--output", action="append", metavar="FILE", help="default: filters.html; may be repeated"
    )
    command.add_argument(
        "--run", dest="runs", action="append", help="may be repeated (default: all; in a picture, the one written last)"
    )
    command.add_argument(
        "--layer", action="append", help="may be repeated (default: all; in a picture, the last of the model)"
    )
    command.add_argument("--filters", type=_numbers, metavar="N,N", help="those of a picture: 3,17")
    command.add_argument("--steps", type=_numbers, metavar="N,N", help="those that are meant: 0,4,9 (default: all)")
    command.add_argument("--every", type=int, default=1, metavar="N", help="of the steps, every N only, and the last")
    command.add_argument("--kind", choices=["grid", "filmstrip", "animation"], help="of a .png (default: grid)")
    command.add_argument("--columns", type=int, metavar="N", help="tiles in a row of a grid")
    command.add_argument("--scale", type=int, metavar="N", help="whole factor by which tiles are enlarged")
    command.add_argument("--fps", type=float, default=4.0, help="steps a second of an animation (default: 4)")
    command.add_argument("--no-caption", action="store_true", help="leave out layer and step below a grid")
    command.add_argument("--white", action="store_true", help="black words on white, for paper")
    command.add_argument("--max-mb", type=float, metavar="MB", help="how large a page may become (default: 50)")
    command.add_argument(
        "--leave-out",
        action="append",
        choices=["examples", "maps", "kernels", "likeness"],
        help="what a page goes without; may be repeated",
    )
    command.set_defaults(run=export)


def export(args: argparse.Namespace) -> int:
    """Save what was logged."""
    from tb_filterviz.export.saving import check_ending, is_page
    from tb_filterviz.filter_run import read_runs
    from tb_filterviz.progress import shown_once_long

    paths = args.output or ["filters.html"]
    for path in paths:
        check_ending(path)  # before anything is read
    given = {name: getattr(args, name) for name in ("filters", "steps", "kind", "columns", "scale", "max_mb")}
    options = {name: value for name, value in given.items() if value is not None}
    source = read_runs(args.log_dir)
    for path in paths:
        with shown_once_long(str(path), 1) as report:
            written = source.save(
                path,
                run=args.runs,
                layer=args.layer,
                every=args.every,
                fps=args.fps,
                caption=not args.no_caption,
                background="white" if args.white else "black",
                leave_out=args.leave_out or (),
                report=report,
                **options,
            )
        size = written.stat().st_size / 1e6
        said = f"{written.name}: {size:.1f} MB" if size >= 0.1 else f"{written.name}: {size * 1000:.0f} kB"
        say(f"{said}. It opens in any browser, without a server." if is_page(path) else f"{said}.")
        print(written)
    return 0


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be whole numbers, such as 3,17. Received: {text!r}") from None
