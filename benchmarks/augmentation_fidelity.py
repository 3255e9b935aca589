"""How close each colour operation is to torchvision's on RGB: a table, a picture.

    python benchmarks/augmentation_fidelity.py DIR [--limit N] [--picture FILE]

Each image is cropped to 224 x 224 on coefficients; then the operation is done on
coefficients, and by torchvision on the 8-bit RGB of the same crop. PSNR is between
the two results as 8-bit RGB, chroma at full resolution on both sides.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

import dctload
from dctload import transforms as T

SIZE = 224


def jitter(**factors):
    return T.ColorJitter(**{name: (f, f) for name, f in factors.items()})


class Fixed(T.RandAugment):
    """One operation with a positive sign, at a share of its largest magnitude."""

    def __init__(self, name, level):
        super().__init__(1, operations=[name])
        self.level = level

    def _level(self, u):
        return np.full(len(u), self.level)

    def apply(self, geometry, u):
        return super().apply(geometry, np.full_like(u, 0.75))


BILINEAR = v2.InterpolationMode.BILINEAR

# name: (on coefficients, on uint8 RGB)
OPERATIONS = {
    "nothing (rounding to 8 bits)": (T.Compose([]), lambda x: x),
    "horizontal flip": (T.RandomHorizontalFlip(1.0), F.horizontal_flip),
    "brightness 0.6": (jitter(brightness=0.6), lambda x: F.adjust_brightness(x, 0.6)),
    "brightness 1.4": (jitter(brightness=1.4), lambda x: F.adjust_brightness(x, 1.4)),
    "contrast 0.6": (jitter(contrast=0.6), lambda x: F.adjust_contrast(x, 0.6)),
    "contrast 1.4": (jitter(contrast=1.4), lambda x: F.adjust_contrast(x, 1.4)),
    "saturation 0.4": (jitter(saturation=0.4), lambda x: F.adjust_saturation(x, 0.4)),
    "saturation 1.6": (jitter(saturation=1.6), lambda x: F.adjust_saturation(x, 1.6)),
    "hue 0.1": (jitter(hue=0.1), lambda x: F.adjust_hue(x, 0.1)),
    "greyscale": (T.RandomGrayscale(1.0), lambda x: F.rgb_to_grayscale(x, 3)),
    "invert": (T.RandomInvert(1.0), F.invert),
    "sharpness 2, by frequencies": (
        T.RandomAdjustSharpness(2.0, 1.0),
        lambda x: F.adjust_sharpness(x, 2.0),
    ),
    "Gaussian blur 1.0, by frequencies": (
        T.GaussianBlur(9, 1.0),
        lambda x: F.gaussian_blur(x, [9, 9], [1.0, 1.0]),
    ),
    "sharpness 1.5, on RGB": (
        Fixed("Sharpness", 0.5 / 0.9),
        lambda x: F.adjust_sharpness(x, 1.5),
    ),
    "autocontrast": (T.RandomAutocontrast(1.0), F.autocontrast),
    "equalize": (T.RandomEqualize(1.0), F.equalize),
    "posterize 4 bits": (T.RandomPosterize(4, 1.0), lambda x: F.posterize(x, 4)),
    "solarize 128": (T.RandomSolarize(128, 1.0), lambda x: F.solarize(x, 128)),
    "rotation 30, nearest": (
        T.RandomRotation((30, 30)),
        lambda x: F.rotate(x, 30, fill=[0]),
    ),
    "rotation 30, bilinear": (
        T.RandomRotation((30, 30), "bilinear"),
        lambda x: F.rotate(x, 30, BILINEAR, fill=[0]),
    ),
    "shear 17, bilinear": (
        T.RandomShear((17, 17), "bilinear"),
        lambda x: F.affine(x, 0, [0, 0], 1, [17, 0], BILINEAR, [0]),
    ),
    "affine, bilinear": (
        T.RandomAffine((9, 9), None, (0.7, 0.7), (10, 10), "bilinear", 128),
        lambda x: F.affine(x, 9, [0, 0], 0.7, [10, 0], BILINEAR, [128]),
    ),
    "JPEG quality 30 (theirs 4:2:0)": (
        T.JPEG(30),
        lambda x: F.jpeg(x, 30),
    ),
    "DctAutoContrast": (Fixed("DctAutoContrast", 0), F.autocontrast),
    "DctEqualize": (Fixed("DctEqualize", 0), F.equalize),
    "DctPosterize, 4 bits of means": (
        Fixed("DctPosterize", 7 / 5),
        lambda x: F.posterize(x, 4),
    ),
    "DctSolarize, means above 128": (
        Fixed("DctSolarize", 0.5),
        lambda x: F.solarize(x, 128),
    ),
}


def pixels(image):
    """uint8 (3, H, W), chroma repeated by the exact operators."""
    x = image.to_tensor(layout="concat").reshape(3, 8, 8, SIZE // 8, SIZE // 8)
    k = torch.arange(8)
    d = 0.5 * torch.cos(torch.pi * (2 * k + 1) * k[:, None] / 16)
    d[0] /= 2**0.5
    y, cb, cr = torch.einsum("vy,cvupq,ux->cpyqx", d, x, d).reshape(3, SIZE, SIZE)
    rgb = [y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb]
    return (torch.stack(rgb) + 128).round().clamp(0, 255).to(torch.uint8)


def psnr(a, b):
    error = (a.double() - b.double()).square().mean()
    return 99.0 if error == 0 else float(10 * torch.log10(255**2 / error))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=30)
    parser.add_argument("--picture", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    files = sorted(args.folder.rglob("*.[Jj][Pp]*[Gg]"))
    files = files[:: max(len(files) // args.limit, 1)][: args.limit]
    crop = T.Compose([T.Resize(256), T.CenterCrop(SIZE)])
    # To 4:4:4 first, so that both sides see the same chroma.
    images = []
    for path in files:
        shown = pixels(crop(dctload.decode(path)))
        rgb = shown.permute(1, 2, 0).numpy()
        images.append(dctload.from_rgb(rgb, subsampling="4:4:4"))
    rows = []
    for name, (ours, theirs) in OPERATIONS.items():
        pairs = [(pixels(ours(image)), theirs(pixels(image))) for image in images]
        values = sorted(psnr(a, b) for a, b in pairs)
        print(f"| {name} | {np.median(values):.1f} | {values[0]:.1f} |")
        rows.append((name, torch.cat([pairs[0][0], pairs[0][1]], dim=2)))
    if args.picture:
        draw(rows).save(args.picture)


def draw(rows, columns=4, label=14):
    """All pairs, at half the size, each under its name."""
    from PIL import Image, ImageDraw

    width, height = SIZE + 4, SIZE // 2 + label
    shape = columns * width, -(-len(rows) // columns) * height
    sheet = Image.new("RGB", shape, "white")
    text = ImageDraw.Draw(sheet)
    for k, (name, pair) in enumerate(rows):
        left, top = k % columns * width, k // columns * height
        text.text((left + 2, top + 1), name, "black")
        pixels = pair[:, ::2, ::2].permute(1, 2, 0).numpy()
        sheet.paste(Image.fromarray(pixels), (left, top + label))
    return sheet.quantize(256)  # a third of the size


if __name__ == "__main__":
    main()
