"""One core, files in memory, warm: what do coefficients cost?

    make bench, or
    python -m pytest benchmarks/bench_decode.py -c benchmarks/pytest.ini -s

Whole sets, never a few small files: a branch predictor learns those by heart.
Entropy decoding is compared with entropy decoding; rows against a full decode to
RGB say so. Before any timing the coefficients are compared with libjpeg's.
"""

import numpy as np
import pytest
from corpora import SETS, corpus
from measure import Section, compare, record, row
from peers import COEFFICIENTS, PIXELS, Process, python_peer, version, write_list

import dctload

pytestmark = pytest.mark.usefixtures("one_core")

# The least that was promised, by corpus: against jpeg_read_coefficients().
FLOORS = {
    "imagenet": 3.0,
    "imagenet, restart markers": 3.0,
    "clothing": 2.7,
    "clothing, progressive": 1.5,
    "cifar": 1.0,
}
COEFS = "libjpeg-turbo coefficients"
RGB = "libjpeg-turbo RGB"


def _assert_equal_to_libjpeg(libjpeg, paths, list_, tmp_path):
    """A wrong answer has no speed."""
    dump = tmp_path / "coefficients"
    process = Process([libjpeg, list_])
    process.run(f"dump {dump}")
    process.close()
    want = np.fromfile(dump, np.int16)
    at = 0
    files = [path.read_bytes() for path in paths]
    for start in range(0, len(files), 64):
        for image in dctload.decode_many(files[start : start + 64]):
            for plane in image.planes:
                np.testing.assert_array_equal(plane.ravel(), want[at : at + plane.size])
                at += plane.size
    assert at == want.size


def _candidates(libjpeg, list_, name):
    """Processes to compare on a corpus."""
    out = {
        COEFS: Process([libjpeg, list_], "coefficients"),
        RGB: Process([libjpeg, list_], "rgb"),
        "dctload decode_many": python_peer("dctload decode_many", list_),
        "dctload decode": python_peer("dctload decode", list_),
    }
    if name != "clothing, progressive":
        out["without AVX-512"] = python_peer(
            "dctload decode_many", list_, DCTLOAD_DISABLE_CPU="avx512"
        )
    if name.startswith("imagenet"):
        out["dctload region"] = python_peer("dctload region", list_)
        out["dctload crop"] = python_peer("dctload crop", list_)
        out["dctload whole"] = python_peer("dctload whole", list_)
    if name == "cifar":
        out["dctload C core"] = python_peer("dctload C core", list_)
    if name in ("imagenet", "cifar"):
        for peer in [*COEFFICIENTS, *PIXELS]:
            if version(peer) is not None:
                out[peer] = python_peer(peer, list_)
    return out


def _rows(name, times, num):
    many = "dctload decode_many"

    def line(text, ours, peer, floor=None, note=""):
        return row(text, times, ours, peer, num, floor, note)

    rows = [line("decode_many", many, COEFS, FLOORS[name])]
    if "without AVX-512" in times:
        floor = 2.1 if name == "imagenet" else None
        rows.append(line("the same without AVX-512", "without AVX-512", COEFS, floor))
    single = 1.4 if name == "imagenet" else None
    rows.append(line("decode, one at a time", "dctload decode", COEFS, single))
    full = 4.0 if name == "imagenet" else None
    rows.append(line("decode_many, against a full decode", many, RGB, full))
    if name == "cifar":
        rows.append(line("C core, no Python objects", "dctload C core", COEFS, 2.0))
    if "dctload crop" in times:
        floor = 2.0 if "restart" in name else 1.3
        rows.append(line("a region of half the sides", "dctload region", many, floor))
        text = "a crop of half the sides, as samples"
        rows.append(line(text, "dctload crop", "dctload whole"))
    for peer in COEFFICIENTS:
        if peer in times:
            rows.append(line("decode_many", many, peer))
    for peer in PIXELS:
        if peer in times:
            rows.append(line("decode_many, against a full decode", many, peer))
    return rows


@pytest.mark.parametrize("name", SETS)
def test_decode(name, libjpeg, tmp_path):
    paths, generated = corpus(name)
    list_ = write_list(paths)
    _assert_equal_to_libjpeg(libjpeg, paths, list_, tmp_path)
    passes = 10 if name == "cifar" else 1
    times = compare(_candidates(libjpeg, list_, name), passes=passes)
    section = Section(
        f"Decoding: {name}" + (" (generated)" if generated else ""),
        "One thread on one core. Images a second, and the ratio to the peer.",
        {"files": len(paths), "bytes": sum(p.stat().st_size for p in paths)},
        _rows(name, times, len(paths)),
    )
    if name == "cifar" and (found := [p for p in COEFFICIENTS if p in times]):
        fastest = min(found, key=lambda peer: sum(times[peer]))
        for r in section.rows:
            if r.peer == fastest:
                r.floor = 5.0
    record(f"decode {name}", section)
