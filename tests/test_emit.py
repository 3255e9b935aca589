"""The C core's geometry and emission against float64 arithmetic on samples."""

import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import YCC_FROM_RGB, Geometry, Step

from dctload import _native

SAMPLINGS = {
    "grey": [(1, 1)],
    "444": [(1, 1)] * 3,
    "420": [(2, 2), (1, 1), (1, 1)],
    "422": [(2, 1), (1, 1), (1, 1)],
    "440": [(1, 2), (1, 1), (1, 1)],
    "411": [(4, 1), (1, 1), (1, 1)],
    "odd": [(3, 2), (1, 2), (3, 1)],
    "chroma finer than luma": [(1, 1), (2, 2), (1, 2)],
}
GRAY, YCBCR, RGB, CMYK = 1, 2, 3, 4
DTYPES = {
    "float32": np.float32,
    "float16": np.float16,
    "bfloat16": np.uint16,
    "int16": np.int16,
    "int8": np.int8,
}
ALL = (tuple(range(64)),) * 3


class Picture:
    """Coefficients that no file had to give: sparse, as files' are."""

    def __init__(self, rng, width, height, sampling, color=None):
        self.size = width, height
        self.header = np.zeros(1, _native.INFO_DTYPE)
        record = self.header[0]
        record["num_components"] = len(sampling)
        record["color"] = color or (GRAY if len(sampling) == 1 else YCBCR)
        record["h_max"] = max(h for h, _ in sampling)
        record["v_max"] = max(v for _, v in sampling)
        for part, (h, v) in zip(record["components"], sampling, strict=False):
            part["h"], part["v"] = h, v
        self.header = _native.resized_header(self.header, width, height, False)
        self.header["qtables"] = rng.integers(1, 20, (4, 64))
        self.planes = [self._plane(rng, c) for c in range(len(sampling))]

    def _plane(self, rng, c):
        part = self.header[0]["components"][c]
        shape = int(part["blocks_h"]), int(part["blocks_w"]), 8, 8
        v, u = np.mgrid[:8, :8]
        values = rng.laplace(0, 18, shape) / (1 + u + v)
        values *= (u + v) <= rng.integers(-1, 15, (*shape[:2], 1, 1))
        return np.rint(values).astype(np.int16)

    def amplitudes(self, c):
        table = self.header[0]["qtables"][c].reshape(8, 8)
        return self.planes[c] * table.astype(np.float64)

    def sampling(self, c):
        part, record = self.header[0]["components"][c], self.header[0]
        return (
            Fraction(int(part["h"]), int(record["h_max"])),
            Fraction(int(part["v"]), int(record["v_max"])),
        )

    def expected(self, c, geometry, ratio_out=None):
        args = self.amplitudes(c), self.size, self.sampling(c), geometry, ratio_out
        return reference.resample(*args)

    def expected_ycc(self, c, geometry, ratio, color=YCBCR):
        """Component ``c`` of Y, Cb, Cr at ``ratio`` of luma's resolution."""
        width, height = reference.out_sizes(self.size, geometry)
        total = np.zeros((int(height * ratio / 8), int(width * ratio / 8), 8, 8))
        for k in range(len(self.planes)):
            weight = YCC_FROM_RGB[c, k] if color == RGB else float(c == k)
            if weight:
                total += weight * self.expected(k, geometry, (ratio, ratio))
        return total


def records(geometry):
    """``struct dctload_geometry`` of the reference's."""
    view = _native.new_geometry(1)
    view["transpose"] = geometry.transpose
    for name in "xy":
        steps = getattr(geometry, name)
        view["num_" + name] = len(steps)
        for k, step in enumerate(steps):
            for field, value in vars(step).items():
                view[0][name][k][field] = value
    return view


def resample(picture, geometry):
    size = reference.out_sizes(picture.size, geometry)
    return _native.resample(picture.header, picture.planes, records(geometry), *size)


