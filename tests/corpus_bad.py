"""Broken files, each named for what is wrong with it.

``data/bad/expected.toml`` says what each must come to. Most are the same small grey
file with one part replaced.
"""

import functools
from collections.abc import Callable

import corpus
import numpy as np
from corpus import AC, DC, END, GREY, NO_DIFF, S420, S444, scans_file, sequential_file
from jpegimage import (
    Component,
    Scan,
    encode_image,
    interleaved,
    one_each,
    progression,
    random_image,
)
from jpegwriter import (
    COM,
    DAC,
    DHT,
    DNL,
    DQT,
    DRI,
    RST0,
    SOF0,
    SOF1,
    SOF2,
    SOF3,
    SOS,
    STD,
    ZRL,
    Event,
    Huffman,
    Writer,
    entropy_bytes,
)

TABLES = {DC: STD[DC], AC: STD[AC]}
# 16x16 grey: four blocks, each a DC difference of 1 and an end of block.
BLOCK: list[Event] = [(DC, 1, 1, 1), END]


def part(call: str, *args, **kwargs) -> bytes:
    """Return what one call of a ``Writer`` method writes."""
    w = Writer()
    getattr(w, call)(*args, **kwargs)
    return bytes(w.out)


PARTS = {
    "soi": b"\xff\xd8",
    "dqt": part("dqt", 0, np.arange(1, 65)),
    "sof": part("sof", SOF0, 16, 16, [Component(1)]),
    "dht": part("dht", TABLES),
    "dri": b"",
    "sos": part("sos", [(1, 0, 0)]),
    "data": entropy_bytes([BLOCK * 4], TABLES),
    "eoi": b"\xff\xd9",
}


def file(**parts: bytes) -> bytes:
    """Return the base file with these parts replaced."""
    assert parts.keys() <= PARTS.keys()
    return b"".join({**PARTS, **parts}.values())


def progressive(*scans: tuple[Scan, list[Event]], **parts: bytes) -> bytes:
    """Return the base file with these scans in progressive mode."""
    body = b""
    for scan, events in scans:
        body += part("sos", [(1, 0, 0)], scan.ss, scan.se, scan.ah, scan.al)
        body += entropy_bytes([events], TABLES)
    sof = part("sof", SOF2, 16, 16, [Component(1)])
    return file(**{"sof": sof, "sos": b"", "data": body, **parts})


Files = dict[str, bytes]


# ---- bytes and segments ------------------------------------------------------


def _starts(files: Files) -> None:
    whole = file()
    files["empty"] = b""
    files["one-byte"] = b"\xff"
    files["soi-only"] = b"\xff\xd8"
    files["soi-and-half-a-marker"] = b"\xff\xd8\xff"
    files["soi-eoi"] = b"\xff\xd8\xff\xd9"
    files["png"] = b"\x89PNG\r\n\x1a\n" + bytes(40)
    files["byte-before-soi"] = b"\0" + whole
    files["zeros"] = bytes(200)
    files["ff-forever"] = b"\xff\xd8" + b"\xff" * 500
    files["no-scan"] = file(sos=b"", data=b"")
    files["tables-only"] = file(sof=b"", sos=b"", data=b"")
    files["soi-twice"] = file(soi=b"\xff\xd8\xff\xd8")
    files["reserved-marker"] = file(soi=b"\xff\xd8\xff\x02\0\2")
    files["marker-jpg"] = file(soi=b"\xff\xd8\xff\xc8\0\2")
    files["marker-jpg13"] = file(soi=b"\xff\xd8\xff\xfd\0\2")


def _lengths(files: Files) -> None:
    cut = {"dqt": DQT, "sof": SOF0, "dht": DHT, "sos": SOS}
    for name, marker in cut.items():
        payload = PARTS[name][4:]
        for what, length in [("0", 0), ("1", 1), ("2", 2)]:
            if (name, what) == ("dht", "2"):
                continue  # tolerated: the standard tables stand in
            data = part("segment", marker, payload, length=length)
            files[f"{name}-length-{what}"] = file(**{name: data})
        for what, more in [("short-by-1", -1), ("long-by-1", 1)]:
            data = part("segment", marker, payload, length=len(payload) + 2 + more)
            files[f"{name}-{what}"] = file(**{name: data})
        data = part("segment", marker, payload, length=0xFFFF)
        files[f"{name}-length-65535"] = file(**{name: data})
        before = list(PARTS)[: list(PARTS).index(name)]
        head = b"".join(PARTS[key] for key in before)
        files[f"{name}-cut-off"] = head + PARTS[name][:-2]
        files[f"{name}-cut-in-length"] = head + PARTS[name][:3]
    for n in (0, 1, 3):
        files[f"dri-of-{n}-bytes"] = file(dri=part("segment", DRI, bytes(n)))
    files["comment-cut-off"] = b"\xff\xd8" + part("segment", COM, b"hello", length=8)
    files["dnl-before-frame-cut-off"] = b"\xff\xd8" + part("segment", DNL, b"", 4)


