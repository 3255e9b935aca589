"""Scans of any legal symbols, and the same ones damaged, on every kind of CPU."""

import random

import ccore
import numpy as np
import oracle
import pytest
import variants
from random_scans import random_file

needs_oracle = pytest.mark.skipif(
    bool(oracle.why_missing()), reason=oracle.why_missing() or "present"
)
# The last one has a run of blocks with 48 corrections.
SEEDS = [*range(60), 200581]


@needs_oracle
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_is_legal_decodes_as_in_libjpeg(seed):
    data = random_file(seed)
    answer = oracle.read(data)
    assert answer.good, (answer.error, answer.warnings)
    outcome = ccore.decode(data)
    assert outcome.ok, (outcome.status, outcome.offset)
    np.testing.assert_array_equal(outcome.planes[0], answer.planes[0])


@needs_oracle
@pytest.mark.parametrize("seed", SEEDS[::4])
def test_what_is_there_of_a_cut_scan_is_what_libjpeg_has(seed):
    """Refused without being asked for; no block comes of bits that are missing."""
    data, rng = random_file(seed), random.Random(seed)
    decoder = ccore.Decoder()
    first_scan = data.index(b"\xff\xda")
    for _ in range(25):
        cut = data[: rng.randrange(first_scan + 14, len(data) - 2)]
        assert not decoder.decode(cut).ok
        lenient = decoder.decode(cut, ccore.ALLOW_TRUNCATED)
        answer = oracle.read(cut)
        if lenient.ok and not answer.error:
            np.testing.assert_array_equal(lenient.planes[0], answer.planes[0])


def damaged() -> dict[str, bytes]:
    """Each file whole, cut, and with bytes that are others."""
    files = {}
    for seed in SEEDS:
        data, rng = random_file(seed), random.Random(seed)
        files[f"{seed}"] = data
        files[f"{seed}-illegal"] = random_file(seed, is_legal=False)
        for n in range(6):
            changed = bytearray(data)
            for _ in range(rng.choice([1, 1, 3])):
                changed[rng.randrange(150, len(data))] = rng.randrange(256)
            if n % 3 == 0:
                del changed[rng.randrange(150, len(data)) :]
            files[f"{seed}-{n}"] = bytes(changed)
    return files


def test_every_variant_finds_the_same_values_and_errors(tmp_path):
    files = variants.write_files(damaged(), tmp_path)
    found = {
        f"{disable}: {way}": got
        for disable in variants.DISABLE
        for way, got in variants.digests(files, disable, tmp_path).items()
    }
    want = found.pop(": single")
    assert len(set(want.values())) > len(files) // 3
    assert len({text.split()[0] for text in want.values() if " at " in text}) > 3
    for way, got in found.items():
        assert got == want, way
