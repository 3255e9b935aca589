"""Which files are trained on and which are measured on."""

from pathlib import Path

import pytest

from dctload.training.folders import (
    Folders,
    find_folders,
    held_out,
    median_side,
    split_off,
)


@pytest.mark.parametrize(
    ("there", "val", "test"),
    [
        (["train", "val"], "val", None),
        (["train", "validation", "test"], "validation", "test"),
        (["train", "valid", "test"], "valid", "test"),
        (["train", "test"], "test", None),
        (["train"], None, None),
    ],
)
def test_sets_are_found_by_their_usual_names(tmp_path, there, val, test):
    for name in there:
        (tmp_path / name).mkdir()
    found = find_folders(tmp_path)
    assert found.train == tmp_path / "train"
    assert found.val == (tmp_path / val if val else None)
    assert found.test == (tmp_path / test if test else None)


def test_folder_without_train_holds_the_classes_itself(tmp_path):
    (tmp_path / "cat").mkdir()
    assert find_folders(tmp_path) == Folders(tmp_path)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as e:
        find_folders(tmp_path / "nowhere")
    assert Path(e.value.filename).name == "nowhere"


def test_split_depends_on_the_name_alone():
    names = [f"cat/{i}.jpg" for i in range(2000)]
    train, val = split_off(range(2000), range(2000), names, 0.1)
    assert not set(train.indices) & set(val.indices)
    assert len(train) + len(val) == 2000
    assert 150 < len(val) < 250
    chosen = {names[i] for i in val.indices}
    _, again = split_off(range(1000), range(1000), names[::-2], 0.1)
    assert {names[::-2][i] for i in again.indices} == chosen & set(names[::-2])


def test_larger_fraction_keeps_what_a_smaller_one_held_out():
    names = [str(i) for i in range(500)]
    small = {name for name in names if held_out(name, 0.1)}
    assert small <= {name for name in names if held_out(name, 0.3)}


@pytest.mark.parametrize("fraction", [0.0, 1.0, -1.0])
def test_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ValueError, match="fraction must be in"):
        split_off([1], [1], ["a"], fraction)


def test_too_few_files_to_split_are_said():
    with pytest.raises(ValueError, match="1 files are too few"):
        split_off([1], [1], ["a"], 0.1)


def test_one_large_image_among_small_ones_is_no_photograph_collection():
    assert median_side([(32, 32), (40, 32), (4000, 3000)]) == 32