def _tables(files: Files) -> None:
    def huffman(key: tuple[str, int], counts: list[int], symbols: list[int]) -> bytes:
        table = Huffman(tuple(counts + [0] * (16 - len(counts))), tuple(symbols))
        return file(dht=part("dht", {**TABLES, key: table}))

    files["quant-slot-4"] = file(dqt=part("dqt", 4, np.arange(1, 65)))
    files["quant-missing"] = file(dqt=b"")
    files["quant-other-slot"] = file(dqt=part("dqt", 1, np.arange(1, 65)))
    files["quant-slot-of-frame-9"] = file(
        sof=part("sof", SOF0, 16, 16, [Component(1, quant=9)])
    )
    files["quant-after-scan"] = file(dqt=b"", eoi=PARTS["dqt"] + b"\xff\xd9")
    files["huffman-slot-4"] = file(dht=part("dht", {**TABLES, ("dc", 4): STD[DC]}))
    files["huffman-class-2"] = file(dht=part("segment", DHT, b"\x20" + bytes(16)))
    files["huffman-slot-of-scan-4"] = file(sos=part("sos", [(1, 4, 0)]))
    files["huffman-slot-2-missing"] = file(sos=part("sos", [(1, 0, 2)]))
    files["huffman-over-full-by-1"] = huffman(AC, [3], [0, 1, 2])
    files["huffman-over-full-at-16"] = huffman(AC, [1, 1] + [0] * 13 + [255], [0] * 257)
    files["huffman-all-ones-1"] = huffman(AC, [2], [0, 1])
    files["huffman-all-ones-2"] = huffman(AC, [0, 4], [0, 1, 2, 3])
    files["huffman-all-ones-at-16"] = huffman(AC, [1] * 15 + [2], list(range(17)))
    files["huffman-257-symbols"] = huffman(
        AC, [0] * 8 + [0, 255, 2] + [0] * 5, [0] * 257
    )
    files["huffman-dc-symbol-16"] = huffman(DC, [0, 2], [0, 16])
    files["huffman-empty"] = huffman(AC, [], [])
    missing = progressive((Scan((0,), 0, 0), [NO_DIFF] * 4), dht=b"")
    files["huffman-missing-progressive"] = missing


def _frames(files: Files) -> None:
    def frame(code=SOF0, width=16, height=16, comps=None, precision=8):
        comps = [Component(1)] if comps is None else comps
        return part("sof", code, width, height, comps, precision)

    files["frame-twice"] = file(sof=frame() * 2)
    files["frame-missing"] = file(sof=b"")
    files["frame-after-scan"] = file(eoi=frame() + b"\xff\xd9")
    files["width-0"] = file(sof=frame(width=0))
    files["height-0"] = file(sof=frame(height=0), eoi=part("segment", DNL, b"\0\x10"))
    files["no-component"] = file(sof=frame(comps=()))
    files["five-components"] = file(sof=frame(comps=[Component(i) for i in range(5)]))
    files["h-0"] = file(sof=frame(comps=[Component(1, h=0)]))
    files["v-0"] = file(sof=frame(comps=[Component(1, v=0)]))
    files["h-5"] = file(sof=frame(comps=[Component(1, h=5)]))
    files["v-15"] = file(sof=frame(comps=[Component(1, v=15)]))
    files["12-bits"] = file(sof=frame(SOF1, precision=12))
    files["0-bits"] = file(sof=frame(precision=0))
    for code in (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF):
        files[f"sof{code - 0xC0}"] = file(sof=frame(code))
    files["lossless-16-bits"] = file(sof=frame(SOF3, precision=16))
    for name, code in [("dhp", 0xDE), ("exp", 0xDF)]:
        files[name] = file(sof=frame(code))
    files["65535-squared-no-data"] = file(
        sof=frame(width=65535, height=65535, comps=[Component(1), Component(2)]),
        data=b"",
        eoi=b"",
    )


# ---- scan headers ------------------------------------------------------------


