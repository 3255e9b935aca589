"""Files that cannot be decoded: raised, replaced or skipped, and always named."""

import logging
import os

import numpy as np
import pytest
import torch
from conftest import jpeg_bytes, picture
from torch.utils.data import ConcatDataset, Subset

import dctload
from dctload import DataLoader, Files
from dctload import transforms as T

pytestmark = pytest.mark.timeout(60)

NUM = 20
BAD = {3: "truncated", 4: "missing", 5: "garbage", 17: "corrupt"}
# The whole image is needed, so damage is met wherever it is.
TRANSFORM = T.Compose([T.Resize((32, 32)), T.SelectFrequencies("6")])


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Twenty files of which four are bad, each in its own way."""
    root = tmp_path_factory.mktemp("some-bad")
    for i in range(NUM):
        data = jpeg_bytes(picture(60 + i, 50, i))
        if BAD.get(i) == "truncated":
            data = data[: len(data) // 2]
        elif BAD.get(i) == "garbage":
            data = b"\x00" * 500
        elif BAD.get(i) == "corrupt":
            data = data[:-400] + b"\xff\xd0" + data[-398:]
        if BAD.get(i) != "missing":
            (root / f"{i:02}.jpg").write_bytes(data)
    return [str(root / f"{i:02}.jpg") for i in range(NUM)]


@pytest.fixture
def make(paths):
    def build(batch_size=4, **options):
        data = Files(paths, transform=TRANSFORM)
        return DataLoader(data, batch_size, **{"seed": 1, **options})

    return build


def test_by_default_a_bad_file_is_raised_by_name_and_byte(make, paths):
    iterator = iter(make(1, num_workers=2))
    errors = {}
    for i in range(NUM):
        try:
            _, target = next(iterator)
        except (dctload.DctloadError, OSError) as error:
            errors[i] = error
        else:
            assert target.tolist() == [i]
    assert set(errors) == set(BAD)
    assert isinstance(errors[4], FileNotFoundError)
    assert errors[4].filename == paths[4]
    for i in (3, 5, 17):
        assert isinstance(errors[i], dctload.CorruptJPEGError)
        assert errors[i].name == paths[i]
        assert str(errors[i]).startswith(paths[i] + ": ")
    size = os.path.getsize(paths[3])
    assert f"at byte {errors[3].offset} of {size}" in str(errors[3])


def test_the_batches_after_a_raised_error_still_come(make):
    iterator = iter(make())
    next_targets = []
    for _ in range(5):
        try:
            next_targets.append(next(iterator)[1].tolist())
        except (dctload.DctloadError, OSError):
            next_targets.append(None)
    assert next_targets == [None, None, [8, 9, 10, 11], [12, 13, 14, 15], None]
    assert list(iterator) == []


@pytest.mark.parametrize("num_workers", [0, 3])
def test_skip_shortens_its_own_batch_and_moves_no_other_sample(make, num_workers):
    loader = make(on_error="skip", num_workers=num_workers)
    batches = list(loader)
    assert len(batches) == len(loader) == 5
    assert [t.tolist() for _, t in batches] == [
        [0, 1, 2], [6, 7], [8, 9, 10, 11], [12, 13, 14, 15], [16, 18, 19],
    ]  # fmt: skip
    good = {
        t: x
        for x, t in zip(*everything(make(on_error="skip", batch_size=1)), strict=True)
    }
    for x, targets in batches:
        for i, target in enumerate(targets.tolist()):
            assert torch.equal(x[i], good[target])
    assert loader.stats.skipped == 4
    assert loader.stats.images == 16


def everything(loader):
    batches = list(loader)
    return (
        [image for x, _ in batches for image in x],
        [target for _, t in batches for target in t.tolist()],
    )


def test_a_batch_that_would_be_empty_gets_a_replacement(make):
    loader = make(on_error="skip", batch_size=1)
    batches = list(loader)
    assert len(batches) == NUM
    for i in BAD:
        x, target = batches[i]
        assert len(x) == len(target) == 1
        assert target.item() not in BAD
    assert loader.stats.replaced == 4


@pytest.mark.parametrize("order", [{}, {"shuffle": True}])
def test_replace_puts_the_same_good_sample_in_every_run(make, order):
    loader = make(on_error="replace", num_workers=3, **order)
    images, targets = everything(loader)
    assert len(images) == NUM
    assert not set(targets) & set(BAD)
    assert loader.stats.replaced == 4
    again = everything(make(on_error="replace", batch_size=7, **order))
    assert again[1] == targets
    assert all(torch.equal(a, b) for a, b in zip(images, again[0], strict=True))
    if not order:
        kept = [i for i in range(NUM) if i not in BAD]
        assert [targets[i] for i in kept] == kept


def test_replacements_differ_from_epoch_to_epoch(make):
    loader = make(on_error="replace")
    epochs = {tuple(everything(loader)[1]) for _ in range(5)}
    assert len(epochs) > 1


class Half(torch.utils.data.Sampler):
    """A sampler of the user's that gives some of a data set: the first twelve."""

    def __iter__(self):
        return iter(range(12))

    def __len__(self):
        return 12


