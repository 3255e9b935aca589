"""Images: what the header says, pixels there and back, saving, tensors."""

import copy
import io
import os
import pickle

import numpy as np
import pytest
import torch
from conftest import jpeg_bytes, picture
from PIL import Image

import dctload

SUBSAMPLINGS = ["4:4:4", "4:2:2", "4:4:0", "4:2:0", "4:1:1", "4:1:0"]


def _pillow(data, mode="RGB"):
    return np.asarray(Image.open(io.BytesIO(data)).convert(mode)).astype(int)


def _saved(image, tmp_path, **options):
    image.save(tmp_path / "saved.jpg", **options)
    return (tmp_path / "saved.jpg").read_bytes()


class TestInfo:
    def test_it_says_what_the_header_says(self, jpeg_samples):
        info = dctload.read_info(jpeg_samples["420"])
        assert (info.width, info.height, info.num_components) == (109, 75, 3)
        assert (info.subsampling, info.color, info.name) == (
            "4:2:0",
            "YCbCr",
            "<bytes>",
        )
        assert (info.has_jfif, info.adobe_transform) == (True, None)
        assert (info.progressive, info.restart_interval) == (False, 0)
        assert (info.num_scans, info.warnings, info.orientation) == (0, (), 1)
        y, cb, cr = info.components
        assert (y.h, y.v, y.width, y.height, y.blocks_w, y.blocks_h) == (
            *(2, 2),
            *(109, 75),
            *(14, 10),
        )
        assert (cb.width, cb.height, cb.blocks_w, cb.blocks_h) == (55, 38, 7, 5)
        assert (cr.id, cr.quant_index) == (3, 1)

    @pytest.mark.parametrize(
        ("sample", "subsampling", "color"),
        [
            ("422", "4:2:2", "YCbCr"),
            ("444", "4:4:4", "YCbCr"),
            ("grey", "grey", "grey"),
            ("cmyk", "4:4:4", "CMYK"),
        ],
    )
    def test_kinds_have_the_names_people_use(
        self, jpeg_samples, sample, subsampling, color
    ):
        info = dctload.read_info(jpeg_samples[sample])
        assert (info.subsampling, info.color) == (subsampling, color)

    def test_odd_sampling_is_spelled_out(self):
        data = bytearray(jpeg_bytes(picture(32, 32), subsampling="4:2:0"))
        sof = data.index(b"\xff\xc0")
        data[sof + 14] = 0x21  # the sampling factors of Cb
        assert dctload.read_info(bytes(data)).subsampling == "2x2,2x1,1x1"

    def test_orientation_is_read_and_not_applied(self):
        exif = Image.Exif()
        exif[0x0112] = 6
        data = jpeg_bytes(picture(40, 24), exif=exif.tobytes())
        info = dctload.read_info(data)
        assert (info.orientation, info.width, info.height) == (6, 40, 24)
        assert dctload.decode(data).planes[0].shape == (3, 5, 8, 8)

    def test_progressive_and_restarts_are_seen(self, jpeg_samples):
        assert dctload.read_info(jpeg_samples["progressive"]).progressive
        assert dctload.read_info(jpeg_samples["restarts"]).restart_interval == 7

    def test_a_path_is_read_and_named(self, jpeg_samples, tmp_path):
        path = tmp_path / "photo.jpg"
        path.write_bytes(jpeg_samples["420"])
        for file in (path, str(path)):
            assert dctload.read_info(file).name == str(path)
            assert dctload.decode(file).name == str(path)
        with pytest.raises(FileNotFoundError):
            dctload.read_info(tmp_path / "none.jpg")

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, "array"])
    def test_any_bytes_like_object_will_do(self, jpeg_samples, kind):
        data = jpeg_samples["420"]
        data = np.frombuffer(data, np.uint8) if kind == "array" else kind(data)
        assert dctload.read_info(data).width == 109
        assert dctload.decode(data).width == 109

    def test_what_is_no_jpeg_is_named(self, tmp_path):
        path = tmp_path / "image.jpg"
        path.write_bytes(b"\x89PNG\r\n")
        with pytest.raises(dctload.CorruptJPEGError, match=str(path)) as caught:
            dctload.read_info(path)
        assert (caught.value.name, caught.value.offset) == (str(path), 0)