def _scan_headers(files: Files) -> None:
    files["scan-of-unknown-component"] = file(sos=part("sos", [(2, 0, 0)]))
    files["scan-of-none"] = file(sos=part("sos", []))
    files["scan-of-five"] = file(sos=part("sos", [(1, 0, 0)] * 5))
    files["scan-of-one-twice"] = file(sos=part("sos", [(1, 0, 0)] * 2))
    files["scan-before-frame"] = file(sof=b"", eoi=PARTS["sof"] + b"\xff\xd9")
    image = random_image(20, 20, S420)
    files["component-without-a-scan"] = encode_image(image, one_each(image)[:2])
    plan = one_each(image)
    files["component-in-two-scans"] = encode_image(image, [*plan, plan[1]])
    order = random_image(20, 20, S444)
    files["components-in-reverse"] = encode_image(order, [Scan((2, 1, 0))])
    big = random_image(20, 20, [(4, 2), (2, 1), (1, 1)])
    files["eleven-blocks-an-mcu"] = encode_image(big, interleaved(big))


def _progression_orders(files: Files) -> None:
    dc: list[Event] = [NO_DIFF] * 4
    end: list[Event] = [END] * 4
    first = (Scan((0,), 0, 0, 0, 1), dc)
    bits: list[Event] = [(None, 0, 0, 1)] * 4
    orders = {
        "ac-before-dc": [(Scan((0,), 1, 63), end), (Scan((0,), 0, 0), dc)],
        "no-dc": [(Scan((0,), 1, 63), end)],
        "dc-refined-before-first": [(Scan((0,), 0, 0, 1, 0), bits)],
        "dc-refined-by-two": [
            (Scan((0,), 0, 0, 0, 2), dc),
            (Scan((0,), 0, 0, 2, 0), bits),
        ],
        "dc-refined-out-of-turn": [first, (Scan((0,), 0, 0, 3, 2), bits)],
        "dc-twice": [(Scan((0,), 0, 0), dc)] * 2,
        "dc-and-ac-at-once": [(Scan((0,), 0, 5), dc)],
        "ac-backwards": [first, (Scan((0,), 5, 4), end)],
        "ac-to-64": [first, (Scan((0,), 1, 64), end)],
        "al-14": [(Scan((0,), 0, 0, 0, 14), dc)],
        "ac-twice": [first, (Scan((0,), 1, 5), end), (Scan((0,), 5, 9), end)],
        "ac-refined-before-first": [first, (Scan((0,), 1, 5, 1, 0), end)],
        "ac-refined-out-of-turn": [
            first,
            (Scan((0,), 1, 5, 0, 3), end),
            (Scan((0,), 1, 5, 2, 1), end),
        ],
        "ac-refined-upwards": [
            first,
            (Scan((0,), 1, 5, 0, 1), end),
            (Scan((0,), 1, 5, 1, 2), end),
        ],
    }
    for name, scans in orders.items():
        files[f"progressive-{name}"] = progressive(*scans)
    files["no-eoi-incomplete-progression"] = progressive(first, eoi=b"")


def _progressions(files: Files) -> None:
    dc: list[Event] = [NO_DIFF] * 4
    end: list[Event] = [END] * 4
    pair = random_image(16, 16, S444)
    data = encode_image(pair, [Scan((0, 1, 2), 0, 0)], sof=SOF2, eoi=b"")
    data += part("dht", TABLES) + part("sos", [(1, 0, 0), (2, 0, 0)], 1, 63)
    data += entropy_bytes([[END] * 8], TABLES) + b"\xff\xd9"
    files["progressive-ac-of-two-components"] = data
    plan = [Scan((0, 1), 0, 0), Scan((1,), 1, 63)]
    files["progressive-component-without-dc"] = encode_image(pair, plan, sof=SOF2)
    many = [(Scan((0,), k, k, 0, 8), end) for k in range(1, 64)]
    for al in range(7, -1, -1):
        many += [(Scan((0,), k, k, al + 1, al), end) for k in range(1, 64)]
    files["progressive-505-scans"] = progressive((Scan((0,), 0, 0), dc), *many)


# ---- entropy-coded data ------------------------------------------------------


