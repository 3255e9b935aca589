"""The judge of the decoder: what the system's libjpeg reads from a file.

Compiled on demand from ``oracle.c`` with the header found; without header or compiler
the tests that need it skip, with the reason. ``jpeglib``, where installed, is a second
opinion on coefficients.
"""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cffi
import numpy as np

HERE = Path(__file__).resolve().parent
CACHE = HERE.parent.parent / "build" / "oracle"
CFLAGS = ["-std=gnu11", "-O2", "-g", "-fPIC", "-shared"]


@dataclass(frozen=True)
class Answer:
    """What libjpeg says about one file.

    Attributes:
        planes: int16 ``(by, bx, 8, 8)`` of each component; empty after an error.
        qtables: uint16 ``(8, 8)`` of each component, None where no scan used it.
        warnings: libjpeg's texts, in order.
        error: libjpeg's text if it gave up, else "".
        size: Width and height.
        color: libjpeg's ``J_COLOR_SPACE``.
    """

    planes: list[np.ndarray]
    qtables: list[np.ndarray | None]
    warnings: tuple[str, ...]
    error: str
    size: tuple[int, int]
    progressive: bool
    num_scans: int
    color: int
    jfif: bool
    adobe_transform: int

    @property
    def good(self) -> bool:
        """Whether libjpeg has nothing to say against the file."""
        return not self.error and not self.warnings


def _compile() -> Path:
    """Compile the library unless this very source has been compiled before."""
    source, header = HERE / "oracle.c", HERE / "oracle.h"
    cc = os.environ.get("CC", "cc")
    text = source.read_bytes() + header.read_bytes() + repr((cc, CFLAGS)).encode()
    path = CACHE / f"oracle-{hashlib.sha256(text).hexdigest()[:16]}.so"
    if path.exists():
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        built = Path(folder) / path.name
        command = [*cc.split(), *CFLAGS, str(source), "-o", str(built), "-ljpeg"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
        built.replace(path)
    return path


@functools.cache
def load():
    """Return (ffi, lib); OSError if it cannot be built."""
    if shutil.which(os.environ.get("CC", "cc").split()[0]) is None:
        raise OSError("no C compiler")
    ffi = cffi.FFI()
    header = (HERE / "oracle.h").read_text()
    (text,) = re.findall(r"/\* cffi: begin \*/(.*?)/\* cffi: end \*/", header, re.S)
    ffi.cdef(text)
    return ffi, ffi.dlopen(str(_compile()))


@functools.cache
def why_missing() -> str:
    """Why there is no libjpeg here that reports its warnings; "" if there is."""
    try:
        load()
    except OSError as error:
        reason = str(error).strip().splitlines()[-1]
        return f"no libjpeg to compare with (install libjpeg-turbo's headers): {reason}"
    return ""


def version() -> str:
    """Name the libjpeg in use."""
    ffi, lib = load()
    return ffi.string(lib.oracle_version()).decode()


def read(data: bytes, max_pixels: int = 0, max_scans: int = 0) -> Answer:
    """Read one file with libjpeg; 0 means no limit."""
    ffi, lib = load()
    o = ffi.new("struct oracle *")
    lib.oracle_read(data, len(data), max_pixels, max_scans, o)
    try:
        return _answer(ffi, o)
    finally:
        lib.oracle_free(o)


def _answer(ffi, o) -> Answer:
    error = ffi.string(o.error).decode()
    components = [] if error else [o.components[c] for c in range(o.num_components)]
    num_texts = min(o.num_warnings, len(o.warnings))
    texts = [ffi.string(o.warnings[i]).decode() for i in range(num_texts)]
    return Answer(
        planes=[_plane(ffi, comp) for comp in components],
        qtables=[_qtable(ffi, comp) for comp in components],
        warnings=tuple(texts),
        error=error,
        size=(o.width, o.height),
        progressive=bool(o.progressive),
        num_scans=o.num_scans,
        color=o.color,
        jfif=bool(o.saw_jfif),
        adobe_transform=o.adobe_transform,
    )


def _plane(ffi, comp) -> np.ndarray:
    shape = (comp.blocks_h, comp.blocks_w, 8, 8)
    nbytes = int(np.prod(shape)) * 2
    flat = np.frombuffer(ffi.buffer(comp.coefs, nbytes), np.int16)
    return flat.reshape(shape).copy()


def _qtable(ffi, comp) -> np.ndarray | None:
    if not comp.has_qtable:
        return None
    return np.frombuffer(ffi.buffer(comp.qtable), np.uint16).reshape(8, 8).copy()


def second_opinion(path: str | Path) -> list[np.ndarray] | None:
    """Coefficients by a Python wrapper with a libjpeg of its own, or None.

    The grids are cut to this project's: jpeglib pads odd sizes to whole MCUs.
    """
    try:
        import jpeglib
    except ImportError:
        return None
    jpeg = jpeglib.read_dct(str(path))
    planes = [jpeg.Y, jpeg.Cb, jpeg.Cr, jpeg.K]
    return [np.asarray(plane) for plane in planes if plane is not None]
