"""``DALILoader`` gives what ``DataLoader`` gives; ``source`` needs no operator."""

import io
import json
import pickle

import numpy as np
import pytest
import torch
from conftest import jpeg_bytes, picture
from dali_setup import arrays, pipeline
from nvidia.dali import fn
from PIL import Image

from dctload import DataLoader, Files, ImageFolder, TarShards
from dctload import transforms as T
from dctload.dali import DALILoader, source
from dctload.data import Shard
from dctload.errors import CorruptJPEGError

NUM = 21
TRAIN = [
    T.RandomResizedCrop(48, scale=(0.1, 0.9)),
    T.RandomHorizontalFlip(),
    T.SelectFrequencies("24"),
    T.Normalize(mean=np.full((3, 64), 0.3), std=np.full((3, 64), 7.1)),
]
EVAL = [T.Resize(64), T.CenterCrop(48)]
OPTIONS = {"batch_size": 4, "shuffle": True, "seed": 7}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Photographs of many sizes, one of them turned, in two folders."""
    root = tmp_path_factory.mktemp("photographs")
    for i in range(NUM):
        folder = root / ("cat" if i % 2 else "dog")
        folder.mkdir(exist_ok=True)
        data = jpeg_bytes(picture(60 + 7 * i, 150 - 5 * i, seed=i), subsampling=i % 3)
        (folder / f"{i:02}.jpg").write_bytes(data)
    return root


def flat(batch):
    """The tensors of a batch."""
    if isinstance(batch, torch.Tensor):
        return [batch]
    if isinstance(batch, int):
        return [torch.tensor(batch)]
    return [tensor for part in batch for tensor in flat(part)]


def assert_same_batches(ours, theirs):
    ours, theirs = list(ours), list(theirs)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(flat(a), flat(b), strict=True):
            assert (x.shape, x.dtype, x.stride()) == (y.shape, y.dtype, y.stride())
            assert torch.equal(x, y)


def pair(dataset, **options):
    options = {**OPTIONS, **options}
    options.setdefault("num_workers", 2)
    return DALILoader(dataset, **options), DataLoader(dataset, **options)


class TestTheSameBatches:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"layout": "planes", "dtype": torch.float16},
            {"memory_format": torch.channels_last, "dtype": torch.int16},
            {"shuffle": False, "drop_last": True, "apply_orientation": False},
            {"transform": EVAL, "dtype": torch.int8},
            {"transform": [T.Resize((32, 64), "bicubic"), *TRAIN[1:]]},
            {"batch_size": None},
            {"reuse_buffers": True, "prefetch_factor": 3},
        ],
        ids=str,
    )
    def test_in_every_epoch(self, root, options):
        ours, theirs = pair(ImageFolder(root, transform=TRAIN), **options)
        assert len(ours) == len(theirs)
        for _ in range(2):
            for a, b in zip(ours, theirs, strict=True):
                assert_same_batches([a], [b])

    def test_of_a_folder_by_its_path(self, root):
        ours = DALILoader(root, transform=TRAIN, **OPTIONS)
        assert_same_batches(
            ours, DataLoader(ImageFolder(root, transform=TRAIN), **OPTIONS)
        )
        assert ours.stats.images == NUM

    def test_of_files_in_memory_and_other_targets(self, root):
        samples = [
            (path.read_bytes(), torch.tensor([float(i), 1.0]))
            for i, path in enumerate(sorted(root.rglob("*.jpg")))
        ]
        assert_same_batches(*pair(samples, transform=TRAIN))

    def test_of_tar_shards_and_subsets(self, root, tmp_path):
        import tarfile

        with tarfile.open(tmp_path / "a.tar", "w") as tar:
            for i, path in enumerate(sorted(root.rglob("*.jpg"))):
                for suffix, data in ((".jpg", path.read_bytes()), (".cls", b"%d" % i)):
                    info = tarfile.TarInfo(f"{i:03}{suffix}")
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        shards = TarShards([tmp_path / "a.tar"], transform=TRAIN)
        assert_same_batches(*pair(torch.utils.data.Subset(shards, range(3, 17))))

    def test_of_every_rank(self, root):
        dataset = ImageFolder(root, transform=TRAIN)
        for rank in range(2):
            assert_same_batches(*pair(dataset, shard=Shard(rank, 2)))

    def test_in_an_order_from_elsewhere(self, root):
        dataset = ImageFolder(root, transform=TRAIN)
        sampler = torch.utils.data.BatchSampler(range(5, 15), 3, False)
        options = {"batch_sampler": sampler, "seed": 1}
        ours = DALILoader(dataset, **options)
        assert_same_batches(ours, DataLoader(dataset, **options))
        with pytest.raises(TypeError, match="largest batch"):
            DALILoader(dataset, batch_sampler=[[0, 1], [2]])

    def test_through_a_collate_fn(self, root):
        dataset = ImageFolder(root, transform=TRAIN)

        def collate(samples):
            return torch.stack([x for x, _ in samples]), len(samples)

        ours, theirs = pair(dataset, collate_fn=collate)
        for (x, n), (y, m) in zip(ours, theirs, strict=True):
            assert torch.equal(x, y)
            assert n == m

    def test_of_nothing(self, root):
        dataset = torch.utils.data.Subset(ImageFolder(root, transform=TRAIN), [])
        assert list(DALILoader(dataset, batch_size=4)) == []

    def test_after_leaving_early(self, root):
        ours, theirs = pair(ImageFolder(root, transform=TRAIN))
        for _ in range(3):
            a, b = iter(ours), iter(theirs)
            assert_same_batches([next(a)], [next(b)])
        assert_same_batches(ours, theirs)
        ours.close()
        theirs.close()
        assert_same_batches(ours, theirs)

    def test_batches_given_away_do_not_change(self, root):
        ours = DALILoader(ImageFolder(root, transform=TRAIN), **OPTIONS)
        batches = list(ours)
        copies = [[x.clone() for x in flat(batch)] for batch in batches]
        list(ours)
        for batch, copy in zip(batches, copies, strict=True):
            assert all(map(torch.equal, flat(batch), copy))


@pytest.mark.parametrize("stop", [0, 1, 5, 6, 8])
def test_a_state_goes_on_in_either_loader(root, stop):
    dataset = ImageFolder(root, transform=TRAIN)

    def take(loader, num):
        out = []
        while len(out) < num:
            for batch in loader:
                out.append(batch)
                if len(out) == num:
                    break
        return out

    whole = take(DataLoader(dataset, **OPTIONS), 12)
    first = DALILoader(dataset, **OPTIONS)
    assert_same_batches(take(first, stop), whole[:stop])
    state = json.loads(json.dumps(first.state_dict()))
    for kind in (DataLoader, DALILoader):
        second = kind(dataset, **OPTIONS)
        second.load_state_dict(state)
        assert_same_batches(take(second, 12 - stop), whole[stop:])


def test_a_pickled_loader_is_a_loader(root):
    ours = DALILoader(ImageFolder(root, transform=TRAIN), **OPTIONS)
    again = pickle.loads(pickle.dumps(ours))
    assert_same_batches(ours, again)


class TestBadFiles:
    @pytest.fixture
    def paths(self, root, tmp_path):
        """Good files, and one of each kind of trouble."""
        paths = [str(path) for path in sorted(root.rglob("*.jpg"))[:8]]
        data = (root / "dog" / "00.jpg").read_bytes()
        (tmp_path / "broken.jpg").write_bytes(data[: len(data) // 3])
        (tmp_path / "empty.jpg").write_bytes(b"")
        (tmp_path / "folder.jpg").mkdir()
        for name in ("broken", "empty", "folder", "absent"):
            paths.insert(3, str(tmp_path / f"{name}.jpg"))
        return paths

    def test_the_error_is_that_of_the_loader(self, paths):
        dataset = Files(paths, transform=TRAIN)
        for place, kind in ((3, OSError), (4, OSError), (5, CorruptJPEGError)):
            found = []
            for loader in pair(torch.utils.data.Subset(dataset, [0, place])):
                with pytest.raises(kind) as error:
                    list(loader)
                found.append(str(error.value))
            assert found[0] == found[1]
            assert paths[place] in found[0]

    def test_an_iteration_after_an_error(self, paths):
        dataset = torch.utils.data.Subset(Files(paths, transform=TRAIN), range(7))
        ours, theirs = pair(dataset, shuffle=False, batch_size=2)
        for loader in (ours, theirs):
            with pytest.raises(OSError, match="absent"):
                list(loader)
        iterator = iter(ours)
        assert_same_batches([next(iterator)], [next(iter(theirs))])

    @pytest.mark.parametrize("on_error", ["replace", "skip"])
    def test_they_are_replaced_or_skipped_alike(self, paths, on_error):
        ours, theirs = pair(Files(paths, transform=TRAIN), on_error=on_error)
        assert_same_batches(ours, theirs)
        assert ours.stats.bad_files.keys() == theirs.stats.bad_files.keys()
        assert ours.stats.skipped == theirs.stats.skipped
        assert ours.stats.replaced == theirs.stats.replaced

    @pytest.mark.parametrize("other_formats", ["convert", "skip"])
    def test_other_formats_and_cmyk(self, root, tmp_path, jpeg_samples, other_formats):
        Image.fromarray(picture(80, 70)).save(tmp_path / "a.png")
        (tmp_path / "cmyk.jpg").write_bytes(jpeg_samples["cmyk"])
        paths = [str(tmp_path / "a.png"), str(tmp_path / "cmyk.jpg")]
        paths += [str(path) for path in sorted(root.rglob("*.jpg"))[:4]]
        dataset = Files(paths, transform=TRAIN, other_formats=other_formats)
        ours, theirs = pair(dataset)
        assert_same_batches(ours, theirs)
        assert ours.stats.converted == theirs.stats.converted


class TestWhatCannotBeDone:
    @pytest.mark.parametrize(
        "transform",
        [
            [T.RandomResizedCrop(48), T.RandAugment()],
            [T.RandomCrop(48)],
            [T.Resize(64), T.RandomResizedCrop(48)],
            [T.RandomHorizontalFlip(), T.RandomResizedCrop(48)],
            [
                T.RandomResizedCrop(48),
                T.RandomHorizontalFlip(),
                T.RandomHorizontalFlip(),
            ],
            [T.CenterCrop(48)],
            [T.Resize(40), T.CenterCrop(48)],
            [T.Resize(48, max_size=64), T.CenterCrop(48)],
            [T.Resize((48, 48), "box")],
        ],
        ids=str,
    )
    def test_transforms(self, root, transform):
        with pytest.raises(TypeError):
            DALILoader(root, transform=transform)

    @pytest.mark.parametrize("options", [{"fit": "crop"}, {"dtype": torch.bfloat16}])
    def test_options(self, root, options):
        with pytest.raises(TypeError):
            DALILoader(root, transform=TRAIN, **options)

    def test_transforms_on_a_device(self, root):
        with pytest.raises(TypeError, match="no transform_on='device'"):
            DALILoader(root, transform=TRAIN, device="cpu", transform_on="device")


class TestSource:
    def test_brings_a_loaders_batches_into_a_pipeline(self, root):
        dataset = ImageFolder(root, transform=TRAIN)
        options = {**OPTIONS, "layout": "planes", "drop_last": True}
        batches = source(DataLoader(dataset, **options))
        pipe = pipeline(lambda: fn.external_source(batches, 3), 4)
        theirs = DataLoader(dataset, **options)
        for _ in range(2):
            for (luma, chroma), target in theirs:
                made = arrays(pipe.run())
                for array, tensor in zip(made, (luma, chroma, target), strict=True):
                    np.testing.assert_array_equal(array, tensor)
            with pytest.raises(StopIteration):
                pipe.run()
            pipe.reset()

    def test_what_dali_cannot_hold(self, root):
        loader = DataLoader(ImageFolder(root, transform=TRAIN), dtype=torch.bfloat16)
        with pytest.raises(TypeError, match="bfloat16"):
            source(loader)()
        with pytest.raises(TypeError, match="tensors, got str"):
            source([["words"]])()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestOnCuda:
    """What comes out on a GPU is what ``DataLoader`` gives on the CPU."""

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"layout": "planes", "dtype": torch.float16, "prefetch_factor": 4},
            {"memory_format": torch.channels_last, "dtype": torch.int8},
            {"batch_size": None},
        ],
        ids=str,
    )
    def test_in_every_epoch(self, root, options):
        dataset = ImageFolder(root, transform=TRAIN)
        options = {**OPTIONS, "num_workers": 4, **options}
        ours = DALILoader(dataset, device="cuda", **options)
        theirs = DataLoader(dataset, **options)
        for _ in range(2):
            for batch, other in zip(ours, theirs, strict=True):
                images = batch[0]
                assert all(tensor.is_cuda for tensor in flat(images))
                assert_same_batches([on_cpu(batch)], [other])

    @pytest.mark.parametrize("on_error", ["replace", "skip"])
    def test_for_a_consumer_that_lags_behind(self, root, tmp_path, on_error):
        """A batch is copied, and its bad samples cut out, before DALI goes on."""
        paths = [str(path) for path in sorted(root.rglob("*.jpg"))]
        Image.fromarray(picture(80, 70)).save(tmp_path / "a.png")
        (tmp_path / "broken.jpg").write_bytes((root / "dog/00.jpg").read_bytes()[:999])
        paths[5:5] = [str(tmp_path / name) for name in ("a.png", "broken.jpg")]
        dataset = Files(paths * 3, transform=TRAIN)
        options = {**OPTIONS, "on_error": on_error}
        ours = DALILoader(dataset, num_workers=4, device="cuda", **options)
        given = []
        for batch in ours:
            given.append([tensor.clone() for tensor in flat(batch)])
            torch.cuda._sleep(30_000_000)  # cycles: some 20 ms of the GPU
        theirs = DataLoader(dataset, **options)
        assert_same_batches(map(on_cpu, given), map(flat, theirs))

    def test_through_a_collate_fn(self, root):
        dataset = ImageFolder(root, transform=TRAIN)

        def collate(samples):
            return torch.stack([2 * x for x, _ in samples])

        options = {**OPTIONS, "collate_fn": collate}
        given = []
        for batch in DALILoader(dataset, num_workers=4, device="cuda", **options):
            given.append(batch)
            torch.cuda._sleep(30_000_000)
        assert_same_batches(map(on_cpu, given), DataLoader(dataset, **options))

    def test_after_an_error_and_leaving_early(self, root, tmp_path):
        (tmp_path / "broken.jpg").write_bytes((root / "dog/00.jpg").read_bytes()[:999])
        good = [str(path) for path in sorted(root.rglob("*.jpg"))]
        paths = [*good[:9], str(tmp_path / "broken.jpg")]
        options = {**OPTIONS, "shuffle": False}
        ours = DALILoader(Files(paths, transform=TRAIN), device="cuda", **options)
        first = next(iter(ours))
        with pytest.raises(CorruptJPEGError, match=r"broken\.jpg"):
            list(ours)
        theirs = next(iter(DataLoader(Files(paths, transform=TRAIN), **options)))
        assert_same_batches([on_cpu(first)], [theirs])


def on_cpu(batch):
    if isinstance(batch, (list, tuple)):
        return [on_cpu(part) for part in batch]
    return batch.cpu() if isinstance(batch, torch.Tensor) else batch
