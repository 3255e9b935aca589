"""The loader in the hands of others, tested with the real packages."""

import os
import socket
import subprocess
import sys
import textwrap

import pytest
import torch
from conftest import jpeg_bytes, picture

from dctload import DataLoader, ImageFolder
from dctload import transforms as T

pytestmark = pytest.mark.timeout(300)

NUM = 22
TRANSFORM = T.Compose([T.RandomResizedCrop(16), T.SelectFrequencies("6")])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("two-classes")
    for i in range(NUM):
        path = root / "ab"[i % 2] / f"{i:02}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(jpeg_bytes(picture(40 + i, 36, i)))
    return root


@pytest.fixture
def make(folder):
    def build(batch_size=4, **options):
        data = ImageFolder(folder, transform=TRANSFORM)
        return DataLoader(data, batch_size, **{"shuffle": True, "seed": 3, **options})

    return build


def in_processes(tmp_path, script, num, *arguments):
    """Run ``script`` on ``num`` ranks; returns what each wrote to its file."""
    (tmp_path / "script.py").write_text(textwrap.dedent(script))
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    children = []
    for rank in range(num):
        env = {
            **os.environ, "RANK": str(rank), "LOCAL_RANK": str(rank),
            "WORLD_SIZE": str(num), "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1",
            "ACCELERATE_USE_CPU": "true", "PYTHONWARNINGS": "ignore",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "CUDA_VISIBLE_DEVICES": "",  # of which each would want one
        }  # fmt: skip
        command = [sys.executable, tmp_path / "script.py", tmp_path / f"out{rank}"]
        children.append(subprocess.Popen([*command, *map(str, arguments)], env=env))
    try:
        assert [child.wait(240) for child in children] == [0] * num
    finally:
        for child in children:
            child.kill()
    return [
        torch.load(tmp_path / f"out{rank}", weights_only=True) for rank in range(num)
    ]


# ---- torch.distributed ----

DISTRIBUTED = """
    import sys, torch
    import torch.distributed as dist
    from dctload import DataLoader, ImageFolder
    from dctload import transforms as T
    dist.init_process_group("gloo")
    torch.manual_seed(dist.get_rank())        # ranks that disagree
    data = ImageFolder(sys.argv[2], transform=T.CenterCrop(16))
    loader = DataLoader(data, 4, shuffle=True, num_workers=1)
    epochs = []
    for _ in range(2):
        epochs.append([t.tolist() for _, t in loader])
    indices = list(loader.sampler)
    torch.save({"len": len(loader), "batches": [len(e) for e in epochs],
                "indices": indices, "state": loader.state_dict()}, sys.argv[1])
    dist.barrier()
"""


def test_ranks_of_torch_distributed_share_each_epoch_by_themselves(folder, tmp_path):
    ranks = in_processes(tmp_path, DISTRIBUTED, 3, folder)
    assert [rank["len"] for rank in ranks] == [2, 2, 2]
    assert [rank["batches"] for rank in ranks] == [[2, 2]] * 3
    assert ranks[0]["state"] == ranks[1]["state"] == ranks[2]["state"]
    together = sorted(i for rank in ranks for i in rank["indices"])
    assert set(together) == set(range(NUM))
    assert len(together) == 24  # two repeated: 22 do not divide by 3


MADE_BEFORE = """
    import logging, sys, torch
    import torch.distributed as dist
    from dctload import DataLoader, ImageFolder
    from dctload import transforms as T
    warnings = []
    log = logging.getLogger("dctload")
    log.addFilter(lambda record: warnings.append(record.getMessage()))
    data = ImageFolder(sys.argv[2], transform=T.CenterCrop(16))
    late = DataLoader(data, 4, shuffle=True, num_workers=1)
    used = DataLoader(data, 4, shuffle=True, seed=1)
    out = {"before": [t.tolist() for _, t in used]}
    loaded = DataLoader(data, 4, shuffle=True)
    loaded.load_state_dict({**loaded.state_dict(), "seed": 5})
    torch.manual_seed(hash(sys.argv[1]) % 1000)       # ranks that disagree
    dist.init_process_group("gloo")
    out["len"] = len(late)
    out["warnings"] = list(warnings)
    for name, loader in ("late", late), ("used", used), ("loaded", loaded):
        num = sum(len(t) for _, t in loader)
        out[name] = num, list(loader.sampler), loader.state_dict()
    out["warnings of used"] = list(warnings)
    dist.barrier()
    dist.destroy_process_group()
    out["after"] = sum(len(t) for _, t in late)
    torch.save(out, sys.argv[1])
"""


