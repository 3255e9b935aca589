"""Orders and subsets of the 64 frequencies of a block.

A frequency is an index ``8 * v + u`` in natural order, ``v`` vertical, ``u``
horizontal; 0 is DC. A subset is three ascending tuples of them, for Y, Cb and Cr.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Frequencies: TypeAlias = tuple[int, ...]


def _zigzag() -> tuple[int, ...]:
    """ITU-T T.81 figure A.6: along the diagonals, turning at each end."""
    out = []
    for total in range(15):
        diagonal = [
            8 * v + total - v for v in range(8) if 0 <= total - v < 8
        ]  # downwards
        out += diagonal if total % 2 else diagonal[::-1]
    return tuple(out)


NATURAL_FROM_ZIGZAG: tuple[int, ...] = _zigzag()
"""Natural index of each zigzag position."""
ZIGZAG_FROM_NATURAL: tuple[int, ...] = tuple(
    int(i) for i in np.argsort(NATURAL_FROM_ZIGZAG)
)
"""Zigzag position of each natural index."""


@dataclass(frozen=True)
class Subset:
    """Which frequencies of each component a network takes.

    Attributes:
        y: Ascending natural indices.
        cb: Likewise.
        cr: Likewise.
    """

    y: Frequencies
    cb: Frequencies
    cr: Frequencies

    def __post_init__(self) -> None:
        for name, freqs in zip(("y", "cb", "cr"), self, strict=True):
            if list(freqs) != sorted(set(freqs)):
                raise ValueError(f"{name}: frequencies must ascend, got {freqs}")
            if freqs and not 0 <= freqs[0] <= freqs[-1] < 64:
                raise ValueError(f"{name}: frequencies are 0 to 63, got {freqs}")

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter((self.y, self.cb, self.cr))

    def __len__(self) -> int:
        return len(self.y) + len(self.cb) + len(self.cr)


def square(n: int) -> Frequencies:
    """The ``n`` x ``n`` lowest frequencies.

    >>> square(2)
    (0, 1, 8, 9)
    """
    _check_size(n, 8)
    return tuple(8 * v + u for v in range(n) for u in range(n))


def triangle(n: int) -> Frequencies:
    """Frequencies with ``u + v < n``: the upper left triangle.

    >>> triangle(2)
    (0, 1, 8)
    """
    _check_size(n, 15)
    return tuple(8 * v + u for v in range(8) for u in range(8) if u + v < n)


def zigzag(n: int) -> Frequencies:
    """The first ``n`` in zigzag order, in natural order.

    >>> zigzag(4)
    (0, 1, 8, 16)
    """
    _check_size(n, 64)
    return tuple(sorted(NATURAL_FROM_ZIGZAG[:n]))


def top(variance: npt.ArrayLike, n: int) -> Subset:
    """The ``n`` of all 192 channels that vary most.

    Args:
        variance: (3, 64), as ``dctload stats`` gives it.
        n: How many to keep; the lower index wins between equals.
    """
    values = np.asarray(variance, np.float64).reshape(192)
    _check_size(n, 192)
    chosen = np.sort(np.argsort(-values, kind="stable")[:n])
    parts = [chosen[chosen // 64 == c] % 64 for c in range(3)]
    return Subset(*(tuple(int(f) for f in part) for part in parts))


def _check_size(n: int, largest: int) -> None:
    if not 1 <= n <= largest:
        raise ValueError(f"must be 1 to {largest}, got {n}")


def _rows(*ends: int) -> Frequencies:
    """The first ``ends[v]`` frequencies of each row v."""
    return tuple(8 * v + u for v, end in enumerate(ends) for u in range(end))


_ALL = tuple(range(64))


def _published() -> dict[str, Subset]:
    """Xu et al., CVPR 2020 ("Learning in the Frequency Domain") and what is usual."""
    chroma8 = (*_rows(3, 3), 16, 17)
    gate_y, gate_c = _rows(6, 3, 3, 1, 1), (0, 1, 3, 8, 24)
    subsets = {
        "6": Subset(_rows(2, 2), (0,), (0,)),
        "24": Subset(square(4), square(2), square(2)),
        "24-gate": Subset(gate_y, gate_c, gate_c),
        "24-triangle": Subset(_triangle_of(16), _triangle_of(4), _triangle_of(4)),
        "32": Subset(_rows(5, 5, 5, 4, 3), *[(*_rows(3, 2),)] * 2),
        "48": Subset(_rows(6, 6, 6, 6, 4, 4), chroma8, chroma8),
        "64": Subset(_rows(7, 7, 6, 6, 6, 6, 6), *[(*chroma8, 24, 25)] * 2),
        "192": Subset(_ALL, _ALL, _ALL),
        "y": Subset(_ALL, (), ()),
    }
    subsets["24-square"] = subsets["24"]
    subsets["24S"] = subsets["24"]
    subsets["24T"] = subsets["24-triangle"]
    subsets["24D"] = subsets["24-gate"]
    subsets["all"] = subsets["0"] = subsets["192"]
    return subsets


def _triangle_of(n: int) -> Frequencies:
    """The ``n`` frequencies of least ``u + v``, cut where the last diagonal ends."""
    by_diagonal = sorted(range(64), key=lambda f: (f // 8 + f % 8, f))
    return tuple(sorted(by_diagonal[:n]))


PUBLISHED: dict[str, Subset] = _published()
"""Subsets by name; "24" is the square one of the published code."""


def subset(
    frequencies: "str | int | Subset | Sequence[Iterable[int]] | Any",
) -> Subset:
    """The subset meant by a name, a number of channels or three lists.

    >>> subset("24").cb
    (0, 1, 8, 9)
    >>> len(subset(([0, 1, 8], [0], [0])))
    5
    """
    if isinstance(frequencies, Subset):
        return frequencies
    if isinstance(frequencies, (str, int)):
        name = str(frequencies)
        if name not in PUBLISHED:
            raise ValueError(
                f"no subset is called {name!r}; there are {', '.join(PUBLISHED)}"
            )
        return PUBLISHED[name]
    parts: Any = frequencies
    if hasattr(parts, "y"):  # what models declare
        parts = (parts.y, parts.cb, parts.cr)
    lists = [tuple(int(f) for f in part) for part in parts]
    if len(lists) != 3:
        raise ValueError(f"three lists are needed (Y, Cb, Cr), got {len(lists)}")
    return Subset(*lists)
