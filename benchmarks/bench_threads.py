"""What do more threads bring, and does order between batches cost anything?

python -m pytest benchmarks/bench_threads.py -c benchmarks/pytest.ini -s
"""

import os

import loader_peers
import pytest
from corpora import corpus
from measure import Section, compare, record, row
from peers import python_peer, write_list


def test_threads():
    paths, generated = corpus("imagenet")
    list_ = write_list(paths)
    cores = len(os.sched_getaffinity(0))
    counts = [n for n in (1, 2, 4, 8, 16) if n <= cores]
    candidates = {
        f"{n} threads": python_peer(
            "dctload decode_many", list_, BENCH_THREADS=str(n), BENCH_CLOCK="wall"
        )
        for n in counts
    }
    times = compare(candidates)
    rows = [
        row(
            f"decode_many, {n} threads",
            times,
            f"{n} threads",
            "1 threads",
            len(paths),
            1.9 if n == 2 else None,
        )
        for n in counts[1:]
    ]
    section = Section(
        "Threads: imagenet" + (" (generated)" if generated else ""),
        "All cores. Each ratio is to one thread of the same process kind.",
        {"files": len(paths), "bytes": sum(p.stat().st_size for p in paths)},
        rows,
    )
    record("threads imagenet", section, clock="wall")


@pytest.mark.parametrize("name", ["imagenet", "cifar"])
def test_loader_against_its_c_work(name):
    """The ideal loader has all work queued at once, with nothing left to decide."""
    paths, generated = corpus(name)
    paths = paths[: len(paths) // loader_peers.BATCH * loader_peers.BATCH]
    list_ = write_list(paths)
    counts = [n for n in (1, 2) if n <= len(os.sched_getaffinity(0))]
    candidates = {
        f"{peer}, {n} threads": python_peer(
            peer,
            list_,
            loader_peers.__file__,
            BENCH_THREADS=str(n),
            BENCH_CLOCK="wall",
        )
        for n in counts
        for peer in ("dctload loader", "C alone")
    }
    times = compare(candidates)
    rows = [
        row(
            f"loader, num_workers={n}",
            times,
            f"dctload loader, {n} threads",
            f"C alone, {n} threads",
            len(paths),
            0.9,
        )
        for n in counts
    ]
    section = Section(
        f"The loader and its C work: {name}" + (" (generated)" if generated else ""),
        "All cores, random crops of 224 px, batches of 64. The peer is the same C "
        "code with all files in one batch, whose geometry was drawn before.",
        {"files": len(paths), "bytes": sum(p.stat().st_size for p in paths)},
        rows,
    )
    record(f"ideal {name}", section, clock="wall")
