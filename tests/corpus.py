"""The test files, each named for what is odd about it.

``good()`` are files that libjpeg reads with neither error nor warning, ``tolerated()``
those with damage that cannot change a coefficient. Bad ones are in ``corpus_bad``.
All are generated, small and the same on every run.
"""

import functools
from collections.abc import Callable

import numpy as np
from jpegimage import (
    Component,
    Image,
    Scan,
    encode_image,
    interleaved,
    new_image,
    one_each,
    progression,
    random_image,
)
from jpegwriter import (
    APP0,
    APP1,
    APP14,
    COM,
    EOB,
    RST0,
    SOF0,
    SOF1,
    SOF2,
    SOI,
    ZRL,
    Event,
    Huffman,
    Writer,
    entropy_bytes,
    table_for,
)

GREY = [(1, 1)]
S444, S420 = [(1, 1)] * 3, [(2, 2), (1, 1), (1, 1)]
S422, S440 = [(2, 1), (1, 1), (1, 1)], [(1, 2), (1, 1), (1, 1)]
S411, S410 = [(4, 1), (1, 1), (1, 1)], [(4, 2), (1, 1), (1, 1)]
SAMPLINGS = {
    "grey": GREY,
    "grey-2x2": [(2, 2)],
    "grey-4x4": [(4, 4)],
    "444": S444,
    "420": S420,
    "422": S422,
    "440": S440,
    "411": S411,
    "410": S410,
    "441": [(1, 4), (1, 1), (1, 1)],
    "3x1": [(3, 1), (1, 1), (1, 1)],
    "2x3-1x2-2x1": [(2, 3), (1, 2), (2, 1)],
    "chroma-finer-than-luma": [(1, 1), (2, 2), (2, 2)],
    "two-components": [(2, 1), (1, 1)],
    "four-components": [(1, 1)] * 4,
    "four-components-420": [(2, 2), (1, 1), (1, 1), (2, 2)],
}


# ---- parts -------------------------------------------------------------------


def segment(marker: int, payload: bytes, length: int | None = None) -> bytes:
    """Return a marker segment."""
    w = Writer()
    w.segment(marker, payload, length)
    return bytes(w.out)


def dqt(slot: int, table: np.ndarray) -> bytes:
    """Return a quantisation table segment, 16 bits if it must be."""
    w = Writer()
    w.dqt(slot, table, bits16=int(table.max()) > 255)
    return bytes(w.out)


JFIF = segment(APP0, b"JFIF\0\1\1\0\0\1\0\1\0\0")


