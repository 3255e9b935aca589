"""DALI pipelines that end on a GPU, with our operator and with DALI's decoders.

    python benchmarks/bench_dali_device.py     # a minute, on a machine with a GPU

File to normalised half-precision batch in the GPU's memory: a random crop to 224 x 224
and a mirror. Ours makes coefficients on the host, and `.gpu()` copies them. DALI's make
pixels, on the host up to the resize, or with `device="mixed"` on the GPU from the
bitstream on. What arrives is checked first.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import corpora
import numpy as np
import torch
from loader_peers import BATCH, MEAN, SIZE, STD

# The checkout itself, whether or not it is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

THREADS = (1, 4, 16)
SECONDS = 1.5  # of each measurement, about
CROP = {"random_area": [0.08, 1.0], "random_aspect_ratio": [3 / 4, 4 / 3]}


# ---- graphs: encoded files to a list of outputs on the GPU --------------------------


def coefficients(jpegs, **options):
    from nvidia.dali import fn, types

    anchor, shape = fn.random_crop_generator(fn.dctload.peek_shape(jpegs), **CROP)
    made = fn.dctload.decode(
        jpegs,
        anchor=anchor,
        shape=shape,
        mirror=fn.random.coin_flip(),
        size=SIZE,
        normalize="imagenet",
        dtype=types.FLOAT16,
        **options,
    )
    return list(made) if isinstance(made, (list, tuple)) else [made]


def pixels(jpegs, device):
    from nvidia.dali import fn, types

    images = fn.decoders.image_random_crop(
        jpegs, device=device, output_type=types.RGB, **CROP
    )
    small = fn.resize(images, size=[SIZE, SIZE], interp_type=types.INTERP_LINEAR)
    return [
        fn.crop_mirror_normalize(
            small.gpu(),
            mean=[255 * m for m in MEAN],
            std=[255 * s for s in STD],
            mirror=fn.random.coin_flip(),
            dtype=types.FLOAT16,
        )
    ]


def on_gpu(outputs):
    return [output.gpu() for output in outputs]


GRAPHS = {
    "dctload, planes": lambda jpegs: on_gpu(coefficients(jpegs, layout="planes")),
    "dctload, 24 frequencies": lambda jpegs: on_gpu(
        coefficients(jpegs, frequencies="24")
    ),
    "DALI, decoded on the host": lambda jpegs: pixels(jpegs, "cpu"),
    "DALI, decoded on the GPU": lambda jpegs: pixels(jpegs, "mixed"),
}


def built(graph, paths, threads, **options):
    from nvidia.dali import Pipeline, fn

    import dctload.dali  # noqa: F401 - sets up DALI's memory, for all alike

    pipe = Pipeline(BATCH, threads, 0, seed=1, **options)
    with pipe:
        jpegs, _ = fn.readers.file(files=paths, random_shuffle=True, name="reader")
        pipe.set_outputs(*graph(jpegs))
    pipe.build()
    return pipe


# ---- what is right ------------------------------------------------------------------


def check(paths):
    """Ours is what it is on the host; DALI's two decoders give the same pictures."""
    for options in ({"layout": "planes"}, {"frequencies": "24"}):

        def both(jpegs, options=options):
            host = coefficients(jpegs, **options)
            return [*host, *on_gpu(host)]

        outputs = built(both, paths, 4).run()
        half = len(outputs) // 2
        for host, copied in zip(outputs[:half], outputs[half:], strict=True):
            host, copied = (np.asarray(x.as_cpu().as_tensor()) for x in (host, copied))
            assert np.array_equal(host, copied)
            assert host.any()
    for name in [name for name in GRAPHS if name.startswith("DALI")]:
        try:
            (made,) = built(GRAPHS[name], paths, 4).run()
        except RuntimeError as error:  # no nvJPEG, say
            print(f"left out: {name}: {error}")
            del GRAPHS[name]
            continue
        made = np.asarray(made.as_cpu().as_tensor()).astype(np.float32)
        assert made.shape == (BATCH, 3, SIZE, SIZE)
        assert np.isfinite(made).all()
        assert 0.5 < made.std() < 2  # it is normalised
    if "libnvjpeg.so" not in Path("/proc/self/maps").read_text():
        print("left out: DALI, decoded on the GPU: no nvJPEG, so the host would do it")
        GRAPHS.pop("DALI, decoded on the GPU", None)
    if "DALI, decoded on the GPU" in GRAPHS:
        host, copied = (
            np.asarray(x.as_cpu().as_tensor()).astype(int)
            for x in built(both_decoders, paths, 4).run()
        )
        assert np.abs(host - copied).mean() < 3


def both_decoders(jpegs):
    from nvidia.dali import fn

    return [
        fn.resize(fn.decoders.image(jpegs, device=device).gpu(), size=[SIZE, SIZE])
        for device in ("cpu", "mixed")
    ]


# ---- how fast -----------------------------------------------------------------------


def throughput(graph, paths, threads):
    """Images a second, and CPU time of the host an image in microseconds."""
    pipe = built(graph, paths, threads)
    for _ in range(max(8, 2 * threads)):
        pipe.run()
    images, begin, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - begin < SECONDS:
        images += len(pipe.run()[0])
    torch.cuda.synchronize()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    return images / seconds, 1e6 * cpu / images


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", default="imagenet", choices=corpora.SETS)
    args = parser.parse_args(argv)
    files, generated = corpora.corpus(args.set)
    paths = [str(path) for path in files]
    import nvidia.dali

    check(paths)
    name = args.set + (" (generated)" if generated else "")
    cores = len(os.sched_getaffinity(0))
    print(f"{torch.cuda.get_device_name()}, DALI {nvidia.dali.__version__}, ", end="")
    print(f"{cores} cores; {len(paths)} files of {name}, batches of {BATCH}")
    print("\nimages a second, and microseconds of the host's CPU time an image\n")
    for threads in THREADS:
        if threads > cores:
            continue
        for name, graph in GRAPHS.items():
            rate, cpu = throughput(graph, paths, threads)
            print(
                f"{threads:2} threads, {name:>26}: {rate:8.0f} {cpu:7.0f}", flush=True
            )


def test_dali_device():
    import pytest

    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    pytest.importorskip(
        "nvidia.dali", reason="needs NVIDIA DALI: pip install '.[dali]'"
    )
    main([])


if __name__ == "__main__":
    os.chdir(Path(__file__).parent)
    main()
