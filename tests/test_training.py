"""The loop: it learns, it stops and goes on, it writes whole files."""

import itertools
import json
import math
import resource

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dctload.models import create_model
from dctload.training import (
    Accuracy,
    Settings,
    Trainer,
    evaluate,
    load_checkpoint,
    pick_precision,
    save_checkpoint,
)
from dctload.training.optim import WeightAverage, cosine_lr, make_optimizer
from dctload.training.precision import cpu_has_bfloat16

NUM, BATCH = 40, 8


def two_classes(shuffle=False, seed=0, num=NUM):
    """Coefficients whose class is the sign of a low frequency of luma."""
    generator = torch.Generator().manual_seed(seed)
    y = 100 * torch.randn(num, 64, 4, 4, generator=generator)
    cbcr = 100 * torch.randn(num, 128, 2, 2, generator=generator)
    target = torch.arange(num) % 2
    y[:, 1] += 400 * (target * 2.0 - 1)[:, None, None]
    dataset = TensorDataset(y, cbcr, target)

    def collate(samples):
        y, cbcr, target = (torch.stack(part) for part in zip(*samples, strict=True))
        return (y, cbcr), target

    return DataLoader(dataset, BATCH, shuffle=shuffle, collate_fn=collate)


def trainer(tmp_path=None, **settings):
    torch.manual_seed(1)
    settings = {"epochs": 3, "lr": 0.02, "precision": "float32", **settings}
    return Trainer(
        create_model("small_resnet", num_classes=2),
        two_classes(shuffle=True),
        two_classes(seed=1),
        Settings(**settings),
        output=tmp_path,
    )


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_training_learns_what_there_is_to_learn(optimizer):
    lr = {"sgd": 0.02, "adamw": 0.002}[optimizer]
    results = list(trainer(optimizer=optimizer, lr=lr, epochs=5).fit())
    assert [r.epoch for r in results] == [1, 2, 3, 4, 5]
    assert results[-1].train["loss"] < results[0].train["loss"]
    assert results[-1].val["top1"] > 0.9


def test_training_is_deterministic_given_the_seed():
    first = [r.train["loss"] for r in trainer().fit()]
    assert [r.train["loss"] for r in trainer().fit()] == first


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_resumed_training_ends_where_uninterrupted_training_does(tmp_path, ema):
    whole = trainer(ema=ema)
    want = list(whole.fit())

    stopped = trainer(tmp_path, ema=ema)
    next(iter(stopped.fit()))
    resumed = trainer(tmp_path, ema=ema)
    torch.manual_seed(99)  # what the checkpoint holds decides, not this
    assert resumed.resume()
    got = list(resumed.fit())

    for a, b in zip(want[1:], got, strict=True):
        assert (a.epoch, a.train, a.val) == (b.epoch, b.train, b.val)
    theirs = whole.model.state_dict()
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(value, theirs[name]), name


class PositionedLoader:
    """Batches of a list, and a position that can be kept."""

    def __init__(self, batches):
        self.batches, self.position = batches, 0

    def __len__(self):
        return len(self.batches)

    def __iter__(self):
        for i in range(self.position, len(self.batches)):
            self.position = (i + 1) % len(self.batches)
            yield self.batches[i]

    def state_dict(self):
        return {"position": self.position}

    def load_state_dict(self, state):
        self.position = state["position"]


class StopHereError(Exception):
    """The power fails."""


@pytest.mark.parametrize("stop", [1, 2, 4, 6])
def test_checkpoint_within_an_epoch_repeats_and_loses_nothing(tmp_path, stop):
    batches = list(two_classes())

    def make(on_step=None):
        torch.manual_seed(1)
        return Trainer(
            create_model("small_resnet", num_classes=2),
            PositionedLoader(batches),
            settings=Settings(
                epochs=2, lr=0.02, precision="float32", checkpoint_seconds=0
            ),
            output=tmp_path,
            on_step=on_step,
        )

    whole = make()
    want = list(whole.fit())
    (tmp_path / "last.pt").unlink()

    steps = 0

    def fail(*_):
        nonlocal steps
        steps += 1
        if steps == stop + 1:
            raise StopHereError

    with pytest.raises(StopHereError):
        list(make(fail).fit())
    again = make()
    assert again.resume()
    got = list(again.fit())
    for a, b in zip(want[-len(got) :], got, strict=True):
        assert a.train == pytest.approx(b.train, abs=0)
    theirs = whole.model.state_dict()
    for name, value in again.model.state_dict().items():
        assert torch.equal(value, theirs[name]), name


def test_nothing_to_resume_is_said(tmp_path):
    assert not trainer(tmp_path).resume()
    assert not trainer(None).resume()


def test_best_checkpoint_is_loaded_as_a_pretrained_model(tmp_path):
    run = trainer(tmp_path, epochs=2)
    results = list(run.fit())
    best = max(r.val["top1"] for r in results)
    model = create_model("small_resnet", 2, pretrained=tmp_path / "best.pt")
    assert evaluate(model, two_classes(seed=1))["top1"] == best


