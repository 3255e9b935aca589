"""What a thread more costs in memory, of a process that loads."""

import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import picture
from PIL import Image

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def memory(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import loader_memory

    yield loader_memory
    del sys.modules["loader_memory"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak")
@pytest.mark.timeout(240)
@pytest.mark.parametrize("progressive", [False, True])
def test_a_thread_more_takes_megabytes(memory, tmp_path, progressive):
    """Sixteen images of half a megapixel that it has open are 24 MB of coefficients."""
    rng = np.random.default_rng(1)
    paths = []
    for i in range(40):
        noise = rng.normal(0, 12, (600, 800, 3))
        pixels = (picture(800, 600, seed=i) + noise).clip(0, 255).astype(np.uint8)
        path = tmp_path / f"{i}.jpg"
        Image.fromarray(pixels).save(path, quality=88, progressive=progressive)
        paths.append(str(path))
    found = {n: memory.in_a_process(paths, n, 1500) for n in (1, 8)}
    one, eight = found[1], found[8]
    assert one["slots"] == eight["slots"]
    assert eight["beyond"] - one["beyond"] < 7 * 10e6
    process = one["before"] + one["beyond"]
    assert eight["before"] + eight["beyond"] < 1.3 * process
