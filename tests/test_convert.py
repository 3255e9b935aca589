"""Images that become pixels first, held to what Pillow makes of them."""

import io

import numpy as np
import pytest
from conftest import jpeg_bytes, picture

import dctload
from dctload._convert import to_dct_image

PIL = pytest.importorskip("PIL.Image")


def saved(pixels, format, mode=None, **options):
    image = PIL.fromarray(pixels)
    out = io.BytesIO()
    (image.convert(mode) if mode else image).save(out, format, **options)
    return out.getvalue()


def opened(data):
    return np.asarray(PIL.open(io.BytesIO(data)).convert("RGB")).astype(int)


@pytest.mark.parametrize(
    ("format", "mode"),
    [("PNG", None), ("PNG", "L"), ("PNG", "P"), ("PNG", "RGBA"), ("PNG", "1"),
     ("BMP", None), ("TIFF", None), ("WEBP", None), ("GIF", None), ("PPM", None)],
)  # fmt: skip
def test_other_formats_become_the_pixels_that_pillow_reads(format, mode):
    data = saved(picture(61, 43), format, mode)
    image = to_dct_image(data, "x")
    assert image.info.subsampling == "4:4:4"
    assert (image.width, image.height) == (61, 43)
    # Rounding of 64 coefficients to whole numbers, then of pixels.
    assert np.abs(image.to_rgb().astype(int) - opened(data)).max() <= 3


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
def test_cmyk_is_converted_as_pillow_converts_it(subsampling):
    pixels = picture(80, 56)
    data = jpeg_bytes(pixels, mode="CMYK", subsampling=subsampling)
    image = to_dct_image(data, "x")
    assert dctload.read_info(data).color == "CMYK"
    assert image.info.color == "YCbCr"
    assert np.abs(image.to_rgb().astype(int) - opened(data)).max() <= 3


def test_ycck_is_converted_as_pillow_converts_it():
    from corpus import adobe

    cmyk = jpeg_bytes(picture(80, 56), mode="CMYK")
    at = cmyk.index(b"Adobe") - 4
    ycck = cmyk[:at] + adobe(2) + cmyk[at + len(adobe(2)) :]
    assert dctload.read_info(ycck).color == "YCCK"
    image = to_dct_image(ycck, "x")
    assert np.abs(image.to_rgb().astype(int) - opened(ycck)).max() <= 3


def test_amplitudes_of_a_constant_picture_are_its_colour():
    data = saved(np.full((16, 16, 3), 200, np.uint8), "PNG")
    image = to_dct_image(data, "x")
    assert [int(plane[0, 0, 0, 0]) for plane in image.planes] == [8 * 72, 0, 0]
    assert (image.qtables == 1).all()


def test_orientation_is_reported_and_not_applied():
    exif = PIL.Exif()
    exif[0x0112] = 6
    png = saved(picture(40, 24), "PNG", exif=exif)
    cmyk = jpeg_bytes(picture(40, 24), mode="CMYK", exif=exif.tobytes())
    for data in (png, cmyk):
        image = to_dct_image(data, "x")
        assert image.info.orientation == 6
        assert (image.width, image.height) == (40, 24)


def test_a_damaged_cmyk_file_is_an_error_though_pillow_reads_it():
    data = jpeg_bytes(picture(80, 56), mode="CMYK")
    with pytest.raises(dctload.CorruptJPEGError):
        to_dct_image(data[: len(data) * 2 // 3], "half.jpg")


@pytest.mark.parametrize("data", [b"", b"neither", b"\x89PNG\r\n\x1a\nbroken"])
def test_what_no_format_is_raises_by_name_with_pillows_reason(data):
    with pytest.raises(
        dctload.CorruptJPEGError, match=r"x\.png: .*; Pillow: "
    ) as caught:
        to_dct_image(data, "x.png")
    assert caught.value.name == "x.png"
    assert caught.value.offset == 0


def test_a_large_image_is_refused_before_its_pixels_are_made():
    data = saved(picture(50, 40), "PNG")
    with pytest.raises(dctload.LimitError, match="x: 50x40 pixels"):
        to_dct_image(data, "x", dctload.Limits(max_pixels=1999))
    assert to_dct_image(data, "x", dctload.Limits(max_pixels=2000)).width == 50
