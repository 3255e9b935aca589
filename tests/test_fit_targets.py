"""Boxes and masks of a batch of several sizes have the size of their image."""

import pytest
import torch
from conftest import jpeg_bytes, picture
from PIL import Image

from dctload import DataLoader, Files
from dctload import transforms as T

tv = pytest.importorskip("torchvision.tv_tensors")

SIZES = [(64, 48), (80, 56), (49, 70), (120, 41), (72, 72)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of five sizes, a PNG and a CMYK one among them; marks in each target."""
    root, targets = tmp_path_factory.mktemp("sizes"), []
    for i, (width, height) in enumerate(SIZES):
        pixels = picture(width, height, i)
        if i == 2:
            Image.fromarray(pixels).save(root / f"{i}.jpg", "PNG")
        else:
            (root / f"{i}.jpg").write_bytes(
                jpeg_bytes(pixels, mode="CMYK" if i == 3 else "RGB")
            )
        mark = torch.arange(1, 1 + height * width).reshape(1, height, width)
        box = [width / 2 - 2, height / 2 - 3, width / 2 + 4, height / 2 + 5]
        canvas = {"format": "XYXY", "canvas_size": (height, width)}
        targets.append(
            {"mask": tv.Mask(mark), "boxes": tv.BoundingBoxes([box], **canvas)}
        )
    return sorted(root.iterdir()), targets


def on_host(**options):
    return DataLoader(num_workers=2, collate_fn=list, **options)


def on_device(**options):
    return on_host(device="cpu", transform_on="device", **options)


@pytest.mark.parametrize("batch_size", [1, 5])
@pytest.mark.parametrize("layout", ["concat", "planes"])
@pytest.mark.parametrize("fit", ["crop", "pad", "list"])
@pytest.mark.parametrize("loader", [on_host, on_device])
def test_targets_have_the_size_of_their_image(files, loader, fit, layout, batch_size):
    data = Files(*files, T.RandomHorizontalFlip(0.0), layout=layout)
    batches = loader(dataset=data, batch_size=batch_size, fit=fit)
    samples = [sample for batch in batches for sample in batch]
    for (x, target), (width, height) in zip(samples, SIZES, strict=True):
        luma = x[0] if layout == "planes" else x
        rows, columns = 8 * luma.shape[1], 8 * luma.shape[2]
        assert target["mask"].shape == (1, rows, columns)
        assert target["boxes"].canvas_size == (rows, columns)
        left = top = 0
        if fit == "crop":
            left, top = round((width - columns) / 2), round((height - rows) / 2)
        right, bottom = min(width - left, columns), min(height - top, rows)
        mark = torch.arange(1, 1 + height * width).reshape(height, width)
        mask = target["mask"][0]
        assert torch.equal(
            mask[:bottom, :right], mark[top : top + bottom, left : left + right]
        )
        assert mask.count_nonzero() == bottom * right
        assert target["boxes"][0, 0] == width / 2 - 2 - left
        assert target["boxes"][0, 1] == height / 2 - 3 - top
        if fit == "list":
            unit = 16 if layout == "planes" else 8
            assert (rows, columns) == (
                -(-height // unit) * unit,
                -(-width // unit) * unit,
            )


def test_the_target_of_a_replacement_has_the_size_it_is_given(files, tmp_path):
    """It may be larger than the batch, and is cut then."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(files[0][0].read_bytes()[:700])
    paths, targets = [[part[i] for i in (3, 1, 0)] for part in files]
    data = Files([paths[0], bad, paths[2]], targets, [T.RandomHorizontalFlip()])
    sizes = set()
    for seed in range(6):
        loader = DataLoader(
            data, 1, fit="list", on_error="replace", seed=seed, collate_fn=list
        )
        for ((x, target),) in loader:
            sizes.add((8 * x.shape[1], 8 * x.shape[2]))
            assert target["mask"].shape[1:] == (8 * x.shape[1], 8 * x.shape[2])
    assert len(sizes) > 1
