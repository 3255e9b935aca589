"""``dctload train``: a folder of files in, weights and a report out."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from dctload import DataLoader, ImageFolder, from_rgb
from dctload.cli import main
from dctload.models import create_model, transforms_for
from dctload.training import Settings, Trainer, load_checkpoint

CLASSES = ("lying", "standing")
QUICK = ["--epochs", "1", "--batch-size", "8", "--precision", "float32", "--json"]


def write_images(folder, num, seed, size=(40, 32)):
    """Stripes along one axis or the other, with noise, as JPEG files."""
    rng = np.random.default_rng(seed)
    for k, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for i in range(num):
            phase, period = rng.uniform(0, 7), rng.uniform(4, 9)
            along = np.arange(size[k])[:, None] if k == 0 else np.arange(size[1])
            wave = np.sin(2 * np.pi * (along + phase) / period) * 90
            image = np.broadcast_to(128 + wave, (size[0], size[1]))[..., None]
            image = image + rng.normal(0, 10, (*size, 3))
            pixels = np.clip(image, 0, 255).astype(np.uint8)
            from_rgb(pixels).save(folder / name / f"{i}.jpg")


@pytest.fixture(scope="module")
def stripes(tmp_path_factory):
    root = tmp_path_factory.mktemp("stripes")
    write_images(root / "train", 20, seed=0)
    write_images(root / "validation", 6, seed=1)
    write_images(root / "test", 5, seed=2)
    return root


def report(capsys):
    return json.loads(capsys.readouterr().out)


def test_training_a_folder_learns_and_reports(stripes, tmp_path, capsys):
    args = [*QUICK, "--output", str(tmp_path), "--epochs", "8", "--lr", "0.05"]
    assert main(["train", str(stripes), *args]) == 0
    result = report(capsys)
    assert result["classes"] == list(CLASSES)
    assert result["model"] == "small_resnet"
    assert len(result["epochs"]) == 8
    assert result["epochs"][-1]["train"]["loss"] < result["epochs"][0]["train"]["loss"]
    assert result["best"]["val"]["top1"] >= 0.9
    assert 0 <= result["test"]["top1"] <= 1
    model = create_model("small_resnet", 2, pretrained=tmp_path / "best.pt")
    meta = load_checkpoint(tmp_path / "last.pt")["meta"]
    assert (meta["classes"], meta["size"]) == (list(CLASSES), 32)
    assert [len(part) for part in meta["frequencies"]] == [64, 64, 64]
    assert isinstance(model, torch.nn.Module)


def test_same_seed_gives_the_same_weights(stripes, tmp_path, capsys):
    losses = []
    for seed in ("5", "5", "6"):
        args = [*QUICK, "--output", str(tmp_path / seed), "--seed", seed]
        assert main(["train", str(stripes), *args]) == 0
        losses.append(report(capsys)["epochs"][0]["train"]["loss"])
    assert losses[0] == losses[1] != losses[2]


def test_resumed_run_equals_one_that_was_not_stopped(stripes, tmp_path, capsys):
    def run(name, *more):
        args = [*QUICK, "--output", str(tmp_path / name), *more]
        assert main(["train", str(stripes), *args]) == 0
        return report(capsys)["epochs"]

    whole = run("whole", "--epochs", "3")
    run("stopped", "--epochs", "3", "--stop-after", "1")
    resumed = run("stopped", "--epochs", "3", "--resume")
    assert [e["train"] for e in resumed] == [e["train"] for e in whole]
    assert [e["val"] for e in resumed] == [e["val"] for e in whole]


def test_photographs_get_the_network_for_cpus(tmp_path, capsys):
    write_images(tmp_path / "data" / "train", 8, seed=0, size=(90, 120))
    write_images(tmp_path / "data" / "val", 2, seed=1, size=(90, 120))
    args = [*QUICK, "--output", str(tmp_path), "--device", "cpu", "--size", "64"]
    assert main(["train", str(tmp_path / "data"), *args]) == 0
    result = report(capsys)
    assert (result["model"], result["size"]) == ("lean", 64)


def test_folder_without_validation_set_is_split(stripes, tmp_path, capsys):
    args = [*QUICK, "--output", str(tmp_path), "--val-fraction", "0.3"]
    assert main(["train", str(stripes / "train"), *args]) == 0
    result = report(capsys)
    assert result["classes"] == list(CLASSES)
    assert "test" not in result


def test_files_that_are_converted_do_not_tell_the_size(tmp_path, capsys):
    write_images(tmp_path / "data" / "train", 8, seed=0)
    write_images(tmp_path / "data" / "val", 2, seed=1)
    for name in CLASSES:
        png = tmp_path / "data" / "train" / name / "0.png"
        Image.new("RGB", (500, 500)).save(png)
    args = [*QUICK, "--output", str(tmp_path), "--device", "cpu"]
    assert main(["train", str(tmp_path / "data"), *args]) == 0
    assert report(capsys)["model"] == "small_resnet"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--resume"], "no last.pt"),
        (["--model", "fca_resnet18"], "reads pixels"),
        (["--model", "resnet"], "no model is called"),
        (["--size", "20"], "multiple"),
        (["--lr", "0"], "lr must be > 0"),
        (["--val-fraction", "2"], "fraction must be in"),
        (["--device", "gpu"], "--device must be cpu, cuda or cuda:N, got gpu"),
        (["--device", "cuda:99"], "--device cuda:99: torch finds no such GPU"),
    ],
)
def test_mistakes_are_told_in_one_line(stripes, tmp_path, capsys, args, message):
    where = stripes / "train" if args[0] == "--val-fraction" else stripes
    status = main(["train", str(where), *QUICK, "--output", str(tmp_path), *args])
    assert status == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_run_that_diverges_fails_in_one_line(stripes, tmp_path, capsys):
    args = [*QUICK, "--output", str(tmp_path), "--lr", "1e30", "--epochs", "2"]
    assert main(["train", str(stripes), *args]) == 1
    assert "lower lr (1e+30)" in capsys.readouterr().err


def test_other_classes_in_the_validation_set_are_refused(stripes, tmp_path, capsys):
    root = tmp_path / "data"
    write_images(root / "train", 2, seed=0)
    write_images(root / "val", 2, seed=0)
    (root / "val" / CLASSES[0]).rename(root / "val" / "another")
    assert main(["train", str(root), *QUICK, "--output", str(tmp_path)]) == 2
    assert "other classes" in capsys.readouterr().err


def test_progress_is_a_line_an_epoch_where_there_is_no_terminal(
    stripes, tmp_path, capsys
):
    args = [a for a in QUICK if a != "--json"]
    assert main(["train", str(stripes), *args, "--output", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("epoch 1/1, loss ")
    assert lines[-1].startswith("best: epoch 1, val ")


class PowerFailureError(Exception):
    """Between two batches."""


@pytest.mark.parametrize("stop", [2, 5, 7])
def test_run_on_files_goes_on_in_the_middle_of_an_epoch(stripes, tmp_path, stop):
    """5 batches an epoch, 2 epochs; augmentation and order included."""

    def trainer(on_step=None):
        torch.manual_seed(0)
        model = create_model("small_resnet", 2)
        images = ImageFolder(stripes / "train", transform=transforms_for(model, True))
        loader = DataLoader(
            images, 8, shuffle=True, num_workers=2, layout="planes", seed=3
        )
        settings = Settings(
            epochs=2, lr=0.02, precision="float32", checkpoint_seconds=0.0
        )
        return Trainer(
            model, loader, settings=settings, output=tmp_path, on_step=on_step
        )

    whole = trainer()
    want = list(whole.fit())
    (tmp_path / "last.pt").unlink()
    steps = []

    def fail(*_):
        steps.append(1)
        if len(steps) > stop:
            raise PowerFailureError

    with pytest.raises(PowerFailureError):
        list(trainer(fail).fit())
    again = trainer()
    assert again.resume()
    got = list(again.fit())
    assert [r.train for r in got] == [r.train for r in want[-len(got) :]]
    theirs = whole.model.state_dict()
    for name, value in again.model.state_dict().items():
        assert torch.equal(value, theirs[name]), name