def test_a_loader_made_before_the_process_group_gives_each_rank_its_share(
    folder, tmp_path
):
    first, second = in_processes(tmp_path, MADE_BEFORE, 2, folder)
    assert (first["len"], first["warnings"]) == (3, [])
    for name in ("late", "used", "loaded"):
        (num, ours, state), (num_too, theirs, state_too) = first[name], second[name]
        assert (num, num_too) == (NUM // 2, NUM // 2)
        assert sorted(ours + theirs) == list(range(NUM))
        assert state == state_too
    assert first["loaded"][2]["seed"] == 5
    assert first["before"] == second["before"]
    assert sum(map(len, first["before"])) == NUM
    (warning,) = first["warnings of used"]
    assert "share 0 of 2" in warning
    assert first["after"] == NUM // 2


# ---- Accelerate ----


@pytest.fixture
def accelerator():
    accelerate = pytest.importorskip("accelerate")
    os.environ["ACCELERATE_USE_CPU"] = "true"
    return accelerate.Accelerator(cpu=True, gradient_accumulation_steps=4)


def test_a_plain_prepare_is_refused_with_what_to_call(make, accelerator):
    with pytest.raises(RuntimeError, match=r"dctload\.accelerate\.prepare"):
        accelerator.prepare(make())


def test_prepare_keeps_the_engine(make, accelerator):
    from dctload.accelerate import prepare

    plain = make()
    want = [batch for _ in range(2) for batch in plain]
    loader = make(num_workers=2)
    prepared = prepare(accelerator, loader)
    assert isinstance(prepared, torch.utils.data.DataLoader)
    assert len(prepared) == 6
    got = [batch for _ in range(2) for batch in prepared]
    assert loader.stats.images == 2 * NUM
    assert loader.stats.slow == 0
    for (x, t), (want_x, want_t) in zip(got, want, strict=True):
        assert torch.equal(x, want_x)
        assert torch.equal(t, want_t)


def test_gradients_are_synchronised_at_the_end_of_an_epoch(make, accelerator):
    from dctload.accelerate import prepare

    model = accelerator.prepare(torch.nn.Linear(1, 1))
    prepared = prepare(accelerator, make())
    synced = []
    for _ in prepared:
        with accelerator.accumulate(model):
            synced.append(accelerator.sync_gradients)
    assert synced == [False, False, False, True, False, True]


@pytest.mark.parametrize("stop", [1, 3, 6])
def test_the_state_of_a_prepared_loader_is_what_was_yielded(make, accelerator, stop):
    from dctload.accelerate import prepare

    want = [t.tolist() for _, t in make()]
    prepared = prepare(accelerator, make())
    seen = []
    for _, target in prepared:
        seen.append(target.tolist())
        if len(seen) == stop:
            break
    state = prepared.state_dict()
    again = prepare(accelerator, make(num_workers=2))
    again.load_state_dict(state)
    rest = [t.tolist() for _, t in again] if stop < 6 else []
    assert seen + rest == want


ACCELERATE = """
    import sys, torch
    from accelerate import Accelerator
    from dctload import DataLoader, Files
    from dctload import transforms as T
    from dctload.accelerate import prepare
    import glob
    paths = sorted(glob.glob(sys.argv[2] + "/*/*.jpg"))
    data = Files(paths, transform=T.CenterCrop(16))
    early = DataLoader(data, 4, shuffle=True)       # before there are processes
    accelerator = Accelerator(cpu=True)
    loader = prepare(accelerator, early)
    model, optimizer = torch.nn.Linear(6, 1), None
    targets = [t.tolist() for _, t in loader]
    torch.save({"targets": targets, "images": early.stats.images}, sys.argv[1])
    accelerator.wait_for_everyone()
"""


def test_processes_of_accelerate_share_an_epoch(folder, tmp_path):
    pytest.importorskip("accelerate")
    ranks = in_processes(tmp_path, ACCELERATE, 2, folder)
    assert [rank["images"] for rank in ranks] == [11, 11]
    seen = sorted(t for rank in ranks for batch in rank["targets"] for t in batch)
    assert seen == list(range(NUM))


# ---- Lightning ----

LIGHTNING = """
    import glob, sys, torch, warnings
    warnings.simplefilter("ignore")
    import lightning
    from dctload import DataLoader, Files
    from dctload import transforms as T

    seen = []

    class Model(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(6 * 4, 1)
        def training_step(self, batch, i):
            x, target = batch
            seen.append(target.tolist())
            return self.layer(x.flatten(1)).mean()
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    paths = sorted(glob.glob(sys.argv[2] + "/*/*.jpg"))
    transform = T.Compose([T.RandomResizedCrop(16), T.SelectFrequencies("6")])
    loader = DataLoader(Files(paths, transform=transform), 4, shuffle=True, seed=1,
                        num_workers=1, on_error="skip")
    devices = int(sys.argv[3])
    trainer = lightning.Trainer(
        max_epochs=2, accelerator="cpu", devices=devices, logger=False,
        enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, strategy="ddp" if devices > 1 else "auto",
    )
    trainer.fit(Model(), loader)
    used = trainer.train_dataloader
    torch.save({"seen": seen, "type": type(used).__module__,
                "images": used.stats.images, "slow": used.stats.slow,
                "sampler": type(used.sampler).__name__,
                "on_error": used.on_error, "seed": used.seed}, sys.argv[1])
"""


@pytest.mark.parametrize("devices", [1, 2])
def test_lightning_trains_with_the_engine(folder, tmp_path, devices):
    """With two devices it puts a DistributedSampler in the place of ours."""
    pytest.importorskip("lightning")
    ranks = in_processes(tmp_path, LIGHTNING, devices, folder, devices)
    for rank in ranks:
        assert rank["type"] == "dctload.data.loader"
        assert rank["images"] == 2 * NUM // devices
        assert (rank["slow"], rank["on_error"], rank["seed"]) == (0, "skip", 1)
        wanted = "DistributedSampler" if devices > 1 else "ShuffledSampler"
        assert rank["sampler"] == wanted
    half = len(ranks[0]["seen"]) // 2
    for epoch in (slice(half), slice(half, None)):
        got = [t for rank in ranks for batch in rank["seen"][epoch] for t in batch]
        assert sorted(got) == list(range(NUM))
    assert ranks[0]["seen"][:half] != ranks[0]["seen"][half:]


# ---- Transformers' Trainer ----


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(6 * 4, 2)
        self.seen = []

    def forward(self, x, labels):
        self.seen.append(labels.tolist())
        logits = self.layer(x.flatten(1) / 1000)
        return {"loss": torch.nn.functional.cross_entropy(logits, labels)}


def as_inputs(samples):
    x, labels = torch.utils.data.default_collate(samples)
    return {"x": x, "labels": labels}


def test_transformers_trainer_trains_with_the_engine(make, tmp_path):
    """By get_train_dataloader, the method that it offers for this."""
    transformers = pytest.importorskip("transformers")
    from dctload.accelerate import prepare

    loader = make(collate_fn=as_inputs, num_workers=1)

    class Trainer(transformers.Trainer):
        def get_train_dataloader(self):
            return prepare(self.accelerator, loader)

    arguments = transformers.TrainingArguments(
        output_dir=tmp_path, num_train_epochs=2, use_cpu=True, report_to=[],
        save_strategy="no", disable_tqdm=True, logging_strategy="no",
    )  # fmt: skip
    model = Model()
    result = Trainer(model, arguments, train_dataset=loader.dataset).train()
    assert result.global_step == 12
    assert loader.stats.images == 2 * NUM
    assert loader.stats.slow == 0
    plain = make()
    assert model.seen == [t.tolist() for _ in range(2) for _, t in plain]


# ---- timm ----


def test_timms_parts_train_with_the_engine(folder):
    """What timm's train.py does with a loader, in its order, for two epochs."""
    pytest.importorskip("timm")
    import timm
    from timm.data import Mixup
    from timm.loss import SoftTargetCrossEntropy
    from timm.optim import create_optimizer_v2
    from timm.scheduler import create_scheduler_v2
    from timm.utils import AverageMeter, ModelEmaV3, NativeScaler, accuracy

    torch.manual_seed(0)
    transform = T.Compose([T.RandomResizedCrop(64), T.SelectFrequencies("6")])
    data = ImageFolder(folder, transform=transform)
    loader = DataLoader(data, 8, shuffle=True, drop_last=True, num_workers=2, seed=2)
    model = timm.create_model("test_resnet", num_classes=2, in_chans=6)
    optimizer = create_optimizer_v2(model, opt="adamw", lr=1e-3)
    scheduler, epochs = create_scheduler_v2(
        optimizer, num_epochs=2, updates_per_epoch=len(loader)
    )
    mixup, criterion = Mixup(mixup_alpha=0.2, num_classes=2), SoftTargetCrossEntropy()
    losses, top1 = AverageMeter(), AverageMeter()
    scaler, ema = NativeScaler("cpu"), ModelEmaV3(model, decay=0.5)
    updates = 0
    for epoch in range(min(epochs, 2)):
        if hasattr(loader.sampler, "set_epoch"):
            loader.sampler.set_epoch(epoch)
        for x, target in loader:
            x = x / x.std()
            mixed, soft = mixup(x, target)
            output = model(mixed)
            loss = criterion(output, soft)
            optimizer.zero_grad()
            scaler(loss, optimizer, clip_grad=1.0, parameters=model.parameters())
            updates += 1
            ema.update(model, step=updates)
            losses.update(loss.item(), len(x))
            top1.update(accuracy(output, target)[0].item(), len(x))
            scheduler.step_update(num_updates=updates, metric=losses.avg)
        scheduler.step(epoch + 1)
    assert updates == 2 * len(loader) == 4
    assert loader.stats.images == 32
    assert loader.stats.slow == 0
    assert 0 < losses.avg < 10
    assert all(torch.isfinite(p).all() for p in ema.module.parameters())
