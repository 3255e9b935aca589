"""Write JPEGs symbol by symbol: the odd, the rare and the broken.

Nothing is shared with ``csrc/``: what this module understands of T.81 is a second
opinion. ``Writer`` appends bytes (markers, segments, junk); ``entropy_bytes`` codes
what a scan says, a list of events per restart interval. An event is ``(table,
symbol, extra, nbits)``: a Huffman symbol of a table such as ``("dc", 0)``, then
``nbits`` bits; table None: the bits alone. ``jpegimage`` makes events and whole files
from coefficients.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

SOF0, SOF1, SOF2, SOF3, SOF9, SOF10 = 0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA
DHT, DQT, DRI, SOI, EOI, SOS = 0xC4, 0xDB, 0xDD, 0xD8, 0xD9, 0xDA
RST0, APP0, APP1, APP14, COM, DNL, DAC = 0xD0, 0xE0, 0xE1, 0xEE, 0xFE, 0xDC, 0xCC
ZRL, EOB = 0xF0, 0x00

Event = tuple[tuple[str, int] | None, int, int, int]


def _zigzag() -> list[int]:
    """Natural index ``8 * v + u`` of the k-th coefficient (T.81 figure A.6)."""
    order = sorted(
        ((v, u) for v in range(8) for u in range(8)),
        key=lambda at: (sum(at), at[0] if sum(at) % 2 else at[1]),
    )
    return [8 * v + u for v, u in order]


ZIGZAG = _zigzag()


# ---- Huffman tables ----------------------------------------------------------


@dataclass(frozen=True)
class Huffman:
    """A table as DHT has it: how many codes of 1..16 bits, then the symbols."""

    counts: tuple[int, ...]
    symbols: tuple[int, ...]

    def codes(self) -> dict[int, tuple[int, int]]:
        """Map each symbol to (code, length) (T.81 C.2)."""
        out, code, at = {}, 0, 0
        for length, count in enumerate(self.counts, start=1):
            for symbol in self.symbols[at : at + count]:
                out.setdefault(symbol, (code, length))
                code += 1
            at += count
            code <<= 1
        return out

    @classmethod
    def of_lengths(cls, symbols: Sequence[int], lengths: Sequence[int]) -> "Huffman":
        """Make the table that gives symbol i a code of ``lengths[i]`` bits."""
        counts = Counter(lengths)
        order = sorted(zip(lengths, range(len(symbols)), strict=True))
        return cls(
            tuple(counts[n] for n in range(1, 17)),
            tuple(symbols[i] for _, i in order),
        )


def table_for(symbols: Iterable[int], style: str = "flat") -> Huffman:
    """Make a table with a code for each of ``symbols``.

    Args:
        symbols: As often as they occur.
        style: ``flat``: all codes about equally long; ``skewed``: 1, 2, 3, ... bits
            in order of frequency, then 16; ``long``: the reverse, so that the
            commonest symbols have 16 bits.
    """
    counts = Counter(symbols)
    order = [s for s, _ in sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))]
    if not order:
        order = [0]
    if style == "flat":
        length = max(1, len(order).bit_length())  # one code is left: all ones
        return Huffman.of_lengths(order, [length] * len(order))
    if style == "long":
        order.reverse()
    lengths = [min(i + 1, 16) if i < 7 else 16 for i in range(len(order))]
    if style == "long":  # at least the commonest have 16 bits, however few there are
        lengths[-2:] = [16] * len(lengths[-2:])
    return Huffman.of_lengths(order, lengths)


def _std(counts: str, symbols: str) -> Huffman:
    return Huffman(tuple(bytes.fromhex(counts)), tuple(bytes.fromhex(symbols)))


# T.81 tables K.3 to K.6.
STD = {
    ("dc", 0): _std("00010501010101010100000000000000", "000102030405060708090a0b"),
    ("dc", 1): _std("00030101010101010101010000000000", "000102030405060708090a0b"),
    ("ac", 0): _std(
        "0002010303020403050504040000017d",
        "01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282"
        "090a161718191a25262728292a3435363738393a434445464748494a535455565758595a63"
        "6465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6"
        "a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6"
        "e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
    ),
    ("ac", 1): _std(
        "00020102040403040705040400010277",
        "0001020311040521310612415107617113223281081442"
        "91a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a4344"
        "45464748494a535455565758595a636465666768696a737475767778797a82838485868788"
        "898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9"
        "cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
    ),
}


# ---- bytes and bits ----------------------------------------------------------


class Bits:
    """A bit string that becomes entropy-coded bytes."""

    def __init__(self) -> None:
        self.text: list[str] = []

    def put(self, value: int, nbits: int) -> None:
        """Append the low ``nbits`` bits of ``value``, the highest first."""
        if nbits:
            self.text.append(format(value & ((1 << nbits) - 1), f"0{nbits}b"))

    def tobytes(self, pad: str = "1", stuff: bool = True) -> bytes:
        """Pad the last byte with ``pad`` and put a zero after each 0xFF."""
        text = "".join(self.text)
        text += pad * (-len(text) % 8)
        out = int(text, 2).to_bytes(len(text) // 8, "big") if text else b""
        return out.replace(b"\xff", b"\xff\x00") if stuff else out


class Writer:
    """Appends the parts of a file to ``out``."""

    def __init__(self) -> None:
        self.out = bytearray()

    def raw(self, data: bytes) -> None:
        """Append anything: fill bytes, junk, a scan's data."""
        self.out += data

    def marker(self, code: int) -> None:
        """Append a marker without parameters."""
        self.out += bytes([0xFF, code])

    def segment(self, code: int, payload: bytes = b"", length: int | None = None):
        """Append a marker segment; ``length`` overrides the true one."""
        nbytes = len(payload) + 2 if length is None else length
        self.marker(code)
        self.out += nbytes.to_bytes(2, "big") + payload

    def dqt(self, slot: int, table: np.ndarray, bits16: bool = False) -> None:
        """Append a quantisation table given in natural order."""
        values = np.asarray(table).reshape(64)[ZIGZAG]
        dtype = ">u2" if bits16 else "u1"
        self.segment(DQT, bytes([bits16 << 4 | slot]) + values.astype(dtype).tobytes())

    def dht(self, tables: dict[tuple[str, int], Huffman]) -> None:
        """Append one segment with these tables."""
        payload = b""
        for (kind, slot), table in sorted(tables.items()):
            payload += bytes([(kind == "ac") << 4 | slot])
            payload += bytes(table.counts) + bytes(table.symbols)
        self.segment(DHT, payload)

    def sof(self, code, width, height, components, precision=8) -> None:
        """Append a frame header."""
        payload = bytes([precision])
        payload += height.to_bytes(2, "big") + width.to_bytes(2, "big")
        payload += bytes([len(components)])
        for comp in components:
            payload += bytes([comp.id, comp.h << 4 | comp.v, comp.quant])
        self.segment(code, payload)

    def sos(self, selectors, ss=0, se=63, ah=0, al=0) -> None:
        """Append a scan header; ``selectors`` are (component id, dc, ac) slots."""
        payload = bytes([len(selectors)])
        for component_id, dc, ac in selectors:
            payload += bytes([component_id, dc << 4 | ac])
        self.segment(SOS, payload + bytes([ss, se, ah << 4 | al]))

    def dri(self, interval: int) -> None:
        """Append a restart interval in MCUs."""
        self.segment(DRI, interval.to_bytes(2, "big"))


def entropy_bytes(
    intervals: Sequence[Sequence[Event]],
    tables: dict[tuple[str, int], Huffman],
    first_restart: int = 0,
) -> bytes:
    """Code the events of each restart interval, with RSTn between them."""
    codes = {key: table.codes() for key, table in tables.items()}
    out = b""
    for i, events in enumerate(intervals):
        bits = Bits()
        for table, symbol, extra, nbits in events:
            if table is not None:
                bits.put(*codes[table][symbol])
            bits.put(extra, nbits)
        if i:
            out += bytes([0xFF, RST0 + (first_restart + i - 1) % 8])
        out += bits.tobytes()
    return out
