"""The boundary to C: layouts, statuses, random numbers."""

import errno

import numpy as np
import pytest

from dctload import Limits, errors
from dctload import _native as native

STATUSES = sorted(set(native.STATUS_NAMES) - {native.OK})


class TestErrors:
    @pytest.mark.parametrize("status", STATUSES, ids=native.STATUS_NAMES.get)
    def test_every_status_has_an_exception(self, status):
        """A status added in C cannot reach the user as a KeyError."""
        error = native.error(status, "a.jpg", 3, 10)
        want = {
            1: errors.CorruptJPEGError,
            2: errors.UnsupportedJPEGError,
            3: errors.LimitError,
            4: (OSError, MemoryError, ValueError, errors.DctloadError),
        }
        assert isinstance(error, want[status // 100])
        assert "a.jpg" in str(error)

    @pytest.mark.parametrize("status", STATUSES, ids=native.STATUS_NAMES.get)
    def test_every_status_has_its_own_text(self, status):
        texts = [str(native.error(other, "a")) for other in STATUSES]
        assert texts.count(str(native.error(status, "a"))) == 1

    def test_a_message_says_file_reason_and_place(self):
        error = native.error(native.lib.DCTLOAD_BAD_CODE, "a.jpg", 81204, 90311)
        assert str(error) == "a.jpg: bad Huffman code at byte 81204 of 90311"
        assert (error.name, error.offset, error.status) == ("a.jpg", 81204, 108)

    def test_an_error_of_the_system_is_python_s_own(self):
        error = native.error(native.lib.DCTLOAD_IO, "a.jpg", 0, 0, errno.ENOENT)
        assert isinstance(error, FileNotFoundError)
        assert (error.errno, error.filename) == (errno.ENOENT, "a.jpg")


def _check_layout(dtype, ctype):
    fields = dict(ctype.fields)
    assert list(dtype.names) == list(fields)
    assert dtype.itemsize == native.ffi.sizeof(ctype)
    for name, field in fields.items():
        sub, offset = dtype.fields[name][:2]
        assert offset == field.offset
        assert sub.itemsize == native.ffi.sizeof(field.type)
        if field.type.kind == "struct":
            _check_layout(sub, field.type)


@pytest.mark.parametrize("name", ["info", "step", "geometry", "output", "item"])
def test_records_have_the_layout_of_the_c_structs(name):
    dtype = getattr(native, f"{name.upper()}_DTYPE")
    _check_layout(dtype, native.ffi.typeof(f"struct dctload_{name}"))


def test_signs_and_kinds_of_fields_survive():
    header = np.zeros(1, native.INFO_DTYPE)
    c = native.ffi.cast("struct dctload_info *", header.ctypes.data)
    c.adobe_transform, c.width, c.components[2].blocks_h = -1, 2**32 - 1, 7
    assert header[0]["adobe_transform"] == -1
    assert header[0]["width"] == 2**32 - 1
    assert header[0]["components"]["blocks_h"].tolist() == [0, 0, 7, 0]


class TestLimits:
    def test_none_is_the_default(self):
        got = native.limits(Limits(max_pixels=5))
        assert (got.max_pixels, got.max_components) == (5, 4)
        assert (got.max_scans, got.max_output_nbytes) == (500, 2**31)
        assert got.max_file_nbytes == 2**31

    def test_limits_of_another_kind_are_refused(self):
        with pytest.raises(TypeError, match="limits must be Limits, got 5"):
            native.limits(5)

    def test_negative_limits_are_refused(self):
        with pytest.raises(ValueError, match="max_scans must be >= 0, got -1"):
            Limits(max_scans=-1)


class TestUniforms:
    def test_numbers_are_numpys_philox(self):
        """Philox4x64-10 with the key (seed, epoch), counter (index, draw/4, slot)."""
        seed, epoch, slot = 2**63 + 5, 17, 3
        indices = np.array([0, 1, 2**40], np.uint64)
        got = native.uniforms(seed, epoch, indices, 6, slot)
        for row, index in zip(got, indices.tolist(), strict=True):
            words = []
            for draw in range(2):
                # NumPy counts up before it draws.
                counter = index + (draw << 64) + (slot << 128) - 1
                generator = np.random.Philox(
                    counter=counter % 2**256, key=seed + (epoch << 64)
                )
                words += generator.random_raw(4).tolist()
            want = [(word >> 11) * 2.0**-53 for word in words[:6]]
            assert row.tolist() == want

    def test_a_sample_s_numbers_do_not_depend_on_its_batch(self):
        indices = np.arange(100)
        whole = native.uniforms(1, 2, indices, 5)
        some = native.uniforms(1, 2, indices[::-7], 5)
        np.testing.assert_array_equal(whole[::-7], some)

    def test_seed_epoch_and_slot_each_change_all(self):
        base = native.uniforms(1, 2, np.arange(50), 4, 0)
        for other in [(2, 2, 0), (1, 3, 0), (1, 2, 1)]:
            changed = native.uniforms(*other[:2], np.arange(50), 4, other[2])
            assert not (base == changed).any()

    def test_they_are_uniform(self):
        numbers = native.uniforms(0, 0, np.arange(20_000), 5)
        assert numbers.min() >= 0
        assert numbers.max() < 1
        counts, _ = np.histogram(numbers, 100, (0, 1))
        expected = numbers.size / 100
        # 99 degrees of freedom: the mean is 99, the deviation 14.
        assert ((counts - expected) ** 2 / expected).sum() < 99 + 5 * 14


class TestOutput:
    def test_a_size_off_the_grid_is_refused(self):
        with pytest.raises(ValueError, match="multiple of 16, got 224x232"):
            native.make_output(224, 232, "planes", "float32", False, [[0]] * 3)
        native.make_output(224, 232, "concat", "float32", False, [[0]] * 3)

    def test_frequencies_must_ascend(self):
        with pytest.raises(ValueError, match="ascend"):
            native.make_output(8, 8, "concat", "float32", False, [[1, 0], [0], [0]])