def _codes(files: Files) -> None:
    ok = list(BLOCK)

    def scan(*events: Event) -> bytes:
        return file(data=entropy_bytes([[*ok, *events]], TABLES))

    bad_dc: Event = (None, 0, 0x1FF, 9)  # nine ones: no code of table K.3
    bad_ac: Event = (None, 0, 0xFFFF, 16)
    after = [*ok] * 2
    files["bad-code-dc"] = scan(bad_dc, *after)
    files["bad-code-ac"] = scan(ok[0], bad_ac, *after)
    files["bad-code-in-last-block"] = scan(*ok, *ok, ok[0], bad_ac)
    files["run-past-the-end"] = scan(
        ok[0], *[(AC, ZRL, 0, 0)] * 3, (AC, 0xF1, 1, 1), *after
    )
    files["run-past-the-end-by-15"] = scan(
        ok[0], *[(AC, ZRL, 0, 0)] * 3, (AC, 0xD1, 1, 1), (AC, 0xF1, 1, 1), *after
    )


def _values(files: Files) -> None:
    """Values that 16 bits cannot hold, runs that lead past a band."""
    dc15 = {DC: Huffman((0, 2) + (0,) * 14, (0, 15)), AC: STD[AC]}
    up: Event = (DC, 15, 0x7FFF, 15)
    down: Event = (DC, 15, 0, 15)
    for name, events in [
        ("dc-above-32767", [up, END, up, END]),
        ("dc-below-minus-32768", [down, END, down, END]),
        ("dc-back-in-range", [up, END, up, END, down, END, down, END]),
    ]:
        side = 8 * len(events) // 2
        files[name] = sequential_file(events, (side, 8), dc15)
        files[f"{name}-in-a-later-row"] = sequential_file(events, (8, side), dc15)
    dc, one = ([[NO_DIFF]], Scan((0,), 0, 0)), Scan((0,), 1, 63, 1, 0)
    blank = ([[END]], Scan((0,), 1, 63, 0, 1))
    far = [(AC, ZRL, 0, 0)] * 3 + [(AC, 0xF1, 1, 1)]
    scans: dict[str, list[tuple[list[list[Event]], Scan]]] = {
        "dc-shifted-out": [([[(DC, 15, 0x7FFF, 15)]], Scan((0,), 0, 0, 0, 13))],
        "ac-shifted-out": [dc, ([[(AC, 15, 0x7FFF, 15), END]], blank[1])],
        "run-past-the-band": [dc, ([[(AC, 0x51, 1, 1), END]], Scan((0,), 1, 5))],
        "refinement-of-size-2": [dc, blank, ([[(AC, 0x02, 3, 2), END]], one)],
        "refinement-past-the-end": [dc, blank, ([far], one)],
    }
    for name, plan in scans.items():
        files[f"progressive-{name}"] = scans_file(plan, sof=SOF2)


def _ends(files: Files) -> None:
    """The data end early or late."""
    data = PARTS["data"]
    files["data-cut-by-a-byte"] = file(data=data[:-1])
    files["data-cut-by-a-byte-no-eoi"] = file(data=data[:-1], eoi=b"")
    files["no-data"] = file(data=b"")
    files["no-data-no-eoi"] = file(data=b"", eoi=b"")
    files["data-end-in-ff"] = file(data=data[:-1] + b"\xff", eoi=b"")
    files["marker-in-data"] = file(data=data[:2] + PARTS["dqt"] + data[2:])
    files["restart-without-interval"] = file(data=data[:2] + b"\xff\xd0" + data[2:])
    # A byte that is not filled up with ones, then more: a scan that lost its way.
    odd: list[Event] = [*BLOCK * 3, (DC, 2, 3, 2), END]  # 33 bits
    longer = entropy_bytes([[*odd, *BLOCK * 2]], TABLES)
    files["excess-blocks"] = file(data=longer)
    zeros = entropy_bytes([[*odd, (None, 0, 0, 7)]], TABLES) + bytes(5)
    files["excess-zero-bits-then-bytes"] = file(data=zeros)
    # Whole bytes, but of more MCUs: to the end, or more than are looked at.
    more: list[Event] = [*BLOCK * 3, (DC, 2, 3, 2), END, (DC, 0, 0, 0), END, *BLOCK]
    files["excess-mcus"] = file(data=entropy_bytes([[*BLOCK * 4, *more * 2]], TABLES))
    files["excess-many-mcus"] = file(
        data=entropy_bytes([[*BLOCK * 4, *more * 99]], TABLES)
    )
    image = random_image(20, 20, S420)
    scans = one_each(image)
    whole = encode_image(image, scans)
    second = whole.rindex(b"\xff\xda")
    files["cut-between-scans"] = whole[: whole.rindex(b"\xff\xc4")]
    files["cut-in-third-scan"] = whole[: second + 20]


