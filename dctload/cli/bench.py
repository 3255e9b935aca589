"""``dctload bench decode DIR`` and ``bench load DIR``: how fast, on these files."""

import argparse
import gc
import importlib.metadata
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import dctload
from dctload import _native
from dctload._files import read_file
from dctload.cli import _common
from dctload.cli._pictures import pyplot
from dctload.decoding import Decoder
from dctload.errors import DctloadError

# As much as any machine has room for; a set that is too small is learnt by heart
# by the branch predictor, which flatters every decoder.
MAX_NBYTES = 512 << 20

Pass = Callable[[], object]


def add_parser(subparsers: Any) -> None:
    """Add this command's arguments."""
    parser = subparsers.add_parser("bench", help="how fast, on your own files")
    kinds = parser.add_subparsers(metavar="KIND", required=True)

    decode = kinds.add_parser(
        "decode",
        help="decoding from memory",
        description="Decode the JPEG files of a folder from memory and print images "
        "a second: coefficients by dctload, and full RGB decoding by other packages "
        "that are installed, which is more work. Candidates take turns.",
    )
    decode.add_argument("folder", metavar="DIR")
    decode.add_argument("--files", type=_common.positive, default=1000, metavar="N")
    decode.add_argument("--rounds", type=_common.positive, default=7, metavar="N")
    _common.add_threads(decode)
    _common.add_json(decode, "the figures as one JSON object")
    decode.set_defaults(run=run_decode)

    load = kinds.add_parser(
        "load",
        help="file to batch, by number of threads",
        description="Load random crops of the JPEG files of a folder with 1, 2, 4, "
        "... threads, and print where more threads stop helping.",
    )
    load.add_argument("folder", metavar="DIR")
    load.add_argument("--size", type=_common.positive, default=224, metavar="PIXELS")
    load.add_argument("--batch-size", type=_common.positive, default=64, metavar="N")
    load.add_argument("--seconds", type=float, default=3.0, metavar="S")
    load.add_argument("--plot", metavar="FILE.png", help="draw the curve")
    _common.add_threads(load)
    _common.add_json(load, "the figures as one JSON object")
    load.set_defaults(run=run_load)


def _host() -> dict[str, Any]:
    return {
        "dctload": dctload.__version__,
        "cpu_variants": _native.cpu_features(),
        "cpus": _common.num_cpus(),
    }


# ---- decode --------------------------------------------------------------------


def _read_good(folder: str, limit: int) -> tuple[list[bytes], int]:
    """Files of ``folder`` that decode, evenly spread, and how many do not.

    Raises:
        ValueError: None does.
    """
    paths = _common.evenly(_common.list_jpegs([folder]), limit)
    files, nbytes = [], 0
    failed: list[tuple[str, Exception]] = []
    decoder = Decoder()
    for path in paths:
        try:
            data = read_file(path, jpeg=True)
            decoder.decode(data)
        except (DctloadError, OSError) as error:
            failed.append((path, error))
            continue
        files.append(data)
        nbytes += len(data)
        if nbytes > MAX_NBYTES:
            break
    if not files:
        _common.print_failures(failed[:3])
        raise ValueError(f"none of the {len(failed)} files can be decoded")
    return files, len(failed)


def _ours(files: list[bytes], threads: int) -> dict[str, Pass]:
    decoder = Decoder()

    def one_by_one() -> None:
        for data in files:
            _ = decoder.decode(data).planes

    def many(decoder: Decoder) -> Pass:
        return lambda: [image.planes for image in decoder.decode_many(files)]

    passes = {
        "dctload decode_many, 1 thread": many(decoder),
        "dctload decode": one_by_one,
    }
    if threads > 1:
        passes[f"dctload decode_many, {threads} threads"] = many(Decoder(threads))
    return passes


def _pillow(files: list[bytes]) -> Pass:
    import io

    from PIL import Image

    return lambda: [Image.open(io.BytesIO(data)).convert("RGB") for data in files]


def _simplejpeg(files: list[bytes]) -> Pass:
    import simplejpeg

    return lambda: [simplejpeg.decode_jpeg(data) for data in files]


def _torchvision(files: list[bytes]) -> Pass:
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    tensors = [torch.from_numpy(np.frombuffer(data, np.uint8).copy()) for data in files]
    return lambda: [decode_jpeg(tensor, ImageReadMode.RGB) for tensor in tensors]


_PEERS = {
    "pillow": _pillow,
    "simplejpeg": _simplejpeg,
    "torchvision": _torchvision,
}


def _peers(files: list[bytes]) -> dict[str, Pass]:
    """Full RGB decoders that are installed and take all of these files."""
    out = {}
    for name, make in _PEERS.items():
        try:
            version = importlib.metadata.version(name)
            one_pass = make(files)
            one_pass()
        except (ImportError, OSError, RuntimeError, ValueError):
            continue
        out[f"{name} {version}, RGB"] = one_pass
    return out


