"""Batches transformed by torch from packed coefficients: equal to C and to float64."""

import os
from fractions import Fraction

import corpus
import numpy as np
import pytest
import reference
import torch
from conftest import jpeg_bytes, picture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from operations import JUMPS, as_planes, drawn_params, photograph
from test_emit import RGB, SAMPLINGS, YCBCR, Picture, geometries, pictures

import dctload
from dctload import _engine, _native, _ops_numpy, frequencies
from dctload import transforms as T
from dctload._color import ColorMap
from dctload._geometry import MAX_STEPS, STEP_FIELDS, Axis, Geometry
from dctload._ops import Op
from dctload.transforms import batched
from dctload.transforms._plan import Format
from dctload.transforms.auto import PRESETS
from dctload.transforms.batched._layout import Layout
from dctload.transforms.emission import Emission, Normalize

thorough = settings(
    max_examples=int(os.environ.get("DCTLOAD_EXAMPLES", "20")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def geometry_of(parts, sizes):
    """The references' geometries as one of N images."""
    axes = []
    for name in "xy":
        num = np.array([len(getattr(part, name)) for part in parts])
        table = np.zeros((len(STEP_FIELDS), len(parts), MAX_STEPS))
        for i, part in enumerate(parts):
            for k, step in enumerate(getattr(part, name)):
                table[:, i, k] = [float(getattr(step, field)) for field in STEP_FIELDS]
        size = np.array([size[name == "y"] for size in sizes])
        axes.append(Axis(size, num, table))
    transpose = np.array([part.transpose for part in parts])
    return Geometry(*axes, transpose, np.zeros((len(parts), 4)))


def emitted(images, geometry, form):
    """What the batch of these pictures becomes."""
    infos = np.concatenate([image.header for image in images])
    layout = Layout(infos, geometry, form)
    nbytes = batched.PackedBatch.nbytes_of(layout)
    # Whatever was in the memory before must not matter.
    memory = torch.full((nbytes,), 77, dtype=torch.uint8)
    packed = batched.PackedBatch.empty(layout, memory)
    for i, image in enumerate(images):
        packed.set_planes(i, image.planes)
    packed.set_tables(infos)
    return packed.emit()


def expected(images, parts, form):
    """The same from the reference, in float64."""
    tensors = [[], []]
    for image, part in zip(images, parts, strict=True):
        color = int(image.header[0]["color"])
        channels = []
        for c, freqs in enumerate(form.subset):
            ratio = Fraction(1, 2 if form.layout == "planes" and c else 1)
            ycc = image.expected_ycc(c, part, ratio, color)
            index = list(freqs)
            chosen = ycc.reshape(*ycc.shape[:2], 64)[..., index]
            channels.append(chosen * form.scale[c, index] + form.offset[c, index])
        if form.layout == "planes":
            tensors[0].append(channels[0])
            tensors[1].append(np.concatenate(channels[1:], -1))
        else:
            tensors[0].append(np.concatenate(channels, -1))
    return [np.stack(t).transpose(0, 3, 1, 2) for t in tensors if t]


@thorough
@given(st.data())
def test_a_batch_equals_resampling_selecting_and_scaling(data):
    size = tuple(16 * n for n in data.draw(st.tuples(*[st.integers(1, 5)] * 2)))
    colors = data.draw(st.lists(st.sampled_from([None, RGB]), min_size=1, max_size=4))
    images = [data.draw(pictures(color)) for color in colors]
    parts = [data.draw(geometries(image.size, size)) for image in images]
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    normalize = Normalize(
        mean=rng.uniform(-9, 9, (3, 64)), std=rng.uniform(5, 50, (3, 64))
    )
    subset = data.draw(st.sampled_from(["192", "24", "y", ([3, 9], [], [0, 63])]))
    form = Format(
        size,
        Emission(frequencies.subset(subset), normalize),
        data.draw(st.sampled_from(["planes", "concat"])),
        "float32",
        None,
    )
    got = emitted(images, geometry_of(parts, [i.size for i in images]), form)
    want = expected(images, parts, form)
    assert len(got) == len(want)
    for ours, theirs in zip(got, want, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3)


@pytest.fixture(scope="module")
def images(jpeg_samples):
    """Every sampling, grey, progressive, RGB; tiny, turned, and padded."""
    files = [data for name, data in jpeg_samples.items() if name != "cmyk"]
    rgb = jpeg_bytes(picture(90, 130, 1), subsampling="4:4:4", keep_rgb=True)
    turned = [turn(jpeg_bytes(picture(61, 118, 2), quality=60), c) for c in (6, 7)]
    return dctload.decode_many([*files, rgb, *turned])


def turn(data, orientation):
    """A file that is to be shown turned."""
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = orientation
    body = exif.tobytes()
    segment = b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
    return data[:2] + segment + data[2:]


COMPOSED = {
    "crop": [T.RandomResizedCrop((64, 96)), T.RandomHorizontalFlip()],
    "bicubic": [T.RandomResizedCrop(48, interpolation="bicubic"), T.RandomRotation90()],
    "lanczos": [T.Resize((64, 32), interpolation="lanczos"), T.Transpose()],
    "box": [T.Resize((32, 32), interpolation="box"), T.RandomVerticalFlip()],
    "padded": [T.Resize(40), T.CenterCrop(64)],
    "shifted": [T.Resize((40, 40)), T.RandomCrop(32, padding=9, fill=(9, 200, 90))],
    "one axis moved": [
        T.RandomResizedCrop(32),
        T.RandAugment(1, operations=["TranslateX"]),
    ],
    "colour": [T.RandomResizedCrop(32), T.ColorJitter(0.4, 0.4, 0.4, 0.2)],
    "padded colour": [T.Resize(40), T.CenterCrop(64), T.ColorJitter(0.4, 0.4, 0.4)],
    "frequencies": [
        T.RandomResizedCrop(32),
        T.GaussianBlur(3, 1.0),
        T.RandomMidFrequency(),
        T.RandomChromaDrop(),
        T.RandomInvert(),
    ],
    "selected": [
        T.RandomResizedCrop(224),
        T.SelectFrequencies("24"),
        T.Normalize("imagenet"),
    ],
}


@pytest.mark.parametrize("layout", ["concat", "planes"])
@pytest.mark.parametrize("name", sorted(COMPOSED))
def test_a_batch_equals_what_c_makes_of_each_image(images, name, layout):
    plan = T.Compose(COMPOSED[name]).plan(layout)
    uniforms = np.random.default_rng(5).random((len(images), plan.num_draws))
    got = batched.pack(images, plan, uniforms).emit()
    for i, image in enumerate(images):
        want = plan.sample(image, uniforms[i])
        want = want if layout == "planes" else (want,)
        for ours, theirs in zip(got, want, strict=True):
            torch.testing.assert_close(ours[i], theirs, rtol=0, atol=1e-3)


@pytest.mark.parametrize("memory_format", ["contiguous_format", "channels_last"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int16", "int8"])
def test_types_and_memory_formats_are_those_of_c(images, dtype, memory_format):
    memory = getattr(torch, memory_format)
    plan = T.Compose([T.Resize((32, 48))]).plan("planes", dtype, memory)
    got = batched.pack(images, plan).emit()
    # Either neighbour, where float32 is near the middle between them.
    tolerances = {"float16": (1e-3, 1e-3), "bfloat16": (8e-3, 1e-3)}
    relative, absolute = tolerances.get(dtype, (0, 1))
    for i, image in enumerate(images):
        want = plan.sample(image, np.empty(0))
        for ours, theirs in zip(got, want, strict=True):
            assert ours.dtype == theirs.dtype
            assert ours.is_contiguous(memory_format=memory)
            torch.testing.assert_close(
                ours[i].double(), theirs.double(), rtol=relative, atol=absolute
            )
            if absolute == 1:
                assert (ours[i] == theirs).float().mean() > 0.99


def lower_by_the_old_setting():
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    return lambda: torch.set_float32_matmul_precision(before)


def lower_by_the_new_settings():
    parts = [torch.backends.cuda.matmul, torch.backends.mkldnn.matmul]
    if not hasattr(parts[0], "fp32_precision"):
        pytest.skip("this torch has only the old setting")
    before = [part.fp32_precision for part in parts]
    parts[0].fp32_precision, parts[1].fp32_precision = "tf32", "bf16"

    def restore():
        for part, value in zip(parts, before, strict=True):
            part.fp32_precision = value

    return restore


@pytest.mark.parametrize("lower", [lower_by_the_old_setting, lower_by_the_new_settings])
def test_products_of_less_precision_are_not_used(images, lower):
    """What training asks for its own products stays as it was."""
    plan = T.Compose([T.Resize((64, 64))]).plan()
    want = batched.pack(images, plan).emit()[0]
    a, b = torch.randn(2, 64, 64)
    restore = lower()
    try:
        product = a @ b
        got = batched.pack(images, plan).emit()[0]
        assert torch.equal(a @ b, product)
    finally:
        restore()
    torch.testing.assert_close(got, want, rtol=0, atol=0)


def test_only_what_a_crop_sees_is_sent():
    image = dctload.from_rgb(picture(512, 512), "4:4:4")
    plan = T.Compose([T.CenterCrop(64)]).plan()
    packed = batched.pack([image], plan)
    # 8 x 8 blocks, which begin at a block's edge; and block 0, of zeros.
    assert packed.layout.num_blocks == 1 + 3 * 64
    resized = T.Compose([T.CenterCrop(60), T.Resize((32, 32))]).plan()
    assert batched.pack([image], resized).layout.num_blocks == 1 + 3 * 64


def test_a_batch_of_large_images_is_carried_out_in_parts(images, monkeypatch):
    plan = T.Compose([T.Resize((32, 32))]).plan("planes")
    want = batched.pack(images, plan).emit()
    monkeypatch.setattr(batched._layout, "_MAX_GROUP_BLOCKS", 40)
    packed = batched.pack(images, plan)
    assert len(packed.layout.groups) > 8
    for a, b in zip(packed.emit(), want, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-3)


@pytest.mark.parametrize("color", [YCBCR, RGB])
@pytest.mark.parametrize("sampling", ["444", "420", "odd", "grey"])
def test_colour_is_an_affine_map_with_gains(sampling, color):
    if sampling == "grey":
        color = None
    rng = np.random.default_rng(3)
    image = Picture(rng, 70, 50, SAMPLINGS[sampling], color)
    geometry = Geometry.of_size([70], [50]).resize(48, 48)
    maps = ColorMap(
        rng.uniform(0.5, 1.5, (1, 2, 64)),
        np.array([7.0]),
        np.array([0.3]),
        np.array([[[0.8, -0.5], [0.4, 1.1]]]),
        np.array([[3.0, -2.0]]),
    )
    form = Format((48, 48), Emission(), "concat", "float32", None)
    got = emitted([image], geometry.colored(maps), form)[0]
    plain = emitted([image], geometry, form)[0].double().numpy()
    parts = plain.reshape(3, 8, 8, 6, 6).transpose(0, 3, 4, 1, 2)
    want = np.stack(maps.apply(list(parts))).transpose(0, 3, 4, 1, 2)
    np.testing.assert_allclose(got.numpy(), want.reshape(1, 192, 6, 6), atol=2e-3)


def test_what_has_no_meaning_on_a_device_is_named(monkeypatch):
    image = dctload.from_rgb(picture(40, 40))
    resize = T.Resize((32, 32))
    turn_first = [T.RandomRotation(9), resize]
    for transforms, name in (
        ([resize, T.Lambda(lambda image: image)], "Lambda"),
        (turn_first, "resampling after RandomRotation"),
    ):
        compose = T.Compose(transforms)
        with pytest.raises(ValueError, match=name):
            batched.pack([image], compose.plan())
        lines = compose.explain("device").splitlines()
        assert any(name in line and "not" in line for line in lines)
        assert any(line.endswith(": on the device") for line in lines)
    # A kind that nothing carries out, had there been one.
    handled = batched._pack.HANDLED - {Op.SOLARIZE}
    monkeypatch.setattr(batched._pack, "HANDLED", handled)
    for part in (T.RandomSolarize(9), T.RandAugment()):
        with pytest.raises(ValueError, match=r"RandomSolarize|RandAugment.*SOLARIZE"):
            batched.pack([image], T.Compose([resize, part]).plan())
    assert batched.why_not(T.RandomPosterize(4)) is None


def test_operations_that_nobody_knows_are_refused():
    image = dctload.from_rgb(picture(40, 40))
    form = Format((40, 40), Emission(), "concat", "float32", None)
    geometry = Geometry.of_size([40], [40])
    geometry = geometry.with_op(99, np.zeros((1, 1)), np.array([True]))
    with pytest.raises(ValueError, match="operation 99"):
        Layout(image._header(), geometry, form)


def test_an_image_that_was_changed_before_is_refused():
    plan = T.Compose([T.Resize((32, 32))]).plan()
    image = dctload.from_rgb(picture(40, 40))
    for changed in (T.Resize(50)(image), image.dequantized()):
        with pytest.raises(ValueError, match="transformed already"):
            batched.pack([changed], plan)


def test_four_colours_are_refused(jpeg_samples):
    plan = T.Compose([T.Resize((32, 32))]).plan()
    with pytest.raises(dctload.UnsupportedJPEGError, match="colours"):
        batched.pack([dctload.decode(jpeg_samples["cmyk"])], plan)


# Where rounding decides; quantisation and steps of means among them.
ROUNDED = (*JUMPS, Op.REQUANTIZE, Op.DC_POSTERIZE, Op.DC_SOLARIZE)


def far_share(a, b, layout):
    """The share of samples that differ, of two images as lists of tensors."""
    a, b = (as_planes(x if layout == "planes" else x[0], layout) for x in (a, b))
    off = [reference.to_samples(x - y).ravel() for x, y in zip(a, b, strict=True)]
    return (np.abs(np.concatenate(off)) > 5e-3).mean()


class TestOperations:
    """Batches of images with operations: equal to NumPy in float64, image by image."""

    def sources(self, seed=0):
        """Every sampling, grey, RGB, of different sizes."""
        samplings = ["4:4:4", "4:2:0", "4:2:2"]
        images = [
            photograph(90 + 7 * i, 70 - 5 * i, seed + i, subsampling=s)
            for i, s in enumerate(samplings)
        ]
        rgb = jpeg_bytes(picture(50, 61, seed), subsampling="4:4:4", keep_rgb=True)
        return [*images, photograph(66, 50, seed, mode="L"), dctload.decode(rgb)]

    def geometry(self, images, size=(64, 48)):
        sizes = [[getattr(i.info, n) for i in images] for n in ("width", "height")]
        return Geometry.of_size(*sizes).resize(*size)

    def pack(self, images, geometry, layout, size=(64, 48)):
        infos = np.concatenate([image._header() for image in images])
        form = Format(size, Emission(), layout, "float32", None)
        made = Layout(infos, geometry, form)
        nbytes = batched.PackedBatch.nbytes_of(made)
        memory = torch.full((nbytes,), 77, dtype=torch.uint8)
        packed = batched.PackedBatch.empty(made, memory)
        for i, image in enumerate(images):
            packed.set_planes(i, image.planes)
        packed.set_tables(infos)
        return packed

    def check(self, images, geometry, layout, size=(64, 48), atol=1e-3):
        """Compare a batch with float64; what is rounded may jump in some samples."""
        got = self.pack(images, geometry, layout, size).emit()
        before = self.pack(images, geometry.before_ops(), layout, size).emit()
        ratio = Fraction(1, 2 if layout == "planes" else 1)
        ratios = [(Fraction(1),) * 2, (ratio,) * 2, (ratio,) * 2]
        for i, image in enumerate(images):
            ours, planes = (
                as_planes([x[i] for x in part] if layout == "planes" else part[0][i],
                          layout)
                for part in (got, before)
            )  # fmt: skip
            num = 1 if image.info.color == "grey" else 3
            want = _ops_numpy.run(geometry.ops, i, planes[:num], size, ratios)
            jumps = any(kind in ROUNDED for kind, _, _ in geometry.ops.of_image(i))
            for a, b in zip(ours[:num], want, strict=True):
                if jumps:
                    off = np.abs(reference.to_samples(a - b)) > 1e-3
                    assert off.mean() < 0.02, geometry.ops.of_image(i)
                else:
                    np.testing.assert_allclose(a, b, rtol=0, atol=atol)
            assert not any(plane.any() for plane in ours[num:])

    @pytest.mark.parametrize("layout", ["planes", "concat"])
    @pytest.mark.parametrize("kind", list(Op)[1:])
    def test_one_operation(self, kind, layout):
        rng = np.random.default_rng([kind, len(layout)])
        images = self.sources(kind)
        num = len(images)
        p = np.concatenate([drawn_params(kind, rng, 64, 48) for _ in images])
        seeds = rng.integers(0, 2**32, num).astype(np.uint32)
        geometry = self.geometry(images)
        for mask in (np.ones(num, bool), np.arange(num) % 2 == 0):
            self.check(images, geometry.with_op(kind, p, mask, seeds), layout)

    @thorough
    @given(st.data())
    def test_any_operations_of_mixed_batches(self, data):
        seed = data.draw(st.integers(0, 2**32 - 1))
        layout = data.draw(st.sampled_from(["planes", "concat"]))
        rng = np.random.default_rng(seed)
        images = self.sources(seed % 1000)
        geometry = self.geometry(images)
        # What jumps, or stretches by any factor, is left out: the next would further.
        left_out = (
            *(*ROUNDED, Op.NONE, Op.AUTOCONTRAST, Op.DC_AUTOCONTRAST),
            *(Op.DC_AUTOSATURATION, Op.DC_EQUALIZE, Op.DC_SOLARIZE_ADD),
        )
        kinds = [k for k in Op if k not in left_out]
        for _ in range(data.draw(st.integers(1, 4))):
            kind = rng.choice(kinds, len(images))
            p = np.zeros((len(images), 14))
            for i, k in enumerate(kind):
                one = drawn_params(Op(k), rng, 64, 48)[0]
                if k == Op.WARP:
                    one[9] = 1  # halves would be rounded either way
                p[i, : len(one)] = one
            mask = rng.random(len(images)) < 0.8
            seeds = rng.integers(0, 2**32, len(images)).astype(np.uint32)
            geometry = geometry.with_op(kind, p, mask, seeds)
        if geometry.ops is not None:
            self.check(images, geometry, layout, atol=1e-2)

    @pytest.mark.parametrize("layout", ["planes", "concat"])
    def test_sizes_before_a_warp_may_be_any(self, layout):
        images = [*self.sources(), *self.sources(1)]
        plan = T.Compose(
            [
                T.RandomAffine(40, (0.1, 0.1), (0.7, 1.3), 20, "bilinear", fill=77),
                T.ColorJitter(0.2, 0.2, 0.2, 0.1),
                T.RandomAdjustSharpness(1.7, 0.5),
                T.RandomHorizontalFlip(0.5),
                T.RandomRotation(30, "bilinear"),
                T.CenterCrop(64),
                T.RandomErasing(0.5, value=(9, 200, 30)),
            ]
        ).plan(layout)
        self.compare(images, plan, 2e-3)

    def compare(self, images, plan, tolerance, share=0.0):
        """With C, sample by sample: ``share`` of them may differ by more."""
        uniforms = np.random.default_rng(5).random((len(images), plan.num_draws))
        got = batched.pack(images, plan, uniforms).emit()
        for i, image in enumerate(images):
            want = plan.sample(image, uniforms[i])
            want = want if plan.format.layout == "planes" else (want,)
            off = [a[i].sub(b).abs() for a, b in zip(got, want, strict=True)]
            off = torch.cat([x.flatten() for x in off])
            assert (off > tolerance).float().mean() <= share

    def test_changes_of_colour_come_before_operations(self):
        images = self.sources()
        plan = T.Compose(
            [T.CenterCrop(64), T.ColorJitter(0.4, 0.4, 0.4, 0.2), T.RandomErasing(1.0)]
        ).plan("planes")
        self.compare(images, plan, 1e-3)

    def test_a_sample_does_not_depend_on_its_batch(self):
        images = self.sources() * 3
        plan = T.Compose([T.CenterCrop(64), T.RandAugment(3)]).plan("planes")
        uniforms = np.random.default_rng(2).random((len(images), plan.num_draws))
        together = batched.pack(images, plan, uniforms).emit()
        for i, image in enumerate(images):
            alone = batched.pack([image], plan, uniforms[i : i + 1]).emit()
            parts = [x[0] for x in alone], [x[i] for x in together]
            assert far_share(*parts, "planes") < 0.02

    @pytest.mark.parametrize("layout", ["planes", "concat"])
    @pytest.mark.parametrize("preset", sorted(PRESETS))
    @pytest.mark.parametrize("kind", [T.RandAugment, T.TrivialAugmentWide])
    def test_through_the_loader_they_equal_those_of_the_host(
        self, jpeg_samples, tmp_path, kind, preset, layout
    ):
        files = []
        for k in range(4):
            for name in ("420", "444", "grey", "progressive"):
                if name in jpeg_samples:
                    files.append(tmp_path / f"{k}-{name}.jpg")
                    files[-1].write_bytes(jpeg_samples[name])
        for i in range(8):
            files.append(tmp_path / f"{i}.jpg")
            files[-1].write_bytes(jpeg_bytes(picture(90 + i, 80, i)))
        augment = kind(operations=preset)
        compose = T.Compose([T.RandomResizedCrop(64), augment, T.RandomErasing()])
        assert "not" not in compose.explain("device")
        data = dctload.Files([str(f) for f in files], transform=compose)
        batches = []
        for where in ("host", "device"):
            loader = dctload.DataLoader(
                data, len(files), seed=3, layout=layout, device="cpu",
                transform_on=where,
            )  # fmt: skip
            (x, *_) = next(iter(loader))
            batches.append([x] if layout == "concat" else list(x))
        num_far = 0
        for i in range(len(files)):
            num_far += far_share(*([x[i] for x in xs] for xs in batches), layout) > 0.02
        # A limit that is rounded the other way moves all that follows.
        assert num_far <= 1


class TestExcerpts:
    """The engine's part: blocks of windows, as they are in whole planes."""

    def decode(self, files, windows, num_threads):
        batch = _engine.Batch(len(files))
        engine = _engine.Engine(num_threads)
        batch.set_data(files)
        engine.submit_read(batch, len(files))
        engine.wait(batch)
        out = []
        for i, parts in enumerate(windows):
            for c, (row, end_row, col, end_col) in enumerate(parts):
                blocks = np.full((max(end_row - row, 0), max(end_col - col, 0), 64), 7)
                out.append(np.ascontiguousarray(blocks, np.int16))
                record = batch.items["excerpts"][i, c]
                record["row"], record["end_row"] = row, end_row
                record["col"], record["end_col"] = col, end_col
                record["out"] = out[-1].ctypes.data
        engine.submit_excerpt(batch, len(files))
        engine.wait(batch)
        status = batch.items["status"].tolist()
        engine.close()
        return out, status

    @pytest.mark.parametrize("num_threads", [0, 3])
    def test_they_are_parts_of_the_planes(self, jpeg_samples, num_threads):
        rng = np.random.default_rng(0)
        files = list(jpeg_samples.values()) * 3
        # Every sampling, interleaved or not; a few are long and thin.
        files += [data for data in corpus.good().values() if len(data) < 50_000]
        images = dctload.decode_many(files)
        windows, want = [], []
        for image in images:
            parts = []
            for plane in image.planes:
                rows, columns = plane.shape[:2]
                row, col = int(rng.integers(rows)), int(rng.integers(columns))
                end_row = int(rng.integers(row, rows + 1))
                end_col = int(rng.integers(col, columns + 1))
                parts.append((row, end_row, col, end_col))
                want.append(plane[row:end_row, col:end_col].reshape(-1, 64))
            windows.append(parts)
        got, status = self.decode(files, windows, num_threads)
        assert not any(status)
        for ours, theirs in zip(got, want, strict=True):
            np.testing.assert_array_equal(ours.reshape(-1, 64), theirs)

    def test_those_beyond_the_grid_are_refused(self, jpeg_samples):
        files = [jpeg_samples["grey"]] * 4
        windows = [[(0, 1, 0, 1)], [(0, 11, 0, 1)], [(0, 1, 0, 15)], [(2, 1, 0, 0)]]
        got, status = self.decode(files, windows, 0)
        bad = _native.lib.DCTLOAD_BAD_ARGUMENT
        assert status == [0, bad, bad, bad]
        assert all((out == 7).all() for out in got[1:])
