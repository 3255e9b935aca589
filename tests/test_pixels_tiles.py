"""Operations on tiles, as resampling leaves them: what they do is what rows get."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from operations import drawn_params, photograph

from dctload import transforms as T
from dctload._ops import Op, params
from dctload.transforms._base import pending
from dctload.transforms.affine import inverse_matrix


def _map_of_kind(kind, rng, width, height):
    """Parameters of a nearest warp: a shear, a move, a turn, or all of it."""
    zero, one = np.zeros(1), np.ones(1)
    a = rng.uniform(-1, 1, 1)
    angle, scale, moves, shears = zero, one, [zero, zero], [zero, zero]
    if kind < 2:
        shears[kind] = 60 * a
    elif kind < 4:
        moves[kind - 2] = np.rint(120 * a)
    elif kind == 4:
        angle = 180 * a
    else:
        angle, scale, moves = 9 * a, rng.choice([0.3, 1, 2.5], 1), [300 * a, 31 * a]
    corner = None if kind >= 4 else (zero, zero)
    size = np.array([width]), np.array([height])
    matrix = inverse_matrix(size, corner, angle, tuple(moves), scale, tuple(shears))
    blend = rng.random() < 0.5
    levels = (10, 20, 30) if blend else (0, 0, 0)
    return params(1, *matrix.T, *levels, False, blend, width, height)


def _by_tiles_and_rows(image, ops, layout):
    """Tensors of operations; what does nothing, but on no tile, makes it rows."""
    yes = np.array([True])
    geometry = pending(image)
    for kind, p in ops:
        geometry = geometry.with_op(kind, p, yes)
        if kind == Op.WARP:
            geometry = replace(geometry, ops_size=p[:, 11:13].astype(np.int64))
    for last in (geometry, geometry.with_op(Op.NONE, params(1, 0), yes)):
        tensors = image._replace(pending=last).to_tensor(layout=layout)
        yield tensors if isinstance(tensors, tuple) else (tensors,)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("options", [{"subsampling": "4:2:0"}, {"mode": "L"}])
@pytest.mark.parametrize("layout", ["planes", "concat"])
def test_tiles_move_to_the_bit_as_rows_do(layout, options, turned):
    """Shears and moves, which shift rows or columns, and any other map."""
    rng = np.random.default_rng(7)
    image = photograph(200, 180, 1, **options)
    image = T.CenterCrop((64, 96))(T.Resize((70, 100))(image))
    image = T.Transpose()(image) if turned else image
    size = image.width, image.height
    for k in range(60):
        p = _map_of_kind(k % 6, rng, *size)
        tiles, rows = _by_tiles_and_rows(image, [(Op.WARP, p)], layout)
        for a, b in zip(tiles, rows, strict=True):
            assert torch.equal(a, b), p


@pytest.mark.parametrize("size", [(96, 128), (128, 96), (48, 64), (70, 90)])
def test_a_map_to_another_size_is_none_of_tiles(size):
    """What it begins with are not tiles of what it ends with."""
    image = T.Resize(size)(photograph(90, 70, subsampling="4:2:0"))
    crop = np.array([[1, 0, 3, 0, 1, 5, 0, 0, 0, 0, 0, 96, 64]], float)
    ops = [(Op.BRIGHTNESS, params(1, 1.2)), (Op.WARP, crop)]
    for layout in ("planes", "concat"):
        for a, b in zip(*_by_tiles_and_rows(image, ops, layout), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("seed", range(12))
def test_operations_in_turn_on_tiles_are_those_on_rows(seed):
    rng = np.random.default_rng(seed)
    options = [{"subsampling": "4:2:0"}, {"mode": "L"}, {}][seed % 3]
    image = T.Resize((64, 96))(photograph(90, 70, seed, **options))
    steady = [Op.BRIGHTNESS, Op.CONTRAST, Op.SATURATION, Op.SHARPNESS]
    for layout in ("planes", "concat"):
        kinds = [Op.WARP, *rng.permutation(steady), Op.WARP]
        ops = []
        for kind in kinds:
            p = drawn_params(kind, rng, 96, 64)
            kind_of_map = int(rng.integers(6))
            if kind == Op.WARP:
                p = _map_of_kind(kind_of_map, rng, 96, 64)
            ops.append((int(kind), p))
        for a, b in zip(*_by_tiles_and_rows(image, ops, layout), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=5e-3)


@pytest.mark.parametrize(
    ("size", "layout"),
    [((1024, 32), "planes"), ((512, 32), "planes"), ((272, 16), "concat")],
)
@pytest.mark.parametrize("turned", [False, True])
def test_images_much_higher_than_wide_are_sharpened_too(size, layout, turned):
    """Rows of RGB of a turned image are as long as it is high."""
    image = photograph(300, 64, 2, subsampling="4:2:0")
    image = T.Transpose()(image) if turned else image
    image = T.Resize(size)(image)
    ops = [(Op.SHARPNESS, params(1, 1.8)), (Op.BRIGHTNESS, params(1, 1.1))]
    for tiles, rows in zip(*_by_tiles_and_rows(image, ops, layout), strict=True):
        torch.testing.assert_close(tiles, rows, atol=2e-3, rtol=1e-4)
