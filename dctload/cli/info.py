"""``dctload info FILE...``: what JPEG files hold, read from their headers."""

import argparse
import dataclasses
from typing import Any

from dctload.cli import _common
from dctload.decoding import read_info
from dctload.errors import DctloadError
from dctload.info import JpegInfo


def add_parser(subparsers: Any) -> None:
    """Add this command's arguments."""
    parser = subparsers.add_parser(
        "info",
        help="what JPEG files hold",
        description="Print what JPEG files hold. Reads headers only: whether the "
        "data behind them are whole is what `dctload verify` tells.",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="file or folder")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="each component on a line"
    )
    _common.add_json(parser, "one JSON object a file, one file a line")
    parser.set_defaults(run=run)


def _line(info: JpegInfo) -> str:
    """A file in one line."""
    words = [
        f"{info.width}x{info.height}",
        info.color if info.num_components == 1 else f"{info.color} {info.subsampling}",
        "progressive" if info.progressive else "sequential",
    ]
    if info.restart_interval:
        words.append(f"restart every {info.restart_interval} MCUs")
    if info.orientation != 1:
        words.append(f"orientation {info.orientation}")
    return ", ".join([*words, *info.warnings])


def _print_components(info: JpegInfo) -> None:
    for c, comp in enumerate(info.components):
        print(
            f"    component {c}: id {comp.id}, sampling {comp.h}x{comp.v}, "
            f"{comp.width}x{comp.height} samples, "
            f"{comp.blocks_w}x{comp.blocks_h} blocks, table {comp.quant_index}"
        )


def run(args: argparse.Namespace) -> int:
    """Print one file after the other; bad ones do not end the run."""
    num_bad = num_files = 0
    for path in _common.find_jpegs(args.files):
        num_files += 1
        try:
            info = read_info(path)
        except (DctloadError, OSError) as error:
            num_bad += 1
            if args.json:
                why, offset = _common.reason(error), _common.offset(error)
                _common.print_json({"name": path, "error": why, "offset": offset})
            else:
                _common.print_failures([(path, error)])
            continue
        if args.json:
            _common.print_json({**dataclasses.asdict(info), "name": path})
            continue
        print(f"{path}: {_line(info)}")
        if args.verbose:
            _print_components(info)
    if num_files == 0:
        raise ValueError(f"no JPEG files in {', '.join(args.files)}")
    return 1 if num_bad else 0
