"""Steps of many images at once: the quick way gives what the plain way gives."""

import numpy as np
import pytest

from dctload import _native
from dctload._color import ColorMap
from dctload._geometry import Geometry

N = 40


def _records(geometry):
    view = _native.new_geometry(len(geometry))
    geometry.write(view)
    return view


def _assert_equal(got, want):
    for name in ("transpose", "num_x", "num_y", "fill"):
        np.testing.assert_array_equal(got[name], want[name])
    for axis in ("x", "y"):
        for i, num in enumerate(want[f"num_{axis}"]):
            assert got[axis][i][:num].tolist() == want[axis][i][:num].tolist()


@pytest.mark.parametrize("before", ["nothing", "orientation", "resize"])
@pytest.mark.parametrize("outside", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_crop_resize_is_crop_then_resize(before, outside, seed):
    rng = np.random.default_rng(seed)
    geometry = Geometry.of_size(rng.integers(1, 300, N), rng.integers(1, 300, N))
    if before == "orientation":
        geometry = geometry.oriented(rng.integers(1, 9, N))
    elif before == "resize":
        geometry = geometry.resize(64, 48)
    left = rng.integers(0, geometry.width) - 3 * outside
    top = rng.integers(0, geometry.height)
    width = rng.integers(1, geometry.width - left + 1)
    height = rng.integers(1, geometry.height - top + 1)
    size = int(rng.integers(1, 200))
    box = left, top, width, height
    want = geometry.crop(*box).resize(size, 32, "lanczos").hflip(width > 20)
    got = geometry.crop_resize(box, size, 32, "lanczos").hflip(width > 20)
    _assert_equal(_records(got), _records(want))
    assert (got.width.tolist(), got.height.tolist()) == ([size] * N, [32] * N)
    for (name, arrays), (other, others) in zip(got.log, want.log, strict=True):
        assert name == other
        assert all(map(np.array_equal, arrays, others))


def test_a_batch_is_planned_as_its_images_are_one_by_one():
    rng = np.random.default_rng(3)
    width, height = rng.integers(1, 300, N), rng.integers(1, 300, N)
    code, flips = rng.integers(1, 9, N), rng.random(N) < 0.5

    def plan(k):
        geometry = Geometry.of_size(width[k], height[k]).oriented(code[k])
        geometry = geometry.resize(96, 80).hflip(flips[k])
        return _records(geometry.crop(5, 6, 64, 56).vflip(~flips[k]))

    _assert_equal(
        plan(slice(None)), np.concatenate([plan(slice(i, i + 1)) for i in range(N)])
    )


@pytest.mark.parametrize("box", [(0, 0, 0, 4), (0, 0, 4, 0)])
def test_empty_crops_are_refused(box):
    with pytest.raises(ValueError, match="at least 1 x 1"):
        Geometry.of_size([8], [8]).crop_resize(box, 8, 8)


def test_a_record_that_is_used_again_holds_nothing_of_before():
    """The loader writes into the items of earlier batches."""
    num = 3
    first = Geometry.of_size([80] * num, [60] * num)
    first = first.crop(-5, 2, 50, 40, fill=(1, 2, 3)).resize(16, 16)
    first = first.colored(ColorMap.identity(num)).transposed()
    used = np.full(num, 0xFF, np.uint8).repeat(_native.GEOMETRY_DTYPE.itemsize)
    used = used.view(_native.GEOMETRY_DTYPE)
    first.write(used)
    second = Geometry.of_size([80] * num, [60] * num).hflip()
    second.write(used[:1], used[1:])
    fresh = _native.new_geometry(num)
    second.write(fresh)
    assert used.tobytes() == fresh.tobytes()
