"""From a folder of JPEG files to the sets a run trains and measures on."""

from __future__ import annotations

import hashlib
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Subset

VALIDATION_NAMES = ("val", "validation", "valid")
TEST_NAMES = ("test",)


@dataclass(frozen=True)
class Folders:
    """Where the sets are; ``val`` is None if it is to be split off ``train``.

    Attributes:
        train: A folder with one folder a class.
        val: Likewise, measured after each epoch.
        test: Likewise, measured once at the end; None if there is none beside
            ``val``.
    """

    train: Path
    val: Path | None = None
    test: Path | None = None


def find_folders(root: str | Path) -> Folders:
    """Find the sets under ``root``.

    With a folder ``train``: it, and the first of ``val``, ``validation``, ``valid``,
    ``test`` that exists; else ``root`` itself holds the classes.

    Raises:
        FileNotFoundError: ``root`` is no folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(2, "No such folder", str(root))
    if not (root / "train").is_dir():
        return Folders(root)
    found = [root / name for name in VALIDATION_NAMES if (root / name).is_dir()]
    tests = [root / name for name in TEST_NAMES if (root / name).is_dir()]
    val = next(iter([*found, *tests]), None)
    return Folders(root / "train", val, tests[0] if found and tests else None)


def held_out(name: str, fraction: float) -> bool:
    """Whether the file ``name`` belongs to the part that is split off.

    Decided by the name alone: files added later move no other file.
    """
    digest = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8)
    return int.from_bytes(digest.digest(), "big") < fraction * 2**64


def split_off(
    train: Any, val: Any, names: Sequence[str], fraction: float
) -> tuple[Subset[Any], Subset[Any]]:
    """Split two views of one data set, transformed differently, by file name.

    Raises:
        ValueError: One of the parts would be empty.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the validation fraction must be in (0, 1), got {fraction}")
    out = [held_out(name, fraction) for name in names]
    if all(out) or not any(out):
        raise ValueError(f"{len(out)} files are too few to split {fraction:g} off")
    return (
        Subset(train, [i for i, value in enumerate(out) if not value]),
        Subset(val, [i for i, value in enumerate(out) if value]),
    )


def median_side(sizes: Iterable[tuple[int, int]]) -> float:
    """Return the median of the shorter sides of images of these sizes."""
    return statistics.median(min(size) for size in sizes)
