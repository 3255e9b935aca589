"""Millions of paths in three objects: lists of strings cost 10 times as much."""

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
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

    def take(self, indices: Indices) -> "Paths":
        """The paths at ``indices``, encoded for the operating system."""
        return Paths(self, indices)

    def encoded(self, indices: Indices) -> list[bytes]:
        """The same as a list."""
        text = self._text
        starts = self._starts[indices].tolist()
        ends = self._starts[indices + 1].tolist()
        return [text[a : b - 1] for a, b in zip(starts, ends, strict=True)]

    @property
    def text(self) -> bytes:
        """All paths, each with a zero byte behind it."""
        return self._text

    @property
    def starts(self) -> Indices:
        """Where each begins in the text."""
        return self._starts[:-1]

    def __getitem__(self, index: int) -> str:
        start, end = self._starts[index], self._starts[index + 1]
        return os.fsdecode(self._text[start : end - 1])

    def folder_nbytes(self) -> int:
        """Bytes of the folder that all paths begin with, up to its slash."""
        least, most = b"", b""
        for start in range(0, len(self), 1 << 16):
            indices = np.arange(start, min(start + (1 << 16), len(self)))
            some = self.encoded(indices)
            least = min(some) if start == 0 else min(least, min(some))
            most = max(most, max(some))
        # What the first and the last in order begin with, all do.
        pairs = zip(least, most, strict=False)
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)
        return bytes(byte for byte, _ in same).rfind(b"/") + 1

    def digest(self, skip: int = 0) -> bytes:
        """A digest of all paths without their first ``skip`` bytes."""
        result = hashlib.blake2b(digest_size=16)
        for start in range(0, len(self), 1 << 16):
            indices = np.arange(start, min(start + (1 << 16), len(self)))
            result.update(b"\0".join(path[skip:] for path in self.encoded(indices)))
            result.update(b"\0")
        return result.digest()


class Paths(Sequence[bytes]):
    """Some paths of a table; no object is made of any until it is looked at."""

    def __init__(self, table: PathTable, indices: Indices):
        self.table, self.indices = table, indices

    def __len__(self) -> int:
        return len(self.indices)

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        return self.table.encoded(self.indices)[place]

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.table.encoded(self.indices))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


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
