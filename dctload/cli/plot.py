"""``dctload plot PATH``: a file's coefficients, or a data set, as a picture."""

import argparse
import collections
import dataclasses
import statistics
import sys
from typing import Any

import numpy as np

from dctload.cli import _common
from dctload.cli._pictures import OURS, mosaic, pyplot
from dctload.cli.verify import chunks
from dctload.decoding import Decoder, decode
from dctload.image import DctImage

# T.81, table K.1: luminance at quality 50 as the IJG's library scales it.
_LUMINANCE = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
_COMPONENTS = ("Y", "Cb", "Cr")


def add_parser(subparsers: Any) -> None:
    """Add this command's arguments."""
    parser = subparsers.add_parser(
        "plot",
        help="pictures of a file or of a data set",
        description="Draw a file beside its coefficients, a tile a frequency; or, of "
        "a folder, sizes, kinds, qualities (the nearest of the IJG's) and how strong "
        "each frequency is. Files that do not decode are counted.",
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file or folder")
    parser.add_argument(
        "--output",
        "-o",
        default="dctload-plot.png",
        metavar="FILE",
        help="the picture: .png, .svg or .pdf (default: %(default)s)",
    )
    parser.add_argument(
        "--limit",
        type=_common.positive,
        default=1000,
        metavar="N",
        help="at most N files, evenly (default: %(default)s)",
    )
    _common.add_threads(parser)
    _common.add_json(parser, "the figures that are drawn as one JSON object")
    parser.set_defaults(run=run)


# ---- a data set --------------------------------------------------------------------


@dataclasses.dataclass
class Survey:
    """What is drawn of a data set.

    Attributes:
        sizes: Width and height of each image, in pixels.
        kinds: How many images have each subsampling and are progressive.
        qualities: Of each image, 1 to 100.
        failed: Each file that cannot be decoded, and why.
        squares: Summed over images: mean square amplitudes, (3, 8, 8); of grey and
            YCbCr.
        counts: Images in ``squares``, for each component.
    """

    sizes: list[tuple[int, int]] = dataclasses.field(default_factory=list)
    kinds: collections.Counter[str] = dataclasses.field(
        default_factory=collections.Counter
    )
    qualities: list[int] = dataclasses.field(default_factory=list)
    failed: list[tuple[str, Exception]] = dataclasses.field(default_factory=list)
    squares: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros((len(_COMPONENTS), 8, 8))
    )
    counts: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros(len(_COMPONENTS), np.int64)
    )

    def add(self, image: DctImage) -> None:
        """One more image."""
        info = image.info
        self.sizes.append((info.width, info.height))
        self.kinds[kind(image)] += 1
        self.qualities.append(quality(image.qtables[0]))
        if info.color not in ("grey", "YCbCr"):
            return
        tables = image.qtables.astype(np.float64)
        for c, (plane, table) in enumerate(zip(image.planes, tables, strict=True)):
            mean_square = np.square(plane.astype(np.float32)).mean((0, 1))
            self.squares[c] += mean_square * table**2
            self.counts[c] += 1

    @property
    def rms(self) -> np.ndarray:
        """Root of the mean square amplitude of each frequency, (3, 8, 8)."""
        out: np.ndarray = np.sqrt(
            self.squares / np.maximum(self.counts, 1)[:, None, None]
        )
        return out

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "images": len(self.sizes),
            "failed": [
                {
                    "name": path,
                    "reason": _common.reason(error),
                    "offset": _common.offset(error),
                }
                for path, error in self.failed
            ],
            "sizes": self.sizes,
            "kinds": dict(self.kinds.most_common()),
            "qualities": self.qualities,
            "rms_amplitude": dict(
                zip(_COMPONENTS, self.rms.round(3).tolist(), strict=True)
            ),
        }


def kind(image: DctImage) -> str:
    """Colour, subsampling and mode in words."""
    info = image.info
    words = [info.subsampling if info.color in ("grey", "YCbCr") else info.color]
    if info.progressive:
        words.append("progressive")
    return " ".join(words)


