"""Millions of paths in three objects: lists of strings cost 10 times as much."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np

from ..sampler import Indices


class PathTable:
    """An immutable list of paths, stored end to end.

    Each is followed by a zero byte, so an address within is a C string.
    """

    def __init__(self, paths: Iterable[str]):
        encoded = [os.fsencode(path) for path in paths]
        ends = np.fromiter(map(len, encoded), np.int64, len(encoded))
        ends = np.cumsum(ends + 1)
        self._starts: Indices = np.concatenate([np.zeros(1, np.int64), ends])
        self._text = b"\0".join(encoded) + b"\0"
        if self._text.count(b"\0") != max(len(encoded), 1):
            raise ValueError("a path contains a zero byte")

    def __len__(self) -> int:
        return len(self._starts) - 1

    def take(self, indices: Indices) -> list[bytes]:
        """The paths at ``indices``, encoded for the operating system."""
        text = self._text
        starts = self._starts[indices].tolist()
        ends = self._starts[indices + 1].tolist()
        return [text[a : b - 1] for a, b in zip(starts, ends, strict=True)]

    def __getitem__(self, index: int) -> str:
        start, end = self._starts[index], self._starts[index + 1]
        return os.fsdecode(self._text[start : end - 1])

    def digest(self, skip: int = 0) -> bytes:
        """A digest of all paths without their first ``skip`` bytes."""
        result = hashlib.blake2b(digest_size=16)
        for start in range(0, len(self), 1 << 16):
            indices = np.arange(start, min(start + (1 << 16), len(self)))
            result.update(b"\0".join(path[skip:] for path in self.take(indices)))
            result.update(b"\0")
        return result.digest()


class Samples(Sequence[tuple[str, int]]):
    """(path, target) pairs, made when asked for; torchvision has a list here."""

    def __init__(self, paths: PathTable, targets: Indices):
        self._paths, self._targets = paths, targets

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> tuple[str, int]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[str, int]]: ...
    def __getitem__(
        self, index: int | slice
    ) -> tuple[str, int] | list[tuple[str, int]]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        index %= len(self)
        return self._paths[index], int(self._targets[index])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self)} (path, target) pairs>"
