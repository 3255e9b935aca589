"""The loader: what batches hold, in which order, from which data sets."""

import inspect
import os
import pickle
import tarfile
import time
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
import torch.utils.data
from conftest import jpeg_bytes, picture
from torch.utils.data import ConcatDataset, Subset

from dctload import DataLoader, Files, ImageFolder
from dctload import transforms as T
from dctload.data import TarShards

pytestmark = pytest.mark.timeout(60)

NUM = 23
PLAIN = T.Compose([T.Resize(64), T.CenterCrop(48)])
RANDOM = T.Compose(
    [T.RandomResizedCrop(48), T.RandomHorizontalFlip(), T.SelectFrequencies("24")]
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """23 files of all sorts in three classes."""
    root = tmp_path_factory.mktemp("mixed")
    kinds = [
        {"subsampling": "4:2:0"}, {"subsampling": "4:4:4"}, {"mode": "L"},
        {"subsampling": "4:2:2"}, {"progressive": True}, {"quality": 100},
    ]  # fmt: skip
    for i in range(NUM):
        path = root / "abc"[i % 3] / f"{i:02}.jpg"
        path.parent.mkdir(exist_ok=True)
        pixels = picture(70 + 3 * i, 96 - 2 * i, i)
        path.write_bytes(jpeg_bytes(pixels, **kinds[i % len(kinds)]))
    return root


def whole(loader):
    """Everything of one epoch: x and targets."""
    batches = list(loader)
    return torch.cat([x for x, _ in batches]), torch.cat([t for _, t in batches])


# ---- batches ----


@pytest.mark.parametrize("num_workers", [0, 1, 4])
@pytest.mark.parametrize("batch_size", [1, 5, 23, 40])
def test_a_batch_holds_the_samples_of_the_data_set(folder, num_workers, batch_size):
    data = ImageFolder(folder, transform=PLAIN)
    loader = DataLoader(data, batch_size=batch_size, num_workers=num_workers)
    x, target = whole(loader)
    assert x.shape == (NUM, 192, 6, 6)
    assert target.tolist() == data.targets
    for i in range(NUM):
        one, t = data[i]
        assert torch.equal(x[i], one)
        assert t == target[i]


def test_the_last_batch_is_short_or_left_out(folder):
    data = ImageFolder(folder, transform=PLAIN)
    for drop_last, sizes in [(False, [10, 10, 3]), (True, [10, 10])]:
        loader = DataLoader(data, batch_size=10, drop_last=drop_last)
        assert [len(x) for x, _ in loader] == sizes
        assert len(loader) == len(iter(loader)) == len(sizes)


@pytest.mark.parametrize(
    ("dtype", "memory_format"),
    [
        (torch.float32, torch.channels_last),
        (torch.float16, torch.contiguous_format),
        (torch.bfloat16, torch.channels_last),
        (torch.int16, torch.contiguous_format),
        (torch.int8, torch.contiguous_format),
    ],
)
def test_options_of_the_loader_go_over_those_of_the_data_set(
    folder, dtype, memory_format
):
    options = {"dtype": dtype, "memory_format": memory_format}
    plain = ImageFolder(folder, transform=PLAIN, dtype=torch.float32)
    data = ImageFolder(folder, transform=PLAIN, **options)
    x, _ = next(iter(DataLoader(plain, batch_size=4, **options)))
    assert x.dtype == dtype
    assert x.shape == (4, 192, 6, 6)
    assert x.is_contiguous(memory_format=memory_format)
    for i in range(4):
        assert torch.equal(x[i], data[i][0])


def test_planes_are_a_pair_of_luma_and_chroma(folder):
    data = ImageFolder(folder, transform=PLAIN, layout="planes")
    (y, chroma), target = next(iter(DataLoader(data, batch_size=6, num_workers=2)))
    assert y.shape == (6, 64, 6, 6)
    assert chroma.shape == (6, 128, 3, 3)
    for i in range(6):
        assert torch.equal(y[i], data[i][0][0])
        assert torch.equal(chroma[i], data[i][0][1])
    assert target.tolist() == data.targets[:6]


def test_pin_memory_without_cuda_is_no_error(folder):
    data = ImageFolder(folder, transform=PLAIN)
    x, _ = next(iter(DataLoader(data, batch_size=4, pin_memory=True)))
    assert x.is_pinned() == torch.cuda.is_available()


def test_a_given_transform_takes_the_place_of_the_data_sets(folder):
    data = ImageFolder(folder, transform=RANDOM)
    x, _ = next(iter(DataLoader(data, batch_size=2, transform=T.Resize((16, 24)))))
    assert x.shape == (2, 192, 2, 3)


def test_sizes_that_differ_are_refused_at_once(folder):
    with pytest.raises(ValueError, match=r"that of Resize\(.*depends on the image"):
        DataLoader(ImageFolder(folder, transform=T.Resize(64)))
    with pytest.raises(ValueError, match="that of the files depends on the image"):
        DataLoader(ImageFolder(folder))


def test_orientation_is_applied_unless_told_otherwise(tmp_path):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = picture(64, 48)
    (tmp_path / "a.jpg").write_bytes(jpeg_bytes(pixels, exif=exif.tobytes()))
    (tmp_path / "b.jpg").write_bytes(jpeg_bytes(pixels))
    data = Files([tmp_path / "a.jpg", tmp_path / "b.jpg"], transform=T.CenterCrop(48))
    (turned, plain), _ = next(iter(DataLoader(data, batch_size=2)))
    assert not torch.equal(turned, plain)
    # A quarter turn clockwise of the means, which are channel 0.
    torch.testing.assert_close(turned[0], plain[0].T.flip(1))
    (turned, plain), _ = next(
        iter(DataLoader(data, batch_size=2, apply_orientation=False))
    )
    assert torch.equal(turned, plain)


# ---- the interface is torch's ----


def test_every_argument_of_torchs_loader_is_there_with_its_default():
    theirs = inspect.signature(torch.utils.data.DataLoader).parameters
    ours = inspect.signature(DataLoader).parameters
    for name, parameter in theirs.items():
        assert ours[name].kind == parameter.kind, name
        assert ours[name].default == parameter.default, name
    positional = [n for n, p in theirs.items() if p.kind == p.POSITIONAL_OR_KEYWORD]
    assert list(ours)[: len(positional)] == positional
    assert all(
        ours[n].kind == inspect.Parameter.KEYWORD_ONLY for n in set(ours) - set(theirs)
    )


# torch 2.4's, the oldest that is supported: positional, then by keyword only.
TORCH_2_4 = {
    "dataset": inspect.Parameter.empty, "batch_size": 1, "shuffle": None,
    "sampler": None, "batch_sampler": None, "num_workers": 0, "collate_fn": None,
    "pin_memory": False, "drop_last": False, "timeout": 0, "worker_init_fn": None,
    "multiprocessing_context": None, "generator": None,
}  # fmt: skip
TORCH_2_4_KEYWORDS = {
    "prefetch_factor": None, "persistent_workers": False, "pin_memory_device": "",
}  # fmt: skip


def test_every_argument_of_torch_2_4_is_there_with_its_default():
    ours = inspect.signature(DataLoader).parameters
    assert list(ours)[: len(TORCH_2_4)] == list(TORCH_2_4)
    for name, default in {**TORCH_2_4, **TORCH_2_4_KEYWORDS}.items():
        assert ours[name].default == default, name
    for name in TORCH_2_4_KEYWORDS:
        assert ours[name].kind == inspect.Parameter.KEYWORD_ONLY, name


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_workers": -1},
        {"timeout": -1},
        {"prefetch_factor": 2},
        {"persistent_workers": True},
        {"batch_size": 0},
        {"batch_size": None, "drop_last": True},
        {"shuffle": True, "sampler": [1]},
        {"batch_sampler": [[1]], "batch_size": 2},
        {"batch_sampler": [[1]], "shuffle": True},
        {"num_workers": 1, "multiprocessing_context": "no such"},
    ],
)
def test_what_torch_refuses_is_refused(folder, arguments):
    data = ImageFolder(folder, transform=PLAIN)
    with pytest.raises(ValueError, match=r".") as theirs:
        torch.utils.data.DataLoader(data, **arguments)
    with pytest.raises(ValueError, match=r".") as ours:
        DataLoader(data, **arguments)
    assert str(ours.value).split()[0] == str(theirs.value).split()[0]