def quality(table: np.ndarray) -> int:
    """The quality, 1 to 100, whose luminance table is nearest to ``table``."""
    q = np.arange(1, 101)
    scale = np.where(q < 50, 5000 // q, 200 - 2 * q)[:, None, None]
    tables = np.clip((_LUMINANCE * scale + 50) // 100, 1, 255)
    # In ratio: a step of one is much for fine tables and nothing for coarse ones.
    distance = np.abs(np.log(tables / np.maximum(table, 1))).sum((1, 2))
    return int(q[distance.argmin()])


def survey(
    paths: list[str], num_threads: int, progress: _common.Progress | None = None
) -> Survey:
    """Decode every file of ``paths`` once."""
    found = Survey()
    decoder = Decoder(num_threads=num_threads)
    for chunk in chunks(paths, found.failed):
        images = decoder.decode_many([data for _, data in chunk], on_error="return")
        for (path, _), image in zip(chunk, images, strict=True):
            if isinstance(image, Exception):
                found.failed.append((path, image))
                continue
            found.add(image)
            if progress is not None:
                progress.update(len(found.sizes) + len(found.failed))
        del images  # before the next chunk takes as much again
    return found


def _draw_sizes(axes: Any, sizes: list[tuple[int, int]]) -> None:
    widths, heights = zip(*sizes, strict=True)
    axes.scatter(widths, heights, s=14, alpha=0.3, color=OURS, linewidths=0)
    axes.set(xlabel="width, pixels", ylabel="height, pixels")
    axes.set(xlim=(0, max(widths) * 1.05), ylim=(0, max(heights) * 1.05))
    middle = statistics.median_low(widths), statistics.median_low(heights)
    axes.set_title(f"Sizes: medians {middle[0]:,} and {middle[1]:,}")


def _draw_kinds(axes: Any, found: Survey) -> None:
    counts = collections.Counter(found.kinds)
    if found.failed:
        counts["not decoded"] = len(found.failed)
    names, values = zip(*reversed(counts.most_common()), strict=True)
    bars = axes.barh(names, values, color=OURS)
    axes.bar_label(bars, fmt="{:,.0f}", padding=4)
    axes.set_xlim(0, max(values) * 1.2)
    axes.set_xlabel("files")
    axes.set_title("Kinds")


def _draw_qualities(axes: Any, qualities: list[int]) -> None:
    axes.hist(qualities, bins=np.arange(0.5, 101), color=OURS)
    axes.set(xlabel="quality", ylabel="files", xlim=(0, 101))
    axes.set_title(f"Quality: median {statistics.median_low(qualities)}")


def _draw_frequencies(axes: Any, rms: np.ndarray, name: str) -> None:
    level = np.log2(rms + 0.1)
    axes.imshow(level, cmap="magma")
    bright = (level - level.min()) / max(float(np.ptp(level)), 1e-9) > 0.6
    for v, u in np.ndindex(8, 8):
        colour = "black" if bright[v, u] else "white"
        text = f"{rms[v, u]:,.0f}" if rms[v, u] >= 10 else f"{rms[v, u]:.1f}"
        axes.text(u, v, text, ha="center", va="center", color=colour, fontsize=6.5)
    axes.set(xlabel="horizontal frequency", xticks=range(8), yticks=range(8))
    axes.set_ylabel("vertical frequency")
    axes.spines[:].set_visible(False)
    axes.set_title(f"{name}: rms amplitude")


def draw_survey(found: Survey, path: str) -> None:
    """Six panels to the file ``path``."""
    plt = pyplot()
    figure, axes = plt.subplots(2, 3, figsize=(12, 7.5), layout="constrained")
    _draw_sizes(axes[0, 0], found.sizes)
    _draw_kinds(axes[0, 1], found)
    _draw_qualities(axes[0, 2], found.qualities)
    for ax, rms, name, count in zip(
        axes[1], found.rms, _COMPONENTS, found.counts, strict=True
    ):
        if count:
            _draw_frequencies(ax, rms, name)
        else:
            ax.set_axis_off()
    figure.savefig(path)
    plt.close(figure)


# ---- a file ------------------------------------------------------------------------


def draw_file(image: DctImage, path: str) -> None:
    """The picture and each component's coefficients, to the file ``path``."""
    plt = pyplot()
    columns = 1 + image.info.num_components
    # As high as the pictures are, and room for the words.
    height = 4 * min(max(image.height / image.width, 0.25), 4) + 0.6
    figure, axes = plt.subplots(
        1, columns, figsize=(4 * columns, height), layout="constrained"
    )
    axes[0].imshow(image.to_rgb())
    axes[0].set_title(f"{image.width} x {image.height}, {kind(image)}")
    ycc = image.info.color in ("grey", "YCbCr")
    for c, ax in enumerate(axes[1:]):
        ax.imshow(mosaic(image, c), cmap="magma", interpolation="nearest")
        ax.set_title(_COMPONENTS[c] if ycc else f"component {c}")
        ax.set_xlabel("horizontal frequency \u2192", x=0, ha="left")
    axes[1].set_ylabel("vertical frequency \u2192", y=0, ha="left")
    for ax in axes:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    figure.savefig(path)
    plt.close(figure)


def _file_document(image: DctImage) -> dict[str, Any]:
    one = Survey()
    one.add(image)
    return {**one.document(), "name": image.name}


def run(args: argparse.Namespace) -> int:
    """Draw, and say where the picture is."""
    paths = _common.list_jpegs(args.paths)
    if paths == args.paths and len(paths) == 1:
        image = decode(paths[0])
        draw_file(image, args.output)
        document, num_failed = _file_document(image), 0
    else:
        paths = _common.evenly(paths, args.limit)
        with _common.Progress(len(paths), "files", sys.stderr) as progress:
            found = survey(paths, args.threads, progress)
        _common.print_failures(found.failed)
        if not found.sizes:
            raise ValueError(f"none of the {len(paths)} files can be decoded")
        draw_survey(found, args.output)
        document, num_failed = found.document(), len(found.failed)
    if args.json:
        _common.print_json({**document, "picture": args.output})
    else:
        print(args.output)
    return 1 if num_failed else 0
