"""Transforms: torchvision's sizes, boxes, draws and targets; colour; automatic ones."""

from collections import namedtuple

import numpy as np
import pytest
import reference
import torch
from conftest import jpeg_bytes, picture
from torch.utils._pytree import tree_flatten
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

import dctload
from dctload import _native
from dctload import transforms as T
from dctload._geometry import Geometry
from dctload._ops_numpy import quality_tables
from dctload.transforms.auto import OPERATIONS, PRESETS

SIZES = [(1, 1), (7, 300), (300, 7), (50, 50), (333, 500), (224, 224), (17, 18)]


def no_draws(n=1):
    return np.empty((n, 0))


def of_sizes(sizes=SIZES):
    return Geometry.of_size([w for w, _ in sizes], [h for _, h in sizes])


def photograph(width=120, height=88, seed=0, **options):
    options = {"quality": 100, "subsampling": "4:4:4", **options}
    return dctload.decode(jpeg_bytes(picture(width, height, seed), **options))


def rgb(image):
    """Float pixels of a DctImage at 4:4:4, not clamped."""
    y, cb, cr = (reference.to_samples(plane) for plane in image.dequantized().planes)
    y, cb, cr = (p[: image.height, : image.width] for p in (y, cb, cr))
    out = [y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb]
    return torch.from_numpy(np.stack(out) + 128)


def params_of(transform):
    """What draws the parameters of one of torchvision's; newer ones made it public."""
    return getattr(transform, "make_params", None) or transform._get_params


