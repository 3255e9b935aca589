"""Sets of files to measure on: whole data sets where they are found.

Data sets are looked for in $DCTLOAD_DATA, else in shared/data beside the
repository. Without them the same names give photograph-like pictures made from a
seed, and results say so. Derived sets (progressive, restart markers) are made by
jpegtran, once, in the temporary folder.
"""

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(tempfile.gettempdir()) / f"dctload-data-{os.getuid()}"

# name: (data set, folder in it, how many files, jpegtran's arguments)
SETS = {
    "imagenet": ("imagenet-300", ".", None, None),
    "imagenet, restart markers": ("imagenet-300", ".", None, ["-restart", "1"]),
    "clothing": ("clothing-small", "validation", None, None),
    "clothing, progressive": ("clothing-small", "validation", None, ["-progressive"]),
    "cifar": ("cifar10-jpeg", "train", 1000, None),
}
# What stands in for a data set: width, height, quality, subsampling, files.
GENERATED = {
    "imagenet-300": (500, 375, 92, "4:4:4", 100),
    "clothing-small": (400, 533, 75, "4:2:0", 100),
    "cifar10-jpeg": (32, 32, 75, "4:2:0", 1000),
}


def _data() -> Path | None:
    if folder := os.environ.get("DCTLOAD_DATA"):
        return Path(folder)
    candidates = (parent / "shared" / "data" for parent in ROOT.parents)
    return next((path for path in candidates if path.is_dir()), None)


def _once(target: Path, make) -> Path:
    """``make(scratch)`` fills a folder that then becomes ``target``."""
    if not target.exists():
        CACHE.mkdir(exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=CACHE))
        make(scratch)
        try:
            scratch.rename(target)
        except OSError:  # another run was faster
            shutil.rmtree(scratch)
    return target


def _unpack(archive: Path, name: str) -> Path:
    def make(scratch: Path) -> None:
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")

    return _once(CACHE / name, make) / name


def _picture(width: int, height: int, seed: int) -> np.ndarray:
    """Smooth shapes, edges and grain: about the entropy of a photograph."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / 32
    out = np.full((height, width, 3), 128.0)
    for _ in range(6):
        fx, fy, phase, size = rng.uniform(-3, 3, 4)
        out += 20 * size * np.sin(fx * x + fy * y + phase)[..., None] * rng.random(3)
    edges = (np.sin(x * 2 + seed) + np.cos(y * 3)) > rng.uniform(-1, 1)
    out[edges] += rng.uniform(-60, 60, 3)
    out += rng.normal(0, 6, (height, width, 1))
    return np.clip(out, 0, 255).astype(np.uint8)


def _generate(name: str) -> Path:
    from PIL import Image

    width, height, quality, subsampling, num = GENERATED[name]

    def make(scratch: Path) -> None:
        for i in range(num):
            out = io.BytesIO()
            Image.fromarray(_picture(width, height, i)).save(
                out, "JPEG", quality=quality, subsampling=subsampling
            )
            (scratch / f"{i:04}.jpg").write_bytes(out.getvalue())

    return _once(CACHE / f"generated-{name}", make)


def source(name: str) -> tuple[Path, bool]:
    """The folder of a data set, and whether its files were generated."""
    data = _data()
    if data is not None:
        if (data / name).is_dir():
            return data / name, False
        if archives := sorted(data.glob(f"{name}.tar*")):
            return _unpack(archives[0], name), False
    return _generate(name), True


def _transcode(paths: list[Path], arguments: list[str], name: str) -> list[Path]:
    if shutil.which("jpegtran") is None:
        raise FileNotFoundError("no jpegtran: install libjpeg-turbo's programs")

    def make(scratch: Path) -> None:
        for i, path in enumerate(paths):
            command = ["jpegtran", *arguments, "-outfile", scratch / f"{i:04}.jpg"]
            subprocess.run([*command, path], check=True)

    return sorted(
        _once(CACHE / name.replace(", ", "-").replace(" ", "-"), make).iterdir()
    )


def corpus(name: str) -> tuple[list[Path], bool]:
    """The files of one of ``SETS``, and whether they were generated."""
    base, folder, num, arguments = SETS[name]
    root, generated = source(base)
    if not generated:
        root = root / folder
    paths = sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in (".jpg", ".jpeg") and path.is_file()
    )
    if num is not None:
        paths = paths[:: max(len(paths) // num, 1)][:num]
    if arguments is not None:
        label = name + (" generated" if generated else "")
        paths = _transcode(paths, arguments, label)
    return paths, generated
