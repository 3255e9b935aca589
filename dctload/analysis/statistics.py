"""Mean and standard deviation of every frequency of a data set, in one pass.

A sum of squares less a square of sums loses all digits when the mean is large
beside the spread. Here each image's mean and sum of squared deviations are formed
in float64 and merged with those so far (Chan, Golub and LeVeque), so any order and
any split gives the same to some 12 digits.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

import dctload
from dctload import transforms as T
from dctload._files import read_file
from dctload.decoding import Decoder
from dctload.errors import DctloadError
from dctload.image import DctImage

Array = npt.NDArray[Any]

SIZES = (32, 64, 112, 224, 448)
LAYOUTS = ("planes", "concat")
CHUNK = 64


@dataclass
class Moments:
    """Count, mean and sum of squared deviations of C channels.

    Attributes:
        count: Blocks seen, for each channel.
        mean: (C,).
        m2: Sum of squared deviations from the mean, (C,).
    """

    count: Array
    mean: Array
    m2: Array

    @staticmethod
    def none(channels: int) -> "Moments":
        """Nothing seen yet."""
        return Moments(
            np.zeros(channels, np.int64), np.zeros(channels), np.zeros(channels)
        )

    @staticmethod
    def of(values: Array) -> "Moments":
        """Of one array (C, anything)."""
        flat = values.reshape(len(values), -1).astype(np.float64)
        mean = flat.mean(axis=1)
        m2 = np.square(flat - mean[:, None]).sum(axis=1)
        return Moments(np.full(len(flat), flat.shape[1], np.int64), mean, m2)

    def merge(self, other: "Moments") -> None:
        """Add what another one has seen."""
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        delta = other.mean - self.mean
        self.m2 = self.m2 + other.m2 + np.square(delta) * self.count * share
        self.mean = self.mean + delta * share
        self.count = count

    @property
    def std(self) -> Array:
        """Standard deviation of all seen, not an estimate of a larger set's."""
        out: Array = np.sqrt(self.m2 / np.maximum(self.count, 1))
        return out


@dataclass
class _Entry:
    """One size and layout."""

    layout: str
    size: int
    plan: Any
    moments: Moments = field(default_factory=lambda: Moments.none(192))

    def add(self, image: DctImage) -> None:
        x = self.plan.sample(image, np.empty(0))
        parts = x if self.layout == "planes" else (x,)
        moments = [Moments.of(part.numpy()) for part in parts]
        self.moments.merge(
            Moments(
                *(
                    np.concatenate([getattr(m, name) for m in moments])
                    for name in ("count", "mean", "m2")
                )
            )
        )


def collect(
    files: Sequence[str],
    sizes: Sequence[int] = SIZES,
    layouts: Sequence[str] = LAYOUTS,
    *,
    num_threads: int = 1,
    progress: Callable[[int], None] | None = None,
    on_error: Callable[[str, Exception], None] | None = None,
) -> dict[str, Any]:
    """Statistics of ``files``, each read and decoded once.

    Every image is shown as evaluation shows it: upright, ``Resize`` to 256/224 of
    the size (to the size itself up to 64), ``CenterCrop``. How much high
    frequencies vary depends on that size, so there is an entry for each.

    Args:
        files: Paths of JPEG files.
        sizes: Output sizes in samples; multiples of 16.
        layouts: "planes", "concat" or both.
        num_threads: Of the decoder.
        progress: Called with the number of files done.
        on_error: Called for a file that cannot be used; without it the error is
            raised.

    Returns:
        What :class:`dctload.transforms.Normalize` takes; JSON-ready.
    """
    entries = [
        _Entry(layout, size, T.Compose(_view(size)).plan(layout))
        for size in sorted(sizes)
        for layout in layouts
    ]
    decoder = Decoder(num_threads=num_threads)
    done = used = 0
    for at in range(0, len(files), CHUNK):
        chunk = files[at : at + CHUNK]
        for path, image in zip(chunk, _decode(decoder, chunk), strict=True):
            done += 1
            try:
                if isinstance(image, Exception):
                    raise image
                for entry in entries:
                    entry.add(image)
                used += 1
            except (dctload.DctloadError, OSError) as error:
                if on_error is None:
                    raise
                on_error(path, error)
        if progress is not None:
            progress(done)
    return statistics_of(entries, used, done - used)


def _view(size: int) -> list[T.Transform]:
    shorter = size if size <= 64 else round(size * 256 / 224)
    return [T.Resize(shorter), T.CenterCrop(size)]


def _decode(decoder: Decoder, paths: Sequence[str]) -> Iterable[Any]:
    """Images or exceptions, in order."""
    out: list[Any] = []
    data: list[bytes] = []
    for path in paths:
        try:
            data.append(read_file(path, jpeg=True))
            out.append(None)
        except (OSError, DctloadError) as error:
            out.append(error)
    images = iter(decoder.decode_many(data, on_error="return"))
    return [next(images) if item is None else item for item in out]


def _ranges(sizes: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Sizes that each size speaks for: up to half-way to the next, in ratio."""
    ordered = sorted(set(sizes))
    borders = [int(math.sqrt(a * b)) for a, b in itertools.pairwise(ordered)]
    low = [1, *(border + 1 for border in borders)]
    high = [*borders, 65535]
    return dict(zip(ordered, zip(low, high, strict=True), strict=True))


def statistics_of(
    entries: Sequence[_Entry], images: int, failed: int
) -> dict[str, Any]:
    """The JSON document."""
    ranges = _ranges([entry.size for entry in entries])
    out = []
    for entry in entries:
        low, high = ranges[entry.size]
        moments = entry.moments
        # A frequency that never occurs must not divide by zero.
        std = np.where(moments.std > 1e-6, moments.std, 1.0)
        out.append(
            {
                "layout": entry.layout,
                "size": entry.size,
                "min_size": low,
                "max_size": high,
                "blocks": [int(n) for n in moments.count.reshape(3, 64)[:, 0]],
                "mean": _rounded(moments.mean),
                "std": _rounded(std),
            }
        )
    return {
        "format": 1,
        "dctload": dctload.__version__,
        "images": images,
        "failed": failed,
        "unit": "amplitude of the orthonormal 8x8 DCT, natural order, Y Cb Cr",
        "entries": out,
    }


def _rounded(values: Array) -> list[list[float]]:
    return [[float(f"{x:.6g}") for x in row] for row in values.reshape(3, 64)]
