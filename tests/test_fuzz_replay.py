"""The fuzz targets on the stored corpus, compiled with whatever compiler is here."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import corpus_bad
import oracle
import pytest

RUN = Path(__file__).parent / "fuzz" / "run.py"
TARGETS = ["decode", "header", "region", "lanes", "variants", "roundtrip", "sample"]
TARGETS += ["libjpeg"]
AARCH64 = ["aarch64-linux-gnu-gcc", "qemu-aarch64"]


def sanitizers_work(folder: Path) -> bool:
    """Whether the compiler can link AddressSanitizer and UBSan."""
    (folder / "try.c").write_text("int main(void) { return 0; }\n")
    command = [os.environ.get("CC", "cc"), "-fsanitize=address,undefined"]
    command += [str(folder / "try.c"), "-o", str(folder / "try")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sanitizers")
    if shutil.which(os.environ.get("CC", "cc").split()[0]) is None:
        pytest.skip("no C compiler")
    if not sanitizers_work(path):
        pytest.skip("the compiler has no AddressSanitizer (install libasan)")
    return path


@pytest.fixture(scope="module")
def commands(folder) -> dict[str, list[str]]:
    """What runs each target on the corpus; the core is compiled once for all."""
    sys.path.insert(0, str(RUN.parent))
    import run

    missing = run.NEEDS_ORACLE if oracle.why_missing() else set()
    return run.replay_commands([name for name in TARGETS if name not in missing])


@pytest.mark.timeout(600)
@pytest.mark.parametrize("target", TARGETS)
def test_corpus_passes_under_asan_and_ubsan(target, commands):
    """Input and output lie against guard pages; every property of the target holds."""
    if target not in commands:
        pytest.skip(oracle.why_missing())
    expect_success(commands[target])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_corpus_passes_on_aarch64():
    """Cross-compiled and emulated: every target but the comparison with libjpeg.

    Among them are those that compare NEON with portable code.
    """
    missing = [tool for tool in AARCH64 if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    expect_success([sys.executable, str(RUN), "replay", "--arch", "aarch64"])


def expect_success(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert f"{len(corpus_bad.seeds())} files" in done.stdout
