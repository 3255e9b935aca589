"""Operations behind the geometry: C, NumPy and torchvision agree on each of them."""

import math
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import reference
import torch
from conftest import jpeg_bytes, picture
from operations import JUMPS, as_planes, drawn_params, each_operation, photograph
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

import dctload
from dctload import _native, _ops_numpy
from dctload import transforms as T
from dctload._geometry import Geometry
from dctload._ops import MAX_OPS, NUM_PARAMS, Op, params
from dctload.transforms._base import pending
from dctload.transforms._targets import move
from dctload.transforms.auto import OPERATIONS, PRESETS


def rgb(image):
    """Float pixels of a DctImage at 4:4:4, not clamped."""
    planes = image.dequantized().planes
    parts = [reference.to_samples(p)[: image.height, : image.width] for p in planes]
    back = np.linalg.inv(reference.YCC_FROM_RGB)
    return torch.from_numpy(np.tensordot(back, np.stack(parts), 1) + 128)


def test_kinds_and_sizes_are_those_of_c():
    elements = _native.ffi.typeof("enum dctload_op_kind").elements
    assert {f"DCTLOAD_OP_{op.name}": op.value for op in Op} == {
        name: value for value, name in elements.items()
    }
    assert MAX_OPS == _native.lib.DCTLOAD_MAX_OPS
    assert NUM_PARAMS == _native.lib.DCTLOAD_OP_PARAMS


