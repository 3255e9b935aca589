"""Files that are decoded side by side, whichever they are and whenever they begin."""

import os
import subprocess
from pathlib import Path

import corpus
import corpus_bad
import numpy as np
import pytest
from conftest import jpeg_bytes

ROOT = Path(__file__).resolve().parent.parent
# All that a decoder needs; threads are not.
PARTS = ["csrc/*.c", "csrc/jpeg/*.c", "csrc/jpeg/*/*.c", "csrc/dct/*.c"]
PARTS += ["csrc/dct/*/*.c", "tests/lanes.c"]
# Nothing in them differs but their sizes, so that their lanes go in step.
FLAT = [
    jpeg_bytes(np.full((64, width), level, np.uint8))
    for width, level in [(512, 100), (512, 128), (496, 100), (8, 0)]
]


@pytest.fixture(scope="module")
def lanes(tmp_path_factory):
    """The program of tests/lanes.c; unoptimised, for it is compiled each time."""
    program = tmp_path_factory.mktemp("lanes") / "lanes"
    compiler = os.environ.get("CC", "cc").split()
    command = [*compiler, "-std=gnu11", "-O0", f"-I{ROOT / 'csrc'}", "-o", program]
    command += sorted(path for part in PARTS for path in ROOT.glob(part))
    try:
        done = subprocess.run(
            [*command, "-lm", "-pthread", "-Wl,--wrap=plan_rows"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        pytest.skip(f"no C compiler: {error}")
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.parametrize("cpu", ["", "avx512", "avx512,avx2,bmi2,neon"])
@pytest.mark.timeout(60)
def test_a_file_comes_out_the_same_whatever_is_open_beside_it(cpu, lanes, tmp_path):
    """Good and bad ones, begun in bursts and trickles; flat ones end runs together."""
    bad = [corpus_bad.seeds()[name] for name in sorted(corpus_bad.seeds())[::16]]
    paths = []
    for i, data in enumerate([*FLAT, *corpus.good().values(), *bad[:60]]):
        paths.append(tmp_path / f"{i}.jpg")
        paths[-1].write_bytes(data)
    env = {**os.environ, "DCTLOAD_DISABLE_CPU": cpu}
    done = subprocess.run(
        [lanes, *paths], capture_output=True, text=True, env=env, check=False
    )
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
