"""Every script in examples/ runs, and says what it should."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import jpeg_bytes, picture

from dctload.cli import main

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"

# Script: arguments, and words of what it prints.
RUNS = {
    "energy.py": (["photos"], "24 files,"),
    "resume.py": (["photos/train"], "the other 2 batches are the same"),
    "serve.py": (
        ["-", "photos/val/cat/0.jpg", "broken.jpg"],
        "broken.jpg: <bytes 1>: ",
    ),
    "train_classifier.py": (
        ["photos/train", "photos/val", "--epochs=1", "--batch-size=4", "--threads=1"],
        "epoch 1: loss ",
    ),
    "train_timm.py": (
        [
            *("photos/train", "photos/val", "--model=test_resnet", "--size=8"),
            *("--epochs=1", "--batch-size=4", "--workers=1"),
        ],
        "epoch 0: loss ",
    ),
}
# Packages that a script needs besides dctload's own.
NEEDS = {"train_timm.py": "timm"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("examples")
    for part, num in (("train", 8), ("val", 4)):
        for name in ("cat", "dog"):
            (root / "photos" / part / name).mkdir(parents=True)
            for i in range(num):
                data = jpeg_bytes(picture(120 + i, 96, seed=i + num))
                (root / "photos" / part / name / f"{i}.jpg").write_bytes(data)
    (root / "broken.jpg").write_bytes(data[:1000])
    return root


def test_every_example_is_run_here():
    assert {path.name for path in EXAMPLES.glob("*.py")} == RUNS.keys()


def run(script, arguments, folder):
    """What the script prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / script), *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", RUNS)
def test_example(script, folder):
    if script in NEEDS:
        pytest.importorskip(NEEDS[script])
    arguments, expected = RUNS[script]
    assert expected in run(script, arguments, folder)


def test_a_network_that_was_trained_is_served(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    train = ["train", "photos", "--epochs=1", "--batch-size=4", "--device=cpu"]
    assert main([*train, "--model=small_resnet", f"--output={tmp_path}"]) == 0
    cat = "photos/val/cat/0.jpg"
    shown = run("serve.py", [str(tmp_path / "best.pt"), cat], folder)
    assert shown in (f"{cat}: cat\n", f"{cat}: dog\n")
