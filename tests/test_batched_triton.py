"""The Triton kernels, run by its interpreter on the CPU, against torch's products."""

import importlib.util
import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("triton") is None, reason="needs Triton"
    ),
    pytest.mark.timeout(240),
]

CHECK = """
import sys
sys.path[:0] = [{tests!r}]
import numpy as np
import torch
from conftest import jpeg_bytes, picture
import dctload
from dctload import transforms as T
from dctload.transforms import batched

torch.set_num_threads(1)
files = [
    jpeg_bytes(picture(32, 37, 1), subsampling="4:2:0"),
    jpeg_bytes(picture(25, 40, 2), subsampling="4:4:4", keep_rgb=True),
    jpeg_bytes(picture(50, 19, 3), mode="L"),
]
images = dctload.decode_many(files)
turned = [T.RandomResizedCrop(16, interpolation="bicubic"), T.RandomRotation90()]
# One axis of the first is as long as it becomes: that one is not resampled.
mixed = [T.Resize((16, 32), interpolation="lanczos")]
box = [T.Resize((32, 16), interpolation="box"), T.Transpose()]
colour = [T.RandomResizedCrop(16), T.ColorJitter(0.4, 0.4), T.SelectFrequencies("24")]
for parts, layout, dtype, memory_format in [
    (turned, "concat", "float32", None),
    (mixed, "planes", "float16", "channels_last"),
    (box, "concat", "int16", None),
    (colour, "planes", "float32", None),
]:
    plan = T.Compose(parts).plan(layout, dtype, memory_format)
    uniforms = np.random.default_rng(1).random((len(images), plan.num_draws))
    packed = batched.pack(images, plan, uniforms)
    assert packed.layout.max_steps == 1 and not packed.layout.fills
    for got, want in zip(packed.emit("triton"), packed.emit("torch"), strict=True):
        assert got.dtype == want.dtype
        assert got.stride() == want.stride()
        rtol = 1e-3 if want.dtype == torch.float16 else 0
        atol = 1 if want.dtype == torch.int16 else 1e-3
        torch.testing.assert_close(got, want, rtol=rtol, atol=atol)
print("equal")
"""


def test_the_kernels_equal_torchs_products():
    tests = os.path.dirname(__file__)
    code = CHECK.format(tests=tests)
    env = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "equal\n"), done.stderr
