"""``dctload train DIR``: a folder of JPEGs in, a trained network out.

Imports torch, so the module is loaded only when this command is asked for.
"""

import argparse
import dataclasses
import itertools
from pathlib import Path
from typing import Any

import torch

from dctload import models
from dctload.cli import _common
from dctload.data import DataLoader, ImageFolder
from dctload.decoding import read_info
from dctload.errors import DctloadError
from dctload.training import EpochResult, Settings, Trainer, evaluate, folders
from dctload.training.distributed import is_first, process_group
from dctload.training.loop import has_convolutions

# Images up to this side are "small": another network, larger batches.
SMALL = 64
# Looked at to tell whether the images are small.
PROBED = 50


def add_parser(subparsers: Any) -> None:
    """Add this command's arguments."""
    parser = subparsers.add_parser(
        "train",
        help="train a network on a folder of JPEG files",
        description="Train on DIR/train and validate on DIR/val, DIR/validation, "
        "DIR/valid or DIR/test; or, if DIR itself holds one folder a class, on a part "
        "of it that is split off by file name. Writes last.pt and best.pt.",
    )
    parser.add_argument("dir", metavar="DIR", help="one folder a class")
    parser.add_argument("--output", default="dctload-train", metavar="DIR")
    parser.add_argument(
        "--resume", action="store_true", help="go on from last.pt in the output folder"
    )
    _add_model(parser.add_argument_group("model"))
    _add_schedule(parser.add_argument_group("training"))
    _add_machine(parser.add_argument_group("machine"))
    _common.add_json(parser, "one JSON object with the results")
    parser.set_defaults(run=run)


def _add_model(group: Any) -> None:
    group.add_argument("--model", metavar="NAME", help="see `dctload models`")
    group.add_argument("--size", type=_common.positive, help="samples a side")
    group.add_argument("--frequencies", metavar="NAME", help='a subset such as "24"')
    group.add_argument("--pretrained", metavar="FILE", help="weights to begin with")


def _add_schedule(group: Any) -> None:
    defaults = Settings()
    group.add_argument("--epochs", type=_common.positive, default=defaults.epochs)
    group.add_argument(
        "--stop-after", type=_common.positive, metavar="N", help="epochs of this run"
    )
    group.add_argument("--batch-size", type=_common.positive)
    group.add_argument("--lr", type=float, help="highest learning rate")
    group.add_argument("--optimizer", choices=["sgd", "adamw"])
    group.add_argument("--weight-decay", type=float)
    group.add_argument("--warmup-epochs", type=float, default=defaults.warmup_epochs)
    group.add_argument(
        "--label-smoothing", type=float, default=defaults.label_smoothing
    )
    group.add_argument("--clip-grad", type=float, metavar="NORM")
    group.add_argument(
        "--ema", type=float, default=0.0, metavar="DECAY", help="average the weights"
    )
    group.add_argument("--val-fraction", type=float, default=0.1)
    group.add_argument("--seed", type=int, default=0)


def _add_machine(group: Any) -> None:
    group.add_argument("--device", help="cpu, cuda or cuda:N (default: cuda if there)")
    group.add_argument(
        "--precision",
        default="auto",
        choices=["auto", "float32", "bfloat16", "float16"],
    )
    _common.add_threads(group)


@dataclasses.dataclass
class _Data:
    """The loaders of a run and what they load."""

    train: DataLoader
    val: DataLoader
    test: DataLoader | None
    classes: list[str]


def _is_small(folder: ImageFolder) -> bool:
    """Whether the images are of CIFAR's kind rather than photographs."""
    sizes = []
    for path in _common.evenly([path for path, _ in folder.samples], PROBED):
        try:
            info = read_info(path)
        except (DctloadError, OSError):
            continue  # the loader converts it, or names it
        sizes.append((info.width, info.height))
    return bool(sizes) and folders.median_side(sizes) <= SMALL


def _loader(dataset: Any, model: Any, args: Any, train: bool) -> DataLoader:
    layout = models.input_spec(model).layout
    if layout == "pixels":
        raise ValueError(f"{args.model} reads pixels; choose one of `dctload models`")
    conv = has_convolutions(model)
    return DataLoader(
        dataset,
        batch_size=args.batch_size,
        shuffle=train,
        drop_last=train and len(dataset) >= args.batch_size,
        num_workers=args.threads,
        pin_memory=args.device.startswith("cuda"),
        layout=layout,
        memory_format=torch.channels_last if conv else torch.contiguous_format,
        seed=args.seed,
    )


def _dataset(path: Path, model: Any, args: Any, train: bool) -> ImageFolder:
    transform = models.transforms_for(model, train, args.size)
    return ImageFolder(path, transform=transform)


