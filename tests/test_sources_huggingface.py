"""Rows of Hugging Face data sets: nulls, names of bad ones, hidden columns."""

import pytest

from dctload import CorruptJPEGError, DataLoader, TooManyErrors
from dctload import transforms as T
from dctload.data.sources import as_source

datasets = pytest.importorskip("datasets")


@pytest.fixture
def rows(jpeg_samples):
    """Builds a Hugging Face data set of (bytes, path) with numbers beside them."""

    def build(*images, **columns):
        records = [image and {"bytes": image[0], "path": image[1]} for image in images]
        features = datasets.Features(
            {"image": datasets.Image(), "label": datasets.Value("int64")}
            | {name: datasets.Value("string") for name in columns}
        )
        data = {"image": records, "label": [*range(len(images))], **columns}
        return datasets.Dataset.from_dict(data, features=features)

    return build


def test_a_row_without_an_image_is_a_bad_file(rows, jpeg_samples):
    good = jpeg_samples["420"], None
    data = rows(None, good, None, good)
    plain = {"batch_size": 2, "transform": T.CenterCrop(16)}
    with pytest.raises(CorruptJPEGError, match=r"^row 0: no image$") as caught:
        list(DataLoader(data, **plain))
    assert caught.value.name == "row 0"
    loader = DataLoader(data, on_error="skip", **plain)
    assert [batch["label"].tolist() for batch in loader] == [[1], [3]]
    assert list(loader.stats.bad_files) == ["row 0", "row 2"]
    loader = DataLoader(data, on_error="replace", seed=0, **plain)
    assert all(set(batch["label"].tolist()) <= {1, 3} for batch in loader)
    assert loader.stats.replaced == 2


@pytest.mark.parametrize("nothing", [None, {"bytes": None, "path": None}])
def test_a_sample_without_an_image_is_a_bad_file(jpeg_samples, nothing):
    data = [(jpeg_samples["420"], 0), (nothing, 1), (jpeg_samples["420"], 2)]
    loader = DataLoader(data, 3, transform=T.CenterCrop(16), on_error="skip")
    assert [target.tolist() for _, target in loader] == [[0, 2]]
    assert loader.stats.bad_files == {"sample 1": "sample 1: no image"}


def test_bad_rows_of_one_path_are_counted_each(rows, jpeg_samples, tmp_path):
    """Bytes may come from any path; a file on disk is one by its path."""
    path = tmp_path / "x.jpg"
    path.write_bytes(b"\xff\xd8")
    inside, outside = (jpeg_samples["420"][:300], "0.jpg"), (None, str(path))
    data = rows(inside, outside, inside, outside, (jpeg_samples["420"], "0.jpg"))
    options = {"transform": T.CenterCrop(16), "on_error": "skip"}
    loader = DataLoader(data, 5, max_errors=3, **options)
    assert sum(len(batch["label"]) for batch in loader) == 1
    assert [*loader.stats.bad_files] == ["row 0 (0.jpg)", str(path), "row 2 (0.jpg)"]
    with pytest.raises(TooManyErrors):
        list(DataLoader(data, 5, max_errors=2, **options))


def test_columns_hidden_by_a_format_are_left_out(rows, jpeg_samples):
    good = jpeg_samples["420"], None
    data = rows(good, good, good, note=["a", None, "b"])
    loader = DataLoader(
        data.with_format("torch", columns=["label", "image"]), 3,
        transform=T.CenterCrop(16),
    )  # fmt: skip
    (batch,) = loader
    assert list(batch) == ["image", "label"]
    assert batch["label"].tolist() == [0, 1, 2]
    every = data.with_format("torch", columns=["image"], output_all_columns=True)
    (batch,) = DataLoader(
        every, 3, transform=T.CenterCrop(16), collate_fn=lambda samples: samples
    )
    assert [sample["note"] for sample in batch] == ["a", None, "b"]
    with pytest.raises(TypeError, match="one Image column, it has none"):
        as_source(data.with_format("torch", columns=["label"]))
