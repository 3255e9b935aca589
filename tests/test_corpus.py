"""The tests' own tools: the writer and libjpeg must agree before either judges."""

import corpus
import jpegimage
import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jpegwriter import SOF0, SOF1, SOF2

pytestmark = pytest.mark.skipif(
    bool(oracle.why_missing()), reason=oracle.why_missing() or "present"
)


def test_libjpeg_has_nothing_against_the_good_files():
    for name, data in corpus.good().items():
        answer = oracle.read(data)
        assert (answer.error, answer.warnings) == ("", ()), name


def test_libjpeg_reads_the_tolerated_files_to_the_end():
    for name, (data, _) in corpus.tolerated().items():
        assert oracle.read(data).error == "", name


plans = st.sampled_from(
    [
        (jpegimage.interleaved, SOF0),
        (jpegimage.one_each, SOF1),
        (jpegimage.progression, SOF2),
    ]
)


@settings(max_examples=60, deadline=None)
@given(
    plan=plans,
    sampling=st.sampled_from(sorted(corpus.SAMPLINGS)),
    width=st.integers(1, 60),
    height=st.integers(1, 60),
    style=st.sampled_from(["flat", "skewed", "long"]),
    restart=st.integers(0, 9),
    zrl=st.booleans(),
    max_eob_run=st.integers(1, 40),
)
def test_libjpeg_reads_back_what_the_writer_wrote(
    plan, sampling, width, height, **options
):
    make_scans, sof = plan
    image = jpegimage.random_image(width, height, corpus.SAMPLINGS[sampling])
    data = jpegimage.encode_image(image, make_scans(image, **options), sof=sof)
    answer = oracle.read(data)
    assert answer.good, (answer.error, answer.warnings)
    for got, want in zip(answer.planes, image.cut(), strict=True):
        np.testing.assert_array_equal(got, want)