def adobe(transform: int) -> bytes:
    """Return Adobe's APP14."""
    return segment(APP14, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


def exif(orientation: int, order: str = "big", before: int = 0) -> bytes:
    """Return an EXIF segment whose orientation follows ``before`` other entries."""

    def number(value: int, nbytes: int) -> bytes:
        return value.to_bytes(nbytes, order)

    tiff = (b"MM" if order == "big" else b"II") + number(42, 2) + number(8, 4)
    tiff += number(before + 1, 2)
    for tag in range(0x100, 0x100 + before):
        tiff += number(tag, 2) + number(4, 2) + number(1, 4) + number(7, 4)
    tiff += number(0x112, 2) + number(3, 2) + number(1, 4)
    tiff += number(orientation, 2) + bytes(2) + number(0, 4)
    return segment(APP1, b"Exif\0\0" + tiff)


def sequential_file(
    events: list[Event],
    size: tuple[int, int] = (8, 8),
    tables: dict[tuple[str, int], Huffman] | None = None,
    sof: int = SOF0,
) -> bytes:
    """Return a grey file whose one scan says exactly this."""
    return scans_file([([events], Scan((0,)))], size, tables, sof)


def scans_file(
    scans: list[tuple[list[list[Event]], Scan]],
    size: tuple[int, int] = (8, 8),
    tables: dict[tuple[str, int], Huffman] | None = None,
    sof: int = SOF0,
) -> bytes:
    """Return a grey file whose scans say exactly this."""
    image = new_image(*size, GREY)
    w = Writer()
    w.marker(SOI)
    w.dqt(0, image.qtables[0])
    w.sof(sof, *size, image.components)
    for intervals, scan in scans:
        symbols: dict[tuple[str, int], list[int]] = {}
        for table, symbol, _, _ in (event for part in intervals for event in part):
            if table is not None:
                symbols.setdefault(table, []).append(symbol)
        made = {key: table_for(found) for key, found in symbols.items()}
        made.update(tables or {})
        if scan.restart is not None:
            w.dri(scan.restart)
        if made:
            w.dht(made)
        w.sos([(1, 0, 0)], scan.ss, scan.se, scan.ah, scan.al)
        w.raw(entropy_bytes(intervals, made))
    w.raw(b"\xff\xd9")
    return bytes(w.out)


DC, AC = ("dc", 0), ("ac", 0)
NO_DIFF: Event = (DC, 0, 0, 0)
END: Event = (AC, EOB, 0, 0)


# ---- good files --------------------------------------------------------------


def _samplings(files: dict[str, bytes]) -> None:
    """Each sampling at an odd size, interleaved where that is allowed, and not."""
    for name, sampling in SAMPLINGS.items():
        image = random_image(37, 43, sampling)
        if sum(h * v for h, v in sampling) <= 10 or len(sampling) == 1:
            files[name] = encode_image(image, interleaved(image))
            plan = progression(image)
            files[f"{name}-progressive"] = encode_image(image, plan, sof=SOF2)
        files[f"{name}-not-interleaved"] = encode_image(image, one_each(image))
    image = random_image(70, 50, [(4, 4), (4, 4), (2, 4)])
    files["too-big-for-one-mcu"] = encode_image(image, one_each(image))


def _sizes(files: dict[str, bytes]) -> None:
    for width, height in [(1, 1), (8, 8), (9, 7), (16, 16), (17, 15), (1, 33), (33, 1)]:
        for name, sampling in [("grey", GREY), ("420", S420), ("411", S411)]:
            image = random_image(width, height, sampling)
            files[f"{name}-{width}x{height}"] = encode_image(image, interleaved(image))
            plan = progression(image, max_eob_run=5)
            data = encode_image(image, plan, sof=SOF2)
            files[f"{name}-{width}x{height}-progressive"] = data
    for width, height in [(65500, 1), (1, 65500)]:  # libjpeg's limit
        image = new_image(width, height, GREY)
        files[f"grey-{width}x{height}"] = encode_image(image, interleaved(image))


def _scans(files: dict[str, bytes]) -> None:
    image = random_image(40, 40, S420)
    plan = [Scan((0,)), Scan((1, 2))]
    files["luma-then-chroma"] = encode_image(image, plan)
    files["scans-in-reverse"] = encode_image(image, one_each(image)[::-1])
    files["two-components-in-reverse"] = encode_image(image, [Scan((2, 1)), Scan((0,))])
    image.components = [Component(7, c.h, c.v, c.quant) for c in image.components]
    files["all-ids-equal"] = encode_image(image, interleaved(image))
    files["extended-slots-2-and-3"] = encode_image(
        image, [Scan((0, 1, 2), dc=(2, 3, 1), ac=(3, 2, 2))], sof=SOF1
    )
    image = random_image(40, 40, [(2, 2), (1, 1), (1, 2), (1, 1)])
    files["scans-of-two"] = encode_image(image, [Scan((0, 3)), Scan((1, 2))])


def _restarts(files: dict[str, bytes]) -> None:
    image = random_image(75, 60, S420)
    for name, n in [("every-mcu", 1), ("every-3", 3), ("a-row", 5), ("more-than", 99)]:
        scans = interleaved(image, restart=n)
        files[f"restart-{name}"] = encode_image(image, scans)
        plan = progression(image, restart=n, max_eob_run=4)
        files[f"restart-{name}-progressive"] = encode_image(image, plan, sof=SOF2)
    files["restart-exactly-all"] = encode_image(image, interleaved(image, restart=20))
    plan = [Scan((0,), restart=7), Scan((1,), restart=0), Scan((2,), restart=2)]
    files["restart-interval-changes"] = encode_image(image, plan)
    plan = interleaved(image, restart=4)
    data = encode_image(image, plan)
    for n in range(4):
        rst = bytes([0xFF, RST0 + n])
        data = data.replace(rst, b"\xff\xff\xff" + rst)
    files["restart-fill-bytes"] = data
    files["restart-after-the-last-mcu"] = data[:-2] + b"\xff\xd4" + data[-2:]


def _tables(files: dict[str, bytes]) -> None:
    image = random_image(33, 34, S420)
    for style in ("skewed", "long", "std", "none"):
        files[f"huffman-{style}"] = encode_image(image, interleaved(image, style=style))
        scans = one_each(image, style=style)
        files[f"huffman-{style}-not-interleaved"] = encode_image(image, scans)
    for style in ("skewed", "long"):
        plan = progression(image, style=style, max_eob_run=2)
        files[f"huffman-{style}-progressive"] = encode_image(image, plan, sof=SOF2)
    full = Huffman((0,) * 7 + (255, 0) + (0,) * 6 + (1,), tuple(range(256)))
    files["huffman-256-symbols"] = sequential_file([NO_DIFF, END], tables={AC: full})
    one = Huffman((1,) + (0,) * 15, (0,))
    files["huffman-one-code"] = sequential_file([NO_DIFF, END], tables={DC: one})
    twice = Huffman((0, 3) + (0,) * 14, (0, 0, 0))
    files["huffman-symbol-twice"] = sequential_file([NO_DIFF, END], tables={AC: twice})
    bad_unused = {("ac", 3): Huffman((3,) + (0,) * 15, (1, 2, 3))}
    files["huffman-bad-but-unused"] = sequential_file([NO_DIFF, END], tables=bad_unused)

    table = np.arange(1, 65, dtype=np.uint16) * 1000
    image.qtables[0] = table
    files["quant-16-bit"] = encode_image(image, interleaved(image), sof=SOF1)
    files["quant-precision-15"] = files["quant-16-bit"].replace(
        b"\xff\xdb\0\x83\x10", b"\xff\xdb\0\x83\xf0"
    )
    image.qtables[0] = np.zeros(64, np.uint16)
    files["quant-zeros"] = encode_image(image, interleaved(image))
    image.qtables[0] = np.arange(1, 65, dtype=np.uint16)
    image.components = [Component(c.id, c.h, c.v, 0) for c in image.components]
    redefined = {i: dqt(0, image.qtables[0] + 7 * i) for i in (1, 2)}
    files["quant-redefined-between-scans"] = encode_image(
        image, one_each(image), before=redefined
    )
    redefined = {1: dqt(0, image.qtables[0] + 7)}
    data = encode_image(image, progression(image), sof=SOF2, before=redefined)
    files["quant-redefined-after-first-scan-progressive"] = data


def _segments(files: dict[str, bytes]) -> None:
    image = random_image(20, 20, S444)
    scans = interleaved(image)
    heads = {
        "jfif": JFIF,
        "adobe-rgb": adobe(0),
        "adobe-ycc": adobe(1),
        "jfif-and-adobe-rgb": JFIF + adobe(0),
        "exif-6": exif(6),
        "exif-8-little-endian-late": exif(8, "little", before=5),
        "exif-orientation-9": exif(9),
        "app1-not-exif": segment(APP1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
        "comment-65533": segment(COM, b"\xff\xd8\xff\xda" * 16383 + b"\0"),
        "empty-segments": segment(COM, b"") + segment(APP0, b"") + segment(APP1, b""),
        "marker-tem": b"\xff\x01",
        "all-app": b"".join(segment(APP0 + n, b"Adobe"[:n]) for n in range(16)),
    }
    for name, head in heads.items():
        files[f"head-{name}"] = encode_image(image, scans, head=head)
    four = random_image(20, 20, [(1, 1)] * 4)
    for name, head in [("cmyk", adobe(0)), ("ycck", adobe(2)), ("cmyk-bare", b"")]:
        files[name] = encode_image(four, interleaved(four), head=head)
    rgb = random_image(20, 20, S444)
    rgb.components = [Component(i) for i in b"RGB"]
    files["rgb-by-ids"] = encode_image(rgb, interleaved(rgb))
    rgb.components = [Component(i) for i in b"\0\xff\x42"]
    files["odd-ids"] = encode_image(rgb, interleaved(rgb))
    files["fill-bytes"] = encode_image(image, scans, fill=5)
    apart = {i: segment(COM, b"between scans") for i in range(3)}
    files["comments-between-scans"] = encode_image(image, one_each(image), before=apart)


def _blocks(files: dict[str, bytes]) -> None:
    """Odd things that the symbols of a sequential scan may say."""
    image = random_image(30, 30, S420, density=0.03)
    files["zrl-before-eob"] = encode_image(image, interleaved(image, zrl=True))
    for name, density, bits in [("dense", 1.0, 10), ("all-ones", 1.0, 1)]:
        image = random_image(24, 24, S420, density=density, ac_bits=bits)
        files[f"blocks-{name}"] = encode_image(image, interleaved(image))
    image = new_image(24, 24, S420)
    files["blocks-empty"] = encode_image(image, interleaved(image))
    for name, value in [("highest", 1023), ("lowest", -1023)]:  # stuffing; zeros
        for plane in image.planes:
            plane[...] = value
        files[f"blocks-{name}"] = encode_image(image, interleaved(image, style="long"))

    image = random_image(64, 24, GREY, density=0.5, ac_bits=15, dc_range=16383)
    files["values-of-15-bits"] = encode_image(image, interleaved(image), sof=SOF1)
    image = random_image(64, 24, GREY, density=1.0, ac_bits=15, dc_range=16383)
    scans = interleaved(image, style="long")  # codes and extra bits: 31 in all
    files["symbols-of-31-bits"] = encode_image(image, scans, sof=SOF1)
    steps = [32767, -32767, -32767, -1, 32767, 32767, 1, -32767]  # up and down
    events: list[Event] = []
    for diff in steps:
        n = abs(diff).bit_length()
        events += [(DC, n, diff - (diff < 0), n), END]
    files["dc-to-the-ends-of-16-bits"] = sequential_file(events, (64, 8))

    files["zrl-past-the-end"] = sequential_file([NO_DIFF] + [(AC, ZRL, 0, 0)] * 4)
    last: Event = (AC, 0xE1, 1, 1)
    files["zrl-last-coefficient"] = sequential_file(
        [NO_DIFF] + [(AC, ZRL, 0, 0)] * 3 + [last]
    )
    odd_eob: Event = (AC, 0x30, 0, 0)
    files["eob-with-a-run"] = sequential_file([NO_DIFF, odd_eob])
    ff: Event = (AC, 0xE8, 255, 8)  # 17 bits in, so the last of it is padded to 0xFF
    files["scan-ends-in-ff"] = sequential_file([NO_DIFF] + [(AC, ZRL, 0, 0)] * 3 + [ff])
    data = sequential_file([NO_DIFF, (AC, 0x0A, 0x3FF, 10), (AC, 0x1A, 0x3FF, 10), END])
    files["ff-ff-00-is-one-byte"] = data.replace(b"\xff\x00", b"\xff\xff\x00")
    padded = sequential_file([(DC, 3, 5, 3), END])
    files["padded-with-zeros"] = padded[:-3] + bytes([padded[-3] & 0xF8]) + padded[-2:]
    files["one-frequency"] = _one_frequency()


def _one_frequency() -> bytes:
    """Horizontal frequency 1 in component 0: natural index 1, zigzag index 1."""
    image = new_image(16, 16, S444)
    image.planes[0][..., 1] = 5
    image.planes[1][..., 8] = -7
    return encode_image(image, interleaved(image))


def _long_runs(files: dict[str, bytes]) -> None:
    """Ends of bands: 32,767 blocks in one run, all that are left in another."""
    side, extra = 185, 3
    n = side * side
    dc: list[Event] = [NO_DIFF] * n
    rest = n - 32767 - extra
    nbits = rest.bit_length() - 1
    ac: list[Event] = [(AC, 0x01, 1, 1), (AC, EOB, 0, 0)]
    ac += [(AC, 0xE0, 0x3FFF, 14), (AC, 0x00, 0, 0), (AC, 0x00, 0, 0)]
    ac += [(AC, nbits << 4, rest, nbits)]
    plan = [([dc], Scan((0,), 0, 0)), ([ac], Scan((0,), 1, 63))]
    # Runs that lead past the last block or past a restart just end there.
    one: Event = (AC, 0x02, 3, 2)
    dc = [NO_DIFF] * 4
    parts = [[(AC, 0x30, 0, 3)], [one, (AC, EOB, 0, 0), (AC, 0xE0, 1, 14)]]
    short = [([dc], Scan((0,), 0, 0)), (parts, Scan((0,), 1, 63, restart=2))]
    files["eob-run-past-the-end"] = scans_file(short, (32, 8), sof=SOF2)
    # The end of a band has two codes, and some look-ups see both.
    twice = Huffman((1, 1, 1) + (0,) * 13, (EOB, EOB, 0x01))
    other: Event = (None, 0, 0b10, 2)
    last: list[Event] = [(AC, 0x01, 1, 1), END]
    plan_of_two = [([[NO_DIFF] * 48], Scan((0,), 0, 0))]
    plan_of_two += [([[END] * 48], Scan((0,), 1, 63, 0, 1))]
    plan_of_two += [([[END] * 7 + [other, END] * 20 + last], Scan((0,), 1, 63, 1, 0))]
    files["eob-of-two-codes"] = scans_file(
        plan_of_two, (8 * 48, 8), tables={AC: twice}, sof=SOF2
    )
    files["eob-run-32767"] = scans_file(plan, (8 * side, 8 * side), sof=SOF2)


def _progressions(files: dict[str, bytes]) -> None:
    image = random_image(35, 27, S420, ac_bits=14, density=0.4)

    def add(name: str, plan: list[Scan], image: Image = image) -> None:
        files[f"progressive-{name}"] = encode_image(image, plan, sof=SOF2)

    everything = (0, 1, 2)
    add("dc-only", [Scan(everything, 0, 0)])
    add("dc-high-bits-only", [Scan(everything, 0, 0, 0, 4)])
    add("no-chroma-ac", [Scan(everything, 0, 0), Scan((0,), 1, 63)])
    add("low-bits-missing", [Scan(everything, 0, 0), Scan((0,), 1, 63, 0, 3)])
    add("dc-apart", [Scan((c,), 0, 0) for c in (2, 0, 1)])
    plan = [Scan(everything, 0, 0)]
    add("a-coefficient-a-scan", plan + [Scan((0,), k, k) for k in range(1, 64)])
    plan = [Scan(everything, 0, 0, 0, 13)]
    plan += [Scan((c,), 1, 63, 0, 13) for c in everything]
    for al in range(12, -1, -1):
        plan += [Scan(everything, 0, 0, al + 1, al)]
        plan += [Scan((c,), 1, 63, al + 1, al, max_eob_run=6) for c in everything]
    add("all-14-bits", plan)
    add("all-14-bits-long-codes", [_styled(scan, "long") for scan in plan])
    plan = [Scan(everything, 0, 0, 0, 1), Scan((0,), 1, 63, 0, 2)]
    plan += [Scan((0,), 1, 20, 2, 1), Scan((0,), 21, 63, 2, 1), Scan((0,), 1, 5, 1, 0)]
    add("bands-split-in-refinement", plan)
    add("zrl-before-eob", progression(image, zrl=True))
    sparse = random_image(80, 80, GREY, ac_bits=3, density=0.01)
    add("sparse", progression(sparse), sparse)
    add("sparse-runs-of-2", progression(sparse, max_eob_run=2), sparse)
    dense = random_image(24, 24, S444, ac_bits=9, density=1.0)
    add("dense", progression(dense), dense)
    plan = progression(image)
    restarts = [0, 3, 1, 0, 7, 2]
    plan = [_restarted(scan, restarts[i % 6]) for i, scan in enumerate(plan)]
    add("restart-interval-changes", plan)


def _styled(scan: Scan, style: str) -> Scan:
    return Scan(**{**scan.__dict__, "style": style})


def _restarted(scan: Scan, restart: int) -> Scan:
    return Scan(**{**scan.__dict__, "restart": restart})


_GOOD: list[Callable[[dict[str, bytes]], None]] = [
    _samplings,
    _sizes,
    _scans,
    _restarts,
    _tables,
    _segments,
    _blocks,
    _long_runs,
    _progressions,
]


@functools.cache
def good() -> dict[str, bytes]:
    """Return every good file by name."""
    files: dict[str, bytes] = {}
    for add in _GOOD:
        add(files)
    return files


# ---- tolerated files ---------------------------------------------------------


def _odd_ends() -> dict[str, bytes]:
    image, grey = random_image(30, 21, S420), random_image(30, 21, GREY)
    whole = encode_image(image, interleaved(image))
    done = [Scan((0,), 0, 0), Scan((0,), 1, 63)]
    return {
        "no-eoi": whole[:-2],
        "no-eoi-half-marker": whole[:-1],
        "no-eoi-but-fill": whole[:-2] + b"\xff\xff",
        "no-eoi-progressive": encode_image(grey, done, sof=SOF2, eoi=b""),
        "no-eoi-not-interleaved": encode_image(image, one_each(image), eoi=b""),
        "trailing-byte": whole + b"\0",
        "trailing-file": whole + whole,
        "trailing-zeros": whole + bytes(1000),
        "junk-after-scan": whole[:-2] + b"junk" + whole[-2:],
        "junk-after-scan-long": whole[:-2] + b"junk" * 99 + whole[-2:],
        "junk-after-scan-zeros": whole[:-2] + bytes(99) + whole[-2:],
        "junk-after-a-progression": encode_image(
            grey, done, sof=SOF2, eoi=b"    " * 99 + b"\xff\xd9"
        ),
        "junk-of-7-in-a-progression-cut-short": encode_image(
            grey, done[:1], sof=SOF2, before={0: bytes(7)}
        ),
        "junk-in-a-progression": encode_image(
            grey, done, sof=SOF2, before={1: bytes(99)}
        ),
        "trailing-a-progression": encode_image(grey, done, sof=SOF2, tail=bytes(99)),
    }


def _odd_middles() -> dict[str, bytes]:
    image = random_image(30, 21, S420)
    scans, plan = interleaved(image), one_each(image)
    empty = segment(COM, b"", length=0)
    return {
        "junk-at-head": encode_image(image, scans, head=b"junk"),
        "junk-at-head-long": encode_image(image, scans, head=b"junk" * 99),
        "junk-stuffed": encode_image(image, scans, head=b"\xff\0j"),
        "junk-before-tables": encode_image(image, scans, before={0: b"\0\1"}),
        "junk-between-scans": encode_image(image, plan, before={2: b"\0\1\2"}),
        "segment-comment-of-length-0": encode_image(image, scans, head=empty),
        "segment-app-of-length-1": encode_image(
            image, scans, head=segment(APP1, b"", length=1)
        ),
        "scan-parameters-ss": encode_image(image, [Scan((0, 1, 2), ss=1)]),
        "scan-parameters-se": encode_image(image, [Scan((0, 1, 2), se=5)]),
        "scan-parameters-ah-al": encode_image(image, [Scan((0, 1, 2), ah=1, al=3)]),
    }


@functools.cache
def tolerated() -> dict[str, tuple[bytes, tuple[str, ...]]]:
    """Return files with harmless damage, and the warnings they deserve.

    A file's name begins with its warning.
    """
    words = ("no EOI", "trailing", "junk", "segment", "scan parameters")
    files = {}
    for name, data in {**_odd_ends(), **_odd_middles()}.items():
        (word,) = (w for w in words if name.startswith(w.lower().replace(" ", "-")))
        files[name] = (data, (word,))
    return files
