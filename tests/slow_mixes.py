"""More files made to take long, of short symbols that come as nobody expects."""

import functools
import random
from collections.abc import Callable

from random_scans import RST0, Band, code_words
from slow_files import EOBS, EOI, NUM_BLOCKS, ONE_BIT, Bits, dht, head, segment, sos

# Tables of two symbols each, of one and two bits.
ZRL_OR_END = [(1, 0xF0), (2, 0x00)]
ENDS_OF_1_TO_3 = [(1, 0x00), (2, 0x10)]
ENDS_OF_2_OR_3 = [(1, 0x10), (2, 0x00)]
ENDS_OF_4_TO_7 = [(1, 0x20), (2, 0x00)]
ENDS_OF_16_TO_31 = [(1, 0x40), (2, 0x00)]
ENDS_OR_COEFFICIENTS = [(1, 0x10), (2, 0x01), (3, 0x00)]


def whole(bits: str) -> bytes:
    return Bits().put(int(bits, 2), len(bits)).bytes()


def first_mix(table: list[tuple[int, int]], weights: list[int]) -> bytes:
    """First scans of one coefficient each."""
    rng = random.Random(0)
    out = head(0xC2) + dht(0, 0, ONE_BIT) + dht(1, 0, table)
    out += sos([0], 0, 0, 0, 0) + whole("0" * NUM_BLOCKS)
    for k in range(1, 64):
        band = Band(rng, NUM_BLOCKS, k, k, 0, True)
        symbols = band.symbols(code_words(table), weights, 0, NUM_BLOCKS, False)
        out += sos([0], k, k, 0, 0) + whole("".join(symbols))
    return out + EOI


def in_intervals(restart: int, bits_of: Callable[[int, int], str]) -> bytes:
    """The data of a scan, of which ``bits_of`` has those of blocks [i, end)."""
    out = b""
    for n, i in enumerate(range(0, NUM_BLOCKS, restart)):
        if n != 0:
            out += bytes([0xFF, RST0 + (n - 1) % 8])
        out += whole(bits_of(i, min(i + restart, NUM_BLOCKS)))
    return out


def refined_mix(
    table, weights: list[int], share: float, num_bands: int = 5, restart=NUM_BLOCKS
) -> bytes:
    """A share of the blocks has a coefficient, and thirteen scans refine it."""
    rng = random.Random(0)
    out = head(0xC2) + dht(0, 0, ONE_BIT) + segment(0xDD, restart.to_bytes(2, "big"))
    out += sos([0], 0, 0, 0, 0) + in_intervals(restart, lambda i, end: "0" * (end - i))
    for k in range(1, num_bands + 1):
        band = Band(rng, NUM_BLOCKS, k, k, 0, True)
        for block in band.nonzero:
            block[0] = rng.random() < share
        first = ["101" if block[0] else "0" for block in band.nonzero]
        out += dht(1, 0, EOBS) + sos([0], k, k, 0, 13)
        out += in_intervals(restart, lambda i, end, x=first: "".join(x[i:end]))
        out += dht(1, 0, table)

        def refined(i: int, end: int, band=band) -> str:
            return "".join(band.symbols(code_words(table), weights, i, end, True))

        for al in range(12, -1, -1):
            out += sos([0], k, k, al + 1, al) + in_intervals(restart, refined)
    return out + EOI


def wide_mix(table, weights: list[int], width: int) -> bytes:
    """Bands of so many coefficients, of which refinement finds all there are."""
    rng = random.Random(0)
    out = head(0xC2) + dht(0, 0, ONE_BIT)
    out += sos([0], 0, 0, 0, 0) + whole("0" * NUM_BLOCKS)
    for k in range(1, 65 - width, width):
        band = Band(rng, NUM_BLOCKS, k, k + width - 1, 0, True)
        out += dht(1, 0, EOBS) + sos([0], k, band.se, 0, 13) + whole("110" + "0" * 12)
        out += dht(1, 0, table)
        for al in range(12, -1, -1):
            bits = band.symbols(code_words(table), weights, 0, NUM_BLOCKS, True)
            out += sos([0], k, band.se, al + 1, al) + whole("".join(bits))
    return out + EOI


@functools.cache
def mixes() -> dict[str, bytes]:
    """Name, and file."""
    return {
        "sixteen zeros for each block": first_mix(ZRL_OR_END, [1, 0]),
        "sixteen zeros for each, refined": refined_mix(ZRL_OR_END, [1, 0], 0.25),
        "sixteen zeros or an end, refined": refined_mix(ZRL_OR_END, [3, 1], 0.25),
        "ends of 1 or more, a tenth": refined_mix(ENDS_OF_1_TO_3, [9, 1], 0.1),
        "ends of 1 or more, half": refined_mix(ENDS_OF_1_TO_3, [9, 1], 0.5),
        "ends of 2 or 3, a quarter": refined_mix(ENDS_OF_2_OR_3, [9, 1], 0.25),
        "ends of 4 to 7, a tenth": refined_mix(ENDS_OF_4_TO_7, [9, 1], 0.1),
        "ends of 16 to 31, a tenth": refined_mix(ENDS_OF_16_TO_31, [9, 1], 0.1),
        "ends of 2 or 3 and coefficients": wide_mix(
            ENDS_OR_COEFFICIENTS, [40, 10, 1], 16
        ),
        "sixteen zeros or an end in 17": wide_mix(ZRL_OR_END, [1, 1], 17),
        "ends in 64 blocks from marker to marker": refined_mix(
            ENDS_OF_1_TO_3, [1, 0], 0.3, restart=64
        ),
    }
