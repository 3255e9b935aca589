"""Damaged files: a named error at the right place, or libjpeg's coefficients."""

import sys
import time
from itertools import combinations
from pathlib import Path

import ccore
import corpus
import corpus_bad
import jpegimage
import numpy as np
import oracle
import pytest
import variants
from conftest import jpeg_bytes, picture
from jpegwriter import APP0, COM, DNL, EOI, RST0, SOF0, SOF2

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

EXPECTED = tomllib.loads(
    (Path(__file__).parent / "data" / "bad" / "expected.toml").read_text()
)
needs_oracle = pytest.mark.skipif(
    bool(oracle.why_missing()), reason=oracle.why_missing() or "present"
)
# docs/differences.md: what we refuse though libjpeg says nothing.
SILENT_IN_LIBJPEG = {
    "BAD_CODE",
    "BAD_COEFFICIENT",
    "BAD_RUN",
    "BAD_SCAN",
    "NO_SCAN",
    "LOST_SEGMENT",
    "EXCESS_DATA",
    "BAD_RESTART",
    "ARITHMETIC",
    "TOO_MANY_COMPONENTS",
    "TOO_MANY_SCANS",
}


def test_every_bad_file_has_its_expectation():
    assert EXPECTED.keys() == corpus_bad.bad().keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_bad_files_are_refused_by_name_and_place(name):
    outcome = ccore.decode(corpus_bad.bad()[name])
    want = EXPECTED[name]
    assert (outcome.status, outcome.offset) == (want["status"], want["offset"])


@pytest.mark.parametrize("disable", variants.DISABLE, ids=variants.name_of)
def test_every_variant_and_batch_says_the_same(disable, tmp_path):
    files = variants.write_files(corpus_bad.bad(), tmp_path)
    want = {n: f"{e['status']} at {e['offset']}" for n, e in EXPECTED.items()}
    for way, got in variants.digests(files, disable, tmp_path).items():
        assert got == want, way


def same(outcome, answer) -> bool:
    """Whether we and libjpeg have the same coefficients and tables."""
    return all(map(np.array_equal, outcome.planes, answer.planes)) and all(
        table is None or np.array_equal(ours, table)
        for ours, table in zip(outcome.qtables, answer.qtables, strict=True)
    )


def judge(data: bytes, decoder: ccore.Decoder, flags: int = 0) -> ccore.Outcome:
    """Decode; whatever libjpeg says about the file has to bear that out."""
    outcome = decoder.decode(data, flags)
    assert 0 <= outcome.offset <= len(data)
    answer = oracle.read(data)
    if outcome.ok and answer.error:
        # libjpeg wants to read the segment that the data break off in.
        assert outcome.warnings == ("no EOI",)
    elif outcome.ok:
        assert same(outcome, answer)
    elif answer.good:
        assert outcome.status in SILENT_IN_LIBJPEG
    return outcome


SMALL = [
    "420",
    "420-progressive",
    "restart-every-3",
    "444-not-interleaved",
    "restart-every-3-progressive",
]


@needs_oracle
@pytest.mark.parametrize("name", SMALL)
def test_no_truncation_goes_unnoticed(name):
    """Every prefix: only the marker that ends the image may be missing."""
    whole, decoder = corpus.good()[name], ccore.Decoder()
    for n in range(len(whole) - 2):
        outcome = judge(whole[:n], decoder)
        assert outcome.status == ("TRUNCATED" if n >= 2 else "NOT_JPEG"), n
    for n in (len(whole) - 2, len(whole) - 1):
        assert judge(whole[:n], decoder).warnings == ("no EOI",)


def marker_places(data: bytes) -> list[int]:
    """Where the markers of a file's segments are, from the first after SOI."""
    places, at = [], 2
    while data[at + 1] != EOI:
        if data[at] != 0xFF or data[at + 1] == 0 or data[at + 1] & 0xF8 == RST0:
            at += 1
            continue
        places.append(at)
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return places


SKIPPED = {*range(APP0, APP0 + 16), COM, DNL}  # segments that nobody misses


@pytest.mark.parametrize("name", [*SMALL, "huffman-std-not-interleaved"])
def test_no_damaged_marker_changes_a_coefficient(name):
    """One bit or two: refused, or the same; libjpeg decodes what is left."""
    whole, decoder = corpus.good()[name], ccore.Decoder()
    want, num_refused = decoder.decode(whole).digest(), 0
    masks = [
        sum(1 << i for i in bits) for n in (1, 2) for bits in combinations(range(16), n)
    ]
    for at in marker_places(whole):
        for mask in masks:
            marker = int.from_bytes(whole[at : at + 2], "big") ^ mask
            if marker >> 8 == 0xFF and marker & 0xFF in SKIPPED:
                continue
            outcome = decoder.decode(
                whole[:at] + marker.to_bytes(2, "big") + whole[at + 2 :]
            )
            assert not outcome.ok or outcome.digest() == want, (at, f"{marker:04x}")
            num_refused += not outcome.ok
    assert num_refused > 500


