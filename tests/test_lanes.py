"""Images that come and go while others are being decoded beside them."""

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import jpeg_bytes, picture
from variants import DISABLE, name_of

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """tests/lanes.c with the C core."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    path = tmp_path_factory.mktemp("lanes") / "lanes"
    sources = sorted(str(p) for p in (ROOT / "csrc").rglob("*.c"))
    flags = ["-std=gnu11", "-O1", "-w", f"-I{ROOT / 'csrc'}", "-o", str(path)]
    libraries = ["-lm", "-pthread"]
    command = [compiler, *flags, str(ROOT / "tests" / "lanes.c"), *sources, *libraries]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="module")
def files(jpeg_samples, tmp_path_factory):
    """Small images, whose blocks end often, and odd ones among them."""
    folder = tmp_path_factory.mktemp("files")
    rng = random.Random(1)
    data = [
        jpeg_bytes(
            picture(rng.randrange(8, 90), rng.randrange(8, 90), seed),
            quality=rng.choice([50, 75, 90]),
            subsampling=rng.choice([0, 1, 2]),
        )
        for seed in range(60)
    ]
    data += jpeg_samples.values()
    paths = []
    for i, one in enumerate(data):
        path = folder / f"{i}.jpg"
        path.write_bytes(one)
        paths.append(str(path))
    return paths


@pytest.mark.timeout(300)
@pytest.mark.parametrize("disable", DISABLE, ids=name_of)
def test_an_image_is_decoded_as_if_it_were_alone(program, files, disable):
    """A lane that was done when vectors took over once read on, and was wrong."""
    done = subprocess.run(
        [program, "300", *files],
        env={**os.environ, "DCTLOAD_DISABLE_CPU": disable},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