def _make_data(found: folders.Folders, model: Any, args: Any) -> _Data:
    train = _dataset(found.train, model, args, True)
    sets: list[Any] = [train]
    if found.val is None:
        val = _dataset(found.train, model, args, False)
        names = [str(Path(path).relative_to(found.train)) for path, _ in train.samples]
        sets = [*folders.split_off(train, val, names, args.val_fraction)]
    for path in (found.val, found.test):
        if path is not None:
            sets.append(_dataset(path, model, args, False))
            if sets[-1].classes != train.classes:
                raise ValueError(f"{path} has other classes than {found.train}")
    loaders = [_loader(data, model, args, i == 0) for i, data in enumerate(sets)]
    test = loaders[2] if len(loaders) > 2 else None
    return _Data(loaders[0], loaders[1], test, list(train.classes))


def _fill_in(args: Any, found: folders.Folders) -> int:
    """Choose what was left open; returns the number of classes."""
    probe = ImageFolder(found.train)
    small = _is_small(probe)
    if args.model is None:
        # On a CPU the network for CPUs; a GPU hardly notices ten times the work.
        large = "lean" if args.device == "cpu" else "late_concat_rfa_thinner"
        args.model = "small_resnet" if small else large
    if args.batch_size is None:
        args.batch_size = 128 if small else 64
    return len(probe.classes)


def _settings(args: Any) -> Settings:
    optimizer = args.optimizer or "sgd"
    lr = {"sgd": 0.1 * args.batch_size / 64, "adamw": 1e-3}[optimizer]
    decay = {"sgd": 5e-4, "adamw": 0.05}[optimizer]
    return Settings(
        epochs=args.epochs,
        lr=lr if args.lr is None else args.lr,
        optimizer=optimizer,
        weight_decay=decay if args.weight_decay is None else args.weight_decay,
        warmup_epochs=args.warmup_epochs,
        label_smoothing=args.label_smoothing,
        clip_grad=args.clip_grad,
        ema=args.ema,
        precision=args.precision,
    )


class _Reporter:
    """A line that moves within an epoch and a line that stays after it."""

    def __init__(self, quiet: bool):
        self._quiet = quiet
        self._phase = ""
        self._line: _common.Progress | None = None

    def step(self, phase: str, done: int, total: int, loss: float | None) -> None:
        if self._quiet:
            return
        if phase != self._phase or self._line is None:
            self.clear()
            self._phase, self._line = phase, _common.Progress(total, "batches")
        note = f", loss {loss:.3f}" if loss is not None else ""
        self._line.update(done, f" ({phase}{note})")

    def clear(self) -> None:
        self._phase = ""
        if self._line is not None:
            self._line.clear()

    def epoch(self, result: EpochResult, epochs: int) -> None:
        self.clear()
        if self._quiet:
            return
        words = [
            f"epoch {result.epoch}/{epochs}",
            f"loss {result.train['loss']:.3f}",
            f"train {result.train['top1']:.1%}",
        ]
        if result.val is not None:
            words.append(
                f"val {result.val['top1']:.1%} (top-5 {result.val['top5']:.1%})"
            )
        words.append(f"{result.images_per_second:,.0f} images/s")
        print(", ".join([*words, f"{result.seconds:.0f} s"]), flush=True)


def _model(args: Any, num_classes: int) -> Any:
    options: dict[str, Any] = {"pretrained": args.pretrained}
    if args.frequencies is not None:
        options["frequencies"] = args.frequencies
    return models.create_model(args.model, num_classes, **options)


def _train(args: Any, device: torch.device) -> dict[str, Any]:
    """Do the run; returns what is reported."""
    found = folders.find_folders(args.dir)
    num_classes = _fill_in(args, found)
    torch.manual_seed(args.seed)
    model = _model(args, num_classes)
    data = _make_data(found, model, args)
    report = _Reporter(args.json or not is_first())
    spec = models.input_spec(model)
    meta = {
        "model": args.model,
        "classes": data.classes,
        "size": args.size or spec.size,
        "frequencies": [list(part) for part in spec.frequencies],
    }
    trainer = Trainer(
        model, data.train, data.val, _settings(args), device, args.output,
        report.step, meta,
    )  # fmt: skip
    if args.resume and not trainer.resume():
        raise ValueError(f"there is no last.pt in {args.output} to resume from")
    for result in itertools.islice(trainer.fit(), args.stop_after):
        report.epoch(result, args.epochs)
    best = max(trainer.history, key=lambda r: r["val"]["top1"])
    outcome = {**meta, "best": best, "epochs": trainer.history, "output": args.output}
    if data.test is not None:
        outcome["test"] = evaluate(
            trainer.best_model, data.test, device, trainer.precision
        )
    return outcome


def _device(name: str | None) -> str:
    """The device asked for, which is there, or the best one."""
    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"--device must be cpu, cuda or cuda:N, got {name}") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"--device {name}: torch finds no such GPU")
    return name


def run(args: argparse.Namespace) -> int:
    """Train and report."""
    args.device = _device(args.device)
    with process_group(args.device) as device:
        result = _train(args, device)
        if not is_first():
            return 0
    if args.json:
        _common.print_json(result)
        return 0
    best = result["best"]
    print(f"best: epoch {best['epoch']}, val {best['val']['top1']:.2%}", end="")
    if "test" in result:
        print(f"; after the last epoch: test {result['test']['top1']:.2%}", end="")
    print(f"; weights in {args.output}/best.pt")
    return 0
