"""Loaders, file to normalised batch of 64, one pass an epoch.

    python benchmarks/loader_peers.py NAME LIST

All do the same to every image: a random crop of 8 to 100 % of the area and an
aspect ratio of 3/4 to 4/3, to 224 x 224, a mirror with probability 1/2, and one
normalisation, in a new order each epoch, on one thread.
"""

import importlib.metadata
import math
import os
import random
import sys
from collections.abc import Callable

from peers import Pass, serve

SIZE = 224
BATCH = 64
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def _consume(batches: object) -> None:
    for _ in batches:  # type: ignore[attr-defined]
        pass


# ---- ours ------------------------------------------------------------------------


def _transform() -> object:
    import numpy as np

    from dctload import transforms as T

    parts = [T.RandomResizedCrop(SIZE), T.RandomHorizontalFlip()]
    if os.environ.get("BENCH_AUGMENT") == "rand":
        parts.append(T.RandAugment())
    normalize = T.Normalize(mean=np.zeros((3, 64)), std=np.full((3, 64), 50.0))
    return T.Compose([*parts, normalize])


def _dctload(paths: list[str], layout: str, dtype: str, workers: int) -> Pass:
    import torch

    from dctload import DataLoader, Files

    torch.set_num_threads(1)
    loader = DataLoader(
        Files(paths, transform=_transform()),
        BATCH,
        shuffle=True,
        num_workers=workers,
        layout=layout,
        dtype=getattr(torch, dtype),
    )
    return lambda: _consume(loader)


def c_alone(files: list[bytes], paths: list[str]) -> Pass:
    """The ideal loader: the same work queued at once, decided long ago."""
    import numpy as np
    import torch

    from dctload import _native as native
    from dctload._engine import Batch, Engine

    workers, num = int(os.environ.get("BENCH_THREADS", "0")), len(paths)
    plan = _transform().plan("planes", torch.float16)
    engine, batch = Engine(workers), Batch(num)
    batch.set_paths([os.fsencode(path) for path in paths])
    engine.submit_read(batch, num)
    engine.wait(batch)
    uniforms = native.uniforms(0, 0, np.arange(num), plan.num_draws)
    plan.fill(batch.items["info"], uniforms, [batch.items["geometry"]], True)
    # Batches come and go: what is written is not in the cache when it comes back.
    out = [
        np.zeros((4 * BATCH, n), np.uint8) for n in native.output_nbytes(plan.output)
    ]
    for k, array in enumerate(out):
        rows = np.arange(num, dtype=np.uintp) % np.uintp(len(array))
        start = np.uintp(array.ctypes.data)
        batch.items["out"][:, k] = start + rows * np.uintp(array.shape[1])

    def run(keep: object = out) -> None:
        engine.submit_read(batch, num)
        engine.wait(batch)
        engine.submit_sample(batch, num, output=plan.output)
        engine.wait(batch)
        if batch.items["status"].any():
            raise RuntimeError("a sample failed")

    return run


def loader_threads(files: list[bytes], paths: list[str]) -> Pass:
    workers = int(os.environ.get("BENCH_THREADS", "0"))
    return _dctload(paths, "planes", "float16", workers)


def planes(files: list[bytes], paths: list[str]) -> Pass:
    return _dctload(paths, "planes", "float16", 0)


def concat(files: list[bytes], paths: list[str]) -> Pass:
    return _dctload(paths, "concat", "float32", 0)


def planes_1(files: list[bytes], paths: list[str]) -> Pass:
    return _dctload(paths, "planes", "float16", 1)


# ---- torch ------------------------------------------------------------------------


class _Images:
    """A map-style data set, as everybody writes it."""

    def __init__(self, paths: list[str], load: Callable[[str], object]):
        self._paths, self._load = paths, load

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, i: int) -> tuple[object, int]:
        return self._load(self._paths[i]), i


def _torch_loader(paths: list[str], load: Callable[[str], object]) -> Pass:
    import torch

    torch.set_num_threads(1)
    loader = torch.utils.data.DataLoader(_Images(paths, load), BATCH, shuffle=True)
    return lambda: _consume(loader)


def pillow(files: list[bytes], paths: list[str]) -> Pass:
    from PIL import Image
    from torchvision import transforms as T

    transform = T.Compose(
        [
            T.RandomResizedCrop(SIZE),
            T.RandomHorizontalFlip(),
            T.ToTensor(),
            T.Normalize(MEAN, STD),
        ]
    )

    def load(path: str) -> object:
        with open(path, "rb") as file:
            return transform(Image.open(file).convert("RGB"))

    return _torch_loader(paths, load)


def torchvision(files: list[bytes], paths: list[str]) -> Pass:
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg, read_file
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.RandomResizedCrop(SIZE, antialias=True),
            v2.RandomHorizontalFlip(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(MEAN, STD),
        ]
    )
    return _torch_loader(
        paths, lambda path: transform(decode_jpeg(read_file(path), ImageReadMode.RGB))
    )


# ---- hand-written, with OpenCV's linear resize, which is not antialiased -------------


