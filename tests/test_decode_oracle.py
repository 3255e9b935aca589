"""Bit-equality with libjpeg: every good file, CPU variant and way to decode."""

import hashlib
import io
import shutil
import subprocess

import ccore
import corpus
import numpy as np
import oracle
import pytest
import slow_files
import slow_mixes
import variants
from conftest import jpeg_bytes, picture

needs_oracle = pytest.mark.skipif(
    bool(oracle.why_missing()), reason=oracle.why_missing() or "present"
)
every_variant = pytest.mark.parametrize(
    "disable", variants.DISABLE, ids=variants.name_of
)


def wanted(data: bytes) -> str:
    """The digest that ``ccore.Outcome`` has if it equals libjpeg's answer."""
    answer = oracle.read(data)
    assert answer.error == ""
    h = hashlib.sha256()
    for array in [*answer.planes, np.stack(answer.qtables)]:
        h.update(repr(array.shape).encode())
        h.update(np.ascontiguousarray(array))
    return h.hexdigest()


def check(files, disable, folder):
    """Every way to decode ``files`` gives libjpeg's coefficients."""
    want = {name: wanted(path.read_bytes()) for name, path in files}
    for way, got in variants.digests(files, disable, folder).items():
        wrong = {name: got[name] for name in want if got[name] != want[name]}
        assert wrong == {}, f"{way}: {len(wrong)} of {len(want)} differ"


@needs_oracle
@every_variant
def test_odd_files_equal_libjpeg(disable, tmp_path):
    check(variants.write_files(corpus.good(), tmp_path), disable, tmp_path)


@needs_oracle
@every_variant
def test_tolerated_files_equal_libjpeg(disable, tmp_path):
    files = {name: data for name, (data, _) in corpus.tolerated().items()}
    check(variants.write_files(files, tmp_path), disable, tmp_path)


@needs_oracle
@every_variant
def test_scans_made_to_take_long_equal_libjpeg(disable, tmp_path):
    """They are long enough for every loop of progressive scans, and end anywhere."""
    files = {
        name.replace(" ", "-"): data
        for name, data in {**slow_files.slow(), **slow_mixes.mixes()}.items()
        if slow_files.is_progressive(data)
    }
    check(variants.write_files(files, tmp_path), disable, tmp_path)


@pytest.mark.parametrize("name", corpus.tolerated())
def test_harmless_damage_is_noted(name):
    data, warnings = corpus.tolerated()[name]
    assert ccore.decode(data).warnings == warnings


@pytest.mark.parametrize("name", corpus.good())
def test_good_files_get_no_warning(name):
    assert ccore.decode(corpus.good()[name]).warnings == ()


def made_by_encoders(tmp_path) -> dict[str, bytes]:
    """A picture as Pillow, cjpeg and jpegtran write it."""
    pixels = picture(211, 157)
    files = {f"pillow-{s}": jpeg_bytes(pixels, subsampling=s) for s in range(3)}
    files["pillow-quality-1"] = jpeg_bytes(pixels, quality=1)
    files["pillow-quality-100"] = jpeg_bytes(pixels, quality=100, subsampling=0)
    files["pillow-grey"] = jpeg_bytes(pixels, mode="L")
    files["pillow-cmyk"] = jpeg_bytes(pixels, mode="CMYK")
    if shutil.which("cjpeg"):
        ppm = b"P6 211 157 255\n" + pixels.tobytes()
        for sample in ("4x1", "1x2", "4x2", "1x4", "2x2,1x2,2x1", "3x1", "1x1,2x2,1x1"):
            command = ["cjpeg", "-sample", sample, "-restart", "3B"]
            files[f"cjpeg-{sample}"] = pipe(command, ppm)
        files["cjpeg-progressive-rgb"] = pipe(["cjpeg", "-rgb", "-progressive"], ppm)
    if shutil.which("jpegtran"):
        for name, data in list(files.items()):
            for switch in ("-progressive", "-optimize", "-restart 1", "-restart 2B"):
                command = ["jpegtran", *switch.split()]
                files[f"{name}{switch.replace(' ', '-')}"] = pipe(command, data)
    return files


def pipe(command: list[str], data: bytes) -> bytes:
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


@needs_oracle
@every_variant
def test_files_of_several_encoders_equal_libjpeg(disable, tmp_path):
    check(variants.write_files(made_by_encoders(tmp_path), tmp_path), disable, tmp_path)


SETS = {"imagenet-300": 300, "clothing-small": 3781, "cifar10-jpeg": 1000}


