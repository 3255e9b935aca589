"""The demo's data: crops of photographs that scikit-image ships, or the user's own."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

# Function of skimage.data: the name of its class. Eight are in colour, four grey.
PHOTOGRAPHS = {
    "astronaut": "astronaut",
    "brick": "brick",
    "chelsea": "cat",
    "coffee": "coffee",
    "coins": "coins",
    "grass": "grass",
    "gravel": "gravel",
    "hubble_deep_field": "galaxies",
    "immunohistochemistry": "tissue",
    "retina": "retina",
    "rocket": "rocket",
    "stereo_motorcycle": "motorcycle",
}
NUM_TRAIN, NUM_VALIDATION = 80, 20  # of each class
MIN_SIDE, MAX_SIDE = 112, 240  # samples
VALIDATION_SHARE = 0.34  # of a photograph's width, on the left
SPLIT_NAMES = ("validation", "valid", "val", "test")


class Folders(NamedTuple):
    """Two folders with a folder per class in each."""

    train: Path
    validation: Path


def _photograph(name: str) -> np.ndarray:
    try:
        import skimage.data
    except ImportError as error:
        raise ImportError(
            "the demo's photographs come with scikit-image: pip install 'dctload[demo]'"
        ) from error
    picture = getattr(skimage.data, name)()
    return np.asarray(picture[0] if isinstance(picture, tuple) else picture)


def _save_crops(
    part: np.ndarray, num: int, folder: Path, rng: np.random.Generator
) -> None:
    """Save ``num`` random squares of ``part`` as JPEG, 4:2:0, as cameras do."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    height, width = part.shape[:2]
    for i in range(num):
        side = int(rng.integers(MIN_SIDE, min(MAX_SIDE, height, width) + 1))
        top = int(rng.integers(0, height - side + 1))
        left = int(rng.integers(0, width - side + 1))
        crop = Image.fromarray(part[top : top + side, left : left + side])
        quality = int(rng.integers(80, 96))
        crop.save(folder / f"{i:03}.jpg", quality=quality, subsampling="4:2:0")


def make_crops(root: Path, seed: int = 0) -> Folders:
    """Write crops of twelve photographs below ``root``, the same ones every time.

    A crop's class is its photograph. Crops for validation come from the left third
    of it, those for training from the rest, so that no pixel is in both.
    """
    folders = Folders(root / "train", root / "validation")
    rng = np.random.default_rng(seed)
    for function, name in PHOTOGRAPHS.items():
        picture = _photograph(function)
        border = round(picture.shape[1] * VALIDATION_SHARE)
        _save_crops(picture[:, border:], NUM_TRAIN, folders.train / name, rng)
        _save_crops(picture[:, :border], NUM_VALIDATION, folders.validation / name, rng)
    return folders


def _link_split(source: Path, folders: Folders) -> None:
    """Every fifth file of a class is for validation; links, not copies."""
    classes = sorted(entry for entry in source.iterdir() if entry.is_dir())
    for entry in classes:
        files = sorted(path for path in entry.rglob("*") if path.is_file())
        for i, path in enumerate(files):
            folder = folders[int(i % 5 == 4)] / entry.name
            folder.mkdir(parents=True, exist_ok=True)
            os.symlink(path.resolve(), folder / f"{i:06}{path.suffix}")


def use_folder(source: Path, scratch: Path) -> Folders:
    """The user's own files: ``train`` and ``validation`` folders, or one to be split.

    Args:
        source: Has a folder per class, or folders ``train`` and ``validation``
            (``valid``, ``val`` or ``test``) that do.
        scratch: Where links to the files go if ``source`` must be split.

    Raises:
        ValueError: There are fewer than two classes.
    """
    if not source.is_dir():
        raise ValueError(f"{source} is not a folder")
    split = next((s for s in SPLIT_NAMES if (source / s).is_dir()), None)
    if split is not None and (source / "train").is_dir():
        folders = Folders(source / "train", source / split)
    else:
        folders = Folders(scratch / "train", scratch / "validation")
        _link_split(source, folders)
    for folder in folders:
        found = [p for p in folder.iterdir() if p.is_dir()] if folder.is_dir() else []
        if len(found) < 2:
            raise ValueError(f"{source} needs two classes or more, a folder each")
    return folders
