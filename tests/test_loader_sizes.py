"""Batches of images whose sizes differ: cut, padded, or in lists."""

import pytest
import torch
from conftest import jpeg_bytes, picture

from dctload import DataLoader, Files
from dctload import transforms as T

pytestmark = pytest.mark.timeout(60)

SIZES = [(64, 48), (80, 56), (49, 70), (120, 33), (72, 72)]


@pytest.fixture(scope="session")
def sizes(tmp_path_factory):
    """Files of five sizes, one of them a PNG and one CMYK."""
    from PIL import Image

    root = tmp_path_factory.mktemp("sizes")
    for i, (width, height) in enumerate(SIZES):
        pixels = picture(width, height, i)
        if i == 2:
            Image.fromarray(pixels).save(root / f"{i}.jpg", "PNG")
        else:
            options = {"mode": "CMYK"} if i == 3 else {"subsampling": "4:2:0"}
            (root / f"{i}.jpg").write_bytes(jpeg_bytes(pixels, **options))
    return sorted(root.iterdir())


def alone(path, transform, layout="concat"):
    data = Files([path], transform=transform, layout=layout)
    return data[0][0]


@pytest.mark.parametrize("num_workers", [0, 2])
def test_fit_crop_keeps_the_middle_that_all_have(sizes, num_workers):
    data = Files(sizes, transform=T.SelectFrequencies("6"))
    loader = DataLoader(data, 5, fit="crop", num_workers=num_workers)
    ((x, target),) = loader
    assert x.shape == (5, 6, 4, 6)
    assert target.tolist() == [0, 1, 2, 3, 4]
    same = T.Compose([T.CenterCrop((32, 48)), T.SelectFrequencies("6")])
    for i, path in enumerate(sizes):
        torch.testing.assert_close(x[i], alone(path, same), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("layout", ["concat", "planes"])
def test_fit_pad_puts_images_at_the_top_left_of_grey(sizes, layout):
    data = Files(sizes, transform=T.SelectFrequencies("6"), layout=layout)
    ((x, _),) = DataLoader(data, 5, fit="pad", num_workers=1)
    # Luma, for chroma that is enlarged reaches half a sample over the edge.
    y = x[:, :4] if layout == "concat" else x[0]
    rows, columns = (9, 15) if layout == "concat" else (10, 16)
    assert y.shape[2:] == (rows, columns)
    if layout == "planes":
        assert x[1].shape[2:] == (rows // 2, columns // 2)
    for i, (width, height) in enumerate(SIZES):
        assert (y[i, :, -(-height // 8) :] == 0).all()
        assert (y[i, :, :, -(-width // 8) :] == 0).all()
        if width % 16 == height % 16 == 0:
            own = alone(sizes[i], T.SelectFrequencies("6"), layout)
            own = own[:4] if layout == "concat" else own[0]
            torch.testing.assert_close(y[i, :, : height // 8, : width // 8], own)


def test_fit_list_gives_each_image_its_own_size(sizes):
    data = Files(sizes, transform=T.SelectFrequencies("6"))
    loader = DataLoader(data, 3, fit="list", num_workers=2)
    images = [image for x, _ in loader for image in x]
    assert [tuple(image.shape[1:]) for image in images] == [
        (-(-height // 8), -(-width // 8)) for width, height in SIZES
    ]
    torch.testing.assert_close(images[1], alone(sizes[1], T.SelectFrequencies("6")))
    planes = DataLoader(data, 3, fit="list", layout="planes", collate_fn=list)
    (y, chroma), target = next(iter(planes))[1]
    assert (y.shape, chroma.shape) == ((4, 8, 10), (2, 4, 5))
    assert target == 1


def test_every_batch_has_the_size_that_fits_it(sizes):
    data = Files(sizes, transform=T.SelectFrequencies("6"))
    batches = [x for x, _ in DataLoader(data, 2, fit="pad", num_workers=3)]
    assert [tuple(x.shape[2:]) for x in batches] == [(7, 10), (9, 15), (9, 9)]


def test_fit_replaces_a_bad_file_in_the_batchs_own_size(sizes, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(sizes[0].read_bytes()[:700])
    data = Files([sizes[0], bad, sizes[1]], transform=T.SelectFrequencies("6"))
    for fit, shape in (("crop", (6, 8)), ("pad", (7, 10))):
        loader = DataLoader(data, 3, fit=fit, on_error="replace", seed=1)
        ((x, target),) = loader
        assert tuple(x.shape[2:]) == shape
        assert target[1] in (0, 2)
        assert x[1].isfinite().all()
        assert loader.stats.replaced == 1


def test_fit_says_what_it_cannot_do(sizes):
    data = Files(sizes, transform=T.SelectFrequencies("6"))
    with pytest.raises(ValueError, match=r"fit must be one of .*'squeeze'"):
        DataLoader(data, fit="squeeze")
    with pytest.raises(ValueError, match=r"needs transforms with a native plan"):
        DataLoader(data, fit="pad", transform=lambda image: image)
    loader = DataLoader(data, 5, fit="crop", transform=T.CenterCrop((5, 64)))
    with pytest.raises(ValueError, match=r"0\.jpg: 64 x 5 is smaller than .* 8 x 8"):
        next(iter(loader))