def test_it_is_a_torch_loader_whose_attributes_are_the_arguments(folder):
    data = ImageFolder(folder, transform=PLAIN)
    loader = DataLoader(data, 4, num_workers=2, drop_last=True, seed=3)
    assert isinstance(loader, torch.utils.data.DataLoader)
    assert loader.dataset is data
    for name in inspect.signature(DataLoader).parameters:
        assert name == "shuffle" or hasattr(loader, name), name
    with pytest.raises(ValueError, match="batch_size attribute should not be set"):
        loader.batch_size = 8


def test_arguments_about_processes_are_taken_and_change_nothing(folder):
    data = ImageFolder(folder, transform=PLAIN)

    def never(worker):
        raise AssertionError

    loader = DataLoader(
        data, 6, num_workers=2, worker_init_fn=never, persistent_workers=True,
        multiprocessing_context="spawn", prefetch_factor=4, pin_memory_device="cuda",
        timeout=30, in_order=False,
    )  # fmt: skip
    assert torch.equal(whole(loader)[0], whole(DataLoader(data, 6))[0])


def test_no_warning_about_more_threads_than_cores(folder, recwarn):
    DataLoader(ImageFolder(folder, transform=PLAIN), num_workers=64)
    assert not recwarn.list


@pytest.mark.parametrize(
    "make",
    [
        lambda data: {},
        lambda data: {"sampler": [5, 3, 5, 0, 9]},
        lambda data: {
            "sampler": torch.utils.data.RandomSampler(
                data, generator=torch.Generator().manual_seed(4)
            )
        },
        lambda data: {"sampler": torch.utils.data.RandomSampler(data)},
        lambda data: {
            "sampler": torch.utils.data.WeightedRandomSampler(
                [1.0 + i for i in range(NUM)], 40
            )
        },
        lambda data: {"sampler": torch.utils.data.SubsetRandomSampler(range(3, 19))},
        lambda data: {
            "sampler": torch.utils.data.DistributedSampler(data, 3, 1, seed=2),
            "drop_last": True,
        },
        lambda data: {"batch_sampler": [[0, 1], [5], [9, 8, 7, 6]], "batch_size": 1},
        lambda data: {
            "batch_sampler": torch.utils.data.BatchSampler(
                torch.utils.data.RandomSampler(data), 7, True
            ),
            "batch_size": 1,
        },
    ],
)
@pytest.mark.parametrize("num_workers", [0, 3])
def test_batches_are_those_of_torchs_loader(folder, make, num_workers):
    """Same data set and sampler: same samples in the same order, twice over."""
    data = ImageFolder(folder, transform=PLAIN, apply_orientation=False)
    epochs = []
    for kind in (torch.utils.data.DataLoader, DataLoader):
        torch.manual_seed(11)
        options = {"batch_size": 4, **make(data)}
        if kind is DataLoader:
            options["num_workers"] = num_workers
        loader = kind(data, **options)
        epochs.append([batch for _ in range(2) for batch in loader])
    theirs, ours = epochs
    assert len(ours) == len(theirs)
    for (x, target), (want_x, want_target) in zip(ours, theirs, strict=True):
        assert torch.equal(target, want_target)
        assert torch.equal(x, want_x)


