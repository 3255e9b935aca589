"""The demo's race: the same batches from the same files by two loaders."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

ROUNDS = 5
MIN_ROUND_SECONDS = 0.5


class Speed(NamedTuple):
    """Images a second on one thread: the fastest round of each."""

    pixels: float
    dctload: float


@contextlib.contextmanager
def one_torch_thread() -> Iterator[None]:
    """Torch's own threads off, for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def pixel_loader(folder: Path, size: int, batch_size: int) -> Iterable[Any]:
    """What most training scripts have: Pillow, torchvision, torch's DataLoader."""
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    transform = v2.Compose(
        [
            v2.RandomResizedCrop(size),
            v2.RandomHorizontalFlip(),
            v2.PILToTensor(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    return DataLoader(ImageFolder(str(folder), transform), batch_size, shuffle=True)


def dct_loader(folder: Path, size: int, batch_size: int) -> Iterable[Any]:
    """The same work with dctload: every frequency, no pixel on the way."""
    from dctload import DataLoader, ImageFolder
    from dctload import transforms as T

    transform = T.Compose(
        [
            T.RandomResizedCrop(size),
            T.RandomHorizontalFlip(),
            # Which numbers does not matter to the speed.
            T.Normalize(mean=np.zeros((3, 64)), std=np.full((3, 64), 64.0)),
        ]
    )
    dataset = ImageFolder(folder, transform=transform, layout="planes")
    return DataLoader(dataset, batch_size, shuffle=True)


def _images_per_second(loader: Iterable[Any]) -> float:
    """Whole epochs until the clock can tell."""
    begin, images, seconds = time.perf_counter(), 0, 0.0
    while images == 0 or seconds < MIN_ROUND_SECONDS:
        images += sum(len(target) for _, target in loader)
        seconds = time.perf_counter() - begin
    return images / seconds


def race(
    folder: Path, size: int, batch_size: int, on_round: Callable[[int], None]
) -> Speed:
    """Time both loaders in turn, each with all its work in this one thread.

    Alternating rounds, so that whatever else the machine does hits both; the files
    are in memory after the first.
    """
    loaders = [f(folder, size, batch_size) for f in (pixel_loader, dct_loader)]
    best = [0.0, 0.0]
    with one_torch_thread():
        for i in range(ROUNDS):
            for j, loader in enumerate(loaders):
                best[j] = max(best[j], _images_per_second(loader))
            on_round(i + 1)
    return Speed(*best)
