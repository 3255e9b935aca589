"""What ``dctload_encode`` writes, both decoders read back."""

import ccore
import corpus
import jpegimage
import jpegwriter
import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

both_tables = pytest.mark.parametrize("optimize", [True, False])


def equal(got, want):
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b)


def frame(data: bytes):
    """The info of a file, to write other coefficients with."""
    outcome = ccore.decode(data)
    assert outcome.ok
    return outcome


def template(width, height, sampling):
    """The info of an empty file of this geometry."""
    image = jpegimage.new_image(width, height, sampling)
    return frame(jpegimage.encode_image(image, jpegimage.one_each(image))), image


@both_tables
@pytest.mark.parametrize("name", corpus.good())
def test_every_odd_file_survives_being_written(name, optimize):
    source = frame(corpus.good()[name])
    data = ccore.encode(source.info, source.planes, optimize)
    if isinstance(data, str):
        assert data == "BAD_COEFFICIENT"
        assert needs_more_than_baseline(source.planes)
        return
    again = frame(data)
    equal(again.planes, source.planes)
    equal(again.qtables, source.qtables)
    assert again.warnings == ()
    assert again.info.color == source.info.color
    assert again.info.orientation == source.info.orientation
    assert not again.info.progressive
    if not oracle.why_missing():
        answer = oracle.read(data)
        assert answer.good
        equal(answer.planes, source.planes)
        equal(answer.qtables, source.qtables)


def needs_more_than_baseline(planes) -> bool:
    """An AC value of over 10 bits, or DC values that may differ by over 11."""
    high = [np.abs(p.reshape(-1, 64)[:, 1:].astype(int)).max() for p in planes]
    spread = [np.ptp(p[..., 0, 0].astype(int)) for p in planes]
    start = [abs(int(p[0, 0, 0, 0])) for p in planes]
    return max(high) > 1023 or max(spread + start) > 2047


@settings(max_examples=60, deadline=None)
@given(
    sampling=st.lists(
        st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4
    ),
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    optimize=st.booleans(),
    density=st.sampled_from([0.0, 0.02, 0.3, 1.0]),
    seed=st.integers(0, 99),
)
def test_any_geometry_survives(sampling, width, height, optimize, density, seed):
    image = jpegimage.random_image(width, height, sampling, seed, density)
    outcome, _ = template(width, height, sampling)
    data = ccore.encode(outcome.info, image.cut(), optimize)
    equal(frame(data).planes, image.cut())
    if not oracle.why_missing():
        answer = oracle.read(data)
        assert answer.good
        equal(answer.planes, image.cut())


def test_the_largest_values_of_baseline_fit():
    outcome, image = template(16, 8, corpus.GREY)
    plane = image.cut()[0]
    plane[..., 1:, :], plane[..., 0, 1:] = -1023, 1023
    plane[0, :, 0, 0] = -1024, 1023
    equal(frame(ccore.encode(outcome.info, [plane])).planes, [plane])


@both_tables
@pytest.mark.parametrize(
    ("where", "value"), [((1, 1), 1024), ((7, 7), -1024), ((0, 0), 2048)]
)
def test_larger_values_are_refused(where, value, optimize):
    outcome, image = template(8, 8, corpus.GREY)
    plane = image.cut()[0]
    plane[0, 0][where] = value
    assert ccore.encode(outcome.info, [plane], optimize) == "BAD_COEFFICIENT"
    plane[0, 0][where] = value - np.sign(value)
    assert ccore.decode(ccore.encode(outcome.info, [plane], optimize)).ok


def test_optimised_tables_make_the_file_smaller():
    image = jpegimage.random_image(200, 200, corpus.S420, ac_bits=4)
    outcome, _ = template(200, 200, corpus.S420)
    optimised = ccore.encode(outcome.info, image.cut(), True)
    standard = ccore.encode(outcome.info, image.cut(), False)
    assert len(optimised) < 0.98 * len(standard)


def test_codes_longer_than_16_bits_are_shortened():
    """Fibonacci counts make Huffman's algorithm want a code of 22 bits."""
    counts = [1, 1]
    while len(counts) < 22:
        counts.append(counts[-1] + counts[-2])
    side = 216
    assert sum(counts) < side * side
    outcome, image = template(8 * side, 8 * side, corpus.GREY)
    plane = image.cut()[0]
    blocks = plane.reshape(-1, 64)
    symbol = np.repeat(np.arange(22), counts)  # k = 1..11, of size 1 or 2
    k = np.array(jpegwriter.ZIGZAG)[1 + symbol // 2]
    blocks[np.arange(len(symbol)), k] = 1 + symbol % 2
    data = ccore.encode(outcome.info, [plane], True)
    equal(frame(data).planes, [plane])
    ac = data[data.index(b"\xff\xc4", data.index(b"\xff\xc4") + 1) + 5 :]
    lengths = ac[:16]
    assert sum(lengths) == 23  # with the end of block
    assert sum(n << (15 - i) for i, n in enumerate(lengths)) < 1 << 16


def test_writing_twice_gives_the_same_bytes():
    source = frame(corpus.good()["420"])
    first = ccore.encode(source.info, source.planes)
    assert ccore.encode(source.info, source.planes) == first


def test_nothing_is_written_past_the_capacity():
    source = frame(corpus.good()["420"])
    whole = ccore.encode(source.info, source.planes)
    ffi, lib = ccore.ffi, ccore.lib
    nbytes = ffi.new("size_t *")
    planes = ccore.pointers(source.planes)
    for capacity in (0, 1, 2, 100, len(whole) - 1, len(whole)):
        out = ffi.new("uint8_t[]", b"\xa5" * (len(whole) + 8))
        status = lib.dctload_encode(source.info, planes, 1, out, capacity, nbytes)
        assert status == lib.DCTLOAD_OK
        assert nbytes[0] == len(whole)
        assert bytes(ffi.buffer(out))[:capacity] == whole[:capacity]
        assert set(bytes(ffi.buffer(out))[capacity : len(whole) + 8]) == {0xA5}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("width", 0),
        ("height", 65536),
        ("num_components", 0),
        ("num_components", 5),
        ("orientation", 0),
        ("orientation", 9),
        ("color", 5),
    ],
)
def test_an_info_that_no_file_has_is_refused(field, value):
    source = frame(corpus.good()["420"])
    setattr(source.info, field, value)
    assert ccore.encode(source.info, source.planes) == "BAD_ARGUMENT"


@pytest.mark.parametrize(("field", "value"), [("h", 0), ("v", 5), ("blocks_w", 1)])
def test_a_component_that_no_file_has_is_refused(field, value):
    source = frame(corpus.good()["420"])
    setattr(source.info.components[0], field, value)
    assert ccore.encode(source.info, source.planes) == "BAD_ARGUMENT"