def test_indices_below_zero_count_from_the_end_as_in_torch(folder):
    data = ImageFolder(folder, transform=PLAIN)
    ((want, target),) = DataLoader(data, 2, sampler=[NUM - 1, 2])
    for loader in (
        DataLoader(data, 2, sampler=[-1, 2]),
        DataLoader(data, batch_sampler=[[-1, 2]]),
        DataLoader(Subset(data, [-1, 2]), 2),
    ):
        ((x, got),) = loader
        assert torch.equal(x, want)
        assert torch.equal(got, target)


@pytest.mark.parametrize("wrong", [NUM, -NUM - 1])
def test_indices_of_no_sample_are_named(folder, wrong):
    data = ImageFolder(folder, transform=PLAIN)
    with pytest.raises(IndexError, match=f"sampler gave index {wrong} .* {NUM} samp"):
        list(DataLoader(data, 2, sampler=[0, wrong]))
    with pytest.raises(IndexError, match=f"Subset gave index {wrong} .* {NUM} samp"):
        DataLoader(Subset(data, [0, wrong]), 2)


def test_batch_size_none_gives_single_samples_as_torch_does(folder):
    data = ImageFolder(folder, transform=PLAIN)
    ours = list(DataLoader(data, batch_size=None, num_workers=2))
    theirs = list(torch.utils.data.DataLoader(data, batch_size=None))
    assert len(ours) == len(theirs) == NUM
    for (x, target), (want_x, want_target) in zip(ours, theirs, strict=True):
        assert torch.equal(x, want_x)
        assert target == want_target
        assert type(target) is type(want_target)


