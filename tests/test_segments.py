"""Scans of more bytes than a decoder has in memory at a time: see csrc/jpeg/segment.c.

A picture of noise gives the longest codes and many bytes that need stuffing.
"""

import re

import ccore
import numpy as np
import oracle
import pytest
from conftest import jpeg_bytes
from test_decode_oracle import wanted

import dctload

pytestmark = pytest.mark.timeout(60)
needs_oracle = pytest.mark.skipif(
    bool(oracle.why_missing()), reason=oracle.why_missing() or "present"
)


def _noise(width, height, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def _files():
    tall, wide = _noise(200, 700), _noise(1500, 100)
    return {
        "one segment": jpeg_bytes(tall, quality=97),
        "wide": jpeg_bytes(wide, quality=99, subsampling=0),
        "grey": jpeg_bytes(tall, quality=100, mode="L"),
        "progressive": jpeg_bytes(tall, quality=95, progressive=True),
        "long restarts": jpeg_bytes(tall, quality=97, restart_marker_rows=20),
        "short restarts": jpeg_bytes(tall, quality=97, restart_marker_blocks=3),
        "own tables": jpeg_bytes(tall, quality=100, optimize=True),
    }


@pytest.fixture(scope="module")
def files():
    made = _files()
    assert min(map(len, made.values())) > 120_000
    return made


def _scan(data):
    """Where the entropy-coded data of the last scan begin and end."""
    (sos,) = re.findall(rb"\xff\xda\x00(.)", data, re.S)[-1:]
    return data.rindex(b"\xff\xda") + 2 + sos[0], len(data) - 2


def _stuffed(data):
    """Places of the bytes 0xFF that are data."""
    begin, end = _scan(data)
    found = [m.start() for m in re.finditer(rb"\xff\x00", data)]
    return [place for place in found if begin <= place < end]


@needs_oracle
@pytest.mark.parametrize("name", _files())
def test_large_files_equal_libjpeg(files, name):
    got = ccore.decode(files[name])
    assert (got.digest(), got.warnings) == (wanted(files[name]), ())


@pytest.mark.parametrize("num", [1, 2, 100_000])
@pytest.mark.parametrize("which", [1, 150, 300, -1])
def test_fill_bytes_anywhere_are_passed_over(files, num, which):
    """Before stuffing they are one byte of data, be they more than memory holds."""
    data = files["one segment"]
    place = _stuffed(data)[which]
    filled = data[:place] + num * b"\xff" + data[place:]
    assert ccore.decode(filled).digest() == ccore.decode(data).digest()


def test_stuffing_is_whole_wherever_pieces_end(files):
    """All that move by a byte what is read at a time."""
    data = files["one segment"]
    want = ccore.decode(data).digest()
    first = _stuffed(data)[0]
    for num in range(0, 60, 3):
        filled = data[:first] + num * b"\xff" + data[first:]
        assert ccore.decode(filled).digest() == want


@pytest.mark.parametrize("first", [0, 5, 200])
@pytest.mark.parametrize("num", [9_000, 60_000])
def test_fill_bytes_in_many_places_leave_enough_to_decode(files, num, first):
    """Each time more is read, all of it may be one byte of data."""
    data = files["one segment"]
    places = _stuffed(data)[first : first + 40]
    pieces = map(slice, [0, *places], [*places, len(data)])
    filled = (num * b"\xff").join(data[piece] for piece in pieces)
    decoder = ccore.Decoder()  # whose memory is full of data that are good
    want = decoder.decode(data).digest()
    assert decoder.decode(filled).digest() == want


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("name", ["one segment", "grey", "long restarts"])
def test_a_wrong_code_is_found_where_it_is(files, name, share):
    """Bits of ones, which no code begins with."""
    data = files[name]
    begin, end = _scan(data)
    place = begin + int(share * (end - begin))
    wrong = data[:place] + 24 * b"\xff\x00" + data[place + 48 :]
    got = ccore.decode(wrong)
    assert got.status in ("BAD_CODE", "BAD_RUN", "BAD_COEFFICIENT")
    assert place - 40 <= got.offset <= place + 48


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", ["one segment", "wide", "progressive"])
def test_missing_data_are_told_by_the_byte(files, name, share):
    data = files[name]
    cut = data[: int(share * len(data))].rstrip(b"\xff")
    got = ccore.decode(cut)
    assert (got.status, got.offset) == ("TRUNCATED", len(cut))


@needs_oracle
@pytest.mark.parametrize("share", [0.2, 0.8])
@pytest.mark.parametrize("name", ["one segment", "wide", "own tables", "progressive"])
def test_what_is_there_of_a_large_file_equals_libjpeg(files, name, share):
    data = files[name]
    cut = data[: int(share * len(data))]
    assert ccore.decode(cut, ccore.ALLOW_TRUNCATED).digest() == wanted(cut)


@pytest.mark.parametrize("nbytes", range(55_850, 55_870))
def test_a_cut_segment_may_end_where_a_piece_does(nbytes):
    """Most of it is right of a region that goes on in the segment that is missing."""
    data = jpeg_bytes(_noise(4000, 32), quality=95, restart_marker_rows=1)
    begin, _ = _scan(data)
    cut = data[: begin + nbytes].rstrip(b"\xff") + b"\xff\xd9"
    whole = dctload.decode(cut, allow_truncated=True)
    decoder = dctload.Decoder()
    part = decoder.decode(cut, region=(0, 0, 32, 64), allow_truncated=True)
    for got, want in zip(part.planes, whole.planes, strict=True):
        np.testing.assert_array_equal(got, want[: got.shape[0], : got.shape[1]])


@pytest.mark.parametrize("name", ["one segment", "grey"])
@pytest.mark.parametrize("tail", [b"\x00", b"\x12\x34", bytes(100_000)])
def test_junk_behind_the_last_block_is_noted(files, name, tail):
    data = files[name]
    _, end = _scan(data)
    got = ccore.decode(data[:end] + tail + data[end:])
    want = ccore.decode(data)
    assert (got.digest(), got.warnings) == (want.digest(), ("junk",))