def transform(
    picture, view, size, layout, dtype="float32", freqs=ALL, last=False, **vectors
):
    output = _native.make_output(*size, layout, dtype, last, freqs, **vectors)
    kind = DTYPES[dtype]
    nbytes = _native.output_nbytes(output)
    outs = [np.full(n // np.dtype(kind).itemsize, 77, kind) for n in nbytes]
    addresses = [out.ctypes.data for out in outs]
    _native.transform(picture.header, picture.planes, view, output, addresses)
    n = [len(f) for f in freqs]
    channels = [sum(n)] if layout == "concat" else [n[0], n[1] + n[2]]
    for k, count in enumerate(channels):
        rows, columns = size[1] // (8 << k), size[0] // (8 << k)
        if last:
            outs[k] = outs[k].reshape(rows, columns, count).transpose(2, 0, 1)
        else:
            outs[k] = outs[k].reshape(count, rows, columns)
    if dtype == "bfloat16":
        outs = [(out.astype(np.uint32) << 16).view(np.float32) for out in outs]
    return outs[: len(channels)]


@st.composite
def steps(draw, size, final=None):
    """One step: a crop, a resize, a shift past the edges, or anything; mirrored."""
    kind = draw(st.sampled_from(["crop", "resize", "pad", "any"]))
    out = final or draw(st.integers(1, 80))
    lo = draw(st.floats(0, size - 0.5))
    hi = draw(st.floats(lo + 0.5, size + 2))
    if kind in ("crop", "pad"):
        lo, hi = float(int(lo)), float(np.ceil(hi))
    step = 1.0 if kind in ("crop", "pad") else (hi - lo) / out
    start = lo - draw(st.integers(0, 9)) if kind == "pad" else lo
    if draw(st.booleans()):
        start, step = start + step * out, -step
    return Step(lo, hi, start, step, out, draw(st.integers(0, 3)))


@st.composite
def geometries(draw, size, final=None):
    transpose = draw(st.booleans())
    axes = []
    for axis, length in enumerate(size[::-1] if transpose else size):
        last = final and final[axis]
        count = draw(st.integers(1 if final else 0, 3))
        chain = []
        for k in range(count):
            chain.append(draw(steps(length, last if k == count - 1 else None)))
            length = chain[-1].out_size
        axes.append(chain)
    return Geometry(*axes, transpose)


@st.composite
def pictures(draw, color=None):
    names = ["444", "odd"] if color == RGB else list(SAMPLINGS)
    sampling = SAMPLINGS[draw(st.sampled_from(names))]
    width, height = draw(st.integers(1, 300)), draw(st.integers(1, 300))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return Picture(rng, width, height, sampling, color)


thorough = settings(
    max_examples=int(os.environ.get("DCTLOAD_EXAMPLES", "40")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestResample:
    @thorough
    @given(st.data())
    def test_it_equals_resampling_samples(self, data):
        picture = data.draw(pictures())
        geometry = data.draw(geometries(picture.size))
        got = resample(picture, geometry)
        for c, plane in enumerate(got):
            want = picture.expected(c, geometry)
            np.testing.assert_allclose(plane, want, rtol=0, atol=1e-3)

    def test_both_forms_of_the_reference_agree(self):
        picture = Picture(np.random.default_rng(0), 93, 71, SAMPLINGS["420"])
        step = Step(3, 90, 88.5, -1.2, 61, reference.BICUBIC)
        geometry = Geometry([step], [Step(0, 71, 0, 2, 35)], True)
        for c in range(3):
            args = picture.amplitudes(c), picture.size, picture.sampling(c), geometry
            np.testing.assert_allclose(
                reference.resample(*args),
                reference.resample_operators(*args),
                atol=1e-9,
            )

    def test_nothing_to_do_keeps_every_whole_block_exactly(self):
        picture = Picture(np.random.default_rng(1), 96, 64, SAMPLINGS["420"])
        for c, plane in enumerate(resample(picture, Geometry())):
            np.testing.assert_array_equal(plane, picture.amplitudes(c))

    @pytest.mark.parametrize("name", sorted(SAMPLINGS))
    @pytest.mark.parametrize("transpose", [False, True])
    def test_flips_of_whole_blocks_are_exact(self, name, transpose):
        picture = Picture(np.random.default_rng(2), 96, 192, SAMPLINGS[name])
        w, h = (192, 96) if transpose else (96, 192)
        flip = Geometry([Step(0, w, w, -1, w)], [Step(0, h, h, -1, h)], transpose)
        sign = np.where(np.add.outer(np.arange(8), np.arange(8)) % 2, -1, 1)
        for c, plane in enumerate(resample(picture, flip)):
            want = picture.amplitudes(c)
            if transpose:
                want = want.transpose(1, 0, 3, 2)
            np.testing.assert_array_equal(plane, want[::-1, ::-1] * sign)

    def test_a_crop_at_whole_blocks_is_exact(self):
        picture = Picture(np.random.default_rng(3), 96, 64, SAMPLINGS["444"])
        crop = Geometry([Step(16, 56, 16, 1, 40)], [Step(8, 64, 8, 1, 56)])
        for c, plane in enumerate(resample(picture, crop)):
            np.testing.assert_array_equal(plane, picture.amplitudes(c)[1:8, 2:7])

    def test_encoder_padding_past_the_edge_has_no_influence(self):
        picture = Picture(np.random.default_rng(4), 61, 45, SAMPLINGS["444"])
        geometry = Geometry([Step(0, 61, 0, 0.7, 80)], [Step(0, 45, 0, 0.7, 60)])
        before = resample(picture, geometry)
        samples = reference.to_samples(picture.amplitudes(0))
        samples[:, 61:] += 50
        samples[45:] -= 30
        changed = reference.to_blocks(samples)
        picture.header["qtables"][0, 0] = 1
        picture.planes[0] = np.ascontiguousarray(np.rint(changed), np.int16)
        rounded = reference.to_samples(picture.planes[0])[:45, :61]
        kept = reference.to_samples(changed)[:45, :61]
        after = resample(picture, geometry)
        # Only the rounding above is seen.
        assert np.abs(after[0] - before[0]).max() <= 8 * np.abs(rounded - kept).max()

    def test_a_comparison_with_pillow(self):
        from PIL import Image

        picture = Picture(np.random.default_rng(5), 125, 101, SAMPLINGS["444"])
        filters = {
            reference.BOX: Image.Resampling.BOX,
            reference.BILINEAR: Image.Resampling.BILINEAR,
            reference.BICUBIC: Image.Resampling.BICUBIC,
            reference.LANCZOS: Image.Resampling.LANCZOS,
        }
        samples = reference.to_samples(picture.amplitudes(0))[:101, :125]
        # A crop that is cut off at its edges, as torchvision's.
        crop = np.ascontiguousarray(samples[9:99, 20:113], np.float32)
        for size in ((48, 64), (160, 128)):
            for kind, theirs in filters.items():
                image = Image.fromarray(crop).resize(size, theirs)
                want = reference.to_blocks(np.asarray(image, np.float64))
                x = Step(20, 113, 20, 93 / size[0], size[0], kind)
                y = Step(9, 99, 9, 90 / size[1], size[1], kind)
                got = resample(picture, Geometry([x], [y]))[0]
                np.testing.assert_allclose(got, want, atol=2e-2)

    @pytest.mark.parametrize(
        "step",
        [
            Step(0, 8, 0, 0, 8),
            Step(0, 8, 0, float("nan"), 8),
            Step(0, float("inf"), 0, 1, 8),
            Step(0, 8, 0, 1, 0),
            Step(0, 8, 0, 1, 8, 4),
        ],
    )
    def test_steps_without_meaning_are_refused(self, step):
        picture = Picture(np.random.default_rng(6), 16, 16, SAMPLINGS["444"])
        with pytest.raises(ValueError, match=r"BAD|argument|invalid"):
            _native.resample(
                picture.header, picture.planes, records(Geometry([step])), 8, 16
            )


class TestTransform:
    @thorough
    @given(st.data())
    def test_it_equals_resampling_selecting_and_scaling(self, data):
        color = data.draw(st.sampled_from([None, RGB]))
        picture = data.draw(pictures(color))
        size = tuple(16 * n for n in data.draw(st.tuples(*[st.integers(1, 8)] * 2)))
        geometry = data.draw(geometries(picture.size, size))
        rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
        freqs = data.draw(
            st.sampled_from(
                [ALL, ((0, 1, 8, 9), (0,), (0,)), (tuple(range(0, 64, 3)), (5, 9), ())]
            )
        )
        scale = rng.uniform(0.01, 0.1, (3, 64)).astype(np.float32)
        offset = rng.uniform(-1, 1, (3, 64)).astype(np.float32)
        layout = data.draw(st.sampled_from(["planes", "concat"]))
        dtype = data.draw(st.sampled_from(list(DTYPES)))
        last = data.draw(st.booleans())
        got = transform(
            picture,
            records(geometry),
            size,
            layout,
            dtype,
            freqs,
            last,
            scale=scale,
            offset=offset,
        )
        parts = []
        for c in range(3):
            ratio = Fraction(1, 2 if layout == "planes" and c else 1)
            ycc = picture.expected_ycc(c, geometry, ratio, color or YCBCR)
            chosen = ycc.reshape(*ycc.shape[:2], 64)[..., list(freqs[c])]
            n = len(freqs[c])
            parts.append(chosen * scale[c, :n].astype(float) + offset[c, :n])
        if layout == "planes":
            parts = [parts[0], np.concatenate(parts[1:], -1)]
        else:
            parts = [np.concatenate(parts, -1)]
        for out, part in zip(got, parts, strict=True):
            want = part.transpose(2, 0, 1)
            tolerance = {
                "float32": 1e-3,
                "float16": 1e-3 * np.abs(want) + 1e-3,
                "bfloat16": 8e-3 * np.abs(want) + 1e-3,
                "int16": 0.501,
                "int8": 0.501,
            }[dtype]
            if dtype in ("int16", "int8"):
                limits = np.iinfo(DTYPES[dtype])
                want = want.clip(limits.min, limits.max)
            assert (np.abs(out - want) <= tolerance).all()

    def test_grey_has_no_chroma(self):
        picture = Picture(np.random.default_rng(7), 48, 48, SAMPLINGS["grey"])
        offset = np.full((3, 64), 0.25, np.float32)
        got = transform(picture, records(Geometry()), (48, 48), "planes", offset=offset)
        assert (got[1] == 0.25).all()

    def test_four_colours_are_refused(self):
        picture = Picture(np.random.default_rng(8), 16, 16, [(1, 1)] * 4, CMYK)
        with pytest.raises(Exception, match="colours"):
            transform(picture, records(Geometry()), (16, 16), "concat")

    def test_every_call_gives_the_same_bits(self):
        picture = Picture(np.random.default_rng(9), 133, 97, SAMPLINGS["420"])
        view = records(Geometry([Step(3, 99, 99, -1.5, 64)], [Step(1, 90, 1, 1.1, 80)]))
        first = transform(picture, view, (64, 80), "concat")[0]
        other = Picture(np.random.default_rng(10), 300, 20, SAMPLINGS["444"])
        for _ in range(3):
            resample(other, Geometry([Step(0, 300, 0, 9, 32)]))
            again = transform(picture, view, (64, 80), "concat")[0]
            np.testing.assert_array_equal(again, first)

    def test_what_lies_outside_is_filled(self):
        picture = Picture(np.random.default_rng(11), 30, 30, SAMPLINGS["420"])
        x, y = Step(0, 30, -10, 1, 48), Step(0, 30, -5, 1, 64)
        view = records(Geometry([x], [y]))
        view["fill"][0, :3] = -128, 20, 30
        for c, out in enumerate(
            transform(picture, view, (48, 64), "concat")[0].reshape(3, 64, 8, 6)
        ):
            samples = reference.to_samples(out.transpose(1, 2, 0).reshape(8, 6, 8, 8))
            level = (-128, 20, 30)[c]
            np.testing.assert_allclose(samples[:4, :], level, atol=1e-3)
            np.testing.assert_allclose(samples[37:, :], level, atol=1e-3)
            np.testing.assert_allclose(samples[:, :9], level, atol=1e-3)

    @pytest.mark.parametrize("sampling", ["444", "420", "odd"])
    @pytest.mark.parametrize("color", [YCBCR, RGB])
    def test_colour_is_an_affine_map_with_gains(self, sampling, color):
        rng = np.random.default_rng(12)
        picture = Picture(rng, 70, 50, SAMPLINGS[sampling], color)
        geometry = Geometry([Step(0, 70, 0, 1.4, 48)], [Step(0, 50, 0, 1, 48)])
        view = records(geometry)
        plain = transform(picture, view, (48, 48), "concat")[0].reshape(3, 64, 6, 6)
        view["use_color"] = 1
        color_map = view["color"][0]
        color_map["y_offset"], color_map["y_mean"] = 7, 0.3
        color_map["chroma"] = [[0.8, -0.5], [0.4, 1.1]]
        color_map["chroma_offset"] = 3, -2
        color_map["gain"] = rng.uniform(0.5, 1.5, (2, 64))
        got = transform(picture, view, (48, 48), "concat")[0].reshape(3, 64, 6, 6)
        gain = color_map["gain"][:, :, None, None].astype(np.float64)
        want = np.empty((3, 64, 6, 6))
        want[0] = plain[0] * gain[0]
        want[0, 0] += 8 * 7 + 0.3 * plain[0, 0].mean()
        for k in range(2):
            a, b = color_map["chroma"][k]
            want[1 + k] = (a * plain[1] + b * plain[2]) * gain[1]
            want[1 + k, 0] += 8 * color_map["chroma_offset"][k]
        np.testing.assert_allclose(got, want, atol=2e-3)


_VARIANT = """
import sys
import numpy as np
sys.path[:0] = [{tests!r}]
import test_emit as t
from reference import Geometry, Step

out = []
for n, name in enumerate(sorted(t.SAMPLINGS)):
    rng = np.random.default_rng(n)
    picture = t.Picture(rng, 187, 143, t.SAMPLINGS[name])
    x = Step(20, 170, 170, -150 / 112, 112)
    view = t.records(Geometry([x], [Step(3, 140, 3, 137 / 112, 112)]))
    for layout in ("planes", "concat"):
        for dtype in ("float32", "float16"):
            for last in (False, True):
                for freqs in (t.ALL, ((0, 1, 8, 9), (0, 1, 2), (0, 8))):
                    out += t.transform(
                        picture, view, (112, 112), layout, dtype, freqs, last
                    )
np.savez(sys.argv[1], *out)
"""


def test_cpu_variants_agree(tmp_path):
    tests = os.path.dirname(__file__)
    results = []
    for k, disabled in enumerate(
        ["", "avx512", "avx512,f16c", "avx512,f16c,fma,avx2,neon"]
    ):
        path = tmp_path / f"{k}.npz"
        env = {**os.environ, "DCTLOAD_DISABLE_CPU": disabled}
        code = _VARIANT.format(tests=tests)
        subprocess.run([sys.executable, "-c", code, path], env=env, check=True)
        with np.load(path) as file:
            results.append([file[name] for name in file.files])
    for other in results[:-1]:
        for a, b in zip(other, results[-1], strict=True):
            if a.dtype == np.float16:
                np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-3)
            else:
                np.testing.assert_allclose(a, b, rtol=0, atol=1e-3)
