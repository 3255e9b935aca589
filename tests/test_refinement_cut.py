"""Refinement scans that break off: never whole, and never more than libjpeg has."""

import time

import ccore
import numpy as np
import oracle
import pytest
from slow_files import EOI, NUM_BLOCKS, ONE_BIT, Bits, dht, head, sos

import dctload

needs_oracle = pytest.mark.skipif(
    bool(oracle.why_missing()), reason=oracle.why_missing() or "present"
)


def bits(text: str) -> bytes:
    return Bits().put(int(text, 2), len(text)).bytes()


def first_scans(run_symbol: int, blocks: str, **size: int) -> bytes:
    """DC of zeros, then the first scan of one coefficient; its codes are those of
    the refinement too: 0 a coefficient, 100 an end, 1010 a run of ends."""
    num = size.get("width", 512) * size.get("height", 512) // 64
    table = [(1, 0x01), (3, 0x00), (4, run_symbol)]
    data = head(0xC2, 1, **size) + dht(0, 0, ONE_BIT) + dht(1, 0, table)
    data += sos([0], 0, 0, 0, 0) + Bits().put(0, num).bytes()
    return data + sos([0], 1, 1, 0, 1) + bits(blocks) + sos([0], 1, 1, 1, 0)


@needs_oracle
def test_no_block_is_made_of_bits_that_are_missing():
    """Ends and corrections of runs take bits before it is seen that they are gone."""
    begin = first_scans(0xC0, ("01" + "100" * 3) * (NUM_BLOCKS // 4))
    scan = bits(("1001" + "100" * 3) * (NUM_BLOCKS // 4))
    decoder = ccore.Decoder()
    for end in range(300, len(scan) - 1, 7):
        for tail in (b"", EOI):
            data = begin + scan[:end] + tail
            assert decoder.decode(data).status == "TRUNCATED"
            lenient = decoder.decode(data, ccore.ALLOW_TRUNCATED)
            assert "truncated" in lenient.warnings
            want = oracle.read(data).planes[0]
            np.testing.assert_array_equal(lenient.planes[0], want, f"{end} bytes")


def test_a_scan_whose_last_run_is_cut_is_not_whole():
    """The run reaches the last block, and its corrections are missing."""
    start, run = NUM_BLOCKS - 400, 400
    for touched in range(start + 24, start + 100):
        refined = "01" * start + "1010" + format(run - 256, "08b")
        refined += "1" * (NUM_BLOCKS - touched)
        if len(refined) % 8 == 0:
            break
    begin = first_scans(0x80, "100" * touched + "01" * (NUM_BLOCKS - touched))
    scan = bits(refined)
    assert ccore.decode(begin + scan + EOI).ok
    for cut in range(1, 30):
        outcome = ccore.decode(begin + scan[:-cut] + EOI)
        assert outcome.status == "TRUNCATED", f"{cut} bytes less"
        lenient = ccore.decode(begin + scan[:-cut] + EOI, ccore.ALLOW_TRUNCATED)
        assert "truncated" in lenient.warnings


def seconds(side: int) -> float:
    """To refine a band that has nothing in it, by codes that are long, for a block."""
    num = side * side // 64
    table = [(1, 0x00), (3, 0x00), (10, 0x01)]
    data = head(0xC2, 1, side, side) + dht(0, 0, ONE_BIT) + dht(1, 0, table)
    data += sos([0], 0, 0, 0, 0) + Bits().put(0, num).bytes()
    data += sos([0], 1, 1, 0, 1) + bits("0" * num)
    data += sos([0], 1, 1, 1, 0) + bits("10100000001" * num) + EOI
    decoder = dctload.Decoder()
    times = []
    for _ in range(3):
        start = time.thread_time()
        decoder.decode(data)
        times.append(time.thread_time() - start)
    return min(times) / num


def test_time_to_refine_grows_with_the_image_not_with_its_square():
    assert seconds(2048) < 4 * seconds(512)