class TestGeometryLikeTorchvision:
    @pytest.mark.parametrize(
        ("size", "max_size"),
        [(32, None), ((40, 24), None), (32, 50), (None, 64), (224, 300)],
    )
    def test_resize_gives_its_sizes(self, size, max_size):
        if size is None:
            theirs = [
                (
                    max(int(max_size * w / max(w, h)), 1),
                    max(int(max_size * h / max(w, h)), 1),
                )
                for w, h in SIZES
            ]
        else:
            resize = v2.Resize(size, max_size=max_size)
            theirs = []
            for w, h in SIZES:
                out = resize(tv_tensors.Mask(torch.zeros(1, h, w)))
                theirs.append((out.shape[-1], out.shape[-2]))
        got = T.Resize(size, max_size=max_size).apply(of_sizes(), no_draws(len(SIZES)))
        assert list(zip(got.width, got.height, strict=True)) == theirs

    @pytest.mark.parametrize("size", [16, (33, 20), (301, 301)])
    def test_centre_crop_keeps_its_samples(self, size):
        for w, h in SIZES:
            where = torch.arange(1, w * h + 1).reshape(1, h, w)
            want = F.center_crop(where, T._base.two_sizes(size, ""))[0].numpy()
            moved = T.CenterCrop(size).apply(of_sizes([(w, h)]), no_draws())
            got = read_positions(moved, w, h)
            np.testing.assert_array_equal(got, want)

    def test_random_crops_have_its_distribution(self):
        torch.manual_seed(0)
        theirs = v2.RandomResizedCrop(16)
        mask = torch.zeros(1, 240, 320)
        want = [params_of(theirs)([mask]) for _ in range(3000)]
        u = np.random.default_rng(0).random((3000, T.RandomResizedCrop.num_draws))
        w, h = np.full(3000, 320), np.full(3000, 240)
        left, top, width, height = T.RandomResizedCrop(16).boxes(w, h, u)
        for ours, key in (
            (left, "left"),
            (top, "top"),
            (width, "width"),
            (height, "height"),
        ):
            sorted_theirs = np.sort([p[key] for p in want])
            # Two samples of 3,000: Kolmogorov-Smirnov at 0.1 %.
            grid = np.arange(321)
            a = np.searchsorted(np.sort(ours), grid, "right") / 3000
            b = np.searchsorted(sorted_theirs, grid, "right") / 3000
            assert np.abs(a - b).max() < 0.0504
        assert (left >= 0).all()
        assert (left + width <= 320).all()
        assert (top + height <= 240).all()

    @pytest.mark.parametrize("size", [(1, 500), (500, 1), (10, 10)])
    def test_a_crop_that_cannot_fit_takes_the_middle(self, size):
        w, h = size
        crop = T.RandomResizedCrop(8, scale=(5.0, 5.0))
        box = crop.boxes(np.array([w]), np.array([h]), np.full((1, 22), 0.5))
        theirs = v2.RandomResizedCrop(8, scale=(5.0, 5.0))
        want = params_of(theirs)([torch.zeros(1, h, w)])
        got = {
            k: int(v[0])
            for k, v in zip(("left", "top", "width", "height"), box, strict=True)
        }
        assert got == want

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            (T.Pad((3, 5)), v2.Pad((3, 5))),
            (T.Pad([1, 2, 3, 4]), v2.Pad([1, 2, 3, 4])),
            (T.RandomHorizontalFlip(1.0), v2.RandomHorizontalFlip(1.0)),
            (T.RandomVerticalFlip(1.0), v2.RandomVerticalFlip(1.0)),
        ],
    )
    def test_samples_go_where_theirs_go(self, ours, theirs):
        w, h = 13, 9
        where = torch.arange(1, w * h + 1).reshape(1, h, w)
        moved = ours.apply(of_sizes([(w, h)]), np.zeros((1, ours.num_draws)))
        got = read_positions(moved, w, h)
        np.testing.assert_array_equal(got, theirs(where)[0].numpy())

    def test_a_random_crop_with_padding_reaches_every_place(self):
        crop = T.RandomCrop(32, padding=4)
        u = np.random.default_rng(0).random((4000, 2))
        moved = crop.apply(Geometry.of_size(np.full(4000, 32), np.full(4000, 32)), u)
        (name, (left, top, *_)) = moved.log[-1]
        assert name == "crop"
        for place in (left, top):
            counts = np.bincount(place + 4, minlength=9)
            assert len(counts) == 9
            assert np.abs(counts - 4000 / 9).max() < 5 * (4000 / 9) ** 0.5

    def test_five_crops_are_the_corners_and_the_middle(self):
        image = photograph(64, 48)
        samples = torch.from_numpy(
            reference.to_samples(image.dequantized().planes[0])[None, :48, :64]
        )
        for got, want in zip(
            T.FiveCrop(24)(image), F.five_crop(samples, [24, 24]), strict=True
        ):
            blocks = reference.to_blocks(want[0].numpy())
            np.testing.assert_allclose(got.planes[0], blocks, atol=1e-3)

    @pytest.mark.parametrize("turns", [0, 1, 2, 3])
    def test_quarter_turns_are_those_of_numpy(self, turns):
        u = np.array([[turns / 4 + 0.1]])
        moved = T.RandomRotation90().apply(of_sizes([(7, 5)]), u)
        want = np.rot90(np.arange(1, 36).reshape(5, 7), turns)
        np.testing.assert_array_equal(read_positions(moved, 7, 5), want)

    @pytest.mark.parametrize("code", range(1, 9))
    def test_orientations_are_those_of_pillow(self, code):
        from PIL import Image, ImageOps

        where = np.arange(1, 36, dtype=np.uint8).reshape(5, 7)
        stored = Image.fromarray(where)
        exif = stored.getexif()
        exif[0x0112] = code
        stored.info["exif"] = exif.tobytes()
        want = np.asarray(ImageOps.exif_transpose(stored))
        got = read_positions(of_sizes([(7, 5)]).oriented(code), 7, 5)
        np.testing.assert_array_equal(got, want)


def read_positions(geometry, w, h):
    """Which sample, counted from 1, lands where: 0 for none."""
    view = np.zeros(1, _native.GEOMETRY_DTYPE)
    geometry.write(view)
    record = view[0]
    where = np.arange(1, w * h + 1).reshape(h, w)
    if record["transpose"]:
        where = where.T

    def axis(steps, num, size):
        index = np.arange(size)
        for k in range(num):
            step = steps[k]
            at = step["start"] + step["step"] * (np.arange(step["out_size"]) + 0.5)
            at = np.floor(at).astype(int)
            seen = (at >= step["lo"]) & (at < step["hi"])
            index = np.where(seen, index[np.clip(at, 0, len(index) - 1)], -1)
        return index

    y = axis(record["y"], record["num_y"], where.shape[0])
    x = axis(record["x"], record["num_x"], where.shape[1])
    padded = np.pad(where, ((0, 1), (0, 1)))
    return padded[np.ix_(y, x)]


