"""Every CPU variant of the decoder, each in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What DCTLOAD_DISABLE_CPU is set to: less and less is left.
DISABLE = ["", "avx512", "avx512,pdep", "avx512,avx2", "avx512,avx2,bmi2,fma,f16c,neon"]


def name_of(disable: str) -> str:
    """Name a variant for a test's id."""
    return f"without-{disable.replace(',', '-')}" if disable else "all-features"


def digests(
    files: Iterable[tuple[str, Path]], disable: str, folder: Path
) -> dict[str, dict[str, str]]:
    """Decode files singly and in batches; returns way -> name -> digest."""
    listed = [(name, str(path)) for name, path in files]
    listing = folder / "files.json"
    listing.write_text(json.dumps(listed))
    environment = {**os.environ, "DCTLOAD_DISABLE_CPU": disable}
    path = os.pathsep.join([str(HERE), str(HERE.parent), *sys.path[1:]])
    done = subprocess.run(
        [sys.executable, str(HERE / "decode_worker.py"), str(listing)],
        env={**environment, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout)
    gone = set(disable.split(",")) if disable else set()
    assert gone.isdisjoint(answer["features"].split())
    return answer["ways"]


def write_files(files: dict[str, bytes], folder: Path) -> list[tuple[str, Path]]:
    """Write a corpus out; returns (name, path) of each."""
    out = []
    for name, data in files.items():
        path = folder / f"{name}.jpg"
        path.write_bytes(data)
        out.append((name, path))
    return out