def test_a_loader_can_be_pickled(folder):
    loader = DataLoader(ImageFolder(folder, transform=RANDOM), 5, shuffle=True, seed=1)
    want = whole(loader)
    copy = pickle.loads(pickle.dumps(loader))
    copy.set_epoch(0)
    assert torch.equal(whole(copy)[0], want[0])


# ---- collating ----


def test_a_collate_fn_gets_the_samples_and_gives_the_batch(folder):
    data = ImageFolder(folder, transform=PLAIN)
    seen = []

    def collate(samples):
        seen.append([target for _, target in samples])
        return torch.stack([x for x, _ in samples]), len(samples)

    (x, num), *_ = DataLoader(data, 4, collate_fn=collate)
    assert num == 4
    assert seen[0] == data.targets[:4]
    assert all(type(target) is int for target in seen[0])
    assert torch.equal(x, next(iter(DataLoader(data, 4)))[0])


def test_a_collate_fn_gets_planes_as_pairs(folder):
    data = ImageFolder(folder, transform=PLAIN, layout="planes")
    loader = DataLoader(data, 4, collate_fn=lambda samples: samples)
    (y, chroma), target = next(iter(loader))[2]
    assert (y.shape, chroma.shape) == ((64, 6, 6), (128, 3, 3))
    assert target == data.targets[2]


@pytest.mark.parametrize(
    "target",
    [float, str, lambda i: {"id": i, "box": torch.ones(4) * i}, lambda i: (i, -i)],
)
def test_targets_are_collated_as_torch_does(folder, target):
    paths = [path for path, _ in ImageFolder(folder).samples]
    data = Files(paths, [target(i) for i in range(NUM)], transform=PLAIN)
    _, got = list(DataLoader(data, 2))[1]
    _, want = list(torch.utils.data.DataLoader(data, 2))[1]
    assert type(got) is type(want)
    assert str(got) == str(want)


