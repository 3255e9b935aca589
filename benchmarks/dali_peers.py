"""DALI pipelines, with our operator and without, one pass an epoch.

    python benchmarks/dali_peers.py NAME LIST

Batches of 64. What is compared with each other does the same to every image.
"""

import os
import sys
from collections.abc import Callable

from loader_peers import BATCH, MEAN, SIZE, STD
from peers import Pass, serve


def _threads() -> int:
    return int(os.environ.get("BENCH_THREADS", "1"))


def _epochs(graph: Callable[[list[str]], object], paths: list[str]) -> Pass:
    """Build a pipeline of ``graph``; a pass runs it once over all files."""
    from nvidia.dali import Pipeline

    import dctload.dali  # noqa: F401 - sets up DALI's memory, for all alike

    # Nothing may run ahead: what is made after a pass would be counted nowhere.
    pipe = Pipeline(
        BATCH,
        _threads(),
        None,
        seed=1,
        prefetch_queue_depth=1,
        exec_pipelined=False,
        exec_async=False,
    )
    with pipe:
        outputs = graph(paths)
        pipe.set_outputs(*(outputs if isinstance(outputs, list) else [outputs]))
    pipe.build()

    def run() -> None:
        for _ in range(len(paths) // BATCH):
            pipe.run()

    return run


def _files(paths: list[str], shuffle: bool = True) -> object:
    from nvidia.dali import fn

    return fn.readers.file(files=paths, random_shuffle=shuffle, name="reader")[0]


# ---- file to normalised half-precision batch ---------------------------------------


def _augmented(paths: list[str], layout: str) -> object:
    from nvidia.dali import fn, types

    jpegs = _files(paths)
    anchor, shape = fn.random_crop_generator(
        fn.dctload.peek_shape(jpegs),
        random_area=[0.08, 1.0],
        random_aspect_ratio=[3 / 4, 4 / 3],
    )
    return fn.dctload.decode(
        jpegs,
        anchor=anchor,
        shape=shape,
        mirror=fn.random.coin_flip(),
        size=SIZE,
        layout=layout,
        mean=[0.0] * 192,
        std=[50.0] * 192,
        dtype=types.FLOAT16,
    )


def operator_planes(files: list[bytes], paths: list[str]) -> Pass:
    return _epochs(lambda paths: _augmented(paths, "planes"), paths)


def operator_concat(files: list[bytes], paths: list[str]) -> Pass:
    return _epochs(lambda paths: _augmented(paths, "concat"), paths)


def _stock(paths: list[str], fast: bool) -> object:
    from nvidia.dali import fn, types

    pixels = fn.decoders.image_random_crop(
        _files(paths), device="cpu", output_type=types.RGB, use_fast_idct=fast
    )
    small = fn.resize(
        pixels,
        size=[SIZE, SIZE],
        antialias=not fast,
        interp_type=types.INTERP_LINEAR,
    )
    return fn.crop_mirror_normalize(
        small,
        mean=[255 * m for m in MEAN],
        std=[255 * s for s in STD],
        mirror=fn.random.coin_flip(),
        dtype=types.FLOAT16,
    )


def stock(files: list[bytes], paths: list[str]) -> Pass:
    return _epochs(lambda paths: _stock(paths, fast=False), paths)


def stock_fast(files: list[bytes], paths: list[str]) -> Pass:
    return _epochs(lambda paths: _stock(paths, fast=True), paths)


# ---- what the operator adds to the decoder ------------------------------------------


def _whole(jpegs: object) -> object:
    from nvidia.dali import fn, types

    return fn.dctload.decode(jpegs, size=SIZE, layout="planes", dtype=types.FLOAT16)


def operator_whole(files: list[bytes], paths: list[str]) -> Pass:
    return _epochs(lambda paths: _whole(_files(paths, False)), paths)


def reader(files: list[bytes], paths: list[str]) -> Pass:
    return _epochs(lambda paths: _files(paths, False), paths)


def decoder(files: list[bytes], paths: list[str]) -> Pass:
    """The C core on the same files in memory, to the same tensors."""
    import numpy as np

    from dctload import _native as native
    from dctload import transforms as T
    from dctload._engine import Batch, Engine

    plan = T.Compose([T.Resize((SIZE, SIZE))]).plan("planes", "float16")
    engine, batch = Engine(0), Batch(BATCH)
    # As many batches of memory as a pipeline has under way.
    out = [
        [np.zeros((BATCH, n), np.uint8) for n in native.output_nbytes(plan.output)]
        for _ in range(3)
    ]

    def one(k: int) -> None:
        batch.set_data(files[k * BATCH : (k + 1) * BATCH])
        engine.submit_read(batch, BATCH)
        engine.wait(batch)
        items = batch.items
        plan.fill(items["info"], np.empty((BATCH, 0)), [items["geometry"]], True)
        for i, array in enumerate(out[k % len(out)]):
            rows = np.arange(BATCH, dtype=np.uintp) * np.uintp(array.shape[1])
            items["out"][:, i] = np.uintp(array.ctypes.data) + rows
        engine.submit_sample(batch, BATCH, output=plan.output)
        engine.wait(batch)
        if items["status"].any():
            raise RuntimeError("a sample failed")

    def run() -> None:
        for k in range(len(files) // BATCH):
            one(k)

    return run


REGISTRY = {
    "dctload in DALI, planes": (operator_planes, "dctload"),
    "dctload in DALI, concat": (operator_concat, "dctload"),
    "DALI": (stock, "nvidia-dali-cuda130"),
    "DALI, fast IDCT, not antialiased": (stock_fast, "nvidia-dali-cuda130"),
    "dctload in DALI, whole images": (operator_whole, "dctload"),
    "DALI's reader": (reader, "nvidia-dali-cuda130"),
    "dctload's decoder": (decoder, "dctload"),
}

if __name__ == "__main__":
    serve(REGISTRY, *sys.argv[1:])
