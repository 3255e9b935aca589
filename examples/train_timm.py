"""timm's training script, with its own parts, on coefficients.

    pip install timm
    python examples/train_timm.py photos/train photos/val --model resnet18d --epochs 5

The order of steps and every part but the loader are those of timm's train.py: model,
optimizer, schedule, mixing, loss scaling, clipping, averaged weights, checkpoints. Two
things differ: loaders come from here, and the network takes as many channels as there
are frequencies.
"""

import argparse
from contextlib import nullcontext

import timm
import torch
from timm.data import Mixup
from timm.loss import SoftTargetCrossEntropy
from timm.models import resume_checkpoint
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import (
    AverageMeter,
    CheckpointSaver,
    ModelEmaV3,
    NativeScaler,
    accuracy,
    dispatch_clip_grad,
)

from dctload import DataLoader, ImageFolder
from dctload import transforms as T

FREQUENCIES = 24


def make_loader(folder, train, args):
    size = 8 * args.size  # a place of the grid is a block of 8 x 8 pixels
    crop = (
        [T.RandomResizedCrop(size), T.RandomHorizontalFlip()]
        if train
        else [T.Resize(size * 8 // 7), T.CenterCrop(size)]
    )
    finish = [T.SelectFrequencies(str(FREQUENCIES)), T.Normalize("imagenet")]
    return DataLoader(
        ImageFolder(folder, T.Compose([*crop, *finish])),
        args.batch_size,
        shuffle=train,
        drop_last=train,
        num_workers=args.workers,
        device=args.device,
        seed=args.seed,
    )


def train_one_epoch(epoch, model, loader, optimizer, scheduler, args, parts):
    losses = AverageMeter()
    updates = epoch * len(loader)
    model.train()
    for x, target in loader:
        x, target = parts["mixup"](x, target)
        with parts["autocast"]():
            loss = parts["loss"](model(x), target)
        optimizer.zero_grad()
        if parts["scaler"] is not None:
            parts["scaler"](
                loss, optimizer, clip_grad=1.0, parameters=model.parameters()
            )
        else:
            loss.backward()
            dispatch_clip_grad(model.parameters(), value=1.0)
            optimizer.step()
        updates += 1
        parts["ema"].update(model, step=updates)
        losses.update(loss.item(), len(x))
        scheduler.step_update(num_updates=updates, metric=losses.avg)
    return losses.avg


@torch.inference_mode()
def validate(model, loader):
    top1 = AverageMeter()
    model.eval()
    for x, target in loader:
        top1.update(accuracy(model(x), target)[0].item(), len(x))
    return top1.avg


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("train")
    parser.add_argument("val")
    parser.add_argument("--model", default="resnet18d")
    parser.add_argument("--size", type=int, default=28, help="in blocks")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--output", default=".")
    parser.add_argument("--resume", default="")
    cuda = torch.cuda.is_available()
    parser.add_argument("--device", default="cuda" if cuda else "cpu")
    args = parser.parse_args()

    torch.manual_seed(args.seed)
    num_classes = len(ImageFolder(args.train).classes)
    model = timm.create_model(
        args.model, num_classes=num_classes, in_chans=FREQUENCIES
    ).to(args.device)
    optimizer = create_optimizer_v2(model, opt="lamb", lr=5e-3, weight_decay=0.02)
    amp = args.device == "cuda"
    parts = {
        "mixup": Mixup(mixup_alpha=0.1, cutmix_alpha=1.0, num_classes=num_classes),
        "loss": SoftTargetCrossEntropy(),
        "autocast": (lambda: torch.autocast("cuda")) if amp else nullcontext,
        "scaler": NativeScaler() if amp else None,
        "ema": ModelEmaV3(model, decay=0.99, use_warmup=True),
    }
    train = make_loader(args.train, True, args)
    val = make_loader(args.val, False, args)
    scheduler, num_epochs = create_scheduler_v2(
        optimizer,
        sched="cosine",
        num_epochs=args.epochs,
        warmup_epochs=0,
        updates_per_epoch=len(train),
    )
    start = 0
    if args.resume:
        start = resume_checkpoint(model, args.resume, optimizer, parts["scaler"])
        scheduler.step(start)
    saver = CheckpointSaver(
        model,
        optimizer,
        model_ema=parts["ema"],
        amp_scaler=parts["scaler"],
        checkpoint_dir=args.output,
        recovery_dir=args.output,
        max_history=2,
    )
    for epoch in range(start, num_epochs):
        train.sampler.set_epoch(epoch)
        loss = train_one_epoch(epoch, model, train, optimizer, scheduler, args, parts)
        right = validate(parts["ema"].module, val)
        print(f"epoch {epoch}: loss {loss:.3f}, {right:.1f} % right")
        saver.save_checkpoint(epoch, metric=right)
        scheduler.step(epoch + 1, right)
    print(train.stats.report())


if __name__ == "__main__":
    main()
