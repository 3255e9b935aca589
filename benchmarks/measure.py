"""Alternating rounds, medians, and where the results go.

Speeds of different minutes are not compared: in every round each candidate does
one pass, and a ratio is the median of the rounds' ratios.
"""

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from peers import Process, installed

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))


@dataclass
class Row:
    """One line of a table: ours against theirs.

    Attributes:
        name: What is measured.
        peer: What it is measured against.
        ours: Images a second, median over rounds.
        theirs: The same for the peer.
        ratio: ours / theirs, median over rounds.
        spread: The rounds' ratios, smallest and largest.
        floor: The ratio that was promised, if any.
        note: What the reader should know.
    """

    name: str
    peer: str
    ours: float
    theirs: float
    ratio: float
    spread: tuple[float, float]
    floor: float | None = None
    note: str = ""


@dataclass
class Section:
    """A table of results."""

    title: str
    text: str
    corpus: dict[str, object]
    rows: list[Row] = field(default_factory=list)


def compare(
    candidates: Mapping[str, Process], rounds: int = ROUNDS, passes: int = 1
) -> dict[str, list[int]]:
    """Nanoseconds of each candidate's rounds, after two passes to warm up.

    A round is the median of ``passes`` passes in a row. More than one for small sets:
    of a few milliseconds, the first tell what the process before left in the caches.

    A peer that ends at its first pass (a missing library, a file it cannot take)
    is left out, with its own message on stderr; we are not.
    """
    with ExitStack() as stack:
        for process in candidates.values():
            stack.callback(process.close)
        times: dict[str, list[int]] = {}
        for name, process in candidates.items():
            try:
                process.run()
                process.run()
                times[name] = []
            except EOFError:
                if "dctload" in name:
                    raise
                print(f"left out: {name}")
        for _ in range(rounds):
            for name in times:
                spent = [candidates[name].run() for _ in range(passes)]
                times[name].append(statistics.median_low(spent))
    return times


def row(
    name: str,
    times: Mapping[str, list[int]],
    ours: str,
    peer: str,
    images: int,
    floor: float | None = None,
    note: str = "",
) -> Row:
    """``ours`` against ``peer``, out of one ``compare()``."""
    ratios = [b / a for a, b in zip(times[ours], times[peer], strict=True)]
    return Row(
        name=name,
        peer=peer,
        ours=images / statistics.median(times[ours]) * 1e9,
        theirs=images / statistics.median(times[peer]) * 1e9,
        ratio=statistics.median(ratios),
        spread=(min(ratios), max(ratios)),
        floor=floor,
        note=note,
    )


def _git(*words: str) -> str:
    command = ["git", "-C", str(HERE), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip()


def machine() -> dict[str, object]:
    """What the figures depend on."""
    from dctload import _native

    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "changed": bool(_git("status", "--porcelain", "csrc", "dctload")),
        "cpu": cpu,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "clock": os.environ.get("BENCH_CLOCK", "wall"),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "variants": _native.cpu_features(),
        "packages": installed(),
    }


def record(key: str, section: Section, clock: str | None = None) -> None:
    """Keep a table for report.py, and print it.

    Args:
        key: Takes the place of what was kept under it before.
        section: The table.
        clock: What its processes went by, if that was not ``BENCH_CLOCK``.
    """
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    about = machine()
    about["clock"] = clock or about["clock"]
    results[key] = {"machine": about, **asdict(section)}
    RESULTS.write_text(json.dumps(results, indent=1))
    print(f"\n{section.title}")
    for r in section.rows:
        floor = f" (at least {r.floor})" if r.floor else ""
        print(
            f"  {r.name:45} {r.ours:9.0f}/s  {r.ratio:5.2f}x {r.peer} "
            f"{r.theirs:.0f}/s{floor}"
        )