class TestNativeEqualsNumpy:
    @pytest.mark.parametrize("layout", ["planes", "concat"])
    @pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0", "4:2:2", "grey"])
    @pytest.mark.parametrize("kind", list(Op)[1:])
    def test_one_operation(self, kind, subsampling, layout):
        rng = np.random.default_rng([kind, len(layout)])
        grey = subsampling == "grey"
        options = {"mode": "L"} if grey else {"subsampling": subsampling}
        for seed in range(2):
            image = photograph(*map(int, rng.integers(1, 90, 2)), seed, **options)
            # Transposed while its rows are stored, and coloured, before it.
            image = T.Transpose()(T.Resize((64, 48))(image))
            image = T.ColorJitter((0.7, 0.7), (0.6, 0.6), (0.5, 0.5))(image)
            self.compare(image, kind, layout, seed, 1 if grey else 3)

    @pytest.mark.parametrize("layout", ["planes", "concat"])
    @pytest.mark.parametrize("turned", [False, True])
    @pytest.mark.parametrize("kind", range(Op.BRIGHTNESS, Op.NOISE + 1))
    def test_one_operation_that_sees_tiles(self, kind, turned, layout):
        """Without colour, and at sizes that are whole tiles of any CPU."""
        image = photograph(90, 70, kind, subsampling="4:2:0")
        for size in ((64, 96), (70, 90)):
            resized = T.CenterCrop((64, 96))(T.Resize(size)(image))
            resized = T.Transpose()(resized) if turned else resized
            self.compare(resized, kind, layout, 5, 3)
        self.compare(photograph(96, 64, kind), kind, layout, 5, 3)
        grey = photograph(90, 70, kind, mode="L")
        self.compare(T.Resize((96, 64))(grey), kind, layout, 5, 1)

    def compare(self, image, kind, layout, seed, num):
        size = image.width, image.height
        ratio = Fraction(1, 2 if layout == "planes" else 1)
        ratios = [(Fraction(1),) * 2, (ratio,) * 2, (ratio,) * 2]
        before = as_planes(image.to_tensor(layout=layout), layout)
        geometry = pending(image).with_op(
            kind,
            drawn_params(kind, np.random.default_rng([kind, seed]), *size),
            np.array([True]),
            np.array([seed], np.uint32),
        )
        after = image._replace(pending=geometry).to_tensor(layout=layout)
        want = _ops_numpy.run(geometry.ops, 0, before[:num], size, ratios)
        for a, b in zip(as_planes(after, layout), want, strict=False):
            if kind not in JUMPS:
                np.testing.assert_allclose(a, b, atol=1e-3)
                continue
            off = np.abs(reference.to_samples(a - b)) > 1e-3
            assert off.mean() < 0.02

    @pytest.mark.parametrize("options", [{}, {"mode": "L"}])
    def test_a_mean_of_many_pixels_is_precise(self, options):
        """Sums of floats do not lose what a pixel of a large image adds."""
        data = jpeg_bytes(np.full((2048, 2048, 3), 77, np.uint8), **options)
        image = dctload.decode(data)
        level = 128 + float(image.dequantized().planes[0][0, 0, 0, 0]) / 8
        geometry = pending(image).with_op(
            Op.CONTRAST, np.array([[0.0]]), np.array([True])
        )
        after = image._replace(pending=geometry).to_tensor(layout="concat")
        # Weights of grey sum up to 0.9999.
        assert abs(128 + float(after[0].mean()) / 8 - 0.9999 * level) < 0.01

    @pytest.mark.parametrize("seed", range(16))
    def test_sequences_at_any_size(self, seed):
        """Planes that are floats already go the slow way, by NumPy alone."""
        rng = np.random.default_rng(seed)
        w, h = map(int, rng.integers(1, 301, 2))
        subsampling = ["4:4:4", "4:2:0", "4:2:2", "grey"][seed % 4]
        layout = ["planes", "concat"][seed // 4 % 2]
        options = {"subsampling": subsampling}
        options = {"mode": "L"} if subsampling == "grey" else options
        image = photograph(w, h, seed, **options)
        compose = T.Compose(
            [
                T.RandomAffine(40, (0.1, 0.1), (0.7, 1.3), 20, "bilinear", fill=77),
                T.RandomAutocontrast(1.0),
                T.RandomHorizontalFlip(0.5),
                T.RandomAdjustSharpness(1.7, 1.0),
                T.RandomRotation(30, "bilinear"),
                T.CenterCrop(64),
                T.RandomErasing(0.5, value=(9, 200, 30)),
                T.ColorJitter(0.2, 0.2, 0.2, 0.1),
            ]
        )
        plan = compose.plan(layout)
        assert plan.native, plan.why_not
        u = rng.random(plan.num_draws)
        native = plan.sample(image, u)
        slow = plan.sample(image.dequantized(), u)
        for a, b in zip(
            as_planes(native, layout), as_planes(slow, layout), strict=True
        ):
            off = np.abs(reference.to_samples(a - b))
            # An autocontrast whose limits are rounded the other way moves all.
            assert np.median(off) < 0.02
            assert off.max() < 8


AFFINE = [
    {"degrees": 30},
    {"degrees": (10, 80), "center": (5, 9)},
    {"degrees": 0, "translate": (0.3, 0.2), "fill": (250, 10, 80)},
    {"degrees": 15, "scale": (0.4, 2.5), "fill": 128},
    {"degrees": 5, "shear": 25, "fill": None},
    {"degrees": (-20, 20), "shear": (-30, 30, -20, 20), "scale": (0.8, 1.2)},
]


_VARIANT = """
import sys
sys.path.insert(0, {tests!r})
import numpy as np
import operations

np.savez(sys.argv[1], *operations.each_operation())
"""


@pytest.mark.parametrize("disabled", ["avx512", "avx512,f16c,fma,avx2"])
def test_other_variants_agree(tmp_path, disabled):
    path = tmp_path / "other.npz"
    environment = {**os.environ, "DCTLOAD_DISABLE_CPU": disabled}
    code = _VARIANT.format(tests=os.path.dirname(__file__))
    subprocess.run([sys.executable, "-c", code, path], env=environment, check=True)
    with np.load(path) as file:
        other = [file[name] for name in file.files]
    kinds = [kind for kind in list(Op)[1:] for _ in range(6)]
    for kind, a, b in zip(kinds, each_operation(), other, strict=True):
        off = np.abs(reference.to_samples(a - b)) > 1e-3
        assert off.mean() <= (0.02 if kind in JUMPS else 0), kind


class TestAffineLikeTorchvision:
    """On float samples of the image before, which nothing rounds."""

    @pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
    @pytest.mark.parametrize("case", AFFINE)
    def test_samples(self, case, interpolation):
        rng = np.random.default_rng(7)
        for seed in range(2):
            w, h = map(int, rng.integers(1, 301, 2))
            image = photograph(w, h, seed)
            transform = T.RandomAffine(**case, interpolation=interpolation)
            u = rng.random((1, transform.num_draws))
            got = rgb(transform.apply_image(image, u))
            angle, translate, scale, shear = transform.drawn(w, h, u)
            want = F.affine(
                rgb(image),
                angle.item(),
                [int(t.item()) for t in translate],
                scale.item(),
                [s.item() for s in shear],
                v2.InterpolationMode(interpolation),
                case.get("fill", 0),
                case.get("center"),
            )
            self.compare(got, want, interpolation)

    def compare(self, got, want, interpolation):
        assert got.shape == want.shape
        if interpolation == "bilinear":
            torch.testing.assert_close(got, want, atol=5e-3, rtol=0)
        else:  # a position between two samples may be rounded to either
            assert ((got - want).abs() > 5e-3).double().mean() < 1e-3

    @pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
    @pytest.mark.parametrize("expand", [False, True])
    @pytest.mark.parametrize("center", [None, (20.0, 3.0)])
    def test_rotations(self, interpolation, expand, center):
        for angle in (0, 17, 45.5, 90, 180, 270, -61, 359):
            for w, h in ((31, 50), (40, 40), (1, 7)):
                between = (w - h) % 2 or center is not None
                if interpolation == "nearest" and angle % 90 == 0 and between:
                    continue  # halfway between samples: either is the nearest
                image = photograph(w, h)
                turn = T.RandomRotation(
                    (angle, angle), interpolation, expand, center, fill=(9, 99, 200)
                )
                got = rgb(turn.apply_image(image, np.zeros((1, 1))))
                want = F.rotate(
                    rgb(image),
                    angle,
                    v2.InterpolationMode(interpolation),
                    expand,
                    center,
                    (9, 99, 200),
                )
                self.compare(got, want, interpolation)

    def test_a_shear_is_an_affine_map(self):
        image, u = photograph(), np.full((1, 6), 0.8)
        want = T.RandomAffine(0, shear=20).apply_image(image, u)
        np.testing.assert_array_equal(
            T.RandomShear(20).apply_image(image, u).planes[0], want.planes[0]
        )

    def test_chroma_at_half_resolution_moves_as_luma_does(self):
        """A picture whose chroma is its luma, so their planes must stay alike."""
        ramp = np.linspace(20, 230, 64)[None, :] + np.linspace(-9, 9, 64)[:, None]
        pixels = np.stack([ramp, ramp * 0 + 99, ramp * 0 + 50], axis=-1)
        image = dctload.from_rgb(pixels.clip(0, 255).astype(np.uint8), "4:4:4")
        turn = T.RandomRotation((25, 25), "bilinear", fill=0)
        out = turn.apply_image(image, np.zeros((1, 1)))
        y, chroma = out.to_tensor(layout="planes")
        full = as_planes(out.to_tensor(), "concat")[2]
        half = as_planes((y, chroma), "planes")[2]
        mean = reference.to_samples(full).reshape(32, 2, 32, 2).mean(axis=(1, 3))
        inside = np.hypot(*(np.mgrid[:32, :32] - 15.5)) < 13
        got = reference.to_samples(half)
        assert np.abs(got - mean)[inside].max() < 1


class TestTargetsLikeTorchvision:
    def target(self, w, h):
        boxes = torch.tensor([[3.0, 4.0, 30.0, 24.0], [10.0, 8.0, 12.0, 30.0]])
        target = {
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(h, w)),
            "centres": tv_tensors.BoundingBoxes(
                boxes, format="CXCYWH", canvas_size=(h, w)
            ),
            "mask": tv_tensors.Mask(torch.arange(h * w).reshape(1, h, w) % 251),
            "name": "x",
        }
        if hasattr(tv_tensors, "KeyPoints"):
            points = torch.tensor([[1.0, 2.0], [20.0, 30.5]])
            target["points"] = tv_tensors.KeyPoints(points, canvas_size=(h, w))
        return target

    def compare(self, got, want):
        assert got.keys() == want.keys()
        for key, value in want.items():
            if key == "name":
                assert got[key] == value
                continue
            torch.testing.assert_close(got[key].data, value.data)
            if hasattr(value, "canvas_size"):
                assert got[key].canvas_size == value.canvas_size

    @pytest.mark.parametrize("fill", [0, 50])
    @pytest.mark.parametrize("center", [None, (3.0, 4.0)])
    def test_affine(self, center, fill):
        image = photograph(60, 44)
        ours = T.RandomAffine(
            50, (0.2, 0.2), (0.5, 1.5), (-20, 20, -9, 9), fill=fill, center=center
        )
        u = np.random.default_rng(3).random((1, 6))
        _, got = ours.sample(image, self.target(60, 44), u)
        angle, translate, scale, shear = ours.drawn(60, 44, u)
        theirs = v2.RandomAffine(
            (angle.item(),) * 2,
            scale=(scale.item(),) * 2,
            shear=(shear[0].item(),) * 2 + (shear[1].item(),) * 2,
            fill=fill,
            center=center,
        )
        moved = [int(t.item()) for t in translate]
        drawn = {
            "angle": angle.item(),
            "translate": moved,
            "scale": scale.item(),
            "shear": [s.item() for s in shear],
        }
        transform = getattr(theirs, "transform", None) or theirs._transform
        want = {
            key: value if key == "name" else transform(value, drawn)
            for key, value in self.target(60, 44).items()
        }
        self.compare(got, want)

    @pytest.mark.parametrize("expand", [False, True])
    def test_rotation_then_a_flip_and_a_crop(self, expand):
        image = photograph(60, 44)
        parts = [
            ("RandomRotation", ((33, 33),), {"expand": expand}),
            ("RandomHorizontalFlip", (1.0,), {}),
            ("CenterCrop", ((40, 32),), {}),
        ]
        ours = T.Compose([getattr(T, n)(*a, **k) for n, a, k in parts])
        theirs = v2.Compose([getattr(v2, n)(*a, **k) for n, a, k in parts])
        out, got = ours(image, self.target(60, 44))
        self.compare(got, theirs(self.target(60, 44)))
        want = theirs(tv_tensors.Image(rgb(image)))
        assert (rgb(out) - want).abs().gt(5e-3).double().mean() < 1e-3