class TestMerging:
    def test_crop_resize_crop_and_flips_are_one_step(self):
        g = of_sizes().crop(0, 0, 1, 1).resize(40, 40).crop(4, 4, 32, 32).hflip()
        assert (g.x.num == 1).all()
        assert (g.vflip().y.num == 1).all()

    def test_one_image_is_planned_as_in_a_batch(self):
        compose = T.Compose([T.Resize(40), T.CenterCrop(48), T.RandomHorizontalFlip()])
        plan = compose.plan()
        u = np.random.default_rng(0).random((len(SIZES), plan.num_draws))
        infos = np.zeros(len(SIZES), _native.INFO_DTYPE)
        infos["width"], infos["height"] = np.transpose(SIZES)
        infos["orientation"] = np.arange(len(SIZES)) + 1
        together = np.zeros(len(SIZES), _native.GEOMETRY_DTYPE)
        plan.fill(infos, u, [together], True)
        for i in range(len(SIZES)):
            alone = np.zeros(1, _native.GEOMETRY_DTYPE)
            plan.fill(infos[i : i + 1], u[i : i + 1], [alone], True)
            assert alone[0].tobytes() == together[i].tobytes()

    def test_a_merged_chain_equals_its_parts_one_after_the_other(self):
        image = photograph(120, 88)
        parts = [T.Resize(72), T.CenterCrop(64), T.RandomHorizontalFlip(1.0)]
        merged = T.Compose(parts)(image).planes
        one_by_one = image
        for part in parts:
            one_by_one = part(one_by_one).dequantized()
        for a, b in zip(merged, one_by_one.planes, strict=True):
            np.testing.assert_allclose(a, b, atol=2e-3)

    def test_too_many_resamplings_are_refused(self):
        with pytest.raises(ValueError, match="resamplings"):
            T.Compose([T.Resize(n) for n in (30, 40, 50, 60, 70)])(photograph())


class TestTargets:
    boxes = torch.tensor([[3.0, 4.0, 40.0, 30.0], [50.0, 20.0, 119.0, 80.0]])

    def target(self):
        return {
            "boxes": tv_tensors.BoundingBoxes(
                self.boxes, format="XYXY", canvas_size=(88, 120)
            ),
            "mask": tv_tensors.Mask(torch.arange(88 * 120).reshape(1, 88, 120)),
            "label": 7,
        }

    @pytest.mark.parametrize(
        "name",
        ["Resize", "CenterCrop", "RandomHorizontalFlip", "RandomVerticalFlip", "Pad"],
    )
    def test_boxes_and_masks_move_as_with_torchvision(self, name):
        argument = {"Resize": 40, "CenterCrop": 64, "Pad": 8}.get(name, 1.0)
        ours, theirs = getattr(T, name)(argument), getattr(v2, name)(argument)
        image, got = ours(photograph(), self.target())
        want = theirs(self.target())
        torch.testing.assert_close(got["boxes"], want["boxes"])
        torch.testing.assert_close(got["mask"], want["mask"])
        assert got["boxes"].canvas_size == (image.height, image.width)
        assert got["label"] == 7

    @pytest.mark.parametrize("name", ["Pad", "RandomCrop"])
    def test_margins_of_masks_are_filled_as_theirs(self, name):
        arguments = {"Pad": ((3, 8), 7), "RandomCrop": ((100, 130), 8, False, 7)}
        ours = getattr(T, name)(*arguments[name])
        theirs = getattr(v2, name)(*arguments[name])
        u = np.zeros((1, ours.num_draws))
        _, got = ours.sample(photograph(), self.target(), u)
        if name == "RandomCrop":  # whose crop begins at the corner
            want = F.crop(F.pad(self.target()["mask"], 8, fill=7), 0, 0, 100, 130)
        else:
            want = theirs(self.target())["mask"]
        torch.testing.assert_close(got["mask"].data, want.data)

    def test_a_transposed_box_encloses_the_transposed_mask(self):
        mask = torch.zeros(1, 88, 120, dtype=torch.uint8)
        mask[:, 4:30, 3:40] = 1
        target = {
            "boxes": tv_tensors.BoundingBoxes(
                self.boxes[:1], format="XYXY", canvas_size=(88, 120)
            ),
            "mask": tv_tensors.Mask(mask),
        }
        _, got = T.Transpose()(photograph(), target)
        ys, xs = torch.where(got["mask"][0])
        corners = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
        assert got["boxes"][0].tolist() == [float(c) for c in corners]

    def test_other_targets_are_handed_through(self):
        target = object()
        assert T.RandomResizedCrop(16)(photograph(), target)[1] is target