def some_files(folder, n):
    """``n`` files spread evenly over the data set, by name."""
    found = sorted(
        p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg")
    )
    assert found
    step = max(1, len(found) // n)
    return [(str(path.relative_to(folder)), path) for path in found[::step][:n]]


@needs_oracle
@every_variant
@pytest.mark.parametrize("name", SETS)
def test_photographs_equal_libjpeg(name, disable, data_dir, tmp_path):
    check(some_files(data_dir(name), 40), disable, tmp_path)


@needs_oracle
@pytest.mark.slow
@pytest.mark.timeout(900)
@every_variant
@pytest.mark.parametrize("name", SETS)
def test_whole_data_sets_equal_libjpeg(name, disable, data_dir, tmp_path):
    check(some_files(data_dir(name), SETS[name]), disable, tmp_path)


@needs_oracle
@pytest.mark.slow
@pytest.mark.timeout(900)
@every_variant
@pytest.mark.parametrize("switch", ["-progressive", "-restart 1", "-optimize"])
def test_transcoded_photographs_equal_libjpeg(switch, disable, data_dir, tmp_path):
    if shutil.which("jpegtran") is None:
        pytest.skip("no jpegtran")
    command = ["jpegtran", *switch.split()]
    files = {}
    for i, (_, path) in enumerate(some_files(data_dir("imagenet-300"), 100)):
        files[str(i)] = pipe(command, path.read_bytes())
    check(variants.write_files(files, tmp_path), disable, tmp_path)


@needs_oracle
def test_a_second_wrapper_agrees_with_the_oracle(tmp_path):
    """jpeglib carries a libjpeg of its own; both judges have to see the same."""
    for name, data in made_by_encoders(tmp_path).items():
        path = tmp_path / f"{name}.jpg"
        path.write_bytes(data)
        planes = oracle.second_opinion(path)
        if planes is None:
            pytest.skip("jpeglib is not installed")
        for got, want in zip(planes, oracle.read(data).planes, strict=True):
            cut = got[: want.shape[0], : want.shape[1]]
            np.testing.assert_array_equal(cut, want, err_msg=name)


@needs_oracle
def test_header_says_what_libjpeg_says():
    """Sizes, colour and the segments that decide it."""
    names = {1: "GRAY", 2: "RGB", 3: "YCBCR", 4: "CMYK", 5: "YCCK", 0: "UNKNOWN_COLOR"}
    for name, data in corpus.good().items():
        want, info = oracle.read(data), ccore.decode(data).info
        assert (info.width, info.height) == want.size, name
        assert bool(info.progressive) == want.progressive, name
        assert bool(info.has_jfif) == want.jfif, name
        assert info.adobe_transform == want.adobe_transform, name
        color = getattr(ccore.lib, f"DCTLOAD_{names[want.color]}")
        assert info.color == color, name
        head = ccore.read_info(data).info
        assert bytes(ccore.ffi.buffer(head.components)) == bytes(
            ccore.ffi.buffer(info.components)
        ), name


@needs_oracle
@pytest.mark.parametrize(
    ("head", "warning"),
    [
        (
            corpus.segment(corpus.APP0, b"JFIF\0\2\1\0\0\1\0\1\0\0"),
            "JFIF revision number",
        ),
        (corpus.adobe(3), "Adobe color transform code"),
    ],
)
def test_unknown_versions_of_metadata_need_no_note(head, warning):
    """They change no coefficient; the colours are what libjpeg takes them for."""
    image = corpus.random_image(20, 20, corpus.S420)
    data = corpus.encode_image(image, corpus.interleaved(image), head=head)
    answer, outcome = oracle.read(data), ccore.decode(data)
    assert len(answer.warnings) == 1
    assert warning in answer.warnings[0]
    assert (outcome.warnings, outcome.digest()) == ((), wanted(data))
    assert (answer.color, outcome.info.color) == (3, ccore.lib.DCTLOAD_YCBCR)


@pytest.mark.parametrize(
    ("name", "orientation"),
    [
        ("head-exif-6", 6),
        ("head-exif-8-little-endian-late", 8),
        ("head-exif-orientation-9", 1),
        ("head-app1-not-exif", 1),
        ("head-jfif", 1),
    ],
)
def test_orientation_is_read_from_exif(name, orientation):
    assert ccore.decode(corpus.good()[name]).info.orientation == orientation


def test_pillow_reads_the_same_orientation():
    from PIL import Image

    for name in ("head-exif-6", "head-exif-8-little-endian-late"):
        data = corpus.good()[name]
        with Image.open(io.BytesIO(data)) as image:
            want = image.getexif()[0x112]
        assert ccore.read_info(data).info.orientation == want