SOME = {
    "a list": lambda: {"sampler": list(range(12))},
    "a sampler": lambda: {"sampler": Half()},
    "batches": lambda: {
        "batch_size": 1,
        "batch_sampler": torch.utils.data.BatchSampler(Half(), 6, False),
    },
    "torch's subset": lambda: {"sampler": subset()},
    "torch's subset, one by one": lambda: {"sampler": subset(), "batch_size": 1},
    "torch's subset, skipped": lambda: {
        "sampler": subset(),
        "batch_size": 1,
        "on_error": "skip",
    },
}


def subset():
    generator = torch.Generator().manual_seed(2)
    return torch.utils.data.SubsetRandomSampler(range(12), generator)


@pytest.mark.parametrize("kind", SOME)
def test_no_sample_stands_in_that_the_sampler_does_not_give(make, kind):
    """Validation images would be met in training."""
    options = {"batch_size": 6, "on_error": "replace", "num_workers": 2}
    runs = []
    for _ in range(2):
        loader = make(**{**options, **SOME[kind]()})
        epochs = [everything(loader) for _ in range(6)]
        assert all(set(targets) <= set(range(12)) for _, targets in epochs)
        assert not any(set(targets) & set(BAD) for _, targets in epochs)
        assert loader.stats.replaced == 18
        runs.append(epochs)
    for (images, targets), (others, same) in zip(*runs, strict=True):
        assert targets == same
        assert all(torch.equal(a, b) for a, b in zip(images, others, strict=True))


def test_stand_ins_of_a_sampler_are_the_same_after_resuming(make):
    order = [0, 1, 2, 6, 7, 8, 3, 4, 9, 10, 5, 11]
    loader, again = (
        make(on_error="replace", sampler=order, batch_size=6) for _ in range(2)
    )
    iterator = iter(loader)
    next(iterator)
    again.load_state_dict(loader.state_dict())
    ((x, target),) = again
    y, want = next(iterator)
    assert target.tolist() == want.tolist()
    assert torch.equal(x, y)


def test_a_stand_in_from_its_own_batch_is_augmented_for_itself(paths):
    crop = T.Compose([T.RandomResizedCrop(32), T.SelectFrequencies("6")])
    loader = DataLoader(
        Files(paths, transform=crop), 2, sampler=[2, 3], on_error="replace", seed=1
    )
    ((x, target),) = loader
    assert target.tolist() == [2, 2]
    assert not torch.equal(x[0], x[1])


class Own(torch.utils.data.Sampler):
    def __init__(self, order):
        self.order = order

    def __len__(self):
        return len(self.order)

    def __iter__(self):
        yield from self.order


def test_a_sampler_of_all_lets_any_sample_stand_in(make):
    whole = torch.utils.data.SequentialSampler(range(NUM))
    assert len(everything(make(1, on_error="replace", sampler=whole))[1]) == NUM