class TestPlan:
    def test_int8_takes_a_scale(self):
        image = photograph(64, 64)
        plain, scaled = T.Normalize("imagenet"), T.Normalize("imagenet", scale=32)
        crop = T.CenterCrop(32)
        want = T.Compose([crop, plain])(image).to_tensor()
        got = T.Compose([crop, scaled])(image).to_tensor(dtype=torch.int8)
        exact = (32 * want).round().clamp(-128, 127)
        assert (got.float() - exact).abs().max() <= 1
        assert "scale=32" in repr(scaled)

    def test_a_size_that_depends_on_the_image_is_refused_by_name(self):
        with pytest.raises(ValueError, match="Resize"):
            T.Compose([T.Resize(64), T.RandomHorizontalFlip()]).plan()

    def test_a_size_off_the_grid_is_refused(self):
        with pytest.raises(ValueError, match="multiple of 16, got 24x24 from Center"):
            T.Compose([T.CenterCrop(24)]).plan("planes")

    def test_what_is_not_native_is_explained(self):
        compose = T.Compose([T.CenterCrop(32), lambda image: image])
        assert not compose.plan().native
        lines = compose.explain().splitlines()
        assert lines[0].endswith("native")
        assert "Python" in lines[1]

    def test_pixels_and_paths_are_refused(self):
        for transform in (T.Resize(32), T.Compose([T.Resize(32)])):
            for image in (torch.zeros(3, 8, 8), "cat.jpg"):
                with pytest.raises(TypeError, match=r"takes a DctImage, which dctload"):
                    transform(image)

    def test_a_pixel_transform_is_refused_with_its_equivalent(self):
        with pytest.raises(TypeError, match=r"dctload\.transforms\.Resize"):
            T.Compose([v2.Resize(32)])

    def test_the_same_generator_gives_the_same_sample(self):
        compose = T.Compose(
            [T.RandomResizedCrop(32), T.ColorJitter(0.5, 0.5, 0.5, 0.1)]
        )
        a, b = (
            compose(photograph(), rng=torch.Generator().manual_seed(3)).to_tensor()
            for _ in range(2)
        )
        assert torch.equal(a, b)
        c = compose(photograph(), rng=np.random.default_rng(3)).to_tensor()
        assert not torch.equal(a, c)


def jitter(**fixed):
    limits = {name: (value, value) for name, value in fixed.items()}
    return T.ColorJitter(**limits)


class TestColour:
    """Against the operation on float RGB, which nothing clamps."""

    @pytest.mark.parametrize(
        ("ours", "theirs"),
        [
            (jitter(brightness=0.6), lambda x: 0.6 * x),
            (jitter(saturation=0.3), lambda x: 0.3 * x + 0.7 * grey(x)),
            (jitter(contrast=0.5), lambda x: 0.5 * x + 0.5 * grey(x).mean()),
            (T.RandomGrayscale(1.0), lambda x: grey(x).expand(3, -1, -1)),
            (T.RandomInvert(1.0), lambda x: 255 - x),
        ],
    )
    def test_linear_changes_are_exact(self, ours, theirs):
        image = photograph(96, 80)
        got, want = rgb(ours(image)), theirs(rgb(image))
        torch.testing.assert_close(got, want, atol=2e-3, rtol=0)

    def test_changes_in_turn_are_one_map(self):
        image = photograph(96, 80)
        parts = [
            jitter(brightness=1.3),
            jitter(contrast=0.7),
            T.RandomInvert(1.0),
            jitter(hue=0.1),
            T.GaussianBlur(5, 1.0),
            jitter(contrast=1.4),
        ]
        at_once = T.Compose(parts)(image).to_tensor()
        for part in parts:
            image = part(image).dequantized()
        torch.testing.assert_close(image.to_tensor(), at_once, atol=5e-3, rtol=1e-4)

    @pytest.mark.parametrize(
        ("options", "layout"),
        [
            ({}, "concat"),
            ({"subsampling": "4:2:0"}, "planes"),
            ({"mode": "L"}, "planes"),
        ],
    )
    def test_the_native_pass_and_planes_agree(self, options, layout):
        colors = T.ColorJitter(0.4, 0.4, 0.4, 0.2)
        compose = T.Compose([T.RandomResizedCrop(64), colors])
        plan = compose.plan(layout)
        assert plan.native
        image = photograph(**options)
        u = np.random.default_rng(1).random(plan.num_draws)
        native = plan.sample(image, u)
        made, _ = compose.sample(image, None, u[None])
        slow = made.dequantized().to_tensor(layout=layout)
        for a, b in zip(native, slow, strict=True):
            torch.testing.assert_close(a, b, atol=3e-3, rtol=0)

    def test_sharpness_is_theirs_inside_blocks(self):
        image = photograph(64, 64)
        got = rgb(T.RandomAdjustSharpness(2.0, 1.0)(image))
        x = rgb(image)
        kernel = torch.ones(3, 1, 3, 3, dtype=x.dtype) / 13
        kernel[:, :, 1, 1] = 5 / 13
        smooth = torch.nn.functional.conv2d(x[None], kernel, padding=1, groups=3)[0]
        want = 2 * x - smooth
        inner = [i for i in range(64) if i % 8 not in (0, 7)]
        torch.testing.assert_close(
            got[:, inner][:, :, inner], want[:, inner][:, :, inner], atol=5e-3, rtol=0
        )

    def test_hue_turns_red_towards_green(self):
        pixels = np.zeros((16, 16, 3), np.uint8)
        pixels[..., 0] = 200
        image = dctload.from_rgb(pixels, subsampling="4:4:4")
        turned = rgb(jitter(hue=1 / 3)(image)).mean(dim=(1, 2))
        assert turned.argmax() == 1


