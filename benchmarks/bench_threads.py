"""What do more threads bring, and does order between batches cost anything?

python -m pytest benchmarks/bench_threads.py -c benchmarks/pytest.ini -s
"""

import os

from corpora import corpus
from measure import Section, compare, record, row
from peers import python_peer, write_list


def test_threads():
    paths, generated = corpus("imagenet")
    list_ = write_list(paths)
    cores = len(os.sched_getaffinity(0))
    counts = [n for n in (1, 2, 4, 8, 16) if n <= cores]
    candidates = {
        f"{n} threads": python_peer("dctload decode_many", list_, BENCH_THREADS=str(n))
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
    record("threads imagenet", section)
