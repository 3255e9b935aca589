"""Who is measured, each in a process of its own, at its best settings.

    python benchmarks/peers.py NAME LIST

loads the files that LIST names, then does one pass over them for every line on
stdin and prints the nanoseconds it took. Coefficient readers that take paths only
read files that are in the page cache.

BENCH_CLOCK=cpu counts the process's time on the CPU, all threads together, in place
of the time that went by: the same on a machine with nothing else to do, and the
better measure of work on one where others work too.
"""

import contextlib
import gc
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

Pass = Callable[[], object]
# name: (makes a pass of files' bytes and paths, the package whose version is told)
Registry = dict[str, tuple[Callable[[list[bytes], list[str]], Pass], str]]
HERE = Path(__file__).resolve().parent


# ---- what one pass is ---------------------------------------------------------


def dctload_many(files: list[bytes], paths: list[str]) -> Pass:
    """What a Python user gets: every plane as an array."""
    from dctload import Decoder

    decoder = Decoder(int(os.environ.get("BENCH_THREADS", "1")))
    return lambda: [image.planes for image in decoder.decode_many(files)]


def dctload_one(files: list[bytes], paths: list[str]) -> Pass:
    """One image at a time, as a server decodes."""
    from dctload import Decoder

    decoder = Decoder()

    def run() -> None:
        for data in files:
            _ = decoder.decode(data).planes

    return run


def dctload_core(files: list[bytes], paths: list[str]) -> Pass:
    """The C core: headers and coefficients, a few calls for all files."""
    import numpy as np

    from dctload._engine import Batch, Engine

    engine, batch = Engine(0), Batch(len(files))
    batch.set_data(files)
    memory = np.zeros(sum(map(len, files)) * 64 + (1 << 22), np.uint8)

    def run() -> None:
        engine.submit_read(batch, len(files))
        engine.wait(batch)
        if batch.place_planes(0, len(files), memory) != (len(files), 0):
            raise MemoryError("the files compress better than 64 to 1")
        engine.submit_decode(batch, len(files))
        engine.wait(batch)

    return run


