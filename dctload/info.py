"""What a file's header says, and what to refuse by it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

_COLORS = ("unknown", "grey", "YCbCr", "RGB", "CMYK", "YCCK")
_WARNINGS = (
    "no EOI marker",
    "junk between segments",
    "bytes after EOI",
    "odd scan parameters",
    "truncated",
    "segment length below 2",
)
# Sampling of luma over chroma, horizontally and vertically, as people call it.
SUBSAMPLING = {
    (1, 1): "4:4:4",
    (2, 1): "4:2:2",
    (1, 2): "4:4:0",
    (2, 2): "4:2:0",
    (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}


@dataclass(frozen=True)
class Limits:
    """What to refuse before any memory is taken; None is the default.

    Attributes:
        max_pixels: Width times height (default 178,956,970).
        max_output_nbytes: Of all coefficients as int16 (default 2 GiB).
        max_components: 1 to 4 (default 4).
        max_scans: Of a progressive file (default 500): many scans cost much time
            for few bytes.
        max_file_nbytes: Of the file itself (default 2 GiB).
    """

    max_pixels: int | None = None
    max_output_nbytes: int | None = None
    max_components: int | None = None
    max_scans: int | None = None
    max_file_nbytes: int | None = None

    def __post_init__(self) -> None:
        for field, value in vars(self).items():
            if value is not None and value < 0:
                raise ValueError(f"{field} must be >= 0, got {value}")


@dataclass(frozen=True)
class Component:
    """One colour component and its grid of blocks.

    Attributes:
        id: The component's identifier in the file.
        h: Horizontal sampling factor, 1 to 4.
        v: Vertical sampling factor.
        width: In samples.
        height: In samples.
        blocks_w: ``ceil(width / 8)``, not padded to whole MCUs.
        blocks_h: ``ceil(height / 8)``.
        quant_index: The slot of the quantisation table.
    """

    id: int
    h: int
    v: int
    width: int
    height: int
    blocks_w: int
    blocks_h: int
    quant_index: int


@dataclass(frozen=True)
class JpegInfo:
    """What the header of a file says.

    Attributes:
        width: In pixels, orientation not applied; of the window, if only a region
            was decoded.
        height: In pixels.
        left: Where the window begins in the stored image, in pixels: 0 unless only
            a region was decoded. A multiple of 8 times the largest ``h``.
        top: The same, of rows: a multiple of 8 times the largest ``v``.
        components: In the order of the frame header.
        subsampling: "4:2:0" and the like, "grey", or "2x2,1x1,2x1" where there is
            no name for it.
        progressive: Spectral selection or successive approximation.
        orientation: EXIF, 1 to 8; 1 if absent.
        color: "grey", "YCbCr", "RGB", "CMYK", "YCCK" or "unknown", by libjpeg's
            rules.
        restart_interval: MCUs between restart markers at the first scan, or 0.
        num_scans: Scans read; 0 if only the header was.
        has_jfif: A JFIF segment is there.
        adobe_transform: Of the Adobe segment, None without one.
        warnings: What was tolerated, in words.
        name: The path, or a word in its place.
    """

    width: int
    height: int
    left: int
    top: int
    components: tuple[Component, ...]
    subsampling: str
    progressive: bool
    orientation: int
    color: str
    restart_interval: int
    num_scans: int
    has_jfif: bool
    adobe_transform: int | None
    warnings: tuple[str, ...]
    name: str

    @property
    def num_components(self) -> int:
        """How many components there are."""
        return len(self.components)


def _subsampling(components: Sequence[Component]) -> str:
    """The name of a set of sampling factors."""
    if len(components) == 1:
        return "grey"
    h_max = max(c.h for c in components)
    v_max = max(c.v for c in components)
    factors = [(c.h, c.v) for c in components]
    chroma = factors[1]
    # A fourth component, K, is sampled as the first is.
    usual = [(h_max, v_max), chroma, chroma, (h_max, v_max)]
    if len(factors) >= 3 and factors == usual[: len(factors)]:
        whole = h_max % chroma[0] == v_max % chroma[1] == 0
        ratio = (h_max // chroma[0], v_max // chroma[1])
        if whole and ratio in SUBSAMPLING:
            return SUBSAMPLING[ratio]
    return ",".join(f"{h}x{v}" for h, v in factors)


def info_from_header(header: npt.NDArray[Any], name: str) -> JpegInfo:
    """Python's view of the C struct."""
    names = header.dtype.names
    fields = dict(zip(names or (), header[0].tolist(), strict=True))
    parts = header["components"].dtype.names or ()
    components = []
    for values in header[0]["components"][: fields["num_components"]].tolist():
        components.append(Component(**dict(zip(parts, values, strict=True))))
    adobe = fields["adobe_transform"]
    return JpegInfo(
        width=fields["width"],
        height=fields["height"],
        left=fields["left"],
        top=fields["top"],
        components=tuple(components),
        subsampling=_subsampling(components),
        progressive=bool(fields["progressive"]),
        orientation=fields["orientation"],
        color=_COLORS[fields["color"]],
        restart_interval=fields["restart_interval"],
        num_scans=fields["num_scans"],
        has_jfif=bool(fields["has_jfif"]),
        adobe_transform=None if adobe < 0 else adobe,
        warnings=tuple(
            text for bit, text in enumerate(_WARNINGS) if fields["warnings"] >> bit & 1
        ),
        name=name,
    )