class TestLimits:
    def test_each_limit_is_kept(self, jpeg_samples):
        data = jpeg_samples["420"]
        nbytes = 128 * (14 * 10 + 2 * 7 * 5)
        just = dctload.Limits(109 * 75, nbytes, 3, 1)
        assert dctload.decode(data, limits=just).width == 109
        for limits in (
            dctload.Limits(max_pixels=109 * 75 - 1),
            dctload.Limits(max_output_nbytes=nbytes - 1),
            dctload.Limits(max_components=2),
        ):
            with pytest.raises(dctload.LimitError):
                dctload.decode(data, limits=limits)

    def test_scans_are_counted(self, jpeg_samples):
        with pytest.raises(dctload.LimitError, match="scans"):
            dctload.decode(
                jpeg_samples["progressive"], limits=dctload.Limits(max_scans=3)
            )


class TestDecode:
    def test_planes_and_tables_are_what_was_stored(self, tmp_path):
        """Encoder and decoder agree, for values that the encoder was given."""
        image = dctload.from_rgb(picture(53, 41))
        again = dctload.decode(_saved(image, tmp_path))
        for got, want in zip(again.planes, image.planes, strict=True):
            assert got.dtype == np.int16
            np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(again.qtables, image.qtables)
        assert again.info.num_scans == 1

    def test_tables_are_in_natural_order(self, jpeg_samples):
        data = jpeg_samples["420"]
        tables = dctload.decode(data).qtables
        assert tables.dtype == np.uint16
        stored = Image.open(io.BytesIO(data)).quantization  # natural in Pillow
        for c, slot in enumerate([0, 1, 1]):
            assert tables[c].ravel().tolist() == list(stored[slot])

    def test_truncated_data_are_an_error_unless_allowed(self, jpeg_samples):
        data = jpeg_samples["420"][:-800]
        with pytest.raises(dctload.CorruptJPEGError, match=r" at byte \d+ of \d+$"):
            dctload.decode(data)
        image = dctload.decode(data, allow_truncated=True)
        assert "truncated" in image.info.warnings

    def test_warnings_are_words(self, jpeg_samples):
        image = dctload.decode(jpeg_samples["420"] + b"more")
        assert image.info.warnings == ("bytes after EOI",)


