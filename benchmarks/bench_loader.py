"""File to model-ready batch, one core: what a training run waits for.

    python -m pytest benchmarks/bench_loader.py -c benchmarks/pytest.ini -s

The rest read whole files into pixels, resize, and normalise. Resampling is
antialiased (equal to Pillow's) but where a name says otherwise. Ours emits all 192
frequencies. Files are in the page cache.
"""

import loader_peers
import pytest
from corpora import corpus
from loader_peers import OURS, PEERS, is_installed
from measure import Section, compare, record, row
from peers import python_peer, write_list

from dctload import transforms

pytestmark = pytest.mark.usefixtures("one_core")

# The least that was promised: for either layout, and for files' own bytes.
FLOORS = {
    "DataLoader, Pillow-SIMD, torchvision": 4.0,
    "DALI CPU": 3.0,
    "nvImageCodec region, OpenCV linear": 2.0,
}


@pytest.mark.parametrize("name", ["imagenet", "clothing"])
def test_loader(name):
    paths, generated = corpus(name)
    # Whole batches only, so that an epoch is the same work for all.
    paths = paths[: len(paths) // loader_peers.BATCH * loader_peers.BATCH]
    list_ = write_list(paths)
    names = [*OURS, *filter(is_installed, PEERS)]
    candidates = {
        peer: python_peer(peer, list_, loader_peers.__file__) for peer in names
    }
    if hasattr(transforms, "RandAugment"):
        candidates["with RandAugment"] = python_peer(
            "dctload planes, half", list_, loader_peers.__file__, BENCH_AUGMENT="rand"
        )
    times = compare(candidates)
    rows = [
        row(
            ours,
            times,
            ours,
            peer,
            len(paths),
            FLOORS.get(peer) if name == "imagenet" and "=1" not in ours else None,
        )
        for ours in OURS
        for peer in PEERS
        if peer in times
    ]
    if "with RandAugment" in times:
        rows.append(
            row(
                "planes, half, with RandAugment",
                times,
                "with RandAugment",
                "dctload planes, half",
                len(paths),
                0.8,
            )
        )
    section = Section(
        f"Loading: {name}" + (" (generated)" if generated else ""),
        "One core, batches of 64 random crops of 224 px, decoded from the original "
        "files. num_workers=0 where nothing else is said.",
        {"files": len(paths), "bytes": sum(p.stat().st_size for p in paths)},
        rows,
    )
    record(f"load {name}", section)