def test_a_batch_of_bad_files_ends_the_run_if_a_sampler_gave_none_that_is_good(make):
    loader = make(on_error="replace", sampler=Own([3, 4, 0, 1]), batch_size=2)
    with pytest.raises(dctload.TooManyErrors, match="all of its batch"):
        next(iter(loader))


def test_each_bad_file_is_named_once_however_often_it_is_met(make, paths, caplog):
    loader = make(on_error="skip", num_workers=2)
    with caplog.at_level(logging.WARNING, "dctload"):
        for _ in range(3):
            list(loader)
    assert len(caplog.messages) == 4
    for i in BAD:
        assert sum(paths[i] in message for message in caplog.messages) == 1
    assert sum(" at byte " in message for message in caplog.messages) == 3
    assert loader.stats.errors == 12
    assert set(loader.stats.bad_files) == {paths[i] for i in BAD}
    assert "4 bad files: 12 errors" in loader.stats.report()


@pytest.mark.parametrize(
    ("max_errors", "enough"),
    [(4, True), (3, False), (0, False), (0.2, True), (0.19, False)],
)
def test_too_many_bad_files_end_the_run(make, max_errors, enough):
    loader = make(on_error="skip", max_errors=max_errors)
    if enough:
        list(loader)
        list(loader)
    else:
        with pytest.raises(dctload.TooManyErrors, match="max_errors allows") as caught:
            list(loader)
        assert caught.value.__cause__ is not None


def test_a_data_set_of_nothing_but_bad_files_ends_in_an_error(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"\x00" * 10)
    data = Files([tmp_path / "x.jpg"] * 3, transform=TRANSFORM)
    for on_error in ("replace", "skip"):
        with pytest.raises(dctload.DctloadError, match="others failed as well"):
            list(DataLoader(data, 2, on_error=on_error))


@pytest.mark.parametrize(
    "options",
    [{"on_error": "ignore"}, {"max_errors": -1}, {"max_errors": 1.5}],
)
def test_a_wrong_policy_is_refused_with_the_value_it_got(make, options):
    with pytest.raises(ValueError, match=str(*options.values())):
        make(**options)


@pytest.mark.parametrize("other_formats", ["convert", "skip", "error"])
def test_other_formats_are_converted_skipped_or_errors(tmp_path, other_formats):
    from PIL import Image

    for i in range(4):
        pixels = picture(50, 40, i)
        if i % 2:
            Image.fromarray(pixels).save(tmp_path / f"{i}.jpg", "PNG")
        else:
            (tmp_path / f"{i}.jpg").write_bytes(jpeg_bytes(pixels))
    paths = [tmp_path / f"{i}.jpg" for i in range(4)]
    data = Files(paths, transform=TRANSFORM, other_formats=other_formats)
    loader = DataLoader(data, 2)
    if other_formats == "error":
        with pytest.raises(dctload.CorruptJPEGError, match=r"1\.jpg: "):
            list(loader)
        return
    targets = [t.tolist() for _, t in loader]
    assert targets == ([[0, 1], [2, 3]] if other_formats == "convert" else [[0], [2]])
    assert loader.stats.errors == 0


@pytest.mark.parametrize("batch_size", [1, 4])
def test_batches_of_files_to_skip_are_filled_without_an_error(tmp_path, batch_size):
    names = [str(tmp_path / f"{i}.jpg") for i in range(9)]
    for i, name in enumerate(names):
        content = jpeg_bytes(picture(60, 50, i)) if i < 3 else b"\x89PNG\r\n\x1a\n"
        (tmp_path / name).write_bytes(content)
    data = Files(names, transform=TRANSFORM, other_formats="skip")
    loader = DataLoader(data, batch_size, max_errors=0)
    seen = [target.tolist() for _, target in loader]
    assert len(seen) == len(loader)
    assert {i for batch in seen for i in batch} == {0, 1, 2}
    assert loader.stats.errors == 0
    assert not loader.stats.bad_files