def _time_rounds(passes: dict[str, Pass], rounds: int) -> dict[str, list[float]]:
    """Seconds of each round, candidates taking turns."""
    for one_pass in passes.values():
        one_pass()
    times: dict[str, list[float]] = {name: [] for name in passes}
    gc.collect()
    gc.disable()
    try:
        for round_ in range(rounds):
            with _common.Progress(rounds, "rounds") as progress:
                progress.update(round_)
                for name, one_pass in passes.items():
                    start = time.perf_counter()
                    one_pass()
                    times[name].append(time.perf_counter() - start)
    finally:
        gc.enable()
    return times


def run_decode(args: argparse.Namespace) -> int:
    """Print the table, or the JSON object."""
    files, bad = _read_good(args.folder, args.files)
    nbytes = sum(map(len, files))
    times = _time_rounds(_ours(files, args.threads) | _peers(files), args.rounds)
    base = times["dctload decode_many, 1 thread"]
    results = [
        {
            "name": name,
            "images_per_second": len(files) / statistics.median(seconds),
            "mb_per_second": nbytes / statistics.median(seconds) / 1e6,
            # Of the same rounds: the machine may have been slower in some.
            "times_slower": statistics.median(
                mine / ours for mine, ours in zip(seconds, base, strict=True)
            ),
        }
        for name, seconds in times.items()
    ]
    if args.json:
        report = {
            **_host(),
            "files": len(files),
            "nbytes": nbytes,
            "left_out": bad,
            "rounds": args.rounds,
            "results": results,
        }
        _common.print_json(report)
        return 0
    left_out = f", {bad} that do not decode left out" if bad else ""
    print(f"{len(files):,} files, {nbytes / 1e6:.1f} MB{left_out}")
    _print_decode(results)
    return 0


def _print_decode(results: Sequence[dict[str, Any]]) -> None:
    rows: list[Sequence[object]] = [("", "images/s", "MB/s", "time")]
    for result in results:
        rows.append(
            (
                result["name"],
                f"{result['images_per_second']:,.0f}",
                f"{result['mb_per_second']:,.1f}",
                f"{result['times_slower']:.2f}x",
            )
        )
    _common.print_table(rows)


# ---- load -------------------------------------------------------------------------


def _thread_counts(most: int) -> list[int]:
    """1, 2, 4, ... and ``most``."""
    counts = [1 << k for k in range(most.bit_length()) if 1 << k <= most]
    return sorted({*counts, most})


def _images_per_second(loader: Any, seconds: float) -> float:
    """Over whole batches, after the first, for about ``seconds``."""
    images, start = 0, 0.0
    while True:
        for x, _ in loader:
            now = time.perf_counter()
            if start == 0.0:
                start = now
                continue
            images += len(x)
            if now - start >= seconds:
                return images / (now - start)
        if images == 0:
            # One batch holds all files: the next epoch's counts.
            start = time.perf_counter()


def knee(curve: Sequence[dict[str, Any]]) -> int:
    """The fewest threads that reach 90 % of the best."""
    best = max(point["images_per_second"] for point in curve)
    return next(
        int(point["threads"])
        for point in curve
        if point["images_per_second"] >= 0.9 * best
    )


def _sweep(args: argparse.Namespace) -> list[dict[str, Any]]:
    from dctload import DataLoader, Files
    from dctload import transforms as T

    paths = _common.list_jpegs([args.folder])
    transform = T.Compose([T.RandomResizedCrop(args.size), T.RandomHorizontalFlip()])
    files = Files(paths, transform=transform)
    curve = []
    for threads in _thread_counts(args.threads):
        loader = DataLoader(
            files,
            batch_size=min(args.batch_size, len(paths)),
            shuffle=True,
            num_workers=threads,
            on_error="replace",
        )
        rate = _images_per_second(loader, args.seconds)
        loader.close()
        curve.append({"threads": threads, "images_per_second": rate})
    return curve


def _draw(curve: Sequence[dict[str, Any]], path: str) -> None:
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    threads = [point["threads"] for point in curve]
    rates = [point["images_per_second"] for point in curve]
    axes.plot(threads, rates, "o-", label="measured")
    ideal = [rates[0] * n for n in threads]
    axes.plot(threads, ideal, ":", label="as many times one thread")
    axes.set(xlabel="threads", ylabel="images per second", ylim=(0, None))
    axes.set_xticks(threads)
    axes.legend()
    figure.savefig(path)
    plt.close(figure)


def run_load(args: argparse.Namespace) -> int:
    """Print the curve and its knee, or the JSON object."""
    if args.plot:
        pyplot()  # says what is missing before minutes are spent
    curve = _sweep(args)
    if args.plot:
        _draw(curve, args.plot)
    if args.json:
        report = {
            **_host(),
            "size": args.size,
            "batch_size": args.batch_size,
            "curve": curve,
            "knee": knee(curve),
        }
        _common.print_json(report)
        return 0
    best = max(point["images_per_second"] for point in curve)
    rows: list[Sequence[object]] = [("threads", "images/s", "a thread", "")]
    for point in curve:
        rate, threads = point["images_per_second"], point["threads"]
        bar = "#" * round(40 * rate / best)
        rows.append((threads, f"{rate:,.0f}", f"{rate / threads:,.0f}", bar.ljust(40)))
    _common.print_table(rows)
    few = knee(curve)
    print(f"more than {few} thread{'s' if few > 1 else ''} bring less than 10 %")
    return 0
