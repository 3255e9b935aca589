"""Files made to cost much time for few bytes, each for a reason of its own."""

import functools
import random
from collections.abc import Iterator

WIDTH, HEIGHT = 512, 512  # grey: 4,096 blocks


class Bits:
    """Entropy-coded bytes, stuffed."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def put(self, value: int, nbits: int) -> "Bits":
        """Append ``nbits`` bits of ``value``."""
        self._bits.append(format(value, f"0{nbits}b"))
        return self

    def bytes(self) -> bytes:
        """Fill the last byte up with ones."""
        text = "".join(self._bits)
        text += "1" * (-len(text) % 8)
        data = int(text, 2).to_bytes(len(text) // 8, "big") if text else b""
        return data.replace(b"\xff", b"\xff\x00")


def segment(marker: int, payload: bytes) -> bytes:
    """A marker segment."""
    return bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload


def dht(kind: int, slot: int, symbols: list[tuple[int, int]]) -> bytes:
    """A table of (length, symbol), ascending."""
    counts = bytes(sum(n == length for n, _ in symbols) for length in range(1, 17))
    return segment(
        0xC4, bytes([kind << 4 | slot]) + counts + bytes(s for _, s in symbols)
    )


def head(sof: int, num_components: int = 1, width=WIDTH, height=HEIGHT) -> bytes:
    """SOI, DQT and SOF, without subsampling."""
    frame = bytes([8, *height.to_bytes(2, "big"), *width.to_bytes(2, "big")])
    frame += bytes([num_components])
    for c in range(num_components):
        frame += bytes([c + 1, 0x11, 0])
    return b"\xff\xd8" + segment(0xDB, b"\0" + bytes([1] * 64)) + segment(sof, frame)


def sos(components: list[int], ss: int, se: int, ah: int, al: int, slot=0) -> bytes:
    """A scan header; all tables are of one slot."""
    selectors = b"".join(bytes([c + 1, slot << 4 | slot]) for c in components)
    return segment(
        0xDA, bytes([len(components)]) + selectors + bytes([ss, se, ah << 4 | al])
    )


NUM_BLOCKS = WIDTH * HEIGHT // 64
EOI = b"\xff\xd9"
JUNK = b"\0\xff" * 100_000
ONE_BIT = [(1, 0)]
# 00: an end-of-band run of 4096 to 8191 blocks; 01: of 4 to 7; 10: a coefficient.
RUNS = [(2, 0xC0), (2, 0x20), (2, 0x01)]
# 0: the end of a band in one block; 10: a coefficient; 110: in 4096 to 8191 blocks.
EOBS = [(1, 0x00), (2, 0x01), (3, 0xC0)]
# 0: a coefficient; 10: the end of a band in one block; 110: in 4096 to 8191 blocks.
COEFFICIENTS = [(1, 0x01), (2, 0x00), (3, 0xC0)]
# 0: the end of a band in one block; 10: in two or three; 110: a coefficient.
SHORT_RUNS = [(1, 0x00), (2, 0x10), (3, 0x01)]


def scan_chains(num: int) -> Iterator[tuple[int, int, int]]:
    """(coefficient, Ah, Al) of so many legal scans, a bit at a time."""
    chains = [
        (k, 0 if al == 13 else al + 1, al)
        for k in range(1, 64)
        for al in range(13, -1, -1)
    ]
    return iter(chains[:num])


def many_scans(every: int, tables: bool = False) -> bytes:
    """A progressive file of 500 scans, each of a few bytes, over all the blocks.

    ``every``: so many blocks have one coefficient that is not zero, and takes a bit
    of each scan: 1, 8 or, for no block, 0. ``tables``: every scan has a new table.
    """
    out = head(0xC2) + dht(0, 0, ONE_BIT) + dht(1, 0, RUNS)
    out += sos([0], 0, 0, 0, 0) + Bits().put(0, NUM_BLOCKS).bytes()
    for n, (k, ah, al) in enumerate(scan_chains(499)):
        if tables:
            spare = [(16, (n * 7 + i) % 256) for i in range(100)]
            out += dht(1, 0, [*RUNS, *spare])
        bits = Bits()
        if every == 0 or ah != 0:
            bits.put(0b00, 2).put(0, 12)
            if every != 0:
                bits.put((1 << NUM_BLOCKS // every) - 1, NUM_BLOCKS // every)
        else:
            for _ in range(NUM_BLOCKS // every):
                if every == 8:
                    bits.put(0b01, 2).put(3, 2)
                bits.put(0b10, 2).put(1, 1)
        out += sos([0], k, k, ah, al) + bits.bytes()
    return out + EOI


def empty_blocks(refined: bool) -> bytes:
    """AC scans in which each block is a code of one bit, and has no coefficient."""
    out = head(0xC2) + dht(0, 0, ONE_BIT) + dht(1, 0, EOBS)
    zeros = Bits().put(0, NUM_BLOCKS).bytes()
    out += sos([0], 0, 0, 0, 0) + zeros
    for k, ah, al in scan_chains(140) if refined else ((k, 0, 0) for k in range(1, 64)):
        out += sos([0], k, k, ah, al) + zeros
    return out + EOI


def blocks_with_corrections(share: float, num_scans: int) -> bytes:
    """A share of the blocks, anywhere, has a coefficient, and all have codes.

    In refinement each block is a code of one bit and, if it has a coefficient, a bit
    to correct it by, or not: nothing is predictable.
    """
    rng = random.Random(0)
    out = head(0xC2) + dht(0, 0, ONE_BIT) + dht(1, 0, EOBS)
    out += sos([0], 0, 0, 0, 0) + Bits().put(0, NUM_BLOCKS).bytes()
    for k, ah, al in scan_chains(num_scans):
        if ah == 0:
            touched = [rng.random() < share for _ in range(NUM_BLOCKS)]
        bits = Bits()
        for has_coefficient in touched:
            if ah != 0 or not has_coefficient:
                bits.put(0, 1)
            if has_coefficient:
                bits.put(rng.getrandbits(1), 1) if ah != 0 else bits.put(0b101, 3)
        out += sos([0], k, k, ah, al) + bits.bytes()
    return out + EOI


def sparse_bands(share: float) -> bytes:
    """500 scans that pass all blocks in one code, and correct some anywhere."""
    rng = random.Random(0)
    out = head(0xC2) + dht(0, 0, ONE_BIT) + dht(1, 0, EOBS)
    out += sos([0], 0, 0, 0, 0) + Bits().put(0, NUM_BLOCKS).bytes()
    for k, ah, al in scan_chains(499):
        bits = Bits()
        if ah == 0:
            touched = [rng.random() < share for _ in range(NUM_BLOCKS)]
            for has_coefficient in touched:
                bits.put(0b101 if has_coefficient else 0, 3 if has_coefficient else 1)
        else:
            bits.put(0b110, 3).put(0, 12).put(0, sum(touched))
        out += sos([0], k, k, ah, al) + bits.bytes()
    return out + EOI


def new_coefficients(refined: bool) -> bytes:
    """Each block gets a coefficient, of a code of one bit and a sign, in 63 scans."""
    rng = random.Random(0)
    out = head(0xC2) + dht(0, 0, ONE_BIT) + dht(1, 0, COEFFICIENTS)
    out += sos([0], 0, 0, 0, 0) + Bits().put(0, NUM_BLOCKS).bytes()
    for k in range(1, 64):
        if refined:
            out += sos([0], k, k, 0, 1) + Bits().put(0b110, 3).put(0, 12).bytes()
        bits = Bits()
        for _ in range(NUM_BLOCKS):
            bits.put(rng.getrandbits(1), 2)
        out += sos([0], k, k, int(refined), 0) + bits.bytes()
    return out + EOI


def zeros_or_ends() -> bytes:
    """Refinement in which each block is sixteen zeros or an end of one, at random."""
    rng = random.Random(0)
    out = head(0xC2) + dht(0, 0, ONE_BIT) + dht(1, 0, [(1, 0xF0), (2, 0x00)])
    out += sos([0], 0, 0, 0, 0) + Bits().put(0, NUM_BLOCKS).bytes()
    for k in (1, 17, 33):
        for al in range(13, -1, -1):
            bits = Bits()
            for _ in range(NUM_BLOCKS):
                bits.put(*rng.choice([(0, 1), (0b10, 2)]))
            out += sos([0], k, k + 15, 0 if al == 13 else al + 1, al) + bits.bytes()
    return out + EOI


def short_runs(share: float) -> bytes:
    """End-of-band runs of one to three blocks, of which a share is corrected."""
    rng = random.Random(0)
    out = head(0xC2) + dht(0, 0, ONE_BIT) + dht(1, 0, SHORT_RUNS)
    out += sos([0], 0, 0, 0, 0) + Bits().put(0, NUM_BLOCKS).bytes()
    for k, ah, al in scan_chains(140):
        bits = Bits()
        if ah == 0:
            touched = [rng.random() < share for _ in range(NUM_BLOCKS)]
            for has_coefficient in touched:
                bits.put(*((0b1101, 4) if has_coefficient else (0, 1)))
        block = 0
        while ah != 0 and block < NUM_BLOCKS:
            run = rng.choice([1, 1, 2, 3])
            if block + run > NUM_BLOCKS:
                run = 1
            bits.put(*((0, 1) if run == 1 else (0b100 | run - 2, 3)))
            for _ in range(sum(touched[block : block + run])):
                bits.put(rng.getrandbits(1), 1)
            block += run
        out += sos([0], k, k, ah, al) + bits.bytes()
    return out + EOI


def restarts() -> bytes:
    """Every block has a segment of its own."""
    out = head(0xC0) + dht(0, 0, ONE_BIT) + dht(1, 0, ONE_BIT)
    out += segment(0xDD, b"\0\1") + sos([0], 0, 63, 0, 0)
    for i in range(NUM_BLOCKS):
        out += Bits().put(0, 2).bytes() + bytes([0xFF, 0xD0 + i % 8])
    return out[:-2] + EOI


def long_codes() -> bytes:
    """Every coefficient has a code of 16 bits, which no table holds."""
    ac = [(1, 0), *((16, 0x10 * run | 1) for run in range(16))]
    out = head(0xC0) + dht(0, 0, ONE_BIT) + dht(1, 0, ac)
    out += sos([0], 0, 63, 0, 0)
    bits = Bits()
    for _ in range(NUM_BLOCKS):
        bits.put(0, 1)
        for _ in range(63):
            bits.put(0x8000, 16).put(1, 1)
    return out + bits.bytes() + EOI


def tables_of_its_own(seed: int) -> bytes:
    """Four components of one block in four scans, each with two new tables.

    Two codes of 2 bits before many of 7: of 1,100 random tables these took longest
    to make, since nearly every entry holds symbols of its own.
    """
    out = head(0xC0, 4, 8, 8)
    for c in range(4):
        n = 4 * seed + c
        dc = [(2, 0), (3, n % 11 + 1), (4, n // 11 % 11 + 1)]
        ac = [(2, 0), (2, 0x21), *((7, 1 + 0x10 * (i % 12)) for i in range(62))]
        ac += [(8, n % 256), (8, n // 256)]
        out += dht(0, 0, dc) + dht(1, 0, ac)
        out += sos([c], 0, 63, 0, 0) + Bits().put(0, 4).bytes()
    return out + EOI


def without_data(sof: int, width: int, height: int) -> bytes:
    """A header, and nothing behind it."""
    out = head(sof, 1, width, height) + dht(0, 0, ONE_BIT) + dht(1, 0, ONE_BIT)
    return out + sos([0], 0, 63 if sof == 0xC0 else 0, 0, 0) + EOI


def segments(marker: int, payload: bytes, num: int) -> bytes:
    """A file of one block behind many segments."""
    out = head(0xC0, 1, 8, 8) + segment(marker, payload) * num
    out += dht(0, 0, ONE_BIT) + dht(1, 0, ONE_BIT) + sos([0], 0, 63, 0, 0)
    return out + Bits().put(0, 2).bytes() + EOI


def many_scans_of(width: int, height: int, tables: bool) -> bytes:
    """500 scans without a coefficient, in an image of other dimensions."""
    num_blocks = width * height // 64
    run = num_blocks.bit_length() - 1
    symbols = [(1, run << 4)]
    out = head(0xC2, 1, width, height) + dht(0, 0, ONE_BIT) + dht(1, 0, symbols)
    out += sos([0], 0, 0, 0, 0) + Bits().put(0, num_blocks).bytes()
    for n, (k, ah, al) in enumerate(scan_chains(499)):
        if tables:
            out += dht(1, 0, [*symbols, (10, n % 255 + 1), (11, n // 255 + 1)])
        bits = Bits().put(0, 1)
        if run != 0:
            bits.put(num_blocks - (1 << run), run)
        out += sos([0], k, k, ah, al) + bits.bytes()
    return out + EOI


def is_progressive(data: bytes) -> bool:
    """Of the files here."""
    return b"\xff\xc2" in data[:100]


@functools.cache
def slow() -> dict[str, bytes]:
    """Name, and file."""
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(12) * 5000
    return {
        "500 scans of zeros": many_scans(0),
        "500 scans, few coefficients": many_scans(8),
        "500 scans, many coefficients": many_scans(1),
        "500 scans with tables": many_scans(0, tables=True),
        "500 scans, coefficients anywhere": sparse_bands(1 / 8),
        "a code for each block": empty_blocks(refined=False),
        "a code for each block, refined": empty_blocks(refined=True),
        "a code and a bit for half the blocks": blocks_with_corrections(1 / 2, 140),
        "a code and a bit for each block": blocks_with_corrections(1, 140),
        "a code and a bit for a quarter": blocks_with_corrections(1 / 4, 140),
        "a new coefficient for each block": new_coefficients(refined=False),
        "a new coefficient for each, refined": new_coefficients(refined=True),
        "zeros or an end for each block": zeros_or_ends(),
        "short runs": short_runs(0),
        "short runs, half of the blocks corrected": short_runs(1 / 2),
        "a restart for each block": restarts(),
        "codes of 16 bits": long_codes(),
        "empty comments": segments(0xFE, b"", 50_000),
        "quantisation tables": segments(0xDB, b"\0" + bytes([1] * 64), 5_000),
        "EXIF of many entries": segments(0xE1, exif, 10),
        "junk": segments(0xFE, b"", 0).replace(b"\xff\xc4", JUNK + b"\xff\xc4", 1),
    }