class TestRgbLikeTorchvision:
    """On the 8 bits that the image would have; results before they are rounded."""

    @pytest.mark.parametrize(
        ("name", "argument", "theirs", "off"),
        [
            ("RandomPosterize", 3, lambda x: F.posterize(x, 3), 0.01),
            ("RandomPosterize", 0, lambda x: F.posterize(x, 0), 0.01),
            ("RandomSolarize", 100, lambda x: F.solarize(x, 100), 0.51),
            ("RandomEqualize", None, F.equalize, 0.01),
            ("RandomAutocontrast", None, F.autocontrast, 1),
        ],
    )
    @pytest.mark.parametrize("size", [(120, 88), (33, 50), (16, 1), (1, 1)])
    def test_operation(self, name, argument, theirs, off, size):
        image = photograph(*size)
        arguments = () if argument is None else (argument,)
        got = rgb(getattr(T, name)(*arguments, p=1.0)(image))
        pixels = rgb(image).round().clamp(0, 255).to(torch.uint8)
        want = theirs(pixels).double()
        if name == "RandomAutocontrast":  # their rounding before, stretched
            low, high = pixels.amin((1, 2)).double(), pixels.amax((1, 2)).double()
            off = 1 + 0.51 * (255 / (high - low).clamp(1))[:, None, None]
        if name == "RandomEqualize" and pixels[0].numel() < 256:
            off = 0.51  # too few to equalise: as they are
        assert ((got - want).abs() > off).double().mean() < 1e-3

    @pytest.mark.parametrize("name", PRESETS["torchvision"])
    @pytest.mark.parametrize("kind", ["RandAugment", "TrivialAugmentWide"])
    def test_operations_of_the_automatic_ones(self, name, kind):
        """Each operation, either sign, some magnitudes: by torchvision's own code."""
        image = photograph(72, 56)
        pixels = rgb(image).round().clamp(0, 255).to(torch.uint8)
        theirs = getattr(v2, kind)()
        spaces, signed = theirs._AUGMENTATION_SPACE[name]
        for index in (0, 4, 9, 17, 30):
            for sign in (-1, 1):
                if kind == "RandAugment":
                    ours = T.RandAugment(1, index, operations=[name])
                else:
                    ours = T.TrivialAugmentWide(operations=[name])
                u = np.array([[0, 0.25 if sign < 0 else 0.75, (index + 0.5) / 31, 0]])
                got = rgb(ours.apply_image(image, u))
                magnitudes = spaces(31, 56, 72)
                amount = 0.0
                if magnitudes is not None:
                    amount = float(
                        magnitudes if magnitudes.ndim == 0 else magnitudes[index]
                    )
                    amount *= sign if signed else 1
                want = theirs._apply_image_or_video_transform(
                    pixels, name, amount, v2.InterpolationMode.NEAREST, {}
                ).double()
                assert got.shape == want.shape
                close = ((got - want).abs() < 4).double().mean()
                # A row of a shear may lie halfway between two of the image.
                assert close > 0.98, (index, sign, float(close))


