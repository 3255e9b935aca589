"""What augmentation adds to loading: CPU time of a sample, with it and without.

    python benchmarks/augmentation_cost.py DIR [--limit N] [--rounds R]

One thread, files in memory's cache, from file to batch: RandomResizedCrop(224), flip
and normalisation, and then one thing more. Rounds alternate; the quickest counts.
"""

import argparse
import time
from pathlib import Path

import torch

from dctload import DataLoader
from dctload import transforms as T
from dctload.data import Files

# name: what comes after the crop and the flip
VARIANTS = {
    "nothing": [],
    "ColorJitter": [T.ColorJitter(0.4, 0.4, 0.4, 0.1)],
    "RandAugment, linear": [T.RandAugment(operations="linear")],
    "RandAugment, rgb-no-more": [T.RandAugment(2, 3, 11, operations="rgb-no-more")],
    "RandAugment (torchvision's)": [T.RandAugment()],
    "TrivialAugmentWide": [T.TrivialAugmentWide()],
    "RandomRotation, nearest": [T.RandomRotation(30)],
    "RandomRotation, bilinear": [T.RandomRotation(30, "bilinear")],
    "RandomShear, bilinear": [T.RandomShear(17, "bilinear")],
    "RandomAffine, bilinear": [T.RandomAffine(15, None, (0.8, 1.2), 10, "bilinear")],
    "RandomSolarize": [T.RandomSolarize(128, 1.0)],
    "RandomPosterize": [T.RandomPosterize(4, 1.0)],
    "RandomAutocontrast": [T.RandomAutocontrast(1.0)],
    "RandomEqualize": [T.RandomEqualize(1.0)],
    "RandomErasing": [T.RandomErasing(1.0)],
    "RandomJPEG": [T.RandomJPEG()],
    "GaussianNoise": [T.GaussianNoise()],
}
LAYOUTS = {
    "planes, float16": ("planes", torch.float16),
    "concat, float32": ("concat", torch.float32),
}


def loader_of(files, extra, layout, dtype):
    crop = [T.RandomResizedCrop(224), T.RandomHorizontalFlip()]
    transform = T.Compose([*crop, *extra, T.Normalize("imagenet")])
    assert transform.plan(layout, dtype).native
    return DataLoader(
        Files(files, transform=transform, layout=layout, dtype=dtype),
        batch_size=64,
        num_workers=0,
    )


def seconds(loader):
    start = time.process_time()
    for _ in loader:
        pass
    return time.process_time() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=192)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted(args.folder.rglob("*.[Jj][Pp]*[Gg]"))[: args.limit]
    print("| added | " + " | ".join(LAYOUTS) + " |")
    print("|---|" + "---|" * len(LAYOUTS))
    best = {}
    for layout, how in LAYOUTS.items():
        loaders = {name: loader_of(files, v, *how) for name, v in VARIANTS.items()}
        for _ in range(args.rounds):
            for name, loader in loaders.items():
                key = name, layout
                best[key] = min(best.get(key, float("inf")), seconds(loader))
    for name in VARIANTS:
        cells = []
        for layout in LAYOUTS:
            each = best[name, layout] / len(files) * 1e6
            more = best[name, layout] / best["nothing", layout] - 1
            cells.append(f"{each:.0f} us" if name == "nothing" else f"{more:+.0%}")
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
