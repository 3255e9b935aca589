"""Which members of an archive are samples: links, and names with dots."""

import io
import tarfile

import numpy as np
import pytest
from conftest import write_tar

from dctload import TarShards
from dctload.data.sources.tarindex import members

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def link(tar, name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    tar.addfile(info)


@pytest.mark.parametrize("format", FORMATS)
def test_links_to_files_of_an_archive_are_these_files(tmp_path, format):
    """As tarfile has it; a link may lead to another, and to what comes later."""
    long = "folder/" + "n" * (150 if format != tarfile.USTAR_FORMAT else 50) + ".jpg"
    content = {"a/1.jpg": b"one", "z/2.jpg": b"two!", long: b"long"}
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w", format=format) as tar:
        link(tar, "0/far.jpg", "../z/./2.jpg")
        link(tar, "0/far.cls", "../z/2.cls")
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        link(tar, "b/hard.jpg", "a/1.jpg", tarfile.LNKTYPE)
        link(tar, "b/soft.jpg", "hard.jpg")
        link(tar, "c/" + "m" * 95 + ".jpg", long, tarfile.LNKTYPE)
        info = tarfile.TarInfo("z/2.cls")
        info.size = 1
        tar.addfile(info, io.BytesIO(b"7"))
    data = path.read_bytes()
    with tarfile.open(path) as tar:
        want = [(m.name, tar.extractfile(m).read()) for m in tar]
    got = [(name, data[start : start + size]) for name, start, size in members(path)]
    assert got == want
    assert [content for name, content in got if "/far" in name] == [b"two!", b"7"]


def test_a_link_that_leads_nowhere_is_named(tmp_path):
    path = tmp_path / "x.tar"
    for target, kind in (
        ("../y/1.jpg", tarfile.SYMTYPE),
        ("/x/1.jpg", tarfile.SYMTYPE),
        ("y/1.jpg", tarfile.LNKTYPE),
    ):
        with tarfile.open(path, "w") as tar:
            link(tar, "x/2.jpg", target, kind)
        with pytest.raises(
            ValueError,
            match=r"x\.tar: x/2\.jpg is a link to /?[xy]/1\.jpg, which is not",
        ):
            TarShards(path)
    with tarfile.open(path, "w") as tar:
        link(tar, "1.jpg", "2.jpg")
        link(tar, "2.jpg", "1.jpg")
    with pytest.raises(ValueError, match=r"1\.jpg is a link that leads around"):
        TarShards(path)


def test_a_member_without_its_zeroes_is_refused(tmp_path):
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        info = tarfile.TarInfo("a.jpg")
        info.type = tarfile.GNUTYPE_SPARSE
        tar.addfile(info)
    with pytest.raises(ValueError, match=r"x\.tar: a\.jpg is stored without"):
        TarShards(path)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("a.jpg")
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
        tar.addfile(info)
    with pytest.raises(ValueError, match=r"x\.tar: a\.jpg is stored without"):
        TarShards(path)


@pytest.mark.parametrize(
    ("files", "images", "targets"),
    [
        ({"0.depth.png": b"", "0.jpg": b"", "0.cls": b"2"}, ["0.jpg"], [2]),
        ({"0.JPEG": b"", "0.seg.png": b"", "0.webp": b""}, ["0.JPEG"], [0]),
        ({"0.img.png": b"", "0.cls": b"2"}, ["0.img.png"], [2]),
        ({"0.5.png": b"", "0.5.cls": b"2"}, ["0.5.png"], [2]),
        (
            {"19.05.01.jpg": b"", "19.05.02.jpg": b"", "19.06.01.jpeg": b""},
            ["19.05.01.jpg", "19.05.02.jpg", "19.06.01.jpeg"],
            [0, 0, 0],
        ),
        (
            {"a.1.cls": b"5", "a.1.jpg": b"", "a.2.cls": b"6", "a.2.jpg": b""},
            ["a.1.jpg", "a.2.jpg"],
            [5, 6],
        ),
    ],
)
def test_no_image_is_taken_for_a_part_of_another(tmp_path, files, images, targets):
    path = tmp_path / "x.tar"
    write_tar(path, files)
    shards = TarShards(path)
    names = [shards.name(i) for i in range(len(shards))]
    assert names == [f"{path}:{name}" for name in images]
    assert shards.fetch(np.arange(len(shards))).targets.tolist() == targets


@pytest.mark.parametrize(
    "names",
    [
        ["0.a.png", "0.b.png"],
        ["0.jpeg", "0.jpg"],
        ["0.1.jpg", "0.jpg"],
        ["0.left.jpg", "0.right.jpg", "0.cls"],
        ["0.left.jpg", "0.left.png"],
        ["0.a.jpg", "0.b.png"],
    ],
)
def test_a_second_image_of_a_sample_is_named(tmp_path, names):
    write_tar(tmp_path / "x.tar", dict.fromkeys(names, b"1"))
    one, other = names[:2]
    with pytest.raises(
        ValueError,
        match=rf"x\.tar: {one} and {other} are both .* sample '0'.* Only 0\.jpg",
    ):
        TarShards(tmp_path / "x.tar")
