"""Transforms that C plans by itself: what it decides is what NumPy decides."""

import itertools
import math
import random
import re

import numpy as np
import pytest
import torch
from conftest import jpeg_bytes, picture

from dctload import DataLoader, Files, _native, _recipes
from dctload import transforms as T
from dctload._core import ffi, lib
from dctload.data._direct import DirectPipeline
from dctload.data._pipeline import Pipeline
from dctload.transforms import auto

pytestmark = pytest.mark.timeout(60)

N = 64
FILTERS = ["bilinear", "bicubic", "box", "lanczos"]


def _briefs(rng):
    briefs = np.zeros(N, _native.BRIEF_DTYPE)
    briefs["width"] = rng.integers(1, 500, N)
    briefs["height"] = rng.integers(1, 500, N)
    briefs["orientation"] = rng.integers(1, 9, N)
    # Sides that a transform may find as it wants them.
    briefs["width"][:8], briefs["height"][4:12] = 48, 64
    return briefs


def _any_transform(choose):
    """One of those that have a recipe, with arguments of all sorts."""
    size = choose.choice([48, (48, 64), (64, 48)])
    how = choose.choice(FILTERS)
    return choose.choice(
        [
            lambda: T.Resize((choose.randint(1, 99), choose.randint(1, 99)), how),
            lambda: T.Resize(choose.randint(30, 99), how),
            lambda: T.Resize(choose.randint(30, 60), how, max_size=choose.choice([70])),
            lambda: T.Resize(None, how, max_size=choose.randint(1, 99)),
            lambda: T.CenterCrop(size),
            lambda: T.RandomCrop(size, choose.choice([None, 4, (1, 2, 3, 4)]), True, 7),
            lambda: T.RandomResizedCrop(size, interpolation=how),
            lambda: T.RandomResizedCrop(size, (0.9, 1.5), (0.1, 9.0)),
            lambda: T.Pad((1, 2, 3, 4), (9, 99, 200)),
            lambda: T.RandomHorizontalFlip(),
            lambda: T.RandomVerticalFlip(0.3),
        ]
    )()


def _follow(recipe, briefs, draws):
    """Records of what C makes of each."""
    out = _native.new_geometry(len(briefs))
    for i, brief in enumerate(briefs):
        u = np.ascontiguousarray(draws[i])
        status = lib.dctload_follow_recipe(
            recipe,
            *(int(brief[name]) for name in ("width", "height", "orientation")),
            ffi.from_buffer("double[]", u),
            ffi.cast("struct dctload_geometry *", out[i:].ctypes.data),
        )
        _native.check(status, "recipe")
    return out


def _steps(records, axis, briefs):
    """Of each image; a first one that copies the whole axis is as good as none."""
    stored = "width", "height"
    for record, brief in zip(records, briefs, strict=True):
        size = int(brief[stored[(axis == "y") != bool(record["transpose"])]])
        found = record[axis][: record[f"num_{axis}"]].tolist()
        copies = found and found[0][:5] == (0, size, 0, 1, size)
        yield found[1:] if copies else found


def _assert_same(got, want, briefs):
    for name in ("transpose", "fill", "use_color", "num_ops"):
        np.testing.assert_array_equal(got[name], want[name], name)
    for axis in ("x", "y"):
        steps = list(_steps(got, axis, briefs))
        assert steps == list(_steps(want, axis, briefs))
    for name in _native.GEOMETRY_DTYPE["color"].names:
        colored = want["use_color"] != 0
        got_maps, want_maps = got["color"][name], want["color"][name]
        np.testing.assert_array_equal(got_maps[colored], want_maps[colored], name)
    for k in range(want["num_ops"].max(initial=0)):
        there = want["num_ops"] > k
        for name in ("kind", "seed", "p"):
            one, other = (r["ops"][there, k][name] for r in (got, want))
            np.testing.assert_array_equal(one, other, name)


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_c_gives_the_geometry_of_numpy_to_the_last_bit(seed, upright):
    choose, rng = random.Random(seed), np.random.default_rng(seed)
    # The last one gives all images one size, as a plan wants.
    parts = [_any_transform(choose) for _ in range(choose.randint(0, 4))]
    while sum(part.num_draws for part in parts) > 40:
        parts.pop()
    plan = T.Compose([*parts, T.CenterCrop((64, 48))]).plan("concat")
    briefs, draws = _briefs(rng), rng.random((N, plan.num_draws))
    want, why = _native.new_geometry(N), ""
    try:
        plan.fill(briefs, draws, [want], upright)
    except ValueError as error:
        why = str(error)
    if not why:
        got = _follow(plan.recipe(upright), briefs, draws)
        _assert_same(got, want, briefs)
        return
    assert re.search("at least 1 x 1|more than 4 resamplings", why)
    with pytest.raises(ValueError, match="recipe"):
        _follow(plan.recipe(upright), briefs, draws)


