"""How well do N coefficients of a K x K grid say a mask? (DCT-Mask)

    python benchmarks/mask_quality.py

prints the mean intersection over union of masks with what is left of them, as
Markdown, for each (K, N). Masks, each cropped to its object:

- generated: 60 unions of random discs, from a seed;
- silhouettes: the horse and the coins that come with scikit-image, the coins found
  by a threshold and labelled;
- garments: the largest object of 60 photographs of clothing-small, where it differs
  from the colour of the photograph's border by more than Otsu's threshold. Nobody
  drew these outlines; they are as ragged as such a threshold makes them.
"""

import corpora
import numpy as np
import torch
from skimage import color, data, filters, measure, morphology

from dctload.models.layers.dct_mask import reconstruction_iou

SIDES = (28, 64, 128, 256)
LENGTHS = (50, 100, 200, 300, 500, 784)
NUM = 60
SMALLEST = 1000  # samples of an object that counts


def discs(num=NUM, side=256, seed=0):
    """Unions of four discs each."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    for _ in range(num):
        mask = np.zeros((side, side), bool)
        for cx, cy, r in rng.random((4, 3)):
            mask |= np.hypot(x - cx * side, y - cy * side) < (0.1 + 0.3 * r) * side
        yield cropped(mask)


def cropped(mask):
    """``mask`` within the box of its object."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def objects(mask):
    """The connected parts of ``mask`` that are large enough, largest first."""
    filled = morphology.closing(mask, morphology.disk(2))
    found = measure.regionprops(measure.label(filled))
    for region in sorted(found, key=lambda region: -region.area):
        if region.area >= SMALLEST:
            yield region.image_filled


def silhouettes():
    """A horse and about twenty coins."""
    yield cropped(~data.horse().astype(bool))
    coins = data.coins()
    yield from objects(coins > filters.threshold_otsu(coins))


def garments(num=NUM):
    """The largest object of each photograph, by its distance from the border."""
    root, generated = corpora.source("clothing-small")
    if generated:
        raise SystemExit("clothing-small is not there; see benchmarks/corpora.py")
    from PIL import Image

    paths = sorted((root / "validation").rglob("*.jpg"))
    for path in paths[:: len(paths) // num][:num]:
        lab = color.rgb2lab(np.asarray(Image.open(path).convert("RGB")))
        border = np.concatenate([lab[0], lab[-1], lab[:, 0], lab[:, -1]])
        distance = filters.gaussian(
            np.linalg.norm(lab - np.median(border, 0), axis=2), 2
        )
        yield from list(objects(distance > filters.threshold_otsu(distance)))[:1]


def quality(masks):
    """Mean IoU for each (K, N), and how many masks it is the mean of."""
    tables = [
        reconstruction_iou(torch.from_numpy(mask)[None], SIDES, LENGTHS)
        for mask in masks
    ]
    means = {key: float(np.mean([t[key] for t in tables])) for key in tables[0]}
    return means, len(tables)


def main():
    torch.set_num_threads(1)
    sets = {"generated": discs(), "silhouettes": silhouettes(), "garments": garments()}
    for name, masks in sets.items():
        means, num = quality(masks)
        print(f"\n{name}, {num} masks\n")
        print("| K | " + " | ".join(f"N = {n}" for n in LENGTHS) + " |")
        print("|---" * (1 + len(LENGTHS)) + "|")
        for side in SIDES:
            cells = [
                f"{means[side, n]:.1%}" if (side, n) in means else "-" for n in LENGTHS
            ]
            print(f"| {side} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
