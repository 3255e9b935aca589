"""What crosses the bus, and what a GPU and its host make of it.

    python benchmarks/bench_device.py            # a minute, on a machine with a GPU
    python benchmarks/bench_device.py --bytes    # the first table only: no GPU needed

The same batches twice: transformed by the threads of the host, then copied; and as
coefficients of what each crop can see, transformed on the GPU. Order and crops are
equal, and so, within rounding, are the batches, which is checked first.
"""

import argparse
import gc
import os
import sys
import time
from pathlib import Path

import corpora
import numpy as np
import torch

# The checkout itself, whether or not it is installed.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

BATCH = 64
MODES = {
    # name: (layout, dtype, frequencies)
    "planes fp16": ("planes", torch.float16, "192"),
    "concat fp32": ("concat", torch.float32, "192"),
    "concat fp16, 24 frequencies": ("concat", torch.float16, "24"),
}
THREADS = (1, 4, 16)
SECONDS = 1.5  # of each measurement, about


def make_loader(paths, mode, **options):
    from dctload import DataLoader, Files
    from dctload import transforms as T

    layout, dtype, frequencies = MODES[mode]
    parts = [T.RandomResizedCrop(224), T.RandomHorizontalFlip()]
    parts += [T.SelectFrequencies(frequencies), T.Normalize("imagenet")]
    data = Files(paths, [0] * len(paths), transform=T.Compose(parts))
    options = {"layout": layout, "dtype": dtype, "seed": 1, "shuffle": True, **options}
    return DataLoader(data, BATCH, drop_last=True, **options)


def files_of(name):
    paths, generated = corpora.corpus(name)
    return [str(path) for path in paths], generated


def tensors_of(x):
    return [x] if isinstance(x, torch.Tensor) else list(x)


# ---- bytes ------------------------------------------------------------------------


def packed_batches(paths, mode):
    """Batches as a device would get them, and nothing computed."""
    from dctload.data import _iterator

    packed = []

    def keep(step, device, non_blocking):
        packed.append(step.packed)
        return [torch.zeros(len(step))]

    emit, _iterator.emit = _iterator.emit, keep
    try:
        for _ in make_loader(paths, mode, device="cpu", transform_on="device"):
            pass
    finally:
        _iterator.emit = emit
    return packed


def bytes_table(names):
    """KB an image on the bus, for 224 pixels."""
    print("\nKB an image from host to device, 224 x 224 pixels\n")
    rows = {"uint8 RGB": 3 * 224 * 224, "fp32 RGB": 12 * 224 * 224}
    for mode in MODES:
        form = make_loader(["-"], mode)._plan.format
        itemsize = torch.empty(0, dtype=MODES[mode][1]).itemsize
        rows[mode] = itemsize * sum(int(np.prod(shape)) for shape in form.shapes)
    for name, nbytes in rows.items():
        print(f"{name:>40} {nbytes / 1000:8.1f}")
    for name in names:
        files, generated = files_of(name)
        packed = packed_batches(files, "planes fp16")
        images = sum(map(len, packed))
        sent = sum(batch.buffer.nbytes for batch in packed) / images
        blocks = sum(128 * batch.layout.num_blocks for batch in packed) / images
        stored = np.mean([os.path.getsize(path) for path in files])
        name += " (generated)" if generated else ""
        print(f"{'coefficients of the crop, ' + name:>40} {sent / 1000:8.1f}", end="")
        print(f"   {blocks / 1000:.1f} of it blocks; the files {stored / 1000:.1f}")


# ---- on the GPU ---------------------------------------------------------------------


def check(paths):
    """Both ways give the same batches."""
    for mode in MODES:
        loaders = [
            make_loader(paths[:BATCH], mode, device="cuda", transform_on=where)
            for where in ("host", "device")
        ]
        for (x, _), (y, _) in zip(*loaders, strict=True):
            for a, b in zip(tensors_of(x), tensors_of(y), strict=True):
                torch.testing.assert_close(a, b, rtol=2e-3, atol=2e-3)


def throughput(paths, mode, where, threads):
    """Images a second, and CPU time of the host an image in microseconds."""
    loader = make_loader(
        paths, mode, device="cuda", transform_on=where, num_workers=threads
    )
    for _ in loader:
        pass
    torch.cuda.synchronize()
    gc.collect()
    images, begin, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - begin < SECONDS:
        for x, _ in loader:
            images += len(tensors_of(x)[0])
    torch.cuda.synchronize()
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    loader.close()
    return images / seconds, 1e6 * cpu / images


def kernel_times(paths, mode):
    """Milliseconds a batch of the copy and, by either kernels, of the transforms."""
    batch = packed_batches(paths, mode)[0].pin_memory()
    on_gpu = batch.to("cuda")
    work = {
        "copy": lambda: batch.to("cuda", non_blocking=True),
        "torch": lambda: on_gpu.emit("torch"),
        "triton": lambda: on_gpu.emit("triton"),
    }
    times = {}
    for name, run in work.items():
        for _ in range(3):
            run()
        best = []
        for _ in range(20):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            # The GPU waits until all is queued: launches are not what is measured.
            torch.cuda._sleep(20_000_000)
            start.record()
            run()
            end.record()
            end.synchronize()
            best.append(start.elapsed_time(end))
        times[name] = float(np.median(best))
        start = time.perf_counter()
        for _ in range(20):
            run()
        torch.cuda.synchronize()
        times[name + ", launches included"] = (time.perf_counter() - start) * 50
    return batch.buffer.nbytes, times


def gpu_tables(name):
    paths, generated = files_of(name)
    name += " (generated)" if generated else ""
    many = paths * max(1, 1024 // len(paths))
    check(paths)
    print(f"\n{torch.cuda.get_device_name()}, torch {torch.__version__}", end="")
    print(f", {len(os.sched_getaffinity(0))} cores; {name}, batches of {BATCH}")
    print("\nmilliseconds a batch on the GPU, median of 20\n")
    for mode in MODES:
        nbytes, times = kernel_times(paths, mode)
        parts = ", ".join(f"{key} {value:.2f}" for key, value in times.items())
        print(f"{mode:>30}: {nbytes / 1e6:.1f} MB; {parts}")
    print("\nimages a second, and microseconds of CPU time an image\n")
    for mode in MODES:
        for threads in THREADS:
            if threads > len(os.sched_getaffinity(0)):
                continue
            parts = [throughput(many, mode, w, threads) for w in ("host", "device")]
            shown = " | ".join(f"{rate:8.0f} {cpu:7.0f}" for rate, cpu in parts)
            print(f"{mode:>30}, {threads:2} threads: host {shown} device", flush=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bytes", action="store_true", help="no GPU: the first table")
    parser.add_argument("--set", default="imagenet", choices=corpora.SETS)
    args = parser.parse_args(argv)
    bytes_table(["imagenet", "clothing"] if args.bytes else [args.set])
    if not args.bytes and torch.cuda.is_available():
        gpu_tables(args.set)
    elif not args.bytes:
        print("\nno GPU: nothing else to measure")


def test_device():
    main([] if torch.cuda.is_available() else ["--bytes"])


if __name__ == "__main__":
    os.chdir(Path(__file__).parent)
    main()