def test_errors_of_conversions_follow_the_policy(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg_bytes(picture(50, 40)))
    (tmp_path / "b.jpg").write_bytes(b"\x89PNG\r\n\x1a\n, but broken")
    cmyk = jpeg_bytes(picture(50, 40), mode="CMYK")
    (tmp_path / "c.jpg").write_bytes(cmyk[: len(cmyk) // 2])
    data = Files([tmp_path / f"{n}.jpg" for n in "abc"], transform=TRANSFORM)
    loader = DataLoader(data, 3, on_error="skip", num_workers=1)
    ((x, target),) = loader
    assert target.tolist() == [0]
    assert len(x) == 1
    assert loader.stats.errors == 2
    with pytest.raises(dctload.CorruptJPEGError, match=r"b\.jpg: .*Pillow"):
        list(DataLoader(data, 3))


def test_larger_images_than_allowed_are_errors_of_their_files(paths):
    data = Files(paths[:3], transform=TRANSFORM)
    limits = dctload.Limits(max_pixels=61 * 50)
    loader = DataLoader(data, 3, limits=limits, on_error="skip")
    ((_, target),) = loader
    assert target.tolist() == [0, 1]
    with pytest.raises(dctload.LimitError, match=r"02\.jpg: "):
        list(DataLoader(data, 3, limits=limits))


class Troubled(torch.utils.data.Dataset):
    """Raises at one sample."""

    def __init__(self, paths, error):
        self.paths, self.error = paths, error

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        if index == 9:
            raise self.error
        return self.paths[index], index


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("transform", [TRANSFORM, [TRANSFORM, lambda image: image]])
def test_what_a_data_set_raises_comes_after_the_batches_before(
    paths, num_workers, transform
):
    good = [paths[0]] * 16
    for error, kind in (
        (ValueError("boom"), ValueError),
        (StopIteration(), RuntimeError),
    ):
        data = Troubled(good, error)
        loader = DataLoader(data, 4, num_workers=num_workers, transform=transform)
        iterator = iter(loader)
        seen = next(iterator)[1].tolist() + next(iterator)[1].tolist()
        assert seen == list(range(8))
        with pytest.raises(kind, match=r"boom|StopIteration") as raised:
            next(iterator)
        notes = getattr(raised.value, "__notes__", None)
        assert notes in (None, ["in sample 9 of the data set"])
        assert next(iterator)[1].tolist() == [12, 13, 14, 15]
        iterator.close()


def test_what_a_sampler_raises_comes_after_the_batches_before(paths):
    def order():
        yield from [0, 1, 2]
        raise KeyError("no more")

    data = Files(paths, transform=TRANSFORM)
    iterator = iter(DataLoader(data, 2, sampler=order(), num_workers=2))
    assert next(iterator)[1].tolist() == [0, 1]
    with pytest.raises(KeyError, match="no more"):
        next(iterator)


def test_bad_files_are_named_again_after_a_reset(make):
    loader = make(on_error="skip")
    list(loader)
    loader.stats.reset()
    list(loader)
    assert len(loader.stats.bad_files) == len(BAD)


SMALL = {1: (60, 24), 4: (28, 70), 6: (31, 31)}
CROPS = {
    "planned in C": {},
    "planned in Python": {"transform": [T.ColorJitter(0.5), T.RandomCrop(32)]},
    "made in Python": {"transform": [lambda image: image, T.RandomCrop(32)]},
    "on a device": {"device": "cpu", "transform_on": "device"},
    "fitted": {"fit": "pad"},
    "cut to the smallest": {"fit": "crop", "transform": T.SelectFrequencies("6")},
}


@pytest.fixture(scope="module")
def some_small(tmp_path_factory):
    """Ten files, three of them too small for a crop; one is no JPEG."""
    from PIL import Image

    root = tmp_path_factory.mktemp("some-small")
    for i in range(10):
        width, height = SMALL.get(i, (60 + i, 50))
        image = Image.fromarray(picture(width, height, i))
        image.save(root / f"{i}.jpg", "PNG" if i == 6 else "JPEG")
    return sorted(map(str, root.iterdir()))


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("kind", CROPS)
def test_images_too_small_for_a_crop_are_errors_of_their_files(
    some_small, tmp_path, kind, num_workers
):
    if kind == "cut to the smallest":  # needs one block, so these are smaller
        some_small = [tmp_path / os.path.basename(path) for path in some_small]
        for i, path in enumerate(some_small):
            path.write_bytes(jpeg_bytes(picture(*((30, 7) if i in SMALL else (30, 9)))))
    data = Files(some_small, transform=T.RandomCrop(32))
    options = {"batch_size": 5, "num_workers": num_workers, "seed": 1, **CROPS[kind]}
    iterator = iter(DataLoader(data, **options))
    needed = "fit='crop'" if kind == "cut to the smallest" else "pad_if_needed=True"
    for i in (1, 6):  # the first of each batch
        with pytest.raises(dctload.TooSmallError, match=needed) as raised:
            next(iterator)
        assert isinstance(raised.value, ValueError)
        assert raised.value.name == str(some_small[i])
        assert f"{i}.jpg: " in str(raised.value)

    loader = DataLoader(data, **options, on_error="skip")
    assert everything(loader)[1] == [i for i in range(10) if i not in SMALL]
    assert set(loader.stats.bad_files) == {str(some_small[i]) for i in SMALL}
    loader = DataLoader(data, **options, on_error="replace")
    images, targets = everything(loader)
    assert len(images) == 10
    assert not set(targets) & set(SMALL)
    assert all(image.isfinite().all() for image in images)


def test_a_batch_of_images_that_are_too_small_is_replaced(some_small):
    data = Files([some_small[i] for i in (1, 4, 0, 2)], transform=T.RandomCrop(32))
    for kind, options in CROPS.items():
        if kind != "cut to the smallest":
            loader = DataLoader(data, 2, on_error="replace", **options)
            assert set(everything(loader)[1]) <= {2, 3}


def test_an_image_too_small_for_a_crop_is_named_alone_too(some_small):
    for crop in (T.RandomCrop(32), T.FiveCrop(32)):
        with pytest.raises(dctload.TooSmallError, match=r"1\.jpg: .* 60 x 24"):
            crop(dctload.decode(some_small[1]))


def test_errors_that_are_not_about_a_file_are_never_swallowed(paths):
    def broken(image):
        raise ZeroDivisionError("the user's own")

    data = Files(paths[:3], transform=T.Compose([T.RandomResizedCrop(32), broken]))
    with pytest.raises(ZeroDivisionError, match="the user's own"):
        list(DataLoader(data, 3, on_error="skip"))


class Opened(torch.utils.data.Dataset):
    """A data set that opens its files itself."""

    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        with open(self.paths[i], "rb") as file:
            return file.read(), {"number": i}


class OpenedTogether(Opened):
    """The same, asked for many at a time."""

    def __getitems__(self, indices):
        return [self[i] for i in indices]


@pytest.mark.parametrize("kind", [Opened, OpenedTogether])
@pytest.mark.parametrize("mixed", [False, True])
def test_files_that_a_data_set_cannot_open_follow_the_policy(paths, kind, mixed):
    data = kind(paths)
    if mixed:
        data = ConcatDataset([kind(paths[:7]), kind(paths[7:])])
    options = {"transform": TRANSFORM, "num_workers": 2, "seed": 1}
    skipped = DataLoader(data, 4, on_error="skip", **options)
    numbers = [i for _, target in skipped for i in target["number"].tolist()]
    first = 7 if mixed else 0  # the parts count by themselves
    assert len(numbers) == NUM - len(BAD)
    assert numbers[:3] == [0, 1, 2]
    assert numbers[-2:] == [18 - first, 19 - first]
    assert skipped.stats.errors == len(BAD)
    replaced = list(DataLoader(data, 4, on_error="replace", **options))
    assert [len(x) for x, _ in replaced] == 5 * [4]
    with pytest.raises(FileNotFoundError, match=r"04\.jpg"):
        list(DataLoader(Subset(data, [0, 4]), 2, **options))


def test_the_first_sample_may_be_missing(paths):
    data = Opened([*paths[4:5], *paths[:2]])
    loader = DataLoader(data, 3, on_error="skip", transform=TRANSFORM)
    ((_, target),) = loader
    assert target["number"].tolist() == [1, 2]
    with pytest.raises(FileNotFoundError):
        DataLoader(Opened(paths[4:5]), on_error="skip", transform=TRANSFORM)


def test_resuming_gives_the_same_replacements(make):
    loader = make(on_error="replace", shuffle=True)
    seen = []
    for _, target in loader:
        seen += target.tolist()
        if len(seen) == 8:
            state = loader.state_dict()
    again = make(on_error="replace", shuffle=True, batch_size=3)
    again.load_state_dict(state)
    assert seen[:8] + everything(again)[1] == seen
    assert np.isin(list(BAD), seen).sum() == 0


def test_decoding_stops_below_the_crop(tmp_path):
    """What the crop does not need is not read, so damage there is not seen."""
    whole = jpeg_bytes(picture(320, 320), quality=90)
    (tmp_path / "whole.jpg").write_bytes(whole)
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) * 8 // 10])
    crop = T.CenterCrop(32)
    paths = [tmp_path / "whole.jpg", tmp_path / "cut.jpg"]
    ((x, _),) = DataLoader(Files(paths, [0, 1], transform=crop), batch_size=2)
    assert torch.equal(x[0], x[1])
    assert x[0].abs().sum() > 0
    with pytest.raises(dctload.CorruptJPEGError):
        next(iter(DataLoader(Files(paths[1:], [1], transform=T.Resize((32, 32))))))


def test_places_that_others_stand_for_are_not_left_out_with_these(tmp_path):
    """The first image is too small, and stood for those that Python makes."""
    from PIL import Image

    sizes = [(20, 20), (80, 80), (80, 80), (80, 80)]
    for i, (width, height) in enumerate(sizes):
        pixels = picture(width, height, i)
        if i == 1:
            (tmp_path / f"{i}.jpg").write_bytes(jpeg_bytes(pixels, mode="CMYK"))
        elif i == 2:
            Image.fromarray(pixels).save(tmp_path / f"{i}.jpg", "PNG")
        else:
            (tmp_path / f"{i}.jpg").write_bytes(jpeg_bytes(pixels))
    transform = T.Compose([T.RandomCrop(32), T.RandomRotation(10)])
    data = Files([tmp_path / f"{i}.jpg" for i in range(4)], transform=transform)
    for num_workers in (0, 2):
        loader = DataLoader(data, 4, on_error="skip", num_workers=num_workers)
        assert [target.tolist() for _, target in loader] == [[1, 2, 3]]


@pytest.mark.parametrize("error", ["itself", "too small"])
def test_errors_of_users_end_nothing_but_their_sample(paths, error):
    def broken(image):
        if image.width != 60:
            return image
        if error == "too small":
            raise dctload.TooSmallError("of the user's")
        try:
            raise OSError("of the user's")
        except OSError as cause:
            raise cause from cause

    data = Files(paths[:3], transform=[T.Resize((64, 64)), broken])
    data.transform.insert(0, broken)
    loader = DataLoader(data, 3, on_error="skip")
    assert [target.tolist() for _, target in loader] == [[1, 2]]


def test_a_stop_in_a_collate_fn_does_not_end_the_epoch_silently(paths):
    def stop(samples):
        raise StopIteration

    data = Files(paths[:3], transform=TRANSFORM)
    with pytest.raises(RuntimeError, match="collate_fn raised StopIteration"):
        list(DataLoader(data, collate_fn=stop))


@pytest.mark.parametrize("kind", [list, Own])
@pytest.mark.parametrize("on_error", ["skip", "replace"])
def test_what_a_sampler_gave_stands_in_for_a_bad_file_alone(paths, kind, on_error):
    order = [0, 1, 3, 4, 2]
    data = Files(paths, transform=TRANSFORM)
    loader = DataLoader(data, 1, sampler=kind(order), on_error=on_error)
    got = [target.item() for _, target in loader]
    assert [got[0], got[1], got[4]] == [0, 1, 2]
    assert {got[2], got[3]} <= ({0, 1, 2} if kind is list else {1})