class TestDraws:
    NUM = 3000

    def uniforms(self, transform):
        return np.random.default_rng(5).random((self.NUM, transform.num_draws))

    @staticmethod
    def distance(a, b):
        """Kolmogorov and Smirnov's, of two samples."""
        at = np.sort(np.concatenate([a, b]))
        ours = np.searchsorted(np.sort(a), at, "right") / len(a)
        theirs = np.searchsorted(np.sort(b), at, "right") / len(b)
        return np.abs(ours - theirs).max()

    def test_affine_parameters_have_torchvision_s_distribution(self):
        options = (20, (0.2, 0.4), (0.5, 1.5), (-10, 10, 5, 30))
        ours, theirs = T.RandomAffine(*options), v2.RandomAffine(*options)
        draw = getattr(theirs, "make_params", None) or theirs._get_params
        torch.manual_seed(0)
        mask = torch.zeros(1, 100, 64)
        want = [draw([mask]) for _ in range(self.NUM)]
        w, h = np.full(self.NUM, 64), np.full(self.NUM, 100)
        angle, translate, scale, shear = ours.drawn(w, h, self.uniforms(ours))
        pairs = [
            (angle, [p["angle"] for p in want]),
            (scale, [p["scale"] for p in want]),
            *((translate[k], [p["translate"][k] for p in want]) for k in (0, 1)),
            *((shear[k], [p["shear"][k] for p in want]) for k in (0, 1)),
        ]
        for got, expected in pairs:
            # At 0.1 % for two samples of 3,000.
            assert self.distance(got, np.array(expected)) < 0.0504

    def test_rectangles_have_torchvision_s_distribution(self):
        ours, theirs = T.RandomErasing(1.0), v2.RandomErasing(1.0)
        draw = getattr(theirs, "make_params", None) or theirs._get_params
        torch.manual_seed(0)
        image = torch.zeros(3, 100, 64)
        want = [draw([image]) for _ in range(self.NUM)]
        geometry = Geometry.of_size(np.full(self.NUM, 64), np.full(self.NUM, 100))
        p, _ = ours.parameters(geometry, self.uniforms(ours)[:, 1:])
        left, top, right, bottom = p[:, :4].T
        for got, key in (
            (left, "j"),
            (top, "i"),
            (right - left, "w"),
            (bottom - top, "h"),
        ):
            expected = np.array([d[key] for d in want])
            assert self.distance(got, expected) < 0.0504

    def test_erasing_with_noise_is_erasing_with_what_is_normal_after_normalising(self):
        image = dctload.from_rgb(np.full((160, 160, 3), 200, np.uint8), "4:4:4")
        erase = T.RandomErasing(1.0, (0.3, 0.3), (1, 1), "random")
        u = np.random.default_rng(2).random((1, erase.num_draws))
        box = erase.parameters(Geometry.of_size(160, 160), u[:, 1:])[0][0]
        left, top, right, bottom = box[:4].astype(int)
        out = rgb(erase.apply_image(image, u))
        inside = torch.zeros(160, 160, dtype=bool)
        inside[top:bottom, left:right] = True
        assert ((out - 200).abs()[:, ~inside] < 0.5).all()
        mean = torch.tensor([0.485, 0.456, 0.406])[:, None] * 255
        sigma = torch.tensor([0.229, 0.224, 0.225])[:, None] * 255
        normal = (out[:, inside] - mean) / sigma
        assert (normal.mean(1).abs() < 0.05).all()
        assert ((normal.std(1) - 1).abs() < 0.05).all()
        assert (torch.corrcoef(normal) - torch.eye(3)).abs().max() < 0.05
        with pytest.raises(ValueError, match="random"):
            T.RandomErasing(value="noise")

    def test_each_operation_is_as_likely(self):
        augment = T.RandAugment(1, operations=list(PRESETS["torchvision"]))
        geometry = Geometry.of_size(np.full(self.NUM, 64), np.full(self.NUM, 64))
        moved = augment.apply(geometry, self.uniforms(augment))
        counts = np.bincount(moved.ops.kind[:, 0], minlength=30)
        # Shears and turns are one kind, moves are steps.
        expected = self.NUM / 14
        assert abs(counts[Op.WARP] - 3 * expected) < 5 * (3 * expected) ** 0.5
        for kind in (Op.SOLARIZE, Op.EQUALIZE, Op.SHARPNESS, Op.SATURATION):
            assert abs(counts[kind] - expected) < 5 * expected**0.5

    def test_noise_is_normal_and_of_its_deviation(self):
        image = dctload.from_rgb(np.full((160, 160, 3), 120, np.uint8), "4:4:4")
        noisy = T.GaussianNoise(0.02, 0.1)
        a = rgb(noisy(image, rng=np.random.default_rng(0))) - 120
        b = rgb(noisy(image, rng=np.random.default_rng(1))) - 120
        for channel in a:
            assert abs(channel.mean() / 255 - 0.02) < 0.002
            assert abs(channel.std() / 25.5 - 1) < 0.02
            # Of a normal distribution, 68.3 % lie within one deviation.
            assert abs(((channel - 5.1).abs() < 25.5).double().mean() - 0.683) < 0.01
        flat = torch.stack([*a.flatten(1), *b.flatten(1)])
        assert (torch.corrcoef(flat) - torch.eye(6)).abs().max() < 0.03


