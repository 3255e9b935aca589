"""Data sets: which samples there are, and how others' data sets are read."""

import io
import json
import os
import pickle
import tarfile

import numpy as np
import pytest
import torch
from conftest import write_tar
from torch.utils.data import ConcatDataset, Subset

from dctload.data import Files, ImageFolder, TarShards
from dctload.data.sources import as_source, tar
from dctload.data.sources.tarindex import members

torchvision = pytest.importorskip("torchvision")
from torchvision import datasets as tv  # noqa: E402
from torchvision import transforms as P  # noqa: E402


def names(source, indices=None):
    indices = np.arange(len(source)) if indices is None else np.array(indices)
    return [os.path.basename(os.fsdecode(p)) for p in source.fetch(indices).raw]


@pytest.fixture
def tree(tmp_path):
    """A folder with what confuses listings: nesting, case, links, other files."""
    for path in [
        "b/2.jpg", "b/10.JPG", "b/sub/1.jpeg", "b/sub.jpg", "a/x.png", "a/é.jpg",
        "c/Z.jpg", "c/a.jpg", "c/notes.txt", "c/deep/er/q.webp",
    ]:  # fmt: skip
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    (tmp_path / "readme.jpg").write_bytes(b"")
    os.symlink("../c/deep", tmp_path / "a" / "link")
    return tmp_path


# ---- folders and files ---------------------------------------------------------


def test_a_folder_has_torchvisions_classes_and_samples_in_its_order(tree):
    ours, theirs = ImageFolder(tree), tv.ImageFolder(tree)
    assert ours.classes == theirs.classes == ["a", "b", "c"]
    assert ours.class_to_idx == theirs.class_to_idx
    assert ours.samples == theirs.samples == ours.imgs
    assert ours.samples[-1] == theirs.samples[-1]
    assert ours.samples[1:3] == theirs.samples[1:3]
    assert ours.targets == theirs.targets
    assert len(ours) == 10  # the linked folder is followed


def test_a_folder_takes_torchvisions_options(tree):
    (tree / "d").mkdir()
    with pytest.raises(FileNotFoundError, match="no image for 1 of 4 classes: d"):
        ImageFolder(tree)
    options = {"is_valid_file": lambda p: p.endswith("jpg"), "allow_empty": True}
    assert (
        ImageFolder(tree, **options).samples == tv.ImageFolder(tree, **options).samples
    )
    assert len(ImageFolder(tree, **options).classes) == 4


def test_a_folder_without_classes_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder in it"):
        ImageFolder(tmp_path)


def test_a_folder_may_be_moved_but_not_changed(tree, tmp_path_factory):
    before = ImageFolder(tree).fingerprint()
    moved = tree.rename(tmp_path_factory.mktemp("elsewhere") / "tree")
    assert ImageFolder(moved).fingerprint() == before
    (moved / "c" / "new.jpg").write_bytes(b"")
    assert ImageFolder(moved).fingerprint() != before


def test_a_folder_is_the_same_with_a_slash_behind_it(tree):
    for kind in ImageFolder, tv.ImageFolder:
        plain, slashed = (as_source(kind(f"{tree}{end}")) for end in ("", "/"))
        assert plain.fingerprint() == slashed.fingerprint()


def test_files_may_be_moved_together_but_not_changed():
    one = Files(["/a/b/x/1.jpg", "/a/b/y.jpg", "/a/b/x/2.jpg"]).fingerprint()
    assert Files(["c/x/1.jpg", "c/y.jpg", "c/x/2.jpg"]).fingerprint() == one
    assert Files(["x/1.jpg", "y.jpg", "x/2.jpg"]).fingerprint() == one
    assert Files(["x/1.jpg", "x/2.jpg", "y.jpg"]).fingerprint() != one
    assert Files(["x/1.jpg", "z.jpg", "x/2.jpg"]).fingerprint() != one
    assert Files(["a/1.jpg"]).fingerprint() == Files(["1.jpg"]).fingerprint()


def test_targets_go_with_the_samples_asked_for(tree):
    folder = ImageFolder(tree)
    assert folder.fetch(np.array([8, 0, 3])).targets.tolist() == [2, 0, 1]
    changed = ImageFolder(tree, target_transform=lambda t: f"class {t}")
    samples = changed.fetch(np.array([8, 0])).samples
    assert [target for _, target in samples] == ["class 2", "class 0"]


