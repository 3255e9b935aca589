"""Operations to try, and images to try them on; for the tests of pixels only."""

import numpy as np
from conftest import jpeg_bytes, picture

import dctload
from dctload import transforms as T
from dctload._ops import Op
from dctload.transforms._base import pending

# Results that jump where a level is rounded, which float and double do differently
# for a few samples in ten thousand.
JUMPS = (Op.POSTERIZE, Op.EQUALIZE, Op.SOLARIZE)


def photograph(width=120, height=88, seed=0, **options):
    options = {"quality": 97, "subsampling": "4:4:4", **options}
    return dctload.decode(jpeg_bytes(picture(width, height, seed), **options))


def as_planes(tensors, layout):
    """What to_tensor() gives, as planes (by, bx, 8, 8) of Y, Cb and Cr."""
    if layout == "planes":
        y, chroma = tensors
        parts = [y, chroma[:64], chroma[64:]]
    else:
        parts = list(tensors.split(64))
    return [p.permute(1, 2, 0).reshape(*p.shape[1:], 8, 8).numpy() for p in parts]


def drawn_params(kind, rng, width, height):
    """Parameters that the operation may meet."""
    r = rng.random
    made = {
        Op.WARP: lambda: [
            *(r(2) * 2.4 - 1.2),
            r() * width,
            *(r(2) * 2.4 - 1.2),
            r() * height,
            *(r(3) * 50 - 25),
            r() < 0.5,
            r() < 0.5,
            width,
            height,
        ],
        Op.ERASE: lambda: [
            *(r(2) * 40 - 3),
            *(r(2) * 80),
            *(r(3) * 50 - 25),
        ],
        Op.ERASE_RANDOM: lambda: [
            *(r(2) * 40 - 3),
            *(r(2) * 80),
            *(r(3) * 50 - 25),
            *(r(3) * 40),
        ],
        Op.COLOR: lambda: [r() * 2, r() * 10, *r(5), 0, 0],
        Op.POSTERIZE: lambda: [int(r() * 9)],
        Op.SOLARIZE: lambda: [r() * 255],
        Op.NOISE: lambda: [3, 20, r() < 0.5],
        Op.GAIN: lambda: [*r(11), r() < 0.5, int(1 + 3 * r())],
        Op.REQUANTIZE: lambda: [int(1 + 100 * r())],
        Op.DC_POSTERIZE: lambda: [2.0 ** int(r() * 6 + 3)],
        Op.DC_SOLARIZE: lambda: [r() * 400 - 200],
        Op.DC_SOLARIZE_ADD: lambda: [r() * 400],
    }
    return np.array([made.get(kind, lambda: [r() * 2])()], np.float64)


def each_operation():
    """Planes of a sample of every kind of operation, in both layouts."""
    out = []
    for kind in list(Op)[1:]:
        for layout in ("planes", "concat"):
            rng = np.random.default_rng(kind)
            image = T.Resize((48, 64))(photograph(90, 70, subsampling="4:2:0"))
            p = drawn_params(kind, rng, 64, 48)
            geometry = pending(image).with_op(kind, p, np.array([True]))
            made = image._replace(pending=geometry).to_tensor(layout=layout)
            out += as_planes(made, layout)
    return out