AUGMENTS = [
    T.RandAugment(),
    T.RandAugment(3, 30, interpolation="bilinear", fill=(9, 200, 80)),
    T.RandAugment(2, 3, 11, operations="rgb-no-more"),
    T.RandAugment(3, operations="linear"),
    T.RandAugment(4, 7, 11, fill=3, operations=list(auto.OPERATIONS)),
    T.RandAugment(0),
    T.TrivialAugmentWide(),
    T.TrivialAugmentWide(6, operations=list(auto.OPERATIONS)),
]


@pytest.mark.parametrize("size", [(48, 48), (64, 48)])
@pytest.mark.parametrize("augment", AUGMENTS)
def test_c_draws_the_operations_that_numpy_draws(augment, size):
    """Each in turn, whatever came before: steps, colours, grey, operations."""
    rng = np.random.default_rng(3)
    if augment.size_after(size) is None:
        size = (48, 48)
    parts = [T.RandomResizedCrop(size), T.RandomHorizontalFlip(), augment]
    plan = T.Compose(parts).plan("concat")
    for _ in range(20):
        briefs, draws = _briefs(rng), rng.random((N, plan.num_draws))
        want = _native.new_geometry(N)
        plan.fill(briefs, draws, [want], True)
        _assert_same(_follow(plan.recipe(True), briefs, draws), want, briefs)


def test_draws_at_the_ends_of_their_range_choose_the_first_and_the_last():
    plan = T.Compose([T.Resize((48, 48)), T.TrivialAugmentWide(7)]).plan()
    briefs = _briefs(np.random.default_rng(0))
    ends = [0, np.nextafter(0.5, 0), np.nextafter(1, 0)]
    draws = np.resize([(*u, 0) for u in itertools.product(ends, repeat=3)], (N, 4))
    want = _native.new_geometry(N)
    plan.fill(briefs, draws, [want], False)
    _assert_same(_follow(plan.recipe(False), briefs, draws), want, briefs)


def test_more_operations_than_an_image_may_have_are_no_geometry():
    augment = T.RandAugment(9, operations=["Solarize"])
    plan = T.Compose([T.Resize((48, 48)), augment]).plan()
    briefs, draws = _briefs(np.random.default_rng(0)), np.zeros((N, plan.num_draws))
    with pytest.raises(ValueError, match="more than 8 operations"):
        plan.fill(briefs, draws, [_native.new_geometry(N)], False)
    with pytest.raises(ValueError, match="recipe"):
        _follow(plan.recipe(False), briefs, draws)


def _box_by_hand(width, height, u, scale, ratio):
    """``RandomResizedCrop.get_params`` of torchvision, with its numbers given."""
    for i in range(10):
        target = width * height * (scale[0] + (scale[1] - scale[0]) * u[2 * i])
        low, high = math.log(ratio[0]), math.log(ratio[1])
        aspect = math.exp(low + (high - low) * u[2 * i + 1])
        w, h = round(math.sqrt(target * aspect)), round(math.sqrt(target / aspect))
        if 0 < w <= width and 0 < h <= height:
            return int(u[21] * (width - w + 1)), int(u[20] * (height - h + 1)), w, h
    w, h = width, height
    if width / height < ratio[0]:
        h = round(width / ratio[0])
    elif width / height > ratio[1]:
        w = round(height * ratio[1])
    return (width - w) // 2, (height - h) // 2, w, h


@pytest.mark.parametrize(
    ("scale", "ratio"),
    [((0.08, 1), (3 / 4, 4 / 3)), ((0.9, 1), (0.2, 6)), ((2, 3), (0.5, 2))],
)
def test_random_parts_are_those_of_torchvisions_rule(scale, ratio):
    rng = np.random.default_rng(1)
    width, height = rng.integers(1, 400, (2, 300))
    u = rng.random((300, 22))
    got = _recipes.random_boxes(scale, ratio, width, height, u).tolist()
    for i, box in enumerate(got):
        want = _box_by_hand(int(width[i]), int(height[i]), u[i], scale, ratio)
        assert tuple(box) == want


def test_what_numbers_cannot_say_has_no_recipe():
    class Mine(T.RandomHorizontalFlip):
        """May mean anything."""

    size = T.CenterCrop(48)
    for parts in [[Mine()], [T.ColorJitter(0.1)], [T.RandomRotation90()]]:
        assert T.Compose([size, *parts]).plan().recipe(True) is None
    assert T.Compose([size] * 9).plan().recipe(True) is None
    assert T.Compose([T.RandomResizedCrop(48)] * 3).plan().recipe(True) is None
    # Where the size depends on the image; before what would be operations.
    augment = T.RandAugment(operations=["ShearX", "Invert"])
    for parts in [
        [augment, size],
        [T.Resize(48), augment, size],
        [size, augment, size],
    ]:
        assert T.Compose(parts).plan().recipe(True) is None
    assert T.Compose([size, T.RandAugment(17)]).plan().recipe(True) is None


# ---- through the loader ----