def test_files_without_targets_are_known_by_their_index():
    inputs = Files(["x.jpg", "y.jpg", "z.jpg"]).fetch(np.array([2, 1]))
    assert inputs.raw == [b"z.jpg", b"y.jpg"]
    assert inputs.targets.tolist() == [2, 1]


@pytest.mark.parametrize(
    "targets", [["a", "b"], [1.5, 2], [(1, 2), (3, 4)], [True, False]]
)
def test_targets_of_any_kind_are_kept_as_they_are(targets):
    files = Files(["x.jpg", "y.jpg"], targets)
    assert files.targets == targets
    assert [t for _, t in files.fetch(np.array([1, 0])).samples] == targets[::-1]


def test_files_are_checked_against_their_targets():
    with pytest.raises(ValueError, match="2 files but 3 targets"):
        Files(["a", "b"], [1, 2, 3])
    with pytest.raises(TypeError, match=r"several paths, got 'a\.jpg'"):
        Files("a.jpg")
    with pytest.raises(ValueError, match="zero byte"):
        Files(["a\0b"])


def test_a_data_frames_columns_are_read_by_place():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {"path": ["a", "b", "c"], "n": [0, 1, 2], "s": list("xyz")}
    )
    frame = frame.iloc[[2, 1]]
    numbers = Files(frame["path"], frame["n"]).fetch(np.arange(2)).targets
    assert numbers.tolist() == [2, 1]
    words = Files(frame["path"], frame["s"]).fetch(np.arange(2)).samples
    assert words == [(None, "z"), (None, "y")]


def test_paths_that_are_no_text_survive():
    path = os.fsdecode(b"/tmp/\xff\xfe.jpg")
    files = Files([path, "plain.jpg"])
    assert files.fetch(np.array([0])).raw == [b"/tmp/\xff\xfe.jpg"]
    assert files.name(0) == path


def test_a_wrong_option_is_refused_with_the_value_it_got():
    with pytest.raises(ValueError, match=r"other_formats must be one of .*'pillow'"):
        Files([], other_formats="pillow")
    with pytest.raises(ValueError, match=r"layout must be one of .*'chw'"):
        Files([], layout="chw")
    with pytest.raises(TypeError, match=r"dtype must be a torch\.dtype, got 'float16'"):
        Files([], dtype="float16")
    with pytest.raises(ValueError, match="memory_format must be"):
        Files([], memory_format=torch.preserve_format)


def test_sources_survive_pickling(tree):
    folder = pickle.loads(pickle.dumps(ImageFolder(tree)))
    assert folder.samples == ImageFolder(tree).samples


# ---- tar shards ----------------------------------------------------------------


LONG = "folder/" + "n" * 180 + ".jpg"
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


@pytest.mark.parametrize("format", FORMATS)
def test_the_index_of_an_archive_is_tarfiles(tmp_path, format):
    files = {"a.jpg": b"1" * 700, "empty.jpg": b"", "d/é.jpg": b"x" * 512}
    files["p" * 90 + "/" + "q" * 80 + ".jpg"] = b"prefix"
    if format != tarfile.USTAR_FORMAT:
        files[LONG] = b"long name"
    path = str(tmp_path / "x.tar")
    write_tar(path, files, format=format)
    with tarfile.open(path) as tar:
        want = [(m.name, m.offset_data, m.size) for m in tar if m.isfile()]
    assert list(members(path)) == want
    assert [name for name, _, _ in want] == list(files)


def test_folders_and_links_to_such_in_an_archive_are_passed_over(tmp_path, tree):
    os.symlink("sub", tree / "b" / "link.d")
    for name in ("a", "b"):
        with tarfile.open(tmp_path / "t.tar", "w") as tar:
            tar.add(tree / name, name)
            os.mkfifo(tmp_path / f"{name}.jpg")
            tar.add(tmp_path / f"{name}.jpg")
        got = [name for name, _, _ in members(str(tmp_path / "t.tar"))]
        want = ["a/x.png", "a/é.jpg"], ["b/10.JPG", "b/2.jpg", "b/sub.jpg"]
        assert sorted(got) == (want[0] if name == "a" else [*want[1], "b/sub/1.jpeg"])


