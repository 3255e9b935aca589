"""Loaders that transform on a device give what those that transform on threads give."""

import io
import json
import logging
from pathlib import Path

import pytest
import torch
from conftest import jpeg_bytes, picture
from jpegimage import encode_image, interleaved, random_image
from test_batched import turn

import dctload
from dctload import DataLoader, Files, ImageFolder
from dctload import transforms as T

pytestmark = pytest.mark.timeout(60)

NUM = 29
RANDOM = T.Compose(
    [
        T.RandomResizedCrop(48),
        T.RandomHorizontalFlip(),
        T.ColorJitter(0.4, 0.4, 0.4),
        T.SelectFrequencies("24"),
        T.Normalize("imagenet"),
    ]
)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Every kind of file: samplings, turned, CMYK, a PNG; sizes differ."""
    from PIL import Image

    root = tmp_path_factory.mktemp("kinds")
    kinds = [
        {"subsampling": "4:2:0"}, {"subsampling": "4:4:4"}, {"mode": "L"},
        {"subsampling": "4:2:2"}, {"progressive": True}, {"mode": "CMYK"},
        {"subsampling": "4:4:4", "keep_rgb": True},
    ]  # fmt: skip
    out = []
    for i in range(NUM):
        pixels = picture(70 + 5 * i, 150 - 3 * i, i)
        data = jpeg_bytes(pixels, **kinds[i % len(kinds)])
        if i % 5 == 4:
            data = turn(data, 6)
        if i == 11:
            memory = io.BytesIO()
            Image.fromarray(pixels).save(memory, "PNG")
            data = memory.getvalue()
        out.append(str(root / f"{i:02}.jpg"))
        (root / f"{i:02}.jpg").write_bytes(data)
    return out


@pytest.fixture
def pair(paths):
    """Two loaders that are to give the same: on threads, on a device."""

    def make(transform=RANDOM, files=paths, **options):
        options = {"batch_size": 8, "seed": 4, **options}
        data = Files(files, range(len(files)), transform=transform)
        device = {"device": "cpu", "transform_on": "device"}
        return DataLoader(data, **options), DataLoader(data, **options, **device)

    return make


def assert_alike(one, other):
    one = one if isinstance(one, (list, tuple)) else [one]
    other = other if isinstance(other, (list, tuple)) else [other]
    for a, b in zip(one, other, strict=True):
        assert a.dtype == b.dtype
        assert a.is_contiguous(memory_format=torch.channels_last) == (
            b.is_contiguous(memory_format=torch.channels_last)
        )
        torch.testing.assert_close(a, b, rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("layout", ["concat", "planes"])
def test_batches_are_those_of_threads(pair, layout, num_workers):
    for host, device in zip(
        *pair(shuffle=True, num_workers=num_workers, layout=layout), strict=True
    ):
        assert_alike(host[0], device[0])
        assert host[1].tolist() == device[1].tolist()


@pytest.mark.parametrize(
    ("dtype", "memory_format"),
    [
        (torch.float16, torch.channels_last),
        (torch.float32, torch.channels_last),
        (torch.float16, torch.contiguous_format),
    ],
)
def test_types_and_memory_formats_are_too(pair, dtype, memory_format):
    loaders = pair(dtype=dtype, memory_format=memory_format)
    for host, device in zip(*loaders, strict=True):
        assert device[0].dtype == dtype
        assert device[0].is_contiguous(memory_format=memory_format)
        assert_alike(host[0], device[0])


@pytest.mark.parametrize("fit", ["crop", "pad", "list"])
def test_sizes_are_fitted_alike(pair, fit):
    transform = [T.RandomHorizontalFlip()]
    for host, device in zip(*pair(transform, fit=fit, layout="planes"), strict=True):
        if fit == "list":
            for a, b in zip(host[0], device[0], strict=True):
                assert_alike(a, b)
        else:
            assert_alike(host[0], device[0])


def test_orientation_is_left_if_told_so(pair):
    for host, device in zip(*pair(apply_orientation=False), strict=True):
        assert_alike(host[0], device[0])


def test_a_collate_function_gets_the_same_samples(pair):
    def collate(samples):
        return [x for x, _ in samples], [t for _, t in samples]

    for host, device in zip(*pair(collate_fn=collate), strict=True):
        assert_alike(host[0], device[0])
        assert host[1] == device[1]


def test_boxes_in_targets_move_alike(paths):
    from torchvision import tv_tensors

    def box(i):
        return tv_tensors.BoundingBoxes(
            [[3, 4, 30 + i, 40]], format="XYXY", canvas_size=(150 - 3 * i, 70 + 5 * i)
        )

    upright = [i for i in range(NUM) if i % 5 != 4]
    files = [paths[i] for i in upright]
    options = {"batch_size": 6, "seed": 2, "collate_fn": lambda samples: samples}
    data = Files(files, [box(i) for i in upright], transform=RANDOM)
    on_device = DataLoader(data, device="cpu", transform_on="device", **options)
    for host, device in zip(DataLoader(data, **options), on_device, strict=True):
        for (_, ours), (_, theirs) in zip(host, device, strict=True):
            assert ours.tolist() == theirs.tolist()


def test_it_resumes_where_the_other_stopped(pair):
    host, device = pair(shuffle=True, num_workers=2)
    iterator = iter(device)
    next(iterator), next(iterator)
    state = json.loads(json.dumps(device.state_dict()))
    iterator.close()
    host.load_state_dict(state)
    again = pair(shuffle=True)[1]
    again.load_state_dict(state)
    rest = list(zip(host, again, strict=True))
    assert len(rest) == 2
    for one, other in rest:
        assert_alike(one[0], other[0])


class TestBadFiles:
    @pytest.fixture
    def files(self, paths, tmp_path):
        bad = {}
        for name, i in (("empty", 2), ("cut", 9), ("text", 10), ("components", 20)):
            path = tmp_path / f"{name}.jpg"
            data = Path(paths[i]).read_bytes()
            path.write_bytes(
                {"empty": b"", "cut": data[: len(data) // 2], "text": b"hello" * 9}.get(
                    name, two_components()
                )
            )
            bad[i] = str(path)
        return [bad.get(i, path) for i, path in enumerate(paths)], bad

    @pytest.mark.parametrize("on_error", ["replace", "skip"])
    def test_they_are_replaced_or_skipped_alike(self, pair, files, on_error, caplog):
        caplog.set_level(logging.CRITICAL)
        names, bad = files
        transform = T.Compose([T.Resize((32, 32)), T.SelectFrequencies("6")])
        host, device = pair(transform, names, on_error=on_error)
        for one, other in zip(host, device, strict=True):
            assert_alike(one[0], other[0])
            assert one[1].tolist() == other[1].tolist()
        assert set(device.stats.bad_files) == set(bad.values())
        assert device.stats.replaced == host.stats.replaced
        assert device.stats.skipped == host.stats.skipped

    def test_they_are_raised_by_name_and_those_after_still_come(self, pair, files):
        names, bad = files
        transform = T.Compose([T.Resize((32, 32))])
        device = pair(transform, names, batch_size=1, num_workers=2)[1]
        iterator = iter(device)
        for i in range(NUM):
            if i in bad:
                with pytest.raises(dctload.DctloadError) as error:
                    next(iterator)
                assert error.value.name == bad[i]
            else:
                assert next(iterator)[1].tolist() == [i]
        assert list(iterator) == []

    def test_a_batch_of_nothing_but_bad_files_is_one_replacement(self, pair, files):
        names, bad = files
        names = [*bad.values(), names[0]]
        transform = T.Compose([T.Resize((32, 32))])
        host, device = pair(transform, names, batch_size=4, on_error="skip")
        for one, other in zip(host, device, strict=True):
            assert_alike(one[0], other[0])
            assert one[1].tolist() == other[1].tolist()


def two_components():
    """A good JPEG that is neither grey nor YCbCr."""
    image = random_image(40, 24, [(1, 1), (1, 1)])
    return encode_image(image, interleaved(image))


def test_a_device_is_needed(paths):
    data = Files(paths, transform=RANDOM)
    with pytest.raises(ValueError, match="needs a device"):
        DataLoader(data, transform_on="device")
    with pytest.raises(ValueError, match="'host', 'device'"):
        DataLoader(data, transform_on="gpu", device="cpu")
    with pytest.raises(RuntimeError, match="gpu"):
        DataLoader(data, device="gpu")


def test_transforms_that_a_device_lacks_are_named_when_the_loader_is_made(paths):
    data = Files(paths, transform=[T.RandomEqualize(), T.Resize((32, 32))])
    with pytest.raises(ValueError, match=r"resampling after RandomEqualize.*in Python"):
        DataLoader(data, device="cpu", transform_on="device")


def test_a_folder_works_too(jpeg_folder):
    data = ImageFolder(jpeg_folder, transform=RANDOM)
    loader = DataLoader(data, 4, device="cpu", transform_on="device", num_workers=1)
    for _ in range(2):
        assert [len(x) for x, _ in loader] == [4, 2]