def test_a_full_disk_is_named_and_leaves_the_checkpoint_before(tmp_path):
    """Nobody who has waited for an epoch should have to guess which disk is full."""
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"epoch": 1})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        with pytest.raises(OSError, match=r"last\.pt"):
            save_checkpoint(path, {"weights": torch.zeros(1 << 16)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert load_checkpoint(path)["epoch"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_file_that_is_no_checkpoint_is_refused(tmp_path):
    torch.save({"weights": 1}, tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(ValueError, match=r"other\.pt: no checkpoint of version"):
        load_checkpoint(tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"text\.pt: no tensors"):
        load_checkpoint(tmp_path / "text.pt")


def test_checkpoint_holds_plain_values_only(tmp_path):
    """A file from a stranger runs no code: weights_only loading suffices."""
    run = trainer(tmp_path, epochs=1)
    list(run.fit())
    state = load_checkpoint(tmp_path / "last.pt")
    assert json.loads(json.dumps(state["settings"])) == state["settings"]
    assert state["progress"]["history"] == run.history


def test_learning_rate_rises_then_falls_to_nothing():
    rates = [cosine_lr(i, 100, 10, 0.5) for i in range(100)]
    assert np.argmax(rates) in (9, 10)
    assert max(rates) == 0.5
    assert all(a < b for a, b in itertools.pairwise(rates[:10]))
    assert all(a > b for a, b in itertools.pairwise(rates[10:]))
    assert rates[-1] < 0.001


def test_normalisation_and_biases_do_not_decay():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    decay, rest = make_optimizer(model, "sgd", 0.1, 0.01).param_groups
    assert decay["weight_decay"] == 0.01
    assert [p.shape for p in decay["params"]] == [(2, 1, 3, 3)]
    assert rest["weight_decay"] == 0
    assert len(rest["params"]) == 3


def test_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="got 'adam'"):
        make_optimizer(nn.Linear(1, 1), "adam", 0.1, 0)


def test_average_follows_the_weights_and_copies_counters():
    model = nn.BatchNorm2d(3)
    average = WeightAverage(model, decay=0.5)
    with torch.no_grad():
        model.weight.fill_(3.0)
    model.num_batches_tracked += 7
    average.update(model, step=1000)
    torch.testing.assert_close(average.model.weight, torch.full((3,), 2.0))
    assert average.model.num_batches_tracked == 7


def test_accuracy_counts_by_hand():
    accuracy = Accuracy()
    logits = torch.eye(7)[[0, 1, 2, 3]] - torch.arange(7) / 100
    accuracy.add(torch.tensor(2.0), logits, torch.tensor([0, 1, 6, 6]))
    accuracy.add(torch.tensor(1.0), logits[:1], torch.tensor([4]))
    result = accuracy.result()
    assert accuracy.samples == 5
    assert result["loss"] == pytest.approx(9 / 5)
    assert (result["top1"], result["top5"]) == (2 / 5, 3 / 5)


def test_accuracy_of_two_classes_has_a_top5():
    accuracy = Accuracy()
    accuracy.add(torch.tensor(0.0), torch.tensor([[1.0, 2.0]]), torch.tensor([0]))
    assert (accuracy.result()["top1"], accuracy.result()["top5"]) == (0, 1)


def test_diverged_training_says_what_to_change():
    run = trainer(lr=0.02)
    with torch.no_grad():
        next(run.model.parameters()).fill_(math.nan)
    with pytest.raises(FloatingPointError, match=r"epoch 1: lower lr \(0.02\)"):
        list(run.fit())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs"),
        ({"lr": 0.0}, "lr"),
        ({"ema": 1.0}, "ema"),
        ({"label_smoothing": 1.5}, "label_smoothing"),
        ({"weight_decay": -1.0}, "weight_decay"),
        ({"warmup_epochs": math.nan}, "warmup_epochs"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=f"{message} must be"):
        Settings(**settings)


def test_precision_is_told_from_the_cpu(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags\t: fpu avx512f avx512_bf16 sse\n")
    assert cpu_has_bfloat16(cpuinfo)
    cpuinfo.write_text("flags\t: fpu avx512f sse\n")
    assert not cpu_has_bfloat16(cpuinfo)
    assert not cpu_has_bfloat16(tmp_path / "absent")


def test_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="got 'half'"):
        pick_precision("half", torch.device("cpu"))


def test_bfloat16_training_learns_too():
    results = list(trainer(precision="bfloat16", epochs=5).fit())
    assert results[-1].val["top1"] > 0.9


def test_gradient_norm_is_limited():
    run = trainer(clip_grad=1e-9, epochs=1, weight_decay=0.0)
    before = [p.clone() for p in run.model.parameters()]
    list(run.fit())
    for a, b in zip(before, run.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=0)
