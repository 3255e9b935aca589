"""The tests that work the C core hardest, once more under AddressSanitizer and UBSan.

The core is compiled for that in a copy of the checkout, and loaded into Python with the
sanitizers' libraries before everything else. Values are compared as always; what comes
on top is that nothing outside of what was asked for is read or written on the way.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
PARTS = ["csrc", "dctload", "tests", "setup.py", "pyproject.toml", "README.md"]
TESTS = [
    "test_decode_bad",
    "test_decode_many",
    "test_decode_region",
    "test_emit",
    "test_encode",
    "test_header_cache",
    "test_pixels",
    "test_pixels_tiles",
    "test_recipe",
    "test_refinement_cut",
    "test_samples",
    "test_segments",
    "test_threads",
]


def libraries() -> list[str]:
    """The sanitizers' libraries as the compiler has them; those it lacks left out."""
    compiler = os.environ.get("CC", "cc").split()
    if shutil.which(compiler[0]) is None:
        return []
    found = []
    for name in ("libasan.so", "libubsan.so"):
        command = [*compiler, f"-print-file-name={name}"]
        path = subprocess.check_output(command, text=True).strip()
        if os.path.isabs(path):
            found.append(path)
    return found


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """A copy of the checkout, its core compiled with both sanitizers."""
    if len(libraries()) != 2:
        pytest.skip("the compiler has no AddressSanitizer (install libasan)")
    folder = tmp_path_factory.mktemp("sanitized")
    compiled = shutil.ignore_patterns("*.so", "__pycache__", "_core.c")
    for part in PARTS:
        source = CHECKOUT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=compiled)
        else:
            shutil.copy(source, folder)
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    env = os.environ | {"DCTLOAD_SANITIZE": "address,undefined"}
    subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
    return folder


def run_python(copy: Path, *arguments: str) -> subprocess.CompletedProcess:
    env = os.environ | {
        "LD_PRELOAD": " ".join(libraries()),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python's own
        "PYTHONPATH": str(copy),
    }
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=copy, env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", TESTS)
def test_passes_under_sanitizers(name, copy):
    options = ["-q", "-p", "no:cacheprovider", "--timeout", "600"]
    done = run_python(copy, "-m", "pytest", *options, f"tests/{name}.py")
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert " passed" in done.stdout


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_access_out_of_bounds_would_be_seen(copy):
    """Else the tests above could not fail."""
    script = [
        "from dctload import _core",
        "batch = _core.lib.dctload_alloc_batch(1)",
        "_core.lib.dctload_set_out(batch, 2, 0, _core.ffi.NULL, 0)",
    ]
    done = run_python(copy, "-c", "\n".join(script))
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr
