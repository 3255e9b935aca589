"""Inside DALI: our operator against DALI's, and against our decoder alone.

    python -m pytest benchmarks/bench_dali.py -c benchmarks/pytest.ini -s

Pipelines without a GPU, batches of 64, which run nothing ahead, so that a pass holds
all of its work. The stock pipelines make pixels, which is more work, and the usual one;
ours make amplitudes of all 192 frequencies. Both give half-precision tensors.
"""

import importlib.metadata
import os
import statistics

import dali_peers
import pytest
from corpora import corpus
from dali_peers import BATCH
from measure import Row, Section, compare, record, row
from peers import python_peer, write_list

# Seconds that the operator may add to an image, to DALI's reader and our decoder.
OVERHEAD = 10e-6


def _installed() -> bool:
    packages = ("nvidia-dali-cuda130", "nvidia-dali-cuda120")
    found = {dist.metadata["Name"] for dist in importlib.metadata.distributions()}
    return bool(found.intersection(packages))


pytestmark = pytest.mark.skipif(not _installed(), reason="needs NVIDIA DALI")


def _files(name: str):
    paths, generated = corpus(name)
    paths = paths[: len(paths) // BATCH * BATCH]
    about = {"files": len(paths), "bytes": sum(p.stat().st_size for p in paths)}
    return paths, " (generated)" if generated else "", about


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("name", ["imagenet", "clothing"])
def test_pipelines(name):
    paths, generated, about = _files(name)
    list_ = write_list(paths)
    stock = ["DALI", "DALI, fast IDCT, not antialiased"]
    ours = ["dctload in DALI, planes", "dctload in DALI, concat"]
    times = compare(
        {peer: python_peer(peer, list_, dali_peers.__file__) for peer in ours + stock}
    )
    goals = {("imagenet", ours[0], "DALI"): 3.0}
    rows = [
        row(own, times, own, peer, len(paths), goals.get((name, own, peer)))
        for own in ours
        for peer in stock
    ]
    text = (
        "One core, random crops to 224 px, mirrored at random, normalised, half "
        "precision, by readers.file and one thread."
    )
    record(
        f"dali {name}", Section(f"DALI pipelines: {name}{generated}", text, about, rows)
    )


@pytest.mark.usefixtures("one_core")
def test_operator_against_its_parts():
    paths, generated, about = _files("imagenet")
    list_, num = write_list(paths), len(paths)
    whole, reader, decoder = (
        "dctload in DALI, whole images",
        "DALI's reader",
        "dctload's decoder",
    )
    times = compare(
        {
            peer: python_peer(peer, list_, dali_peers.__file__)
            for peer in (whole, reader, decoder)
        }
    )
    parts = [a + b for a, b in zip(times[reader], times[decoder], strict=True)]
    added = [(a - b) / num / 1e9 for a, b in zip(times[whole], parts, strict=True)]
    ratios = [b / a for a, b in zip(times[whole], parts, strict=True)]
    allowed = statistics.median(parts)
    made = Row(
        whole,
        "DALI's reader and dctload's decoder",
        num / statistics.median(times[whole]) * 1e9,
        num / statistics.median(parts) * 1e9,
        statistics.median(ratios),
        (min(ratios), max(ratios)),
        round(allowed / (allowed + OVERHEAD * 1e9 * num), 3),
        f"The operator adds {statistics.median(added) * 1e6:.1f} us an image "
        f"(rounds: {min(added) * 1e6:.1f} to {max(added) * 1e6:.1f}); the goal is 10.",
    )
    text = "One core. The peer's time is the sum of the two, each measured alone."
    section = Section(f"DALI: what the operator adds{generated}", text, about, [made])
    record("dali overhead", section)


def test_threads():
    paths, generated, about = _files("imagenet")
    list_ = write_list(paths)
    counts = [n for n in (1, 2) if n <= len(os.sched_getaffinity(0))]
    times = compare(
        {
            f"{n} threads": python_peer(
                "dctload in DALI, planes",
                list_,
                dali_peers.__file__,
                BENCH_THREADS=str(n),
                BENCH_CLOCK="wall",
            )
            for n in counts
        }
    )
    rows = [
        row(
            f"dctload in DALI, planes, {n} threads",
            times,
            f"{n} threads",
            "1 threads",
            len(paths),
            1.85 if n == 2 else None,
        )
        for n in counts[1:]
    ]
    text = "All cores; nothing runs ahead."
    section = Section(f"DALI: threads{generated}", text, about, rows)
    record("dali threads", section, clock="wall")