def grey(x):
    return (0.299 * x[0] + 0.587 * x[1] + 0.114 * x[2])[None]


class TestBlocks:
    def test_erasing_paints_whole_samples(self):
        image = photograph(64, 48)
        erase = T.RandomErasing(1.0, value=(255, 0, 0))
        u = np.random.default_rng(0).random((1, erase.num_draws))
        before, after = rgb(image), rgb(erase.apply_image(image, u))
        red = torch.tensor([255.0, 0, 0], dtype=before.dtype)[:, None, None]
        painted = ((after - red).abs() < 0.01).all(dim=0)
        kept = ((after - before).abs() < 0.01).all(dim=0)
        assert (painted | kept).all()
        ys, xs = torch.where(painted & ~kept)
        area = (ys.max() - ys.min() + 1) * (xs.max() - xs.min() + 1)
        assert area == (painted & ~kept).sum()
        assert 0.01 < area / (64 * 48) < 0.35

    @pytest.mark.parametrize("quality", [10, 50, 90])
    def test_quality_tables_are_those_of_libjpeg(self, quality):
        image = photograph(quality=quality)
        np.testing.assert_array_equal(quality_tables(quality)[[0, 1, 1]], image.qtables)

    def test_quantising_again_gives_multiples(self):
        image = T.RandomJPEG(30)(photograph())
        for plane, table in zip(
            image.planes, quality_tables(30)[[0, 1, 1]], strict=True
        ):
            steps = plane / table
            np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)

    @pytest.mark.parametrize(
        "transform",
        [
            T.RandomSolarize(128, 1.0),
            T.RandomPosterize(2, 1.0),
            T.RandomAutocontrast(1.0),
        ],
    )
    @pytest.mark.parametrize("options", [{}, {"mode": "L"}, {"subsampling": "4:2:0"}])
    def test_they_take_any_colours_and_leave_the_source(self, transform, options):
        image = photograph(**options)
        before = [plane.copy() for plane in image.planes]
        after = transform(image)
        assert any(
            not np.array_equal(a, b)
            for a, b in zip(after.planes, image.dequantized().planes, strict=True)
        )
        for a, b in zip(image.planes, before, strict=True):
            np.testing.assert_array_equal(a, b)