def _half_regions(files: list[bytes]) -> list[tuple[int, int, int, int]]:
    """Half the height and width of each file, anywhere in it."""
    import numpy as np

    import dctload

    rng = np.random.default_rng(0)
    regions = []
    for data in files:
        info = dctload.read_info(data)
        height, width = max(info.height // 2, 1), max(info.width // 2, 1)
        top = int(rng.integers(info.height - height + 1))
        left = int(rng.integers(info.width - width + 1))
        regions.append((top, left, height, width))
    return regions


def dctload_region(files: list[bytes], paths: list[str]) -> Pass:
    """The coefficients of half the height and width at random offsets."""
    from dctload import Decoder

    decoder, regions = Decoder(), _half_regions(files)
    return lambda: [
        image.planes for image in decoder.decode_many(files, regions=regions)
    ]


def _dctload_sample(files: list[bytes], share: float) -> Pass:
    """Fixed crops of ``share`` of width and height to 224 px, ``planes``, fp16."""
    import numpy as np

    from dctload import _native as native
    from dctload._engine import Batch, Engine

    num, size, bilinear = len(files), 224, 1
    engine, batch = Engine(0), Batch(num)
    batch.set_data(files)
    everything = [range(64)] * 3
    output = native.make_output(size, size, "planes", "float16", False, everything)
    nbytes = native.output_nbytes(output)
    out = [np.zeros((num, n), np.uint8) for n in nbytes]
    for k, array in enumerate(out):
        start = np.uintp(array.ctypes.data)
        batch.items["out"][:, k] = start + np.arange(num, dtype=np.uintp) * nbytes[k]
    engine.submit_read(batch, num)
    engine.wait(batch)
    place = np.random.default_rng(0).random((2, num))
    geometry = batch.items["geometry"]
    for axis, side, u in (("x", "width", place[0]), ("y", "height", place[1])):
        length = batch.items["info"][side].astype(float)
        kept = np.maximum(np.rint(length * share), 1)
        first = np.floor((length - kept + 1) * u)
        step = geometry[axis][:, 0]
        step["lo"], step["hi"] = first, first + kept
        step["start"], step["step"] = first, kept / size
        step["out_size"], step["filter"] = size, bilinear
        geometry[f"num_{axis}"] = 1

    def run(keep: object = out) -> None:
        engine.submit_read(batch, num)
        engine.wait(batch)
        engine.submit_sample(batch, num, output=output)
        engine.wait(batch)
        if batch.items["status"].any():
            raise RuntimeError("a sample failed")

    return run


def dctload_crop(files: list[bytes], paths: list[str]) -> Pass:
    """Half the height and width at random offsets, to model-ready samples."""
    return _dctload_sample(files, 0.5)


def dctload_whole(files: list[bytes], paths: list[str]) -> Pass:
    """The whole image to model-ready samples."""
    return _dctload_sample(files, 1.0)


def jpeglib(files: list[bytes], paths: list[str]) -> Pass:
    import jpeglib

    return lambda: [jpeglib.read_dct(path).Y for path in paths]


def jpegio(files: list[bytes], paths: list[str]) -> Pass:
    import jpegio

    return lambda: [jpegio.read(path).coef_arrays for path in paths]


def torchjpeg(files: list[bytes], paths: list[str]) -> Pass:
    import torchjpeg.codec

    return lambda: [torchjpeg.codec.read_coefficients(path) for path in paths]


def jpeg2dct(files: list[bytes], paths: list[str]) -> Pass:
    import jpeg2dct.numpy

    return lambda: [jpeg2dct.numpy.loads(data, False) for data in files]


def simplejpeg(files: list[bytes], paths: list[str]) -> Pass:
    import simplejpeg

    return lambda: [simplejpeg.decode_jpeg(data) for data in files]


def turbojpeg(files: list[bytes], paths: list[str]) -> Pass:
    import turbojpeg

    decoder = turbojpeg.TurboJPEG()
    return lambda: [decoder.decode(data) for data in files]


def torchvision(files: list[bytes], paths: list[str]) -> Pass:
    import numpy as np
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    torch.set_num_threads(1)
    tensors = [torch.from_numpy(np.frombuffer(data, np.uint8).copy()) for data in files]
    return lambda: [decode_jpeg(tensor, ImageReadMode.RGB) for tensor in tensors]


def opencv(files: list[bytes], paths: list[str]) -> Pass:
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    arrays = [np.frombuffer(data, np.uint8) for data in files]
    return lambda: [cv2.imdecode(array, cv2.IMREAD_COLOR) for array in arrays]


def pillow(files: list[bytes], paths: list[str]) -> Pass:
    import io

    from PIL import Image

    return lambda: [Image.open(io.BytesIO(data)).convert("RGB") for data in files]


OURS: Registry = {
    "dctload decode_many": (dctload_many, "dctload"),
    "dctload decode": (dctload_one, "dctload"),
    "dctload C core": (dctload_core, "dctload"),
    "dctload region": (dctload_region, "dctload"),
    "dctload crop": (dctload_crop, "dctload"),
    "dctload whole": (dctload_whole, "dctload"),
}
COEFFICIENTS: Registry = {
    "torchjpeg": (torchjpeg, "torchjpeg"),
    "jpeglib": (jpeglib, "jpeglib"),
    "jpegio": (jpegio, "jpegio"),
    "jpeg2dct": (jpeg2dct, "jpeg2dct"),
}
PIXELS: Registry = {
    "simplejpeg": (simplejpeg, "simplejpeg"),
    "PyTurboJPEG": (turbojpeg, "PyTurboJPEG"),
    "torchvision": (torchvision, "torchvision"),
    "OpenCV": (opencv, "opencv-python-headless"),
    "Pillow": (pillow, "pillow"),
}
ALL = OURS | COEFFICIENTS | PIXELS


def version(name: str) -> str | None:
    """The installed version of a peer, None without it."""
    if name in OURS:
        import dctload

        return dctload.__version__
    try:
        return importlib.metadata.version(ALL[name][1])
    except importlib.metadata.PackageNotFoundError:
        return None


_PACKAGES = (
    *("numpy", "torch", "torchvision", "pillow-simd", "simplejpeg", "PyTurboJPEG"),
    *("opencv-python-headless", "torchjpeg", "jpeglib", "jpegio", "jpeg2dct"),
    *("nvidia-dali-cuda130", "nvidia-nvimgcodec-cu13"),
)


def installed() -> dict[str, str]:
    """Versions of what takes part, and of the system's libjpeg if it says."""
    out = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            out[name] = importlib.metadata.version(name)
    if shutil.which("jpegtran") is not None:
        done = subprocess.run(
            ["jpegtran", "-version"], capture_output=True, text=True, input=""
        )
        if done.stderr:
            out["jpegtran"] = done.stderr.split(" (", 1)[0]
    return out


# ---- processes ---------------------------------------------------------------------


class Process:
    """A peer in its own process, which does a pass whenever asked."""

    def __init__(
        self,
        command: Sequence[object],
        request: str = "go",
        environment: dict[str, str] | None = None,
    ):
        self._request = request
        path = os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, **(environment or {})},
        )

    def run(self, request: str | None = None) -> int:
        """One pass; the nanoseconds it took."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        try:
            stdin.write((request or self._request) + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise EOFError(f"{self._process.args!r} ended") from None
        answer = stdout.readline()
        if not answer:
            raise EOFError(f"{self._process.args!r} ended")
        return int(answer)

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()


def write_list(paths: Sequence[Path]) -> Path:
    """A file that names ``paths``, one a line."""
    with tempfile.NamedTemporaryFile("w", suffix=".list", delete=False) as file:
        file.writelines(f"{path}\n" for path in paths)
    return Path(file.name)


def python_peer(
    name: str, list_: Path, script: str = __file__, **environment: str
) -> Process:
    """One of ``ALL``, or of another script's."""
    return Process([sys.executable, script, name, list_], "go", environment)


def build_libjpeg_peer(folder: Path) -> Path | None:
    """The C program for the system's libjpeg; None without its header."""
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    program = folder / "libjpeg_peer"
    if compiler is None:
        return None
    command = [compiler, "-O2", "-o", program, HERE / "libjpeg_peer.c", "-ljpeg"]
    done = subprocess.run(command, capture_output=True, text=True)
    return program if done.returncode == 0 else None


def serve(registry: Registry, name: str, list_: str) -> None:
    """Do a pass for every line on stdin."""
    with open(list_) as file:
        paths = file.read().splitlines()
    files = [Path(path).read_bytes() for path in paths]
    one_pass = registry[name][0](files, paths)
    gc.collect()
    gc.disable()
    cpu = os.environ.get("BENCH_CLOCK") == "cpu"
    now = time.process_time_ns if cpu else time.perf_counter_ns
    for _ in sys.stdin:
        start = now()
        one_pass()
        print(now() - start, flush=True)


if __name__ == "__main__":
    serve(ALL, *sys.argv[1:])
