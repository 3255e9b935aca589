"""A header that came before is known by its bytes, and by nothing less."""

import corpus
import numpy as np
import pytest
from conftest import jpeg_bytes, picture

import dctload


def decode_alone(data: bytes, **options):
    """With a decoder that has seen nothing."""
    return dctload.Decoder().decode(data, **options)


def assert_same(got, want):
    assert got.info == want.info
    np.testing.assert_array_equal(got.qtables, want.qtables)
    for a, b in zip(got.planes, want.planes, strict=True):
        np.testing.assert_array_equal(a, b)


def outcome(got):
    """An image or an error as what can be compared."""
    if isinstance(got, dctload.CorruptJPEGError):
        return type(got), got.offset
    return [plane.tobytes() for plane in got.planes]


def test_files_decode_again_as_they_did_before():
    """Tables of the file, and those that stand in for missing ones, are found."""
    decoder = dctload.Decoder()
    for data in corpus.good().values():
        want = decode_alone(data)
        for _ in range(3):
            assert_same(decoder.decode(data), want)
        for again in decoder.decode_many([data] * 3):
            np.testing.assert_array_equal(again.planes[0], want.planes[0])


def test_other_data_behind_the_same_header():
    """The header's tables are used for the file at hand, whichever came first."""
    rng = np.random.default_rng(0)
    files = [
        jpeg_bytes(rng.integers(0, 256, (32, 32, 3)).astype(np.uint8))
        for _ in range(10)
    ]
    decoder = dctload.Decoder()
    images = [decoder.decode(data) for data in files]
    images += decoder.decode_many(files)
    for image, data in zip(images, files * 2, strict=True):
        np.testing.assert_array_equal(image.planes[0], decode_alone(data).planes[0])


def test_bytes_all_over_a_header_count():
    data = jpeg_bytes(picture(24, 16))
    end = data.index(b"\xff\xda") + 14
    decoder = dctload.Decoder()
    for at in range(0, end, 7):
        changed = bytearray(data)
        changed[at] ^= 1
        outcomes = []
        for each in (decoder, dctload.Decoder()):
            decoder.decode(data)
            try:
                image = each.decode(bytes(changed))
                planes = [plane.tobytes() for plane in image.planes]
                outcomes.append((image.info, image.qtables.tobytes(), planes))
            except dctload.DctloadError as error:
                outcomes.append((type(error), str(error)))
        assert outcomes[0] == outcomes[1], f"byte {at}"


def test_limits_count_too():
    data = jpeg_bytes(picture(24, 16))
    decoder = dctload.Decoder()
    for _ in range(2):
        assert decoder.decode(data).width == 24
        with pytest.raises(dctload.LimitError):
            decoder.decode(data, limits=dctload.Limits(max_pixels=24 * 16 - 1))
        with pytest.raises(dctload.LimitError):
            decoder.decode_many([data], limits=dctload.Limits(max_components=2))


@pytest.mark.parametrize("num", [0, 1, 2])
def test_a_file_that_ends_in_or_behind_the_header(num):
    data = jpeg_bytes(picture(24, 16))
    end = data.index(b"\xff\xda") + 14
    decoder = dctload.Decoder()
    decoder.decode(data)
    with pytest.raises(dctload.CorruptJPEGError) as caught:
        decoder.decode(data[: end - num])
    assert caught.value.offset == end - num


def test_good_and_cut_files_that_begin_alike():
    """What a cut file leaves behind is no part of the next one."""
    rng = np.random.default_rng(1)
    pixels = [rng.integers(0, 256, (48, 40, 3)).astype(np.uint8) for _ in range(12)]
    whole = [jpeg_bytes(each, quality=90) for each in pixels]
    start = whole[0].index(b"\xff\xda") + 14
    files = []
    for i, data in enumerate(whole * 3):
        files += [data[: start + (len(data) - start) * (i % 12) // 12], data]
    alone = [decode_alone(data, allow_truncated=True) for data in files]
    decoder = dctload.Decoder()
    for _ in range(2):
        together = decoder.decode_many(files, allow_truncated=True)
        for got, want in zip(together, alone, strict=True):
            assert got.info.warnings == want.info.warnings
            for a, b in zip(got.planes, want.planes, strict=True):
                np.testing.assert_array_equal(a, b)


def test_good_and_damaged_files_that_begin_alike():
    rng = np.random.default_rng(2)
    data = jpeg_bytes(picture(64, 64), quality=95)
    start = data.index(b"\xff\xda") + 14
    files = []
    for _ in range(60):
        changed = bytearray(data)
        changed[rng.integers(start, len(data) - 2)] ^= 1 << rng.integers(8)
        files += [bytes(changed), data]
    decoder = dctload.Decoder()
    together = decoder.decode_many(files, on_error="return")
    assert any(isinstance(each, dctload.CorruptJPEGError) for each in together)
    alone = [dctload.Decoder().decode_many([f], on_error="return")[0] for f in files]
    assert list(map(outcome, together)) == list(map(outcome, alone))


def test_tables_that_had_to_go_in_between_are_made_again():
    """More tables than are kept come between two files with the same header."""
    rng = np.random.default_rng(3)
    first = jpeg_bytes(picture(64, 64), quality=90, optimize=True)
    want = decode_alone(first).planes
    others = [
        jpeg_bytes(
            (rng.random((24, 24, 3)) ** rng.uniform(0.2, 5) * 255).astype(np.uint8),
            quality=int(rng.integers(40, 100)),
            optimize=True,
            comment=b"of headers as long as this nothing is kept" * 30,
        )
        for _ in range(100)
    ]
    decoder = dctload.Decoder()
    for num in (0, 3, 100):
        decoder.decode_many(others[:num] + [first] * 2)
        for image in (decoder.decode(first), *decoder.decode_many([first] * 20)):
            for a, b in zip(image.planes, want, strict=True):
                np.testing.assert_array_equal(a, b)
