"""Grids of every sampling at every size, and which index is which frequency."""

import ccore
import corpus
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jpegimage import (
    encode_image,
    interleaved,
    new_image,
    one_each,
    progression,
    random_image,
)
from jpegwriter import SOF0, SOF1, SOF2

factors = st.tuples(st.integers(1, 4), st.integers(1, 4))
samplings = st.lists(factors, min_size=1, max_size=4)
plans = {"interleaved": SOF0, "one_each": SOF1, "progression": SOF2}


def equal(outcome, planes):
    assert outcome.status == "OK"
    assert len(outcome.planes) == len(planes)
    for got, want in zip(outcome.planes, planes, strict=True):
        np.testing.assert_array_equal(got, want)


@settings(max_examples=150, deadline=None)
@given(
    sampling=samplings,
    width=st.integers(1, 70),
    height=st.integers(1, 70),
    plan=st.sampled_from(sorted(plans)),
    restart=st.integers(0, 5),
    seed=st.integers(0, 99),
)
def test_what_the_writer_wrote_comes_back(sampling, width, height, plan, restart, seed):
    """Any factors 1 to 4, legal mixes and such as no encoder has ever made."""
    image = random_image(width, height, sampling, seed)
    too_big = len(sampling) > 1 and sum(h * v for h, v in sampling) > 10
    make = {
        "interleaved": interleaved,
        "one_each": one_each,
        "progression": progression,
    }[plan]
    if too_big and plan != "one_each":
        make, plan = one_each, "one_each"
    data = encode_image(image, make(image, restart=restart), sof=plans[plan])
    equal(ccore.decode(data), image.cut())


@given(sampling=samplings, width=st.integers(1, 65535), height=st.integers(1, 65535))
@settings(deadline=None)
def test_grids_are_sizes_divided_by_eight_rounded_up(sampling, width, height):
    image = new_image(8, 8, sampling)
    image.width, image.height = width, height
    data = encode_image(image, [], eoi=b"") + b"\xff\xda\0\x08\1\1\0\0\x3f\0"
    unlimited = ccore.limits(max_pixels=1 << 33, max_output_nbytes=1 << 40)
    outcome = ccore.read_info(data, unlimited)
    assert outcome.status == "OK"
    h_max, v_max = (max(f) for f in zip(*sampling, strict=True))
    for c, (h, v) in enumerate(sampling):
        comp = outcome.info.components[c]
        assert (comp.h, comp.v) == (h, v)
        assert comp.width == -(-width * h // h_max)
        assert comp.height == -(-height * v // v_max)
        assert comp.blocks_w == -(-comp.width // 8)
        assert comp.blocks_h == -(-comp.height // 8)


def test_rows_are_vertical_frequencies():
    """A file made of one horizontal frequency has it in column 1 of row 0."""
    x = np.arange(8)
    wave = np.cos((2 * x + 1) * np.pi / 16)  # u = 1, constant down the rows
    block = np.outer(np.ones(8), wave)
    k = np.sqrt(np.where(x == 0, 1, 2) / 8)
    basis = k[:, None] * np.cos(np.outer(x, 2 * x + 1) * np.pi / 16)
    coefs = np.rint(100 * basis @ block @ basis.T)
    assert np.flatnonzero(coefs) == [1]

    image = new_image(24, 8, [(1, 1)])
    image.planes[0][0, 1] = coefs.reshape(64)
    (plane,) = ccore.decode(encode_image(image, interleaved(image))).planes
    assert plane.shape == (1, 3, 8, 8)
    assert plane[0, 1, 0, 1] == coefs[0, 1] != 0
    assert np.count_nonzero(plane) == 1


def test_pillow_sees_the_same_direction():
    """The wave runs across the decoded picture, not down it."""
    import io

    from PIL import Image

    image = new_image(16, 8, [(1, 1)])
    image.planes[0][..., 1] = 100
    data = encode_image(image, interleaved(image))
    with Image.open(io.BytesIO(data)) as picture:
        pixels = np.asarray(picture, np.int32)
    assert np.ptp(pixels, axis=0).max() == 0
    assert np.ptp(pixels, axis=1).min() > 10


@pytest.mark.parametrize("size", [(65535, 1), (1, 65535), (65535, 9)])
def test_the_longest_sides_decode(size):
    """libjpeg stops at 65,500 samples, T.81 at 65,535."""
    image = new_image(*size, corpus.GREY)
    image.planes[0][-1, -1, 63] = 3
    equal(ccore.decode(encode_image(image, interleaved(image))), image.cut())


def test_every_zigzag_place_is_where_t81_has_it():
    """One coefficient at a time, in each place, in both kinds of file."""
    image = new_image(8 * 64, 8, corpus.GREY)
    for k in range(64):
        image.planes[0][0, k, k] = k + 1
    for scans, sof in [(interleaved(image), SOF0), (progression(image), SOF2)]:
        equal(ccore.decode(encode_image(image, scans, sof=sof)), image.cut())