@pytest.mark.parametrize("way", ["native", "python", "converted", "one"])
def test_boxes_in_the_target_move_with_the_image(folder, tmp_path, way):
    """Equal to what torchvision's own transforms make of them."""
    tv = pytest.importorskip("torchvision.tv_tensors")
    from PIL import Image
    from torchvision.transforms import v2

    exif = Image.Exif()
    exif[0x0112] = 6
    boxes, paths, want = [], [], []
    parts = [
        ("Resize", 64),
        ("CenterCrop", 48),
        ("RandomRotation", (20, 20)),
        ("RandomHorizontalFlip", 1.0),
    ]
    both = v2.Compose([getattr(v2, name)(argument) for name, argument in parts])
    for i in range(3):
        pixels = picture(90 + i, 70, i)
        paths.append(tmp_path / f"{i}.jpg")
        if way == "converted":
            Image.fromarray(pixels).save(paths[i], "PNG", exif=exif)
        else:
            paths[i].write_bytes(jpeg_bytes(pixels, exif=exif.tobytes()))
        corners = torch.tensor([[5.0 + i, 8, 60, 50], [20, 30, 40, 69]])
        options = {"format": "XYXY", "canvas_size": (70, 90 + i)}
        boxes.append({"boxes": tv.BoundingBoxes(corners, **options), "id": i})
        turned = v2.functional.rotate(boxes[i]["boxes"], -90, expand=True)
        want.append(both(turned))
    transform = T.Compose([getattr(T, name)(argument) for name, argument in parts])
    if way == "python":
        transform = T.Compose([transform, lambda image: image])
    data = Files(paths, boxes, transform=transform)
    if way == "one":
        samples = [data[i] for i in range(3)]
    else:
        loader = DataLoader(data, 3, collate_fn=list, num_workers=1)
        (samples,) = loader
    for i, (x, target) in enumerate(samples):
        assert x.shape == (192, 6, 6)
        assert target["id"] == i
        torch.testing.assert_close(target["boxes"], want[i])
    assert data.targets[0]["boxes"][0, 0] == 5  # left as they were


# ---- data sets of others ----


class Bytes:
    """(bytes, target, extra) from memory."""

    def __init__(self, folder):
        samples = ImageFolder(folder).samples
        self.files = [(Path(path).read_bytes(), target) for path, target in samples]

    def __len__(self):
        return len(self.files)

    def __getitem__(self, i):
        return self.files[i][0], self.files[i][1], f"extra {i}"


class Pair(NamedTuple):
    image: object
    label: int


def test_named_tuples_stay_named_as_in_torch(folder):
    path = ImageFolder(folder).samples[0][0]
    batch = next(iter(DataLoader([Pair(path, 7)] * 3, 3, transform=PLAIN)))
    assert type(batch) is Pair
    assert batch.label.tolist() == [7, 7, 7]


@pytest.mark.parametrize(
    "sample",
    [
        {"thumbnail": b"no image", "image": "path", "label": 1},
        {"id": b"n0", "path": "path"},
        {"content": "data", "name": "cat"},
    ],
)
def test_the_image_is_found_by_its_name_among_columns(folder, sample):
    path = ImageFolder(folder).samples[0][0]
    kinds = {"path": path, "data": Path(path).read_bytes()}
    given = {key: kinds.get(value, value) for key, value in sample.items()}
    (key,) = (key for key, value in sample.items() if value in ("path", "data"))
    batch = next(iter(DataLoader([given] * 2, 2, transform=PLAIN)))
    assert batch[key].shape == (2, 192, 6, 6)
    assert batch.keys() == sample.keys()


def test_a_transform_given_spares_the_data_sets_own(folder):
    tv = pytest.importorskip("torchvision.datasets")
    pixels = tv.ImageFolder(folder, transform=lambda image: image)
    x, _ = whole(DataLoader(pixels, 40, transform=PLAIN))
    want, _ = whole(DataLoader(ImageFolder(folder), 40, transform=PLAIN))
    assert torch.equal(x, want)
    parts = [ImageFolder(folder, T.CenterCrop(8 * i)) for i in (1, 2)]
    with pytest.raises(TypeError, match="different transforms"):
        DataLoader(ConcatDataset(parts))
    x, _ = whole(DataLoader(ConcatDataset(parts), 46, transform=PLAIN))
    assert torch.equal(x, torch.cat([want, want]))


def test_parts_with_other_formats_of_their_own_are_refused():
    parts = [Files(["a"]), Files(["b"], other_formats="skip")]
    with pytest.raises(TypeError, match="differ in other_formats"):
        DataLoader(ConcatDataset(parts), transform=PLAIN)