def test_a_broken_archive_is_named_with_the_byte(tmp_path):
    path = tmp_path / "x.tar"
    write_tar(path, {"a.jpg": b"1" * 700, "b.jpg": b"2" * 700})
    data = path.read_bytes()
    path.write_bytes(data[:1200])
    with pytest.raises(ValueError, match=r"x.tar: breaks off within a.jpg"):
        list(members(str(path)))
    path.write_bytes(data[:1540] + b"?" + data[1541:])
    with pytest.raises(ValueError, match=r"x.tar: no tar header at byte 1536"):
        list(members(str(path)))
    path.write_bytes(b"no archive at all")
    with pytest.raises(ValueError, match=r"no tar header at byte 0"):
        list(members(str(path)))


def test_shards_are_one_data_set_sorted_by_name(tmp_path):
    for shard in (1, 0):
        write_tar(
            tmp_path / f"train-{shard}.tar",
            {
                f"{shard}{i}.{part}": data
                for i in range(3)
                for part, data in (
                    ("jpg", b"jpeg%d%d" % (shard, i)),
                    ("cls", b"%d" % i),
                )
            },
        )
    shards = TarShards(tmp_path / "train-*.tar")
    assert len(shards) == 6
    inputs = shards.fetch(np.array([5, 0]))
    assert [bytes(data) for data in inputs.raw] == [b"jpeg12", b"jpeg00"]
    assert inputs.targets.tolist() == [2, 0]
    assert shards.name(5) == f"{tmp_path}/train-1.tar:12.jpg"
    copy = pickle.loads(pickle.dumps(shards))
    assert bytes(copy.fetch(np.array([1])).raw[0]) == b"jpeg01"
    assert copy.fingerprint() == shards.fingerprint()


@pytest.fixture
def many(tmp_path):
    """Forty archives of two samples."""
    for shard in range(40):
        content = {f"{i}.jpg": b"%d of %d" % (i, shard) for i in range(2)}
        write_tar(tmp_path / f"{shard:02}.tar", content)
    return TarShards(tmp_path / "*.tar")


def test_archives_take_no_descriptors(many):
    before = len(os.listdir("/proc/self/fd"))
    raw = many.fetch(np.arange(80)).raw
    assert len(os.listdir("/proc/self/fd")) == before
    assert bytes(raw[79]) == b"1 of 39"


def mappings_of(source):
    folder = os.path.dirname(source.shards[0])
    with open("/proc/self/maps") as file:
        return sum(folder in line for line in file)


def test_few_archives_are_mapped_beside_those_in_use(many, monkeypatch):
    monkeypatch.setattr(tar, "_MAX_MAPPED", 4)
    source = pickle.loads(pickle.dumps(many))
    inputs = source.fetch(np.arange(80))
    assert mappings_of(source) == 40
    assert [bytes(data) for data in inputs.raw] == [
        b"%d of %d" % (i, shard) for shard in range(40) for i in range(2)
    ]
    del inputs
    assert mappings_of(source) == 4
    del source
    assert mappings_of(many) == 0


def test_an_archive_that_is_gone_or_cut_is_an_error_of_its_own(many):
    os.remove(many.shards[3])
    os.truncate(many.shards[4], 600)
    os.truncate(many.shards[5], 0)
    with pytest.raises(FileNotFoundError, match=r"03\.tar"):
        many.fetch(np.array([6]))
    assert [len(data) for data in many.fetch(np.array([8, 9])).raw] == [6, 0]
    with pytest.raises(OSError, match=r"05\.tar"):
        many.fetch(np.array([10]))


def test_the_target_of_a_member_is_what_was_asked_for(tmp_path):
    path = tmp_path / "x.tar"
    meta = json.dumps({"id": 7}).encode()
    write_tar(
        path, {"b/1.jpg": b"", "b/1.json": meta, "b/1.txt": b"hi", "b/1.cls": b"4"}
    )

    def target(**options):
        inputs = TarShards(path, **options).fetch(np.array([0]))
        return inputs.targets[0] if inputs.targets is not None else inputs.samples[0][1]

    assert target() == 4
    assert target(target="cls") == 4
    assert target(target="json") == {"id": 7}
    assert target(target="txt") == "hi"
    assert target(target="index") == 0
    assert target(target="folder") == 0
    assert TarShards(path, target="folder").classes == ["b"]
    with pytest.raises(
        ValueError, match=r"b/1\.jpg: no member .label beside the image"
    ):
        target(target="label")


