"""``dctload stats DIR``: the statistics that Normalize takes."""

import argparse
import json
import shlex
import sys
from pathlib import Path
from typing import Any

from dctload.cli import _common


def add_parser(subparsers: Any) -> None:
    """Add this command's arguments."""
    parser = subparsers.add_parser(
        "stats",
        help="mean and deviation of every frequency of a data set",
        description="Mean and standard deviation of every frequency of the JPEG "
        "files of a folder, in one pass, for transforms.Normalize(FILE).",
    )
    parser.add_argument("paths", nargs="+", metavar="DIR", help="folder or file")
    parser.add_argument(
        "--size",
        type=int,
        nargs="+",
        metavar="N",
        default=[224],
        help="output sizes in samples, multiples of 16 (default: 224)",
    )
    parser.add_argument(
        "--layout", choices=("planes", "concat", "both"), default="both"
    )
    parser.add_argument("--output", "-o", metavar="FILE", help="write the JSON there")
    parser.add_argument(
        "--limit", type=_common.positive, metavar="N", help="at most N files, evenly"
    )
    _common.add_threads(parser)
    _common.add_json(parser, "the statistics as one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Collect, write and report."""
    from dctload.analysis import statistics

    bad_sizes = [size for size in args.size if size < 16 or size % 16]
    if bad_sizes:
        raise ValueError(f"--size must be multiples of 16, got {bad_sizes[0]}")
    files = _common.evenly(_common.list_jpegs(args.paths), args.limit)
    layouts = statistics.LAYOUTS if args.layout == "both" else (args.layout,)
    failed: list[tuple[str, Exception]] = []
    with _common.Progress(len(files), "files", sys.stderr) as progress:
        result = statistics.collect(
            files,
            args.size,
            layouts,
            num_threads=args.threads,
            progress=progress.update,
            on_error=lambda path, error: failed.append((path, error)),
        )
    _common.print_failures(failed)
    if result["images"] == 0:
        raise ValueError(f"none of the {len(files)} files can be decoded")
    result["command"] = _command(args)
    if args.output is not None:
        Path(args.output).write_text(_document(result))
    if args.json:
        _common.print_json(result)
    else:
        _print(result)
    return 1 if failed else 0


def _command(args: argparse.Namespace) -> str:
    """What gives the same again, folders by their last name."""
    words = ["dctload", "stats", *(Path(path).name for path in args.paths)]
    words += ["--size", *map(str, args.size), "--layout", args.layout]
    if args.limit is not None:
        words += ["--limit", str(args.limit)]
    return shlex.join(words)


def _document(result: dict[str, Any]) -> str:
    """JSON with one line for each vector."""
    text = json.dumps(result, indent=1)
    lines: list[str] = []
    for line in text.split("\n"):
        word = line.strip()
        number = word.rstrip(",").lstrip("-")
        if lines and (number[:1].isdigit() or word in ("]", "],")):
            lines[-1] += word
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def _print(result: dict[str, Any]) -> None:
    print(f"{result['images']:,} images, {result['failed']:,} failed")
    rows: list[tuple[object, ...]] = [
        ("layout", "size", "", "mean DC", "std DC", "std (0,1)", "std (7,7)")
    ]
    for entry in result["entries"]:
        for c, name in enumerate(("Y", "Cb", "Cr")):
            mean, std = entry["mean"][c], entry["std"][c]
            rows.append(
                (
                    entry["layout"],
                    entry["size"],
                    name,
                    f"{mean[0]:.1f}",
                    f"{std[0]:.1f}",
                    f"{std[1]:.2f}",
                    f"{std[63]:.2f}",
                )
            )
    _common.print_table(rows, left=1)