def _restarts(files: Files) -> None:
    dri = part("dri", 1)

    def scan(name: str, *pieces: bytes) -> None:
        files[f"restart-{name}"] = file(dri=dri, data=b"".join(pieces))

    block = entropy_bytes([BLOCK], TABLES)
    rst = [bytes([0xFF, RST0 + n]) for n in range(8)]
    scan("skips-one", block, rst[0], block, rst[2], block, rst[3], block)
    scan("starts-at-1", block, rst[1], block, rst[2], block, rst[3], block)
    scan("repeats", block, rst[0], block, rst[0], block, rst[1], block)
    scan("segment-lost", block, rst[0], block, rst[1], block)
    scan("marker-lost", block, rst[0], block, block, rst[2], block)
    scan("none", block * 4)
    scan("byte-before", block, rst[0], block, b"\0", rst[1], block, rst[2], block)
    scan("ff00-before", block, rst[0], block, b"\xff\0", rst[1], block, rst[2], block)
    scan("interval-empty", block, rst[0], rst[1], block, rst[2], block)
    scan("cut-after-marker", block, rst[0], block, rst[1])
    scan("other-marker", block, rst[0], block, b"\xff\xfe\0\2", rst[1], block, rst[2])
    # One segment more than there are blocks: its bytes may be few, or look like fill.
    four = [b for n in range(4) for b in (block, rst[n])]
    scan("segment-too-many", *four, block)
    scan("segments-too-many", *four, *four)
    scan("segment-too-many-of-zeros", *four, bytes(9))
    scan("segment-too-many-that-begins-with-ff00", *four, b"\xff\0", block)
    image = random_image(16, 16, GREY)
    plan = [Scan((0,), 0, 0, restart=2), Scan((0,), 1, 63)]
    more = {1: rst[1] + block}
    files["progressive-segment-too-many"] = encode_image(
        image, plan, sof=SOF2, before=more
    )
    both = random_image(16, 16, S444)
    files["restart-segment-too-many-between-scans"] = encode_image(
        both, one_each(both, restart=2), before=more
    )
    data = encode_image(image, plan, sof=SOF2)
    files["progressive-restart-wrong"] = data.replace(rst[0], rst[5])
    files["progressive-restart-lost"] = data.replace(rst[0], b"", 1)


def _lost_segments(files: Files) -> None:
    """A marker turned into other bytes, so that a scan or a table is gone."""
    image = random_image(30, 21, S420)

    def lose(data: bytes, marker: int, became: bytes) -> bytes:
        at = data.rindex(bytes([0xFF, marker]))
        return data[:at] + became + data[at + 2 :]

    whole = encode_image(image, progression(image), sof=SOF2)
    for name, became in {
        "junk": b"\x7f\xda",
        "stuffing": b"\xff\x00",
        "restart": b"\xff\xd2",
        "app10": b"\xff\xea",
        "eoi": b"\xff\xd9",
    }.items():
        files[f"lost-scan-became-{name}"] = lose(whole, SOS, became)
    apart = encode_image(image, one_each(image))
    files["lost-scan-not-interleaved"] = lose(apart, SOS, b"\x7f\xda")
    files["lost-table-after-scan"] = lose(apart, DHT, b"\x7f\xc4")
    files["lost-table-became-dac"] = lose(apart, DHT, b"\xff\xcc")
    between = {2: part("segment", COM, b"between") + corpus.dqt(0, image.qtables[1])}
    image.components = [Component(c.id, c.h, c.v, 0) for c in image.components]
    apart = encode_image(image, one_each(image), before=between)
    files["lost-table-after-comment"] = lose(apart, DHT, b"\x7f\xc4")
    files["lost-quantisation-table"] = lose(apart, DQT, b"\x7f\xdb")
    files["lost-tables-of-t81"] = file(dht=b"\x7f" + PARTS["dht"][1:])
    files["dac-of-odd-length"] = file(dht=PARTS["dht"] + part("segment", DAC, b"\0"))
    files["dac-of-slot-32"] = file(dht=PARTS["dht"] + part("segment", DAC, b"\x20\0"))


_BAD: list[Callable[[Files], None]] = [
    _starts,
    _lengths,
    _tables,
    _frames,
    _scan_headers,
    _progression_orders,
    _progressions,
    _codes,
    _values,
    _ends,
    _restarts,
    _lost_segments,
]


@functools.cache
def bad() -> Files:
    """Return every bad file by name."""
    files: Files = {}
    for add in _BAD:
        add(files)
    return files


def seeds() -> Files:
    """Return all files there are, for a fuzzer to start from."""
    tolerated = {name: data for name, (data, _) in corpus.tolerated().items()}
    return {**corpus.good(), **tolerated, **bad()}
