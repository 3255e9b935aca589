"""``dctload verify DIR``: decode every file, name each bad one."""

import argparse
import collections
import dataclasses
import sys
import time
from collections.abc import Iterator
from typing import Any

from dctload._files import read_file
from dctload.cli import _common
from dctload.decoding import Decoder, read_info
from dctload.errors import DctloadError
from dctload.info import JpegInfo

# Decoded coefficients held at a time: enough for every thread to be busy, little
# enough for any machine. A single larger file is decoded alone.
CHUNK_NBYTES = 256 << 20
CHUNK_FILES = 512


@dataclasses.dataclass
class Report:
    """What was found.

    Attributes:
        files: How many files were looked at.
        good: How many of them decode to the last coefficient.
        warned: How many of the good have a warning, such as a missing end marker.
        bad: One entry a bad file: its name, the reason, the byte (or None).
        reasons: How many files are bad for each reason.
        warnings: How many good files have each warning.
        seconds: How long it took.
    """

    files: int = 0
    good: int = 0
    warned: int = 0
    bad: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    reasons: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    warnings: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    seconds: float = 0.0


def add_parser(subparsers: Any) -> None:
    """Add this command's arguments."""
    parser = subparsers.add_parser(
        "verify",
        help="decode every file and name each bad one",
        description="Decode every JPEG of a folder, every coefficient of it, and "
        "name each file that is damaged or not supported. Exit status 1 if one is.",
    )
    parser.add_argument(
        "paths", nargs="+", metavar="DIR", help="folder (with all below it) or file"
    )
    _common.add_threads(parser)
    _common.add_json(parser, "the whole report as one JSON object")
    parser.set_defaults(run=run)


def _coefficient_nbytes(info: JpegInfo) -> int:
    return sum(2 * 64 * comp.blocks_w * comp.blocks_h for comp in info.components)


def chunks(
    paths: list[str], failed: list[tuple[str, Exception]]
) -> Iterator[list[tuple[str, bytes]]]:
    """Files with their bytes, so many that the decoded ones fit CHUNK_NBYTES.

    Files that cannot be opened or have no valid header go to ``failed``.
    """
    chunk: list[tuple[str, bytes]] = []
    nbytes = 0
    for path in paths:
        try:
            data = read_file(path, jpeg=True)
            size = _coefficient_nbytes(read_info(data)) + len(data)
        except (DctloadError, OSError) as error:
            failed.append((path, error))
            continue
        if chunk and (nbytes + size > CHUNK_NBYTES or len(chunk) == CHUNK_FILES):
            yield chunk
            chunk, nbytes = [], 0
        chunk.append((path, data))
        nbytes += size
    yield chunk


def verify(
    paths: list[str], num_threads: int, progress: _common.Progress | None = None
) -> Report:
    """Decode every file of ``paths``; bad ones end up in the report."""
    report = Report(files=len(paths))
    failed: list[tuple[str, Exception]] = []
    decoder = Decoder(num_threads=num_threads)
    begin = time.monotonic()
    for chunk in chunks(paths, failed):
        images = decoder.decode_many([data for _, data in chunk], on_error="return")
        for (path, _), image in zip(chunk, images, strict=True):
            if isinstance(image, Exception):
                failed.append((path, image))
                continue
            report.good += 1
            report.warned += bool(image.info.warnings)
            report.warnings.update(image.info.warnings)
        del images  # before the next chunk takes as much again
        if progress is not None:
            progress.update(report.good + len(failed), f", {len(failed):,} bad")
    report.seconds = time.monotonic() - begin
    for path, error in sorted(failed, key=lambda item: item[0]):
        why = _common.reason(error)
        offset = _common.offset(error)
        report.bad.append({"name": path, "reason": why, "offset": offset})
        report.reasons[why] += 1
    return report


def _print_report(report: Report) -> None:
    for entry in report.bad:
        name, why, offset = entry["name"], entry["reason"], entry["offset"]
        print(_common.failure_line(name, why, offset))
    rate = report.files / max(report.seconds, 1e-9)
    took = f"{report.seconds:.1f} s, {rate:,.0f} files a second"
    files = "1 file" if report.files == 1 else f"{report.files:,} files"
    print(f"{files}, {len(report.bad):,} bad ({took})")
    for why, count in report.reasons.most_common():
        print(f"  {count:>8,}  {why}")
    if report.warned:
        print(f"{report.warned:,} good files with a warning")
        for why, count in report.warnings.most_common():
            print(f"  {count:>8,}  {why}")


def run(args: argparse.Namespace) -> int:
    """Verify and report."""
    paths = _common.list_jpegs(args.paths)
    with _common.Progress(len(paths), "files", sys.stderr) as progress:
        report = verify(paths, args.threads, progress)
    if args.json:
        _common.print_json(vars(report), indent=2)
    else:
        _print_report(report)
    return 1 if report.bad else 0
