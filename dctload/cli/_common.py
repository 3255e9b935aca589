"""What the subcommands share: JSON, progress, tables, finding files."""

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """Add ``--json``, which prints ``what``."""
    parser.add_argument("--json", action="store_true", help=f"print {what}")


def add_threads(parser: argparse.ArgumentParser, what: str = "decoding") -> None:
    """Add ``--threads``, by default all CPUs this process may use."""
    parser.add_argument(
        "--threads",
        type=positive,
        default=num_cpus(),
        metavar="N",
        help=f"{what} threads (default: %(default)s, the CPUs of this machine)",
    )


def positive(text: str) -> int:
    """An argument that is a whole number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def num_cpus() -> int:
    """CPUs this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def print_json(value: Any, *, indent: int | None = None) -> None:
    """One JSON document on a line of its own (or indented)."""
    print(json.dumps(value, indent=indent, ensure_ascii=False))


def print_table(
    rows: Iterable[Sequence[object]], *, left: int = 1, file: TextIO | None = None
) -> None:
    """Columns as wide as they need be; all but the first ``left`` right-aligned."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        words = [
            cell.ljust(width) if i < left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(words).rstrip(), file=file)


def reason(error: Exception) -> str:
    """Why a file failed, without its name and the place: "bad Huffman code"."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    text = str(error).removeprefix(f"{getattr(error, 'name', None)}: ")
    return re.sub(r" at byte \d+ of \d+$", "", text)


def offset(error: Exception) -> int | None:
    """The first byte of the file that could not be understood, if one is to blame."""
    return getattr(error, "offset", None)


def failure_line(path: str, why: str, at: int | None) -> str:
    """A bad file in one line: "a.jpg: bad Huffman code at byte 81204"."""
    return f"{path}: {why}" + ("" if at is None else f" at byte {at}")


def print_failures(failed: Iterable[tuple[str, Exception]]) -> None:
    """Each bad file on a line of the standard error stream."""
    for path, error in failed:
        print(failure_line(path, reason(error), offset(error)), file=sys.stderr)


def find_jpegs(paths: Iterable[str]) -> Iterator[str]:
    """The files named, and those in the folders named that look like JPEG.

    In a folder a name counts, not the content: JPEG_SUFFIXES in any case. In
    sorted order, so that two runs agree.

    Raises:
        FileNotFoundError: One of ``paths`` does not exist.
    """
    for path in paths:
        if not os.path.isdir(path):
            os.stat(path)
            yield path
            continue
        for folder, folders, names in os.walk(path, followlinks=True):
            folders.sort()
            for name in sorted(names):
                if name.lower().endswith(JPEG_SUFFIXES):
                    yield os.path.join(folder, name)


def list_jpegs(paths: Sequence[str]) -> list[str]:
    """All of ``find_jpegs(paths)``.

    Raises:
        FileNotFoundError: One of ``paths`` does not exist.
        ValueError: There is none.
    """
    found = list(find_jpegs(paths))
    if not found:
        raise ValueError(f"no JPEG files in {', '.join(paths)}")
    return found


def evenly(paths: list[str], most: int | None) -> list[str]:
    """At most ``most`` of ``paths``, evenly spread; None is all."""
    if most is None or len(paths) <= most:
        return paths
    return [paths[i * len(paths) // most] for i in range(most)]


class Progress:
    """A line on a terminal that says how far the work is.

    Silent where ``stream`` is no terminal. Used by one thread, as a context
    manager, so that the line is cleared however the work ends.
    """

    def __init__(self, total: int, unit: str, stream: TextIO | None = None):
        self._total = total
        self._unit = unit
        self._stream = stream if stream is not None else sys.stderr
        self._begin = self._shown = time.monotonic()
        self._is_tty = self._stream.isatty()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def update(self, done: int, note: str = "") -> None:
        """Show ``done`` of the total, at most ten times a second."""
        now = time.monotonic()
        if not self._is_tty or (now - self._shown < 0.1 and done < self._total):
            return
        self._shown = now
        rate = done / max(now - self._begin, 1e-9)
        line = f"{done:,} of {self._total:,} {self._unit}, {rate:,.0f} a second{note}"
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()

    def clear(self) -> None:
        """Remove the line, to print something else."""
        if self._is_tty:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
