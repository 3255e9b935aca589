"""Files that are large, or only look so: memory stays bounded."""

import os
import resource
from contextlib import contextmanager

import ccore
import corpus
import numpy as np
import pytest
from conftest import jpeg_bytes, picture

import dctload
from dctload import DataLoader, Decoder, Files, Limits
from dctload import transforms as T

pytestmark = pytest.mark.timeout(120)

TRANSFORMS = {
    "planned in C": T.Resize((32, 32)),
    "planned in Python": [T.ColorJitter(0.5), T.Resize((32, 32))],
    "made in Python": [lambda image: image, T.Resize((32, 32))],
}


@contextmanager
def no_more_than(nbytes):
    """Let the process take no more memory than that above what it has."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + nbytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def sparse(path, nbytes, start=b""):
    """A file that takes no place on the disk."""
    path.write_bytes(start)
    os.truncate(path, nbytes)
    return path


def ways(path, limits=None):
    """Each way of opening a file, as a function."""
    yield lambda: dctload.decode(path, limits=limits)
    yield lambda: dctload.read_info(path, limits=limits)
    for num_threads in (1, 2):
        decoder = Decoder(num_threads)
        yield lambda d=decoder: d.decode_many([path], limits=limits)
    for transform in TRANSFORMS.values():
        for num_workers in (0, 1):
            loader = DataLoader(
                Files([path], transform=transform),
                num_workers=num_workers,
                limits=limits,
            )
            yield lambda loader=loader: list(loader)


@pytest.mark.parametrize("start", [b"", b"\xff\xd8\xff"])
def test_a_file_above_the_limit_is_named_and_not_read(tmp_path, start):
    path = sparse(tmp_path / "disk.jpg", 3 << 30, start)
    for way in ways(path):
        with (
            no_more_than(1 << 30),
            pytest.raises(
                dctload.LimitError,
                match=r"disk\.jpg: a larger file than the limit at byte 2147483648 of",
            ),
        ):
            way()
    with no_more_than(1 << 30), pytest.raises(dctload.LimitError, match="larger"):
        Files([path], transform=T.Resize((32, 32)))[0]


def test_a_large_file_that_is_no_jpeg_is_not_read_to_its_end(tmp_path):
    path = sparse(tmp_path / "disk.jpg", 2 << 30)
    data = Files([path], transform=T.Resize((32, 32)), other_formats="error")
    for way in (
        lambda: dctload.decode(path),
        lambda: dctload.read_info(path),
        lambda: dctload.decode_many([path]),
        lambda: list(DataLoader(data)),
    ):
        with (
            no_more_than(1 << 30),
            pytest.raises(
                dctload.CorruptJPEGError,
                match=r"disk\.jpg: not a JPEG file at byte 0 of 2147483648",
            ),
        ):
            way()


def test_the_limit_on_files_is_inclusive_whoever_reads_them(tmp_path):
    data = corpus.good()["420-progressive"]
    lim = ccore.limits(max_file_nbytes=len(data) - 1)
    assert ccore.decode(data, lim=lim).status == "FILE_TOO_LARGE"
    assert ccore.decode(data, lim=ccore.limits(max_file_nbytes=len(data))).ok

    large = jpeg_bytes(picture(64, 64)) + b"\0" * (6 << 20)
    path = tmp_path / "trailing.jpg"
    path.write_bytes(large)
    for way in ways(path, Limits(max_file_nbytes=len(large))):
        way()
    for way in ways(path, Limits(max_file_nbytes=len(large) - 1)):
        with pytest.raises(dctload.LimitError, match=r"trailing\.jpg: a larger file"):
            way()


@pytest.mark.parametrize("kind", TRANSFORMS)
@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_large_image_of_another_format_is_converted(tmp_path, kind, num_workers):
    """Although the engine does not read it."""
    from PIL import Image

    noise = np.random.default_rng(1).integers(0, 256, (1300, 1300, 3), np.uint8)
    small, large = tmp_path / "0.jpg", tmp_path / "1.jpg"
    small.write_bytes(jpeg_bytes(picture(64, 64)))
    Image.fromarray(noise).save(large, "PNG", compress_level=0)
    assert large.stat().st_size > 4 << 20
    data = Files([small, large], transform=TRANSFORMS[kind])
    loader = DataLoader(data, 2, num_workers=num_workers)
    ((x, target),) = loader
    assert target.tolist() == [0, 1]
    assert loader.stats.converted == 1
    assert x[1].isfinite().all()
    assert x[1].abs().sum() > 0
