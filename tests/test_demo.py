"""The demo: its data, and the whole of it."""

import json

import numpy as np
import pytest

from dctload.cli import _demo_data, _demo_loading, main
from dctload.cli._demo_data import PHOTOGRAPHS, make_crops, use_folder


@pytest.fixture
def short(monkeypatch):
    """A race that proves nothing but takes no time."""
    monkeypatch.setattr(_demo_loading, "ROUNDS", 1)
    monkeypatch.setattr(_demo_loading, "MIN_ROUND_SECONDS", 0.0)


def test_no_pixel_is_in_training_and_validation(monkeypatch, tmp_path):
    """Pixels that know their column: the two sides must not share one."""
    picture = np.broadcast_to(np.arange(400), (200, 400))
    monkeypatch.setattr(_demo_data, "_photograph", lambda name: picture)
    seen = {"train": [], "validation": []}

    def save(part, num, folder, rng):
        seen[folder.parent.name].append((part.min(), part.max()))

    monkeypatch.setattr(_demo_data, "_save_crops", save)
    make_crops(tmp_path)
    assert max(seen["validation"])[1] < min(seen["train"])[0]
    assert len(seen["train"]) == len(seen["validation"]) == len(PHOTOGRAPHS)


def test_crops_are_photographs_like_a_camera_writes(tmp_path, monkeypatch):
    pytest.importorskip("skimage", reason="the photographs come with scikit-image")
    from dctload import read_info

    monkeypatch.setattr(_demo_data, "PHOTOGRAPHS", {"chelsea": "cat", "brick": "brick"})
    folders = make_crops(tmp_path)
    for folder, num in zip(folders, (_demo_data.NUM_TRAIN, 20), strict=True):
        infos = [read_info(path) for path in (folder / "cat").iterdir()]
        assert len(infos) == num
        assert {info.subsampling for info in infos} == {"4:2:0"}
        assert all(112 <= info.width == info.height <= 240 for info in infos)


def test_a_folder_of_classes_is_split(jpeg_folder, tmp_path):
    for i in range(10):
        for name in ("cat", "dog"):
            (tmp_path / "mine" / name).mkdir(parents=True, exist_ok=True)
            (tmp_path / "mine" / name / f"{i}.jpg").touch()
    folders = use_folder(tmp_path / "mine", tmp_path / "links")
    names = [sorted(p.resolve() for p in folder.rglob("*.jpg")) for folder in folders]
    assert [len(part) for part in names] == [16, 4]
    assert not set(names[0]) & set(names[1])


def test_folders_train_and_val_are_taken_as_they_are(tmp_path):
    for part in ("train", "val"):
        for name in ("cat", "dog"):
            (tmp_path / part / name).mkdir(parents=True)
    folders = use_folder(tmp_path, tmp_path / "links")
    assert folders == (tmp_path / "train", tmp_path / "val")


def test_one_class_is_not_enough(tmp_path, capsys):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.jpg").touch()
    assert main(["demo", "--data", str(tmp_path)]) == 2
    assert "needs two classes or more" in capsys.readouterr().err


def test_demo_runs_on_the_users_files(short, jpeg_folder, tmp_path, capsys):
    import shutil

    for part in ("train", "val"):
        shutil.copytree(jpeg_folder, tmp_path / "my data" / part)
    argv = ["demo", "--data", str(tmp_path / "my data"), "--epochs", "1"]
    argv += ["--out", str(tmp_path / "out"), "--threads", "1", "--json"]
    assert main(argv) == 0
    result = json.loads(capsys.readouterr().out)
    assert 0 <= result["accuracy"] <= 1
    assert result["chance"] == 0.5
    for path in result["pictures"]:
        with open(path, "rb") as file:
            assert file.read(8) == b"\x89PNG\r\n\x1a\n"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_demo_learns(tmp_path, capsys):
    """What `make demo` promises: clearly better than chance in three minutes."""
    assert main(["demo", "--json", "--out", str(tmp_path)]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["accuracy"] > 5 * result["chance"]
    assert result["seconds"] < 180
    assert len(result["pictures"]) == 2