RESTARTED = [name for name in corpus.good() if name.startswith("restart-")]


@pytest.mark.parametrize("name", RESTARTED)
def test_no_smaller_frame_or_longer_interval_leaves_mcus_over(name):
    """Any bit of the sizes and of the interval: refused, or the same MCUs."""
    whole, decoder = corpus.good()[name], ccore.Decoder()
    info = decoder.decode(whole).info
    sizes = whole.index(b"\xff\xc2" if info.progressive else b"\xff\xc0") + 5
    interval = whole.index(b"\xff\xdd") + 4
    num_refused = 0
    for bit in range(32 + 16):
        at = sizes + bit // 8 if bit < 32 else interval + bit // 8 - 4
        data = bytearray(whole)
        data[at] ^= 0x80 >> bit % 8
        if too_large(bytes(data)):
            continue
        outcome = decoder.decode(bytes(data))
        num_refused += not outcome.ok
        if outcome.ok and at >= interval:
            assert outcome.digest() == decoder.decode(whole).digest()
        elif outcome.ok:
            assert (-(-outcome.info.width // 16), -(-outcome.info.height // 16)) == (
                -(-info.width // 16),
                -(-info.height // 16),
            )
    assert num_refused > 20


def cut_inside_segment(answer: oracle.Answer) -> bool:
    """Whether libjpeg read its own invented EOI marker as part of a segment."""
    return (
        answer.error != ""
        or "Invalid SOS parameters for sequential JPEG" in answer.warnings
        or answer.warnings.count("Premature end of JPEG file") > 1
    )


@needs_oracle
@pytest.mark.parametrize("tail", [b"", b"\xff\xd9"], ids=["cut", "EOI"])
@pytest.mark.parametrize("name", SMALL)
def test_what_truncation_leaves_is_what_libjpeg_makes_of_it(name, tail):
    """With ``allow_truncated``: the data end, or EOI comes early."""
    whole, decoder = corpus.good()[name], ccore.Decoder()
    head = whole.index(b"\xff\xda") + 2
    num_compared = 0
    for n in range(head + whole[head] * 256 + whole[head + 1], len(whole) - 2):
        data = whole[:n] + tail
        outcome = decoder.decode(data, ccore.ALLOW_TRUNCATED)
        answer = oracle.read(data)
        if cut_inside_segment(answer) or (tail and whole[n - 1] == 0xFF):
            continue
        assert outcome.status == "OK", n
        assert "truncated" in outcome.warnings or answer.good, n
        assert same(outcome, answer), n
        num_compared += 1
    assert num_compared > 0.6 * (len(whole) - head)


@needs_oracle
@pytest.mark.parametrize("tail", [b"", b"\xff\xd9"], ids=["cut", "EOI"])
def test_odd_files_cut_anywhere_are_what_libjpeg_makes_of_them(tail):
    """As above, at a few places of every kind of file."""
    decoder, rng = ccore.Decoder(), np.random.default_rng(len(tail))
    num_compared = 0
    for name, whole in corpus.good().items():
        head = whole.index(b"\xff\xda") + 14
        cuts = rng.integers(head, len(whole) - 1, 6) if head + 2 < len(whole) else []
        for n in cuts:
            data = whole[:n] + tail
            answer = oracle.read(data)
            if cut_inside_segment(answer) or whole[n - 1] == 0xFF:
                continue
            outcome = decoder.decode(data, ccore.ALLOW_TRUNCATED)
            assert outcome.ok, (name, n)
            assert same(outcome, answer), (name, n)
            num_compared += 1
    assert num_compared > 500


@needs_oracle
@pytest.mark.parametrize("name", corpus.good())
def test_allowing_truncation_changes_nothing_in_whole_files(name):
    data = corpus.good()[name]
    lenient = ccore.decode(data, ccore.ALLOW_TRUNCATED)
    assert lenient.digest() == ccore.decode(data).digest()
    assert lenient.warnings == ()


@needs_oracle
@pytest.mark.parametrize("part", range(10))
def test_flipped_bits_give_data_or_a_named_error(part):
    """10,000 seeded damages: one to four bits of one of the odd files."""
    rng = np.random.default_rng(part)
    decoder = ccore.Decoder()
    files = [data for data in corpus.good().values() if len(data) < 6000]
    num_ok = 0
    for _ in range(1000):
        data = bytearray(files[rng.integers(len(files))])
        for _ in range(rng.integers(1, 5)):
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        if too_large(bytes(data)):
            continue
        num_ok += judge(bytes(data), decoder).ok
    assert 50 < num_ok < 950


def too_large(data: bytes) -> bool:
    """Whether the header now asks for more memory than a test should take."""
    info = ccore.read_info(data, ccore.limits(max_pixels=1 << 22))
    return info.status == "TOO_MANY_PIXELS"


def test_random_bytes_are_refused():
    rng = np.random.default_rng(0)
    decoder = ccore.Decoder()
    for n in range(300):
        noise = rng.integers(0, 256, n, np.uint8).tobytes()
        assert not decoder.decode(noise).ok
        assert not decoder.decode(b"\xff\xd8" + noise).ok
        outcome = decoder.decode(corpus_bad.file(data=noise))
        assert outcome.ok or outcome.offset <= n + 400


def test_a_decoder_is_as_new_after_a_bad_file():
    """State left by one file never reaches the next."""
    decoder, fresh = ccore.Decoder(), ccore.decode(corpus.good()["420"]).digest()
    for name, data in corpus_bad.bad().items():
        decoder.decode(data)
        assert decoder.decode(corpus.good()["420"]).digest() == fresh, name


def test_bad_files_do_not_disturb_their_neighbours():
    """Good and bad files in one batch come out as they do alone."""
    mixed = [*corpus.good().values(), *corpus_bad.bad().values()]
    order = np.random.default_rng(1).permutation(len(mixed))
    alone = [ccore.decode(data).digest() for data in mixed]
    for num_threads in (0, 1, 2):
        batch = ccore.decode_batch([mixed[i] for i in order], num_threads)
        for i, outcome in zip(order, batch, strict=True):
            assert outcome.digest() == alone[i]


# ---- limits --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "value", "status"),
    [
        ("max_pixels", 37 * 43 - 1, "TOO_MANY_PIXELS"),
        ("max_output_nbytes", 128 * (30 + 9 + 9) - 1, "TOO_MUCH_OUTPUT"),
        ("max_components", 2, "TOO_MANY_COMPONENTS"),
        ("max_scans", 13, "TOO_MANY_SCANS"),
    ],
)
def test_limits_are_inclusive(limit, value, status):
    data = corpus.good()["420-progressive"]
    refused = ccore.decode(data, lim=ccore.limits(**{limit: value}))
    assert refused.status == status
    assert ccore.decode(data, lim=ccore.limits(**{limit: value + 1})).ok


# ---- time ----------------------------------------------------------------------


def seconds(data: bytes) -> float:
    """The best of five decodes, planes and all."""
    decoder, best = ccore.Decoder(), 1e9
    for _ in range(5):
        start = time.process_time()
        decoder.decode(data)
        best = min(best, time.process_time() - start)
    return best


def many_scans(side: int, refine: bool) -> bytes:
    """As many scans as are allowed, each a few end-of-band runs over a blank image."""
    dc, ac, end = corpus.DC, corpus.AC, (corpus.AC, 0, 0, 0)
    n = (side // 8) ** 2
    nbits = n.bit_length() - 1
    run = (ac, nbits << 4, n, nbits) if nbits < 15 else end
    events = [run] if nbits < 15 else [(ac, 0xE0, 0x3FFF, 14)] * (n // 32767 + 1)
    low = 7 if refine else 0
    plan = [([[(dc, 0, 0, 0)] * n], jpegimage.Scan((0,), 0, 0))]
    for al in range(7, 7 - low - 1, -1):
        for k in range(1, 64):
            ah = 0 if al == 7 else al + 1
            plan.append(([events], jpegimage.Scan((0,), k, k, ah, al)))
    return corpus.scans_file(plan[:500], (side, side), sof=0xC2)


@pytest.mark.parametrize("refine", [False, True])
def test_many_empty_scans_do_not_cost_much(refine):
    """500 scans of a few bytes each, against an ordinary file of these dimensions."""
    side = 1024
    plain = jpeg_bytes(picture(side, side), mode="L", quality=50, progressive=True)
    assert seconds(many_scans(side, refine)) < 20 * seconds(plain)


def test_huge_headers_without_data_cost_nothing():
    data = corpus_bad.bad()["65535-squared-no-data"]
    assert seconds(data) < 0.001
    unlimited = ccore.limits(max_pixels=1 << 33, max_output_nbytes=1 << 40)
    start = time.process_time()
    assert ccore.read_info(data, unlimited).ok
    assert time.process_time() - start < 0.001


@pytest.mark.parametrize("sof", [SOF0, SOF2])
def test_a_file_too_short_for_its_size_is_not_given_memory(sof):
    """A block takes a bit at least; these planes would be 330 MB."""
    scan = jpegimage.Scan((0,), 0, 0 if sof == SOF2 else 63)
    head = corpus_bad.part("sof", sof, 13000, 13000, [jpegimage.Component(1)])
    data = corpus_bad.progressive((scan, []), sof=head)
    plane = np.empty((1625, 1625, 8, 8), np.int16)  # mapped, but not yet there
    info, offset = ccore.ffi.new("struct dctload_info *"), ccore.ffi.new("size_t *")
    decoder = ccore.lib.dctload_alloc_decoder()
    pointers = ccore.pointers([plane])
    start = time.process_time()
    status = ccore.lib.dctload_decode(
        decoder, data, len(data), ccore.ffi.NULL, 0, pointers, info, offset
    )
    taken = time.process_time() - start
    ccore.lib.dctload_free_decoder(decoder)
    assert (ccore.STATUS[status], offset[0]) == ("TRUNCATED", len(data))
    assert taken < 0.005