def test_an_archive_of_class_folders_has_these_as_targets(tmp_path):
    write_tar(
        tmp_path / "x.tar", {"dog/1.jpg": b"", "cat/1.jpg": b"", "dog/2.jpg": b""}
    )
    shards = TarShards([tmp_path / "x.tar"])
    assert shards.classes == ["cat", "dog"]
    assert shards.fetch(np.arange(3)).targets.tolist() == [1, 0, 1]


def test_a_sample_whose_files_are_apart_is_refused_not_split(tmp_path):
    write_tar(tmp_path / "x.tar", {"1.jpg": b"", "2.jpg": b"", "1.cls": b"3"})
    with pytest.raises(ValueError, match="'1' are not next to each other"):
        TarShards(tmp_path / "x.tar")


def test_an_archive_without_images_is_refused(tmp_path):
    write_tar(tmp_path / "x.tar", {"a.txt": b""})
    with pytest.raises(ValueError, match="no image in"):
        TarShards(tmp_path / "x.tar")


# ---- data sets of others --------------------------------------------------------


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        yield b"data", 0


class Pairs:
    """A data set of (image, target) made elsewhere."""

    def __init__(self, *images):
        self.images = images

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index], index


def test_torchvisions_folder_is_read_by_its_paths(tree):
    ours, theirs = ImageFolder(tree), as_source(tv.ImageFolder(tree))
    order = np.array([4, 0, 8])
    assert theirs.fetch(order).raw == ours.fetch(order).raw
    assert theirs.fetch(order).targets.tolist() == ours.fetch(order).targets.tolist()
    assert theirs.name(3) == ours.name(3)
    assert as_source(tv.ImageFolder(str(tree))).fingerprint() == theirs.fingerprint()
    changed = as_source(tv.ImageFolder(tree, target_transform=str))
    assert [t for _, t in changed.fetch(order).samples] == ["1", "0", "2"]


class WithPaths(tv.ImageFolder):
    def __getitem__(self, index):
        image, target = super().__getitem__(index)
        return image, target + 100, self.samples[index][0]


class First(tv.ImageFolder):
    def __len__(self):
        return 2


class Pixels(tv.ImageFolder):
    def __getitem__(self, index):
        image, target = super().__getitem__(index)
        return image.size, target


def test_what_a_subclass_adds_to_torchvisions_samples_is_kept(tree):
    data = WithPaths(tree)
    source = as_source(Subset(data, [3, 0]))
    inputs = source.fetch(np.arange(2))
    paths = [data.samples[i][0] for i in (3, 0)]
    assert list(inputs.raw) == [os.fsencode(path) for path in paths]
    assert [sample[1:] for sample in inputs.samples] == [
        (101, paths[0]),
        (100, paths[1]),
    ]
    assert source.name(0) == paths[0]
    assert (
        as_source(data).fingerprint() == as_source(tv.ImageFolder(tree)).fingerprint()
    )
    assert len(as_source(First(tree))) == 2


def test_a_subclass_that_needs_pixels_is_refused(tree):
    with pytest.raises(TypeError, match="__getitem__ of Pixels needs pixels"):
        as_source(Pixels(tree))


class Relabelled(Files):
    def __getitem__(self, index):
        image, target = super().__getitem__(index)
        return image, target + 100


class Shifted(Subset):
    def __getitem__(self, index):
        path, target = super().__getitem__(index)
        return path, target + 100

    def __getitems__(self, indices):
        return [self[index] for index in indices]


def test_code_of_a_subclass_is_never_passed_over():
    with pytest.raises(TypeError, match="Relabelled overrides __getitem__"):
        as_source(Relabelled(["a.jpg"]))
    with pytest.raises(TypeError, match="Relabelled overrides __getitem__"):
        as_source(ConcatDataset([Relabelled(["a.jpg"])]))
    source = as_source(Shifted([("a.jpg", 1), ("b.jpg", 2)], [1]))
    inputs = source.fetch(np.array([0]))
    assert list(inputs.raw) == [b"b.jpg"]
    assert inputs.samples == [("b.jpg", 102)]


def test_a_pixel_transform_is_refused_with_its_equivalent(tree):
    pixels = P.Compose(
        [
            P.RandomResizedCrop(224, scale=(0.2, 1.0)),
            P.RandomHorizontalFlip(),
            P.ToTensor(),
            P.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
            P.GaussianBlur(3),
        ]
    )
    with pytest.raises(TypeError, match="works on pixels") as caught:
        as_source(tv.ImageFolder(tree, transform=pixels))
    for line in [
        "T.RandomResizedCrop(224, scale=(0.2, 1)),",
        "T.RandomHorizontalFlip(),",
        'T.Normalize("imagenet"),',
        "# GaussianBlur: no equivalent",
        "from dctload import transforms as T",
    ]:
        assert line in str(caught.value)
    assert "ToTensor" not in str(caught.value)