class TestAuto:
    def test_the_native_set_stays_native(self):
        compose = T.Compose([T.RandomResizedCrop(32), T.RandAugment()])
        assert compose.plan().native
        assert T.Compose([T.CenterCrop(32), T.TrivialAugmentWide()]).plan().native

    @pytest.mark.parametrize("preset", sorted(PRESETS))
    def test_presets_give_samples_of_one_size(self, preset):
        compose = T.Compose(
            [T.RandomResizedCrop(32), T.RandAugment(2, 3, 11, operations=preset)]
        )
        rng = np.random.default_rng(0)
        seen = []
        for _ in range(40):
            x = compose(photograph(), rng=rng).to_tensor()
            assert x.shape == (192, 4, 4)
            assert torch.isfinite(x).all()
            seen.append(x)
        assert len({tuple(x.flatten()[:8].tolist()) for x in seen}) > 30

    def test_one_image_and_a_batch_draw_the_same(self):
        augment = T.RandAugment(operations="linear")
        u = np.random.default_rng(2).random((50, augment.num_draws))
        together = augment.apply(Geometry.of_size(np.full(50, 64), np.full(50, 64)), u)
        records = np.zeros(50, _native.GEOMETRY_DTYPE)
        together.write(records)
        for i in range(50):
            alone = augment.apply(Geometry.of_size(64, 64), u[i : i + 1])
            one = np.zeros(1, _native.GEOMETRY_DTYPE)
            alone.write(one)
            if not one["use_color"][0]:
                continue
            for name in one["color"].dtype.names:
                np.testing.assert_allclose(
                    one["color"][0][name], records["color"][i][name], atol=1e-6
                )

    @pytest.mark.parametrize("name", sorted(OPERATIONS))
    def test_every_operation_alone_gives_finite_samples(self, name):
        augment = T.RandAugment(1, 9, operations=[name])
        compose = T.Compose([T.CenterCrop(48), augment])
        for seed in range(4):
            x = compose(photograph(), rng=np.random.default_rng(seed)).to_tensor()
            assert torch.isfinite(x).all()

    def test_an_unknown_operation_is_named(self):
        with pytest.raises(ValueError, match="Rotate90"):
            T.RandAugment(operations=["Twirl"])


class TestBatches:
    def test_mixup_blends_neighbours_and_targets(self):
        torch.manual_seed(0)
        x, target = torch.eye(4)[:, :, None, None], torch.arange(4)
        mixed, labels = T.MixUp(alpha=1.0, num_classes=4)(x, target)
        torch.testing.assert_close(mixed[:, :, 0, 0], labels)
        torch.testing.assert_close(labels.sum(dim=1), torch.ones(4))

    @pytest.mark.parametrize("name", ["MixUp", "CutMix"])
    def test_labels_are_found_where_torchvision_finds_them(self, name):
        x, labels = torch.rand(4, 3, 8, 8), torch.tensor([2, 0, 1, 2])
        Pair = namedtuple("Pair", ["image", "labels"])
        cases = [
            ("default", (x, labels)),
            ("default", [x, labels]),
            ("default", Pair(x, labels)),
            ("default", (x, {"Labels": labels, "name": "a", "other_label": 3})),
            ("default", {"image": x, "my_label": labels}),
            (lambda b: b["target"]["of"], {"image": x, "target": {"of": labels}}),
            (lambda b: b[2], (x, "names", labels)),
        ]
        for getter, batch in cases:
            options = {"num_classes": 3, "labels_getter": getter}
            theirs, spec = tree_flatten(getattr(v2, name)(**options)(batch))
            ours, same = tree_flatten(getattr(T, name)(**options)(batch))
            assert spec == same
            for a, b in zip(ours, theirs, strict=True):
                assert getattr(a, "shape", a) == getattr(b, "shape", b)

    @pytest.mark.parametrize("name", ["MixUp", "CutMix"])
    def test_batches_without_labels_are_refused(self, name):
        x, labels = torch.rand(4, 3, 8, 8), torch.arange(4)
        mix = getattr(T, name)(num_classes=4)
        boxes = tv_tensors.BoundingBoxes(
            torch.zeros(4, 4), format="XYXY", canvas_size=(8, 8)
        )
        for match, batch in (
            ("no labels", ({"image": x},)),
            ("2 labels", (x, labels[:2])),
            ("labels must", (x, labels[:, None, None])),
            ("BoundingBoxes", (x, {"labels": labels, "boxes": boxes})),
            ("4 columns|3 columns", (x, torch.rand(4, 3))),
            ("four dimensions", (x[0], labels)),
        ):
            with pytest.raises(ValueError, match=match):
                mix(*batch)
        with pytest.raises(ValueError, match="labels_getter"):
            getattr(T, name)(labels_getter="labels")

    def test_cutmix_shares_are_areas(self):
        torch.manual_seed(1)
        y = torch.arange(4.0)[:, None, None, None].expand(4, 3, 28, 28)
        chroma = torch.arange(4.0)[:, None, None, None].expand(4, 2, 14, 14)
        for _ in range(5):
            (a, b), labels = T.CutMix(num_classes=4)((y, chroma), torch.arange(4))
            for part in (a, b):
                own = (part[1] == 1).float().mean()
                torch.testing.assert_close(own, labels[1, 1])
            torch.testing.assert_close(labels.sum(dim=1), torch.ones(4))