def _crop(width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, width, height, as RandomResizedCrop draws them."""
    for _ in range(10):
        area = width * height * random.uniform(0.08, 1)
        aspect = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left = random.randint(0, width - w)
            return left, random.randint(0, height - h), w, h
    side = min(width, height)
    return (width - side) // 2, (height - side) // 2, side, side


def _opencv_batches(paths: list[str], crop: Callable[[bytes], object]) -> Pass:
    """``crop`` reads, decodes and crops; the rest is the same for all of these."""
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    scale = (1 / (255 * np.array(STD))).astype(np.float32)
    shift = (-np.array(MEAN) / np.array(STD)).astype(np.float32)

    def run() -> None:
        order = random.sample(paths, len(paths))
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            out = np.empty((len(part), SIZE, SIZE, 3), np.float32)
            for i, path in enumerate(part):
                with open(path, "rb") as file:
                    pixels = crop(file.read())
                small = cv2.resize(pixels, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
                if random.random() < 0.5:
                    small = cv2.flip(small, 1)
                np.multiply(small, scale, out=out[i])
                out[i] += shift

    return run


def simplejpeg_opencv(files: list[bytes], paths: list[str]) -> Pass:
    import simplejpeg

    def crop(data: bytes) -> object:
        pixels = simplejpeg.decode_jpeg(data)
        left, top, w, h = _crop(pixels.shape[1], pixels.shape[0])
        return pixels[top : top + h, left : left + w]

    return _opencv_batches(paths, crop)


def nvimgcodec_opencv(files: list[bytes], paths: list[str]) -> Pass:
    """Decodes only the region: the fastest known from the original files."""
    import numpy as np
    from nvidia import nvimgcodec

    decoder = nvimgcodec.Decoder(
        device_id=nvimgcodec.NVIMGCODEC_DEVICE_CPU_ONLY,
        max_num_cpu_threads=1,
        backends=[nvimgcodec.Backend(nvimgcodec.BackendKind.CPU_ONLY)],
    )

    def crop(data: bytes) -> object:
        stream = nvimgcodec.CodeStream(data)
        left, top, w, h = _crop(stream.width, stream.height)
        region = nvimgcodec.Region(top, left, top + h, left + w)
        return np.asarray(decoder.decode(stream.get_sub_code_stream(region=region)))

    return _opencv_batches(paths, crop)


# ---- DALI ---------------------------------------------------------------------------


def _dali(paths: list[str], antialias: bool) -> Pass:
    os.environ.setdefault("DALI_MALLOC_POOL_THRESHOLD", "1M")
    from nvidia.dali import fn, pipeline_def, types

    # Nothing runs ahead: what is made after a pass would be counted nowhere.
    @pipeline_def(
        batch_size=BATCH,
        num_threads=1,
        device_id=None,
        prefetch_queue_depth=1,
        exec_pipelined=False,
        exec_async=False,
    )
    def pipeline():
        data, _ = fn.readers.file(files=paths, random_shuffle=True, name="reader")
        pixels = fn.decoders.image_random_crop(
            data, device="cpu", output_type=types.RGB, use_fast_idct=not antialias
        )
        small = fn.resize(
            pixels,
            size=[SIZE, SIZE],
            antialias=antialias,
            interp_type=types.INTERP_LINEAR,
        )
        return fn.crop_mirror_normalize(
            small,
            mean=[255 * m for m in MEAN],
            std=[255 * s for s in STD],
            mirror=fn.random.coin_flip(),
        )

    pipe = pipeline()
    pipe.build()

    def run() -> None:
        for _ in range(-(-len(paths) // BATCH)):
            pipe.run()

    return run


def dali(files: list[bytes], paths: list[str]) -> Pass:
    return _dali(paths, antialias=True)


def dali_fast(files: list[bytes], paths: list[str]) -> Pass:
    return _dali(paths, antialias=False)


OURS = {
    "dctload planes, half": (planes, "dctload"),
    "dctload concat, float": (concat, "dctload"),
    "dctload planes, half, num_workers=1": (planes_1, "dctload"),
}
IDEAL = {
    "C alone": (c_alone, "dctload"),
    "dctload loader": (loader_threads, "dctload"),
}
PEERS = {
    "DataLoader, Pillow-SIMD, torchvision": (pillow, "pillow-simd"),
    "DataLoader, torchvision v2": (torchvision, "torchvision"),
    "DALI CPU": (dali, "nvidia-dali-cuda130"),
    "DALI CPU, fast IDCT, not antialiased": (dali_fast, "nvidia-dali-cuda130"),
    "simplejpeg, OpenCV linear": (simplejpeg_opencv, "simplejpeg"),
    "nvImageCodec region, OpenCV linear": (nvimgcodec_opencv, "nvidia-nvimgcodec-cu13"),
}


def is_installed(name: str) -> bool:
    """Whether a peer's package is there."""
    try:
        importlib.metadata.version(PEERS[name][1])
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


if __name__ == "__main__":
    serve(OURS | IDEAL | PEERS, *sys.argv[1:])