def test_the_equivalent_knows_the_second_version_and_the_presets(tree):
    from torchvision.transforms import v2

    preset = torchvision.models.ResNet18_Weights.DEFAULT.transforms()
    both = [
        v2.Compose([v2.Resize([256]), v2.CenterCrop((224, 192)), v2.ToImage()]),
        preset,
    ]
    texts = []
    for transform in both:
        with pytest.raises(TypeError) as caught:
            as_source(tv.ImageFolder(tree, transform=transform))
        texts.append(str(caught.value))
    assert "T.Resize(256),\n    T.CenterCrop((224, 192)),\n" in texts[0]
    assert "T.Resize(256),\n    T.CenterCrop(224),\n" in texts[1]


def test_subsets_of_concatenations_lead_to_the_right_files(tree):
    folder, files = ImageFolder(tree), Files(["x.jpg", "y.jpg"], [7, 8])
    both = ConcatDataset([files, Subset(folder, [3, 1]), files])
    source = as_source(Subset(both, [5, 2, 3, 0, 4]))
    want = ["y.jpg", *names(folder, [3, 1]), "x.jpg", "x.jpg"]
    assert names(source) == want
    assert [os.path.basename(source.name(i)) for i in range(5)] == want
    assert source.fetch(np.arange(5)).targets.tolist() == [8, 1, 0, 7, 7]
    assert source.fetch(np.array([1, 2])).targets.tolist() == [1, 0]


def test_parts_may_have_paths_and_bytes_and_other_targets(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"from a file")
    files = Files([tmp_path / "a.jpg"], ["label"])
    source = as_source(ConcatDataset([Pairs(b"from memory"), files]))
    inputs = source.fetch(np.array([1, 0]))
    assert [bytes(raw) for raw in inputs.raw] == [b"from a file", b"from memory"]
    assert not inputs.is_path
    assert [target for _, target in inputs.samples] == ["label", 0]


def test_parts_with_other_options_are_refused():
    parts = [Files(["a"], layout="planes"), Files(["b"])]
    with pytest.raises(TypeError, match="different transforms or options"):
        as_source(ConcatDataset(parts))


def test_fingerprints_tell_subsets_apart(tree):
    folder = ImageFolder(tree)
    sources = [folder, Subset(folder, [0, 1]), Subset(folder, [1, 0])]
    sources += [ConcatDataset([folder, folder]), Pairs(b""), Pairs(b"", b"")]
    assert len({as_source(source).fingerprint() for source in sources}) == len(sources)


@pytest.mark.parametrize(
    "image",
    [
        b"data",
        bytearray(b"data"),
        memoryview(b"data"),
        np.frombuffer(b"data", np.uint8),
        torch.tensor(list(b"data"), dtype=torch.uint8),
        {"bytes": b"data", "path": None},
    ],
)
def test_a_data_set_may_return_bytes_of_any_kind(image):
    inputs = as_source(Pairs(image)).fetch(np.array([0]))
    assert bytes(inputs.raw[0]) == b"data"
    assert inputs.collate("x")[0] == "x"
    assert inputs.collate("x")[1].tolist() == [0]


def test_a_data_set_may_return_paths(tmp_path):
    for path in ("a.jpg", tmp_path / "a.jpg"):
        inputs = as_source(Pairs(path)).fetch(np.array([0]))
        assert inputs.is_path
        assert inputs.raw == [os.fsencode(path)]


def test_a_data_set_of_images_alone_or_of_dicts_keeps_its_form():
    alone = as_source([b"1", b"2"]).fetch(np.array([1, 0]))
    assert alone.collate("batch") == "batch"
    rows = [{"id": i, "jpg": b"%d" % i, "tag": "t"} for i in range(3)]
    inputs = as_source(rows).fetch(np.array([2, 0]))
    batch = inputs.collate("batch")
    assert list(batch) == ["id", "jpg", "tag"]
    assert batch["jpg"] == "batch"
    assert batch["id"].tolist() == [2, 0]
    assert batch["tag"] == ["t", "t"]
    assert inputs.uncollated(["p", "q"])[0] == {"id": 2, "jpg": "p", "tag": "t"}


