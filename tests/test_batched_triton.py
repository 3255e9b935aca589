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
    pytest.mark.timeout(120),
]

CHECK = """
import sys
sys.path[:0] = [{tests!r}]
import numpy as np
import torch
from conftest import jpeg_bytes, picture
from test_batched import COMPOSED
import dctload
from dctload import transforms as T
from dctload.transforms import batched

torch.set_num_threads(1)
files = [
    jpeg_bytes(picture(90, 130, 1), subsampling="4:2:0"),
    jpeg_bytes(picture(75, 60, 2), subsampling="4:4:4", keep_rgb=True),
    jpeg_bytes(picture(200, 110, 3), mode="L"),
]
images = dctload.decode_many(files)
for name, layout, dtype, memory_format in {cases!r}:
    plan = T.Compose(COMPOSED[name]).plan(layout, dtype, memory_format)
    uniforms = np.random.default_rng(1).random((len(images), plan.num_draws))
    packed = batched.pack(images, plan, uniforms)
    assert not packed.layout.fills or "padded" in name or name == "shifted"
    for got, want in zip(packed.emit("triton"), packed.emit("torch"), strict=True):
        assert got.dtype == want.dtype
        assert got.stride() == want.stride()
        rtol = 1e-3 if want.dtype == torch.float16 else 0
        atol = 1 if want.dtype == torch.int16 else 1e-3
        torch.testing.assert_close(got, want, rtol=rtol, atol=atol)
print("equal")
"""

CASES = [
    ("crop", "concat", "float32", None),
    ("crop", "planes", "float16", "channels_last"),
    ("bicubic", "planes", "float32", None),  # turned by right angles
    ("lanczos", "concat", "float16", None),  # transposed, not square
    ("box", "concat", "int16", "channels_last"),
    ("colour", "planes", "float32", None),
    ("padded colour", "concat", "float32", None),  # falls back
    ("frequencies", "planes", "float16", None),
]


def test_the_kernels_equal_torchs_products():
    tests = os.path.dirname(__file__)
    code = CHECK.format(tests=tests, cases=CASES)
    env = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "equal\n"), done.stderr
