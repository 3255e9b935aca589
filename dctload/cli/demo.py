"""``dctload demo``: from a folder of JPEG files to a trained model, in minutes.

Makes a small data set from photographs (or takes the user's), races the loader
against Pillow and torchvision on it, trains a network on coefficients, and draws
what came of it.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from dctload.cli import _common
from dctload.cli._demo_data import Folders, make_crops, use_folder

if TYPE_CHECKING:
    from torch import nn

    from dctload.cli._demo_loading import Speed
    from dctload.training import EpochResult

MODEL = "small_resnet"
RACE_SIZE, TRAIN_SIZE, BATCH_SIZE = 128, 48, 32
SEED = 1


def add_parser(subparsers: Any) -> None:
    """Add this command's arguments."""
    parser = subparsers.add_parser(
        "demo",
        help="a small data set, loaded, trained on and plotted",
        description="Make a small data set from photographs that scikit-image ships, "
        "compare loading speed with Pillow and torchvision on it, train a network on "
        "DCT coefficients, and draw the result. Under three minutes on two cores.",
    )
    parser.add_argument(
        "--data", metavar="DIR", help="your own JPEG files: a folder for each class"
    )
    parser.add_argument(
        "--out",
        default="demo-out",
        metavar="DIR",
        help="where pictures go (default: %(default)s)",
    )
    parser.add_argument(
        "--epochs",
        type=_common.positive,
        default=12,
        metavar="N",
        help="passes over the training images (default: %(default)s)",
    )
    parser.add_argument("--no-plots", action="store_true", help="draw nothing")
    _common.add_threads(parser)
    _common.add_json(parser, "the figures as one JSON object")
    parser.set_defaults(run=run)


def race(folders: Folders, out: TextIO) -> "Speed":
    """Time both loaders and print a table."""
    from dctload.cli import _demo_loading

    with _common.Progress(_demo_loading.ROUNDS, "rounds of loading") as progress:
        speed = _demo_loading.race(
            folders.train, RACE_SIZE, BATCH_SIZE, progress.update
        )
    print(
        f"\nLoading: random crops of {RACE_SIZE} x {RACE_SIZE}, flipped, normalised, "
        f"in batches of {BATCH_SIZE};\none thread does everything, files in memory.\n",
        file=out,
    )
    gain = speed.dctload / speed.pixels
    _common.print_table(
        [
            ("", "images/s", ""),
            ("Pillow + torchvision", f"{speed.pixels:,.0f}", "1.0x"),
            ("dctload", f"{speed.dctload:,.0f}", f"{gain:.1f}x"),
        ],
        file=out,
    )
    return speed


class Trained(NamedTuple):
    """A network and how it got there."""

    model: "nn.Module"
    validation: Any  # the data set
    results: list["EpochResult"]


def _loaders(folders: Folders, model: Any, num_threads: int) -> tuple[Any, Any]:
    from dctload import DataLoader, ImageFolder
    from dctload.models import transforms_for

    layout = model.input_spec.layout
    train = ImageFolder(
        folders.train, transform=transforms_for(model, train=True), layout=layout
    )
    validation = ImageFolder(
        folders.validation, transform=transforms_for(model, train=False), layout=layout
    )
    return (
        DataLoader(
            train,
            BATCH_SIZE,
            shuffle=True,
            drop_last=len(train) >= BATCH_SIZE,
            num_workers=num_threads,
            seed=SEED,
        ),
        DataLoader(validation, BATCH_SIZE, num_workers=num_threads),
    )


def train(folders: Folders, args: argparse.Namespace, out: TextIO) -> Trained:
    """Train on ``folders`` and print a line an epoch."""
    import torch

    from dctload.cli._demo_loading import one_torch_thread
    from dctload.models import create_model
    from dctload.training import Settings, Trainer

    torch.manual_seed(SEED)
    num_classes = sum(1 for path in folders.train.iterdir() if path.is_dir())
    model = create_model(MODEL, num_classes, size=TRAIN_SIZE)
    loader, val_loader = _loaders(folders, model, args.threads)
    print(
        f"\nTraining: {MODEL} on coefficients of {TRAIN_SIZE} x {TRAIN_SIZE} crops; "
        f"{num_classes} classes,\n{len(loader.dataset):,} images and "
        f"{len(val_loader.dataset):,} others for validation.\n\n"
        "epoch   loss  recognised: training  validation  seconds",
        file=out,
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    settings = Settings(epochs=args.epochs, lr=0.05)
    results = []
    trainer = Trainer(model, loader, val_loader, settings, device)
    # Layers this small gain little from a second thread, and lose much by it
    # where other programs run.
    with one_torch_thread():
        for result in trainer.fit():
            results.append(result)
            print(
                f"{result.epoch:>5}  {result.train['loss']:.3f}  "
                f"{result.train['top1']:>20.1%}  {_accuracy(result):>10.1%}  "
                f"{result.seconds:>7.1f}",
                file=out,
                flush=True,
            )
    return Trained(trainer.best_model, val_loader.dataset, results)


def _accuracy(result: "EpochResult") -> float:
    return result.val["top1"] if result.val is not None else float("nan")


def _draw(out: str, trained: Trained, speed: "Speed") -> list[str]:
    from dctload.cli import _demo_plots

    return _demo_plots.draw(
        Path(out), trained.model, trained.validation, speed, trained.results
    )


def run(args: argparse.Namespace) -> int:
    """Data, race, training, pictures."""
    out = sys.stderr if args.json else sys.stdout
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dctload-demo-") as scratch:
        if args.data is not None:
            folders = use_folder(Path(args.data), Path(scratch))
        else:
            folders = make_crops(Path(scratch))
        source = args.data or "crops of twelve photographs that scikit-image ships"
        print(f"Data: {source}", file=out)
        speed = race(folders, out)
        trained = train(folders, args, out)
        pictures = [] if args.no_plots else _draw(args.out, trained, speed)
    summary = {
        "images_per_second": speed._asdict(),
        "accuracy": _accuracy(trained.results[-1]),
        "chance": 1 / len(trained.validation.classes),
        "epochs": args.epochs,
        "seconds": time.monotonic() - begin,
        "pictures": pictures,
    }
    print(
        "\n{accuracy:.1%} of the validation images are recognised (by chance: "
        "{chance:.1%}). {seconds:.0f} seconds in all.".format(**summary),
        *pictures,
        sep="\n",
        file=out,
    )
    if args.json:
        _common.print_json(summary, indent=2)
    return 0