def test_many_samples_are_asked_for_at_once_where_that_is_possible():
    class Fast(Pairs):
        def __getitems__(self, indices):
            self.asked = indices
            return [self[i] for i in indices]

    data = Fast(b"a", b"b", b"c")
    as_source(data).fetch(np.array([2, 0]))
    assert data.asked == [2, 0]


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Pairs(torch.zeros(3, 8, 8)), r"a sample of this Pairs is \(Tensor, int\)"),
        ([{"pixels": np.zeros((8, 8))}], r"is \{pixels: ndarray\}"),
        ([3], "is a int"),
        (iter([1]), "got list_iterator; the loader takes"),
        ("train", "got the path 'train'; make a data set of it: ImageFolder"),
        (Stream(), "is an IterableDataset, which has no order"),
    ],
)
def test_anything_else_is_refused_with_what_to_change(dataset, message):
    with pytest.raises(TypeError, match=message):
        as_source(dataset)


def test_hugging_face_rows_are_read_undecoded(jpeg_samples):
    datasets = pytest.importorskip("datasets")
    data = jpeg_samples["420"]
    rows = datasets.Dataset.from_dict(
        {"image": [{"bytes": data, "path": None}] * 3, "label": [4, 5, 6]},
        features=datasets.Features(
            {"image": datasets.Image(), "label": datasets.Value("int64")}
        ),
    )
    source = as_source(rows)
    inputs = source.fetch(np.array([2, 0]))
    assert [bytes(raw) for raw in inputs.raw] == [data, data]
    batch = inputs.collate("x")
    assert batch["image"] == "x"
    assert batch["label"].tolist() == [6, 4]
    assert source.name(1) == "row 1"
    with pytest.raises(TypeError, match="transform of its own"):
        as_source(rows.with_transform(lambda row: row))
    with pytest.raises(TypeError, match="one Image column, it has none"):
        as_source(rows.remove_columns("image"))


# ---- what is not as it should be ------------------------------------------------


def test_an_archive_cut_at_a_members_end_is_not_taken_for_whole(tmp_path):
    path = tmp_path / "x.tar"
    write_tar(path, {"a.jpg": b"1" * 512, "b.jpg": b"2" * 512})
    path.write_bytes(path.read_bytes()[:1024])
    with pytest.raises(ValueError, match=r"x\.tar: breaks off after a\.jpg"):
        TarShards(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"x\.tar: breaks off after its start"):
        TarShards(path)


def test_a_member_that_is_there_twice_is_named(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        for _ in range(2):
            info = tarfile.TarInfo("a.jpg")
            info.size = 3
            tar.addfile(info, io.BytesIO(b"123"))
    with pytest.raises(ValueError, match=r"x\.tar: a\.jpg is in it twice"):
        TarShards(tmp_path / "x.tar")


@pytest.mark.timeout(20)
def test_what_is_no_file_is_named_and_not_waited_for(tmp_path):
    pipe, folder = tmp_path / "pipe.jpg", tmp_path / "folder.jpg"
    os.mkfifo(pipe)
    folder.mkdir()
    for make in (TarShards, lambda path: Files([path])[0]):
        with pytest.raises(OSError, match=r"not a regular file: .*pipe\.jpg"):
            make(pipe)
        with pytest.raises(IsADirectoryError, match=r"folder\.jpg"):
            make(folder)


@pytest.mark.parametrize("where", [".", "..", "../../b"])
def test_links_in_circles_are_named(tree, where):
    os.symlink(where, tree / "b" / "sub" / "around")
    os.symlink("../a", tree / "c" / "again")  # the same folder twice is no circle
    if where == "../../b":
        os.symlink("sub", tree / "b" / "again")
    with pytest.raises(OSError, match=r"Too many levels of symbolic links: .*around"):
        ImageFolder(tree)


def test_names_that_are_no_text_are_kept(tree):
    name = os.fsencode(tree) + b"/a/\xff.jpg"
    with open(name, "wb") as file:
        file.write(b"x")
    folder = ImageFolder(tree)
    assert name in [os.fsencode(path) for path, _ in folder.samples]
    assert folder.fetch(np.arange(len(folder))).raw == [
        os.fsencode(path) for path, _ in folder.samples
    ]
