"""No file takes much more time than a good one of its size and dimensions."""

import time

import numpy as np
import pytest
import slow_files
import slow_mixes
from conftest import jpeg_bytes

import dctload

# What is promised is 20, and half as much again is what a busy machine may make of it.
# One takes longer in batches, on a quiet machine with AVX-512.
PROMISED, SLACK = 20, 1.5
MISSED = {"ends of 2 or 3 and coefficients": 25}


def seconds(data: bytes, repeats: int, batch: int = 1) -> float:
    """The fastest of some decodes of a file, in time of this thread.

    Of ``batch`` copies that are decoded side by side, the time for one.
    """
    decoder = dctload.Decoder()
    times = []
    for _ in range(repeats):
        start = time.thread_time()
        if batch == 1:
            decoder.decode(data)
        else:
            decoder.decode_many([data] * batch)
        times.append((time.thread_time() - start) / batch)
    return min(times)


@pytest.fixture(scope="module", params=[1, 32], ids=["alone", "in-batches"])
def good(request):
    """Of good files of these dimensions: the batch, seconds for one and for a byte.

    That is a flat image, which takes least, and noise.
    """
    batch = request.param
    shape = slow_files.HEIGHT, slow_files.WIDTH
    flat = jpeg_bytes(np.full(shape, 99, np.uint8))
    rng = np.random.default_rng(0)
    noise = jpeg_bytes(rng.integers(0, 256, shape).astype(np.uint8), quality=95)
    return batch, seconds(flat, 20, batch), seconds(noise, 5, batch) / len(noise)


FILES = {**slow_files.slow(), **slow_mixes.mixes()}


@pytest.mark.parametrize("name", FILES)
def test_few_bytes_do_not_cost_much_time(name, good):
    """The slower of a flat image of the dimensions and noise of the size counts.

    Alone, and against good files that are decoded side by side, which is faster.
    """
    data = FILES[name]
    batch, for_dimensions, for_a_byte = good
    allowed = max(for_dimensions, for_a_byte * len(data))
    times = MISSED.get(name, PROMISED) * SLACK
    assert seconds(data, 3, min(batch, 3)) < times * allowed


@pytest.mark.parametrize("batch", [1, 32], ids=["alone", "in-batches"])
@pytest.mark.parametrize(
    ("width", "height", "tables"),
    [(8, 40000, False), (16, 32768, False), (8, 8, True), (64, 64, False)],
)
def test_dimensions_do_not_make_scans_slower(width, height, tables, batch):
    """Rows of one block, and files that are nothing but headers and tables."""
    data = slow_files.many_scans_of(width, height, tables)
    flat = jpeg_bytes(np.full((height, width), 99, np.uint8))
    rng = np.random.default_rng(0)
    noise = jpeg_bytes(rng.integers(0, 256, (512, 512)).astype(np.uint8), quality=95)
    for_a_byte = seconds(noise, 5, batch) / len(noise)
    allowed = max(seconds(flat, 10, batch), for_a_byte * len(data))
    assert seconds(data, 3, min(batch, 3)) < PROMISED * SLACK * allowed


def test_small_files_with_tables_of_their_own_are_not_much_slower():
    """Tables that no file had before have to be made, eight for four blocks."""
    usual = jpeg_bytes(np.zeros((8, 8), np.uint8))
    files = [slow_files.tables_of_its_own(seed) for seed in range(200)]
    decoder = dctload.Decoder()
    decoder.decode(usual)
    start = time.thread_time()
    for data in files:
        decoder.decode(data)
    mean = (time.thread_time() - start) / len(files)
    assert mean < PROMISED * SLACK * seconds(usual, 100)


def test_more_scans_than_the_limit_are_refused():
    data = slow_files.many_scans(0)
    with pytest.raises(dctload.LimitError, match="more scans"):
        dctload.decode(data, limits=dctload.Limits(max_scans=499))


@pytest.mark.parametrize("sof", [0xC0, 0xC2], ids=["baseline", "progressive"])
@pytest.mark.parametrize(
    ("size", "error"),
    [(65535, dctload.LimitError), (13000, dctload.CorruptJPEGError)],
)
def test_large_dimensions_without_data_cost_nothing(sof, size, error):
    """The second is below the limits, and would need 338 MB."""
    data = slow_files.without_data(sof, size, size)
    decoder = dctload.Decoder()
    start = time.thread_time()
    for _ in range(20):
        with pytest.raises(error):
            decoder.decode(data)
    assert (time.thread_time() - start) / 20 < 0.01