class TestPixels:
    @pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
    def test_from_rgb_is_the_exact_dct_of_the_pixels(self, subsampling):
        """Against the definition: sums of cosines over averaged chroma."""
        pixels = picture(41, 27).astype(float)
        image = dctload.from_rgb(pixels.astype(np.uint8), subsampling)
        r, g, b = np.moveaxis(pixels, -1, 0)
        y = 0.299 * r + 0.587 * g + 0.114 * b
        want = [
            y,
            -0.168736 * r - 0.331264 * g + 0.5 * b,
            0.5 * r - 0.418688 * g - 0.081312 * b,
        ]
        want[0] = want[0] - 128
        h, v = {"4:4:4": (1, 1), "4:2:2": (2, 1), "4:4:0": (1, 2)}.get(
            subsampling,
            {"4:2:0": (2, 2), "4:1:1": (4, 1), "4:1:0": (4, 2)}.get(subsampling),
        )
        k = np.arange(8)
        for c, plane in enumerate(image.planes):
            samples = want[c]
            if c > 0:
                samples = np.pad(samples, [(0, -27 % v), (0, -41 % h)], mode="edge")
                shape = (samples.shape[0] // v, v, samples.shape[1] // h, h)
                samples = samples.reshape(shape).mean((1, 3))
            padding = [(0, -samples.shape[0] % 8), (0, -samples.shape[1] % 8)]
            samples = np.pad(samples, padding, mode="edge")
            by, bx, fv, fu = 1, 0, 2, 3
            block = samples[8 * by : 8 * by + 8, 8 * bx : 8 * bx + 8]
            if block.size == 0:
                by, block = 0, samples[:8, :8]
            cosines = np.outer(
                np.cos((2 * k + 1) * fv * np.pi / 16),
                np.cos((2 * k + 1) * fu * np.pi / 16),
            )
            amplitude = (block * cosines).sum() / 4
            assert abs(plane[by, bx, fv, fu] - amplitude) <= 0.51
            assert abs(plane[by, bx, 0, 0] - block.sum() / 8) <= 0.51
        assert image.info.subsampling == subsampling
        assert (image.qtables == 1).all()

    @pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
    def test_pixels_come_back_as_libjpeg_decodes_them(self, subsampling, tmp_path):
        """Same file, two decoders; libjpeg's upsampling is ours up to rounding.

        For 4:4:0, 4:1:1 and 4:1:0 libjpeg repeats chroma samples, so only luma,
        which grey decoding gives, is compared.
        """
        image = dctload.from_rgb(picture(90, 61), subsampling)
        data = _saved(image, tmp_path)
        if subsampling in ("4:4:4", "4:2:2", "4:2:0"):
            difference = np.abs(image.to_rgb() - _pillow(data))
            assert difference.max() <= 3
        grey = Image.open(io.BytesIO(data))
        grey.draft("L", None)
        luma = np.asarray(grey).astype(int)
        r, g, b = np.moveaxis(image.to_rgb().astype(int), -1, 0)
        unclipped = (np.stack([r, g, b]) % 255 != 0).all(0)
        ours = 0.299 * r + 0.587 * g + 0.114 * b
        assert np.abs(ours - luma)[unclipped].max() <= 1.5

    @pytest.mark.parametrize("width", [1, 7, 8, 9, 64])
    def test_a_component_is_within_one_level_of_libjpegs(self, width, tmp_path):
        image = dctload.from_rgb(picture(width, 23)[..., 0])
        assert image.info.color == "grey"
        difference = image.to_rgb()[..., 1] - _pillow(_saved(image, tmp_path), "L")
        assert np.abs(difference).max() <= 1

    @pytest.mark.parametrize("sample", ["420", "422", "444", "grey", "progressive"])
    def test_files_look_as_pillow_shows_them(self, jpeg_samples, sample):
        data = jpeg_samples[sample]
        difference = np.abs(dctload.decode(data).to_rgb() - _pillow(data))
        assert difference.max() <= 4
        assert difference.mean() < 0.5

    def test_cmyk_is_adobes_inverted_ink(self, jpeg_samples):
        data = jpeg_samples["cmyk"]
        difference = np.abs(dctload.decode(data).to_rgb() - _pillow(data))
        assert difference.max() <= 3

    def test_ycck_is_complemented_ink_in_ycbcr(self):
        """The CMYK file, declared to be YCCK, decoded by both."""
        data = bytearray(jpeg_bytes(picture(40, 40), mode="CMYK"))
        adobe = data.index(b"Adobe")
        data[adobe + 11] = 2
        image = dctload.decode(bytes(data))
        assert image.info.color == "YCCK"
        difference = np.abs(image.to_rgb() - _pillow(bytes(data)))
        assert difference.max() <= 4

    @pytest.mark.parametrize(
        "pixels",
        [
            np.zeros((4, 4, 3)),
            np.zeros((4, 4, 4), np.uint8),
            np.zeros((0, 4, 3), np.uint8),
            np.zeros(4, np.uint8),
        ],
    )
    def test_what_is_no_picture_is_refused(self, pixels):
        with pytest.raises(ValueError, match="pixels must be"):
            dctload.from_rgb(pixels)

    def test_an_unknown_subsampling_is_refused(self):
        with pytest.raises(ValueError, match="4:2:1"):
            dctload.from_rgb(picture(8, 8), "4:2:1")


class TestSave:
    @pytest.mark.parametrize(
        "sample", ["420", "444", "grey", "cmyk", "progressive", "one_pixel"]
    )
    @pytest.mark.parametrize("optimize", [True, False])
    def test_saving_loses_nothing(self, jpeg_samples, sample, optimize, tmp_path):
        image = dctload.decode(jpeg_samples[sample])
        again = dctload.decode(_saved(image, tmp_path, optimize=optimize))
        for got, want in zip(again.planes, image.planes, strict=True):
            np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(again.qtables, image.qtables)
        for field in ("width", "height", "subsampling", "color"):
            assert getattr(again.info, field) == getattr(image.info, field)
        assert not again.info.progressive

    def test_amplitudes_are_not_saved(self, jpeg_samples, tmp_path):
        with pytest.raises(ValueError, match="int16"):
            dctload.decode(jpeg_samples["420"]).dequantized().save(tmp_path / "x.jpg")


class TestImage:
    def test_dequantized_holds_amplitudes(self, jpeg_samples):
        image = dctload.decode(jpeg_samples["420"])
        amplitudes = image.dequantized()
        for c, plane in enumerate(amplitudes.planes):
            assert plane.dtype == np.float32
            np.testing.assert_array_equal(
                plane, image.planes[c].astype(int) * image.qtables[c]
            )
        assert (amplitudes.qtables == 1).all()
        assert (amplitudes.width, amplitudes.height) == (109, 75)
        np.testing.assert_array_equal(amplitudes.to_rgb(), image.to_rgb())

    @pytest.mark.parametrize("change", [copy.copy, copy.deepcopy, "pickle"])
    def test_images_can_be_copied_and_pickled(self, jpeg_samples, change):
        image = dctload.decode_many([jpeg_samples["420"]])[0]
        if change == "pickle":
            again = pickle.loads(pickle.dumps(image))
        else:
            again = change(image)
        assert again.info == image.info
        for got, want in zip(again.planes, image.planes, strict=True):
            np.testing.assert_array_equal(got, want)

    def test_the_repr_says_what_it_is(self, jpeg_samples):
        image = dctload.decode(jpeg_samples["422"])
        assert repr(image) == "DctImage('<bytes>', 109x75, 4:2:2, steps)"

    def test_errors_survive_pickling(self):
        with pytest.raises(dctload.CorruptJPEGError) as caught:
            dctload.decode(b"no")
        again = pickle.loads(pickle.dumps(caught.value))
        assert (str(again), again.offset) == (str(caught.value), caught.value.offset)


class TestToTensor:
    @pytest.fixture
    def image(self):
        return dctload.from_rgb(picture(48, 32), "4:4:4")

    def _amplitudes(self, image, component):
        plane = image.dequantized().planes[component]
        by, bx = plane.shape[:2]
        return torch.from_numpy(plane.reshape(by, bx, 64)).permute(2, 0, 1)

    def test_concat_is_y_cb_cr_by_natural_frequency(self, image):
        x = image.to_tensor()
        assert x.dtype == torch.float32
        want = torch.cat([self._amplitudes(image, c) for c in range(3)])
        torch.testing.assert_close(x, want, atol=1e-3, rtol=0)

    def test_planes_have_chroma_at_half_the_resolution(self, image):
        y, cbcr = image.to_tensor(layout="planes")
        torch.testing.assert_close(y, self._amplitudes(image, 0), atol=1e-3, rtol=0)
        assert cbcr.shape == (128, 2, 3)
        halved = dctload.from_rgb(picture(48, 32), "4:2:0")
        # DC is the mean; the filter that halves reaches over the block's edge.
        want = self._amplitudes(halved, 1)[0]
        assert (cbcr[0] - want).abs().max() < 40

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int16])
    def test_the_type_is_the_one_asked_for(self, image, dtype):
        x = image.to_tensor(dtype=dtype)
        assert x.dtype == dtype
        want = image.to_tensor()
        assert ((x.float() - want).abs() <= want.abs() / 250 + 0.5).all()

    def test_channels_last_only_changes_the_memory(self, image):
        x = image.to_tensor(memory_format=torch.channels_last)
        assert x.stride(0) == 1
        assert torch.equal(x, image.to_tensor())

    def test_a_size_off_the_grid_is_refused(self, jpeg_samples):
        with pytest.raises(ValueError, match="multiple of 8, got 109x75"):
            dctload.decode(jpeg_samples["420"]).to_tensor()

    def test_four_colours_are_refused(self):
        data = jpeg_bytes(picture(16, 16), mode="CMYK")
        with pytest.raises(dctload.UnsupportedJPEGError):
            dctload.decode(data).to_tensor()


def test_path_objects_and_file_systems_encodings_work(tmp_path, jpeg_samples):
    name = os.fsdecode(b"photo-\xff.jpg")
    (tmp_path / name).write_bytes(jpeg_samples["grey"])
    images = dctload.decode_many([tmp_path / name])
    assert images[0].name == str(tmp_path / name)
