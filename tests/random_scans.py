"""Progressive files of symbols drawn at random, from tables no encoder would make.

Whoever encodes coefficients uses few of the symbols that are legal, and seldom the
short way of writing them. Here a scan is a row of symbols, each of which is drawn from
those that may stand there; what coefficients come of it is libjpeg's to say.
"""

import random
from dataclasses import dataclass, field

from slow_files import EOI, ONE_BIT, Bits, dht, head, segment, sos

ZRL = 0xF0
RST0 = 0xD0


def random_codes(rng: random.Random, symbols: list[int]) -> list[tuple[int, int]]:
    """(length, symbol), ascending, of a code that is not full; a few are long.

    Often the last symbol takes but a bit.
    """
    while True:
        longest = rng.choice([3, 5, 8, 12, 16])
        lengths = [rng.randint(1, longest) for _ in symbols]
        if rng.random() < 0.5:
            lengths = [min(n + 1, 16) for n in lengths[:-1]] + [1]
        if sum(2.0**-n for n in lengths) <= 1 - 2.0**-16:
            return sorted(zip(lengths, symbols, strict=True))


def code_words(table: list[tuple[int, int]]) -> list[tuple[int, str]]:
    """(symbol, bits) of a table; a symbol may have several codes."""
    words, code, last = [], 0, 0
    for length, symbol in table:
        code <<= length - last
        last = length
        words.append((symbol, format(code, f"0{length}b")))
        code += 1
    return words


@dataclass
class Band:
    """One band of a component of grey, and the scans over it so far."""

    rng: random.Random
    num_blocks: int
    ss: int
    se: int
    restart: int
    is_legal: bool
    nonzero: list[list[bool]] = field(init=False)

    def __post_init__(self) -> None:
        width = self.se - self.ss + 1
        self.nonzero = [[False] * width for _ in range(self.num_blocks)]

    def draw_table(self, refined: bool, al: int) -> list[tuple[int, int]]:
        """Some symbols of each kind, the end of a band in one block among them."""
        rng = self.rng
        max_run = min(6, self.num_blocks.bit_length() - 1)
        runs = [0x10 * rng.randint(0, max_run) for _ in range(rng.randint(0, 3))]
        sizes = 1 if refined else min(14 - al, rng.choice([1, 1, 3, 9]))
        if not self.is_legal:
            sizes += rng.choice([0, 0, 1, 6])
        coefs = [
            0x10 * rng.choice([0, 0, 0, 1, 3, 15]) + rng.randint(1, max(sizes, 1))
            for _ in range(rng.randint(0, 4))
        ]
        zrls = [ZRL] * rng.choice([0, 0, 1, 2])
        return random_codes(rng, [0x00, *runs, *zrls, *coefs])

    def first_block(self, word: str, symbol: int, i: int, k: int) -> tuple[str, int]:
        """Bits of a symbol in a first scan at place k, and the next place; or none."""
        run, size = symbol >> 4, symbol & 15
        if size == 0:
            return word, k + 16
        if k + run > self.se - self.ss:
            return "", k
        self.nonzero[i][k + run] = True
        return word + self.random_bits(size), k + run + 1

    def refined_block(self, word: str, symbol: int, i: int, k: int) -> tuple[str, int]:
        """The same in refinement, with the corrections of what is passed."""
        block, left, passed = self.nonzero[i], symbol >> 4, 0
        place = k
        while place < len(block) and (block[place] or left > 0):
            passed += block[place]
            left -= not block[place]
            place += 1
        if symbol & 15 == 0:
            return word + self.random_bits(passed), place + 1
        if place == len(block):
            return "", k
        block[place] = True
        return word + self.random_bits(1 + passed), place + 1

    def random_bits(self, n: int) -> str:
        return format(self.rng.getrandbits(n), f"0{n}b") if n else ""

    def scan(self, ah: int, al: int) -> bytes:
        """A scan with its table."""
        table = self.draw_table(ah != 0, al)
        out = dht(1, 0, table) + sos([0], self.ss, self.se, ah, al)
        words = code_words(table)
        weights = [self.rng.choice([1, 1, 4, 20]) for _ in words]
        step = self.restart or self.num_blocks
        for n, begin in enumerate(range(0, self.num_blocks, step)):
            if n != 0:
                out += bytes([0xFF, RST0 + (n - 1) % 8])
            end = min(begin + step, self.num_blocks)
            bits = "".join(self.symbols(words, weights, begin, end, ah != 0))
            out += Bits().put(int(bits, 2), len(bits)).bytes()
        return out

    def symbols(self, words, weights, i: int, end: int, refined: bool):
        """Bits of the blocks of a segment, symbol by symbol."""
        take = self.refined_block if refined else self.first_block
        width = self.se - self.ss + 1
        k = 0
        while i < end:
            [(symbol, word)] = self.rng.choices(words, weights)
            if symbol & 15 == 0 and symbol != ZRL:
                run = symbol >> 4
                extra = self.random_bits(run)
                num = (1 << run) + (int(extra, 2) if extra else 0)
                if num > end - i:
                    continue
                old = sum(self.nonzero[i][k:])
                old += sum(map(sum, self.nonzero[i + 1 : i + num]))
                yield word + extra + (self.random_bits(old) if refined else "")
                i, k = i + num, 0
                continue
            bits, k = take(word, symbol, i, k)
            yield bits
            if k >= width:
                i, k = i + 1, 0


def random_file(seed: int, is_legal: bool = True) -> bytes:
    """A first scan of each band, and then some refinements of each.

    If it need not be legal, coefficients may have more bits than there is room for.
    """
    rng = random.Random(seed)
    width, height = rng.choice([(8, 8), (40, 24), (512, 24), (200, 160), (512, 128)])
    num_blocks = (width // 8) * (height // 8)
    restart = rng.choice([0, 0, 0, rng.randint(1, num_blocks)])
    out = head(0xC2, 1, width, height) + dht(0, 0, ONE_BIT)
    if restart != 0:
        out += segment(0xDD, restart.to_bytes(2, "big"))
    out += sos([0], 0, 0, 0, 0)
    step = restart or num_blocks
    for n, begin in enumerate(range(0, num_blocks, step)):
        if n != 0:
            out += bytes([0xFF, RST0 + (n - 1) % 8])
        out += Bits().put(0, min(step, num_blocks - begin)).bytes()
    k = 1
    while k < 64:
        last = min(63, k + rng.choice([0, 0, 1, 4, 15, 16, 17, 40, 62]))
        band = Band(rng, num_blocks, k, last, restart, is_legal)
        top = rng.choice([0, 1, 2, 4, 13])
        for al in range(top, -1, -1):
            out += band.scan(0 if al == top else al + 1, al)
        k = last + 1 + rng.choice([0, 1, 20])
    return out + EOI
