"""What more threads cost in memory: how much a process grows while it loads.

    python benchmarks/loader_memory.py [DIR] [--limit N] [--threads 1 2 4 8]

Batches of 64 crops to 224 px, planes in float16. Each line is a process of its own;
its growth is the peak of its resident memory, as the kernel counts it, less what was
resident when all was imported and the loader made. Without DIR the data sets of the
other benchmarks are read.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

BATCH = 64
# Batches under way, the same for any number of threads, and one in use.
DEPTH = 4
MB = 1e6


def _resident(name: str) -> int:
    """Bytes: VmRSS, or VmHWM, its peak since the last reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise RuntimeError(f"the kernel does not tell {name}")


def measure(paths: list[str], threads: int, images: int) -> dict[str, float]:
    """Bytes of this process before loading, of its slots, and of its growth."""
    import torch
    from loader_peers import _transform

    from dctload import DataLoader, Files

    torch.set_num_threads(1)
    loader = DataLoader(
        Files(paths, transform=_transform()),
        BATCH,
        shuffle=True,
        num_workers=threads,
        prefetch_factor=DEPTH,
        layout="planes",
        dtype=torch.float16,
    )
    before = _resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    slots = 0
    while images > 0:
        for (luma, chroma), _ in loader:
            slots = max(slots, (DEPTH + 1) * (luma.nbytes + chroma.nbytes))
            images -= len(luma)
    growth = _resident("VmHWM") - before
    return {"before": before, "slots": slots, "beyond": growth - slots}


def in_a_process(paths: list[str], threads: int, images: int = 2700) -> dict:
    """What ``measure`` finds in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, "--child", str(threads), str(images)],
        input=json.dumps(paths),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return json.loads(done.stdout)


def _table(name: str, paths: list[str], counts: list[int]) -> None:
    found = {n: in_a_process(paths, n) for n in counts}
    first = found[counts[0]]
    for n, r in found.items():
        whole = (r["before"] + r["beyond"]) / (first["before"] + first["beyond"])
        print(
            f"{name:24} {n:2} threads: {r['beyond'] / MB:6.1f} MB beyond "
            f"{r['slots'] / MB:.0f} MB of batches, "
            f"{r['beyond'] / first['beyond']:.2f}x; "
            f"the process without these {whole:.2f}x",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4, 8])
    args = parser.parse_args()
    if args.folder:
        found = sorted(Path(args.folder).rglob("*.jp*g"))
        sets = {args.folder: [str(path) for path in found[: args.limit]]}
    else:
        from corpora import corpus

        names = "imagenet", "clothing", "clothing, progressive"
        sets = {name: [str(path) for path in corpus(name)[0]] for name in names}
    for name, paths in sets.items():
        _table(name, paths, args.threads)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        threads, images = map(int, sys.argv[2:])
        print(json.dumps(measure(json.load(sys.stdin), threads, images)))
    else:
        main()