def test_the_samplers_order_is_known_before_the_first_epoch(folder):
    loader = DataLoader(ImageFolder(folder, PLAIN), 4, shuffle=True, seed=3)
    order = list(loader.sampler)
    data = Files([str(i) for i in range(NUM)])
    again = DataLoader(data, shuffle=True, seed=3, transform=PLAIN)
    assert order == list(again.sampler) != sorted(order)
    labels = ImageFolder(folder).targets
    assert whole(loader)[1].tolist() == [labels[i] for i in order]


def test_what_would_be_of_no_effect_is_refused(folder):
    data = ImageFolder(folder, PLAIN)
    loader = DataLoader(data)
    with pytest.raises(ValueError, match="transform is decided when"):
        loader.transform = RANDOM
    loader.transform = loader.transform  # as subclasses do
    with pytest.raises(TypeError, match=r"limits must be a dctload\.Limits"):
        DataLoader(data, limits=3)
    with pytest.raises(TypeError, match=r"shard must be a dctload\.data\.Shard"):
        DataLoader(data, shard=3)
    sampler = torch.utils.data.BatchSampler(range(9), 3, drop_last=False)
    with pytest.raises(TypeError, match="use batch_sampler="):
        DataLoader(data, batch_size=None, sampler=sampler)
    with pytest.raises(TypeError, match="MixUp works on batches"):
        DataLoader(data, transform=[PLAIN, T.MixUp(num_classes=3)])


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda image: T.CenterCrop(16)(image), "must not change sizes"),
        (lambda image: image.planes, "must give a DctImage"),
    ],
)
def test_a_transform_in_python_that_gives_something_else_is_told(
    folder, function, message
):
    loader = DataLoader(ImageFolder(folder, [PLAIN, function]), 4)
    with pytest.raises((TypeError, ValueError), match=message) as raised:
        next(iter(loader))
    if hasattr(raised.value, "__notes__"):
        assert raised.value.__notes__[0].endswith("00.jpg")


def test_a_data_set_of_bytes_gives_its_samples(folder):
    want = whole(DataLoader(ImageFolder(folder, transform=PLAIN), 8))
    loader = DataLoader(Bytes(folder), 8, transform=PLAIN, num_workers=2)
    batches = list(loader)
    assert torch.equal(torch.cat([x for x, _, _ in batches]), want[0])
    assert torch.equal(torch.cat([t for _, t, _ in batches]), want[1])
    assert batches[1][2] == tuple(f"extra {i}" for i in range(8, 16))


def test_subsets_and_concatenations_give_the_samples_chosen(folder):
    data = ImageFolder(folder, transform=PLAIN)
    chosen = [4, 20, 7]
    both = ConcatDataset([Subset(data, chosen), data])
    x, target = whole(DataLoader(both, 10, num_workers=2))
    want_x, want_target = whole(DataLoader(data, 10))
    assert torch.equal(x, torch.cat([want_x[chosen], want_x]))
    assert torch.equal(target, torch.cat([want_target[chosen], want_target]))


def test_torchvisions_folder_gives_the_same_batches_as_ours(folder):
    tv = pytest.importorskip("torchvision.datasets")
    want = whole(DataLoader(ImageFolder(folder, transform=PLAIN), 8))
    for data, options in [
        (tv.ImageFolder(str(folder)), {"transform": PLAIN}),
        (tv.ImageFolder(str(folder), transform=PLAIN), {}),
    ]:
        got = whole(DataLoader(data, 8, num_workers=2, **options))
        assert torch.equal(got[0], want[0])
        assert torch.equal(got[1], want[1])


def test_hugging_face_rows_come_as_dictionaries(folder):
    datasets = pytest.importorskip("datasets")
    own = ImageFolder(folder, transform=PLAIN)
    rows = datasets.Dataset.from_dict(
        {"image": [path for path, _ in own.samples], "label": own.targets}
    ).cast_column("image", datasets.Image())
    batches = list(DataLoader(rows, 8, transform=PLAIN, num_workers=2))
    want = whole(DataLoader(own, 8))
    assert torch.equal(torch.cat([batch["image"] for batch in batches]), want[0])
    assert torch.equal(torch.cat([batch["label"] for batch in batches]), want[1])