class _Other(T.RandomVerticalFlip):
    """A class that C does not know: batches go the other way."""


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Files of all sorts: turned ones, CMYK, PNG, progressive, damaged."""
    from PIL import Image

    root = tmp_path_factory.mktemp("mixed")
    paths = []
    for i in range(40):
        path = root / f"{i:02}.jpg"
        pixels = picture(60 + 5 * i, 200 - 3 * i, i)
        if i % 10 == 3:
            exif = Image.Exif()
            exif[0x0112] = 2 + i % 7
            path.write_bytes(jpeg_bytes(pixels, exif=exif))
        elif i % 10 == 5:
            path.write_bytes(jpeg_bytes(pixels, mode="CMYK"))
        elif i % 10 == 6:
            Image.fromarray(pixels).save(path, "PNG")
        elif i % 10 == 7:
            path.write_bytes(jpeg_bytes(pixels)[:-200])
        else:
            path.write_bytes(jpeg_bytes(pixels, progressive=i % 2, optimize=i % 4))
        paths.append(str(path))
    return paths


def _epochs(paths, last, num_workers=2, more=(), **options):
    parts = [T.RandomResizedCrop(48), T.RandomHorizontalFlip(), last, *more]
    loader = DataLoader(
        Files(paths, transform=T.Compose(parts)),
        7,
        shuffle=True,
        num_workers=num_workers,
        seed=5,
        **options,
    )
    kind = DirectPipeline if type(last) is T.RandomVerticalFlip else Pipeline
    batches = []
    for _ in range(2):
        iterator = iter(loader)
        assert type(iterator._pipeline) is kind
        batches += list(iterator)
    stats = loader.stats
    seen = stats.images, stats.converted, stats.errors, sorted(stats.bad_files)
    loader.close()
    return batches, (*seen, stats.replaced, stats.skipped, stats.files > 0)


@pytest.mark.parametrize("on_error", ["replace", "skip"])
@pytest.mark.parametrize("num_workers", [0, 1, 4])
@pytest.mark.parametrize(
    "more",
    [
        (),
        (T.RandAugment(),),
        (T.RandAugment(2, 3, 11, operations="rgb-no-more"),),
        (T.TrivialAugmentWide(),),
    ],
    ids=lambda more: repr(more)[:60],
)
def test_one_way_gives_the_batches_of_the_other(mixed, more, num_workers, on_error):
    options = {"more": more, "on_error": on_error}
    got, seen = _epochs(
        mixed, T.RandomVerticalFlip(), num_workers=num_workers, **options
    )
    want, wanted = _epochs(mixed, _Other(), **options)
    assert seen == wanted
    assert len(got) == len(want)
    for (x, target), (wanted_x, wanted_target) in zip(got, want, strict=True):
        assert torch.equal(target, wanted_target)
        assert torch.equal(x, wanted_x)


def test_a_batch_that_is_stored_past_the_cache_is_the_same(mixed):
    """More than 8 MiB, each component of a sample less than 1."""
    ways = []
    for last in (T.RandomVerticalFlip(), _Other()):
        parts = T.Compose([T.RandomResizedCrop(256), T.RandomHorizontalFlip(), last])
        data = Files(mixed, transform=parts)
        options = {"seed": 1, "on_error": "skip", "layout": "concat"}
        ways.append(list(DataLoader(data, 40, num_workers=2, **options)))
    ((x, _),), ((wanted_x, _),) = ways
    assert x.numel() * x.element_size() > 8 << 20
    assert torch.equal(x, wanted_x)


def test_bytes_in_memory_go_the_same_way(mixed):
    class Bytes(torch.utils.data.Dataset):
        def __len__(self):
            return len(mixed)

        def __getitem__(self, i):
            with open(mixed[i], "rb") as file:
                return file.read(), i

    parts = T.Compose([T.RandomResizedCrop(48), T.RandomHorizontalFlip()])
    options = {"seed": 1, "shuffle": True, "on_error": "skip", "transform": parts}
    one = list(DataLoader(Files(mixed), 8, num_workers=2, **options))
    other = list(DataLoader(Bytes(), 8, num_workers=2, **options))
    for (x, target), (other_x, other_target) in zip(one, other, strict=True):
        assert torch.equal(target, other_target)
        assert torch.equal(x, other_x)


def test_a_parameter_changed_between_epochs_is_the_next_ones(mixed):
    flip = T.RandomHorizontalFlip(0.0)
    data = Files(mixed[:3], transform=T.Compose([T.Resize((48, 48)), flip]))
    loader = DataLoader(data, 3)
    ((before, _),) = loader
    flip.p = 1.0
    ((after, _),) = loader
    assert not torch.equal(before, after)
    # Odd horizontal frequencies change their signs, blocks their order.
    assert torch.allclose(before[:, 0].flip(-1), after[:, 0], atol=1e-3)


def test_a_crop_that_does_not_fit_is_said_as_without_a_recipe(mixed):
    data = Files(mixed[:1], transform=T.RandomCrop(256))
    loader = DataLoader(data, 4, num_workers=1)
    with pytest.raises(ValueError, match="256 x 256 does not fit into 60 x 200"):
        list(loader)
