"""Does the loader keep the disk busy? Files read from storage and from the cache.

    python -m pytest benchmarks/bench_cold.py -c benchmarks/pytest.ini -s

Before each cold pass the kernel is told to forget the files, one by one, which needs
no privilege; that it did is checked. More threads than cores read more at a time.
"""

import os
import time
from pathlib import Path

import loader_peers
import pytest
from corpora import corpus
from measure import ROUNDS, Section, record, row


def evict(paths: list[str]) -> None:
    """Drop the files' pages from the cache."""
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)  # pages not yet written would stay
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def num_cached(paths: list[str]) -> int:
    """How many files begin in the cache."""
    cached = 0
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
            cached += 1
        except BlockingIOError:
            pass
        finally:
            os.close(fd)
    return cached


def large_files(folder: Path) -> list[str]:
    """Photographs of a megabyte and more."""
    from corpora import _picture
    from PIL import Image

    paths = []
    for i in range(16):
        path = folder / f"{i}.jpg"
        Image.fromarray(_picture(2400, 1600, i)).save(path, quality=92)
        paths.append(str(path))
    assert min(map(os.path.getsize, paths)) > 1e6
    return paths


@pytest.mark.parametrize("name", ["imagenet", "cifar", "1 MB and more"])
def test_cold(name, tmp_path):
    if name == "1 MB and more":
        paths, generated = large_files(tmp_path), True
    else:
        found, generated = corpus(name)
        paths = [str(path) for path in found]
    counts = (1, 2, 8)
    passes = {n: loader_peers._dctload(paths, "planes", "float16", n) for n in counts}
    times: dict[str, list[int]] = {}
    for round_ in range(-1, ROUNDS):  # one to warm up
        for n, one_pass in passes.items():
            for state in ("warm", "cold"):
                if state == "cold":
                    evict(paths)
                    assert num_cached(paths) <= len(paths) // 10
                start = time.perf_counter_ns()
                one_pass()
                passed = time.perf_counter_ns() - start
                if round_ >= 0:
                    times.setdefault(f"{state}, {n} threads", []).append(passed)
    rows = [
        row(
            f"cold, num_workers={n}",
            times,
            f"cold, {n} threads",
            f"warm, {n} threads",
            len(paths),
        )
        for n in counts
    ]
    section = Section(
        f"Cold and warm: {name}" + (" (generated)" if generated else ""),
        "All cores, random crops of 224 px, batches of 64. The peer is the same with "
        "the files in the page cache. What cold costs depends on the storage.",
        {"files": len(paths), "bytes": sum(map(os.path.getsize, paths))},
        rows,
    )
    record(f"cold {name}", section, clock="wall")