class TestPlans:
    def test_everything_but_resampling_afterwards_is_native(self):
        compose = T.Compose([T.RandomRotation(9), T.Resize((32, 32))])
        plan = compose.plan()
        assert not plan.native
        assert "resampling after RandomRotation" in compose.explain()
        x = compose(photograph(), rng=np.random.default_rng(0)).to_tensor()
        assert x.shape == (192, 4, 4)

    def test_what_comes_before_a_resampling_is_carried_out_first(self):
        image = photograph(40, 40)
        turned = T.RandomRotation((90, 90))(image)
        got = T.Compose([T.RandomRotation((90, 90)), T.Resize((24, 24))])(image)
        want = T.Resize((24, 24))(turned.dequantized())
        np.testing.assert_allclose(got.planes[0], want.planes[0], atol=1e-3)

    def test_too_many_operations_are_refused(self):
        with pytest.raises(ValueError, match="more than 8 operations"):
            T.Compose([T.RandomEqualize(1.0)] * 9)(photograph())

    @pytest.mark.parametrize(
        "p",
        [
            [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 16],
            [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 16, math.nan],
            [math.inf, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 16, 16],
            [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 16, 24],
        ],
    )
    def test_maps_without_meaning_are_refused(self, p):
        image = T.CenterCrop(16)(photograph())
        geometry = pending(image).with_op(
            Op.WARP, np.array([p], np.float64), np.array([True])
        )
        with pytest.raises(ValueError, match="argument"):
            image._replace(pending=geometry).to_tensor()

    @pytest.mark.parametrize("kind", [-1 % 2**32, len(Op)])
    def test_unknown_operations_are_refused(self, kind):
        image = T.CenterCrop(16)(photograph())
        geometry = pending(image).with_op(kind, params(1, 0), np.array([True]))
        with pytest.raises(ValueError, match="argument"):
            image._replace(pending=geometry).to_tensor()

    @pytest.mark.parametrize("preset", sorted(PRESETS))
    @pytest.mark.parametrize("layout", ["planes", "concat"])
    def test_a_sample_does_not_depend_on_its_batch(self, preset, layout):
        compose = T.Compose(
            [T.CenterCrop(48), T.RandAugment(3, operations=preset), T.RandomErasing()]
        )
        plan = compose.plan(layout)
        assert plan.native
        u = np.random.default_rng(2).random((60, plan.num_draws))
        infos = np.zeros(60, _native.INFO_DTYPE)
        infos["width"], infos["height"] = 120, 88
        together = np.zeros(60, _native.GEOMETRY_DTYPE)
        plan.fill(infos, u, [together], False)
        image = photograph(120, 88)
        for i in range(0, 60, 3):
            alone = np.zeros(1, _native.GEOMETRY_DTYPE)
            plan.fill(infos[i : i + 1], u[i : i + 1], [alone], False)
            results = []
            for record in (alone, together[i : i + 1]):
                tensors = plan.format.empty()
                addresses = [*(t.data_ptr() for t in tensors), 0][:2]
                planes = image.planes
                header = image._header()
                _native.transform(header, planes, record, plan.output, addresses)
                results.append(tensors)
            for a, b in zip(*results, strict=True):
                torch.testing.assert_close(a, b, rtol=0, atol=0)

    @pytest.mark.parametrize("fill", [None, (9, 99, 200)])
    @pytest.mark.parametrize("kind", ["RandAugment", "TrivialAugmentWide"])
    def test_turns_at_once_are_turns_one_after_the_other(self, kind, fill):
        options = {"num_ops": 4} if kind == "RandAugment" else {}
        augment = getattr(T, kind)(fill=fill, interpolation="bilinear", **options)
        rng = np.random.default_rng(4)
        for _ in range(4):
            sizes = rng.integers(1, 300, (2, 150))
            before = Geometry.of_size(*sizes)
            if rng.random() < 0.8:
                before = before.resize(64, 48).hflip(rng.random(150) < 0.5)
            u = rng.random((150, augment.num_draws))
            records = []
            for moved in (augment.apply(before, u), augment.apply_in_turn(before, u)):
                records.append(np.zeros(150, _native.GEOMETRY_DTYPE))
                moved.write(records[-1])
                assert moved.width.tolist() == before.width.tolist()
                assert moved.height.tolist() == before.height.tolist()
            a, b = records
            for name in ("transpose", "num_x", "num_y", "num_ops", "fill"):
                np.testing.assert_array_equal(a[name], b[name])
            for name in ("x", "y"):
                for i, num in enumerate(a[f"num_{name}"]):
                    assert a[name][i, :num].tolist() == b[name][i, :num].tolist()
            np.testing.assert_array_equal(a["ops"]["kind"], b["ops"]["kind"])
            np.testing.assert_allclose(a["ops"]["p"], b["ops"]["p"], atol=1e-9)

    def test_targets_follow_turns_at_once(self):
        boxes = tv_tensors.BoundingBoxes(
            torch.tensor([[3.0, 4.0, 30.0, 24.0]]), format="XYXY", canvas_size=(44, 60)
        )
        mask = tv_tensors.Mask(torch.arange(44 * 60).reshape(1, 44, 60) % 251)
        names = ["ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Solarize"]
        augment = T.RandAugment(4, operations=names)
        rng = np.random.default_rng(8)
        for _ in range(30):
            u = rng.random((1, augment.num_draws))
            before = Geometry.of_size(60, 44)
            got, want = (
                [move(t, moved.log, (44, 60)) for t in (boxes, mask)]
                for moved in (
                    augment.apply(before, u),
                    augment.apply_in_turn(before, u),
                )
            )
            for a, b in zip(got, want, strict=True):
                torch.testing.assert_close(a.data, b.data)

    @pytest.mark.parametrize("name", sorted(OPERATIONS))
    def test_every_operation_is_native_and_finite(self, name):
        augment = T.RandAugment(1, 9, operations=[name])
        compose = T.Compose([T.CenterCrop(48), augment])
        assert compose.plan().native
        for seed in range(3):
            x = compose(photograph(), rng=np.random.default_rng(seed)).to_tensor()
            assert torch.isfinite(x).all()

    def test_reduced_frequencies_are_some_of_all(self):
        parts = [T.CenterCrop(64), T.RandomSolarize(100, 1.0)]
        image = photograph(subsampling="4:2:0")
        whole = T.Compose(parts)(image).to_tensor()
        for name in ("24", "y"):
            some = T.Compose([*parts, T.SelectFrequencies(name)])(image).to_tensor()
            subset = T.SelectFrequencies(name).frequencies
            index = [64 * c + f for c, freqs in enumerate(subset) for f in freqs]
            torch.testing.assert_close(some, whole[index], rtol=0, atol=0)

    def test_planes_of_four_colours_are_refused(self):
        image = dctload.decode(jpeg_bytes(picture(16, 16), mode="CMYK"))
        with pytest.raises(dctload.UnsupportedJPEGError):
            _ = T.RandomEqualize(1.0)(image).planes
