"""A region decoded alone has the blocks that it has in the whole image."""

import ccore
import corpus
import corpus_bad
import numpy as np
import pytest
from conftest import jpeg_bytes, picture

import dctload
from dctload import _native as native
from dctload._engine import Batch, Engine


def regions_of(width: int, height: int, rng, num: int = 6):
    """Draw (top, left, height, width) of all kinds: corners, pixels, everything."""
    yield 0, 0, height, width
    yield 0, 0, 1, 1
    yield height - 1, width - 1, 1, 1
    for _ in range(num):
        top, left = int(rng.integers(height)), int(rng.integers(width))
        yield (
            top,
            left,
            int(rng.integers(1, height - top + 1)),
            int(rng.integers(1, width - left + 1)),
        )


def assert_is_window(part, whole, region):
    """``part`` is the smallest window of whole MCUs of ``whole`` on ``region``."""
    top, left, height, width = region
    info, full = part.info, whole.info
    mcu_h = 8 * max(c.v for c in full.components)
    mcu_w = 8 * max(c.h for c in full.components)
    assert (info.top, info.left) == (top // mcu_h * mcu_h, left // mcu_w * mcu_w)
    bottom = min(-(-(top + height) // mcu_h) * mcu_h, full.height)
    right = min(-(-(left + width) // mcu_w) * mcu_w, full.width)
    assert (info.top + part.height, info.left + part.width) == (bottom, right)
    np.testing.assert_array_equal(part.qtables, whole.qtables)
    for got, want, c in zip(part.planes, whole.planes, full.components, strict=True):
        y, x = info.top // mcu_h * c.v, info.left // mcu_w * c.h
        last_y = -(-(bottom * c.v) // mcu_h)
        last_x = -(-(right * c.h) // mcu_w)
        np.testing.assert_array_equal(got, want[y:last_y, x:last_x])


def files():
    """Every good file, and photograph-like ones with restarts of all lengths."""
    out = dict(corpus.good())
    pixels = picture(211, 157)
    for subsampling in range(3):
        for restart in (0, 1, 3, 5, 14, 40):
            for progressive in (False, True):
                name = f"s{subsampling}-restart{restart}-{progressive}"
                out[name] = jpeg_bytes(
                    pixels,
                    subsampling=subsampling,
                    restart_marker_blocks=restart,
                    progressive=progressive,
                )
    return out


@pytest.mark.parametrize("together", [False, True], ids=["decode", "decode_many"])
def test_a_region_is_a_window_of_the_whole(together):
    rng = np.random.default_rng(0)
    jobs = []
    for data in files().values():
        whole = dctload.decode(data)
        jobs += [(data, whole, r) for r in regions_of(whole.width, whole.height, rng)]
    if together:
        parts = dctload.decode_many(
            [data for data, _, _ in jobs], 2, regions=[r for _, _, r in jobs]
        )
    else:
        parts = [dctload.decode(data, region=r) for data, _, r in jobs]
    for part, (_, whole, region) in zip(parts, jobs, strict=True):
        assert_is_window(part, whole, region)


@pytest.mark.parametrize("name", corpus_bad.bad())
def test_what_is_there_of_a_cut_file_is_the_same_in_a_region(name):
    """libjpeg's filling does not depend on what else is decoded."""
    data = corpus_bad.bad()[name]
    try:
        whole = dctload.decode(data, allow_truncated=True)
    except dctload.DctloadError:
        return
    rng = np.random.default_rng(1)
    for region in regions_of(whole.width, whole.height, rng):
        part = dctload.decode(data, region=region, allow_truncated=True)
        assert_is_window(part, whole, region)


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("restart", [0, 1, 5])
def test_a_file_cut_anywhere_is_filled_alike_in_a_region(progressive, restart):
    data = jpeg_bytes(
        picture(90, 70), restart_marker_blocks=restart, progressive=progressive
    )
    rng = np.random.default_rng(2)
    for end in rng.integers(len(data) // 3, len(data), 60).tolist():
        cut = data[:end]
        try:
            whole = dctload.decode(cut, allow_truncated=True)
        except dctload.DctloadError:
            continue
        for region in regions_of(90, 70, rng, 2):
            part = dctload.decode(cut, region=region, allow_truncated=True)
            assert_is_window(part, whole, region)


def test_damage_below_a_region_is_not_met():
    data = jpeg_bytes(picture(160, 160), subsampling=0)
    cut = data[: len(data) * 3 // 4]
    whole = dctload.decode(data)
    assert_is_window(
        dctload.decode(cut, region=(0, 0, 64, 160)), whole, (0, 0, 64, 160)
    )
    with pytest.raises(dctload.CorruptJPEGError, match="end too early"):
        dctload.decode(cut, region=(96, 0, 64, 160))


def restarts_of(data: bytes) -> list[int]:
    """Where the restart markers are."""
    return [
        i
        for i in range(len(data) - 1)
        if data[i] == 0xFF and 0xD0 <= data[i + 1] <= 0xD7
    ]


def test_segments_above_a_region_are_counted_and_not_read():
    """One restart segment for each row of MCUs."""
    data = jpeg_bytes(picture(160, 160), subsampling=0, restart_marker_blocks=20)
    whole, at = dctload.decode(data), restarts_of(data)
    region = (80, 0, 8, 160)
    broken = bytearray(data)
    broken[at[2] + 2 : at[3]] = bytes(at[3] - at[2] - 2)
    with pytest.raises(dctload.CorruptJPEGError):
        dctload.decode(bytes(broken))
    assert_is_window(dctload.decode(bytes(broken), region=region), whole, region)
    for marker in (0xD4, 0xD9):
        broken = bytearray(data)
        broken[at[3] + 1] = marker
        with pytest.raises(dctload.CorruptJPEGError) as caught:
            dctload.decode(bytes(broken), region=region)
        assert caught.value.offset == at[3]
    missing = data[: at[3]] + data[at[3] + 2 :]
    with pytest.raises(dctload.CorruptJPEGError, match="restart marker"):
        dctload.decode(missing, region=region)


def test_the_rest_of_a_segment_is_passed_over():
    """What is right of a region that ends in a row with its own segment."""
    data = jpeg_bytes(picture(160, 160), subsampling=0, restart_marker_blocks=20)
    whole, at = dctload.decode(data), restarts_of(data)
    region = (80, 0, 16, 40)
    broken = bytearray(data)
    middle = (at[9] + at[10]) // 2 + 8
    broken[middle : at[10]] = bytes(at[10] - middle)
    assert_is_window(dctload.decode(bytes(broken), region=region), whole, region)


@pytest.mark.parametrize(
    "region",
    [
        *((0, 0, 0, 5), (0, 0, 5, 0), (-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, 70000, 5)),
        *((0, 0, 5), (0, 0, 5, 5, 5)),
    ],
)
def test_an_empty_or_impossible_region_is_refused(region):
    with pytest.raises(ValueError, match="region"):
        dctload.decode(jpeg_bytes(picture(16, 16)), region=region)


@pytest.mark.parametrize("region", [(0, 0, 17, 16), (16, 0, 1, 1), (3, 3, 14, 1)])
def test_a_region_outside_is_an_error_of_that_file(region):
    data = jpeg_bytes(picture(16, 16))
    with pytest.raises(ValueError, match="not inside the image"):
        dctload.decode(data, region=region)
    good, bad = dctload.decode_many([data] * 2, 1, "return", regions=[None, region])
    assert good.height == 16
    assert isinstance(bad, ValueError)
    assert "not inside the image" in str(bad)


def test_as_many_regions_as_files():
    with pytest.raises(ValueError, match="1 regions for 2 files"):
        dctload.decode_many([b"", b""], regions=[None])


def test_regions_do_not_stay_with_a_decoder():
    data = jpeg_bytes(picture(64, 64))
    decoder = dctload.Decoder()
    assert decoder.decode_many([data], regions=[(0, 0, 8, 8)])[0].width == 16
    assert decoder.decode_many([data])[0].width == 64
    assert decoder.decode(data, region=(0, 0, 8, 8)).width == 16
    assert decoder.decode(data).width == 64


def test_a_window_can_be_saved_and_looked_at(tmp_path):
    data = jpeg_bytes(picture(100, 60))
    whole = dctload.decode(data)
    part = dctload.decode(data, region=(20, 30, 9, 40))
    assert (part.info.top, part.info.left, part.height, part.width) == (16, 16, 16, 64)
    part.save(tmp_path / "part.jpg")
    copy = dctload.decode(tmp_path / "part.jpg")
    for a, b in zip(copy.planes, part.planes, strict=True):
        np.testing.assert_array_equal(a, b)
    # Inside, where no chroma sample from outside is interpolated with.
    np.testing.assert_array_equal(
        part.to_rgb()[1:-1, 1:-1], whole.to_rgb()[17:31, 17:79]
    )


def sample(data: bytes, geometry, output):
    """Decode to a tensor in one go, as a loader does."""
    engine, batch = Engine(0), Batch(1)
    batch.set_data([data])
    out = [np.full(n, 0xA5, np.uint8) for n in native.output_nbytes(output)]
    engine.submit_read(batch, 1)
    engine.wait(batch)
    batch.items["geometry"] = geometry
    batch.items["out"] = [[array.ctypes.data for array in out]]
    engine.submit_sample(batch, 1, output=output)
    engine.wait(batch)
    assert batch.error(0, "file") is None
    return out


@pytest.mark.parametrize("name", ["s0", "s1", "s2"])
def test_a_sample_of_a_crop_equals_one_of_whole_planes(name):
    """Segments above and beside the crop are passed over here too."""
    output = native.make_output(32, 32, "planes", "float32", False, [range(64)] * 3)
    rng = np.random.default_rng(3)
    chosen = {k: v for k, v in files().items() if k.startswith(name)}
    for data in chosen.values():
        whole = ccore.decode(data)
        for top, left, height, width in regions_of(211, 157, rng):
            geometry = native.new_geometry()
            for axis, first, kept in (("x", left, width), ("y", top, height)):
                step = geometry[axis][:, 0]
                step["lo"], step["hi"] = first, first + kept
                step["start"], step["step"] = first, kept / 32
                step["out_size"], step["filter"] = 32, 1
                geometry[f"num_{axis}"] = 1
            got = sample(data, geometry, output)
            want = [np.zeros_like(array) for array in got]
            info = np.frombuffer(native.ffi.buffer(whole.info), native.INFO_DTYPE)
            native.transform(
                info, whole.planes, geometry, output, [a.ctypes.data for a in want]
            )
            for a, b in zip(got, want, strict=True):
                np.testing.assert_array_equal(a, b)
