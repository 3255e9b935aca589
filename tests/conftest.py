"""What many tests share: small generated JPEG files, and data sets found on disk."""

import gc
import io
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# The tests' tensors are small: torch's threads would mostly wait for each other, and
# on a busy machine that takes five times the CPU. Before anything imports torch, and
# for the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_finish() -> None:
    """Spare later collections of garbage the millions of objects that stay."""
    gc.collect()
    gc.freeze()


def _find_data() -> Path | None:
    """Where data sets lie: $DCTLOAD_DATA, else shared/data beside the repository."""
    if folder := os.environ.get("DCTLOAD_DATA"):
        return Path(folder)
    candidates = (parent / "shared" / "data" for parent in ROOT.parents)
    return next((path for path in candidates if path.is_dir()), None)


def _unpack(archive: Path, name: str) -> Path:
    """Unpack once per user; two test runs at a time do no harm to each other."""
    cache = Path(tempfile.gettempdir()) / f"dctload-data-{os.getuid()}"
    target = cache / name
    if not target.exists():
        cache.mkdir(exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=cache))
        with tarfile.open(archive) as tar:
            tar.extractall(scratch, filter="data")
        try:
            scratch.rename(target)
        except OSError:  # another run was faster
            shutil.rmtree(scratch)
    return target / name


@pytest.fixture(scope="session")
def data_dir() -> Callable[[str], Path]:
    """``data_dir("imagenet-300")`` is that data set's folder, or skips the test."""

    def find(name: str) -> Path:
        data = _find_data()
        if data is None:
            pytest.skip("no data sets: set DCTLOAD_DATA to the folder that has them")
        if (data / name).is_dir():
            return data / name
        archives = sorted(data.glob(f"{name}.tar*"))
        if not archives:
            pytest.skip(f"no data set {name} in {data}")
        return _unpack(archives[0], name)

    return find


@pytest.fixture(autouse=True)
def one_thread():
    """``dctload models`` sets torch's threads for its process, which here is ours."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    """A photograph-like RGB picture: smooth shapes, edges, a little noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    out = np.empty((height, width, 3))
    for c in range(3):
        fx, fy, phase = rng.uniform(0.02, 0.2, 3)
        out[..., c] = 128 + 90 * np.sin(fx * x + 6 * phase) * np.cos(fy * y)
    out[(x - width / 2) ** 2 + (y - height / 3) ** 2 < (height / 5) ** 2] += 60
    return np.clip(out + rng.normal(0, 4, out.shape), 0, 255).astype(np.uint8)


def jpeg_bytes(pixels: np.ndarray, **options: object) -> bytes:
    """``pixels`` as a JPEG by Pillow, whose options these are."""
    from PIL import Image

    image = Image.fromarray(pixels)
    if mode := options.pop("mode", None):
        image = image.convert(str(mode))
    out = io.BytesIO()
    image.save(out, "JPEG", **{"quality": 85, **options})
    return out.getvalue()


def write_tar(path: Path, files: dict[str, bytes], **options: Any) -> None:
    """An archive of these files, by tarfile, whose options these are."""
    with tarfile.open(path, "w", **options) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


@pytest.fixture(scope="session")
def jpeg_samples() -> dict[str, bytes]:
    """A few small good JPEG files, by what is special about each."""
    pixels = picture(109, 75)
    return {
        "420": jpeg_bytes(pixels, subsampling="4:2:0"),
        "422": jpeg_bytes(pixels, subsampling="4:2:2"),
        "444": jpeg_bytes(pixels, subsampling="4:4:4"),
        "grey": jpeg_bytes(pixels, mode="L"),
        "cmyk": jpeg_bytes(pixels, mode="CMYK"),
        "progressive": jpeg_bytes(pixels, progressive=True),
        "optimised": jpeg_bytes(pixels, optimize=True),
        "restarts": jpeg_bytes(pixels, restart_marker_rows=1),
        "quality_100": jpeg_bytes(pixels, quality=100),
        "one_pixel": jpeg_bytes(pixels[:1, :1]),
        "one_line": jpeg_bytes(pixels[:1]),
    }


@pytest.fixture(scope="session")
def jpeg_folder(jpeg_samples, tmp_path_factory) -> Path:
    """Six good files in two class folders, ``cat`` and ``dog``."""
    root = tmp_path_factory.mktemp("photographs")
    for seed, name in enumerate(["cat", "dog"] * 3):
        (root / name).mkdir(exist_ok=True)
        pixels = picture(160 + 8 * seed, 120, seed)
        (root / name / f"{seed}.jpg").write_bytes(jpeg_bytes(pixels))
    return root