def test_tar_shards_give_the_same_batches_as_the_folder(folder, tmp_path):
    data = ImageFolder(folder, transform=PLAIN)
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for path, _ in data.samples:
            tar.add(path, os.path.relpath(path, folder))
    shards = TarShards(tmp_path / "x.tar", transform=PLAIN)
    got, want = whole(DataLoader(shards, 8, num_workers=2)), whole(DataLoader(data, 8))
    assert torch.equal(got[0], want[0])
    assert torch.equal(got[1], want[1])
    assert torch.equal(shards[5][0], data[5][0])


def test_an_empty_data_set_has_no_batch():
    loader = DataLoader(Files([], transform=PLAIN), 4, shuffle=True)
    assert list(loader) == list(loader) == []
    assert len(loader) == 0


# ---- the slow ways ----


def test_other_formats_and_cmyk_are_converted_and_counted(folder, tmp_path):
    from PIL import Image

    pixels = picture(80, 64)
    Image.fromarray(pixels).save(tmp_path / "a.jpg", "PNG")
    (tmp_path / "b.jpg").write_bytes(jpeg_bytes(pixels, mode="CMYK", quality=100))
    (tmp_path / "c.jpg").write_bytes(
        jpeg_bytes(pixels, quality=100, subsampling="4:4:4")
    )
    data = Files([tmp_path / f"{name}.jpg" for name in "abc"], transform=PLAIN)
    loader = DataLoader(data, 3, num_workers=2)
    x, _ = next(iter(loader))
    assert loader.stats.converted == 2
    for i in range(3):
        assert torch.equal(x[i], data[i][0])
    # CMYK written by Pillow has no black, so all three are one picture.
    assert (x[0] - x[2]).abs().max() < 12
    assert (x[1] - x[2]).abs().max() < 12


def test_a_transform_in_python_gives_the_same_as_one_in_c(folder, caplog):
    data = ImageFolder(folder)
    slow = T.Compose([RANDOM, lambda image: image])
    fast_loader = DataLoader(data, 8, transform=RANDOM, seed=5)
    slow_loader = DataLoader(data, 8, transform=slow, seed=5, num_workers=2)
    assert "transforming in Python" in caplog.text
    torch.testing.assert_close(whole(slow_loader)[0], whole(fast_loader)[0])
    assert slow_loader.stats.slow == NUM
    assert fast_loader.stats.slow == 0


# ---- statistics ----


@pytest.mark.parametrize("num_workers", [0, 2])
def test_statistics_count_what_was_delivered(folder, num_workers):
    data = ImageFolder(folder, transform=PLAIN)
    loader = DataLoader(data, 5, num_workers=num_workers)
    start = time.perf_counter()
    for _ in range(3):
        whole(loader)
    elapsed = time.perf_counter() - start
    stats = loader.stats
    assert (stats.images, stats.batches) == (3 * NUM, 15)
    assert stats.files == 3 * NUM
    assert stats.nbytes == 3 * sum(os.path.getsize(p) for p, _ in data.samples)
    assert 0 < stats.wait_for_producer_s < stats.elapsed_s <= elapsed
    assert stats.read_s > 0
    assert stats.decode_s > 0
    assert stats.transform_s > 0
    assert stats.num_threads == num_workers
    assert stats.images_per_s == pytest.approx(3 * NUM / stats.elapsed_s)


def test_the_report_names_what_binds(folder):
    loader = DataLoader(ImageFolder(folder, transform=PLAIN), 5, num_workers=1)
    assert "Nothing has been loaded" in loader.stats.report()
    for _ in loader:
        time.sleep(0.05)
    assert loader.stats.bottleneck() == "consumer"
    assert "23 images in 5 batches" in loader.stats.report()
    loader.stats.reset()
    assert loader.stats.images == 0

    def slow_collate(samples):
        time.sleep(0.05)
        return samples

    loader = DataLoader(loader.dataset, 5, collate_fn=slow_collate, num_workers=1)
    list(loader)
    assert loader.stats.bottleneck() == "python"
    assert "collate_fn" in loader.stats.report()
